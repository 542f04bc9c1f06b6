import numpy as np

from serkit.audio.fingerprint import fingerprint
from serkit.data.near_duplicates import near_duplicates, near_duplicates_between


def test_silence_and_empty_codes_match_nothing() -> None:
    silence = fingerprint(np.zeros(48_000, np.float32), 16_000)
    codes = {"a": silence, "b": silence, "c": b"", "d": fingerprint(np.ones(10, np.float32), 16_000)}
    assert near_duplicates(codes) == []
    assert near_duplicates({}) == []
    assert near_duplicates_between(codes, codes) == []
    assert near_duplicates_between({}, codes) == []
