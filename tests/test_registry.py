"""The scope of what a config inherits from this package: all names are found from there."""

import pytest
from mmaction import registry as mmaction2
from mmengine import registry as mmengine
from mmengine.hub import get_model
from mmengine.registry import DefaultScope
from torch import nn

import mmaction_ext.registry


def found(kind, name):
    """What a config of the scope ``mmaction_ext`` builds by a name."""
    with getattr(mmengine, kind).switch_scope_and_registry('mmaction_ext') as registry:
        assert registry is getattr(mmaction_ext.registry, kind)
        return registry.get(name)


@pytest.mark.parametrize(
    ('kind', 'names'),
    [
        (
            'MODELS',
            ['DCF', 'MotionBackbone', 'Recognizer2D', 'ActionDataPreprocessor', 'BaseTTAModel'],
        ),
        ('HOOKS', ['RunLoggerHook', 'VisualizationHook', 'CheckpointHook']),
        ('DATASETS', ['GuardedRawframeDataset', 'VideoDataset', 'ConcatDataset']),
        ('DATA_SAMPLERS', ['DefaultSampler']),
        ('TRANSFORMS', ['SeedSample', 'PackActionInputs']),
        ('METRICS', ['SynthMotionMetric', 'AccMetric', 'DumpResults']),
        ('EVALUATOR', ['Evaluator']),
        ('LOOPS', ['EpochBasedTrainLoop', 'MultiLoaderEpochBasedTrainLoop']),
        (
            'OPTIM_WRAPPER_CONSTRUCTORS',
            ['TSMOptimWrapperConstructor', 'DefaultOptimWrapperConstructor'],
        ),
        ('OPTIM_WRAPPERS', ['AmpOptimWrapper']),
        ('OPTIMIZERS', ['SGD']),
        ('PARAM_SCHEDULERS', ['MultiStepLR']),
        ('MODEL_WRAPPERS', ['CPUDistributedDataParallel', 'MMDistributedDataParallel']),
        ('VISUALIZERS', ['ActionVisualizer']),
        ('VISBACKENDS', ['RunWandbBackend', 'LocalVisBackend']),
        ('LOG_PROCESSORS', ['LogProcessor']),
    ],
)
def test_classes_of_this_package_mmaction2_and_mmengine_are_found(kind, names):
    assert not [name for name in names if found(kind, name) is None]


def test_a_users_class_is_found_where_it_is_registered_in_mmaction2():
    @mmaction2.MODELS.register_module(name='OfSomebody')
    class OfSomebody(nn.Module):
        pass

    try:
        assert found('MODELS', 'OfSomebody') is OfSomebody
        built = mmengine.MODELS.build(dict(type='OfSomebody', _scope_='mmaction_ext'))
        assert isinstance(built, OfSomebody)
    finally:
        mmaction2.MODELS.module_dict.pop('OfSomebody')


def current_scope():
    """Name of the default scope; mmengine copies the instance when one is left."""
    instance = DefaultScope.get_current_instance()
    return instance and instance.scope_name


def test_parts_are_built_in_the_scope_of_the_whole_and_leave_it():
    before = current_scope()
    model = mmengine.MODELS.build(
        dict(
            type='Recognizer2D',
            _scope_='mmaction_ext',
            data_preprocessor=dict(type='ActionDataPreprocessor'),
            backbone=dict(
                type='MotionBackbone',
                num_segments=4,
                stages=(2,),
                backbone=dict(type='mmaction.ResNet', depth=18),
                module=dict(type='mmaction_ext.DCF', reduction=4),
            ),
            cls_head=dict(type='TSNHead', num_classes=5, in_channels=512),
        )
    )
    assert type(model.backbone.module).__name__ == 'DCF'
    assert current_scope() == before


@pytest.mark.parametrize('name', ['DCF', 'mmaction_ext.DCF', 'mmaction_ext.modules.dcf.DCF'])
def test_a_class_has_its_names_in_either_scope(name):
    assert found('MODELS', name) is mmaction2.MODELS.get(name) is mmaction2.MODELS.get('DCF')


def test_the_hub_of_mmengine_builds_a_packaged_model():
    with DefaultScope.overwrite_default_scope('mmaction'):  # or the hub leaves another one behind
        model = get_model('mmaction_ext::synthmotion/dcf/table1_components/full.py')
    assert type(model.backbone.module).__name__ == 'DCF'


def test_no_class_is_registered_but_in_mmaction2():
    assert not any(
        registry.module_dict
        for registry in vars(mmaction_ext.registry).values()
        if isinstance(registry, mmengine.Registry)
    )
