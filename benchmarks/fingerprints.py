"""Claims: a recording is found by its fingerprint after each of 15 changes, with a recall of 99 %, and at most one of a
million pairs of different takes of one sentence by one speaker is taken for one recording.

Recall is measured on random clips of each corpus; false pairs on all clips, each as it is and changed in five ways.
Only speakers count on whom no filter was chosen. A pair of takes that is found and whose waveforms agree is no false
pair but one recording under two names; the script lists them.

The script also times the fingerprint, and the comparison of 100,000 codes with themselves. Those are the codes of the
clips, the same reversed in time, and copies with permuted bits, which match few of the others.
"""

import argparse
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import soundfile

from _recorded_takes import Take, agree_in_waveform, takes
from _recording_attacks import ALONE, TOGETHER
from _verdict import at_least, at_most, detail
from serkit.audio.fingerprint import excerpt, fingerprint, pack, unpack
from serkit.audio.resampling import resample
from serkit.data.near_duplicates import LIMIT, distances, near_duplicates
from serkit.types import FloatArray

RECALL = 0.99
SEEN_BELOW = 0.3  # distance up to which pairs are measured, to show the margin
RATE = 8_000
CHANGES = ("speed 1.01", "speed 0.99", "a fifth off the start", "a fifth off the end", "white noise, 20 dB")
CLIPS_A_SECOND = 100.0
CODES = 100_000
MINUTE = 60.0
WINDOWS = ((2.0, 1.0), (3.0, 1.5))  # length and hop in seconds

Codes = dict[str, bytes]


def read(take: Take) -> tuple[FloatArray, int]:
    """Return a clip's samples and sampling rate."""
    samples, rate = soundfile.read(take.path, dtype="float32")
    return samples, rate


def show(name: str, values: Sequence[float]) -> None:
    """Print quantiles of distances."""
    if values:
        cells = [f"{value:.3f}" for value in np.quantile(values, (0, 0.01, 0.5, 0.99, 1))]
        detail(f"{name}: {len(values)} below {SEEN_BELOW}; least, 1 %, median, 99 %, most: {', '.join(cells)}")


def recall(chosen: Sequence[Take], seed: int) -> int:
    """Attack clips, look for their originals, and print a verdict for each attack; return the exit code."""
    originals: Codes = {}
    attacked: dict[str, Codes] = defaultdict(dict)
    for number, take in enumerate(chosen):
        samples, rate = read(take)
        originals[take.name] = fingerprint(samples, rate)
        for name, attack in {**ALONE, **TOGETHER}.items():
            changed, changed_rate = attack(samples, rate, np.random.default_rng([seed, number]))
            attacked[name][take.name] = fingerprint(changed, changed_rate)
    excerpts = {name: excerpt(code) for name, code in originals.items()}
    failed = 0
    for name, codes in attacked.items():
        found = distances(codes, originals, below=SEEN_BELOW)
        true = [found[one, one].distance if (one, one) in found else SEEN_BELOW for one in originals]
        share = float(np.mean(np.array(true) < LIMIT))
        by_corpus = Counter(take.corpus for take, apart in zip(chosen, true, strict=True) if apart >= LIMIT)
        cut = distances(excerpts, codes)
        kept = np.mean([(one, one) in cut for one in originals])
        wrong = sum(a != b for a, b in cut)
        if name in ALONE:
            failed |= at_least(f"found after {name}", share, RECALL)
        else:
            detail(f"found after {name}: {share:.3f}, no goal")
        show("  distances", true)
        detail(f"  missed: {dict(by_corpus)}; excerpts: found {kept:.3f}, pairs of different clips {wrong}")
    return failed


def windows(chosen: Sequence[Take]) -> None:
    """Print how many overlapping windows of one clip are found, by the overlap's share of words with sound."""
    for length, hop in WINDOWS:
        codes: Codes = {}
        for take in chosen:
            samples, rate = read(take)
            for number, start in enumerate(range(0, len(samples) - int(length * rate) + 1, int(hop * rate))):
                codes[f"{take.name} {number:03d}"] = fingerprint(samples[start : start + int(length * rate)], rate)
        found = {(pair.first, pair.second) for pair in near_duplicates(codes)}
        wide: list[bool] = []
        for name, code in codes.items():
            clip, _, number = name.rpartition(" ")
            after = f"{clip} {int(number) + 1:03d}"
            if after in codes:
                sound = [int(np.count_nonzero(unpack(one))) for one in (code, codes[after])]
                shared = int(np.count_nonzero(unpack(code)[int(hop / 0.032) :]))
                if shared >= max(16, min(sound) / 3):
                    wide.append((name, after) in found)
        share = f"{np.mean(wide):.3f} of {len(wide)} found"
        detail(f"windows of {length} s every {hop} s that share a third of their sound, and 0.8 s: {share}")


def variants(chosen: Sequence[Take]) -> dict[str, tuple[Codes, float]]:
    """Return the codes of all clips as they are and changed, by the change, and seconds taken for a clip."""
    codes: dict[str, Codes] = defaultdict(dict)
    taken = 0.0
    for number, take in enumerate(chosen):
        samples, rate = read(take)
        start = time.perf_counter()
        codes["as it is"][take.name] = fingerprint(samples, rate)
        taken += time.perf_counter() - start
        narrow = resample(samples, rate, RATE)
        for name in CHANGES:
            changed, changed_rate = ALONE[name](narrow, RATE, np.random.default_rng(number))
            codes[name][take.name] = fingerprint(changed, changed_rate)
    return {name: (some, taken / len(chosen)) for name, some in codes.items()}


def pairs_of_takes(chosen: Iterable[Take]) -> tuple[int, int]:
    """Count pairs of one speaker, and those of one sentence by one speaker."""
    speakers = Counter(take.speaker for take in chosen)
    sentences = Counter((take.speaker, take.sentence) for take in chosen)
    by_speaker, by_sentence = (sum(n * (n - 1) // 2 for n in some.values()) for some in (speakers, sentences))
    return by_speaker, by_sentence


def false_pairs(chosen: Sequence[Take], codes: Mapping[str, Codes]) -> int:
    """Compare all clips in all variants, print what is found; return the exit code."""
    named = {take.name: take for take in chosen}
    together = {f"{name}|{change}": code for change, some in codes.items() for name, code in some.items()}
    start = time.perf_counter()
    found = distances(together, below=SEEN_BELOW)
    detail(f"{len(together)} codes compared in {time.perf_counter() - start:.1f} s")
    closest: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (first, second), close in found.items():
        a, b = sorted((first.partition("|")[0], second.partition("|")[0]))
        if a != b:
            closest[a, b].append(close.distance)
    same: list[tuple[str, str]] = []
    wrong: dict[str, list[float]] = defaultdict(list)
    for (a, b), apart in sorted(closest.items(), key=lambda item: min(item[1])):
        first, second = named[a], named[b]
        if min(apart) < LIMIT and agree_in_waveform(read(first)[0], read(second)[0], read(first)[1]):
            same.append((a, b))
            continue
        kind = "other speakers" if first.speaker != second.speaker else "one speaker"
        wrong[kind if first.sentence != second.sentence else f"{kind}, one sentence"] += apart
        if min(apart) < LIMIT:
            detail(f"false: {a} {b}, {sum(one < LIMIT for one in apart)} of {len(codes) ** 2}, least {min(apart):.3f}")
    for a, b in same:
        detail(f"one recording: {a} {b}, distance {min(closest[a, b]):.3f}")
    for kind, apart in wrong.items():
        show(kind, apart)
    speaker, sentence = (count * len(codes) ** 2 for count in pairs_of_takes(chosen))
    hits = [one for kind in ("one speaker, one sentence", "one speaker") for one in wrong[kind] if one < LIMIT]
    takes_hit = sum(one < LIMIT for one in wrong["one speaker, one sentence"])
    detail(f"{takes_hit} false of {sentence} pairs of one sentence; {len(hits)} of {speaker} pairs of one speaker")
    detail(f"false pairs in a million of one speaker, whatever the sentence: {1e6 * len(hits) / speaker:.2f}, no goal")
    return at_most("false pairs in a million of one speaker and sentence", 1e6 * takes_hit / sentence, 1)


def time_comparison(codes: Codes) -> int:
    """Compare 100,000 codes with themselves; return the exit code."""
    rng = np.random.default_rng(0)
    words = [unpack(code) for code in codes.values()]
    many: Codes = dict(codes)
    for number in range(-(-CODES // len(words)) - 1):
        order = rng.permutation(16)
        for place, one in enumerate(words):
            if number == 0:
                changed = np.where(one == 0, 0, ~one[::-1])
            else:
                changed = sum(((one >> source) & 1) << target for target, source in enumerate(order))
            many[f"{number} {place}"] = pack(np.asarray(changed, np.uint16))
    many = dict(list(many.items())[:CODES])
    times = []
    for _ in range(3):
        start = time.perf_counter()
        near_duplicates(many)
        times.append(time.perf_counter() - start)
    detail(f"{len(many)} codes compared with themselves in {', '.join(f'{taken:.1f}' for taken in times)} s")
    return at_most("minutes to compare 100,000 codes", float(np.median(times)) / MINUTE, 1)


def main() -> int:
    """Measure, print the verdicts; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=60, help="clips of each corpus that are attacked")
    parser.add_argument("--share", type=float, default=1.0, help="share of the clips in the count of false pairs")
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument("--data", default=os.environ.get("SERKIT_CORPORA"), help="the folder of corpora")
    arguments = parser.parse_args()
    if arguments.data is None:
        detail("fingerprints.py needs real speech: set SERKIT_CORPORA to the folder of RAVDESS, CREMA-D and others.")
        return 2
    held_out = [take for take in takes(arguments.data) if take.is_held_out]
    rng = np.random.default_rng(arguments.seed)
    chosen: list[Take] = []
    for corpus in dict.fromkeys(take.corpus for take in held_out):
        own = [take for take in held_out if take.corpus == corpus]
        chosen += [own[place] for place in rng.permutation(len(own))[: arguments.clips]]
    failed = recall(chosen, arguments.seed)
    windows(chosen)
    some = [take for take in held_out if rng.random() < arguments.share]
    codes = variants(some)
    seconds = codes["as it is"][1]
    failed |= at_least("fingerprints of 100 clips a second", 1 / seconds / CLIPS_A_SECOND, 1)
    failed |= false_pairs(some, {name: one for name, (one, _) in codes.items()})
    return failed | time_comparison(codes["as it is"][0])


if __name__ == "__main__":
    raise SystemExit(main())
