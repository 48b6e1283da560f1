"""3-D ResNeXt against a functional implementation with the names of MARS's released code."""

import pytest
import torch
from restated_networks import randomised, resnext3d

from mmaction_ext import networks
from mmaction_ext.errors import InputError
from mmaction_ext.models import ResNeXt3d
from mmaction_ext.models.complexity import count


def test_equals_a_functional_implementation():
    network = randomised(ResNeXt3d(depth=26, groups=4, base_channels=4))
    state = network.state_dict()
    clips = torch.randn(2, 3, 17, 50, 34, dtype=torch.float64)
    x = resnext3d(clips, state, (2, 2, 2, 2), groups=4)
    assert x.shape == (2, 128, 2, 2, 2) and x.abs().sum() > 0
    torch.testing.assert_close(network(clips), x, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('frames, gmacs', [(16, 9.57), (64, 38.27)])
def test_size_of_the_released_network(frames, gmacs):
    """With 101 classes, counted on the released code."""
    found = count(networks.mars(101), (3, frames, 112, 112))
    assert round(found.params / 1e6, 2) == 47.73
    assert round(found.macs / 1e9, 2) == gmacs


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(depth=18), 'depth'),
        (dict(groups=0), 'groups'),
        (dict(groups=32, base_channels=8), '16 channels.*groups=32'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        ResNeXt3d(**arguments)
