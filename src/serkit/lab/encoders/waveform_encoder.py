"""Encoders of transformers as one module from waveform to hidden states, blind to padding as all that serkit runs."""

import math
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from serkit.lab.encoders.pretrained import SEW, WHISPER, PretrainedCheckpoint, load_network, open_checkpoint
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.mel import mel_filters
from serkit.lab.signal.spectrum import Stft, is_exporting

_VARIANCE_FLOOR = 1e-7  # as transformers' preprocessor has it
_MEL_FLOOR = 1e-10
_MEL_RANGE = 8.0  # powers of ten below the loudest


class Encoder(nn.Module):
    """A checkpoint's network, for one that trains it or holds it frozen.

    An utterance gets what transformers gives it alone. Where padding would change that, which it does through a group
    norm even with an attention mask (the base sizes of wav2vec2, HuBERT and WavLM), utterances of one length go through
    together; a model file cannot do so, and its card says that lengths must be equal.

    Args:
        checkpoint: From :func:`serkit.lab.encoders.pretrained.open_checkpoint`.
        network: Its transformers model.

    Attributes:
        checkpoint: What is known of it.
        size: D.
        layers: Hidden states there are, but for what enters the first layer.
        needs_equal_lengths: Whether padding changes what a model file answers.
    """

    def __init__(self, checkpoint: PretrainedCheckpoint, network: nn.Module) -> None:
        super().__init__()
        self.checkpoint = checkpoint
        self.network = network
        self.size, self.layers = checkpoint.size, checkpoint.layers
        self.needs_equal_lengths = not checkpoint.is_padding_blind

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Encode utterances.

        Args:
            waveform: Shape (B, T).
            lengths: Valid samples, shape (B,), int64.

        Returns:
            What enters the first transformer layer and what leaves each, (B, N, D), and the valid frames (B,).
        """
        shortest = self.checkpoint.shortest
        waveform, lengths = _at_least(waveform, shortest), lengths.clamp(min=shortest)
        if is_exporting() or not self.needs_equal_lengths:
            return self._states(waveform, lengths)
        rows: list[tuple[Tensor, ...]] = [()] * len(waveform)
        counts = torch.zeros_like(lengths)
        for length in sorted({*lengths.tolist()}):
            places = (lengths == length).nonzero()[:, 0]
            states, found = self._states(waveform[places, :length], lengths[places])
            counts[places] = found
            for i, place in enumerate(places.tolist()):
                rows[place] = tuple(layer[i] for layer in states)
        columns = zip(*rows, strict=True)
        return tuple(nn.utils.rnn.pad_sequence([*layer], batch_first=True) for layer in columns), counts

    def _states(self, waveform: Tensor, lengths: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        mask = frame_mask(lengths, waveform.shape[1])
        waveform = self._prepared(waveform, mask)
        given = {} if self.needs_equal_lengths else {"attention_mask": mask.long()}
        network: Any = self.network
        output = network(waveform, output_hidden_states=True, **given)
        return output.hidden_states, network._get_feat_extract_output_lengths(lengths)

    def _prepared(self, waveform: Tensor, mask: Tensor) -> Tensor:
        return _standardized(waveform, mask.to(waveform.dtype)) if self.checkpoint.is_normalized else waveform


class SewEncoder(Encoder):
    """SEW, step by step, since its own forward compares lengths, which a graph would keep as they were when written.

    Its frames are those between the layers, half as many as wav2vec 2.0 has.

    Source: F. Wu et al., Performance-efficiency trade-offs in unsupervised pre-training for speech recognition, 2021.
    """

    def _states(self, waveform: Tensor, lengths: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        network: Any = self.network
        waveform = self._prepared(waveform, frame_mask(lengths, waveform.shape[1]))
        x = network.layer_norm(network.feature_extractor(waveform).transpose(1, 2))
        if network.project_features:
            x = network.feature_projection(x)
        x = network.feature_dropout(x).transpose(1, 2)  # (B, D, N)
        encoder = network.encoder
        positions, pooled = encoder.pos_conv_embed(x), encoder.pool(x)
        x = pooled[..., : positions.shape[-1]] + positions[..., : pooled.shape[-1]]
        states = [encoder.dropout(encoder.layer_norm(x.transpose(1, 2)))]
        for layer in encoder.layers:
            found = layer(states[-1])
            states.append(found[0] if isinstance(found, tuple) else found)  # a tuple before transformers 5
        counts = network._get_feat_extract_output_lengths(lengths) // self.checkpoint.config.squeeze_factor
        return tuple(states), counts.clamp(min=1)


class WhisperEncoder(Encoder):
    """The encoder of Whisper, which hears pieces of 30 s, the last one filled up with silence.

    Of the frames, 50 a second, those within the utterance are kept; the silence behind its end is heard, as in
    transformers.

    Source: A. Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision, ICML 2023.
    """

    def __init__(self, checkpoint: PretrainedCheckpoint, network: nn.Module) -> None:
        super().__init__(checkpoint, network)
        self.front = WhisperMel(checkpoint.sampling_rate, int(checkpoint.config.num_mel_bins))
        self.samples = 2 * self.front.hop  # of a frame
        self.piece = self.samples * int(checkpoint.config.max_source_positions)

    def _states(self, waveform: Tensor, lengths: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        batch, size = waveform.shape
        pieces = (size + self.piece - 1) // self.piece
        whole = functional.pad(waveform * frame_mask(lengths, size), (0, pieces * self.piece - size))
        network: Any = self.network
        with torch.autocast(whole.device.type, enabled=False):
            mel = self.front(whole.reshape(-1, self.piece))
        states = network(mel, output_hidden_states=True).hidden_states
        counts = (lengths + self.samples - 1) // self.samples
        longest = (size + self.samples - 1) // self.samples
        return tuple(layer.reshape(batch, -1, self.size)[:, :longest] for layer in states), counts


class WhisperMel(nn.Module):
    """Whisper's log-mel, as its preprocessor computes it: (B, T) to (B, F, T / hop), T a multiple of the hop.

    Args:
        sampling_rate: In Hz.
        bands: F.
    """

    filters: Tensor

    def __init__(self, sampling_rate: int, bands: int) -> None:
        super().__init__()
        self.n_fft, self.hop = 400, 160
        self.stft = Stft(n_fft=self.n_fft, hop=self.hop)
        filters = mel_filters(sampling_rate, self.n_fft, bands)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)  # (F, K)

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute the features."""
        half = self.n_fft // 2
        padded = functional.pad(waveform, (half, half), mode="reflect")
        ahead = -half % self.hop  # so that frames, which Stft centers on multiples of a hop, begin where the pad does
        padded = functional.pad(padded, (ahead, 0))
        real, imaginary, _ = self.stft(padded, torch.full_like(padded[:, 0], padded.shape[1], dtype=torch.long))
        first = (half + ahead) // self.hop
        power = (real.square() + imaginary.square())[:, first : first + waveform.shape[1] // self.hop]
        level = torch.matmul(self.filters, power.transpose(1, 2)).clamp(min=_MEL_FLOOR).log() / math.log(10)
        return (level.maximum(level.amax((1, 2), keepdim=True) - _MEL_RANGE) + 4) / 4


def open_encoder(model: str, revision: str = "", *, has_weights: bool = True) -> Encoder:
    """Return an encoder of one's own, to be trained or not, in training mode, without dropped layers or masked frames.

    Args:
        model: Folder, or name on the hub, as for :func:`serkit.lab.encoders.pretrained.open_checkpoint`.
        revision: Of a hub name.
        has_weights: Whether to read the checkpoint's weights; otherwise they are random, for others will be loaded.
    """
    checkpoint = open_checkpoint(model, revision)
    kind = {WHISPER: WhisperEncoder, SEW: SewEncoder}.get(checkpoint.family, Encoder)
    is_for_shapes = torch.get_default_device().type == "meta"
    return kind(checkpoint, load_network(checkpoint, has_weights=has_weights and not is_for_shapes))


@cache
def frozen_encoder(model: str, revision: str = "") -> Encoder:
    """Return an encoder that stays as it is, in evaluation mode, read once in a process."""
    encoder = open_encoder(model, revision).eval()
    return encoder.requires_grad_(requires_grad=False)


def _at_least(waveform: Tensor, samples: int) -> Tensor:
    """Append silence to (B, T) where it has fewer samples."""
    missing: Any = samples - waveform.shape[1]  # a tensor while a graph is traced
    amount: Any = missing.clamp(min=0) if isinstance(missing, Tensor) else max(missing, 0)
    return functional.pad(waveform, (0, amount))


def _standardized(waveform: Tensor, mask: Tensor) -> Tensor:
    """Bring each utterance to mean 0 and variance 1 over its valid samples, as transformers' preprocessor does."""
    count = mask.sum(1, keepdim=True)
    mean = (waveform * mask).sum(1, keepdim=True) / count
    variance = (((waveform - mean) * mask) ** 2).sum(1, keepdim=True) / count
    return (waveform - mean) / (variance + _VARIANCE_FLOOR).sqrt() * mask
