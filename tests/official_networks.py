"""The networks of SELFY, TCM, MSNet and MFNet in plain torch, with the names of their own code.

Written from descriptions of the networks, independently of ``mmaction_ext``: similarities and
shifts are loops, so that a mistake in an operator there cannot hide here. Inputs are
(N, 3, T, H, W).
"""

import math
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def shift(x, frames):
    """The first eighth of the channels from the next frame, the second from the one before."""
    clips = x.view(-1, frames, *x.shape[1:])
    part = x.shape[1] // 8
    out = clips.clone()
    for t in range(frames):
        out[:, t, :part] = clips[:, t + 1, :part] if t + 1 < frames else 0
        out[:, t, part : 2 * part] = clips[:, t - 1, part : 2 * part] if t > 0 else 0
    return out.view_as(x)


class Residual(nn.Module):
    """A block of torchvision's ResNet whose branch sees shifted features."""

    def __init__(self, channels, width, stride, frames, bottleneck):
        super().__init__()
        self.frames = frames
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        strides = (1, stride, 1) if bottleneck else (stride, 1)
        out = width * (4 if bottleneck else 1)
        widths = (channels, width, width, out) if bottleneck else (channels, width, width)
        for i, (kernel, step) in enumerate(zip(kernels, strides, strict=True), 1):
            setattr(
                self,
                f'conv{i}',
                nn.Conv2d(widths[i - 1], widths[i], kernel, step, kernel // 2, bias=False),
            )
            setattr(self, f'bn{i}', nn.BatchNorm2d(widths[i]))
        self.count, self.last = len(kernels), f'bn{len(kernels)}'
        self.downsample = None
        if stride > 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x):
        y = shift(x, self.frames)
        for i in range(1, self.count + 1):
            y = getattr(self, f'bn{i}')(getattr(self, f'conv{i}')(y))
            y = F.relu(y) if i < self.count else y
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ShiftResNet(nn.Module):
    """TSM-ResNet with a motion block after ``layer2``, up to the pooled features of each frame."""

    def __init__(self, depth, frames, name, block):
        super().__init__()
        bottleneck = depth >= 50
        expansion = 4 if bottleneck else 1
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.add_module(name, block(128 * expansion))
        self.block_name = name
        channels = 64
        for i, count in enumerate(BLOCKS[depth]):
            layers = []
            for j in range(count):
                stride = 2 if i > 0 and j == 0 else 1
                layers.append(Residual(channels, 64 * 2**i, stride, frames, bottleneck))
                channels = 64 * 2**i * expansion
            self.add_module(f'layer{i + 1}', nn.Sequential(*layers))
        self.channels = channels

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.add_motion(self.layer2(self.layer1(x)))
        return self.layer4(self.layer3(x)).mean((2, 3))

    def add_motion(self, x):
        return getattr(self, self.block_name)(x)


class OfficialTSN(nn.Module):
    """A frame network and a classifier of each frame; the logits are averaged."""

    def __init__(self, base_model, classes, frames):
        super().__init__()
        self.frames = frames
        self.base_model = base_model
        self.new_fc = nn.Conv1d(base_model.channels, classes, 1)

    def forward(self, clips):
        frames = clips.transpose(1, 2).flatten(0, 1)
        logits = self.new_fc(self.base_model(frames).unsqueeze(2)).squeeze(2)
        return logits.view(-1, self.frames, logits.shape[1]).mean(1)


def similarity(a, b, radius):
    """Cosine of each pixel of a with the window around it in b, (B, U, V, H, W); 0 outside."""
    a, b = (f / (f.pow(2).sum(1, keepdim=True) + 1e-6).sqrt() for f in (a, b))
    height, width = a.shape[-2:]
    padded = F.pad(b, [radius] * 4)
    side = 2 * radius + 1
    rows = [
        torch.stack(
            [(a * padded[:, :, u : u + height, v : v + width]).sum(1) for v in range(side)], 1
        )
        for u in range(side)
    ]
    return torch.stack(rows, 1)


def conv3d(before, after, stride=1, pad=1):
    return [
        nn.Conv3d(before, after, (1, 3, 3), (1, stride, stride), (0, pad, pad), bias=False),
        nn.BatchNorm3d(after),
        nn.ReLU(),
    ]


class SelfyTransformation(nn.Module):
    def __init__(self, channels, frames, offsets):
        super().__init__()
        self.frames, self.offsets = frames, offsets
        self.downsample = nn.Sequential(
            nn.Conv2d(channels, 128, 3, 2, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU()
        )

    def forward(self, x):
        """(N*T, C, H, W) -> (N, T, L, 9, 9, h, w)."""
        x = self.downsample(x)
        clips = x.view(-1, self.frames, *x.shape[1:])
        volume = []
        for t in range(self.frames):
            for offset in range(-(self.offsets // 2), self.offsets // 2 + 1):
                inside = 0 <= t + offset < self.frames
                other = clips[:, t + offset] if inside else torch.zeros_like(clips[:, t])
                volume.append(similarity(clips[:, t], other, 4))
        return torch.stack(volume, 1).unflatten(1, (self.frames, self.offsets))


class SelfyExtraction(nn.Module):
    def __init__(self):
        super().__init__()
        for i, (before, after, stride, pad) in enumerate(
            [(1, 4, 1, 1), (4, 16, 2, 1), (16, 64, 2, 1), (64, 64, 1, 0)]
        ):
            setattr(self, f'conv{i}', nn.Sequential(*conv3d(before, after, stride, pad)))

    def forward(self, volume):
        """(N, T, L, 9, 9, h, w) -> (N*L, 64, T, h, w)."""
        n, t, offsets, _, _, h, w = volume.shape
        x = volume.permute(0, 1, 5, 6, 2, 3, 4).reshape(-1, 1, offsets, 9, 9)
        x = self.conv3(self.conv2(self.conv1(self.conv0(x))))
        return x.view(n, t, h, w, 64, offsets).permute(0, 5, 4, 1, 2, 3).flatten(0, 1)


class SelfyIntegration(nn.Module):
    def __init__(self, channels, offsets):
        super().__init__()
        self.offsets = offsets
        for i in range(3):
            setattr(self, f'conv{i}', nn.Sequential(*conv3d(64, 64)))
        self.conv3_fuse = nn.Sequential(nn.Identity(), *conv3d(64 * offsets, 64))
        self.upsample = nn.Sequential(
            nn.ConvTranspose3d(64, channels, 1, (1, 2, 2), 0, (0, 1, 1), bias=False),
            nn.BatchNorm3d(channels),
        )

    def forward(self, x):
        """(N*L, 64, T, h, w) -> (N*T, C, H, W)."""
        x = self.conv2(self.conv1(self.conv0(x)))
        x = self.conv3_fuse(x.reshape(-1, self.offsets * 64, *x.shape[2:]))
        return self.upsample(x).transpose(1, 2).flatten(0, 1)


class SelfyBlock(nn.Module):
    def __init__(self, channels, frames, offsets):
        super().__init__()
        self.stss_transformation = SelfyTransformation(channels, frames, offsets)
        self.stss_extraction = SelfyExtraction()
        self.stss_integration = SelfyIntegration(channels, offsets)

    def forward(self, x):
        return F.relu(x + self.stss_integration(self.stss_extraction(self.stss_transformation(x))))


def conv2d(before, after, kernel, groups=1):
    return [
        nn.Conv2d(before, after, kernel, 1, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    ]


def displacement(source, target):
    """Two maps of features to the displacement (x, y) / 7 and confidence, (B, 3, H, W)."""
    volume = F.relu(similarity(source, target, 7))
    flat = volume.flatten(1, 2)
    best = flat.argmax(1)
    row, column = best // 15, best % 15
    cells = torch.arange(15, dtype=volume.dtype)
    distance = (cells.view(1, 15, 1, 1, 1) - row[:, None, None]) ** 2 + (
        cells.view(1, 1, 15, 1, 1) - column[:, None, None]
    ) ** 2
    masked = volume * torch.exp(-distance / (2 * 5**2))
    weight = torch.softmax(100 * masked.flatten(1, 2), 1).view_as(volume)
    offset = cells - 7
    x = (weight * offset.view(1, 1, 15, 1, 1)).sum((1, 2)) / 7
    y = (weight * offset.view(1, 15, 1, 1, 1)).sum((1, 2)) / 7
    return torch.stack((x, y, flat.amax(1)), 1)


class MsRefinement(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Sequential(*conv2d(3, 3, 7, 3), *conv2d(3, 16, 1))
        self.conv2 = nn.Sequential(*conv2d(16, 16, 3, 16), *conv2d(16, 32, 1))
        self.conv3 = nn.Sequential(*conv2d(32, 32, 3, 32), *conv2d(32, 64, 1))
        self.conv4 = nn.Sequential(*conv2d(64, 64, 3, 64), *conv2d(64, channels, 1))

    def forward(self, maps):
        return self.conv4(self.conv3(self.conv2(self.conv1(maps))))


class MotionSqueezeResNet(ShiftResNet):
    """MSNet, whose block is two parts of the network, beside a normalisation that nothing uses."""

    def __init__(self, depth, frames):
        super().__init__(depth, frames, 'flow_refinement', MsRefinement)
        self.frames = frames
        self.bn2 = nn.BatchNorm2d(128)
        channels = 512 if depth >= 50 else 128
        self.chnl_reduction = nn.Sequential(*conv2d(channels, 64, 1))

    def add_motion(self, x):
        clips = self.chnl_reduction(x).unflatten(0, (-1, self.frames))
        maps = [displacement(clips[:, t], clips[:, t + 1]) for t in range(self.frames - 1)]
        maps.append(maps[-1])
        return x + self.flow_refinement(torch.stack(maps, 1).flatten(0, 1))


class TcmDynamics(nn.Module):
    def __init__(self, channels, frames):
        super().__init__()
        self.frames = frames
        self.chnl_reduction = nn.Sequential(*conv2d(channels, 64, 1))

    def forward(self, x):
        x = self.chnl_reduction(x)
        clips = x.view(-1, self.frames, *x.shape[1:])
        maps = []
        for t in range(self.frames - 1):
            fast = displacement(clips[:, t], clips[:, t + 1])
            slow = displacement(clips[:, 0], clips[:, t + 1])
            maps.append(torch.cat((fast, slow), 1))
        maps.append(maps[-1])
        return torch.stack(maps, 1).flatten(0, 1)


class TcmGate(nn.Module):
    def __init__(self, frames):
        super().__init__()
        kernel = int(math.log2(frames))
        kernel += kernel % 2 == 0
        self.conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, clips):
        """(N, T, C, H, W) -> the same, each channel of each frame weighed."""
        course = clips.mean((3, 4)).transpose(1, 2)
        weight = torch.sigmoid(self.conv(course.reshape(-1, 1, course.shape[2])))
        return clips * weight.view_as(course).transpose(1, 2)[..., None, None]


class TcmAttention(nn.Module):
    def __init__(self, channels, frames):
        super().__init__()
        self.frames = frames
        self.conv1 = nn.Sequential(
            *conv2d(6, 6, 3, 3), *conv2d(6, 6, 3, 3), *conv2d(6, 6, 3, 3), *conv2d(6, 16, 1)
        )
        self.conv2 = nn.Sequential(*conv2d(16, 16, 3, 16), *conv2d(16, 32, 1))
        self.conv3 = nn.Sequential(*conv2d(32, 32, 3, 32), *conv2d(32, 64, 1))
        self.conv4 = nn.Sequential(*conv2d(64, 64, 3, 64), *conv2d(64, channels, 1))
        self.ETA = TcmGate(frames)

    def forward(self, x):
        x = self.conv4(self.conv3(self.conv2(self.conv1(x))))
        return self.ETA(x.view(-1, self.frames, *x.shape[1:])).flatten(0, 1)


class TcmBlock(nn.Module):
    def __init__(self, channels, frames):
        super().__init__()
        self.mtdm = TcmDynamics(channels, frames)
        self.tam = TcmAttention(channels, frames)

    def forward(self, x):
        return x + self.tam(self.mtdm(x))


class PreActivated(nn.Module):
    def __init__(self, before, after, kernel=(1, 1, 1), stride=1, groups=1):
        super().__init__()
        self.bn = nn.BatchNorm3d(before)
        self.conv = nn.Conv3d(
            before,
            after,
            kernel,
            stride,
            [side // 2 for side in kernel],
            groups=groups,
            bias=False,
        )

    def forward(self, x):
        return self.conv(F.relu(self.bn(x)))


class MultiFiber(nn.Module):
    def __init__(self, before, after, stride=None):
        super().__init__()
        self.conv_i1 = PreActivated(before, after // 4)
        self.conv_i2 = PreActivated(after // 4, before)
        self.conv_m1 = PreActivated(before, after, (3, 3, 3), stride or 1, 16)
        self.conv_w1 = None
        if stride is None:
            self.conv_m2 = PreActivated(after, after, (1, 3, 3), groups=16)
        else:
            self.conv_m2 = PreActivated(after, after)
            self.conv_w1 = PreActivated(before, after, stride=stride)

    def forward(self, x):
        y = self.conv_m2(self.conv_m1(x + self.conv_i2(self.conv_i1(x))))
        return y + (x if self.conv_w1 is None else self.conv_w1(x))


class OfficialMFNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Sequential(
            OrderedDict(
                conv=nn.Conv3d(3, 16, (3, 5, 5), (1, 2, 2), (1, 2, 2), bias=False),
                bn=nn.BatchNorm3d(16),
            )
        )
        before = 16
        for number, width, units, stride in (
            (2, 96, 3, (2, 1, 1)),
            (3, 192, 4, (1, 2, 2)),
            (4, 384, 6, (1, 2, 2)),
            (5, 768, 3, (1, 2, 2)),
        ):
            layers = [
                (f'B{i + 1:02d}', MultiFiber(width if i else before, width, None if i else stride))
                for i in range(units)
            ]
            self.add_module(f'conv{number}', nn.Sequential(OrderedDict(layers)))
            before = width
        self.tail = nn.Sequential(OrderedDict(bn=nn.BatchNorm3d(768)))
        self.classifier = nn.Linear(768, classes)

    def forward(self, x):
        x = F.max_pool3d(F.relu(self.conv1(x)), (1, 3, 3), (1, 2, 2), (0, 1, 1))
        x = F.relu(self.tail(self.conv5(self.conv4(self.conv3(self.conv2(x))))))
        # the released code pools 8x7x7, all there is of 16 frames of 224x224
        return self.classifier(x.mean((2, 3, 4)))


def build_official(kind, depth=18, frames=8, classes=174, offsets=5, seed=0):
    """A network with random weights and random statistics, in evaluation mode."""
    torch.manual_seed(seed)
    if kind == 'mfnet':
        network = OfficialMFNet(classes)
    elif kind == 'msnet':
        network = OfficialTSN(MotionSqueezeResNet(depth, frames), classes, frames)
    else:
        name, block = {
            'selfy': ('selfy', lambda channels: SelfyBlock(channels, frames, offsets)),
            'tcm': ('tcm_layer', lambda channels: TcmBlock(channels, frames)),
        }[kind]
        network = OfficialTSN(ShiftResNet(depth, frames, name, block), classes, frames)
    return randomise(network).eval()


def randomise(network):
    """Statistics and factors away from 0 and 1; branches of residuals small, so that sums stay."""
    last = {
        id(getattr(module, module.last))
        for module in network.modules()
        if isinstance(module, Residual)
    }
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm3d)):
            factors = (0.1, 0.4) if id(module) in last else (0.5, 1.5)
            nn.init.uniform_(module.weight, *factors)
            nn.init.normal_(module.bias, std=0.2)
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 1.5)
            module.num_batches_tracked.fill_(7)
        elif isinstance(module, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose3d)):
            nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
    return network


def official_state(network, prefixed=True):
    """State dict as ``DataParallel`` saves it; without prefixes the classifier is ``fc1``."""
    state = network.state_dict()
    if prefixed:
        return OrderedDict((f'module.{name}', tensor) for name, tensor in state.items())
    return OrderedDict(
        (name.removeprefix('base_model.').replace('new_fc.', 'fc1.'), tensor)
        for name, tensor in state.items()
    )
