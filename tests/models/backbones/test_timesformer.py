"""ResizedTimeSformer: weights of 224 pixels for frames of another size."""

import pytest
import torch
from mmaction.models.backbones import TimeSformer
from mmengine.registry import DefaultScope

from mmaction_ext.models import ResizedTimeSformer
from mmaction_ext.models.backbones.timesformer import resize_positions

SMALL = dict(
    num_frames=2,
    patch_size=16,
    embed_dims=64,
    num_transformer_layers=1,
    num_heads=2,
    transformer_layers=None,
)


@pytest.fixture(autouse=True)
def mmaction_scope():
    """Names of layers are looked up in mmaction2 first."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def test_positions_are_repeated_by_hand():
    embedding = torch.tensor([9.0, 1, 2, 3, 4]).reshape(1, 5, 1)
    expected = [9.0, 1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]
    assert resize_positions(embedding, 17).flatten().tolist() == expected


def test_weights_of_a_smaller_input_are_all_loaded(tmp_path):
    torch.manual_seed(0)
    small = TimeSformer(img_size=32, **SMALL)
    torch.save(
        {name: torch.randn_like(value) for name, value in small.state_dict().items()},
        tmp_path / 'small.pth',
    )
    large = ResizedTimeSformer(img_size=64, pretrained=str(tmp_path / 'small.pth'), **SMALL)
    large.init_weights()
    state = torch.load(tmp_path / 'small.pth', weights_only=True)
    assert torch.equal(large.pos_embed, resize_positions(state['pos_embed'], 17))
    assert torch.equal(large.cls_token, state['cls_token'])
    assert large(torch.randn(1, 3, 2, 64, 64)).shape == (1, 64)


def test_its_own_weights_are_loaded_as_they_are():
    torch.manual_seed(0)
    first, second = (ResizedTimeSformer(img_size=32, **SMALL) for _ in range(2))
    first.init_weights()
    second.load_state_dict(first.state_dict(), strict=True)
    assert torch.equal(first.pos_embed, second.pos_embed)
