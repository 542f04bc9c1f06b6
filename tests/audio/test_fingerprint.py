import numpy as np
import pytest

from serkit.audio.fingerprint import BYTES_PER_SECOND, excerpt, fingerprint, pack, unpack
from serkit.errors import SamplingRateError
from support.talking import RATE, talk

HEADER = 4


@pytest.fixture(scope="module")
def code() -> bytes:
    return fingerprint(talk(1), RATE)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 3.0, 7.3])
def test_a_code_has_at_most_64_bytes_a_second(seconds: float) -> None:
    assert BYTES_PER_SECOND <= 64
    assert HEADER < len(fingerprint(talk(1, seconds=seconds), RATE)) <= BYTES_PER_SECOND * seconds


def test_one_sound_has_one_code_at_any_level_and_polarity(code: bytes) -> None:
    assert fingerprint(talk(1), RATE) == code
    for gain in (0.1, 10.0, -1.0):
        changed = unpack(fingerprint(np.float32(gain) * talk(1), RATE)) ^ unpack(code)
        assert sum(int(word).bit_count() for word in changed) <= 2


def test_the_code_does_not_depend_on_the_length_of_what_is_computed_at_once() -> None:
    """Two minutes are more than one block of words."""
    sound = np.tile(talk(1, seconds=4.096), 40)  # 128 words
    words = unpack(fingerprint(sound, RATE))
    assert len(words) > 4096
    first, last = words[128:256], words[128 * 38 : 128 * 39]
    assert np.count_nonzero(first) > 90
    assert np.mean(first == last) > 0.99


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.2, 0.303])
def test_sound_shorter_than_a_patch_has_no_words(seconds: float) -> None:
    assert len(unpack(fingerprint(talk(1, seconds=1.0)[: int(seconds * RATE)], RATE))) == 0


def test_silence_and_hum_are_words_of_zero() -> None:
    time = np.arange(3 * RATE) / RATE
    hum = sum(np.sin(2 * np.pi * 50 * number * time) / number for number in range(1, 20))
    for sound in (np.zeros(3 * RATE), np.full(3 * RATE, 0.5), 0.1 * hum):
        words = unpack(fingerprint(sound.astype(np.float32), RATE))
        assert len(words) > 80
        assert not words.any()


def test_pauses_are_words_of_zero() -> None:
    sound = np.concatenate([talk(1), np.zeros(2 * RATE, np.float32), talk(2)])
    words = unpack(fingerprint(sound, RATE))
    inside = words[int(3.1 / 0.032) : int(4.6 / 0.032)]
    assert not inside.any()
    assert np.count_nonzero(words) > 100


def test_rates_from_below_8_khz_to_192_khz_are_read() -> None:
    for rate in (6_000, 8_000, 44_100, 192_000):
        assert len(unpack(fingerprint(np.resize(talk(1), 2 * rate), rate))) == pytest.approx(2 / 0.032 - 9, abs=2)
    with pytest.raises(SamplingRateError):
        fingerprint(talk(1), 3)


def test_an_excerpt_has_at_most_186_bytes_and_the_middle_of_the_sound() -> None:
    code = fingerprint(talk(1, seconds=9.0), RATE)
    short = excerpt(code)
    assert len(short) == 186
    words, part = unpack(code).tolist(), unpack(short).tolist()
    places = [start for start in range(len(words)) if words[start : start + len(part)] == part]
    assert len(places) == 1
    assert len(words) / 5 < places[0] + len(part) / 2 < 4 * len(words) / 5
    assert excerpt(short) == short
    assert excerpt(pack(np.zeros(200, np.uint16))) == pack(np.zeros(91, np.uint16))
    assert excerpt(b"") == b""


def test_a_damaged_code_is_refused(code: bytes) -> None:
    flipped = bytearray(code)
    flipped[-1] ^= 1
    for damaged in (code[:-1], code[:-2], code[:3], code[1:], bytes(flipped), code + b"\0\0", b"\x02" + code[1:]):
        with pytest.raises(ValueError, match=r"fingerprint .*Compute it again"):
            unpack(damaged)
        with pytest.raises(ValueError, match=r"fingerprint .*Compute it again"):
            excerpt(damaged)


def test_what_a_code_says_is_kept_when_it_is_packed() -> None:
    words = np.random.default_rng(3).integers(0, 1 << 16, 100, dtype=np.uint16)
    assert unpack(pack(words)).tolist() == words.tolist()
