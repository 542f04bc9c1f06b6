"""Co-attention over cepstra, a picture and an encoder's frames, which document E takes from the literature."""

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from serkit.errors import RecipeError
from serkit.lab.features import Layout
from serkit.lab.models.blocks.alexnet2d import CHANNELS, SMALLEST, AlexNet2d
from serkit.lab.models.blocks.coattention_streams import Cepstra, OwnFrames, Picture, PretrainedFrames
from serkit.lab.models.blocks.head import Head
from serkit.lab.models.blocks.vit import VisionTransformer
from serkit.lab.models.contract import Body, BodyConfig, Output
from serkit.lab.models.crnn import CrnnConfig
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.spectrum import is_exporting

_DEVIATION_FLOOR = 1e-5  # of a variance
_SHARPNESS = 4.0  # at the start: cosines from -0.3 to 0.3 give weights from 1 to 11

Stream = Literal["mfcc", "picture", "encoder"]


@dataclass(frozen=True)
class CoAttentionConfig(BodyConfig):
    """Settings of :class:`CoAttention`.

    Attributes:
        sampling_rate: Of the ``waveform`` that it reads, in Hz.
        segment_seconds: What an utterance is cut into.
        streams: Which of the three parts hear; one alone shows what it is worth.
        lstm: Units of each direction over the MFCC.
        lstm_layers: How many.
        picture: What looks at the spectrogram.
        side: Height and width of the picture.
        alexnet: Channels of each of its convolutions.
        patch: Side of a patch of the vision transformer, a divisor of ``side``.
        width: Of each patch inside, a multiple of ``heads``.
        depth: Its blocks.
        heads: Of each of their self-attentions.
        encoder: A checkpoint of transformers, a folder or a name on the hub; empty for convolutions from scratch.
        revision: Of a hub name; empty for the newest.
        layer: Which of a checkpoint's hidden states: 0 is what enters the first transformer layer, -1 what leaves the
            last.
        encoder_rate: Share of the learning rate that a checkpoint's weights take; 0 leaves them as they are.
        stem: As ``crnn``'s, of the convolutions from scratch.
        halvings: Likewise.
        channels: Likewise.
        dilations: Likewise.
        vector: Numbers that each part hands over.
        embedding: D.
        masks: In training, stripes of bands and of frames that each part does not see.
        dropout: Before each part's numbers, the embedding and the output.
        parts_loss: In training each part also answers alone, and the mean of their losses counts so much beside the
            loss of the answer; 0 for the paper's one loss.
    """

    has_weights: ClassVar[bool] = True

    sampling_rate: int = 16_000
    segment_seconds: float = 3.0
    streams: tuple[Stream, ...] = ("mfcc", "picture", "encoder")
    lstm: int = 128
    lstm_layers: int = 2
    picture: Literal["alexnet", "vit"] = "alexnet"
    side: int = 224
    alexnet: tuple[int, ...] = CHANNELS
    patch: int = 16
    width: int = 192
    depth: int = 12
    heads: int = 3
    encoder: str = ""
    revision: str = ""
    layer: int = -1
    encoder_rate: float = 0.0
    stem: tuple[int, ...] = (16, 32, 48)
    halvings: int = 2
    channels: int = 192
    dilations: tuple[int, ...] = (1, 2, 4)
    vector: int = 128
    embedding: int = 128
    masks: int = 2
    dropout: float = 0.3
    parts_loss: float = 0.0

    def __post_init__(self) -> None:
        require(
            self,
            sampling_rate=self.sampling_rate > 0,
            segment_seconds=self.segment_seconds * self.sampling_rate >= 1,
            streams=len(self.streams) >= 1 and len(set(self.streams)) == len(self.streams),
            lstm=self.lstm >= 1,
            lstm_layers=self.lstm_layers >= 1,
            patch=self.patch >= 1,
            side=self.side >= SMALLEST if self.picture == "alexnet" else self.side % max(self.patch, 1) == 0,
            alexnet=len(self.alexnet) == len(CHANNELS) and all(n >= 2 and n % 2 == 0 for n in self.alexnet),
            heads=self.heads >= 1,
            width=self.width >= 1 and self.width % max(self.heads, 1) == 0,
            depth=self.depth >= 1,
            encoder_rate=self.encoder_rate >= 0,
            vector=self.vector >= 1,
            embedding=self.embedding >= 1,
            masks=self.masks >= 0,
            dropout=0 <= self.dropout < 1,
            parts_loss=self.parts_loss >= 0,
        )
        self.trunk()  # whose settings are checked there

    def trunk(self) -> CrnnConfig:
        """Return the settings of the convolutions from scratch."""
        return CrnnConfig(self.stem, self.halvings, self.channels, self.dilations)

    def without_files(self) -> "CoAttentionConfig":
        """Return the settings of a network whose checkpoint's weights are not read, though its settings are."""
        return _Architecture(**asdict(self))

    @classmethod
    def tiny(cls) -> "CoAttentionConfig":
        """The smallest network with every part, for tests."""
        return cls(
            segment_seconds=0.05, lstm=8, lstm_layers=1, side=64, alexnet=(8, 8, 8, 8, 8), width=16, depth=1, heads=2,
            stem=(4, 8), halvings=1, channels=16, dilations=(1,), vector=16, embedding=16, masks=1, dropout=0.05,
        )  # fmt: skip


class _Architecture(CoAttentionConfig):
    has_weights = False


class CoAttention(Body):
    """MFCC, a spectrogram picture and an encoder's frames, of which the first two say what to attend to.

    An utterance is cut into segments of 3 s. Of each, a bidirectional LSTM hears the MFCC, AlexNet or a vision
    transformer sees the spectrogram, and an encoder gives frames; what the two found makes the weights under which the
    frames are summed, and all three vectors make the answer.

    Source: H. Zou et al., Speech emotion recognition with co-attention based multi-level acoustic information, ICASSP
    2022, which document E follows; its vision transformer is the document's.

    Deviations:

    - The frames' weights are a softmax over how alike they are to what the two vectors ask for, so that there may be
      any number of frames; the paper has a dense layer with an output for each of its 149.
    - Beside the frames' sum under the weights stands their deviation, as in attentive statistics, and each part's
      numbers are brought to one scale by a batch norm: from scratch both are needed.
    - The LSTM's frames are pooled by attentive statistics, where the paper lays all 300 side by side.
    - The last segment begins early enough to be whole, where the paper fills it up: of a rest of 0.1 s there is little
      to hear, and its own mean and deviation would make noise as loud as speech. Both logits and embeddings are
      averaged.
    - Without ``encoder`` the frames come from convolutions trained from scratch, where the paper has wav2vec 2.0.
      That one stays as it is unless ``encoder_rate`` says otherwise; the paper trains it on.
    - AlexNet and the transformer start from scratch, where the paper's AlexNet has seen ImageNet, and see one channel;
      see :class:`~serkit.lab.models.blocks.alexnet2d.AlexNet2d`. In training, stripes of all that is heard are masked.
    - With ``parts_loss`` each part's vector is also asked for the emotion in training. Parts learn at different rates,
      and the one that is first keeps the others from learning (W. Wang et al., What makes training multi-modal
      classification networks hard?, CVPR 2020).
    - One part alone, ``streams``, is that part's vector; the encoder then attends by a query of its own.
    """

    def __init__(self, layout: Layout, classes: int, config: CoAttentionConfig) -> None:
        super().__init__(layout, classes, config)
        if layout.names != ("waveform",):
            raise RecipeError(
                f"coattention reads the waveform itself, not {' + '.join(layout.names)}: set features to waveform."
            )
        layout.check_rate(config.sampling_rate, "coattention")
        self.samples = round(config.segment_seconds * config.sampling_rate)
        self.hearing = nn.ModuleDict()
        self.vectors = nn.ModuleDict()
        for name, part in self._acoustic(config).items():
            self.hearing[name] = part
            self.vectors[name] = _vector(part.size, config)
        self.encoder = self._encoder(config) if "encoder" in config.streams else None
        if self.encoder is not None:
            context = config.vector * len(self.hearing)
            self.attend = CoAttentivePooling(context, self.encoder.size, config.vector)
            self.vectors["encoder"] = _vector(2 * self.encoder.size, config)
        self.head = Head(config.vector * len(config.streams), config.embedding, classes, dropout=config.dropout)
        self.embedding_size = config.embedding
        self.parts_loss = config.parts_loss if len(config.streams) > 1 else 0.0
        self.guesses = nn.ModuleList(
            nn.Linear(config.vector, classes) for _ in range(len(self.vectors) if self.parts_loss else 0)
        )

    def _acoustic(self, config: CoAttentionConfig) -> dict[str, Cepstra | Picture]:
        parts: dict[str, Cepstra | Picture] = {}
        if "mfcc" in config.streams:
            parts["mfcc"] = Cepstra(
                config.sampling_rate, units=config.lstm, layers=config.lstm_layers, masks=config.masks,
                dropout=config.dropout,
            )  # fmt: skip
        if "picture" in config.streams:
            network = (
                AlexNet2d(1, config.side, config.alexnet)
                if config.picture == "alexnet"
                else VisionTransformer(
                    1, config.side, patch=config.patch, width=config.width, depth=config.depth, heads=config.heads,
                    dropout=config.dropout / 3,
                )
            )  # fmt: skip
            parts["picture"] = Picture(config.sampling_rate, self.samples, config.side, network, masks=config.masks)
        return parts

    def _encoder(self, config: CoAttentionConfig) -> OwnFrames | PretrainedFrames:
        if not config.encoder:
            return OwnFrames(config.sampling_rate, config.trunk(), masks=config.masks)
        frames = PretrainedFrames(
            config.encoder, config.revision, layer=config.layer, samples=self.samples,
            is_frozen=config.encoder_rate == 0,
            has_weights=config.has_weights,
        )  # fmt: skip
        require(config, layer=-frames.encoder.layers - 1 <= config.layer <= frames.encoder.layers)
        return frames

    def rates(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Return the weights to train, a checkpoint's apart, and the share of the learning rate that they take."""
        rate = self.config.encoder_rate
        opened = {id(w) for w in self.encoder.parameters()} if isinstance(self.encoder, PretrainedFrames) else set()
        groups = [(1.0, [w for w in self.parameters() if id(w) not in opened])]
        return [*groups, (rate, [w for w in self.parameters() if id(w) in opened])] if opened and rate else groups

    def settle(self) -> None:
        """Drop what the parts alone answer with."""
        self.guesses = nn.ModuleList()

    def parts(self) -> dict[str, tuple[nn.Module, ...]]:
        """What a summary shows as a table of its own."""
        found: dict[str, tuple[nn.Module, ...]] = {
            name: (part, self.vectors[name]) for name, part in self.hearing.items()
        }
        if self.encoder is not None:
            found["encoder"] = (self.encoder, self.attend, self.vectors["encoder"])
        return {**found, "head": (self.head,)}

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances of ``lengths`` valid samples."""
        waveform = features[:, 0] * frame_mask(lengths, features.shape[2])
        segments, counts = cut_into_segments(waveform, lengths, self.samples)
        is_there = (counts > 0).to(features.dtype)
        shares = is_there / is_there.sum(1, keepdim=True)  # (B, S)
        flat = counts.flatten()
        if is_exporting():  # what is empty costs time, and counts for nothing
            answer = self._answer(segments[:, : features.shape[2]], flat.clamp(min=1))
            return Output(_mean(answer.logits, shares), _mean(answer.embedding, shares))
        is_heard = flat > 0  # what is empty must not reach a batch norm
        logits, embedding, parts = self._answer(segments[is_heard, : int(flat.max())], flat[is_heard])

        def mean(answer: Tensor) -> Tensor:
            return _mean(_spread(answer, is_heard), shares)

        return Output(mean(logits), mean(embedding), tuple(mean(part) for part in parts))

    def _answer(self, segments: Tensor, lengths: Tensor) -> Output:
        """Classify segments (M, T) of ``lengths`` valid samples (M,)."""
        found = [self.vectors[name](part(segments, lengths)) for name, part in self.hearing.items()]
        if self.encoder is not None:
            frames, counts = self.encoder(segments, lengths)  # (M, D, N)
            found.append(self.vectors["encoder"](self.attend(frames, counts, torch.cat(found, 1) if found else None)))
        output: Output = self.head(torch.cat(found, dim=1))
        if not (self.training and self.guesses):
            return output
        return output._replace(parts=tuple(guess(part) for guess, part in zip(self.guesses, found, strict=True)))


class CoAttentivePooling(nn.Module):
    """Mean and deviation of frames (M, D, N) under weights that a context (M, C) gives them, (M, 2D).

    A weight is the softmax of the cosine of query and key, times a number that is learned: with their plain product one
    frame soon takes all the weight, and the encoder learns no more.

    Args:
        context: C; 0 for a query that is learned and the same for all.
        size: D.
        width: Of queries and keys.
    """

    def __init__(self, context: int, size: int, width: int) -> None:
        super().__init__()
        self.ask = nn.Linear(context, width) if context else None
        self.query = None if context else nn.Parameter(torch.randn(1, width))
        self.keys = nn.Conv1d(size, width, 1, bias=False)
        self.sharpness = nn.Parameter(torch.tensor(_SHARPNESS))

    def weights(self, frames: Tensor, counts: Tensor, context: Tensor | None) -> Tensor:
        """Return the weight of each frame, (M, 1, N): 0 behind a segment's end, and 1 together."""
        query = self.query if self.ask is None else self.ask(context)
        assert query is not None
        keys = functional.normalize(self.keys(frames).float(), dim=1)  # (M, width, N)
        likeness = self.sharpness * (functional.normalize(query.float(), dim=1)[..., None] * keys).sum(1, keepdim=True)
        mask = frame_mask(counts, frames.shape[2])[:, None, :]
        return likeness.masked_fill(~mask, -torch.inf).softmax(-1)

    def forward(self, frames: Tensor, counts: Tensor, context: Tensor | None) -> Tensor:
        """Pool ``counts`` valid frames (M,)."""
        weights = self.weights(frames, counts, context)
        mean = (weights * frames).sum(2, keepdim=True)
        variance = (weights * (frames - mean).square()).sum(2)
        return torch.cat([mean[..., 0], (variance + _DEVIATION_FLOOR).sqrt()], dim=1)


def cut_into_segments(waveform: Tensor, lengths: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Cut (B, T) into segments of so many samples, of which the last begins early enough to be whole.

    Returns:
        Segments (B * S, samples), those of an utterance one after the other, zeros filling up one that is shorter, and
        their valid samples (B, S), 0 for one, of any sound, that lies behind its utterance's end.
    """
    count = (waveform.shape[1] + samples - 1) // samples
    filled = functional.pad(waveform, (0, count * samples - waveform.shape[1]))
    first = torch.arange(count, device=lengths.device)[None, :] * samples  # (1, S)
    counts = (first < lengths[:, None]) * lengths[:, None].clamp(max=samples)
    first = torch.minimum(first, (lengths[:, None] - samples).clamp(min=0))  # (B, S)
    places = first[:, :, None] + torch.arange(samples, device=lengths.device)
    return filled.gather(1, places.flatten(1)).reshape(-1, samples), counts


def _vector(size: int, config: CoAttentionConfig) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm1d(size), nn.Dropout(config.dropout), nn.Linear(size, config.vector), nn.ReLU())


def _spread(answer: Tensor, is_heard: Tensor) -> Tensor:
    """Return (M, C) at its places among all segments (B * S, C), zero elsewhere."""
    spread = answer.new_zeros(len(is_heard), answer.shape[1])
    spread[is_heard] = answer
    return spread


def _mean(answer: Tensor, shares: Tensor) -> Tensor:
    """Return the mean (B, C) of segments (B * S, C) that count so much (B, S) in their utterances."""
    return (answer.reshape(shares.shape[0], shares.shape[1], -1) * shares[..., None]).sum(1)
