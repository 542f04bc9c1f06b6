"""Does a model of BanglaSER read the emotion or the recording format?

The neutral clips of eleven speakers have another sampling rate or number of channels in the official release than all
their other clips. The script compares these speakers with those whose clips all have one format. All numbers are under
the five speaker folds of ``banglaser-5fold-MODEL``, with 95 % intervals from a bootstrap over speakers. Tables:

1. how well neutral is recognized from functionals;
2. what the pauses alone tell, in which nobody speaks: the emotion, the source's format, and their level;
3. what a model answers if the noise of a clip is changed and its speech is not;
4. what helps: the channel taken off, noise that masks the recording's, other speakers in training, no neutral.

Claims: neutral is recognized about as well where the format is the same; the pauses tell neutral, whether its format
differs or not; a model follows the pauses.

The format is read from the headers of the official WAV files, or from a table with the columns clip,
source_sampling_rate and source_channels.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _banglaser import (
    HAVING,
    MODELS,
    Clips,
    Ints,
    Mask,
    describe,
    fit_folds,
    fit_within_speakers,
    read_neutral,
)
from _over_speakers import auc_within, difference, mean_score, pooled_auc, pooled_uar
from _pauses import (
    RATE,
    before_speech,
    cut_out,
    equalized,
    functionals_of_bands,
    levels_db,
    masked,
    mean_and_deviation,
    noise_like,
    pauses,
    rows_of,
    silenced,
)
from _source_formats import GROUPS, formats_of_files, read_formats
from _verdict import at_least, at_most, detail
from serkit.audio.decode import load_audio
from serkit.data.corpora import read_corpora
from serkit.errors import CorpusError
from serkit.lab.features import build_feature, build_front
from serkit.lab.features.extraction import frames_of_many
from serkit.runtime.vad import detector
from serkit.types import FloatArray

FUNCTIONALS = ({"name": "vector848"}, {"name": "prosody"})
LOGMEL = {"floor": 1e-10}  # far below the noise of a microphone; the default would hide that of most clips
FEWEST = 30  # frames of 10 ms without speech that a clip needs for table 2
NOISE = 2 * RATE // 10  # samples of pauses, 0.2 s, that a clip needs to lend its noise
DRAWS = 20  # of permuted labels
SNR_DB = 20.0
SOFTER_DB = 10.0

Spectra = Mapping[str, tuple[FloatArray, Mask]]  # spectra of the pauses (n, F), and which clips have enough of them


def heading(title: str, *columns: str) -> None:
    """Print the head of a table."""
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|")


def row(*cells: object) -> None:
    """Print a row of a table."""
    print(f"| {' | '.join(map(str, cells))} |")


def features_of(waveforms: Sequence[FloatArray]) -> FloatArray:
    """Return the functionals of each clip, (n, F)."""
    rows = dict(frames_of_many(build_front(FUNCTIONALS), waveforms))
    return np.stack([rows[number][0] for number in range(len(waveforms))])


def logmels_of(waveforms: Sequence[FloatArray]) -> list[FloatArray]:
    """Return the log-mel spectrogram of each clip, (N, F)."""
    rows = dict(frames_of_many(build_feature("logmel", LOGMEL), waveforms))
    return [rows[number] for number in range(len(waveforms))]


def table_of_neutral(clips: Clips, rows: FloatArray) -> int:
    """Print how neutral is recognized in each group; return the exit code."""
    heading(
        "Neutral, recognized from functionals", "model", "format of neutral", "speakers", "recall of neutral",
        "others called neutral", "AUC of neutral within speakers", "recall of the others", "UAR",
    )  # fmt: skip
    readings = {model: read_neutral(fit_folds(clips, rows, clips.emotions, model=model), rows) for model in MODELS}
    for model, one in readings.items():
        for group in GROUPS:
            cells = [mean_score(part[group]) if group in part else "" for part in (one.recall, one.false, one.auc)]
            row(model, group, len(one.false[group]), *cells, mean_score(one.others[group]), one.uar[group])
        parts = (one.recall, one.false, one.auc, one.others)
        row(model, "differs less same", "", *(difference(part["differs"], part["same"]) for part in parts), "")
    failed = 0
    for model, one in readings.items():
        ratio = float(one.recall["differs"].mean() / one.recall["same"].mean())
        failed |= at_most(f"recall of neutral, format differs over same, {model}", ratio, 1.1)
    return failed


def spectra_of_pauses(clips: Clips, waveforms: Sequence[FloatArray], kept: Sequence[Mask], speech: Sequence[FloatArray]
                      ) -> Spectra:  # fmt: skip
    """Return mean and deviation of the log-mel spectrum of the pauses, by kind of pause."""
    plain, early = logmels_of(waveforms), [before_speech(keep, p) for keep, p in zip(kept, speech, strict=True)]
    noisy = logmels_of(with_noise(waveforms))
    kinds = {
        "pauses": (plain, kept, True),
        "pauses before the first word": (plain, early, True),
        "pauses, without their level": (plain, kept, False),
        # subtracting the mean puts the loudness of the speech into the pauses, so this kind tells anger too
        "pauses, less the clip's mean spectrum": ([one - one.mean(0) for one in plain], kept, True),
        "pauses, masked by noise, without their level": (noisy, kept, False),
    }
    found: dict[str, tuple[FloatArray, Mask]] = {}
    for name, (logmels, masks, keep_level) in kinds.items():
        chosen = [rows_of(one, keep) for one, keep in zip(logmels, masks, strict=True)]
        usable = np.array([len(rows) >= FEWEST for rows in chosen])
        empty = np.zeros(2 * plain[0].shape[1])
        rows = [mean_and_deviation(one, keep_level=keep_level) if len(one) else empty for one in chosen]
        found[name] = np.stack(rows).astype(np.float32), usable
        lacking = {g: int((~usable & (clips.groups == g)).sum()) for g in GROUPS}
        longest = 10 * np.median([len(one) for one in chosen])
        detail(f"{name}: median {longest:.0f} ms; clips with less than {10 * FEWEST} ms left out: {lacking}")
    return found


def permuted(labels: Mask, speakers: NDArray[np.str_], usable: Mask, rng: np.random.Generator) -> Mask:
    """Permute labels within each speaker, among the clips that count."""
    found = labels.copy()
    for speaker in np.unique(speakers):
        own = np.flatnonzero((speakers == speaker) & usable)
        found[own] = rng.permutation(labels[own])
    return found


def auc_by_group(clips: Clips, scores: FloatArray, truth: Mask, usable: Mask) -> dict[str, FloatArray]:
    """Return the areas under the ROC curve within speakers, for each group with neutral clips."""
    of = {group: usable & (clips.groups == group) for group in HAVING}
    return {group: auc_within(scores[some], truth[some], clips.speakers[some]) for group, some in of.items()}


def emotions_of_pauses(clips: Clips, spectra: Spectra) -> int:
    """Print how well each emotion is told from the pauses; return the exit code."""
    heading(
        "Told from the rest by the pauses alone (chance: 50)", "from", "emotion",
        *(f"AUC within speakers, {group}" for group in HAVING), *(f"UAR, {group}" for group in HAVING),
    )  # fmt: skip
    order = ("neutral", *sorted(set(clips.classes) - {"neutral"}))
    best: dict[str, float] = {}
    for (kind, (rows, usable)), emotion in product(spectra.items(), order):
        truth = clips.emotions == clips.classes.index(emotion)
        found = fit_folds(clips, rows, truth.astype(int), usable=usable).answers(rows)
        auc = auc_by_group(clips, found[:, 1], truth, usable)
        some = [usable & (clips.groups == group) for group in HAVING]
        uar = [pooled_uar(found[of].argmax(1), truth[of].astype(int), clips.speakers[of]) for of in some]
        row(kind, emotion, *map(mean_score, auc.values()), *uar)
        if (kind, emotion) == ("pauses", "neutral"):
            best = {group: float(each.mean()) for group, each in auc.items()}
            gap = difference(auc["differs"], auc["same"])
    rows, usable = spectra["pauses"]
    chance: dict[str, list[float]] = {group: [] for group in HAVING}
    rng = np.random.default_rng(0)
    for _ in range(DRAWS):
        truth = permuted(clips.is_neutral, clips.speakers, usable, rng)
        found = fit_folds(clips, rows, truth.astype(int), usable=usable).answers(rows)
        for group, each in auc_by_group(clips, found[:, 1], truth, usable).items():
            chance[group].append(float(each.mean()))
    cells = [range_text(each) for each in chance.values()]
    row("pauses", f"neutral, permuted within speakers, mean (range) of {DRAWS}", *cells, "", "", "")
    detail(f"AUC of neutral within speakers from pauses, differs less same: {gap}")
    failed = 0
    for group in ("differs", "same"):
        ratio = best[group] / float(np.mean(chance[group]))
        failed |= at_least(f"AUC of neutral from pauses over permuted labels, {group}", ratio, 1.2)
    return failed


def range_text(values: Sequence[float]) -> str:
    """Return mean and range of the scores of several draws, in percent."""
    return f"{100 * np.mean(values):.1f} ({100 * min(values):.1f} to {100 * max(values):.1f})"


def within_one_speaker(clips: Clips, spectra: Spectra) -> None:
    """Print how well a classifier of one speaker's pauses tells each emotion."""
    heading(
        "The same, fitted on two sentences of the speaker and tested on the third", "from", "emotion",
        *(f"AUC, {group}" for group in HAVING),
    )  # fmt: skip
    rows, usable = spectra["pauses"]
    for emotion in ("neutral", *sorted(set(clips.classes) - {"neutral"})):
        truth = clips.emotions == clips.classes.index(emotion)
        scores = fit_within_speakers(clips, rows, truth, usable)
        auc = auc_by_group(clips, scores, truth, usable & ~np.isnan(scores))
        row("pauses", emotion, *map(mean_score, auc.values()))


def levels_of_pauses(clips: Clips, waveforms: Sequence[FloatArray], kept: Sequence[Mask]) -> None:
    """Print how loud the pauses are, and how many speakers have one emotion whose pauses are unlike the others'."""
    heading(
        "Level of the pauses (of each speaker and emotion the median, in dB below full scale)", "format of neutral",
        "speakers", "emotion", "median", f"{SOFTER_DB:.0f} dB softer than the speaker's other emotions", "louder",
    )  # fmt: skip
    level = np.array(
        [np.median(levels_db(clip)[keep]) if keep.any() else np.nan for clip, keep in zip(waveforms, kept, strict=True)]
    )
    for group in HAVING:
        speakers = np.unique(clips.speakers[clips.groups == group])
        own = [clips.speakers == speaker for speaker in speakers]
        each = np.array(
            [[np.nanmedian(level[o & (clips.emotions == e)]) for e in range(len(clips.classes))] for o in own]
        )
        for place, emotion in enumerate(clips.classes):
            apart = each[:, place] - np.median(np.delete(each, place, axis=1), axis=1)
            counts = np.sum(apart < -SOFTER_DB), np.sum(apart > SOFTER_DB)
            row(group, len(each), emotion, f"{np.median(each[:, place]):.0f}", *counts)


def formats_of_pauses(clips: Clips, spectra: Spectra) -> None:
    """Print how well the source's format is told from the pauses."""
    heading(
        "The source's format, told by the pauses alone (chance: 50)", "told", "trained on", "tested on", "AUC", "UAR"
    )
    everyone = np.ones(len(clips.names), bool)
    targets = {"44.1 or 48 kHz": clips.sources[:, 0] == 48_000, "mono or stereo": clips.sources[:, 1] == 2}
    trained = {"all": everyone, "all but neutral": ~clips.is_neutral}
    odd = clips.groups == "differs"
    rows, usable = spectra["pauses"]
    for (told, truth), (on, fitted) in product(targets.items(), trained.items()):
        found = fit_folds(clips, rows, truth.astype(int), usable=usable, fitted_on=fitted).answers(rows)
        for name, group in {"all": everyone, "differs": odd, "the others": ~odd}.items():
            of = usable & group
            auc = pooled_auc(found[of, 1], truth[of], clips.speakers[of])
            row(told, on, name, auc, pooled_uar(found[of].argmax(1), truth[of].astype(int), clips.speakers[of]))
        of = usable & odd
        each = auc_within(found[of, 1], truth[of], clips.speakers[of])
        if len(each):
            row(told, on, f"differs, within {len(each)} speakers", mean_score(each), "")


def with_noise(waveforms: Sequence[FloatArray]) -> list[FloatArray]:
    """Return the clips with white noise 20 dB below their power."""
    return [masked(clip, np.random.default_rng(number), snr_db=SNR_DB) for number, clip in enumerate(waveforms)]


def lend_noise(
    clips: Clips, waveforms: Sequence[FloatArray], kept: Sequence[Mask], lenders_of: Callable[[int], Mask]
) -> list[FloatArray]:
    """Return the clips with noise like that of another clip of the same speaker, or as they are if none lends.

    Args:
        clips: Clips.
        waveforms: Their samples, (T,) each.
        kept: Their pauses.
        lenders_of: Function from a clip's number to the clips whose noise it may get.
    """
    rng = np.random.default_rng(0)
    parts = [cut_out(clip, keep) for clip, keep in zip(waveforms, kept, strict=True)]
    long = np.array([len(part) >= NOISE for part in parts])
    found = list(waveforms)
    for number, clip in enumerate(waveforms):
        others = (clips.speakers == clips.speakers[number]) & (np.arange(len(parts)) != number)
        lenders = np.flatnonzero(others & long & lenders_of(number))
        if len(lenders):
            found[number] = clip + noise_like(parts[rng.choice(lenders)], len(clip), rng)
    return found


def change_noise(clips: Clips, waveforms: Sequence[FloatArray], kept: Sequence[Mask]) -> dict[str, list[FloatArray]]:
    """Return the clips as they are, and with their noise changed in three ways."""
    neutral = clips.is_neutral

    def same_kind(number: int) -> Mask:
        if neutral[number]:
            return neutral
        return ~neutral & (clips.emotions != clips.emotions[number])

    def other_kind(number: int) -> Mask:
        return ~neutral if neutral[number] else np.zeros(len(neutral), bool)

    return {
        "as they are": list(waveforms),
        "digital silence in all pauses": [silenced(clip, keep) for clip, keep in zip(waveforms, kept, strict=True)],
        "neutral with noise of other emotions": lend_noise(clips, waveforms, kept, other_kind),
        "control: neutral with noise of neutral, others with noise of others": lend_noise(
            clips, waveforms, kept, same_kind
        ),
    }


def softest(logmel: FloatArray, keep: Mask) -> FloatArray:
    """Return the mean spectrum (F,) of a clip's pauses, or of its softest tenth if they are short."""
    rows = rows_of(logmel, keep)
    return (rows if len(rows) >= FEWEST else logmel[np.argsort(logmel.sum(1))[: max(1, len(logmel) // 10)]]).mean(0)


def fronts(kept: Sequence[Mask]) -> dict[str, Callable[[Sequence[FloatArray]], FloatArray]]:
    """Return functions from clips to features (n, F): the plain ones, and those with the channel or noise taken off."""

    def less_pauses(waveforms: Sequence[FloatArray]) -> FloatArray:
        logmels = logmels_of(waveforms)
        return np.stack([functionals_of_bands(x, softest(x, keep)) for x, keep in zip(logmels, kept, strict=True)])

    return {
        "functionals": features_of,
        "functionals, clips with one mean spectrum": lambda clips: features_of([equalized(clip) for clip in clips]),
        "functionals, clips masked by noise": lambda clips: features_of(with_noise(clips)),
        "log-mel": lambda clips: np.stack([functionals_of_bands(x) for x in logmels_of(clips)]),
        "log-mel less the clip's mean": lambda clips: np.stack(
            [functionals_of_bands(x, x.mean(0)) for x in logmels_of(clips)]
        ),
        "log-mel less the pauses' mean": less_pauses,
    }


def table_of_changes(clips: Clips, waveforms: Sequence[FloatArray], kept: Sequence[Mask]) -> int:
    """Print what models say when the noise of the tested clips is changed and their speech is not."""
    heading(
        "Answers when the noise of the tested clips changes and the speech does not", "features", "model",
        "tested clips", "validation UAR", "recall of neutral: all", *HAVING, "change", "others called neutral: all",
        "change", "recall of the others: all", "change", "UAR: all", *GROUPS,
    )  # fmt: skip
    changed = change_noise(clips, waveforms, kept)
    failed = 0
    for name, front in fronts(kept).items():
        rows = {change: front(some) for change, some in changed.items()}
        plain = rows["as they are"]
        for model in MODELS:
            fitted = fit_folds(clips, plain, clips.emotions, model=model)
            found = {change: read_neutral(fitted, some) for change, some in rows.items()}
            before, silent, lent, _ = found.values()
            for change, one in found.items():
                cells = [f"{one.validation:.1f}" if one is before else "", mean_score(one.recall["all"])]
                cells += [f"{100 * one.recall[g].mean():.1f}" for g in HAVING]
                cells += [mean_score(one.recall["all"] - before.recall["all"])]
                for part, whole in ((one.false, before.false), (one.others, before.others)):
                    cells += [mean_score(part["all"]), mean_score(part["all"] - whole["all"])]
                row(name, model, change, *cells, *(one.uar[g] for g in ("all", *GROUPS)))
            if name == "functionals":
                ratio = float(silent.false["all"].mean() / before.false["all"].mean())
                failed |= at_least(f"others called neutral, silence in pauses over as they are, {model}", ratio, 2)
                ratio = float(lent.recall["all"].mean() / before.recall["all"].mean())
                failed |= at_most(f"recall of neutral, noise of other emotions over as they are, {model}", ratio, 0.8)
    return failed


def trainings(clips: Clips) -> dict[str, Clips]:
    """Return folds that train on all, without the differing speakers, and five times without as many others."""
    odd = np.unique(clips.speakers[clips.groups == "differs"])
    usual = np.unique(clips.speakers[np.isin(clips.groups, ("mixed", "same"))])
    rng = np.random.default_rng(0)
    draws = [rng.choice(usual, len(odd), replace=False) for _ in range(5)]
    return {
        "all": clips,
        "without the differing": clips.training_without(odd),
        **{f"without as many others, {n}": clips.training_without(some) for n, some in enumerate(draws, 1)},
    }


def table_of_trainings(clips: Clips, plain: FloatArray) -> None:
    """Print how neutral is recognized with fewer speakers in training."""
    heading(
        "Fewer training speakers, functionals", "trained on", "model", "validation UAR", "recall of neutral: differs",
        "same", "gap", "AUC of neutral within speakers: differs", "same", "UAR: differs", "same", "no neutral",
    )  # fmt: skip
    for (on, trained), model in product(trainings(clips).items(), MODELS):
        one = read_neutral(fit_folds(trained, plain, clips.emotions, model=model), plain)
        cells = [*(mean_score(one.recall[g]) for g in ("differs", "same"))]
        cells += [difference(one.recall["differs"], one.recall["same"])]
        cells += [mean_score(one.auc[g]) for g in ("differs", "same")]
        row(on, model, f"{one.validation:.1f}", *cells, *(one.uar[g] for g in ("differs", "same", "no neutral")))


def table_of_four(clips: Clips, plain: FloatArray) -> None:
    """Print the UAR of a model of the four emotions without neutral."""
    heading("Four emotions, neutral left out, functionals", "model", "validation UAR", "UAR: all speakers", *GROUPS)
    loud, place = ~clips.is_neutral, clips.classes.index("neutral")
    targets: Ints = clips.emotions - (clips.emotions > place)
    for model in MODELS:
        fitted = fit_folds(clips, plain, targets, model=model, usable=loud)
        predicted = np.nan_to_num(fitted.answers(plain)).argmax(1)
        groups = [loud, *(loud & (clips.groups == group) for group in GROUPS)]
        uars = [pooled_uar(predicted[of], targets[of], clips.speakers[of]) for of in groups]
        row(model, f"{100 * fitted.validation:.1f}", *uars)


def main() -> int:
    """Measure, print the tables and verdicts; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("SERKIT_CORPORA"), help="the folder of corpora")
    parser.add_argument("--formats", type=Path, help="table of source formats, if the files are not the official WAV")
    arguments = parser.parse_args()
    try:
        manifest = read_corpora(["banglaser"], arguments.data or "")
        paths = [manifest.audio_path(u) for u in manifest]
        formats = read_formats(arguments.formats) if arguments.formats else formats_of_files(paths)
        clips = describe(manifest, formats)
    except (CorpusError, OSError, KeyError, ValueError) as error:
        detail(f"recording_format.py needs BanglaSER (--data or SERKIT_CORPORA) and its formats (--formats): {error}")
        return 2
    for group in GROUPS:
        detail(f"{group}: {', '.join(sorted({s.rpartition('/')[2] for s in clips.speakers[clips.groups == group]}))}")
    waveforms = [load_audio(path, target_rate=RATE) for path in paths]
    speech = [detector().of_clip(clip) for clip in waveforms]
    kept = [pauses(clip, p) for clip, p in zip(waveforms, speech, strict=True)]
    plain = features_of(waveforms)
    failed = table_of_neutral(clips, plain)
    spectra = spectra_of_pauses(clips, waveforms, kept, speech)
    failed |= emotions_of_pauses(clips, spectra)
    within_one_speaker(clips, spectra)
    levels_of_pauses(clips, waveforms, kept)
    formats_of_pauses(clips, spectra)
    failed |= table_of_changes(clips, waveforms, kept)
    table_of_trainings(clips, plain)
    table_of_four(clips, plain)
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
