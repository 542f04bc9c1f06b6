"""Reads a folder per emotion: ``angry/a.wav``, ``train/sad/b.flac``, ``Actor 1/happy/c.mp3``."""

from pathlib import Path

from serkit.data.audio_files import SOUND_SUFFIXES, sound_files
from serkit.data.formats.row_to_utterance import SPLITS, OwnData, Reading, UtteranceBuilder, in_lower_case
from serkit.errors import LabelError
from serkit.labels import EMOTIONS
from serkit.types import LeftOut


def read(root: Path, own: OwnData) -> Reading:
    """Read sound files whose folder names tell the emotion.

    The emotion is the name of the nearest folder that is a label, at any depth. A folder called train, validation or
    test tells the split.

    Args:
        root: Folder to read.
        own: Labels of the data, and the pattern that finds the speaker in a path.

    Yields:
        An utterance for each sound file, or the reason why it was left out.

    Raises:
        LabelError: If no folder above a file is a label; the message lists the known labels.
    """
    build = UtteranceBuilder(own).build
    known = {*own.emotions, *(in_lower_case(label) for label in own.leave_out)}
    for path in sound_files(root, SOUND_SUFFIXES):
        if len(path.parts) == 1:
            yield LeftOut(path.as_posix(), "not in a folder named after a label")
            continue
        names = [name for name in reversed(path.parts[:-1]) if in_lower_case(name) in known]
        if not names:
            raise LabelError(
                f"no folder above {path.as_posix()!r} is named after an emotion ({', '.join(EMOTIONS)}); "
                "map a folder name to one with --label 'NAME=EMOTION', or leave it out with --leave-out NAME."
            )
        splits = [SPLITS[name.lower()] for name in path.parts[:-1] if name.lower() in SPLITS]
        yield build({"emotion": names[0], "split": splits[0] if splits else ""}, path=path, where=path.as_posix())


def is_one(root: Path, own: OwnData) -> bool:
    """Whether at least one sound file lies in a folder named after an emotion."""
    emotions = own.emotions
    return any(
        in_lower_case(name) in emotions for path in sound_files(root, SOUND_SUFFIXES) for name in path.parts[:-1]
    )
