from collections.abc import Callable

import numpy as np
import pytest
import soxr

from serkit.audio.fingerprint import excerpt, fingerprint, pack, unpack
from serkit.data.near_duplicates import NearDuplicate, near_duplicates, near_duplicates_between
from serkit.types import FloatArray
from support.talking import RATE, talk

SENTENCES = range(1, 7)
NOISE = np.random.default_rng(9).standard_normal(4 * RATE).astype(np.float32)


def speed(samples: FloatArray, factor: float) -> FloatArray:
    changed: FloatArray = soxr.resample(samples, RATE * factor, RATE)
    return changed


def one_bit(samples: FloatArray) -> FloatArray:
    changed = samples.copy()
    changed[20_000] += np.float32(2**-15)
    return changed


ATTACKS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "gain up": lambda samples: 10 * samples,
    "gain down": lambda samples: samples / 10,
    "polarity": lambda samples: -samples,
    "one bit": one_bit,
    "8 bits": lambda samples: np.round(samples * 127) / np.float32(127),
    "48 kHz and back": lambda samples: soxr.resample(soxr.resample(samples, RATE, 48_000), 48_000, RATE),
    "a fifth off the start": lambda samples: samples[len(samples) // 5 :],
    "a fifth off the end": lambda samples: samples[: -(len(samples) // 5)],
    "silence before": lambda samples: np.pad(samples, (4_800, 0)),
    "silence after": lambda samples: np.pad(samples, (0, 4_800)),
    "shifted by half a word": lambda samples: samples[256:],
    "faster": lambda samples: speed(samples, 1.01),
    "slower": lambda samples: speed(samples, 0.99),
    "noise at 20 dB": lambda samples: samples + 0.1 * np.sqrt(np.mean(samples**2)) * NOISE[: len(samples)],
    "telephone": lambda samples: soxr.resample(soxr.resample(samples, RATE, 7_000), 7_000, RATE),
}


@pytest.fixture(scope="module")
def clips() -> dict[str, FloatArray]:
    return {f"sentence {number}": talk(number) for number in SENTENCES}


@pytest.fixture(scope="module")
def codes(clips: dict[str, FloatArray]) -> dict[str, bytes]:
    return {name: fingerprint(samples, RATE) for name, samples in clips.items()}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_changed_recording_is_found_and_no_other(
    attack: str, clips: dict[str, FloatArray], codes: dict[str, bytes]
) -> None:
    changed = {f"changed {name}": fingerprint(ATTACKS[attack](samples), RATE) for name, samples in clips.items()}
    found = near_duplicates_between(changed, codes)
    assert [(pair.first, pair.second) for pair in found] == [(f"changed {name}", name) for name in codes]
    assert all(pair.similarity > 0.6 and pair.overlap > 1.2 for pair in found)


@pytest.mark.parametrize("attack", ["gain up", "one bit", "silence before", "noise at 20 dB", "8 bits"])
def test_a_changed_recording_is_found_by_its_excerpt(
    attack: str, clips: dict[str, FloatArray], codes: dict[str, bytes]
) -> None:
    changed = {name: fingerprint(ATTACKS[attack](samples), RATE) for name, samples in clips.items()}
    found = near_duplicates_between({name: excerpt(code) for name, code in codes.items()}, changed)
    assert [(pair.first, pair.second) for pair in found] == [(name, name) for name in codes]


def test_a_recording_at_8_khz_is_found(clips: dict[str, FloatArray], codes: dict[str, bytes]) -> None:
    narrow = {name: fingerprint(soxr.resample(clip, RATE, 8_000), 8_000) for name, clip in clips.items()}
    assert len(near_duplicates_between(narrow, codes)) == len(codes)


def test_other_takes_of_a_sentence_are_not_found() -> None:
    takes = {f"{number} {take}": fingerprint(talk(number, take), RATE) for number in SENTENCES for take in range(5)}
    assert near_duplicates(takes) == []
    assert near_duplicates({name: excerpt(code) for name, code in takes.items()}) == []


def test_the_same_samples_are_found_once_with_all_of_their_sound(codes: dict[str, bytes]) -> None:
    found = near_duplicates({**codes, "copy": codes["sentence 3"]})
    assert [(pair.first, pair.second, pair.similarity) for pair in found] == [("copy", "sentence 3", 1.0)]
    assert 2.0 < found[0].overlap <= 3.0


def test_windows_that_share_half_of_their_sound_are_found() -> None:
    sound = talk(2, seconds=9.0)
    for length, hop in ((2.0, 1.0), (3.0, 1.5)):
        starts = np.arange(0, 9 - length + 0.1, hop)
        windows = {
            f"{number}": fingerprint(sound[int(start * RATE) : int((start + length) * RATE)], RATE)
            for number, start in enumerate(starts)
        }
        found = {(pair.first, pair.second) for pair in near_duplicates(windows)}
        assert found == {(f"{number}", f"{number + 1}") for number in range(len(starts) - 1)}


def test_a_short_piece_is_found_in_a_long_recording() -> None:
    sound = np.concatenate([talk(number) for number in range(20, 40)])
    whole, piece = fingerprint(sound, RATE), fingerprint(sound[31 * RATE + 99 : 33 * RATE + 99], RATE)
    found = near_duplicates_between({"piece": piece}, {"whole": whole})
    assert [(pair.first, pair.second) for pair in found] == [("piece", "whole")]


def test_silence_hum_and_very_short_clips_match_nothing(codes: dict[str, bytes]) -> None:
    time = np.arange(3 * RATE) / RATE
    hum = (0.1 * np.sin(2 * np.pi * 300 * time)).astype(np.float32)
    sounds = [np.zeros(3 * RATE, np.float32), hum, talk(1)[: RATE // 4], talk(1)[8_000 : 8_000 + RATE // 2]]
    odd = {f"{number} {copy}": fingerprint(sound, RATE) for number, sound in enumerate(sounds) for copy in "ab"}
    odd |= {"empty a": b"", "empty b": b""}
    assert near_duplicates(odd) == []
    assert near_duplicates_between(odd, {name: code for name, code in codes.items() if name != "sentence 1"}) == []
    assert near_duplicates({}) == near_duplicates_between({}, codes) == near_duplicates_between(codes, {}) == []


def test_a_shared_beep_links_no_clips() -> None:
    time = np.arange(RATE // 2) / RATE
    beep = (0.3 * np.sin(2 * np.pi * 1_000 * time)).astype(np.float32)
    pause = np.zeros(RATE // 4, np.float32)
    beeped = {f"{number}": fingerprint(np.concatenate([beep, pause, talk(number)]), RATE) for number in SENTENCES}
    assert near_duplicates(beeped) == []


def test_the_order_of_codes_and_of_collections_changes_nothing(
    clips: dict[str, FloatArray], codes: dict[str, bytes]
) -> None:
    mixed = codes | {f"z {name}": fingerprint(speed(clip, 1.01), RATE) for name, clip in clips.items()}
    found = near_duplicates(mixed)
    assert len(found) == len(codes)
    assert found == sorted(found, key=lambda pair: (pair.first, pair.second))
    assert near_duplicates(dict(reversed(mixed.items()))) == found
    changed = {name: code for name, code in mixed.items() if name.startswith("z")}
    ours, theirs = near_duplicates_between(codes, changed), near_duplicates_between(changed, codes)
    assert {(one.first, one.second) for one in ours} == {(one.second, one.first) for one in theirs}
    assert [(one.first, one.second) for one in ours] == [(one.first, one.second) for one in found]


def test_many_copies_of_one_recording_are_linked(codes: dict[str, bytes]) -> None:
    copies = {f"{number:03d}": codes["sentence 1"] for number in range(200)}
    found = near_duplicates(copies)
    linked = {"000"}
    for pair in found:
        if pair.first in linked:
            linked.add(pair.second)
    assert linked == set(copies)


def test_codes_of_random_words_do_not_match() -> None:
    rng = np.random.default_rng(5)
    codes = {f"{number}": pack(rng.integers(1, 1 << 16, 90, dtype=np.uint16)) for number in range(2_000)}
    assert near_duplicates(codes) == []


def test_a_damaged_code_is_refused(codes: dict[str, bytes]) -> None:
    damaged = {"broken": codes["sentence 1"][:-1]}
    for search in (
        lambda: near_duplicates(damaged),
        lambda: near_duplicates_between(codes, damaged),
        lambda: near_duplicates_between(damaged, codes),
    ):
        with pytest.raises(ValueError, match="damaged"):
            search()


def test_similarity_falls_with_the_damage(clips: dict[str, FloatArray], codes: dict[str, bytes]) -> None:
    clip = clips["sentence 2"]
    level = np.sqrt(np.mean(clip**2))
    values = []
    for amount in (0.0, 0.03, 0.3):
        noisy = fingerprint(clip + np.float32(amount) * level * NOISE[: len(clip)], RATE)
        (pair,) = near_duplicates_between({"noisy": noisy}, {"clean": codes["sentence 2"]})
        assert isinstance(pair, NearDuplicate)
        values.append(pair.similarity)
    assert 1.0 == values[0] > values[1] > values[2] > 0.5
    assert unpack(codes["sentence 2"]).any()
