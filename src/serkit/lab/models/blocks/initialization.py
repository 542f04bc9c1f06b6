"""Initial weights of deep networks without normalization layers.

torch's default weights are smaller: after eight layers without batch norm, the signal would almost vanish.
"""

from collections.abc import Iterator

from torch import Tensor, nn


def start_as_he(network: nn.Module) -> None:
    """Draw new kernels that keep the variance of a signal through a ReLU; set biases to zero.

    Source: K. He et al., Delving deep into rectifiers, ICCV 2015.
    """
    for kernel in _kernels(network):
        nn.init.kaiming_normal_(kernel, nonlinearity="relu")


def start_as_glorot(network: nn.Module) -> None:
    """Draw new kernels that keep the variance of a signal through a linear layer; set biases to zero.

    This suits layers followed by max-pooling, whose maxima would grow from layer to layer with larger weights.

    Source: X. Glorot and Y. Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
    """
    for kernel in _kernels(network):
        nn.init.xavier_uniform_(kernel)


def _kernels(network: nn.Module) -> Iterator[Tensor]:
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            yield module.weight
