"""Does a model of BanglaSER read the emotion or the recording format?

Neutral clips of eleven speakers have another sampling rate or number of channels in the official release than all
their other clips. The script compares these speakers with those whose clips all have one format, and prints three
tables, all under five speaker folds, with intervals over speakers:

1. how well neutral is recognized from functionals;
2. how well neutral, other emotions and the source's format are told from the pauses alone, where nobody speaks;
3. what changes with the channel taken off, or without these speakers in training.

The format is read from the headers of the official WAV files, or from a table with the columns clip,
source_sampling_rate and source_channels. Claims, whose goals were set before the first run: a model recognizes neutral
better where the format gives it away; pauses give it away there, and hardly elsewhere; equalizing halves the gap.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from _over_speakers import Score, auc_within, difference, mean_score, pooled_auc, pooled_uar
from _pauses import (
    RATE, before_speech, equalized, functionals_of_bands, masked, mean_and_deviation, pauses, rows_of,
)  # fmt: skip
from _source_formats import GROUPS, ClipOfSpeaker, SourceFormat, formats_of_files, group_speakers, read_formats
from _verdict import at_least, at_most, detail
from serkit.audio.decode import load_audio
from serkit.data.corpora import get_corpus, read_corpora
from serkit.data.manifest import Manifest
from serkit.errors import CorpusError
from serkit.lab.features import build_feature, build_front
from serkit.lab.features.extraction import frames_of_many
from serkit.lab.features.front import Layout
from serkit.lab.models import build_body
from serkit.lab.recipes.files import load_recipe
from serkit.lab.splits.protocols import make_split
from serkit.lab.splits.recording_groups import Sounds
from serkit.runtime.vad import detector
from serkit.types import FloatArray

MODELS = {"logistic": {"cost": 0.01}, "svm": {"kernel": "linear", "cost": 0.01, "calibrate": False}}
FUNCTIONALS = ({"name": "vector848"}, {"name": "prosody"})
LOGMEL = {"floor": 1e-10}  # far below the noise of any microphone; the default would hide that of most clips
FEWEST = 30  # frames of 10 ms without speech that a clip needs for table 2
DRAWS = 20  # of permuted labels, and of speakers left out for comparison
SNR_DB = 20.0

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Clips:
    """What is known about the clips; arrays are aligned.

    Attributes:
        names: Name of each clip.
        speakers: Speaker of each clip.
        emotions: Index of each clip's emotion in ``classes``.
        groups: Group of each clip's speaker.
        sources: Source format of each clip, (n, 2): sampling rate in Hz and number of channels.
        folds: Clips of the training, validation and test part of each fold.
        classes: The emotions.
    """

    names: tuple[str, ...]
    speakers: NDArray[np.str_]
    emotions: Ints
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
    """Group the speakers and make the folds of ``banglaser-5fold-MODEL``."""
    names = tuple(u.id.rpartition("/")[2] for u in manifest)
    sources = [formats[name] for name in names]
    group = group_speakers(
        ClipOfSpeaker(u.speaker, u.emotion == "neutral", one) for u, one in zip(manifest, sources, strict=True)
    )
    split = make_split(
        manifest, load_recipe("banglaser-5fold-logistic").protocol, Sounds({u.id: u.id for u in manifest})
    )
    place = {u.id: number for number, u in enumerate(manifest)}
    parts = (tuple(np.array([place[i] for i in ids]) for ids in (f.train, f.validation, f.test)) for f in split.folds)
    classes = get_corpus("banglaser").emotions.classes
    return Clips(
        names=names,
        speakers=np.array([u.speaker for u in manifest]),
        emotions=np.array([classes.index(u.emotion) for u in manifest]),
        groups=np.array([group[u.speaker] for u in manifest]),
        sources=np.array(sources),
        folds=tuple(parts),
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
        return body(columns, torch.ones(len(some), dtype=torch.int64)).logits.exp().numpy()

    return answer


def cross_fit(
    clips: Clips, rows: FloatArray, targets: Ints, *, model: str = "logistic", usable: Mask | None = None,
    fitted_on: Mask | None = None,
) -> tuple[FloatArray, float]:  # fmt: skip
    """Fit each fold, and return the probabilities (n, C) of the test parts, and the UAR of the validation parts.

    Args:
        clips: Clips with folds.
        rows: Features (n, F).
        targets: Class index of each clip.
        model: Name of the classifier.
        usable: Clips that count at all; the others get NaN.
        fitted_on: Clips that may be trained on.
    """
    usable = np.ones(len(rows), bool) if usable is None else usable
    fitted = usable if fitted_on is None else usable & fitted_on
    found = np.full((len(rows), int(targets.max()) + 1), np.nan)
    validation: list[tuple[Ints, Ints]] = []
    for train, held, test in clips.folds:
        own, held, test = train[fitted[train]], held[usable[held]], test[usable[test]]
        answer = fit(model, rows[own], targets[own], clips.speakers[own])
        found[test] = answer(rows[test])
        if len(held):
            validation.append((targets[held], answer(rows[held]).argmax(1)))
    truth, answers = (np.concatenate(part) for part in zip(*validation, strict=True))
    return found, float(np.mean([np.mean(answers[truth == c] == c) for c in np.unique(truth)]))


def per_speaker(values: NDArray[np.bool_], counted: Mask, clips: Clips, group: str) -> FloatArray:
    """Return the share of the counted clips for which a claim holds, for each speaker of a group who has any."""
    chosen = counted & (clips.groups == group)
    return np.array([values[chosen & (clips.speakers == s)].mean() for s in np.unique(clips.speakers[chosen])])


@dataclass(frozen=True)
class Reading:
    """How one model reads neutral in each group of speakers, by speaker."""

    recall: dict[str, FloatArray]
    false: dict[str, FloatArray]
    auc: dict[str, FloatArray]
    others: dict[str, FloatArray]
    uar: dict[str, Score]
    validation: float


def reading(clips: Clips, rows: FloatArray, model: str) -> Reading:
    """Recognize the emotions, and score neutral by group."""
    found, validation = cross_fit(clips, rows, clips.emotions, model=model)
    answers = found.argmax(1)
    neutral, said = clips.is_neutral, answers == clips.classes.index("neutral")
    having, ones = GROUPS[:3], np.log(found[:, clips.classes.index("neutral")])
    of = {group: clips.groups == group for group in GROUPS}
    return Reading(
        recall={g: per_speaker(said, neutral, clips, g) for g in having},
        false={g: per_speaker(said, ~neutral, clips, g) for g in GROUPS},
        auc={g: auc_within(ones[of[g]], neutral[of[g]], clips.speakers[of[g]]) for g in having},
        others={g: per_speaker(answers == clips.emotions, ~neutral, clips, g) for g in GROUPS},
        uar={g: pooled_uar(answers[of[g]], clips.emotions[of[g]], clips.speakers[of[g]]) for g in GROUPS},
        validation=100 * validation,
    )


def table_of_neutral(clips: Clips, rows: FloatArray) -> int:
    """Print how neutral is recognized in each group; return the exit code."""
    print("\n| model | neutral's format | speakers | recall of neutral | others called neutral | AUC of neutral within "
          "speakers | recall of the others | UAR |\n|---|---|---:|---|---|---|---|---|")  # fmt: skip
    failed = 0
    readings = {model: reading(clips, rows, model) for model in MODELS}
    for model, one in readings.items():
        for group in GROUPS:
            cells = [mean_score(part[group]) if group in part else "" for part in (one.recall, one.false, one.auc)]
            cells += [mean_score(one.others[group]), one.uar[group]]
            print(f"| {model} | {group} | {len(one.false[group])} | {' | '.join(map(str, cells))} |")
        gaps = [difference(part["differs"], part["same"]) for part in (one.recall, one.false, one.auc, one.others)]
        print(f"| {model} | differs less same | | {' | '.join(map(str, gaps))} | |")
    for model, one in readings.items():
        ratio = float(one.recall["differs"].mean() / one.recall["same"].mean())
        failed |= at_least(f"recall of neutral where the format differs over where it is the same, {model}", ratio, 1.1)
    return failed


def permuted(labels: Mask, speakers: NDArray[np.str_], usable: Mask, rng: np.random.Generator) -> Mask:
    """Permute labels within each speaker, among the clips that count."""
    found = labels.copy()
    for speaker in np.unique(speakers):
        own = np.flatnonzero((speakers == speaker) & usable)
        found[own] = rng.permutation(labels[own])
    return found


def range_text(values: Sequence[float]) -> str:
    """Return mean and range of the scores of several draws, in percent."""
    return f"{100 * np.mean(values):.1f} ({100 * min(values):.1f} to {100 * max(values):.1f})"


def emotions_of_pauses(clips: Clips, spectra: Mapping[str, tuple[FloatArray, Mask]]) -> int:
    """Print how well each emotion is told from the pauses; return the exit code."""
    print("\n| from the pauses alone | told from the rest | neutral's format | speakers | AUC within speakers | UAR |")
    print("|---|---|---|---:|---|---|")
    within: dict[tuple[str, str, str], FloatArray] = {}
    for (kind, (rows, usable)), emotion in product(
        spectra.items(), ("neutral", "sadness", "happiness", "anger", "surprise")
    ):
        truth = clips.emotions == clips.classes.index(emotion)
        found, _ = cross_fit(clips, rows, truth.astype(int), usable=usable)
        for group in GROUPS[:3]:
            of = usable & (clips.groups == group)
            auc = auc_within(found[of, 1], truth[of], clips.speakers[of])
            uar = pooled_uar(found[of].argmax(1), truth[of].astype(int), clips.speakers[of])
            print(f"| {kind} | {emotion} | {group} | {len(auc)} | {mean_score(auc)} | {uar} |")
            within[kind, emotion, group] = auc
    kind = next(iter(spectra))
    rows, usable = spectra[kind]
    rng = np.random.default_rng(0)
    chance: dict[str, list[float]] = {group: [] for group in GROUPS[:3]}
    for _ in range(DRAWS):
        truth = permuted(clips.is_neutral, clips.speakers, usable, rng)
        found, _ = cross_fit(clips, rows, truth.astype(int), usable=usable)
        for group, values in chance.items():
            of = usable & (clips.groups == group)
            values.append(float(auc_within(found[of, 1], truth[of], clips.speakers[of]).mean()))
    for group, values in chance.items():
        print(f"| {kind} | neutral, permuted within speakers, {DRAWS} draws | {group} | | {range_text(values)} | |")
    for emotion in ("neutral", "sadness"):
        gap = difference(within[kind, emotion, "differs"], within[kind, emotion, "same"])
        detail(f"{emotion} from {kind}, AUC within speakers, differs less same: {gap}")
    ratio = {g: float(within[kind, "neutral", g].mean() / np.mean(chance[g])) for g in chance}
    failed = at_least("AUC of neutral from pauses over permuted labels, format differs", ratio["differs"], 1.2)
    return failed | at_most("AUC of neutral from pauses over permuted labels, format the same", ratio["same"], 1.1)


def formats_of_pauses(clips: Clips, spectra: Mapping[str, tuple[FloatArray, Mask]]) -> None:
    """Print how well the source's format is told from the pauses."""
    print("\n| from the pauses alone | told | trained on | clips of | AUC | UAR |\n|---|---|---|---|---|---|")
    everyone, others = np.ones(len(clips.names), bool), ~clips.is_neutral
    targets = {"44.1 or 48 kHz": clips.sources[:, 0] == 48_000, "mono or stereo": clips.sources[:, 1] == 2}
    trained = {"all": everyone, "all but neutral": others}
    for (kind, (rows, usable)), (told, truth), (on, fitted) in product(
        spectra.items(), targets.items(), trained.items()
    ):
        found, _ = cross_fit(clips, rows, truth.astype(int), usable=usable, fitted_on=fitted)
        for group in ("all", "differs", "rest"):
            of = (
                usable
                & {"all": everyone, "differs": clips.groups == "differs", "rest": clips.groups != "differs"}[group]
            )
            auc = pooled_auc(found[of, 1], truth[of], clips.speakers[of])
            uar = pooled_uar(found[of].argmax(1), truth[of].astype(int), clips.speakers[of])
            print(f"| {kind} | {told} | {on} | {group} | {auc} | {uar} |")
        of = usable & (clips.groups == "differs")
        each = auc_within(found[of, 1], truth[of], clips.speakers[of])
        print(f"| {kind} | {told} | {on} | differs, within {len(each)} speakers | {mean_score(each)} | |")


def table_of_remedies(clips: Clips, plain: FloatArray, remedies: Mapping[str, FloatArray]) -> int:
    """Print how remedies change the reading of neutral; return the exit code."""
    print("\n| features | trained on | model | validation UAR | recall of neutral: differs | same | gap | AUC of neutral "
          "within speakers: differs | same | gap | UAR: differs | same | no neutral | AUC of the rate |\n"
          "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")  # fmt: skip
    odd = np.unique(clips.speakers[clips.groups == "differs"])
    usual = np.unique(clips.speakers[np.isin(clips.groups, GROUPS[1:3])])
    rng = np.random.default_rng(0)
    some = [rng.choice(usual, len(odd), replace=False) for _ in range(5)]
    gaps: dict[tuple[str, str], Score] = {}
    for (name, rows), model in product({"functionals": plain, **remedies}.items(), MODELS):
        rate, _ = cross_fit(clips, rows, (clips.sources[:, 0] == 48_000).astype(int))
        told = pooled_auc(rate[:, 1], clips.sources[:, 0] == 48_000, clips.speakers)
        for on, trained in (("all", clips), ("without differing", clips.training_without(odd))):
            one = reading(trained, rows, model)
            gap = difference(one.recall["differs"], one.recall["same"])
            gaps[f"{name}, {on}", model] = gap
            cells = [f"{one.validation:.1f}", mean_score(one.recall["differs"]), mean_score(one.recall["same"]), gap]
            cells += [mean_score(one.auc["differs"]), mean_score(one.auc["same"])]
            cells += [difference(one.auc["differs"], one.auc["same"])]
            cells += [one.uar[group] for group in ("differs", "same", "no neutral")]
            print(f"| {name} | {on} | {model} | {' | '.join(map(str, cells))} | {told if on == 'all' else ''} |")
    for model in MODELS:
        many = [reading(clips.training_without(out), plain, model) for out in some]
        cells = [range_text([one.validation / 100 for one in many])]
        for part in ("recall", "auc"):
            by_group = [[float(getattr(one, part)[g].mean()) for one in many] for g in ("differs", "same")]
            cells += [*map(range_text, by_group), range_text(list(np.subtract(*by_group)))]
        cells += [range_text([one.uar[g].value / 100 for one in many]) for g in ("differs", "same", "no neutral")]
        print(f"| functionals | without as many others, 5 draws | {model} | {' | '.join(cells)} | |")
    left = gaps["equalized, all", "logistic"].value / gaps["functionals, all", "logistic"].value
    return at_most("gap in the recall of neutral that is left after equalizing, logistic", left, 0.5)


def features_of(waveforms: Sequence[FloatArray], features: Sequence[Mapping[str, object]]) -> FloatArray:
    """Return one vector per clip, (n, F)."""
    rows = dict(frames_of_many(build_front(features), waveforms))
    return np.stack([rows[number][0] for number in range(len(waveforms))])


def make_remedies(
    waveforms: Sequence[FloatArray], logmels: Sequence[FloatArray], kept: Sequence[Mask]
) -> dict[str, FloatArray]:
    """Return the features with the channel taken off in several ways, (n, F) each."""

    def silent(logmel: FloatArray, keep: Mask) -> FloatArray:
        rows = rows_of(logmel, keep)
        if len(rows) < FEWEST:  # the softest tenth instead
            rows = logmel[np.argsort(logmel.sum(1))[: max(1, len(logmel) // 10)]]
        return rows.mean(0)

    noisy = [masked(clip, np.random.default_rng(number), snr_db=SNR_DB) for number, clip in enumerate(waveforms)]
    return {
        "equalized": features_of([equalized(clip) for clip in waveforms], FUNCTIONALS),
        "masked by noise": features_of(noisy, FUNCTIONALS),
        "log-mel": np.stack([functionals_of_bands(one) for one in logmels]),
        "log-mel less the clip's mean": np.stack([functionals_of_bands(one, one.mean(0)) for one in logmels]),
        "log-mel less the pauses' mean": np.stack(
            [functionals_of_bands(one, silent(one, keep)) for one, keep in zip(logmels, kept, strict=True)]
        ),
    }


def spectra_of_pauses(
    clips: Clips, logmels: Sequence[FloatArray], kept: Sequence[Mask], speech: Sequence[FloatArray]
) -> dict[str, tuple[FloatArray, Mask]]:
    """Return the spectra of the pauses (n, F), and which clips have enough of them, by kind of pause."""
    early = [before_speech(keep, p) for keep, p in zip(kept, speech, strict=True)]
    found: dict[str, tuple[FloatArray, Mask]] = {}
    for name, masks, keep_level in (
        ("pauses", kept, True),
        ("pauses, shape only", kept, False),
        ("before the first word", early, True),
    ):
        chosen = [rows_of(one, keep) for one, keep in zip(logmels, masks, strict=True)]
        usable = np.array([len(rows) >= FEWEST for rows in chosen])
        size = 2 * logmels[0].shape[1]
        rows = [mean_and_deviation(one, keep_level=keep_level) if len(one) else np.zeros(size) for one in chosen]
        found[name] = np.stack(rows).astype(np.float32), usable
        by_group = {g: f"{usable[clips.groups == g].sum()} of {(clips.groups == g).sum()}" for g in GROUPS}
        detail(f"{name}: clips with at least {FEWEST * 10} ms: {by_group}; "
               f"neutral {usable[clips.is_neutral].sum()} of {clips.is_neutral.sum()}; "
               f"median {10 * np.median([len(rows) for rows in chosen]):.0f} ms")  # fmt: skip
    return found


def main() -> int:
    """Measure, print the tables and verdicts; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("SERKIT_CORPORA"), help="folder of corpora with BanglaSER")
    parser.add_argument(
        "--formats", type=Path, help="table of the source formats, if the files are not the official WAV"
    )
    arguments = parser.parse_args()
    try:
        manifest = read_corpora(["banglaser"], arguments.data or "")
        paths = [manifest.audio_path(u) for u in manifest]
        formats = read_formats(arguments.formats) if arguments.formats else formats_of_files(paths)
    except (CorpusError, ValueError) as error:
        detail(f"recording_format.py needs BanglaSER (--data or SERKIT_CORPORA), and its formats (--formats): {error}")
        return 2
    clips = describe(manifest, formats)
    for group in GROUPS:
        detail(f"{group}: {', '.join(sorted({s[-2:] for s in clips.speakers[clips.groups == group]}))}")
    waveforms = [load_audio(path, target_rate=RATE) for path in paths]
    speech = [detector().of_clip(clip) for clip in waveforms]
    kept = [pauses(clip, p) for clip, p in zip(waveforms, speech, strict=True)]
    front = build_feature("logmel", LOGMEL)
    rows = dict(frames_of_many(front, waveforms))
    logmels = [rows[number] for number in range(len(waveforms))]
    plain = features_of(waveforms, FUNCTIONALS)
    failed = table_of_neutral(clips, plain)
    spectra = spectra_of_pauses(clips, logmels, kept, speech)
    failed |= emotions_of_pauses(clips, spectra)
    formats_of_pauses(clips, {kind: spectra[kind] for kind in ("pauses",)})
    return failed | table_of_remedies(clips, plain, make_remedies(waveforms, logmels, kept))


if __name__ == "__main__":
    raise SystemExit(main())
