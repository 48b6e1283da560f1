"""MSNet trains as the released code does; CorrNet's rows see the views that are printed."""

from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from synthmotion_rows import train_some_steps_and_turn_clips

import mmaction_ext.register  # noqa: F401
from mmaction_ext.networks import corrnet

CONFIGS = Path(__file__).parents[1] / 'configs'


def load(name):
    return Config.fromfile(CONFIGS / name)


@pytest.mark.parametrize('network', ['r18_8f', 'r50_8f', 'r50_16f'])
@pytest.mark.parametrize(
    'data, media', [('sthv1', 'NamedRawFrameDecode'), ('sthv2', 'VideoDecode')]
)
def test_recipe_of_msnet(network, data, media):
    """What it shares with the code of its child, TCM, is tested there."""
    cfg = load(f'rivals/{data}/msnet_{network}.py')
    parent = load(f'tcm/table_{data}/tcm_{network}.py')
    assert (cfg.global_batch_size, cfg.train_dataloader.batch_size) == (48, 6)
    assert cfg.train_cfg.max_epochs == 40
    assert cfg.param_scheduler == [
        dict(type='MultiStepLR', milestones=[20, 30], gamma=0.1, by_epoch=True)
    ]
    assert cfg.optim_wrapper == parent.optim_wrapper
    assert cfg.optim_wrapper.clip_grad.max_norm == 200
    for loader in ('train', 'val', 'test'):
        pipeline = cfg[f'{loader}_dataloader'].dataset.pipeline
        assert pipeline == parent[f'{loader}_dataloader'].dataset.pipeline
    assert media in [step.type for step in cfg.train_dataloader.dataset.pipeline]
    assert not cfg.train_dataloader.get('drop_last', False)
    assert cfg.model.cls_head == parent.model.cls_head
    assert cfg.model.backbone.backbone == parent.model.backbone.backbone


@pytest.mark.parametrize(
    'name, clips, crop, interval',
    [
        ('rivals/sthv1/corrnet_r101.py', 10, 'ThreeCrop', 1),
        ('rivals/sthv2/corrnet_r50.py', 10, 'ThreeCrop', 1),
        ('dcf/table5_k400/corrnet_r50.py', 10, 'CenterCrop', 2),
    ],
)
def test_views_of_corrnet(name, clips, crop, interval):
    cfg = load(name)
    steps = {step.type: step for step in cfg.test_dataloader.dataset.pipeline}
    sampling = steps['SampleFrames']
    assert (sampling.clip_len, sampling.frame_interval) == (32, interval)
    assert sampling.num_clips == clips and crop in steps
    assert ('Flip' in [step.type for step in cfg.train_dataloader.dataset.pipeline]) == (
        interval == 2
    )
    assert 'pretrained' not in cfg.model.backbone.backbone


@pytest.mark.parametrize(
    'depth, places',
    [
        (50, dict(stage2=256, stage3=512, stage4=1024)),
        (101, {'stage2': 256, 'stage3': 512, 'stage4.11': 1024, 'stage4': 1024}),
    ],
)
def test_blocks_of_corrnet_stand_where_the_paper_has_them(depth, places):
    """The fourth of depth 101 behind the unit with as many before as after it in res4."""
    with DefaultScope.overwrite_default_scope('mmaction'), torch.device('meta'):
        host = MODELS.build(corrnet(174, depth)['backbone'])
    hooked = [name for name, part in host.backbone.named_modules() if part._forward_hooks]
    assert set(hooked) == places.keys()
    assert list(host.module.in_channels.values()) == list(places.values())
    assert len(host.backbone.stage4) == (6 if depth == 50 else 11 + 1 + 11)


@pytest.mark.parametrize(
    'name',
    [
        path.relative_to(CONFIGS).as_posix()
        for stem in ('motion_squeeze', 'correlation_block')
        for pattern in (f'cross/{stem}', f'cross/*/{stem}', f'rivals/{stem}_ablation/*')
        for path in sorted(CONFIGS.glob(f'synthmotion/{pattern}.py'))
    ],
)
def test_a_row_on_synthmotion_trains_and_tells_a_clip_from_its_reversal(name):
    train_some_steps_and_turn_clips(load(name))
