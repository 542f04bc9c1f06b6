"""Several front ends as one: their numbers side by side, and the speaker's sex among them where it is asked for."""

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

SEX = "sex"  # in a recipe's list of features


@dataclass(frozen=True)
class CompositeConfig:
    """What the front ends of a :class:`Composite` have in common."""

    sampling_rate: int
    parts: tuple[dict[str, Any], ...]
    uses_sex: bool


class Composite(Front):
    """Front ends side by side, (B, F1 + F2 + ..., N).

    Vectors stay vectors, (B, F, 1); beside frames they stand in every frame. Frames go together only where they are
    as many. The sex, last, is a number as document B has it: male 1, female 0, unknown 0.5.

    Args:
        parts: The front ends, at one sampling rate.
        config: Their names and settings.
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
            raise RecipeError(f"features at {text} Hz cannot be joined: give them one sampling_rate.")
        if self.kind == "frames":
            _check_frames(parts, config.sampling_rate)

    @property
    def has_graph(self) -> bool:  # type: ignore[override]
        """Whether all parts can stand in a model file."""
        return all(part.has_graph for part in self.parts)

    @property
    def needs_equal_lengths(self) -> bool:  # type: ignore[override]
        """Whether a part does."""
        return any(part.needs_equal_lengths for part in self.parts)

    @property
    def version(self) -> str:  # type: ignore[override]
        """Of the programs that parts call."""
        return " ".join(str(part.version) for part in self.parts if part.version)

    @property
    def weights(self) -> int:
        """Of all parts."""
        return sum(part.weights for part in self.parts)  # type: ignore[misc]

    @property
    def layout(self) -> Layout:
        """The parts' rows, one behind the other, the sex last."""
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
            waveform: Shape (B, T).
            lengths: Valid samples, shape (B,).
            sex: Shape (B,), where the recipe asks for it.

        Returns:
            Features (B, F, N), zero behind each utterance's end, and their valid lengths (B,).
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
        raise RecipeError("a picture stands alone: it cannot be joined with other features.")
    return "frames" if "frames" in kinds else next(iter(kinds))


def _check_frames(parts: Sequence[Front], sampling_rate: int) -> None:
    second = torch.zeros(1, sampling_rate), torch.tensor([sampling_rate])
    with torch.inference_mode():
        counts = {type(part).__name__: int(part(*second)[1]) for part in parts if part.kind == "frames"}
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise RecipeError(f"features with different frames per second cannot be joined: {text}; set their hops alike.")
