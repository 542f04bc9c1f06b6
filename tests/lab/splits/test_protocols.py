import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from serkit.data.corpora import find_corpus, get_corpus
from serkit.data.manifest import Manifest
from serkit.errors import LeakageError, ProtocolError
from serkit.lab.recipes.schema import Protocol
from serkit.lab.splits.folds import Fold, Split, folds_as_json
from serkit.lab.splits.leakage import check_ensemble, check_leakage, check_names, check_unseen, count_shared
from serkit.lab.splits.protocols import check_classes, make_split
from serkit.lab.splits.recording_groups import Sounds, recordings
from serkit.lab.splits.validation import hold_out_validation
from serkit.lab.training.store import open_store
from serkit.labels import LabelSet
from serkit.types import Sex, Utterance
from support.toy import manifest, sounds, speaker

RANDOM = Protocol(name="random", speaker_dependent=True, folds=4)
LOSO = Protocol(name="leave_one_speaker_out")
ONE_FOLD = Protocol(name="fixed_test_speakers", test_speakers=("tess/OAF",))
ACTORS = manifest(*(speaker(f"ravdess/{n:02d}", "male" if n % 2 else "female") for n in range(1, 25)))
MIXED = manifest(
    *(speaker(f"emodb/{n:02d}", "male" if n % 2 else "female", count=6 + n) for n in range(10)),
    *(speaker(f"nemo/{n:02d}", "male" if n < 4 else "female", count=30) for n in range(9)),
    *(speaker(f"tess/{n}", "female", count=40) for n in "OY"),
)
DUO = manifest(speaker("tess/OAF", count=24), speaker("tess/YAF", count=24))


def split_by(utterances: Manifest, protocol: Protocol) -> Split:
    return make_split(utterances, protocol, sounds(utterances))


def speakers(utterances: Manifest, ids: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return utterances.subset(ids).speakers


def parts(fold: Fold) -> tuple[tuple[str, ...], ...]:
    return fold.train, fold.validation, fold.test


# Any manifest: nothing leaks, nothing is lost


def a_manifest(described: list[tuple[int, Sex, int, int]]) -> Manifest:
    """Speakers as (corpus, sex, utterances, sentences)."""
    return manifest(
        *(
            speaker(f"corpus{c}/{i}", sex, count=count, sentences=[str(s) for s in range(sentences)])
            for i, (c, sex, count, sentences) in enumerate(described)
        )
    )


manifests = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(("male", "female", "unknown")), st.integers(1, 9), st.integers(1, 3)),
    min_size=1,
    max_size=9,
).map(a_manifest)
validations: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "validation": st.sampled_from(("speakers", "sentences", "none")),
        "validation_speakers": st.none() | st.integers(1, 3),
        "seed": st.integers(0, 3),
    }
).map(lambda drawn: drawn if drawn["validation"] == "speakers" else drawn | {"validation_speakers": None})
protocols = st.one_of(
    st.builds(
        lambda folds, order, validation: Protocol(folds=folds, order=order, **validation),
        st.integers(2, 6),
        st.sampled_from(("consecutive", "balanced")),
        validations,
    ),
    validations.map(lambda validation: Protocol(name="leave_one_speaker_out", **validation)),
    st.builds(
        lambda folds, seed: Protocol(name="random", speaker_dependent=True, folds=folds, seed=seed),
        st.integers(2, 6),
        st.integers(0, 3),
    ),
)


def copies(data: st.DataObject, utterances: Manifest, most: int) -> dict[str, str]:
    """Draw utterances whose audio is that of another one."""
    ids = [u.id for u in utterances]
    return data.draw(st.dictionaries(st.sampled_from(ids), st.sampled_from(ids), max_size=most))


@given(utterances=manifests, protocol=protocols, data=st.data())
def test_no_fold_of_any_manifest_shares_a_speaker_or_identical_audio(
    utterances: Manifest, protocol: Protocol, data: st.DataObject
) -> None:
    """Either there are folds, and they are clean, or it is refused."""
    audio = sounds(utterances, copies(data, utterances, 3))
    try:
        split = make_split(utterances, protocol, audio)
    except ProtocolError:
        return
    speaker_of = {u.id: u.speaker for u in utterances}
    for fold in split.folds:
        for one, other in ((fold.train, fold.validation), (fold.train + fold.validation, fold.test)):
            assert not set(one) & set(other)
            assert not {audio.digests[i] for i in one} & {audio.digests[i] for i in other}
        if protocol.name != "random":
            assert not {speaker_of[i] for i in fold.train + fold.validation} & {speaker_of[i] for i in fold.test}
        if split.validation == "speakers":
            assert not {speaker_of[i] for i in fold.train} & {speaker_of[i] for i in fold.validation}


@given(utterances=manifests, protocol=protocols)
def test_folds_partition_any_manifest(utterances: Manifest, protocol: Protocol) -> None:
    """Each utterance is tested exactly once, and stands in each fold exactly once."""
    try:
        split = split_by(utterances, protocol)
    except ProtocolError:
        assume(False)
    ids = sorted(u.id for u in utterances)
    assert sorted(chain.from_iterable(fold.test for fold in split.folds)) == ids
    for fold in split.folds:
        assert sorted(chain.from_iterable(parts(fold))) == ids


@given(utterances=manifests, protocol=protocols)
def test_no_part_is_empty_that_should_not_be(utterances: Manifest, protocol: Protocol) -> None:
    try:
        split = split_by(utterances, protocol)
    except ProtocolError:
        assume(False)
    for fold in split.folds:
        assert fold.train
        assert fold.test
        assert bool(fold.validation) == (split.validation != "none")


@given(utterances=manifests, protocol=protocols, shuffle=st.randoms(use_true_random=False))
def test_folds_do_not_depend_on_the_order_of_utterances(utterances: Manifest, protocol: Protocol, shuffle: Any) -> None:
    """Within a corpus; the corpora take their turns as they come."""

    def folds(ordered: list[Utterance]) -> Split | str:
        try:
            return split_by(Manifest(tuple(ordered)), protocol)
        except ProtocolError as error:
            return str(error)

    ordered = [u for u in utterances if u.corpus == utterances.corpora[0]]
    expected = folds(list(ordered))
    shuffle.shuffle(ordered)
    assert folds(ordered) == expected


def test_another_seed_gives_other_folds() -> None:
    for protocol in (Protocol(folds=4), RANDOM):
        one, other = (split_by(ACTORS, protocol.model_copy(update={"seed": seed})) for seed in (0, 1))
        assert one.folds != other.folds
        assert one.digest != other.digest


def test_the_digest_changes_with_any_part() -> None:
    fold = Fold(0, ("a",), ("b",), ("c",))
    changed = (
        replace(fold, train=("a", "d")),
        replace(fold, validation=("d",)),
        replace(fold, test=("d",)),
        replace(fold, train=("b",), validation=("a",)),
    )
    splits = [Split("random", False, "random", (f,)) for f in (fold, *changed)]
    assert len({split.digest for split in splits}) == len(splits)
    assert splits[0].digest == Split("random", False, "random", (replace(fold),)).digest


# Folds of speakers


def test_consecutive_folds_follow_the_speakers_order() -> None:
    """The 24 actors in six folds: 01 to 04, 05 to 08, and so on."""
    split = split_by(ACTORS, Protocol(folds=6, order="consecutive"))
    found = [[name.removeprefix("ravdess/") for name in speakers(ACTORS, fold.test)] for fold in split.folds]
    assert found == [[f"{n:02d}" for n in range(first, first + 4)] for first in range(1, 25, 4)]


@given(utterances=manifests, folds=st.integers(2, 6), seed=st.integers(0, 3))
def test_balanced_folds_have_each_corpus_and_sex_alike(utterances: Manifest, folds: int, seed: int) -> None:
    """However much each speaker says."""
    assume(folds <= len(utterances.speakers))
    split = split_by(utterances, Protocol(folds=folds, seed=seed, validation="none"))
    stratum = {u.speaker: (u.corpus, u.sex) for u in utterances}
    tested = [Counter(stratum[name] for name in speakers(utterances, fold.test)) for fold in split.folds]
    for corpus_and_sex in set(stratum.values()):
        of_each = [count[corpus_and_sex] for count in tested]
        assert max(of_each) - min(of_each) <= 1


def test_balanced_folds_are_of_one_size() -> None:
    """The man that is left over and the woman that is left over do not meet in one fold."""
    voices = manifest(*(speaker(f"emodb/{n:02d}", "male" if n < 5 else "female") for n in range(10)))
    for seed in range(5):
        tested = [speakers(voices, fold.test) for fold in split_by(voices, Protocol(folds=4, seed=seed)).folds]
        assert sorted(len(names) for names in tested) == [2, 2, 3, 3]


def test_balanced_folds_have_a_corpus_of_few_speakers_in_as_many_folds() -> None:
    split = split_by(MIXED, Protocol(folds=3))
    assert sum(any(i.startswith("tess/") for i in fold.test) for fold in split.folds) == 2


def test_a_speaker_whose_sex_is_noted_in_two_ways_is_tested_once() -> None:
    odd = Manifest(tuple(replace(u, sex="female") if u.id == "ravdess/01-00" else u for u in ACTORS))
    for seed in range(5):
        tested = [speakers(odd, fold.test) for fold in split_by(odd, Protocol(folds=6, seed=seed)).folds]
        assert sorted(chain.from_iterable(tested)) == list(odd.speakers)


def test_leave_one_speaker_out_tests_each_speaker_alone() -> None:
    split = split_by(MIXED, LOSO)
    assert [speakers(MIXED, fold.test) for fold in split.folds] == [(name,) for name in MIXED.speakers]


def test_fixed_test_speakers_are_one_fold() -> None:
    chosen = ("emodb/03", "nemo/01")
    (fold,) = split_by(MIXED, Protocol(name="fixed_test_speakers", test_speakers=chosen)).folds
    assert speakers(MIXED, fold.test) == chosen


@pytest.mark.parametrize(
    ("utterances", "protocol", "message"),
    [
        (ACTORS, Protocol(folds=25), r"^25 folds need as many speakers, but there are 24\.$"),
        (
            manifest(speaker("tess/OAF")),
            Protocol(folds=2),
            r"^speaker_kfold needs two speakers or more, but there is 1\.$",
        ),
        (manifest(speaker("tess/OAF")), LOSO, r"^leave_one_speaker_out needs two speakers or more, but there is 1\.$"),
        (manifest(), LOSO, r"^leave_one_speaker_out needs two speakers or more, but there is 0\.$"),
        (
            ACTORS,
            Protocol(name="fixed_test_speakers", test_speakers=("ravdess/1",)),
            r"^no speaker 'ravdess/1' to test on; did you mean 'ravdess/[0-9]+'\?$",
        ),
        (
            DUO,
            Protocol(name="fixed_test_speakers", test_speakers=("tess/YAF", "tess/OAF")),
            r"^test_speakers are all speakers: nobody is left to train on\.$",
        ),
        (
            manifest(speaker("tess/OAF", count=3)),
            RANDOM,
            r"^3 utterances are too few for 4 random folds",
        ),
        (manifest(), RANDOM, r"^0 utterances are too few for 4 random folds\.$"),
    ],
)
def test_too_few_speakers_are_refused(utterances: Manifest, protocol: Protocol, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        split_by(utterances, protocol)


# Validation


@pytest.mark.parametrize("count", [1, 2, 4])
def test_validation_speakers_are_of_each_corpus_and_never_tested(count: int) -> None:
    """TESS is not among them: it has one training speaker where the other is tested."""
    voices = MIXED.filter(lambda u: u.corpus != "tess")
    for fold in split_by(voices, Protocol(folds=3, validation_speakers=count)).folds:
        held_out = speakers(voices, fold.validation)
        assert Counter(name.split("/")[0] for name in held_out) == {"emodb": count, "nemo": count}
        assert not set(held_out) & set(speakers(voices, fold.test))


def test_by_default_one_training_speaker_in_eight_validates() -> None:
    for folds, count in ((6, 2), (2, 2), (24, 3)):  # of 20, 12, 23
        for fold in split_by(ACTORS, Protocol(folds=folds, order="consecutive")).folds:
            assert len(speakers(ACTORS, fold.validation)) == count


@pytest.mark.parametrize(("count", "expected"), [(2, {1}), (4, {2}), (3, {1, 2})])
def test_validation_speakers_are_of_both_sexes_in_turn(count: int, expected: set[int]) -> None:
    for seed in range(8):
        _, held_out = hold_out_validation(ACTORS, Protocol(validation_speakers=count, seed=seed))
        sexes = Counter({u.speaker: u.sex for u in ACTORS.subset(held_out)}.values())
        assert set(sexes.values()) == expected


def test_validation_speakers_differ_between_folds_and_seeds() -> None:
    drawn = {
        speakers(ACTORS, hold_out_validation(ACTORS, Protocol(seed=seed), fold=fold)[1])
        for seed in range(3)
        for fold in range(3)
    }
    assert len(drawn) > 6


def test_a_corpus_with_one_training_speaker_is_trained_on_whole_beside_others() -> None:
    utterances = manifest(speaker("tess/OAF"), *(speaker(f"emodb/{n}") for n in range(9)))
    training, held_out = hold_out_validation(utterances, Protocol())
    assert "tess/OAF" in speakers(utterances, training)
    assert Counter(name.split("/")[0] for name in speakers(utterances, held_out)) == {"emodb": 1}


@pytest.mark.parametrize("protocol", [LOSO, Protocol(folds=2), ONE_FOLD])
def test_one_training_speaker_cannot_give_validation_speakers(protocol: Protocol) -> None:
    with pytest.raises(ProtocolError, match=r"^tess has 1 training speakers, too few to hold out 1 .* set valid"):
        split_by(DUO, protocol)


def test_corpora_with_one_training_speaker_each_cannot_give_any_either() -> None:
    utterances = manifest(speaker("tess/OAF"), speaker("emodb/03"))
    with pytest.raises(ProtocolError, match="too few to hold out 1 for validation"):
        hold_out_validation(utterances, Protocol())


def test_more_validation_speakers_than_there_are_is_refused() -> None:
    with pytest.raises(ProtocolError, match="emodb has 10 training speakers, too few to hold out 10 for validation"):
        hold_out_validation(MIXED, Protocol(validation_speakers=10))


def test_one_training_speaker_can_validate_on_held_out_sentences() -> None:
    protocol = LOSO.model_copy(update={"validation": "sentences"})
    split = split_by(DUO, protocol)
    assert (split.validation, split.is_speaker_independent) == ("sentences", True)
    for fold in split.folds:
        training, held_out = DUO.subset(fold.train), DUO.subset(fold.validation)
        assert training.speakers == held_out.speakers
        assert len({u.sentence for u in held_out}) == 1
        assert not {u.sentence for u in training} & {u.sentence for u in held_out}


def test_one_sentence_in_eight_is_held_out() -> None:
    words = [str(n) for n in range(24)]
    utterances = manifest(speaker("tess/OAF", count=4 * len(words), sentences=words))
    _, held_out = hold_out_validation(utterances, Protocol(validation="sentences"))
    assert len({u.sentence for u in utterances.subset(held_out)}) == 3


@pytest.mark.parametrize("sentences", [["1"], [""], ["", "1"]])
def test_held_out_sentences_need_two_that_are_known(sentences: list[str]) -> None:
    with pytest.raises(ProtocolError, match=r"^validation: sentences needs two known sentences or more"):
        hold_out_validation(
            manifest(speaker("tess/OAF", count=16, sentences=sentences)), Protocol(validation="sentences")
        )


def test_without_validation_everything_is_trained_on() -> None:
    split = split_by(DUO, LOSO.model_copy(update={"validation": "none"}))
    assert [len(part) for part in parts(split.folds[0])] == [24, 0, 24]


# Random splits


def test_random_folds_share_speakers_and_say_so() -> None:
    split = split_by(ACTORS, RANDOM)
    assert (split.is_speaker_independent, split.validation) == (False, "random")
    assert set(speakers(ACTORS, split.folds[0].train)) & set(speakers(ACTORS, split.folds[0].test))


def test_random_folds_have_each_class_alike() -> None:
    emotion_of = {u.id: u.emotion for u in MIXED}
    split = split_by(MIXED, RANDOM)
    for tested in zip(*(sorted(Counter(emotion_of[i] for i in f.test).items()) for f in split.folds), strict=True):
        counts = [count for _, count in tested]
        assert max(counts) - min(counts) <= 1


def test_a_tenth_of_the_training_side_of_random_folds_validates() -> None:
    for fold in split_by(MIXED, RANDOM).folds:
        assert len(fold.validation) == pytest.approx(len(fold.train + fold.validation) / 10, abs=1)


@given(data=st.data(), seed=st.integers(0, 20))
def test_random_folds_never_divide_identical_audio(data: st.DataObject, seed: int) -> None:
    """Speakers may be shared, recordings may not, even where the labels of the copies differ."""
    audio = sounds(MIXED, copies(data, MIXED, 30))
    split = make_split(MIXED, RANDOM.model_copy(update={"seed": seed}), audio)
    for fold in split.folds:
        heard = [{audio.digests[i] for i in ids} for ids in parts(fold)]
        assert sum(len(recordings) for recordings in heard) == len(set(audio.digests.values()))


# Planted leaks


ONE = ACTORS.filter(lambda u: u.speaker < "ravdess/05")
CLEAN = Fold(
    0,
    tuple(u.id for u in ONE if u.speaker in ("ravdess/01", "ravdess/02")),
    tuple(u.id for u in ONE if u.speaker == "ravdess/03"),
    tuple(u.id for u in ONE if u.speaker == "ravdess/04"),
)


def plant(fold: Fold, *, independent: bool = True, validation: str = "speakers", same: Mapping[str, str] = {}) -> None:
    check_leakage(Split("planted", independent, validation, (CLEAN, replace(fold, fold=1))), ONE, sounds(ONE, same))


def test_a_clean_split_passes() -> None:
    plant(CLEAN)


@pytest.mark.parametrize(
    ("fold", "message"),
    [
        (
            replace(CLEAN, train=CLEAN.train[:-1], test=(*CLEAN.test, CLEAN.train[-1])),
            "1 speakers are in both training and test, the first is 'ravdess/02'",
        ),
        (
            replace(CLEAN, validation=CLEAN.validation[:-1], test=(*CLEAN.test, CLEAN.validation[-1])),
            "1 speakers are in both training and test, the first is 'ravdess/03'",
        ),
        (
            replace(CLEAN, train=CLEAN.train[:-1], validation=(*CLEAN.validation, CLEAN.train[-1])),
            "1 speakers are in both training and validation, the first is 'ravdess/02'",
        ),
    ],
)
def test_a_shared_speaker_is_refused(fold: Fold, message: str) -> None:
    with pytest.raises(LeakageError, match=f"^fold 1: {message}"):
        plant(fold)


@pytest.mark.parametrize("independent", [True, False])
@pytest.mark.parametrize(
    ("fold", "message"),
    [
        (replace(CLEAN, test=CLEAN.test + CLEAN.train[:2]), "2 utterances are in both training and test"),
        (replace(CLEAN, test=CLEAN.test + CLEAN.validation[:1]), "1 utterances are in both training and test"),
        (replace(CLEAN, train=CLEAN.train + CLEAN.validation), "4 utterances are in both training and validation"),
    ],
)
def test_a_shared_utterance_is_refused(fold: Fold, message: str, independent: bool) -> None:
    with pytest.raises(LeakageError, match=f"^fold 1: {message}, the first is 'ravdess/"):
        plant(fold, independent=independent)


@pytest.mark.parametrize("independent", [True, False])
@pytest.mark.parametrize(
    ("one", "other", "sides"),
    [
        (CLEAN.train, CLEAN.test, "training and test"),
        (CLEAN.validation, CLEAN.test, "training and test"),
        (CLEAN.train, CLEAN.validation, "training and validation"),
    ],
)
def test_identical_audio_under_two_names_is_refused(
    one: tuple[str, ...], other: tuple[str, ...], sides: str, independent: bool
) -> None:
    with pytest.raises(LeakageError, match=rf"^fold 0: 1 identical recordings are in both {sides}, "):
        plant(CLEAN, independent=independent, same={one[0]: other[0]})


def test_the_refusal_of_identical_audio_names_both_utterances() -> None:
    one, other = CLEAN.train[0], CLEAN.test[0]
    with pytest.raises(LeakageError, match=rf"the first is '{one}': it has the same audio as '{other}'; leave one of"):
        plant(CLEAN, same={one: other})


def test_copies_on_one_side_are_allowed() -> None:
    plant(CLEAN, same={CLEAN.train[0]: CLEAN.train[1]})


def test_folds_of_speakers_with_a_copied_clip_are_refused() -> None:
    same = {"ravdess/01-00": "ravdess/24-00"}
    with pytest.raises(LeakageError, match="1 identical recordings"):
        make_split(ACTORS, Protocol(folds=6, order="consecutive"), sounds(ACTORS, same))


def test_only_held_out_sentences_share_a_speaker_with_training() -> None:
    shared = replace(CLEAN, train=CLEAN.train[:-1], validation=(*CLEAN.validation, CLEAN.train[-1]))
    plant(shared, validation="sentences")
    with pytest.raises(LeakageError, match="training and test"):
        plant(replace(CLEAN, train=CLEAN.train + CLEAN.test[:1], test=CLEAN.test[1:]), validation="sentences")


# Parts of one file


def windows(count: int = 60, *, length: float = 2.0, step: float = 1.0) -> Manifest:
    """Parts of five files of two speakers, one every ``step`` seconds."""
    return Manifest(
        tuple(
            Utterance(
                id=f"own/{f}-{n:02d}", path=f"{f}.wav", corpus="own", speaker=f"own/{f % 2}", start=n * step,
                end=n * step + length, emotion=("anger", "sadness")[n % 2],
            )
            for f in range(5)
            for n in range(count // 5)
        )
    )  # fmt: skip


def of(*parts: tuple[float, float | None], path: str = "a.wav", speaker: str = "own/x") -> tuple[Utterance, ...]:
    return tuple(
        Utterance(id=f"own/{path}@{n}", path=path, corpus="own", speaker=speaker, emotion="anger", start=start, end=end)
        for n, (start, end) in enumerate(parts)
    )


def grouped(utterances: tuple[Utterance, ...], same: Mapping[str, str] = {}) -> list[int]:
    """Return how many utterances each recording has, in the order of its first one."""
    audio = sounds(Manifest(utterances), same)
    return list(Counter(recordings(utterances, audio).values()).values())


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        ([(0, 2), (1, 3), (2, 4)], [3]),  # the first and the last only touch
        ([(0, 2), (2, 4)], [1, 1]),
        ([(0, 0.1 + 0.2), (0.3, 1)], [1, 1]),  # the sum is more than 0.3
        ([(0, 9), (1, 2), (3, 4), (9, 10)], [3, 1]),
        ([(0, None), (5, 6), (7, 8)], [3]),
        ([(3, None), (0, 3), (4, 5)], [2, 1]),
        ([(0, None), (0, None)], [2]),
        ([(None, 2), (1, 3)], [2]),
    ],
)
def test_parts_of_a_file_that_overlap_are_one_recording(parts: list[Any], sizes: list[int]) -> None:
    assert sorted(grouped(of(*parts)), reverse=True) == sizes
    assert sorted(grouped(of(*reversed(parts))), reverse=True) == sizes


def test_parts_of_other_files_do_not_overlap() -> None:
    assert grouped((*of((0, 2)), *of((0, 2), path="b.wav"))) == [1, 1]
    elsewhere = [replace(u, id="other/a", corpus="other") for u in of((0, 2))]
    assert grouped((*of((0, 2)), *elsewhere)) == [1, 1]


def test_copies_and_overlaps_lead_on_from_one_to_the_next() -> None:
    parts = (*of((0, 2), (1, 3)), *of((0, 2), (1, 3), path="b.wav"), *of((0, 2), path="c.wav"))
    assert grouped(parts, {"own/b.wav@0": "own/a.wav@1"}) == [4, 1]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 30), st.integers(1, 5) | st.none()), max_size=12))
def test_recordings_are_those_that_looking_at_all_pairs_finds(drawn: list[tuple[int, int, int | None]]) -> None:
    found = [
        replace(u, id=f"own/{n:02d}")
        for n, (file, start, length) in enumerate(drawn)
        for u in of((start, None if length is None else start + length), path=f"{file}.wav")
    ]
    expected = {u.id: u.id for u in found}
    for _ in found:  # until nothing changes any more
        for one in found:
            for other in found:
                starts, ends = (one.start, other.start), [u.end for u in (one, other) if u.end is not None]
                if one.path == other.path and max(starts) < min(ends, default=99):
                    expected[one.id] = expected[other.id] = min(expected[one.id], expected[other.id])
    assert recordings(found, sounds(Manifest(tuple(found)))) == expected


@pytest.mark.parametrize("protocol", [RANDOM, Protocol(name="random", speaker_dependent=True, test_share=0.3)])
def test_random_folds_never_divide_overlapping_parts_of_a_file(protocol: Protocol) -> None:
    """Windows of 2 s every second, all of a file one chain."""
    utterances = windows()
    split = split_by(utterances, protocol)
    path_of = {u.id: u.path for u in utterances}
    for fold in split.folds:
        sides = [{path_of[i] for i in part} for part in parts(fold)]
        assert sum(map(len, sides)) == len(set.union(*sides)) == 5
    assert count_shared(split, utterances, sounds(utterances)).identical_recordings == 0


def test_one_long_recording_is_too_little_for_random_folds() -> None:
    one = windows().filter(lambda u: u.path == "0.wav")
    with pytest.raises(
        ProtocolError, match=r"^12 utterances are too few for 4 random folds: .* as one, and leave 1\.$"
    ):
        split_by(one, RANDOM)


def test_parts_that_only_touch_are_dealt_one_by_one() -> None:
    apart = windows(step=2.0)
    split = split_by(apart, RANDOM)
    assert {len(fold.test) for fold in split.folds} == {15}


@given(seed=st.integers(0, 9))
def test_random_validation_never_divides_overlapping_parts_of_a_file(seed: int) -> None:
    utterances = windows()
    for fold in split_by(utterances, LOSO.model_copy(update={"validation": "random", "seed": seed})).folds:
        assert not {i[:5] for i in fold.train} & {i[:5] for i in fold.validation}


@pytest.mark.parametrize("independent", [True, False])
@pytest.mark.parametrize(
    ("first", "second", "third", "sides"),
    [("train", "test", "validation", "training and test"), ("validation", "test", "train", "training and test"),
     ("train", "validation", "test", "training and validation")],
)  # fmt: skip
def test_overlapping_parts_on_two_sides_are_refused_and_counted(
    first: str, second: str, third: str, sides: str, independent: bool
) -> None:
    """Such as two people who speak at once."""
    one, other = of((0, 2), speaker="own/x")[0], replace(of((1, 3), speaker="own/y")[0], id="own/other")
    far = of((9, 10), path="b.wav", speaker="own/z")[0]
    utterances = Manifest((one, other, far))
    fold = Fold(0, **{first: (one.id,), second: (other.id,), third: (far.id,)})
    split = Split("planted", independent, "speakers", (fold,))
    with pytest.raises(LeakageError, match=rf"^fold 0: 1 overlapping recordings are in both {sides}, .*; leave out"):
        check_leakage(split, utterances, sounds(utterances))
    shared = count_shared(split, utterances, sounds(utterances))
    assert shared.identical_recordings == (sides == "training and test")


# Speakers under two names


ANNA = manifest(speaker("own/Anna"), speaker("own/anna "), speaker("own/Ben"), speaker("own/Cleo"))


@pytest.mark.parametrize("protocol", [LOSO, Protocol(folds=4), LOSO.model_copy(update={"validation": "none"})])
def test_speakers_that_differ_by_case_or_spaces_alone_are_not_parted(protocol: Protocol) -> None:
    with pytest.raises(
        LeakageError,
        match=r"'own/(Anna|anna )' in one and 'own/(Anna|anna )' in the other of .* one name to a reader: give one per",
    ):
        split_by(ANNA, protocol)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("An-na", "An-na"), ("An_na", "An_na"), ("An.na", "An.na"), ("An na", "An na"), ("An\u200bna", r"An\u200bna"),
        ("An\u00a0na", r"An\u00a0na"), ("\uff21nna", r"\uff21nna"), ("\u0410nna", r"\u0410nna' (Cyrillic"),
        ("An\u00adna", r"An\u00adna"),
    ],
)  # fmt: skip
def test_speakers_whose_names_read_as_one_are_not_parted_and_shown_apart(name: str, shown: str) -> None:
    utterances = manifest(*(speaker(f"own/{one}") for one in ("Anna", name, "Ben", "Cleo")))
    with pytest.raises(LeakageError, match=re.escape(f"own/{shown}")) as caught:
        split_by(utterances, LOSO)
    assert "'own/Anna'" in str(caught.value)
    split = Split("planted", True, "none", (Fold(0, ("own/Anna-00",), (), (f"own/{name}-00",)),))
    assert count_shared(split, utterances, sounds(utterances)).shared_speakers == 1


@pytest.mark.parametrize(
    "protocol", [LOSO, Protocol(folds=2), Protocol(name="fixed_test_speakers", test_speakers=("pod/30", "pod/31"))]
)
def test_speakers_without_a_name_are_never_counted_as_others_than_the_named_of_their_corpus(
    protocol: Protocol,
) -> None:
    voices = [speaker(f"pod/{name}", count=20) for name in ("30", "31", "unknown")]
    with pytest.raises(LeakageError, match="'pod/unknown' stands for all speakers without a name, who may be among"):
        split_by(manifest(*voices), protocol.model_copy(update={"validation": "none"}))
    other = manifest(voices[2], speaker("tess/OAF", count=24), speaker("tess/YAF", count=24))
    assert split_by(other, LOSO.model_copy(update={"validation": "none"})).is_speaker_independent


def test_names_that_are_one_to_a_reader_are_refused_whatever_the_protocol() -> None:
    check_names(["own/Anna", "own/Ben", "own/1-1", "own/11"])
    with pytest.raises(
        LeakageError,
        match=r"^the speakers 'own/01' and 'own/1' are one name .*, and 2 other names are alike too: ",
    ):
        check_names(["own/An_na", "own/Anna", "own/1", "own/01"])


def test_speakers_that_differ_by_case_alone_may_stand_on_one_side() -> None:
    split_by(ANNA, Protocol(name="fixed_test_speakers", test_speakers=("own/Anna", "own/anna "), validation="none"))
    split = split_by(ANNA, RANDOM)
    assert count_shared(split, ANNA, sounds(ANNA)).shared_speakers == len(ANNA)


def test_a_model_is_not_scored_on_a_speaker_that_it_has_seen_in_another_coding() -> None:
    with pytest.raises(LeakageError, match="was fitted on 1 of the test speakers"):
        check_unseen(["own/Jose\u0301"], ["own/Jos\u00e9"])
    with pytest.raises(LeakageError, match=r"test speakers \('own/\\u0410nna' \(Cyrillic\), seen as 'own/Anna'\):"):
        check_unseen(["own/Anna"], ["own/\u0410nna", "own/Ben"])


# What a model has seen


def test_a_model_is_not_scored_on_speakers_that_it_has_seen() -> None:
    seen = [f"emodb/{n:02d}" for n in range(10)]
    check_unseen(seen, ["ravdess/01"])
    with pytest.raises(LeakageError, match=r"^the model was fitted on 1 of the test speakers \(emodb/03\): test it on"):
        check_unseen(seen, ["emodb/03", "ravdess/03"])
    with pytest.raises(LeakageError, match=r"on 4 of the test speakers \(emodb/00, emodb/01, emodb/02, \.\.\.\): "):
        check_unseen(seen, seen[:4])


def test_an_ensemble_is_refused_for_one_member_that_has_seen_a_test_speaker() -> None:
    members = {"seed 0": ["emodb/03"], "inner fold 2": ["emodb/03", "emodb/08"], "seed 1": ["emodb/03"]}
    check_ensemble(members, ["emodb/09"])
    with pytest.raises(LeakageError, match=r"^ensemble member 'inner fold 2' was fitted on 1 of .* \(emodb/08\)"):
        check_ensemble(members, ["emodb/08"])


# What is written down


def test_folds_are_written_with_their_utterances_and_speakers() -> None:
    split = split_by(DUO, LOSO.model_copy(update={"validation": "none"}))
    written = folds_as_json(split, DUO)
    assert [list(fold) for fold in written] == [["fold", "train", "validation", "test"]] * 2
    assert written[0]["train"] == {"speakers": ["tess/YAF"], "utterances": list(split.folds[0].train)}
    assert written[0]["validation"] == {"speakers": [], "utterances": []}
    assert written[0]["test"] == {"speakers": ["tess/OAF"], "utterances": list(split.folds[0].test)}


# The real pair


def test_random_folds_never_divide_the_clip_that_ravdess_holds_twice(real_corpora: Path) -> None:
    pair = ("ravdess/03-01-03-01-02-01-07", "ravdess/03-01-03-01-02-02-07")
    actor = get_corpus("ravdess").manifest(find_corpus("ravdess", real_corpora)).filter(lambda u: u.id.endswith("-07"))
    audio = open_store(actor, 16_000).digests
    assert [name for name, n in Counter(audio.values()).items() if n > 1] == [audio[pair[0]]] == [audio[pair[1]]]
    for seed in range(20):
        for fold in make_split(actor, RANDOM.model_copy(update={"seed": seed}), Sounds(audio)).folds:
            assert [len(set(pair) & set(part)) for part in parts(fold)].count(2) == 1


# Corpora, sessions, published folds, shares


def share(fold: Fold) -> tuple[int, int, int]:
    return tuple(map(len, parts(fold)))  # type: ignore[return-value]


def test_cross_corpus_trains_on_some_corpora_and_tests_on_others() -> None:
    protocol = Protocol(name="cross_corpus", train_corpora=("emodb", "nemo"), test_corpora=("tess",))
    (fold,) = split_by(MIXED, protocol).folds
    assert {name.split("/")[0] for name in speakers(MIXED, fold.train + fold.validation)} == {"emodb", "nemo"}
    assert speakers(MIXED, fold.test) == ("tess/O", "tess/Y")


def test_leave_one_corpus_out_tests_each_corpus_alone() -> None:
    folds = split_by(MIXED, Protocol(name="leave_one_corpus_out")).folds
    assert [MIXED.subset(fold.test).corpora for fold in folds] == [("emodb",), ("nemo",), ("tess",)]
    assert all(sum(share(fold)) == len(MIXED) for fold in folds)


def test_leave_one_session_out_tests_each_session_alone() -> None:
    pairs = Manifest(tuple(replace(u, session=str(int(u.speaker[-2:]) // 2)) for u in MIXED if u.corpus == "emodb"))
    folds = split_by(pairs, Protocol(name="leave_one_session_out")).folds
    assert [speakers(pairs, fold.test) for fold in folds] == [
        (f"emodb/{n:02d}", f"emodb/{n + 1:02d}") for n in range(0, 10, 2)
    ]


def test_a_speaker_of_two_sessions_is_a_leak() -> None:
    odd = Manifest(tuple(replace(u, session=u.sentence) for u in ACTORS if u.speaker < "ravdess/05"))
    two = Manifest(tuple(replace(u, session=str(i % 2)) for i, u in enumerate(odd)))
    with pytest.raises(LeakageError, match="speakers are in both training and test"):
        split_by(two, Protocol(name="leave_one_session_out", validation="none"))


@pytest.mark.parametrize(
    ("share_of_test", "share_of_validation", "utterances", "tested", "validated"),
    [(0.2, 0.1, 7442, 1489, 596), (0.3, 0.05, 7442, 2233, 261), (0.1, 1 / 9, 535, 54, 54)],
)
def test_random_shares_are_those_of_the_reports(
    share_of_test: float, share_of_validation: float, utterances: int, tested: int, validated: int
) -> None:
    """1489 and 2233 test clips of CREMA-D's 7442, as the crema-cnn report counts them; 80/10/10 of EmoDB."""
    people = manifest(
        *(speaker(f"toy/{i}", count=min(100, utterances - 100 * i)) for i in range(-(-utterances // 100)))
    )
    protocol = Protocol(
        name="random", speaker_dependent=True, test_share=share_of_test, validation_share=share_of_validation
    )
    split = split_by(people, protocol)
    assert share(split.folds[0]) == (utterances - tested - validated, validated, tested)
    assert not split.is_speaker_independent
    emotion_of = {u.id: u.emotion for u in people}
    of_each = Counter(emotion_of[i] for i in split.folds[0].test)
    assert max(of_each.values()) - min(of_each.values()) <= 2


def test_random_validation_shares_speakers_with_training_and_never_with_test() -> None:
    split = split_by(ACTORS, Protocol(folds=6, validation="random"))
    assert split.validation == "random"
    assert split.is_speaker_independent
    for fold in split.folds:
        assert set(speakers(ACTORS, fold.validation)) & set(speakers(ACTORS, fold.train))
        assert not set(speakers(ACTORS, fold.validation)) & set(speakers(ACTORS, fold.test))


@given(data=st.data(), share_of_all=st.floats(0.05, 0.6))
def test_random_validation_keeps_identical_audio_together(data: st.DataObject, share_of_all: float) -> None:
    audio = sounds(ACTORS, copies(data, ACTORS.filter(lambda u: u.speaker < "ravdess/03"), 6))
    protocol = Protocol(folds=6, order="consecutive", validation="random", validation_share=share_of_all)
    try:
        split = make_split(ACTORS, protocol, audio)
    except LeakageError:
        pytest.fail("identical audio was parted")
    assert all(fold.validation for fold in split.folds)


def test_few_training_speakers_are_drawn_anew_in_every_draw() -> None:
    """The iemocap-coattention report: four speakers train, one validates, the tenth is tested, seven times."""
    people = manifest(*(speaker(f"iemocap/{n:02d}", "female" if n % 2 else "male") for n in range(10)))
    protocol = Protocol(
        name="fixed_test_speakers", test_speakers=("iemocap/09",), train_speakers=4, validation_speakers=1, draws=7
    )
    split = split_by(people, protocol)
    assert [len(speakers(people, fold.train)) for fold in split.folds] == [4] * 7
    assert [len(speakers(people, fold.validation)) for fold in split.folds] == [1] * 7
    assert {fold.test for fold in split.folds} == {split.folds[0].test}
    assert len({fold.train for fold in split.folds}) == 7
    assert [fold.draw for seed in range(8) for fold in split.of_seed(seed)] == [0, 1, 2, 3, 4, 5, 6, 0]
    assert [part["draw"] for part in folds_as_json(split, people)] == list(range(7))


def test_published_folds_are_read_by_file_name(tmp_path: Path) -> None:
    table = tmp_path / "folds.csv"
    lines = [f"some/folder/{Path(u.path).stem}.wav,{1 + int(u.speaker[-2:]) % 3}" for u in ACTORS]
    table.write_text("\n".join(["path,test_fold", *lines]))
    split = split_by(ACTORS, Protocol(name="published_folds", table=str(table)))
    assert split.is_speaker_independent
    assert sorted(chain.from_iterable(fold.test for fold in split.folds)) == sorted(u.id for u in ACTORS)
    assert speakers(ACTORS, split.folds[0].test)[:2] == ("ravdess/03", "ravdess/06")


def test_utterances_in_no_published_fold_are_trained_on_in_all(tmp_path: Path) -> None:
    table = tmp_path / "folds.csv"
    rows = [f"{u.path},{'' if u.speaker > 'ravdess/20' else int(u.speaker[-2:]) % 2}" for u in ACTORS]
    table.write_text("\n".join(["path,test_fold", *rows]))
    for fold in split_by(ACTORS, Protocol(name="published_folds", table=str(table), validation="none")).folds:
        assert set(speakers(ACTORS, fold.train)) >= {"ravdess/21", "ravdess/22", "ravdess/23", "ravdess/24"}


def test_published_folds_that_share_speakers_must_say_so(tmp_path: Path) -> None:
    table = tmp_path / "folds.csv"
    table.write_text("\n".join(["path,test_fold", *(f"{u.path},{i % 2}" for i, u in enumerate(ACTORS))]))
    protocol = Protocol(name="published_folds", table=str(table), validation="random")
    with pytest.raises(LeakageError, match=r"need speaker_dependent: true, which marks them\.$"):
        split_by(ACTORS, protocol)
    split = split_by(ACTORS, protocol.model_copy(update={"speaker_dependent": True}))
    assert not split.is_speaker_independent


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("path,fold\na.wav,1", r"row 1: expected a path, and a test_fold"),
        ("path,test_fold\na.wav,1\nb/a.wav,2", r"row 2: 'a' is in two folds"),
        ("path,test_fold\na.wav,1", r"has no row for 'ravdess/01-00': it is a table of other files"),
        (
            "path,test_fold\n" + "\n".join(f"{u.path}," for u in ACTORS),
            r"assigns none of the utterances to a fold",
        ),
    ],
)
def test_a_damaged_table_of_folds_is_one_sentence(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(rows)
    with pytest.raises(ProtocolError, match=message):
        split_by(ACTORS, Protocol(name="published_folds", table=str(tmp_path / "t.csv")))


def test_a_fold_that_leaves_nobody_to_train_on_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,test_fold\n" + "\n".join(f"{u.path},1" for u in ACTORS))
    for validation in ("none", "speakers"):
        protocol = Protocol(name="published_folds", table=str(tmp_path / "t.csv"), validation=validation)
        with pytest.raises(ProtocolError, match=r"^published_folds: fold 0 leaves nothing to train on\.$"):
            split_by(ACTORS, protocol)


def test_an_unknown_table_of_folds_names_those_that_there_are() -> None:
    with pytest.raises(ProtocolError, match=r"no table of folds 'emobox-emo'; did you mean 'emobox-emodb'\?"):
        split_by(ACTORS, Protocol(name="published_folds", table="emobox-emo"))


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ({"name": "cross_corpus", "train_corpora": ("emodb",)}, "needs test_corpora"),
        (
            {"name": "cross_corpus", "train_corpora": ("a",), "test_corpora": ("a", "b")},
            "a is in both train_corpora and test_corpora",
        ),
        ({"name": "published_folds"}, "needs table"),
        ({"name": "speaker_kfold", "table": "x"}, "table is for published_folds"),
        ({"name": "speaker_kfold", "test_share": 0.2}, "test_share is for random"),
        ({"name": "speaker_kfold", "speaker_dependent": True}, "keeps speakers apart"),
        ({"name": "random", "speaker_dependent": True, "draws": 3}, "a random split would ignore them"),
    ],
)
def test_settings_of_another_protocol_are_refused(protocol: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Protocol(**protocol)


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (
            {"name": "cross_corpus", "train_corpora": ("emodb",), "test_corpora": ("ravdes",)},
            "no utterances of 'ravdes'",
        ),
        ({"name": "cross_corpus", "train_corpora": ("emodb",), "test_corpora": ("nemo",)}, "tess would be neither"),
        ({"name": "leave_one_session_out"}, "utterances have no session"),
        ({"name": "speaker_kfold", "train_speakers": 30}, "30 is more than the"),
    ],
)
def test_what_is_not_there_is_refused(protocol: dict[str, Any], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        split_by(MIXED, Protocol(**protocol))


def test_a_class_that_training_corpora_lack_cannot_be_tested() -> None:
    one = manifest(speaker("a/1", count=8), speaker("a/2", count=8), speaker("b/1", count=8))
    less = one.filter(lambda u: u.corpus == "b" or u.emotion != "anger")
    labels = LabelSet("own", ("anger", "happiness", "neutral", "sadness"), "")
    forth = Protocol(name="cross_corpus", train_corpora=("a",), test_corpora=("b",))
    with pytest.raises(ProtocolError, match="fold 0 tests on anger, which its training corpora lack"):
        check_classes(split_by(less, forth), less, labels, forth)
    back = Protocol(name="cross_corpus", train_corpora=("b",), test_corpora=("a",), validation="none")
    with pytest.raises(ProtocolError, match="anger: trained and never tested"):
        check_classes(split_by(less, back), less, labels, back)
    check_classes(split_by(less, back), less, labels, back.model_copy(update={"intersect": "test"}))


def test_what_test_and_training_share_is_counted() -> None:
    split = split_by(ACTORS, Protocol(folds=6))
    shared = count_shared(split, ACTORS, sounds(ACTORS))
    assert shared.as_json() == {
        "test_utterances": 96, "shared_speakers": 0, "identical_recordings": 0, "shared_sentences": 96,
        "are_fingerprints_compared": False,
    }  # fmt: skip
    leaky = count_shared(split_by(ACTORS, RANDOM), ACTORS, sounds(ACTORS))
    assert leaky.shared_speakers == 96
    fold = Fold(0, ("ravdess/01-00",), (), ("ravdess/01-01", "ravdess/02-00"))
    same = sounds(ACTORS, {"ravdess/02-00": "ravdess/01-00"})
    assert count_shared(Split("random", False, "random", (fold,)), ACTORS, same).identical_recordings == 1
