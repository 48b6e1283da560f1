"""ECO and ECO-Lite against a functional implementation with the names of the released code."""

import pytest
import torch
from restated_networks import eco, randomised

from mmaction_ext import networks
from mmaction_ext.models import ECO
from mmaction_ext.models.complexity import count


@pytest.mark.parametrize('full', [False, True])
def test_equals_a_functional_implementation(full):
    network = randomised(ECO(full, base_channels=4))
    clips = torch.randn(2, 3, 5, 64, 96, dtype=torch.float64)
    expected = eco(clips, network.state_dict())
    assert expected.shape == (2, 96 if full else 32) and expected.abs().sum() > 0
    found = network(clips).mean((2, 3, 4))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    'full, frames, params, gmacs',
    [(False, 8, 37.39, 23.24), (False, 16, 37.39, 46.49), (True, 16, 47.15, 64.41)],
)
def test_sizes_of_the_released_networks(full, frames, params, gmacs):
    """With 174 classes, counted on the released code."""
    found = count(networks.eco(174, full), (3, frames, 224, 224))
    assert (round(found.params / 1e6, 2), round(found.macs / 1e9, 2)) == (params, gmacs)


def test_the_ensemble_of_four_costs_what_is_printed_for_one():
    """KPSEM Table 1: 150 M and 267 G, of 16, 20, 24 and 32 frames."""
    members = [count(networks.eco(174), (3, frames, 224, 224)) for frames in (16, 20, 24, 32)]
    assert round(sum(each.params for each in members) / 1e6) == 150
    assert round(sum(each.macs for each in members) / 1e9) == 267


def test_all_of_it_learns_and_only_the_whole_one_drops_inside():
    torch.manual_seed(0)
    for full in (False, True):
        network = ECO(full, base_channels=2).train()
        clips = torch.randn(2, 3, 4, 64, 64)
        network(clips).square().mean().backward()
        assert all(p.grad is not None for p in network.parameters())
        network.eval()
        assert network(clips).equal(network(clips))
        for norm in network.modules():
            norm.training = isinstance(norm, torch.nn.Dropout)
        assert network(clips).equal(network(clips)) != full
