"""Batches of stored features for training and evaluation."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from serkit.lab.augment import mask_spectrogram, random_of
from serkit.lab.recipes.schema import Augment
from serkit.types import FloatArray


class Batch(NamedTuple):
    """A padded batch of features.

    Attributes:
        features: Shape (B, F, N), float32.
        lengths: Valid columns of each utterance, shape (B,), int64.
        targets: Class indices, shape (B,), int64; or soft targets, shape (B, C), float32.
        ids: Utterance ids, in the same order.
    """

    features: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor
    ids: tuple[str, ...]


def training_batches(
    rows: Sequence[Mapping[str, FloatArray]],
    targets: Mapping[str, int],
    augment: Augment,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    is_balanced: bool = False,
    shares: Mapping[str, FloatArray] | None = None,
) -> Iterator[Batch]:
    """Yield one epoch of augmented batches of similar lengths, in an order drawn from (seed, epoch).

    Args:
        rows: For each speed, utterance id to frames (N, F).
        targets: Utterance id to class index, for the utterances to use.
        augment: Augmentation; the draws for an utterance depend on (seed, epoch, id) alone.
        batch_size: B; a last batch of one is joined to the one before it, since batch norm needs two.
        seed: Seed of the run.
        epoch: Epoch, from 0.
        is_balanced: Whether to draw as many utterances with replacement, so that classes are equally frequent.
        shares: Utterance id to soft target (C,); utterances without one get their class as a soft target.
    """
    order = np.random.default_rng([seed, epoch])
    names = (
        balanced_names(targets, order) if is_balanced else [str(name) for name in order.permutation(sorted(targets))]
    )
    frames = {}
    for name in sorted(set(names)):
        rng = random_of(seed, epoch, name)
        row = rows[int(rng.integers(len(rows)))][name]
        frames[name] = mask_spectrogram(row, augment, rng)
    pool = batch_size * 8
    batches = []
    for start in range(0, len(names), pool):
        alike = sorted(names[start : start + pool], key=lambda name: len(frames[name]))
        batches += [alike[i : i + batch_size] for i in range(0, len(alike), batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [batches[-2] + batches[-1]]
    for i in order.permutation(len(batches)):
        yield _collate(batches[i], frames, targets, shares)


def balanced_names(targets: Mapping[str, int], rng: np.random.Generator) -> list[str]:
    """Draw as many names as there are targets: classes in turn, and a random utterance of each."""
    of_class: dict[int, list[str]] = defaultdict(list)
    for name in sorted(targets):
        of_class[targets[name]].append(name)
    classes = sorted(of_class)
    drawn = [str(rng.choice(of_class[classes[i % len(classes)]])) for i in range(len(targets))]
    rng.shuffle(drawn)
    return drawn


def evaluation_batches(
    rows: Mapping[str, FloatArray], targets: Mapping[str, int], *, batch_size: int
) -> Iterator[Batch]:
    """Yield batches without augmentation, shortest utterances first."""
    names = sorted(targets, key=lambda name: (len(rows[name]), name))
    for start in range(0, len(names), batch_size):
        yield _collate(names[start : start + batch_size], rows, targets)


def _collate(
    names: Sequence[str],
    frames: Mapping[str, FloatArray],
    targets: Mapping[str, int],
    shares: Mapping[str, FloatArray] | None = None,
) -> Batch:
    lengths = [len(frames[name]) for name in names]
    size = frames[names[0]].shape[1]
    padded = np.zeros((len(names), size, max(lengths)), np.float32)
    for i, name in enumerate(names):
        padded[i, :, : lengths[i]] = frames[name].T
    classes = torch.tensor([targets[name] for name in names])
    if shares:
        whole = np.eye(len(next(iter(shares.values()))), dtype=np.float32)
        classes = torch.from_numpy(np.stack([shares.get(name, whole[targets[name]]) for name in names]))
    return Batch(torch.from_numpy(padded), torch.tensor(lengths), classes, tuple(names))
