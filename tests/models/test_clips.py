"""A 2-D recognizer refuses samples that do not divide into its clips."""

import pytest
import torch

from mmaction_ext.errors import InputError
from mmaction_ext.models import clips
from mmaction_ext.models.building import build_model


def recognizer(backbone_segments=8, head_segments=8):
    backbone = dict(type='ThinResNetTSM', depth=18, base_channels=2)
    return build_model(
        dict(
            type='Recognizer2D',
            backbone=dict(backbone, num_segments=backbone_segments),
            cls_head=dict(
                type='TSMHead',
                num_classes=3,
                in_channels=16,
                dropout_ratio=0,
                num_segments=head_segments,
            ),
        )
    ).eval()


@pytest.mark.parametrize('num_videos', [1, 2])
def test_samples_that_would_be_mixed_are_refused(num_videos):
    """Two samples of 12 frames are three clips of 8."""
    model = recognizer()
    with (
        torch.no_grad(),
        pytest.raises(
            InputError, match=r'12 frames do not divide .* model.backbone.num_segments=8'
        ),
    ):
        model(torch.zeros(num_videos, 12, 3, 32, 32), stage='head')
    with pytest.raises(InputError, match=r'model.cls_head.num_segments=16'):
        recognizer(8, 16)(torch.zeros(2, 8, 3, 32, 32), stage='head')


def test_several_clips_are_told_once(monkeypatch):
    told = []
    monkeypatch.setattr(clips, 'print_log', lambda text, **kwargs: told.append(text))
    model = recognizer()
    with torch.no_grad():
        for num_frames in (8, 16, 16):
            model(torch.zeros(1, num_frames, 3, 32, 32), stage='head')
    assert told == ['samples of 16 frames are seen as 2 clips of model.backbone.num_segments=8']
