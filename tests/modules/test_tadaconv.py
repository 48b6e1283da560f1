"""TAdaConv against loops over frames with weights of their own, as the paper writes it."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmaction_ext.modules.tadaconv import RouteFunction, TAdaConv, TAdaConv2d


def trained(module):
    """The module in float64, with nothing left at its trivial start, in evaluation mode."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    for norm in module.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(norm.running_mean, std=0.3)
            nn.init.uniform_(norm.running_var, 0.5, 2)
    return module.double().eval()


def features(*size):
    return torch.randn(size, dtype=torch.float64, requires_grad=True)


def over_time(course, weight, bias):
    """Convolution of a course (T, C) by three frames, frame by frame, zeros beyond its ends."""
    out = []
    for t in range(len(course)):
        seen = [(k, t + k - 1) for k in range(3) if 0 <= t + k - 1 < len(course)]
        out.append(bias + sum(weight[:, :, k] @ course[at] for k, at in seen))
    return torch.stack(out)


def alpha_by_loops(frames, route):
    """Weights of one clip (T, C, H, W): (T, C)."""
    local = torch.stack([frame.flatten(1).sum(1) / frame[0].numel() for frame in frames])
    if route.g is not None:
        local = local + route.g.weight[:, :, 0] @ (local.sum(0) / len(local)) + route.g.bias
    narrow, norm = over_time(local, route.a.weight, route.a.bias), route.bn
    narrow = (narrow - norm.running_mean) / (norm.running_var + 1e-5).sqrt()
    narrow = (narrow * norm.weight + norm.bias).clamp(min=0)
    return 1 + over_time(narrow, route.b.weight, 0)


def by_loops(clips, conv):
    """Each frame of clips (N, T, C, H, W) convolved with weights of its own."""
    out = []
    for clip in clips:
        alpha = alpha_by_loops(clip, conv.route)
        for frame, scales in zip(clip, alpha, strict=True):
            weight = conv.weight * scales[None, :, None, None]
            out.append(F.conv2d(frame[None], weight, None, conv.stride, conv.padding)[0])
    return torch.stack(out).unflatten(0, clips.shape[:2])


@pytest.mark.parametrize('global_context', [True, False])
@pytest.mark.parametrize('stride, size', [(1, (5, 6)), (2, (5, 6)), (2, (4, 7))])
def test_equals_weights_of_each_frame_and_so_do_its_gradients(global_context, stride, size):
    conv = TAdaConv2d(32, 6, 3, global_context, stride=stride, padding=1, bias=False)
    conv, clips = trained(conv), features(2, 5, 32, *size)
    found, expected = conv(clips), by_loops(clips, conv)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    towards = torch.randn_like(found)
    inputs = [clips, *conv.parameters()]
    for mine, theirs in zip(
        torch.autograd.grad(found, inputs, towards),
        torch.autograd.grad(expected, inputs, towards),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-10)


def test_starts_as_an_ordinary_convolution():
    torch.manual_seed(0)
    conv = TAdaConv2d(8, 6, 3, stride=2, padding=1)  # with a bias, in training
    clips = torch.randn(2, 5, 8, 6, 6)
    plain = F.conv2d(clips.flatten(0, 1), conv.weight, conv.bias, 2, 1)
    assert conv(clips).flatten(0, 1).equal(plain)


def test_the_route_starts_as_in_the_code():
    torch.manual_seed(0)
    route = RouteFunction(256)
    assert not route.b.weight.any() and not route.g.bias.any() and not route.a.bias.any()
    assert route.g.weight.std().item() == pytest.approx((2 / 256) ** 0.5, rel=0.02)
    assert route.a.weight.std().item() == pytest.approx((2 / (64 * 3)) ** 0.5, rel=0.02)


def test_context_reaches_the_whole_clip_and_without_it_two_frames():
    """Which frames change the weights of frame 0, when they change."""
    for global_context, seen in ((True, [0, 1, 2, 3, 4, 5]), (False, [0, 1, 2])):
        route, clip = trained(RouteFunction(64, global_context)), features(1, 6, 64, 2, 2)
        (gradient,) = torch.autograd.grad(route(clip)[0, 0].sum(), clip)
        assert gradient.flatten(2).abs().sum(2)[0].nonzero().flatten().tolist() == seen


def test_a_new_module_is_the_identity_and_a_trained_one_adds_the_normalised_convolution():
    module, x = TAdaConv({3: 8}).double(), features(2, 8, 4, 5, 5).detach()
    assert module(x, 3)[0].equal(x)
    assert not TAdaConv({3: 8}, zero_init=False).double()(x, 3)[0].equal(x)
    module = trained(module)
    core, norm = module.block(3).core, module.block(3).bn
    added = F.batch_norm(
        by_loops(x.transpose(1, 2), core).flatten(0, 1),
        norm.running_mean,
        norm.running_var,
        norm.weight,
        norm.bias,
    )
    expected = x + added.unflatten(0, (2, 4)).transpose(1, 2)
    torch.testing.assert_close(module(x, 3)[0], expected, rtol=1e-12, atol=1e-12)


def test_the_module_takes_the_switch_of_its_core():
    assert TAdaConv({3: 8}, global_context=False).block(3).core.route.g is None
