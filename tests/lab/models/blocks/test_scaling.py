import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

from serkit.lab.models.blocks.scaling import Scaling, fit_scalings


def test_scaling_is_scikit_learns_over_all_frames() -> None:
    rng = np.random.default_rng(0)
    rows = [(rng.standard_normal((n, 3)) * [1, 50, 1e-3] + [0, 400, 2]).astype(np.float32) for n in (1, 7, 40)]
    scaling = Scaling(3)
    scaling.fit(rows)
    expected = StandardScaler().fit(np.concatenate(rows).astype(np.float64)).transform(rows[2])
    found = scaling(torch.from_numpy(rows[2].T)[None], torch.tensor([40]))[0].T
    np.testing.assert_allclose(found, expected, atol=2e-3)  # 2 with a deviation of 1e-3 has four digits in float32


def test_the_padding_stays_zero_and_a_constant_is_only_centered() -> None:
    scaling = Scaling(2)
    scaling.fit([np.array([[5.0, 1.0], [5.0, 3.0]], np.float32)])
    found = scaling(torch.tensor([[[5.0, 6.0, 0.0], [2.0, 3.0, 0.0]]]), torch.tensor([2]))
    assert found.tolist() == [[[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]]


def test_what_is_far_from_all_training_utterances_is_cut_at_ten_deviations() -> None:
    scaling = Scaling(1)
    scaling.fit([np.array([[-1.0], [1.0]], np.float32)])
    assert scaling(torch.tensor([[[500.0, -500.0]]]), torch.tensor([2])).tolist() == [[[10.0, -10.0]]]


def test_every_scaling_of_a_network_is_fitted() -> None:
    network = nn.ModuleDict({"a": Scaling(1), "b": nn.Sequential(Scaling(1))})
    fit_scalings(network, [np.array([[2.0], [6.0]], np.float32)])
    for scaling in (network["a"], network["b"][0]):
        assert (float(scaling.mean[0]), float(scaling.deviation[0])) == (4.0, 2.0)
