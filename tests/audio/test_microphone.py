import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile

from serkit.audio import microphone
from serkit.audio.microphone import from_file, from_microphone
from serkit.errors import AudioNotFoundError, AudioUnreadableError, MissingExtraError


class Device(ModuleType):
    """A sounddevice with one microphone of two channels, which sends three pieces and falls silent."""

    class PortAudioError(Exception):
        pass

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.is_open = False

    def query_devices(self, device: Any, kind: str) -> dict[str, Any]:
        if device not in (None, 3, "USB"):
            raise ValueError(f"No input device matching {device!r}")
        return {"name": "USB microphone", "default_samplerate": 44_100.0, "max_input_channels": 2}

    def InputStream(self, *, callback: Callable[..., None], blocksize: int, channels: int, **about: Any) -> Any:
        outer = self

        class Opened:
            def __enter__(self) -> None:
                outer.is_open = True
                for value in (0.1, 0.2, 0.3):
                    block = np.full((blocksize, channels), value, np.float32)
                    callback(block, blocksize, None, None)
                    block[:] = 9  # PortAudio's buffer is its own

            def __exit__(self, *error: object) -> None:
                outer.is_open = False

        return Opened()


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    found = Device()
    monkeypatch.setitem(sys.modules, "sounddevice", found)
    monkeypatch.setattr(microphone, "_PATIENCE", 0.05)
    return found


@pytest.mark.parametrize("name", [None, "3", "USB"])
def test_a_microphone_is_heard_at_its_own_rate_mixed_and_let_go(device: Device, name: str | None) -> None:
    with from_microphone(name) as source:
        assert (source.name, source.sampling_rate, device.is_open) == ("USB microphone", 44_100, True)
        pieces = [next(source.pieces) for _ in range(3)]
        with pytest.raises(AudioUnreadableError, match="has sent nothing"):
            next(source.pieces)
    assert not device.is_open
    assert [piece.shape for piece in pieces] == [(4_410,)] * 3
    np.testing.assert_allclose([piece[0] for piece in pieces], [0.1, 0.2, 0.3])


def test_what_a_slow_listener_loses_is_counted_and_takes_no_memory(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(microphone, "_WAITING", 2)
    with from_microphone() as source:
        assert [next(source.pieces)[0] for _ in range(2)] == pytest.approx([0.1, 0.2])
        assert source.lost == [1]


def test_a_microphone_that_is_not_there_is_named(device: Device) -> None:
    with pytest.raises(AudioUnreadableError, match="cannot open the microphone 'Webcam'"), from_microphone("Webcam"):
        pass


def test_a_microphone_that_does_not_start_is_named(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy:
        def __enter__(self) -> None:
            raise device.PortAudioError("device busy")

        def __exit__(self, *error: object) -> None:
            raise AssertionError("it was never open")

    monkeypatch.setattr(device, "InputStream", lambda **about: Busy())
    with pytest.raises(AudioUnreadableError, match="cannot open a microphone: device busy"), from_microphone():
        pass


def test_without_sounddevice_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingExtraError, match=r"serkit\[mic\]"), from_microphone():
        pass


def test_a_file_is_played_at_the_speed_that_was_asked_for(tmp_path: Path) -> None:
    sound = np.linspace(-0.5, 0.5, 8_000, dtype=np.float32)
    soundfile.write(tmp_path / "sound.wav", sound, 8_000, subtype="FLOAT")
    began = time.monotonic()
    with from_file(tmp_path / "sound.wav", speed=4) as source:
        pieces = list(source.pieces)
    assert time.monotonic() - began >= 0.24, "a second at four times its speed"
    assert [len(piece) for piece in pieces] == [800] * 10
    np.testing.assert_array_equal(np.concatenate(pieces), sound)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioNotFoundError), from_file(tmp_path / "gone.wav"):
        pass
