"""Published runs recounted by code that shares nothing with serkit: only csv, gzip, json, random and arithmetic.

UAR and WA are recomputed exactly, to the printed decimals. The interval of UAR is a bootstrap with draws of its own, so
it differs by the Monte Carlo error of two bootstraps of 2,000 draws each. A quantile at tail probability p of n draws
has the standard error sqrt(p (1 - p) / n) / f, where f is the density there. For a normal distribution of standard
deviation s it is ``s * sqrt(p (1 - p) / n) / phi(z)``; the tolerance is four of the difference's standard errors.
"""

import csv
import gzip
import json
import math
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist, fmean, stdev

import pytest

RESULTS = Path(__file__).parents[3] / "results"
PUBLISHED = [
    "emodb-loso-crnn",  # leave one speaker out, three seeds
    "ravdess-6fold-svm",  # folds of speakers
    "ravdess-4test-fusionnet",  # fixed test speakers, fewer than six
    "ravdess-random-crnn",  # a random split, which shares speakers
    "emodb-ravdess-logistic",  # across corpora
]
DRAWS = 2000
T_975 = {10: 2.262157, 24: 2.068658}  # Student's t for 95 %, n - 1 degrees of freedom, from a printed table
FOLDERS = sorted(path.parent for path in RESULTS.rglob("predictions.csv.gz"))
Line = dict[str, str]


def lines_of(path: Path) -> tuple[list[str], list[Line]]:
    """Return the class names and the lines of a table."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        return list(reader.fieldnames or [])[7:], list(reader)


def facts_of(folder: Path, name: str) -> dict[str, object]:
    content = json.loads((folder / name).read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def recall_sum(pairs: list[tuple[str, str]]) -> float:
    """Return the unweighted average recall of (true, predicted) pairs over the classes that are true somewhere."""
    total, right = defaultdict(int), defaultdict(int)
    for true, predicted in pairs:
        total[true] += 1
        right[true] += true == predicted
    return fmean(right[name] / total[name] for name in total)


def printed(value: float) -> float:
    return round(100 * value, 2)


def seeds_of(rows: list[Line]) -> list[list[Line]]:
    by_seed: dict[str, list[Line]] = defaultdict(list)
    for row in rows:
        by_seed[row["seed"]].append(row)
    return list(by_seed.values())


def pairs_of(rows: list[Line]) -> list[tuple[str, str]]:
    return [(row["true"], row["predicted"]) for row in rows]


@pytest.mark.parametrize("name", PUBLISHED)
def test_uar_and_wa_are_what_a_second_count_gives(name: str) -> None:
    _, rows = lines_of(RESULTS / name / "predictions.csv.gz")
    stored = facts_of(RESULTS / name, "metrics.json")
    every = [pairs_of(one) for one in seeds_of(rows)]
    assert stored["uar"] == printed(fmean(map(recall_sum, every)))
    assert stored["wa"] == printed(fmean(fmean(true == predicted for true, predicted in one) for one in every))
    assert stored["utterances"] == len(every[0])
    assert stored["speakers"] == len({row["speaker"] for row in rows})


@pytest.mark.parametrize("name", PUBLISHED)
def test_intervals_are_what_a_second_bootstrap_gives(name: str) -> None:
    _, rows = lines_of(RESULTS / name / "predictions.csv.gz")
    stored = facts_of(RESULTS / name, "metrics.json")
    values, tail = bootstrap(seeds_of(rows))
    ordered = sorted(values)
    low, high = (100 * quantile(ordered, share) for share in (tail, 1 - tail))
    normal = NormalDist()
    density = normal.pdf(normal.inv_cdf(tail))
    error = 100 * stdev(values) * math.sqrt(tail * (1 - tail) / DRAWS) / density
    tolerance = 4 * math.sqrt(2) * error + 0.01
    assert tolerance < 3, "else this shows nothing"
    assert stored["uar_low"] == pytest.approx(low, abs=tolerance)
    assert stored["uar_high"] == pytest.approx(high, abs=tolerance)


def quantile(ordered: list[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    return ordered[below] + (place - below) * (ordered[min(below + 1, len(ordered) - 1)] - ordered[below])


def bootstrap(seeds: list[list[Line]]) -> tuple[list[float], float]:
    """Return UARs of resampled speakers, or utterances within speakers, and the share to cut off at each end."""
    rng = random.Random("another bootstrap")
    speakers = sorted({row["speaker"] for row in seeds[0]})
    by_place = [{row["utterance"]: (row["true"], row["predicted"]) for row in one} for one in seeds]
    names: dict[str, list[str]] = defaultdict(list)
    for row in seeds[0]:
        names[row["speaker"]].append(row["utterance"])
    assert len(by_place[0]) == len(seeds[0]), "each utterance is tested once"
    if len(speakers) < 6:
        return [of_utterances(rng, names, by_place) for _ in range(DRAWS)], 0.025
    count = len(speakers)
    counts = [[class_counts([one[u] for u in names[speaker]]) for one in by_place] for speaker in speakers]
    values = [of_speakers([counts[i] for i in rng.choices(range(count), k=count)]) for _ in range(DRAWS)]
    return values, NormalDist().cdf(-math.sqrt(count / (count - 1)) * T_975[count])


def class_counts(pairs: list[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for true, predicted in pairs:
        right, total = found.get(true, (0, 0))
        found[true] = right + (true == predicted), total + 1
    return found


def of_speakers(drawn: list[list[dict[str, tuple[int, int]]]]) -> float:
    """Return the UAR of the drawn speakers' clips, the mean over seeds."""
    scores = []
    for seed in range(len(drawn[0])):
        right, total = defaultdict(int), defaultdict(int)
        for speaker in drawn:
            for name, (good, all_of) in speaker[seed].items():
                right[name] += good
                total[name] += all_of
        scores.append(fmean(right[name] / total[name] for name in total))
    return fmean(scores)


def of_utterances(rng: random.Random, names: dict[str, list[str]], by_place: list[dict[str, tuple[str, str]]]) -> float:
    drawn = [name for some in names.values() for name in rng.choices(some, k=len(some))]
    return fmean(recall_sum([one[name] for name in drawn]) for one in by_place)


# All committed folders


def tables() -> Iterator[tuple[Path, Path]]:
    for folder in FOLDERS:
        for path in (folder / "predictions.csv.gz", folder / "validation.csv.gz"):
            if path.is_file():
                yield folder, path


def test_every_committed_answer_is_the_most_probable_class_and_probabilities_sum_to_one() -> None:
    count = 0
    for _, path in tables():
        with gzip.open(path, "rt", encoding="utf-8") as file:
            head, *lines = csv.reader(file)
        classes = head[7:]
        most = len(classes) * 0.5e-4 + 1e-6
        for line in lines:
            probabilities = list(map(float, line[7:]))
            assert probabilities[classes.index(line[6])] >= max(probabilities) - 1.01e-4, (path, line)
            assert abs(sum(probabilities) - 1) <= most, (path, line)
        count += len(lines)
    assert count > 300_000


def test_every_committed_run_has_each_test_utterance_once_for_each_seed() -> None:
    splits: dict[str, list[dict[str, dict[str, list[str]]]]] = {}
    for folder in FOLDERS:
        digest = str(facts_of(folder, "env.json")["split_digest"])
        if digest not in splits:
            splits[digest] = json.loads(gzip.decompress((RESULTS / "folds" / f"{digest}.json.gz").read_bytes()))
        with gzip.open(folder / "predictions.csv.gz", "rt", encoding="utf-8") as file:
            _, *lines = csv.reader(file)
        found = sorted((line[4], line[3], line[0], line[2]) for line in lines)
        seeds = {line[4] for line in lines}
        assert {(seed, fold, name) for seed, fold, name, _ in found} == {
            (seed, str(one["fold"]), name)
            for seed in seeds for one in splits[digest] for name in one["test"]["utterances"]
        }, folder  # fmt: skip
        assert len(found) == len({one[:3] for one in found}), folder
        speakers = {(one["fold"], name) for one in splits[digest] for name in one["test"]["speakers"]}  # type: ignore[index]
        assert {(int(fold), speaker) for _, fold, _, speaker in found} == speakers, folder
        stored = facts_of(folder, "metrics.json")
        assert [str(seed) for seed in stored["seeds"]] == sorted(seeds, key=int), folder  # type: ignore[attr-defined]
        truth = {(line[0], line[2], line[5]) for line in lines}
        assert len(truth) == len({name for name, _, _ in truth}), folder
