"""AlexNet's convolutions over a picture of one channel, which document E puts beside the sound itself.

A. Krizhevsky, I. Sutskever, G. Hinton: ImageNet Classification with Deep Convolutional Neural Networks. NeurIPS 2012.
"""

from torch import Tensor, nn

CHANNELS = (96, 256, 384, 384, 256)
_KERNELS = (11, 5, 3, 3, 3)
_GROUPS = (1, 2, 1, 2, 2)  # the paper's two GPUs, of which each sees half of the channels
_POOLED = (0, 1, 4)
SMALLEST = 63  # side of a picture of which something is left


class AlexNet2d(nn.Module):
    """The five convolutional layers, pictures (B, inputs, side, side) to (B, channels[-1] * left * left).

    224 x 224 leaves 6 x 6, 9216 numbers. At three channels the kernels are the paper's 2,332,704 weights.

    Deviations: each layer has a batch norm, since from scratch on some thousand pictures it learns little without; it
    takes the place of the first two layers' response normalization, and of the biases. The dense layers, 54 of the
    paper's 61 million weights, are left to who uses it.

    Args:
        inputs: Channels of the picture.
        side: Its height and width.
        channels: Of each layer, even.
    """

    def __init__(self, inputs: int, side: int, channels: tuple[int, ...] = CHANNELS) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, (outputs, kernel, groups) in enumerate(zip(channels, _KERNELS, _GROUPS, strict=True)):
            stride, padding = (1, kernel // 2) if i else (4, 2)
            layers += [
                nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
            if i in _POOLED:
                layers.append(nn.MaxPool2d(3, stride=2))
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        left = (side - 7) // 4 + 1
        for _ in _POOLED:
            left = (left - 3) // 2 + 1
        self.size = channels[-1] * left * left

    def forward(self, pictures: Tensor) -> Tensor:
        """Look at pictures."""
        numbers: Tensor = self.layers(pictures).flatten(1)
        return numbers
