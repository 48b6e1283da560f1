"""ResNetTSMEveryBlock: a temporal shift in every block at every depth."""

import pytest
import torch
from mmaction.models.backbones.resnet_tsm import ResNetTSM, TemporalShift

from mmaction_ext.errors import InputError
from mmaction_ext.models import ResNetTSMEveryBlock


def shifted(network):
    return [name for name, module in network.named_modules() if isinstance(module, TemporalShift)]


@pytest.mark.parametrize('depth, blocks', [(18, 8), (34, 16), (50, 16), (101, 33)])
def test_every_block_is_shifted(depth, blocks):
    with torch.device('meta'):
        network = ResNetTSMEveryBlock(depth, num_segments=4, shift_div=8)
    names = shifted(network)
    assert len(names) == blocks and all(name.endswith('.conv1.conv') for name in names)
    assert {network.get_submodule(name).num_segments for name in names} == {4}


def test_mmaction_leaves_out_every_other_block_at_depth_101():
    """Why the class exists; where this fails it is no longer needed."""
    with torch.device('meta'):
        assert len(shifted(ResNetTSM(101))) < 33


def test_it_is_the_network_of_mmaction_at_other_depths():
    torch.manual_seed(0)
    theirs, ours = ResNetTSM(18, num_segments=4), ResNetTSMEveryBlock(18, num_segments=4)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.eval(), ours.eval()
    frames = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(ours(frames), theirs(frames))


@pytest.mark.parametrize('argument', [{'shift_place': 'block'}, {'temporal_pool': True}])
def test_what_it_lacks_is_refused(argument):
    (name,) = argument
    with torch.device('meta'), pytest.raises(InputError, match=name):
        ResNetTSMEveryBlock(18, **argument)


def test_without_shift_nothing_is_shifted():
    with torch.device('meta'):
        assert not shifted(ResNetTSMEveryBlock(18, is_shift=False))
