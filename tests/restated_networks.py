"""Networks as functions of a state dict with the names of their released code.

Written from the descriptions, for tests: with the package they share nothing but names.
"""

import re

import torch
import torch.nn.functional as F
from torch import nn


def randomised(network):
    """In evaluation mode and float64, with statistics that no two normalisations share."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm3d)):
            for values in (module.weight, module.bias, module.running_mean):
                nn.init.normal_(values)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network.double().eval()


def conv(x, state, name, stride=1):
    weight = state[f'{name}.weight']
    convolve = F.conv3d if weight.dim() == 5 else F.conv2d
    return convolve(x, weight, state.get(f'{name}.bias'), stride, weight.shape[-1] // 2)


def norm(x, state, name):
    mean, var, weight, bias = (
        state[f'{name}.{part}'] for part in ('running_mean', 'running_var', 'weight', 'bias')
    )
    return F.relu(F.batch_norm(x, mean, var, weight, bias))


def unit(x, state, name, stride=1):
    return norm(conv(x, state, name, stride), state, f'{name}_bn')


def chain(x, state, *names, last_stride=1):
    for name in names:
        x = unit(x, state, name, last_stride if name == names[-1] else 1)
    return x


def inception(x, state, place):
    name = f'inception_{place}_'
    halves = place in ('3c', '4e')
    stride = 2 if halves else 1
    three = chain(x, state, f'{name}3x3_reduce', f'{name}3x3', last_stride=stride)
    steps = (f'{name}double_3x3_{step}' for step in ('reduce', '1', '2'))
    double = chain(x, state, *steps, last_stride=stride)
    if halves:
        return torch.cat((three, double, F.max_pool2d(x, 3, 2, ceil_mode=True)), 1)
    padded = F.pad(x, (1, 1, 1, 1), value=-torch.inf if place == '5b' else 0.0)
    pooled = F.max_pool2d(padded, 3, 1) if place == '5b' else F.avg_pool2d(padded, 3, 1)
    return torch.cat(
        (unit(x, state, f'{name}1x1'), three, double, unit(pooled, state, f'{name}pool_proj')), 1
    )


def stem(frames, state):
    x = unit(frames, state, 'conv1_7x7_s2', 2)
    x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    x = chain(x, state, 'conv2_3x3_reduce', 'conv2_3x3')
    return F.max_pool2d(x, 3, 2, ceil_mode=True)


def bn_inception(frames, state):
    x = stem(frames, state)
    for place in ('3a', '3b', '3c', '4a', '4b', '4c', '4d', '4e', '5a', '5b'):
        x = inception(x, state, place)
    return x


def eco(clips, state):
    """Features of clips (N, 3, T, H, W) before the classifier; the whole ECO where it has 4a."""
    frames = torch.cat([clip.transpose(0, 1) for clip in clips])
    x = stem(frames, state)
    x = inception(inception(x, state, '3a'), state, '3b')
    place = 'inception_3c_double_3x3'
    maps = chain(x, state, f'{place}_reduce', f'{place}_1')
    volume = torch.stack(maps.chunk(len(clips)), 0).transpose(1, 2)
    a3 = conv(volume, state, 'res3a_2')
    b3 = conv(unit(norm(a3, state, 'res3a_bn'), state, 'res3b_1'), state, 'res3b_2') + a3
    x3 = norm(b3, state, 'res3b_bn')
    a4 = conv(unit(x3, state, 'res4a_1', 2), state, 'res4a_2') + conv(x3, state, 'res4a_down', 2)
    b4 = conv(unit(norm(a4, state, 'res4a_bn'), state, 'res4b_1'), state, 'res4b_2') + a4
    x4 = norm(b4, state, 'res4b_bn')
    a5 = conv(unit(x4, state, 'res5a_1', 2), state, 'res5a_2') + conv(x4, state, 'res5a_down', 2)
    b5 = conv(unit(norm(a5, state, 'res5a_bn'), state, 'res5b_1'), state, 'res5b_2') + a5
    vector = norm(b5, state, 'res5b_bn').mean((2, 3, 4))
    if not any(re.match('inception_4a', name) for name in state):
        return vector
    means = bn_inception(frames, state).mean((2, 3))
    return torch.cat((torch.stack([each.mean(0) for each in means.chunk(len(clips))]), vector), 1)


def resnext_block(x, state, name, stride, groups):
    y = norm(F.conv3d(x, state[f'{name}.conv1.weight']), state, f'{name}.bn1')
    y = F.conv3d(y, state[f'{name}.conv2.weight'], None, stride, 1, 1, groups)
    y = F.conv3d(norm(y, state, f'{name}.bn2'), state[f'{name}.conv3.weight'])
    y = normalised(y, state, f'{name}.bn3')
    if f'{name}.downsample.0.weight' in state:
        x = F.conv3d(x, state[f'{name}.downsample.0.weight'], None, stride)
        x = normalised(x, state, f'{name}.downsample.1')
    return F.relu(x + y)


def normalised(x, state, name):
    mean, var, weight, bias = (
        state[f'{name}.{part}'] for part in ('running_mean', 'running_var', 'weight', 'bias')
    )
    return F.batch_norm(x, mean, var, weight, bias)


def resnext3d(clips, state, depths, groups):
    """The last map of clips (N, 3, T, H, W)."""
    x = F.conv3d(clips, state['conv1.weight'], None, (1, 2, 2), 3)
    x = F.max_pool3d(norm(x, state, 'bn1'), 3, 2, 1)
    for layer, depth in enumerate(depths, start=1):
        for index in range(depth):
            stride = 2 if layer > 1 and index == 0 else 1
            x = resnext_block(x, state, f'layer{layer}.{index}', stride, groups)
    return x


def cgd(y, state, name):
    """Maps (M, C, H, W), pooled one by one, with their channels weighed."""
    average, peak = y.mean((2, 3)), y.flatten(2).max(2).values
    shares = average.exp() / average.exp().sum(1, keepdim=True)
    weight = [state[f'{name}.w{i}'] for i in range(3)]
    bias = [state[f'{name}.bias{i}'].flatten() for i in range(3)]
    mean = torch.tanh((average @ weight[0]) * shares + bias[0])
    most = torch.tanh((peak @ weight[1]) * shares + bias[1])
    return y * (1 + torch.tanh((most @ weight[2]) * mean + bias[2]))[..., None, None]


def cgnl(x, state, name, groups=8):
    """Maps (M, C, H, W), each attended to by itself."""
    theta, phi, g = (conv(x, state, f'{name}.{part}') for part in 'tpg')
    mixed = [
        t * (p * v).sum((1, 2, 3), keepdim=True)
        for t, p, v in zip(*(y.chunk(groups, 1) for y in (theta, phi, g)), strict=True)
    ]
    z = F.conv2d(torch.cat(mixed, 1), state[f'{name}.z.weight'], groups=groups)
    scale, shift = state[f'{name}.gn.weight'], state[f'{name}.gn.bias']
    return x + F.group_norm(z, groups, scale, shift)
