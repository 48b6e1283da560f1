"""S3D: torchvision's network and its weights."""

import pytest
import torch
from torchvision.models.video import s3d

from mmaction_ext.errors import InputError
from mmaction_ext.models import S3D


def test_weights_of_torchvision_give_its_features(tmp_path):
    torch.manual_seed(0)
    theirs = s3d(num_classes=3)
    torch.save(theirs.state_dict(), tmp_path / 's3d.pth')
    ours = S3D(pretrained=str(tmp_path / 's3d.pth'))
    ours.init_weights()
    theirs.eval(), ours.eval()
    clips = torch.randn(1, 3, 16, 64, 64)
    with torch.no_grad():
        features = ours(clips)
        assert torch.equal(features, theirs.features(clips))
    assert features.shape == (1, 1024, 2, 2, 2)


def test_from_scratch_needs_no_file():
    S3D().init_weights()


def test_other_weights_are_refused(tmp_path):
    torch.save({'features.0.weight': torch.zeros(1)}, tmp_path / 'other.pth')
    with pytest.raises(RuntimeError, match=r'features.0.0.0.weight'):
        S3D(pretrained=str(tmp_path / 'other.pth')).init_weights()
    with pytest.raises(InputError):
        S3D(pretrained=str(tmp_path / 'gone.pth')).init_weights()
