"""Features as sequences of steps."""

import pytest
import torch

from serkit.lab.models.blocks.sequence_steps import SequenceSteps
from support.layouts import frames, utterances, vector, vectors


def test_a_vector_becomes_a_sequence_of_its_numbers_in_their_order() -> None:
    features, lengths = vectors(3, 10)
    x, counts = SequenceSteps(vector(10))(features, lengths)
    assert torch.equal(x, features.transpose(1, 2))
    assert counts.tolist() == [10, 10, 10]


def test_a_step_holds_neighboring_numbers_and_zeros_fill_up_the_last_one() -> None:
    features = torch.arange(1.0, 8.0)[None, :, None]
    steps = SequenceSteps(vector(7), 3)
    x, counts = steps(features, torch.tensor([1]))
    assert x[0].T.tolist() == [[1, 2, 3], [4, 5, 6], [7, 0, 0]]
    assert counts.tolist() == [3]
    assert steps.width == 3


@pytest.mark.parametrize("step", [1, 16])
def test_frames_are_steps_as_they_are(step: int) -> None:
    features, lengths = utterances(9, 4, size=5)
    steps = SequenceSteps(frames(5), step)
    x, counts = steps(features, lengths)
    assert torch.equal(x, features)
    assert torch.equal(counts, lengths)
    assert steps.width == 5


def test_the_descriptors_of_vector848_are_the_steps_of_16() -> None:
    from serkit.lab.features.vector848 import Vector848

    names = Vector848.names
    position = torch.arange(len(names), dtype=torch.float32)[None, :, None]
    x, counts = SequenceSteps(vector(len(names)), 16)(position, torch.tensor([1]))
    assert counts.tolist() == [53]
    for step in x[0].T.int().tolist():
        descriptors = {"_".join(names[i].split("_")[:2]) if "rms" not in names[i] else "rms" for i in step}
        assert len(descriptors) == 1
