"""TEA: its size, and what is left of it without its parts over time, against timm's Res2Net.

The whole network is held against a restatement with the names of the released code where those
are converted, see ``tests/engine/official_checkpoints``.
"""

import pytest
import timm
import torch

from mmaction_ext.errors import InputError
from mmaction_ext.models import TEA
from mmaction_ext.models.complexity import count
from mmaction_ext.models.host.stages import find_stages
from mmaction_ext.networks import tea


@pytest.mark.parametrize('size, gmacs', [(224, 34.54), (256, 45.11)])
def test_size_of_the_released_network(size, gmacs):
    found = count(tea(174, 8), (3, 8, size, size))
    assert round(found.params / 1e6, 2) == 24.46
    assert round(found.macs / 1e9, 2) == gmacs


@pytest.mark.parametrize('depth', [50, 101])
def test_without_parts_over_time_it_is_timms_res2net(depth, tmp_path):
    """With its names of weights, so that TEA starts from it."""
    torch.manual_seed(0)
    theirs = timm.create_model(f'res2net{depth}_26w_4s', pretrained=False).eval()
    torch.save(theirs.state_dict(), tmp_path / 'weights.pth')
    options = dict(motion_excitation=False, temporal_aggregation=False)
    ours = TEA(depth, 2, **options, pretrained=str(tmp_path / 'weights.pth')).eval()
    ours.init_weights()
    assert ours.state_dict().keys() == {
        name for name in theirs.state_dict() if not name.startswith('fc.')
    }
    frames = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(frames), theirs.forward_features(frames))


def test_starts_from_res2net_with_its_shifts(tmp_path):
    theirs = timm.create_model('res2net50_26w_4s', pretrained=False)
    torch.save(theirs.state_dict(), tmp_path / 'weights.pth')
    ours = TEA(50, 2, pretrained=str(tmp_path / 'weights.pth'))
    ours.init_weights()
    theirs = theirs.state_dict()
    state = ours.state_dict()
    assert all(state[name].equal(theirs[name]) for name in state.keys() & theirs.keys())
    block = ours.layer2[1]
    for shift in block.shifts[:3]:
        assert shift.weight.equal(torch.tensor([[[0.0, 1.0, 0.0]]]).expand(52, 1, 3))
    last = block.shifts[3].weight[:, 0]
    assert last[:26].equal(torch.tensor([0.0, 0.0, 1.0]).expand(26, 3))
    assert last[26:].equal(torch.tensor([1.0, 0.0, 0.0]).expand(26, 3))


def test_frames_of_a_clip_are_mixed_and_no_others():
    torch.manual_seed(0)
    network = TEA(14, 3, base_channels=16).eval()
    clips = torch.randn(2, 3, 3, 32, 32)
    with torch.no_grad():
        once = network(clips.flatten(0, 1)).unflatten(0, (2, 3))
        other = torch.cat((clips[:1], clips[1:] + 1))
        again = network(other.flatten(0, 1)).unflatten(0, (2, 3))
        backwards = network(clips.flip(1).flatten(0, 1)).unflatten(0, (2, 3))
    assert once[0].equal(again[0]) and not once[1].equal(again[1])
    assert (once.mean(1) - backwards.mean(1)).abs().max() > 1e-3


def test_stages():
    assert find_stages(TEA(14, 2, base_channels=4)) == {
        1: 'maxpool',
        2: 'layer1',
        3: 'layer2',
        4: 'layer3',
        5: 'layer4',
    }


def test_a_width_without_channels_is_refused():
    with pytest.raises(InputError, match='base_channels must be at least 3, got 2'):
        TEA(14, 2, base_channels=2)
