"""Augmented waveforms as a data set that workers share."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from serkit.lab.augment.augmentation import random_of
from serkit.lab.augment.chain import Chain
from serkit.types import FloatArray


class AugmentedUtterance(NamedTuple):
    """An utterance's id and its waveform (T,)."""

    name: str
    samples: Tensor


class AugmentedUtterances(Dataset[AugmentedUtterance]):
    """The training utterances of one epoch, each changed as it is asked for.

    What is drawn depends on (seed, epoch, id) alone, so that ``torch.utils.data.DataLoader`` gives the same with any
    number of workers. Lengths differ: load with ``batch_size=None`` or a ``collate_fn``. Validation and test audio
    never belongs in here.

    Args:
        rows: Utterance id to waveform (T,), in memory or mapped from a file, which forked workers then share.
        chain: What changes them.
        sampling_rate: In Hz.
        seed: Of the run.
        epoch: From 0; make another one for the next.
    """

    def __init__(
        self, rows: Mapping[str, FloatArray], chain: Chain, *, sampling_rate: int, seed: int, epoch: int
    ) -> None:
        self.rows, self.chain = rows, chain
        self.sampling_rate, self.seed, self.epoch = sampling_rate, seed, epoch
        self.names = tuple(rows)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> AugmentedUtterance:
        name = self.names[index]
        rng = random_of(self.seed, self.epoch, name)
        samples = self.chain.apply(np.array(self.rows[name], np.float32), self.sampling_rate, rng)
        return AugmentedUtterance(name, torch.from_numpy(samples))
