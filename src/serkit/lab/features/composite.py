"""Several front ends combined into one, optionally with the speaker's sex as a further value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from serkit.errors import RecipeError
from serkit.lab.features.front import Front, Kind, Layout
from serkit.lab.signal.masking import frame_mask
from serkit.types import FloatArray

SEX = "sex"  # name of the speaker's sex in a recipe's list of features


@dataclass(frozen=True)
class CompositeConfig:
    """Settings of a :class:`Composite`.

    Attributes:
        sampling_rate: Sampling rate of the waveform in Hz, the same for all parts.
        parts: Name and settings of each front end.
        uses_sex: Whether the speaker's sex is appended.
    """

    sampling_rate: int
    parts: tuple[dict[str, Any], ...]
    uses_sex: bool


class Composite(Front):
    """Outputs of several front ends, concatenated to (B, F1 + F2 + ..., N).

    Vectors only are concatenated to a vector (B, F, 1). If some parts are frames, vectors are repeated in every frame.
    Parts that are frames must have the same number of frames per second. The speaker's sex comes last, coded as in the
    fusionnet report: male 1, female 0, unknown 0.5.

    Args:
        parts: Front ends, all with the same sampling rate.
        config: Names and settings of the front ends.

    Raises:
        RecipeError: If the front ends cannot be joined: sampling rates or frame rates differ, or an image is among
            them.
    """

    def __init__(self, parts: Sequence[Front], config: CompositeConfig) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.config = config
        self.size = sum(part.size for part in parts) + config.uses_sex
        self.kind = _common_kind(parts)
        rates = {part.config.sampling_rate for part in parts}
        if len(rates) > 1:
            text = " and ".join(map(str, sorted(rates)))
            raise RecipeError(f"features at {text} Hz cannot be joined: set the same sampling_rate for all.")
        if self.kind == "frames":
            _check_frames(parts, config.sampling_rate)

    @property
    def has_graph(self) -> bool:  # type: ignore[override]
        """Whether all parts can be exported in a model file."""
        return all(part.has_graph for part in self.parts)

    @property
    def maximum_duration(self) -> float:  # type: ignore[override]
        """Longest audio in seconds that all parts take at once."""
        return min(float(part.maximum_duration) for part in self.parts)  # type: ignore[arg-type]

    @property
    def needs_equal_lengths(self) -> bool:  # type: ignore[override]
        """Whether the exported graph of any part needs batches of equal lengths."""
        return any(part.needs_equal_lengths for part in self.parts)

    @property
    def version(self) -> str:  # type: ignore[override]
        """Versions of the programs that the parts call."""
        return " ".join(str(part.version) for part in self.parts if part.version)

    @property
    def weights(self) -> int:
        """Number of weights of all parts."""
        return sum(part.weights for part in self.parts)  # type: ignore[misc]

    @property
    def layout(self) -> Layout:
        """Layout of the rows of all parts in order, followed by the sex."""
        parts = [part for front in self.parts for part in front.layout.parts]  # type: ignore[union-attr]
        sex = ((SEX, 1),) if self.config.uses_sex else ()
        return Layout(self.kind, (*parts, *sex), 1 if self.kind == "vector" else None, self.config.sampling_rate)

    @property
    def uses_sex(self) -> bool:
        """Whether the recipe asks for the speaker's sex."""
        return self.config.uses_sex  # type: ignore[no-any-return]

    def forward(self, waveform: Tensor, lengths: Tensor, sex: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute the features.

        Args:
            waveform: Waveforms (B, T).
            lengths: Number of valid samples (B,).
            sex: Sex of the speakers (B,), if ``uses_sex``.

        Returns:
            Features (B, F, N), zero after each utterance's end, and their valid lengths (B,).
        """
        found = [part(waveform, lengths) for part in self.parts]
        frames, frame_lengths = next(
            (pair for part, pair in zip(self.parts, found, strict=True) if part.kind == self.kind), found[0]
        )
        columns = [features.expand(-1, -1, frames.shape[-1]) for features, _ in found]
        if self.config.uses_sex:
            assert sex is not None
            columns.append(sex[:, None, None].expand(-1, 1, frames.shape[-1]))
        mask = frame_mask(frame_lengths, frames.shape[-1])[:, None, :].to(frames.dtype)
        return torch.cat(columns, dim=1) * mask, frame_lengths

    def compute_many(self, waveforms: Sequence[FloatArray], sex: Tensor | None = None) -> list[FloatArray]:
        """Compute the features of several waveforms, (N, F) each; see :class:`Front`."""
        found = [part.compute_many(waveforms) for part in self.parts]  # type: ignore[operator]
        if self.config.uses_sex:
            assert sex is not None
            found.append([np.full((1, 1), value, np.float32) for value in sex.tolist()])
        rows = []
        for columns in zip(*found, strict=True):
            longest = max(len(column) for column in columns)
            rows.append(np.concatenate([np.broadcast_to(c, (longest, c.shape[1])) for c in columns], axis=1))
        return rows


def _common_kind(parts: Sequence[Front]) -> Kind:
    kinds = {part.kind for part in parts}
    if (kinds == {"image"} and len(parts) > 1) or ("image" in kinds and len(kinds) > 1):
        raise RecipeError("an image feature cannot be joined with other features: list it alone.")
    return "frames" if "frames" in kinds else next(iter(kinds))


def _check_frames(parts: Sequence[Front], sampling_rate: int) -> None:
    second = torch.zeros(1, sampling_rate), torch.tensor([sampling_rate])
    with torch.inference_mode():
        counts = {type(part).__name__: int(part(*second)[1]) for part in parts if part.kind == "frames"}
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise RecipeError(f"features with different frames per second cannot be joined: {text}; set equal hops.")
