"""The clips of BanglaSER with their folds, and classifiers that are fitted fold by fold."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from _over_speakers import Score, auc_within, pooled_uar
from _pauses import RATE
from _source_formats import GROUPS, ClipOfSpeaker, SourceFormat, group_speakers
from serkit.data.corpora import get_corpus
from serkit.data.manifest import Manifest
from serkit.lab.features.front import Layout
from serkit.lab.models import build_body
from serkit.lab.recipes.files import load_recipe
from serkit.lab.splits.protocols import make_split
from serkit.lab.splits.recording_groups import Sounds
from serkit.types import FloatArray

MODELS: dict[str, dict[str, Any]] = {
    "logistic": {"cost": 0.01},
    "svm": {"kernel": "linear", "cost": 0.01, "calibrate": False},  # calibration changes no answer
}
HAVING = GROUPS[:3]  # groups with neutral clips

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Clips:
    """What is known about the clips; arrays are aligned.

    Attributes:
        names: Name of each clip.
        speakers: Speaker of each clip.
        emotions: Index of each clip's emotion in ``classes``.
        sentences: Sentence of each clip.
        groups: Group of each clip's speaker.
        sources: Source format of each clip, (n, 2): sampling rate in Hz and number of channels.
        folds: Clips of the training, validation and test part of each fold.
        classes: The emotions.
    """

    names: tuple[str, ...]
    speakers: NDArray[np.str_]
    emotions: Ints
    sentences: NDArray[np.str_]
    groups: NDArray[np.str_]
    sources: Ints
    folds: tuple[tuple[Ints, Ints, Ints], ...]
    classes: tuple[str, ...]

    @property
    def is_neutral(self) -> Mask:
        """Whether each clip is neutral."""
        return self.emotions == self.classes.index("neutral")

    def training_without(self, speakers: Iterable[str]) -> "Clips":
        """Return the clips with folds whose training and validation parts lack some speakers."""
        out = np.isin(self.speakers, list(speakers))
        return replace(self, folds=tuple((a[~out[a]], b[~out[b]], test) for a, b, test in self.folds))


def describe(manifest: Manifest, formats: Mapping[str, SourceFormat]) -> Clips:
    """Group the speakers, and make the folds of ``banglaser-5fold-MODEL``."""
    names = tuple(u.id.rpartition("/")[2] for u in manifest)
    sources = [formats[name] for name in names]
    group = group_speakers(
        ClipOfSpeaker(u.speaker, u.emotion == "neutral", one) for u, one in zip(manifest, sources, strict=True)
    )
    protocol = load_recipe("banglaser-5fold-logistic").protocol
    split = make_split(manifest, protocol, Sounds({u.id: u.id for u in manifest}))
    place = {u.id: number for number, u in enumerate(manifest)}
    classes = get_corpus("banglaser").emotions.classes
    return Clips(
        names=names,
        speakers=np.array([u.speaker for u in manifest]),
        emotions=np.array([classes.index(u.emotion) for u in manifest]),
        sentences=np.array([u.sentence for u in manifest]),
        groups=np.array([group[u.speaker] for u in manifest]),
        sources=np.array(sources),
        folds=tuple(
            (parts[0], parts[1], parts[2])
            for fold in split.folds
            for parts in [[np.array([place[i] for i in ids]) for ids in (fold.train, fold.validation, fold.test)]]
        ),
        classes=classes,
    )


def fit(model: str, rows: FloatArray, targets: Ints, speakers: NDArray[np.str_]) -> Callable[[FloatArray], FloatArray]:
    """Fit serkit's classifier, and return the function that gives probabilities (n, C) for rows (n, F)."""
    layout = Layout("vector", (("rows", rows.shape[1]),), 1, RATE)
    body = build_body(model, MODELS[model], layout=layout, classes=int(targets.max()) + 1)
    ids = [f"{number:05}" for number in range(len(rows))]
    body.fit_on(
        {i: row[None] for i, row in zip(ids, rows, strict=True)},
        dict(zip(ids, targets.tolist(), strict=True)),
        dict(zip(ids, speakers.tolist(), strict=True)),
        class_weights=True,
        seed=0,
    )

    def answer(some: FloatArray) -> FloatArray:
        columns = torch.from_numpy(np.ascontiguousarray(some, np.float32))[:, :, None]
        found: FloatArray = body(columns, torch.ones(len(some), dtype=torch.int64)).logits.exp().numpy()
        return found

    return answer


@dataclass(frozen=True)
class Fitted:
    """A classifier for each fold.

    Attributes:
        clips: Clips with the folds.
        models: Function from rows (n, F) to probabilities (n, C), for each fold.
        usable: Clips that count at all.
        validation: UAR of the validation parts.
    """

    clips: Clips
    models: tuple[Callable[[FloatArray], FloatArray], ...]
    usable: Mask
    validation: float

    def answers(self, rows: FloatArray) -> FloatArray:
        """Return the probabilities (n, C) of rows (n, F) by the folds that test them; NaN if a clip does not count."""
        found = np.full((len(rows), 0), np.nan)
        for (_, _, test), answer in zip(self.clips.folds, self.models, strict=True):
            asked = test[self.usable[test]]
            some = answer(rows[asked])
            found = found if found.shape[1] else np.full((len(rows), some.shape[1]), np.nan)
            found[asked] = some
        return found


def fit_folds(
    clips: Clips, rows: FloatArray, targets: Ints, *, model: str = "logistic", usable: Mask | None = None,
    fitted_on: Mask | None = None,
) -> Fitted:  # fmt: skip
    """Fit the training part of each fold.

    Args:
        clips: Clips with folds.
        rows: Features (n, F).
        targets: Class index of each clip.
        model: Name of the classifier.
        usable: Clips that count at all.
        fitted_on: Clips that may be trained on.
    """
    counts = np.ones(len(rows), bool) if usable is None else usable
    fitted = counts if fitted_on is None else counts & fitted_on
    validation: list[tuple[Ints, Ints]] = []
    models = []
    for train, held_out, _ in clips.folds:
        own, held = train[fitted[train]], held_out[counts[held_out]]
        models.append(fit(model, rows[own], targets[own], clips.speakers[own]))
        if len(held):
            validation.append((targets[held], models[-1](rows[held]).argmax(1)))
    truth, answers = (np.concatenate(part) for part in zip(*validation, strict=True))
    score = np.mean([np.mean(answers[truth == c] == c) for c in np.unique(truth)])
    return Fitted(clips, tuple(models), counts, float(score))


def fit_within_speakers(clips: Clips, rows: FloatArray, truth: Mask, usable: Mask) -> FloatArray:
    """Return the score (n,) of each clip by a classifier fitted on the same speaker's other two sentences.

    The score is NaN where a speaker has no clips of one kind to learn from.
    """
    found = np.full(len(rows), np.nan)
    for speaker in np.unique(clips.speakers):
        own = (clips.speakers == speaker) & usable
        for sentence in np.unique(clips.sentences[own]):
            test, train = own & (clips.sentences == sentence), own & (clips.sentences != sentence)
            if 2 <= truth[train].sum() <= train.sum() - 2:
                answer = fit("logistic", rows[train], truth[train].astype(int), clips.speakers[train])
                found[test] = answer(rows[test])[:, 1]
    return found


def per_speaker(values: NDArray[np.bool_], counted: Mask, speakers: NDArray[np.str_]) -> FloatArray:
    """Return the share of the counted clips for which a claim holds, for each speaker who has any."""
    return np.array([values[counted & (speakers == one)].mean() for one in np.unique(speakers[counted])])


@dataclass(frozen=True)
class Reading:
    """How one model reads neutral in each group of speakers; values are by speaker.

    Attributes:
        recall: Recall of neutral.
        false: Share of the other clips that are called neutral.
        auc: Area under the ROC curve of neutral against the rest, within the speaker.
        others: Share of the other clips that are recognized.
        uar: Unweighted average recall of all emotions.
        validation: Validation UAR in percent.
    """

    recall: dict[str, FloatArray]
    false: dict[str, FloatArray]
    auc: dict[str, FloatArray]
    others: dict[str, FloatArray]
    uar: dict[str, Score]
    validation: float


def read_neutral(fitted: Fitted, rows: FloatArray) -> Reading:
    """Recognize the emotions, and score neutral by group; ``all`` are the speakers who have neutral clips.

    Args:
        fitted: Classifiers of all emotions.
        rows: Features (n, F) of the clips, or of changed clips.
    """
    clips, found = fitted.clips, fitted.answers(rows)
    neutral, place, predicted = clips.is_neutral, clips.classes.index("neutral"), found.argmax(1)
    said, right = predicted == place, predicted == clips.emotions
    of = {group: clips.groups == group for group in GROUPS} | {"all": clips.groups != "no neutral"}
    having, speakers, score = (*HAVING, "all"), clips.speakers, found[:, place]
    return Reading(
        recall={g: per_speaker(said, neutral & of[g], speakers) for g in having},
        false={g: per_speaker(said, ~neutral & of[g], speakers) for g in of},
        auc={g: auc_within(score[of[g]], neutral[of[g]], speakers[of[g]]) for g in having},
        others={g: per_speaker(right, ~neutral & of[g], speakers) for g in of},
        uar={g: pooled_uar(predicted[of[g]], clips.emotions[of[g]], speakers[of[g]]) for g in of},
        validation=100 * fitted.validation,
    )
