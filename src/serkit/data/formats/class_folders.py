"""Reads sound files without a table, whose paths tell the emotion.

The emotion is a folder, as in ``angry/a.wav``, ``train/sad/b.flac`` and ``Actor 1/happy/c.mp3``, or a part of the path
that a pattern finds, as in ``anna_angry_1.wav``.
"""

from pathlib import Path, PurePosixPath

from serkit.data.audio_files import SOUND_SUFFIXES, sound_files
from serkit.data.formats.row_to_utterance import SPLITS, OwnData, Reading, UtteranceBuilder, in_lower_case
from serkit.data.speaker_column import SpeakerColumn
from serkit.errors import CorpusError, LabelError
from serkit.labels import EMOTIONS
from serkit.types import LeftOut


def read(root: Path, own: OwnData, speakers: SpeakerColumn) -> Reading:
    """Read sound files whose paths tell the emotion.

    The emotion is what the data's pattern ``emotion`` finds in the path; without a pattern it is the name of the
    nearest folder that is a label, at any depth. A folder called train, validation or test tells the split.

    Args:
        root: Folder to read.
        own: Labels of the data, and the patterns that find speaker and emotion in a path.
        speakers: Speakers of the data, to which those of the utterances are added.

    Yields:
        An utterance for each sound file, or the reason why it was left out.

    Raises:
        CorpusError: If the pattern finds no emotion in any path.
        LabelError: If no folder above a file is a label, or the pattern finds an unknown one; the message lists the
            known labels.
    """
    if own.takes_emotion_from_path:
        yield from _read_names(root, own, speakers)
        return
    build = UtteranceBuilder(own, speakers).build
    known = {*own.emotions, *(in_lower_case(label) for label in own.leave_out)}
    for path in sound_files(root, SOUND_SUFFIXES):
        if len(path.parts) == 1:
            yield LeftOut(path.as_posix(), "not in a folder named after a label")
            continue
        names = [name for name in reversed(path.parts[:-1]) if in_lower_case(name) in known]
        if not names:
            raise LabelError(
                f"no folder above {path.as_posix()!r} is named after an emotion ({', '.join(EMOTIONS)}); "
                "map a folder name to one with --label 'NAME=EMOTION', or leave it out with --leave-out NAME. If the "
                "emotion is in the file names, pass --emotion PATTERN."
            )
        yield build({"emotion": names[0], "split": _split_of(path)}, path=path, where=path.as_posix())


def _read_names(root: Path, own: OwnData, speakers: SpeakerColumn) -> Reading:
    """Read sound files whose paths hold the label where the data's pattern finds it."""
    files = list(sound_files(root, SOUND_SUFFIXES))
    missed = [path for path in files if not own.label_in(path)]
    if files and len(missed) == len(files):
        raise CorpusError(
            f"the pattern {own.emotion!r} finds no emotion in any of the {len(files)} paths, the first is "
            f"{files[0].as_posix()!r}; its first group must be the label."
        )
    build, left_out = UtteranceBuilder(own, speakers).build, set(missed)
    for path in files:
        if path in left_out:
            first = missed[0].as_posix()
            yield LeftOut(path.as_posix(), f"the pattern {own.emotion!r} finds no emotion; the first is {first!r}")
        else:
            yield build({"split": _split_of(path)}, path=path, where=path.as_posix())


def _split_of(path: PurePosixPath) -> str:
    return next((SPLITS[name.lower()] for name in path.parts[:-1] if name.lower() in SPLITS), "")


def is_one(root: Path, own: OwnData) -> bool:
    """Whether at least one sound file lies in a folder named after an emotion, or a pattern finds the emotion."""
    if own.takes_emotion_from_path:
        return next(sound_files(root, SOUND_SUFFIXES), None) is not None
    emotions = own.emotions
    return any(
        in_lower_case(name) in emotions for path in sound_files(root, SOUND_SUFFIXES) for name in path.parts[:-1]
    )
