"""ME against a restatement with loops."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from restated import normalised, trained

import mmaction_ext.register  # noqa: F401
from mmaction_ext.errors import InputError
from mmaction_ext.modules.tea import ME


def by_hand(core, clip):
    """One clip (T, C, H, W), frame by frame."""
    weights = {name: part.conv.weight for name, part in core.named_children()}
    queries = [normalised(F.conv2d(x[None], weights['reduce']), core.reduce.bn) for x in clip]
    keys = [F.conv2d(q, weights['transform'], padding=1, groups=q.shape[1]) for q in queries]
    out = []
    for t, x in enumerate(clip):
        last = t + 1 == len(clip)
        difference = torch.zeros_like(queries[t]) if last else keys[t + 1] - queries[t]
        pooled = difference.sum((2, 3), keepdim=True) / x[0].numel()
        logits = normalised(F.conv2d(pooled, weights['expand']), core.expand.bn)
        out.append(x + x * (1 / (1 + torch.exp(-logits[0])) - 0.5))
    return torch.stack(out)


@pytest.mark.parametrize('size', [(2, 3, 32, 4, 5), (1, 2, 33, 3, 3), (1, 2, 7, 1, 2)])
def test_equals_the_restatement(size):
    """Values, and gradients of the input and of every parameter."""
    core = trained(ME(size[2]))
    x = torch.randn(size, dtype=torch.float64, requires_grad=True)
    actual = core(x)
    expected = torch.stack([by_hand(core, clip) for clip in x])
    assert (actual - x).abs().max() > 0.01
    torch.testing.assert_close(actual, expected)
    inputs, weight = (x, *core.parameters()), torch.randn_like(actual)
    torch.testing.assert_close(
        torch.autograd.grad(actual, inputs, weight), torch.autograd.grad(expected, inputs, weight)
    )


def test_module_is_the_core_after_a_stage():
    module = trained(MODELS.build(dict(type='MotionExcitation', in_channels={3: 32, 4: 48})))
    assert [block.squeezed for block in module.blocks.values()] == [2, 3]
    x = torch.randn(2, 48, 3, 4, 5, dtype=torch.float64)
    out, carried = module(x, 4)
    assert carried == ()
    expected = torch.stack([by_hand(module.blocks['4'], clip) for clip in x.transpose(1, 2)])
    torch.testing.assert_close(out, expected.transpose(1, 2))


def test_bad_reduction_is_named():
    with pytest.raises(InputError, match='reduction must be at least 1, got 0'):
        ME(8, 0)
