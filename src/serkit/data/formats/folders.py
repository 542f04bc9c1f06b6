"""A folder per emotion: ``angry/a.wav``, ``train/sad/b.flac``, ``Actor 1/happy/c.mp3``."""

from pathlib import Path

from serkit.data.find import SOUND_SUFFIXES, sound_files
from serkit.data.formats.own_labels import SPLITS, Builder, OwnData, Reading, in_lower_case
from serkit.errors import LabelError
from serkit.labels import EMOTIONS
from serkit.types import LeftOut


def read(root: Path, own: OwnData) -> Reading:
    """Read a folder per emotion.

    Args:
        root: Files lie at any depth below it; the nearest folder whose name is a label says the emotion, and one called
            train, validation or test the split.
        own: Labels, and how the path tells the speaker.

    Yields:
        An utterance, or what is left out, for each sound file.

    Raises:
        LabelError: If a file lies in folders of which none is a label; the message lists the known ones.
    """
    build = Builder(own).build
    known = {*own.emotions, *(in_lower_case(label) for label in own.leave_out)}
    for path in sound_files(root, SOUND_SUFFIXES):
        if len(path.parts) == 1:
            yield LeftOut(path.as_posix(), "in no folder that could be its label")
            continue
        names = [name for name in reversed(path.parts[:-1]) if in_lower_case(name) in known]
        if not names:
            raise LabelError(
                f"no folder on the way to {path.as_posix()!r} is an emotion; name each after its label "
                f"({', '.join(EMOTIONS)}), or say what a name means: --label 'NAME=EMOTION' or --leave-out NAME."
            )
        splits = [SPLITS[name.lower()] for name in path.parts[:-1] if name.lower() in SPLITS]
        yield build({"emotion": names[0], "split": splits[0] if splits else ""}, path=path, where=path.as_posix())


def is_one(root: Path, own: OwnData) -> bool:
    """Whether some sound file lies in a folder that is named after an emotion."""
    emotions = own.emotions
    return any(
        in_lower_case(name) in emotions for path in sound_files(root, SOUND_SUFFIXES) for name in path.parts[:-1]
    )
