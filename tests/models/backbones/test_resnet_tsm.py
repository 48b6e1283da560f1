"""ResNetTSMEveryBlock: a shift in every block at every depth. ThinResNetTSM: any width."""

import pytest
import torch
from mmaction.models.backbones.resnet_tsm import ResNetTSM, TemporalShift

from mmaction_ext.errors import InputError
from mmaction_ext.models import ResNetTSMEveryBlock, ThinResNetTSM


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


@pytest.mark.parametrize(
    'options',
    [
        {},
        dict(is_shift=False),
        dict(
            non_local=((0, 0, 0), (0, 0, 0, 1), (0,) * 6, (0, 0, 0)),
            non_local_cfg=dict(mode='embedded_gaussian'),
        ),
    ],
)
def test_thin_one_of_full_width_is_the_network_of_mmaction(options):
    torch.manual_seed(0)
    depth = 50 if 'non_local' in options else 18
    theirs = ResNetTSM(depth, num_segments=4, **options)
    ours = ThinResNetTSM(depth, base_channels=64, num_segments=4, **options)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.eval(), ours.eval()
    frames = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(ours(frames), theirs(frames))


@pytest.mark.parametrize('depth, expansion', [(18, 1), (50, 4)])
def test_width_is_that_of_every_stage(depth, expansion):
    network = ThinResNetTSM(depth, base_channels=8, num_segments=4)
    network.init_weights()  # from scratch, without the internet
    assert network.conv1.conv.out_channels == 8 and network.feat_dim == 64 * expansion
    assert len(shifted(network)) == sum(network.stage_blocks)
    features = network(torch.randn(4, 3, 32, 32))
    assert features.shape == (4, 64 * expansion, 1, 1)


@pytest.mark.parametrize(
    'options', [dict(base_channels=0), dict(pretrained='torchvision://resnet18')]
)
def test_thin_one_refuses_what_it_cannot_have(options):
    with pytest.raises(InputError, match='base_channels must be at least 1'):
        ThinResNetTSM(18, **options)
