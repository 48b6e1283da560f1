"""BN-Inception against a functional implementation with the names of its Caffe model."""

import pytest
import torch
from restated_networks import bn_inception, randomised

from mmaction_ext.errors import InputError
from mmaction_ext.models import BNInception
from mmaction_ext.models.complexity import count
from mmaction_ext.networks import tsn_bn_inception


def test_equals_a_functional_implementation():
    network = randomised(BNInception(base_channels=4))
    frames = torch.randn(2, 3, 96, 64, dtype=torch.float64)
    expected = bn_inception(frames, network.state_dict())
    assert expected.shape == (2, 64, 3, 2) and expected.abs().sum() > 0
    torch.testing.assert_close(network(frames), expected, rtol=1e-10, atol=1e-12)


def test_size_of_the_published_network():
    """10.3 M without classifier; the 16 G of TSN's 8 frames (DCF Table 4)."""
    found = count(tsn_bn_inception(174), (3, 8, 224, 224))
    assert found.params - 1025 * 174 == 10_270_240
    assert round(found.macs / 1e9) == 16


def test_starts_from_image_weights_of_either_spelling(tmp_path):
    """Old files have (1, C) for C; the classifier's name differs."""
    theirs = randomised(BNInception(base_channels=2)).float().state_dict()
    stored = {
        name: value[None] if value.dim() == 1 and '_bn.' in name else value
        for name, value in theirs.items()
        if not name.endswith('num_batches_tracked')
    }
    torch.save({**stored, 'last_linear.weight': torch.ones(2, 32)}, tmp_path / 'weights.pth')
    network = BNInception(base_channels=2, pretrained=str(tmp_path / 'weights.pth'))
    network.init_weights()
    for name in stored:
        assert torch.equal(network.state_dict()[name], theirs[name]), name


def test_frozen_normalisations_stay_as_they_are():
    network = BNInception(base_channels=2, partial_bn=True).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.randn(2, 3, 64, 64)).sum().backward()
    changed = {
        name
        for name, value in network.state_dict().items()
        if name.endswith('running_mean') and not value.equal(before[name])
    }
    assert changed == {'conv1_7x7_s2_bn.running_mean'}
    with_gradient = {
        name for name, p in network.named_parameters() if '_bn.' in name and p.grad is not None
    }
    assert with_gradient == {'conv1_7x7_s2_bn.weight', 'conv1_7x7_s2_bn.bias'}


@pytest.mark.parametrize('base_channels', [0, 3, 4.0])
def test_a_width_that_is_no_multiple_is_named(base_channels):
    with pytest.raises(InputError, match='base_channels must be even'):
        BNInception(base_channels=base_channels)
