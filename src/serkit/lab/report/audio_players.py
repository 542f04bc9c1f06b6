"""Audio of utterances embedded in a page, for players beside the most confident errors."""

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
class EmbeddedAudio:
    """Audio that goes into a page.

    Attributes:
        sources: ``data:`` URL of each utterance's audio.
        missing: Number of utterances that were not found or could not be decoded.
        licenses: Title and license of each corpus that the audio comes from.
    """

    sources: dict[str, str]
    missing: int
    licenses: tuple[tuple[str, str], ...]


def embed_audio(rows: Sequence[Row], corpora: Iterable[str], data: Data) -> EmbeddedAudio:
    """Encode the audio of utterances as Ogg Opus: mono, 16 kHz, at most ten seconds each.

    Args:
        rows: Predictions of the utterances.
        corpora: Names of the tested corpora.
        data: Folders of the corpora, see :func:`serkit.data.corpora.read_corpora`.

    Raises:
        CorpusError: If a corpus is not in ``data``.
    """
    manifest = read_corpora(corpora, data, keep_faulty=True)
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
            sources[u.id] = _data_url(samples[: MAX_SECONDS * SAMPLING_RATE])
    found = sorted({row.corpus for row in rows if row.utterance in sources})
    licenses = tuple((corpus_of(name).title, corpus_of(name).license) for name in found)
    return EmbeddedAudio(sources, len(wanted - sources.keys()), licenses)


def _data_url(samples: FloatArray) -> str:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples.clip(-1, 1), SAMPLING_RATE, format="OGG", subtype="OPUS")
    return f"data:audio/ogg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
