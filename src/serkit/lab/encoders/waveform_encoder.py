"""Encoders of transformers as modules from waveform to hidden states, whose output padding never changes.

Layer 0 is the input of the first transformer layer, and layer k the output of the k-th. The last layer is what
transformers calls ``last_hidden_state``: where a layer norm follows the last transformer layer (with
``do_stable_layer_norm``, in wav2vec2-conformer and in Whisper), it is included. This holds for every release of
transformers. The last of transformers' ``hidden_states`` is not used, because it includes that norm up to release 4 and
leaves it out from release 5 on.
"""

import math
import sys
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from serkit.lab.encoders.encoder_windows import window_spans
from serkit.lab.encoders.pretrained_checkpoint import (
    LONGEST_WINDOW,
    SEW,
    WHISPER,
    PretrainedCheckpoint,
    load_network,
    open_checkpoint,
)
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.mel import mel_filters
from serkit.lab.signal.spectrum import Stft, is_exporting

_VARIANCE_FLOOR = 1e-7  # as in transformers' preprocessor
_MEL_FLOOR = 1e-10
_MEL_RANGE = 8.0  # dynamic range below the loudest value, in powers of ten


class Encoder(nn.Module):
    """A checkpoint's network, from waveforms to hidden states.

    Each utterance gets the hidden states that transformers computes for it alone. With a group norm (the base sizes of
    wav2vec2, HuBERT and WavLM), padding would change them even with an attention mask. Utterances of equal length are
    then encoded together. A model file cannot group utterances, and its card says that lengths must be equal.

    The memory of attention grows with the square of the length. Utterances longer than 30 s are therefore encoded in
    windows of equal length, at most 30 s, whose frames are joined: see
    :func:`serkit.lab.encoders.encoder_windows.window_spans`. A model file does not cut; its card limits the duration.

    Args:
        checkpoint: Checkpoint from :func:`serkit.lab.encoders.pretrained_checkpoint.open_checkpoint`.
        network: Network of transformers.

    Attributes:
        checkpoint: The checkpoint.
        size: D.
        layers: Number of transformer layers.
        needs_equal_lengths: Whether padding changes the output of an exported model file.
        longest: Largest number of samples that are encoded at once.
    """

    def __init__(self, checkpoint: PretrainedCheckpoint, network: nn.Module) -> None:
        super().__init__()
        self.checkpoint = checkpoint
        self.network = network
        self.size, self.layers = checkpoint.size, checkpoint.layers
        self.needs_equal_lengths = not checkpoint.is_padding_blind
        self.longest = round(LONGEST_WINDOW * checkpoint.sampling_rate)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Encode utterances.

        Args:
            waveform: Waveforms of shape (B, T).
            lengths: Valid samples of each utterance, shape (B,), int64.

        Returns:
            The hidden states (B, N, D), the input of the first transformer layer before the output of each layer, and
            the number of valid frames (B,).
        """
        shortest = self.checkpoint.shortest
        waveform, lengths = _at_least(waveform, shortest), lengths.clamp(min=shortest)
        waveform = self._prepared(waveform, frame_mask(lengths, waveform.shape[1]))
        if is_exporting() or not (self.needs_equal_lengths or int(lengths.max()) > self.longest):
            return self._states(waveform, lengths)
        rows: list[tuple[Tensor, ...]] = [()] * len(waveform)
        counts = torch.zeros_like(lengths)
        for length in sorted({*lengths.tolist()}):
            places = (lengths == length).nonzero()[:, 0]
            states, found = self._whole(waveform[places, :length])
            counts[places] = found
            for i, place in enumerate(places.tolist()):
                rows[place] = tuple(layer[i] for layer in states)
        columns = zip(*rows, strict=True)
        return tuple(nn.utils.rnn.pad_sequence([*layer], batch_first=True) for layer in columns), counts

    def _whole(self, waveform: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Encode prepared waveforms (B, T) without padding, in windows if they are long."""
        size, checkpoint = waveform.shape[1], self.checkpoint
        spans = window_spans(size, first=checkpoint.shortest, stride=checkpoint.stride, longest=self.longest)
        parts, counts = [], torch.zeros_like(waveform[:, 0], dtype=torch.long)
        for begin, end in spans:
            states, found = self._states(waveform[:, begin:end], torch.full_like(counts, end - begin))
            parts.append(states)
            counts = counts + found
        return tuple(torch.cat(layers, 1) for layers in zip(*parts, strict=True)), counts

    def _states(self, waveform: Tensor, lengths: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Encode prepared waveforms (B, T) of at most 30 s."""
        given = {} if self.needs_equal_lengths else {"attention_mask": frame_mask(lengths, waveform.shape[1]).long()}
        network: Any = self.network
        output = network(waveform, output_hidden_states=True, **given)
        return self._layers_of(output), network._get_feat_extract_output_lengths(lengths)

    def _layers_of(self, output: Any) -> tuple[Tensor, ...]:
        """Return all layers as the module's docstring defines them."""
        states: tuple[Tensor, ...] = output.hidden_states
        assert len(states) == self.layers + 1  # LayerDrop is off
        return (*states[:-1], output.last_hidden_state)

    def _prepared(self, waveform: Tensor, mask: Tensor) -> Tensor:
        return _standardized(waveform, mask.to(waveform.dtype)) if self.checkpoint.is_normalized else waveform


class SewEncoder(Encoder):
    """SEW, computed step by step, because its own forward pass compares lengths, which an exported graph would fix.

    Its frames are those between the layers, half as many as in wav2vec 2.0.

    Source: F. Wu et al., Performance-efficiency trade-offs in unsupervised pre-training for speech recognition, 2021.
    """

    def _states(self, waveform: Tensor, lengths: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        network: Any = self.network
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
    """The encoder of Whisper, which reads pieces of 30 s; the last piece is padded with silence.

    It gives 50 frames per second, of which those within the utterance are kept. The encoder reads the silence too, as
    in transformers. transformers' own preprocessor would drop what comes after the first 30 s.

    Source: A. Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision, ICML 2023.
    """

    def __init__(self, checkpoint: PretrainedCheckpoint, network: nn.Module) -> None:
        super().__init__(checkpoint, network)
        self.front = WhisperMel(checkpoint.sampling_rate, int(checkpoint.config.num_mel_bins))
        self.samples = 2 * self.front.hop  # per frame
        self.piece = self.samples * int(checkpoint.config.max_source_positions)
        self.longest = sys.maxsize  # its pieces are its windows

    def _prepared(self, waveform: Tensor, mask: Tensor) -> Tensor:
        return waveform

    def _states(self, waveform: Tensor, lengths: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        batch, size = waveform.shape
        pieces = (size + self.piece - 1) // self.piece
        whole = functional.pad(waveform * frame_mask(lengths, size), (0, pieces * self.piece - size))
        network: Any = self.network
        with torch.autocast(whole.device.type, enabled=False):
            mel = self.front(whole.reshape(-1, self.piece))
        states = self._layers_of(network(mel, output_hidden_states=True))
        counts = (lengths + self.samples - 1) // self.samples
        longest = (size + self.samples - 1) // self.samples
        return tuple(layer.reshape(batch, -1, self.size)[:, :longest] for layer in states), counts


class WhisperMel(nn.Module):
    """Whisper's log-mel, as its preprocessor computes it: (B, T) to (B, F, T / hop), for a T that the hop divides.

    Args:
        sampling_rate: Sampling rate in Hz.
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
        ahead = -half % self.hop  # Stft centers frames on multiples of the hop; this aligns them with the padded start
        padded = functional.pad(padded, (ahead, 0))
        real, imaginary, _ = self.stft(padded, torch.full_like(padded[:, 0], padded.shape[1], dtype=torch.long))
        first = (half + ahead) // self.hop
        power = (real.square() + imaginary.square())[:, first : first + waveform.shape[1] // self.hop]
        level = torch.matmul(self.filters, power.transpose(1, 2)).clamp(min=_MEL_FLOOR).log() / math.log(10)
        return (level.maximum(level.amax((1, 2), keepdim=True) - _MEL_RANGE) + 4) / 4


def open_encoder(model: str, revision: str = "", *, has_weights: bool = True) -> Encoder:
    """Return a new encoder in training mode, without LayerDrop and random masks.

    Args:
        model: Folder or hub name, as for :func:`serkit.lab.encoders.pretrained_checkpoint.open_checkpoint`.
        revision: Branch, tag or commit of a hub name.
        has_weights: Whether to read the checkpoint's weights; otherwise they are random, for others to be loaded.
    """
    checkpoint = open_checkpoint(model, revision)
    kind = {WHISPER: WhisperEncoder, SEW: SewEncoder}.get(checkpoint.family, Encoder)
    is_for_shapes = torch.get_default_device().type == "meta"
    return kind(checkpoint, load_network(checkpoint, has_weights=has_weights and not is_for_shapes))


def frozen_encoder(model: str, revision: str = "") -> Encoder:
    """Return a frozen encoder in evaluation mode; each process reads it only once, unless its files change."""
    return _frozen(model, revision, open_checkpoint(model, revision).digest)


@cache
def _frozen(model: str, revision: str, digest: str) -> Encoder:
    encoder = open_encoder(model, revision).eval()
    return encoder.requires_grad_(requires_grad=False)


def _at_least(waveform: Tensor, samples: int) -> Tensor:
    """Pad waveforms (B, T) with silence to at least ``samples`` samples."""
    missing: Any = samples - waveform.shape[1]  # a tensor during tracing
    amount: Any = missing.clamp(min=0) if isinstance(missing, Tensor) else max(missing, 0)
    return functional.pad(waveform, (0, amount))


def _standardized(waveform: Tensor, mask: Tensor) -> Tensor:
    """Normalize each utterance to mean 0 and variance 1 over its valid samples, as transformers' preprocessor does."""
    count = mask.sum(1, keepdim=True)
    mean = (waveform * mask).sum(1, keepdim=True) / count
    variance = (((waveform - mean) * mask) ** 2).sum(1, keepdim=True) / count
    return (waveform - mean) / (variance + _VARIANCE_FLOOR).sqrt() * mask
