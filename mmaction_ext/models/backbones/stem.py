"""The first stage of the 3-D networks: one convolution and a pool, which keep every frame."""

from collections import OrderedDict

from torch import nn


def build_stem(
    in_channels: int, channels: int, kernel_size: tuple[int, int, int]
) -> nn.Sequential:
    """Convolution, normalisation, ReLU and max pool, named ``conv``, ``bn``, ``relu``, ``pool``.

    Args:
        in_channels: Channels of a frame.
        channels: Channels of the output, which has a quarter of the rows and columns.
        kernel_size: (T, H, W) of the convolution, all odd.
    """
    depth, height, width = kernel_size
    padding = (depth // 2, height // 2, width // 2)
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv3d(in_channels, channels, kernel_size, (1, 2, 2), padding, bias=False),
            bn=nn.BatchNorm3d(channels),
            relu=nn.ReLU(inplace=True),
            pool=nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        )
    )
