"""AlexNet's convolutions over a spectrogram picture, one of the streams of ``coattention``.

A. Krizhevsky, I. Sutskever, G. Hinton: ImageNet Classification with Deep Convolutional Neural Networks. NeurIPS 2012.
"""

from torch import Tensor, nn

CHANNELS = (96, 256, 384, 384, 256)
_KERNELS = (11, 5, 3, 3, 3)
_GROUPS = (1, 2, 1, 2, 2)  # each of the paper's two GPUs reads half of the channels
_POOLED = (0, 1, 4)
SMALLEST = 63  # smallest side of a picture that leaves an output


class AlexNet2d(nn.Module):
    """The five convolutional layers: pictures (B, inputs, side, side) to vectors (B, channels[-1] * left * left).

    Pictures of 224 x 224 leave 6 x 6, so 9216 numbers. With three input channels, the kernels are the paper's 2,332,704
    weights.

    Deviations: each layer has a batch norm, because a network trained from scratch on some thousand pictures learns
    little without; it replaces the response normalization of the first two layers and the biases. The dense layers, 54
    of the paper's 61 million weights, are left out.

    Args:
        inputs: Channels of the picture.
        side: Height and width of the picture.
        channels: Channels of each layer, even.
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
        """Convolve pictures."""
        numbers: Tensor = self.layers(pictures).flatten(1)
        return numbers
