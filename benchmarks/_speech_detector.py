"""Imports from the tools what the benchmark of the speech detector needs: sounds, and labels of frames."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from speech_detector.scenes import label_frames
from speech_detector.sounds import HELD_OUT, KINDS, active_level, make_sound
from speech_detector.spectra import HOP

__all__ = ["HELD_OUT", "HOP", "KINDS", "active_level", "label_frames", "make_sound"]
