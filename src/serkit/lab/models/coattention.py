"""Co-attention over MFCC, a spectrogram picture and an encoder's frames, from the iemocap-coattention report."""

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
from serkit.lab.models.blocks.vision_transformer import VisionTransformer
from serkit.lab.models.body import Body, BodyConfig, Output
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.spectrum import is_exporting

_VARIANCE_FLOOR = 1e-5
_SHARPNESS = 4.0  # initial value; cosines of -0.3 and 0.3 give weights in the ratio 1 to 11

Stream = Literal["mfcc", "picture", "encoder"]


@dataclass(frozen=True)
class CoAttentionConfig(BodyConfig):
    """Settings of :class:`CoAttention`.

    Attributes:
        sampling_rate: Sampling rate of the waveform in Hz.
        segment_seconds: Duration of the segments that an utterance is cut into.
        streams: Streams that the model has, one to three of ``mfcc``, ``picture`` and ``encoder``.
        lstm: Units of the LSTM over the MFCC in each direction.
        lstm_layers: Number of LSTM layers.
        picture: Network that reads the spectrogram picture.
        side: Height and width of the picture.
        alexnet: Channels of AlexNet's convolutions.
        patch: Height and width of the vision transformer's patches, a divisor of ``side``.
        width: Numbers per patch inside the vision transformer, a multiple of ``heads``.
        depth: Number of blocks of the vision transformer.
        heads: Heads of each self-attention layer of the vision transformer.
        encoder: Folder or hub name of a transformers checkpoint; empty for convolutions trained from scratch.
        revision: Branch, tag or commit of a hub name; empty for the newest.
        layer: Hidden states of the checkpoint to use: 0 for the input of the first transformer layer, -1 for the
            output of the last.
        encoder_rate: Factor on the learning rate for the checkpoint's weights; 0 freezes them.
        stem: Channels of the 2-D convolutions trained from scratch; each halves the bands.
        halvings: Number of 2-D convolutions that halve the frame rate too.
        channels: Channels of the residual 1-D convolutions trained from scratch.
        dilations: Dilation of each residual block.
        vector: Size of the vector that each stream gives.
        embedding: D.
        masks: Number of masked stripes of bands, and of frames, that each stream gets in training.
        dropout: Dropout rate before each stream's vector, the embedding and the output layer.
        parts_loss: Weight of the mean loss of the streams' own classifiers, relative to the loss of the whole model;
            0 for the paper's single loss.
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
            stem=bool(self.stem) and min(self.stem) >= 1,
            halvings=self.halvings >= 0,
            channels=self.channels >= 1,
            dilations=all(dilation >= 1 for dilation in self.dilations),
            encoder_rate=self.encoder_rate >= 0,
            vector=self.vector >= 1,
            embedding=self.embedding >= 1,
            masks=self.masks >= 0,
            dropout=0 <= self.dropout < 1,
            parts_loss=self.parts_loss >= 0,
        )

    def without_files(self) -> "CoAttentionConfig":
        """Return settings with which only the checkpoint's configuration is read, not its weights."""
        return _CoAttentionWithoutWeights(**asdict(self))

    @classmethod
    def tiny(cls) -> "CoAttentionConfig":
        """Return the settings of the smallest network with every part, for tests."""
        return cls(
            segment_seconds=0.05, lstm=8, lstm_layers=1, side=64, alexnet=(8, 8, 8, 8, 8), width=16, depth=1, heads=2,
            stem=(4, 8), halvings=1, channels=16, dilations=(1,), vector=16, embedding=16, masks=1, dropout=0.05,
        )  # fmt: skip


class _CoAttentionWithoutWeights(CoAttentionConfig):
    has_weights = False


class CoAttention(Body):
    """Co-attention of three streams: MFCC, a spectrogram picture and an encoder's frames.

    An utterance is cut into segments of 3 s. For each segment, a bidirectional LSTM reads the MFCC, AlexNet or a vision
    transformer reads the spectrogram picture, and an encoder computes frames. The vectors of the first two streams
    determine the weights with which the encoder's frames are pooled. All three vectors together are classified.

    Source: H. Zou et al., Speech emotion recognition with co-attention based multi-level acoustic information, ICASSP
    2022, which the iemocap-coattention report follows; the vision transformer is the report's addition.

    Deviations from the paper:

    - A frame's weight is a softmax over the similarity of its key with the query of the other two vectors, so that
      there may be any number of frames; the paper has a dense layer with one output for each of its 149 frames.
    - Beside the weighted mean of the frames there is their weighted deviation, as in attentive statistics, and a batch
      norm brings the streams to one scale. Training from scratch needs both.
    - The LSTM's frames are pooled by attentive statistics, where the paper concatenates all 300.
    - The last segment starts early enough to be whole, where the paper pads it. A rest of 0.1 s contains little
      information, and normalizing it by its own mean and deviation would make noise as loud as speech. Logits and
      embeddings of the segments are averaged.
    - Without ``encoder``, the frames come from convolutions trained from scratch, where the paper has wav2vec 2.0. A
      checkpoint is frozen unless ``encoder_rate`` is above 0; the paper fine-tunes it.
    - AlexNet and the vision transformer are trained from scratch on one channel, where the paper's AlexNet is
      pretrained on ImageNet; see :class:`~serkit.lab.models.blocks.alexnet2d.AlexNet2d`. In training, stripes of all
      spectra are masked.
    - With ``parts_loss``, each stream's vector is also classified alone in training. Streams learn at different rates,
      and the fastest one keeps the others from learning (W. Wang et al., What makes training multi-modal
      classification networks hard?, CVPR 2020).
    - With a single stream in ``streams``, that stream's vector is classified; the encoder's frames are then pooled by a
      learned query.
    """

    def __init__(self, layout: Layout, classes: int, config: CoAttentionConfig) -> None:
        super().__init__(layout, classes, config)
        if layout.names != ("waveform",):
            raise RecipeError(
                f"coattention reads the waveform, not {' + '.join(layout.names)}: set features: [waveform]."
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
            return OwnFrames(
                config.sampling_rate, stem=config.stem, halvings=config.halvings, channels=config.channels,
                dilations=config.dilations, masks=config.masks,
            )  # fmt: skip
        frames = PretrainedFrames(
            config.encoder, config.revision, layer=config.layer, samples=self.samples,
            is_frozen=config.encoder_rate == 0,
            has_weights=config.has_weights,
        )  # fmt: skip
        require(config, layer=-frames.encoder.layers - 1 <= config.layer <= frames.encoder.layers)
        return frames

    def rates(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Return the weights to train in groups, the checkpoint's apart, with their factors on the learning rate."""
        rate = self.config.encoder_rate
        opened = {id(w) for w in self.encoder.parameters()} if isinstance(self.encoder, PretrainedFrames) else set()
        groups = [(1.0, [w for w in self.parameters() if id(w) not in opened])]
        return [*groups, (rate, [w for w in self.parameters() if id(w) in opened])] if opened and rate else groups

    def settle(self) -> None:
        """Remove the streams' own classifiers, which only training needs."""
        self.guesses = nn.ModuleList()

    def parts(self) -> dict[str, tuple[nn.Module, ...]]:
        """Return the parts that ``serkit models show`` prints as tables of their own."""
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
        if is_exporting():  # a graph computes empty segments too; their share is 0
            answer = self._answer(segments[:, : features.shape[2]], flat.clamp(min=1))
            return Output(_mean(answer.logits, shares), _mean(answer.embedding, shares))
        is_heard = flat > 0  # empty segments must not reach a batch norm
        logits, embedding, parts = self._answer(segments[is_heard, : int(flat.max())], flat[is_heard])

        def mean(answer: Tensor) -> Tensor:
            return _mean(_spread(answer, is_heard), shares)

        return Output(mean(logits), mean(embedding), tuple(mean(part) for part in parts))

    def _answer(self, segments: Tensor, lengths: Tensor) -> Output:
        """Classify segments (M, T) of ``lengths`` (M,) valid samples."""
        found = [self.vectors[name](part(segments, lengths)) for name, part in self.hearing.items()]
        if self.encoder is not None:
            frames, counts = self.encoder(segments, lengths)  # (M, D, N)
            found.append(self.vectors["encoder"](self.attend(frames, counts, torch.cat(found, 1) if found else None)))
        output: Output = self.head(torch.cat(found, dim=1))
        if not (self.training and self.guesses):
            return output
        return output._replace(parts=tuple(guess(part) for guess, part in zip(self.guesses, found, strict=True)))


class CoAttentivePooling(nn.Module):
    """Weighted mean and deviation of frames, (M, D, N) to (M, 2D), with weights from a context (M, C).

    The weights are the softmax of the cosine of query and key, times a learned factor. With the plain product of query
    and key, one frame soon takes all the weight, and the encoder stops learning.

    Args:
        context: C; 0 for one learned query.
        size: D.
        width: Size of queries and keys.
    """

    def __init__(self, context: int, size: int, width: int) -> None:
        super().__init__()
        self.ask = nn.Linear(context, width) if context else None
        self.query = None if context else nn.Parameter(torch.randn(1, width))
        self.keys = nn.Conv1d(size, width, 1, bias=False)
        self.sharpness = nn.Parameter(torch.tensor(_SHARPNESS))

    def weights(self, frames: Tensor, counts: Tensor, context: Tensor | None) -> Tensor:
        """Return the weight of each frame, (M, 1, N): 0 in the padding, with a sum of 1 per segment."""
        query = self.query if self.ask is None else self.ask(context)
        assert query is not None
        keys = functional.normalize(self.keys(frames).float(), dim=1)  # (M, width, N)
        likeness = self.sharpness * (functional.normalize(query.float(), dim=1)[..., None] * keys).sum(1, keepdim=True)
        mask = frame_mask(counts, frames.shape[2])[:, None, :]
        return likeness.masked_fill(~mask, -torch.inf).softmax(-1)

    def forward(self, frames: Tensor, counts: Tensor, context: Tensor | None) -> Tensor:
        """Pool the ``counts`` (M,) valid frames of each segment."""
        weights = self.weights(frames, counts, context)
        mean = (weights * frames).sum(2, keepdim=True)
        variance = (weights * (frames - mean).square()).sum(2)
        return torch.cat([mean[..., 0], (variance + _VARIANCE_FLOOR).sqrt()], dim=1)


def cut_into_segments(waveform: Tensor, lengths: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Cut waveforms (B, T) into S segments of ``samples`` samples; the last segment starts early enough to be whole.

    Returns:
        Segments (B * S, samples), utterance by utterance, where an utterance shorter than a segment is padded with
        zeros; and their number of valid samples (B, S), 0 for a segment after its utterance's end, which may hold any
        samples.
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
    """Scatter the outputs (M, C) of non-empty segments to all segments (B * S, C), with zeros elsewhere."""
    spread = answer.new_zeros(len(is_heard), answer.shape[1])
    spread[is_heard] = answer
    return spread


def _mean(answer: Tensor, shares: Tensor) -> Tensor:
    """Average outputs of segments (B * S, C) to utterances (B, C), weighted by ``shares`` (B, S)."""
    return (answer.reshape(shares.shape[0], shares.shape[1], -1) * shares[..., None]).sum(1)
