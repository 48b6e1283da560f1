"""X3D with another stem: the costs that follow from DCF's Table 7."""

import pytest
import torch
from mmaction.models.backbones.x3d import X3D

from mmaction_ext.errors import InputError
from mmaction_ext.models import X3DStem
from mmaction_ext.models.complexity import count
from mmaction_ext.networks import dcf_x3d_s

SIZES = dict(gamma_w=1, gamma_b=2.25, gamma_d=2.2)


@pytest.mark.parametrize('frames, gmacs', [(5, 2.152), (3, 2.148)])
def test_costs_of_x3d_s_with_dcf(frames, gmacs):
    """2.2 G are printed, which speaks for 5; each frame less is 24 weights less."""
    network = dcf_x3d_s(num_classes=174)
    whole = count(network, (3, 13, 160, 160))
    network['backbone']['backbone'].update(type='X3DStem', stem_frames=frames)
    found = count(network, (3, 13, 160, 160))
    assert round(found.macs / 1e9, 3) == gmacs
    assert whole.params - found.params == 24 * (5 - frames)


def test_five_frames_are_mmaction2s():
    ours, theirs = X3DStem(**SIZES), X3D(**SIZES)
    ours.eval(), theirs.eval()
    ours.load_state_dict(theirs.state_dict())
    clips = torch.randn(1, 3, 4, 32, 32)
    assert torch.equal(ours(clips), theirs(clips))


def test_three_frames_see_one_on_either_side():
    stem = X3DStem(stem_frames=3, **SIZES).conv1_t.conv
    clip = torch.zeros(1, 24, 7, 1, 1)
    clip[:, :, 3] = 1
    assert stem(clip)[0, 0, :, 0, 0].ne(0).tolist() == [i in (2, 3, 4) for i in range(7)]


@pytest.mark.parametrize('frames', [0, 2, -1, 3.0, True])
def test_even_reach_is_refused(frames):
    with pytest.raises(InputError, match='stem_frames must be an odd number'):
        X3DStem(stem_frames=frames, **SIZES)
