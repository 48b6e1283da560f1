"""KPSEM's rows: what they start from, how they learn, and that they differ as they should."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from mmengine.runner.checkpoint import load_checkpoint
from synthmotion_rows import train_some_steps_and_turn_clips

import mmaction_ext.register  # noqa: F401
from mmaction_ext.engine.checks import check_trainable
from mmaction_ext.tables import load_spec
from mmaction_ext.tracking.identity import load_config

KPSEM = Path(__file__).parents[1] / 'configs' / 'kpsem'
SMALL = dict(stem_channels=8, channels=(16, 16, 32, 32), depths=(1, 1, 1, 1), groups=4)


def small_model(name, num_classes):
    """Model of a row with a small MFNet."""
    init_default_scope('mmaction')
    model = Config.fromfile(KPSEM / f'table2a_regions/{name}.py').model
    model.backbone.backbone.update(SMALL)
    head = model.cls_head.get('head', model.cls_head)
    head.update(in_channels=32, num_classes=num_classes)
    return MODELS.build(model)


@pytest.mark.parametrize('table', ['kpsem', 'synthmotion/kpsem'])
def test_each_seed_of_fixed_regions_has_splits_of_its_own(table):
    path = KPSEM.parent / table / 'table2b_adaptive/fixed_regions.py'
    init_default_scope('mmaction')
    config = load_config(path)['model']['backbone']['module']
    drawn = []
    for seed in (0, 1, 0):
        set_random_seed(seed)  # as the runner does it before it builds the model
        module = MODELS.build({**config, 'in_channels': {2: 16}})
        drawn.append(module.state_dict()['blocks.2.extractor.splits'])
    assert torch.equal(drawn[0], drawn[2]) and not torch.equal(drawn[0], drawn[1])


def test_the_network_they_start_from_trains_as_in_its_released_code():
    cfg = Config.fromfile(KPSEM / 'pretraining/mfnet_k400.py')
    check_trainable(cfg)
    start, decay = cfg.param_scheduler
    assert cfg.global_batch_size == 128 and cfg.optim_wrapper.optimizer.lr == 0.05
    assert [step * 128 for step in decay.milestones] == [18e6, 28e6, 34e6, 38e6]
    assert not decay.by_epoch and (start.factor, start.end) == (0.5, 100)
    assert (
        cfg.train_cfg.max_epochs * 240e3 // 1e6 == 40 and 'load_from' in cfg and not cfg.load_from
    )
    init_default_scope('mmaction')
    sampling = TRANSFORMS.build(cfg.train_dataloader.dataset.pipeline[2])
    np.random.seed(0)
    steps = [np.diff(sampling(dict(total_frames=99))['frame_inds'])[0] for _ in range(400)]
    assert [round(steps.count(step) / 100) for step in range(5)] == [0, 1, 2, 1, 0]


def test_a_plain_network_loads_into_the_one_with_kpsem_but_for_what_is_new(tmp_path):
    """As ``load_from`` does it; the file has other classes, and names of its own for them."""
    plain, target = small_model('mfnet', 7), small_model('mf_kpsem', 5)
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter)
    torch.save(dict(state_dict=plain.state_dict()), tmp_path / 'plain.pth')
    before = {name: weight.clone() for name, weight in target.state_dict().items()}
    load_checkpoint(
        target, str(tmp_path / 'plain.pth'), map_location='cpu', revise_keys=[(r'^module.', '')]
    )
    loaded, after = plain.state_dict(), target.state_dict()
    for name, weight in after.items():
        is_backbone = name.startswith('backbone.backbone.')
        assert torch.equal(weight, loaded[name] if is_backbone else before[name]), name
    assert {name for name in loaded if name not in after} == {
        'cls_head.fc_cls.weight',
        'cls_head.fc_cls.bias',
    }


def test_a_plain_network_of_other_classes_loads_but_for_the_classifier(tmp_path):
    plain, target = small_model('mfnet', 7), small_model('mfnet', 5)
    torch.save(dict(state_dict=plain.state_dict()), tmp_path / 'plain.pth')
    load_checkpoint(target, str(tmp_path / 'plain.pth'), map_location='cpu')
    weights = plain.state_dict()
    assert all(
        torch.equal(weight, weights[name])
        for name, weight in target.state_dict().items()
        if name.startswith('backbone.')
    )


def rates(name):
    model = small_model(name, 5)
    config = Config.fromfile(KPSEM / f'table2a_regions/{name}.py').optim_wrapper
    groups = build_optim_wrapper(model, config).optimizer.param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(parameter)]: group['lr'] for group in groups for parameter in group['params']}


@pytest.mark.parametrize('name', ['mfnet', 'mf_kpsem'])
def test_what_is_new_learns_five_times_as_fast(name):
    found = rates(name)
    for parameter, rate in found.items():
        expected = 0.001 if parameter.startswith('backbone.backbone.') else 0.005
        assert rate == pytest.approx(expected), parameter
    assert len(set(found.values())) == 2


@pytest.mark.parametrize(
    'table',
    [
        'table1_mini_kinetics/{}.py',
        'table1_sthv1/{}.py',
        'table1_ucf101/{}.py',
        'table1_hmdb51/{}.py',
    ],
)
def test_mfnet_and_mf_kpsem_differ_in_the_module_alone(table):
    plain, kpsem = (load_config(KPSEM / table.format(name)) for name in ('mfnet', 'mf_kpsem'))
    models = [config.pop('model') for config in (plain, kpsem)]
    assert plain == kpsem and plain['load_from'] == 'checkpoints/mfnet_k400.pth'
    heads = [model.pop('cls_head') for model in models]
    assert heads[1] == dict(type='ConcatHead', branch_channels=672, head=heads[0])
    backbones = [model.pop('backbone') for model in models]
    assert models[0] == models[1] and backbones[0]['backbone'] == backbones[1]['backbone']
    assert backbones[1]['module'] == dict(
        type='KPSEM', num_regions=4, num_sets=8, embedding_channels=24, out_channels=96
    )


@pytest.mark.parametrize(
    'row, size',
    [
        ('table1_mini_kinetics/mf_kpsem', 64),
        ('table1_sthv1/mf_kpsem', 64),
        ('table1_ucf101/mf_kpsem', 80),
        ('table1_hmdb51/mf_kpsem', 128),
        ('table2a_regions/mf_kpsem', 16),
        ('figure5a_position/conv2', 16),
        ('table2d_r3d/r3d', 16),
    ],
)
def test_batches_are_those_of_the_paper(row, size):
    config = load_config(KPSEM / f'{row}.py')
    assert config['global_batch_size'] == size and config['sync_bn'] == 'torch'
    assert config['optim_wrapper']['optimizer'] == dict(
        type='SGD', lr=0.005, momentum=0.9, weight_decay=1e-4, nesterov=True
    )


@pytest.mark.parametrize('data, rows', [('ucf101', 13), ('hmdb51', 9)])
def test_each_split_has_its_own_lists_and_nothing_else(data, rows):
    spec = load_spec(KPSEM / f'table1_{data}/table.yaml')
    assert len(spec.configured) == 3 * rows and not any(row.mean_of for row in spec.rows)
    for row in spec.configured:
        config = load_config(*row.load_arguments)
        first = load_config(row.config, 'split1')
        for phase, name in (('train', 'train'), ('val', 'test'), ('test', 'test')):
            found = config[f'{phase}_dataloader']['dataset'].pop('ann_file')
            assert found == f'data/{data}/{name}_{row.fold}.txt'
            first[f'{phase}_dataloader']['dataset'].pop('ann_file')
        assert config == first


def learning(name):
    """Rate and decay of every parameter of a row at full size."""
    cfg = Config.fromfile(KPSEM / name)
    init_default_scope('mmaction')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
        groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: (round(group['lr'], 12), round(group['weight_decay'], 12))
        for group in groups
        for parameter in group['params']
    }


def test_of_mars_the_last_layer_and_the_classifier_learn():
    for name, found in learning('table1_ucf101/mars.py').items():
        learns = name.startswith(('backbone.layer4.', 'cls_head.'))
        assert found == (0.001 if learns else 0.0, 1e-5), name


def test_blocks_that_images_lack_learn_as_fast_as_the_classifier():
    for row, new, decay in (
        ('res50_cgnl', 'module.blocks', 1e-4),
        ('res50_cgd', '.attention.', 4e-5),
    ):
        for name, found in learning(f'table1_mini_kinetics/{row}.py').items():
            expected = (0.001, 1e-4) if name.startswith('backbone.') else (0.005, 1e-4)
            assert found == ((0.005, decay) if new in name else expected), name


def test_biases_of_eco_learn_twice_as_fast_and_do_not_decay():
    for name, found in learning('table1_sthv1/eco.py').items():
        is_norm = name.rpartition('.')[0].endswith('_bn')
        is_bias = name.endswith('.bias') and not is_norm
        assert found == (0.002 if is_bias else 0.001, 0.0 if is_norm or is_bias else 5e-4), name


@pytest.mark.parametrize('frames', [16, 20, 24, 32])
def test_the_four_of_eco_lite_see_what_their_names_say(frames):
    row = f'eco_lite_{frames}f.py'
    cfg = Config.fromfile(KPSEM / 'table1_sthv1' / row)
    assert row in Config.fromfile(KPSEM / 'table1_sthv1/eco_lite.py').ensemble.members
    assert cfg.input_shape == (3, frames, 224, 224)
    for split in ('train', 'val', 'test'):
        steps = {step.type: step for step in cfg[f'{split}_dataloader'].dataset.pipeline}
        assert steps['SampleTSNSegments'].num_segments == frames
        assert steps['FormatShape'].input_format == 'NCTHW'


def test_eco_on_synthmotion_trains():
    train_some_steps_and_turn_clips(Config.fromfile(KPSEM.parent / 'synthmotion/rivals/eco.py'))


@pytest.mark.parametrize('host', ['x3d', 'r2plus1d'])
@pytest.mark.parametrize('module', [dict(type='CGNL', zero_init=False), dict(type='CGD')])
def test_modules_that_are_blind_to_order_on_frames_see_it_in_a_host_that_mixes_them(host, module):
    config = Config.fromfile(KPSEM.parent / f'synthmotion/cross/{host}/tcm.py')
    config.merge_from_dict(dict(model=dict(backbone=dict(module=dict(module, _delete_=True)))))
    train_some_steps_and_turn_clips(config)
