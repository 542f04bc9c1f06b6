import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serkit.audio import recordings
from serkit.audio.decode import read_file
from serkit.audio.recordings import open_recording
from serkit.errors import NonFiniteAudioError, SamplingRateError
from serkit.types import FloatArray


@pytest.fixture
def sound() -> FloatArray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (2, 25_000)).astype(np.float32)


def read(audio: object, **more: int) -> tuple[FloatArray, list[int], int]:
    with open_recording(audio, **more) as recording:  # type: ignore[arg-type]
        pieces = list(recording.blocks)
    assert {len(piece) for piece in pieces} == {recording.channels}
    return np.concatenate(pieces, axis=1), [piece.shape[1] for piece in pieces], recording.sampling_rate


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_pieces_put_together_are_the_whole(
    sound: FloatArray, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "_SECONDS", 1)
    file = tmp_path / f"sound.{ending}"
    soundfile.write(file, sound.T, 8_000)
    whole, rate = read_file(file)
    for source in (file, io.BytesIO(file.read_bytes())):
        found, sizes, found_rate = read(source)
        np.testing.assert_array_equal(found, whole)
        assert found_rate == rate
        assert sizes[:-1] == [8_000] * (len(sizes) - 1)


def test_a_container_is_read_in_pieces_too(sound: FloatArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    av = pytest.importorskip("av", reason="needs serkit[media]")
    monkeypatch.setattr(recordings, "_SECONDS", 1)
    file = tmp_path / "sound.m4a"
    with av.open(file, "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=8_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(
            (sound.T.reshape(1, -1) * 32_767).astype(np.int16), format="s16", layout="stereo"
        )
        frame.sample_rate = 8_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    whole, _ = read_file(file)
    found, sizes, _ = read(file)
    np.testing.assert_array_equal(found, whole)
    assert len(sizes) > 1


def test_an_array_is_cut_too(sound: FloatArray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "_SECONDS", 1)
    found, sizes, rate = read(sound, sampling_rate=8_000)
    np.testing.assert_array_equal(found, sound)
    assert (sizes, rate) == ([8_000, 8_000, 8_000, 1_000], 8_000)


def test_a_rate_is_for_arrays_and_only_for_them(sound: FloatArray, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sound.wav", sound.T, 8_000)
    with pytest.raises(SamplingRateError, match="is for arrays only"):
        read(tmp_path / "sound.wav", sampling_rate=8_000)
    with pytest.raises(SamplingRateError, match="pass sampling_rate"):
        read(sound)


def test_what_is_no_number_is_found_in_the_piece_that_holds_it(
    sound: FloatArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "_SECONDS", 1)
    sound[1, 20_000] = np.nan
    soundfile.write(tmp_path / "sound.wav", sound.T, 8_000, subtype="FLOAT")
    with open_recording(tmp_path / "sound.wav") as recording:
        assert next(recording.blocks).shape == next(recording.blocks).shape == (2, 8_000)
        with pytest.raises(NonFiniteAudioError, match=r"sound\.wav' has NaN"):
            next(recording.blocks)
