"""Augmentation of training audio: of the waveform before the front end, of its features after it.

All that is drawn for an utterance comes from :func:`random_of` its seed, epoch and id. It comes after the split and
is for training audio alone.
"""

from serkit.lab.augment.augmentation import Augmentation, random_of
from serkit.lab.augment.chain import Chain, augmentation_names, build_augmentation, build_chain
from serkit.lab.augment.dataset import AugmentedUtterance, AugmentedUtterances
from serkit.lab.augment.spec_augment import Mixed, mask_spectrogram, mixup
from serkit.lab.augment.variants import show_variants

__all__ = [
    "Augmentation",
    "AugmentedUtterance",
    "AugmentedUtterances",
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
