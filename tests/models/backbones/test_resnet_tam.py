"""ResNetTAM: mmaction2's TANet that touches no weights while it is built."""

import pytest
import torch
from mmaction.models.backbones import ResNet, TANet
from mmaction.models.backbones.tanet import TABlock

from mmaction_ext.errors import InputError
from mmaction_ext.models import ResNetTAM

SMALL = dict(num_stages=2, out_indices=(1,), strides=(1, 2), dilations=(1, 1))


def test_it_is_the_network_of_mmaction():
    torch.manual_seed(0)
    theirs, ours = TANet(50, 4, **SMALL), ResNetTAM(50, 4, **SMALL)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.eval(), ours.eval()
    frames = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(ours(frames), theirs(frames))


def test_it_builds_on_the_meta_device_and_where_there_are_no_weights():
    with torch.device('meta'):
        network = ResNetTAM(50, 4, pretrained='torchvision://resnet50')
    assert {p.device.type for p in network.parameters()} == {'meta'}


def test_image_weights_are_loaded_when_it_initialises(tmp_path):
    torch.manual_seed(0)
    image = ResNet(50, **SMALL)
    image.init_weights()
    state = {torchvision_name(name): value for name, value in image.state_dict().items()}
    torch.save(state, tmp_path / 'resnet.pth')
    network = ResNetTAM(50, 4, pretrained=str(tmp_path / 'resnet.pth'), **SMALL)
    network.init_weights()
    for name, value in network.state_dict().items():
        if '.tam.' not in name:
            assert torch.equal(value, image.state_dict()[name.replace('.block.', '.')]), name
    blocks = [module for module in network.modules() if isinstance(module, TABlock)]
    assert len(blocks) == 7


def torchvision_name(name):
    """``layer1.0.conv2.bn.weight`` is ``layer1.0.bn2.weight`` there."""
    for number in '123':
        name = name.replace(f'conv{number}.conv.', f'conv{number}.')
        name = name.replace(f'conv{number}.bn.', f'bn{number}.')
    return name.replace('downsample.conv.', 'downsample.0.').replace(
        'downsample.bn.', 'downsample.1.'
    )


def test_two_frames_are_too_few():
    with pytest.raises(InputError, match='num_segments must be at least 3, got 2'):
        ResNetTAM(50, 2)
