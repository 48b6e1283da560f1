"""CT-Net's size, where its blocks are, and what it starts from.

Its numbers are those of the code in ``tests/engine/official_checkpoints/test_ctnet.py``.
"""

import pytest
import torch
import torchvision

from mmaction_ext.errors import InputError
from mmaction_ext.models import CTNet
from mmaction_ext.models.backbones.ctnet import CTBottleneck
from mmaction_ext.models.complexity import count
from mmaction_ext.networks import ctnet_r50


@pytest.mark.parametrize(
    'frames, side, gmacs',
    [(8, 224, 28.36), (8, 256, 37.04), (16, 224, 56.65), (16, 256, 73.99)],
)
def test_size(frames, side, gmacs):
    """As counted from the released code by hooks."""
    found = count(ctnet_r50(174, frames), (3, frames, side, side))
    assert round(found.params / 1e6, 2) == 20.96
    assert round(found.macs / 1e9, 2) == gmacs


#: of the released network, and of the one with most
SEVEN = {1: [1], 2: [1, 3], 3: [1, 3, 5], 4: [1]}
TWELVE = {1: [1, 2], 2: [1, 2, 3], 3: [1, 2, 3, 4, 5], 4: [1, 2]}


@pytest.mark.parametrize(
    'num_total, gmacs, places',
    [
        (3, 30.8, {2: [3], 3: [3, 5]}),
        (4, 30.3, {1: [1], 2: [1], 3: [1], 4: [1]}),
        (5, 29.6, {1: [2], 2: [2], 3: [2, 4], 4: [2]}),
        (7, 28.4, SEVEN),
        (12, 25.3, TWELVE),
    ],
)
def test_places_and_what_they_cost(num_total, gmacs, places):
    with torch.device('meta'):
        network = CTNet(50, 8, num_total=num_total)
    found = [name for name, block in network.named_modules() if isinstance(block, CTBottleneck)]
    assert found == [f'layer{n}.{index}' for n, found in places.items() for index in found]
    assert round(count(ctnet_r50(174, 8, num_total), (3, 8, 224, 224)).macs / 1e9, 1) == gmacs


def test_starts_from_the_image_weights_that_it_has_a_place_for(tmp_path):
    torch.manual_seed(0)
    image = torchvision.models.resnet50(weights=None)
    for parameter in image.parameters():
        torch.nn.init.normal_(parameter)
    weights = image.state_dict()
    torch.save(weights, tmp_path / 'weights.pth')
    network = CTNet(50, 2, pretrained=str(tmp_path / 'weights.pth'))
    network.init_weights()
    own, block = network.state_dict(), network.layer3[1]
    for name, value in weights.items():
        if name in own:
            assert own[name].equal(value), name
    assert block.conv1.conv.weight.equal(weights['layer3.1.conv1.weight'])
    assert block.conv1.bn.bias.equal(weights['layer3.1.bn1.bias'])
    assert block.conv3.conv.weight.equal(weights['layer3.1.conv3.weight'])
    assert block.conv3.bn.running_var.equal(weights['layer3.1.bn3.running_var'])
    # the image network has all but these from somewhere
    fresh = {name for name in own if '.conv2.by_' in name or '.conv2.fusion.' in name}
    assert len(own) - len(fresh) == len(weights) - 2 - 7 * 6


def test_weights_of_a_deeper_network_are_refused(tmp_path):
    image = torchvision.models.resnet101(weights=None)
    torch.save(image.state_dict(), tmp_path / 'weights.pth')
    network = CTNet(50, 2, pretrained=str(tmp_path / 'weights.pth'))
    with pytest.raises(InputError, match='left over: layer3'):
        network.init_weights()


@pytest.mark.parametrize(
    'arguments, message', [(dict(num_total=6), 'num_total'), (dict(gates='space'), 'gates')]
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        CTNet(14 if 'num_total' in arguments else 26, 2, **arguments)
