"""Audio of a corpus inside a page, for the errors that are worth hearing."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serkit.audio.decode import load_audio
from serkit.data.corpora import Data, corpus_of, read_corpora
from serkit.errors import AudioError
from serkit.lab.measure.run_folder import Row
from serkit.types import FloatArray

SAMPLING_RATE = 16_000
MAX_SECONDS = 10


@dataclass(frozen=True)
class Sounds:
    """Recordings that go into a page.

    Attributes:
        sources: Utterance to the ``data:`` address of its audio.
        missing: How many were not found, or could not be decoded.
        licenses: Title and license of each corpus that one is of.
    """

    sources: dict[str, str]
    missing: int
    licenses: tuple[tuple[str, str], ...]


def embed(rows: Sequence[Row], corpora: Iterable[str], data: Data) -> Sounds:
    """Encode the audio of some utterances: Ogg Opus, mono, 16 kHz, ten seconds at most.

    Args:
        rows: Of the utterances.
        corpora: Of the run.
        data: Where they lie, see :func:`serkit.data.corpora.read_corpora`.

    Raises:
        CorpusError: If a corpus is not there.
    """
    manifest = read_corpora(corpora, data)
    wanted = {row.utterance for row in rows}
    sources: dict[str, str] = {}
    for u in manifest.filter(lambda u: u.id in wanted):
        try:
            whole = load_audio(manifest.audio_path(u), target_rate=SAMPLING_RATE)
        except AudioError:
            continue
        end = len(whole) if u.end is None else round(u.end * SAMPLING_RATE)
        samples = whole[round(u.start * SAMPLING_RATE) : end]
        if len(samples):
            sources[u.id] = _as_address(samples[: MAX_SECONDS * SAMPLING_RATE])
    found = sorted({row.corpus for row in rows if row.utterance in sources})
    licenses = tuple((corpus_of(name).title, corpus_of(name).license) for name in found)
    return Sounds(sources, len(wanted - sources.keys()), licenses)


def _as_address(samples: FloatArray) -> str:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples.clip(-1, 1), SAMPLING_RATE, format="OGG", subtype="OPUS")
    return f"data:audio/ogg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
