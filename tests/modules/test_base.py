"""What all motion modules have in common: what they refuse, and what they show."""

import pytest
import torch

from mmaction_ext.errors import InputError
from mmaction_ext.modules import DCF, KPSEM, SELFY, TCM

CHANNELS = {3: 8, 4: 12}
MODULES = {
    'dcf': lambda **arguments: DCF(CHANNELS, **arguments),
    'tcm': lambda **arguments: TCM(CHANNELS, window=3, mid_channels=8, **arguments),
    'selfy': lambda **arguments: SELFY(CHANNELS, window=3, mid_channels=8, **arguments),
    'kpsem': lambda **arguments: KPSEM(CHANNELS, num_sets=2, **arguments),
}
every_module = pytest.mark.parametrize('build', MODULES.values(), ids=MODULES)


@every_module
def test_a_stage_it_is_not_for_is_named(build):
    module, x = build(), torch.rand(1, 8, 4, 8, 8)
    calls = [module.block, lambda stage: module(x, stage), lambda stage: module.motion(x, stage)]
    if type(module).__name__ != 'KPSEM':  # which looks for nothing in a window
        calls.append(module.reach)
    for call in calls:
        for stage in (2, '3'):
            with pytest.raises(InputError, match=rf'stage {stage!r}.*\[3, 4\]'):
                call(stage)


@every_module
@pytest.mark.parametrize(
    'shape, named',
    [
        ((8, 4, 8, 8), r'4 dimensions: \(8, 4, 8, 8\)'),
        ((1, 12, 4, 8, 8), '8 channels at stage 3, got features with 12'),
        ((1, 8, 1, 8, 8), 'frames, got 1'),
    ],
)
def test_features_it_cannot_work_on_are_named(build, shape, named):
    module = build()
    for call in (module, module.motion):
        with pytest.raises(InputError, match=named):
            call(torch.rand(shape), 3)


@every_module
def test_fewer_frames_than_it_needs_are_refused(build):
    module = build()
    module(torch.rand(1, 8, module.min_frames, 8, 8), 3)
    with pytest.raises(InputError, match=f'at least {module.min_frames} frames'):
        module(torch.rand(1, 8, module.min_frames - 1, 8, 8), 3)


def tensors(motion):
    return {name: value for name, value in vars(motion).items() if isinstance(value, torch.Tensor)}


@every_module
def test_motion_is_single_precision_under_autocast(build):
    torch.manual_seed(0)
    module, x = build().eval(), torch.rand(1, 8, 4, 8, 8)
    with torch.autocast('cpu', torch.bfloat16):
        found = [module.motion(x, 3), module.motion(x.bfloat16(), 3)]
    for motion in found:
        assert {value.dtype for value in tensors(motion).values()} == {torch.float32}
    assert {v.dtype for v in tensors(build().double().motion(x.double(), 3)).values()} == {
        torch.float64
    }


@every_module
def test_motion_of_a_module_in_half_precision_is_single(build):
    motion = build().bfloat16().eval().motion(torch.rand(1, 8, 4, 8, 8).bfloat16(), 3)
    assert {value.dtype for value in tensors(motion).values()} == {torch.float32}


@pytest.mark.parametrize('build', [MODULES[name] for name in ('dcf', 'tcm', 'selfy')])
def test_displacements_name_a_source_for_every_map_and_frame(build):
    motion = build().eval().motion(torch.rand(1, 8, 4, 8, 8), 3)
    assert len(motion.names) == len(motion.sources) == motion.displacement.shape[1]
    assert all(len(sources) == 4 and set(sources) <= set(range(4)) for sources in motion.sources)


@every_module
def test_meta_device(build):
    x = torch.empty(1, 8, 4, 8, 8, device='meta')
    assert build().to('meta')(x, 3)[0].shape == x.shape


@pytest.mark.parametrize(
    'module, arguments, named',
    [
        (DCF, dict(reduction=1.5), 'reduction must be a whole number, got 1.5'),
        (DCF, dict(temporal_range=0), 'temporal_range must be at least 1, got 0'),
        (DCF, dict(short_range_stages=4), 'short_range_stages .* got 4'),
        (TCM, dict(num_segments=2.5), 'num_segments must be a whole number, got 2.5'),
        (TCM, dict(tempos=('fast', 'fast')), 'none twice'),
        (TCM, dict(temperature=float('inf')), 'temperature must be positive, got inf'),
        (SELFY, dict(extraction_channels=64), 'extraction_channels .* got 64'),
        (SELFY, dict(num_blocks=1.5), 'num_blocks .*1.5'),
        (KPSEM, dict(num_regions=4.0), 'num_regions must be a whole number, got 4.0'),
    ],
)
def test_arguments_of_another_kind_are_named(module, arguments, named):
    with pytest.raises(InputError, match=named):
        module({3: 16}, **arguments)


@pytest.mark.parametrize('module', [DCF, TCM, SELFY, KPSEM])
@pytest.mark.parametrize('channels', [0, -4, 1.5])
def test_stages_without_channels_are_named(module, channels):
    with pytest.raises(InputError, match=f'channels of stage 3 .* got {channels}'):
        module({3: channels})
