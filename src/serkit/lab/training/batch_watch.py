"""Knows which batch is trained on, to say it if memory runs out there, with the settings that need less."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from serkit.errors import TrainingError
from serkit.lab.recipes.schema import Train
from serkit.out_of_memory import is_out_of_memory


@dataclass
class BatchWatch:
    """The batch that is computed with now.

    Attributes:
        train: Optimization settings of the training.
        config: Settings of the model.
        seconds: Utterance id to its duration in seconds; empty where durations are unknown.
        place: Description of the batch; empty before the first one.
    """

    train: Train
    config: Any
    seconds: Mapping[str, float] = field(default_factory=dict)
    place: str = ""

    def note(self, what: str, names: Sequence[str]) -> None:
        """Remember the batch that begins.

        Args:
            what: Its place in the training, such as ``batch 3 of epoch 2``.
            names: Ids of its utterances.
        """
        known = [self.seconds[name] for name in names if name in self.seconds]
        sound = f", {sum(known):.1f} s of sound, the longest {max(known):.1f} s" if known else ""
        self.place = f" in {what} ({len(names)} clips{sound})"

    @contextmanager
    def told(self) -> Iterator[None]:
        """Replace an error that means a lack of memory by one that names the batch, and what needs less memory.

        Raises:
            TrainingError: If memory runs out within the block.
        """
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, TrainingError) or not is_out_of_memory(error):
                raise
            helps = " or ".join(f"--set '{change}'" for change in _savings(self.train, self.config))
            advice = f", or begin a run in a new folder with {helps}" if helps else ""
            raise TrainingError(
                f"out of memory{self.place}: free some memory and run the same command, which resumes after the last "
                f"finished epoch{advice}."
            ) from error


def _savings(train: Train, config: Any) -> list[str]:
    """Return the settings that would lower the need of memory, of those that this training has."""
    tuning = getattr(config, "tuning", "")
    found = []
    if train.batch_size > 2:
        smaller = max(2, train.batch_size // 2)
        found.append(f"train.batch_size={smaller}' --set 'train.accumulate={2 * train.accumulate}")
    if getattr(config, "checkpointing", None) is False and tuning != "frozen":
        found.append("model.checkpointing=true")
    if train.precision == "fp32":
        found.append("train.precision=bf16")
    if tuning == "full":
        found.append("model.tuning=lora")
    return found
