"""Augmentation of training audio: of the waveform before the front end, and of the features after it.

All random numbers of an utterance come from :func:`random_of`, so they depend only on the seed, the epoch and the
utterance's id. Augmentation comes after the split and applies to training audio only.
"""

from serkit.lab.augment.augmentation import Augmentation, random_of
from serkit.lab.augment.chain import Chain, augmentation_names, build_augmentation, build_chain
from serkit.lab.augment.dataset import AugmentedDataset, AugmentedUtterance
from serkit.lab.augment.masks_and_mixup import Mixed, mask_spectrogram, mixup
from serkit.lab.augment.preview import show_variants

__all__ = [
    "Augmentation",
    "AugmentedDataset",
    "AugmentedUtterance",
    "Chain",
    "Mixed",
    "augmentation_names",
    "build_augmentation",
    "build_chain",
    "mask_spectrogram",
    "mixup",
    "random_of",
    "show_variants",
]
