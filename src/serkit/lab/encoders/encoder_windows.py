"""Windows of long waveforms for an encoder, whose frames can be joined."""

from itertools import pairwise
from math import ceil


def window_spans(size: int, *, first: int, stride: int, longest: int) -> list[tuple[int, int]]:
    """Return the windows (begin, end) of a waveform in samples, so that together they give the frames of the whole.

    The windows have the same number of frames, give or take one for each window. Frame i of a window covers the same
    samples as in the whole waveform: neighboring windows overlap by the ``first - stride`` samples that the first
    convolutions of a frame need. No frame is dropped or computed twice at a seam. The transformer layers do not look
    across a seam, and neither does a group norm.

    Args:
        size: Length of the waveform, at least ``first``.
        first: Number of samples of the first frame.
        stride: Number of samples from one frame to the next.
        longest: Longest window.

    Example:
        >>> window_spans(2000, first=400, stride=320, longest=1400)
        [(0, 1040), (960, 2000)]
    """
    if size <= longest:
        return [(0, size)]
    frames = (size - first) // stride + 1
    most = (longest - first) // stride  # one less than fits, since the last window also takes the rest of a stride
    windows = ceil(frames / max(most, 1))
    edges = [frames * i // windows for i in range(windows + 1)]
    spans = [(begin * stride, (end - 1) * stride + first) for begin, end in pairwise(edges)]
    return [*spans[:-1], (spans[-1][0], size)]
