"""A torch data set of augmented waveforms, for several workers."""

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


class AugmentedDataset(Dataset[AugmentedUtterance]):
    """The training utterances of one epoch, each augmented when it is read.

    Random numbers depend only on (seed, epoch, id), so ``torch.utils.data.DataLoader`` gives the same utterances with
    any number of workers. Lengths differ: load with ``batch_size=None`` or a ``collate_fn``. Never use it for
    validation or test audio.

    Args:
        rows: Waveforms (T,) by utterance id. Forked workers share waveforms that are mapped from a file.
        chain: Augmentations to apply.
        sampling_rate: Sampling rate in Hz.
        seed: Seed of the run.
        epoch: Epoch, counted from 0; each epoch needs its own data set.
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
