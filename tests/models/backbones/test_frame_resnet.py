"""The ResNet of the video networks against torchvision's."""

import pytest
import torch
import torchvision

from mmaction_ext.errors import InputError
from mmaction_ext.models import FrameResNet
from mmaction_ext.models.host.stages import find_stages


@pytest.mark.parametrize('depth', [50, 101])
def test_it_is_torchvisions_network_with_the_same_names(depth, tmp_path):
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, f'resnet{depth}')(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / 'weights.pth')
    ours = FrameResNet(depth, num_segments=2, pretrained=str(tmp_path / 'weights.pth')).eval()
    ours.init_weights()
    assert set(ours.state_dict()) == {
        name for name in theirs.state_dict() if not name.startswith('fc.')
    }
    frames = torch.randn(2, 3, 64, 64)
    theirs.fc = torch.nn.Identity()
    torch.testing.assert_close(ours(frames).mean((2, 3)), theirs(frames))


def test_width_and_stages():
    network = FrameResNet(26, num_segments=2, base_channels=4)
    assert network(torch.randn(4, 3, 64, 64)).shape == (4, 128, 2, 2)
    assert find_stages(network) == {
        1: 'maxpool',
        2: 'layer1',
        3: 'layer2',
        4: 'layer3',
        5: 'layer4',
    }


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(depth=18), 'depth'),
        (dict(num_segments=0), 'num_segments'),
        (dict(base_channels=0), 'base_channels'),
        (
            dict(pretrained='a.pth', init_cfg=dict(type='Pretrained', checkpoint='b.pth')),
            'both load weights',
        ),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        FrameResNet(**{'depth': 50, 'num_segments': 8, **arguments})
