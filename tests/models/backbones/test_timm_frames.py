"""timm's networks on frames: what is frozen stays, what is shifted is shifted."""

import pytest
import timm
import torch
from torch import nn

from mmaction_ext.errors import InputError
from mmaction_ext.models import MotionBackbone, TimmFrames
from mmaction_ext.models.host.stages import find_stages

MODEL = 'mobilenetv2_050'
FROZEN = ('conv_stem.', 'bn1.', 'blocks.0.', 'blocks.1.', 'blocks.2.')


def plain():
    torch.manual_seed(0)
    return timm.create_model(MODEL, num_classes=0, global_pool='')


def filled(**options):
    backbone = TimmFrames(MODEL, num_segments=4, **options)
    backbone.network.load_state_dict(plain().state_dict())
    return backbone


def test_without_options_it_is_timms_network():
    theirs, ours = plain().eval(), filled().eval()
    frames = torch.randn(4, 3, 32, 32)
    assert torch.allclose(ours(frames), theirs(frames), atol=1e-5)
    assert find_stages(ours) == {
        stage: f'network.{name}' for stage, name in find_stages(theirs).items()
    }


def test_frozen_stages_keep_weights_and_statistics_in_training():
    backbone = filled(frozen_stages=3)
    before = {name: value.clone() for name, value in backbone.network.state_dict().items()}
    backbone.train()
    optimizer = torch.optim.SGD(
        [weight for weight in backbone.parameters() if weight.requires_grad],
        lr=1.0,
        weight_decay=0.1,
    )
    backbone(torch.randn(8, 3, 64, 64)).square().mean().backward()
    optimizer.step()
    for name, value in backbone.network.state_dict().items():
        same = torch.equal(value, before[name])
        assert same == name.startswith(FROZEN), name
    backbone.eval().train()
    assert not backbone.network.bn1.training and backbone.network.bn2.training


def test_nothing_is_frozen_unless_asked():
    assert all(weight.requires_grad for weight in filled().parameters())
    assert filled().train().network.bn1.training


class ShiftByLoops(nn.Module):
    """TSM's shift as its paper draws it: channel by channel, frame by frame."""

    def __init__(self, convolution):
        super().__init__()
        self.convolution = convolution

    def forward(self, x):
        shifted, part = torch.zeros_like(x), x.shape[1] // 8
        for frame in range(len(x)):
            clip, t = divmod(frame, 4)
            for channel in range(x.shape[1]):
                source = t + 1 if channel < part else t - 1 if channel < 2 * part else t
                if 0 <= source < 4:
                    shifted[frame, channel] = x[clip * 4 + source, channel]
        return self.convolution(shifted)


def test_blocks_with_a_shortcut_behind_what_is_frozen_are_shifted():
    theirs = plain().double().eval()
    for name in ('3.1', '3.2', '3.3', '4.1', '4.2', '5.1', '5.2'):
        block = theirs.get_submodule(f'blocks.{name}')
        block.conv_pw = ShiftByLoops(block.conv_pw)
    ours = filled(frozen_stages=3, shift_div=8).double().eval()
    frames = torch.randn(8, 3, 32, 32, dtype=torch.float64)
    assert torch.allclose(ours(frames), theirs(frames), rtol=1e-12, atol=1e-12)
    assert ours.network.state_dict().keys() == plain().state_dict().keys()


def test_weights_are_read_when_training_starts(tmp_path):
    torch.save(plain().state_dict(), tmp_path / 'weights.pth')
    backbone = TimmFrames(MODEL, 4, checkpoint_path=str(tmp_path / 'weights.pth'))
    assert not torch.equal(backbone.network.conv_stem.weight, plain().conv_stem.weight)
    backbone.init_weights()
    for name, value in plain().state_dict().items():
        assert torch.equal(backbone.network.state_dict()[name], value), name


def test_a_module_behind_frozen_stages_learns():
    host = MotionBackbone(
        dict(type='TimmFrames', model=MODEL, num_segments=4, frozen_stages=3),
        dict(type='DCF', relu='none'),
        (3, 4),
    )
    host.train()
    host(torch.randn(4, 3, 64, 64)).square().mean().backward()
    assert host.module.block(3).bn2.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ('model', 'options', 'message'),
    [
        (MODEL, dict(frozen_stages=6), 'unknown stage 6'),
        ('resnet10t', dict(shift_div=8), "'resnet10t' has no inverted residual"),
        ('mobilenetv9', {}, "unknown timm model 'mobilenetv9'"),
    ],
)
def test_what_cannot_be_is_refused(model, options, message):
    with pytest.raises(InputError, match=message):
        TimmFrames(model, 4, **options)
