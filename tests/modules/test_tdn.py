"""L-TDM against a restatement with loops."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from restated import normalised, trained

import mmaction_ext.register  # noqa: F401
from mmaction_ext.errors import InputError
from mmaction_ext.modules.tdn import LTDM


def gate_by_hand(core, difference):
    """Of one frame (R, H, W): averages of 2 x 2 pixels, and the pixel itself, as loops."""
    height, width = difference.shape[1:]
    small = torch.stack(
        [
            torch.stack(
                [
                    difference[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((1, 2))
                    for j in range(width // 2)
                ],
                dim=1,
            )
            for i in range(height // 2)
        ],
        dim=1,
    )
    half = F.conv2d(small[None], core.coarse.conv.weight, padding=1)
    half = normalised(half, core.coarse.bn)[0]
    rows = [i * (height // 2) // height for i in range(height)]
    columns = [j * (width // 2) // width for j in range(width)]
    half = half[:, rows][:, :, columns]
    full = F.conv2d(difference[None], core.fine.conv.weight, padding=1)
    full = normalised(full, core.fine.bn)[0]
    joined = difference / 3 + half / 3 + full / 3
    logits = F.conv2d(joined[None], core.expand.conv.weight)
    return 1 / (1 + torch.exp(-normalised(logits, core.expand.bn)[0])) - 0.5


def by_hand(core, clip):
    """One clip (T, C, H, W), frame by frame."""
    queries = [
        normalised(F.conv2d(x[None], core.reduce.conv.weight), core.reduce.bn)[0] for x in clip
    ]
    keys = [
        F.conv2d(q[None], core.transform.conv.weight, padding=1, groups=len(q))[0] for q in queries
    ]
    out = []
    for t, x in enumerate(clip):
        zero = torch.zeros_like(queries[t])
        ahead = keys[t + 1] - queries[t] if t + 1 < len(clip) else zero
        behind = keys[t - 1] - queries[t] if t > 0 else zero
        out.append(x + x * (gate_by_hand(core, ahead) + gate_by_hand(core, behind)) / 2)
    return torch.stack(out)


@pytest.mark.parametrize('size', [(2, 3, 32, 4, 6), (1, 2, 33, 2, 2), (1, 2, 7, 5, 7)])
def test_equals_the_restatement(size):
    """Values, and gradients of the input and of every parameter."""
    core = trained(LTDM(size[2]))
    x = torch.randn(size, dtype=torch.float64, requires_grad=True)
    actual = core(x)
    expected = torch.stack([by_hand(core, clip) for clip in x])
    assert (actual - x).abs().max() > 0.01
    torch.testing.assert_close(actual, expected)
    inputs, weight = (x, *core.parameters()), torch.randn_like(actual)
    torch.testing.assert_close(
        torch.autograd.grad(actual, inputs, weight), torch.autograd.grad(expected, inputs, weight)
    )


def test_maps_of_one_pixel_are_refused():
    with pytest.raises(InputError, match=r'at least 2 x 2 pixels, got \(4, 1\)'):
        LTDM(16)(torch.zeros(1, 2, 16, 4, 1))


def test_in_training_each_direction_is_normalised_by_its_own_statistics():
    """As the released code does; the second direction is the last that the running ones see."""
    torch.manual_seed(0)
    core = LTDM(16).double().train()
    x = torch.randn(2, 3, 16, 4, 4, dtype=torch.float64)
    seen = []
    core.expand.bn.register_forward_hook(lambda _, inputs, out: seen.append((inputs[0], out)))
    core(x)
    assert len(seen) == 2
    for _, after in seen:
        torch.testing.assert_close(
            after.mean((0, 2, 3)), torch.zeros(16, dtype=torch.float64), rtol=0, atol=1e-10
        )
    momentum, means = 0.1, [before.mean((0, 2, 3)) for before, _ in seen]
    torch.testing.assert_close(
        core.expand.bn.running_mean, momentum * ((1 - momentum) * means[0] + means[1])
    )


def test_reversed_frames_give_reversed_frames():
    """So on frames alone it tells no clip from its reversal: both directions share all weights."""
    torch.manual_seed(0)
    core = trained(LTDM(16))
    x = torch.randn(2, 5, 16, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(core(x.flip(1)), core(x).flip(1), rtol=0, atol=1e-14)


def test_module_is_the_core_after_a_stage():
    module = trained(MODELS.build(dict(type='LongTermTDM', in_channels={3: 32, 4: 48})))
    assert [block.squeezed for block in module.blocks.values()] == [2, 3]
    x = torch.randn(2, 48, 3, 4, 5, dtype=torch.float64)
    out, carried = module(x, 4)
    assert carried == ()
    expected = torch.stack([by_hand(module.blocks['4'], clip) for clip in x.transpose(1, 2)])
    torch.testing.assert_close(out, expected.transpose(1, 2))
