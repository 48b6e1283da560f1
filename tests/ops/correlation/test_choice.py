"""Which implementation computes; that their values are right is tested on the operations."""

import numpy as np
import pytest
import torch

from mmaction_ext.errors import InputError
from mmaction_ext.ops import compiled, launch, local_correlation, pair_correlation
from mmaction_ext.ops.correlation import chosen_implementation, gram, native, shifts

compiles = pytest.mark.skipif(
    compiled.load(native._SOURCE) is None, reason='no C compiler, so the kernel is not there'
)


@pytest.fixture
def called(monkeypatch):
    """Names of the implementations in the order they were called."""
    names = []
    for module in (gram, shifts):
        for function in ('multiply_frames', 'multiply_frames_backward'):
            monkeypatch.setattr(
                module, function, counting(getattr(module, function), module, names)
            )
    return names


def counting(function, module, names):
    def counted(*arguments):
        names.append(module.__name__.rpartition('.')[2])
        return function(*arguments)

    return counted


@pytest.mark.parametrize(
    'size, window, name, expected',
    [
        ((8, 8), 5, 'portable', 'gram'),  # 25 of 64 pixels
        ((14, 14), 5, 'portable', 'gram'),  # 25 of 196
        ((10, 10), (5, 3), 'portable', 'gram'),  # 15 of 100
        ((15, 10), (5, 3), 'portable', 'gram'),  # a tenth
        ((15, 11), (5, 3), 'portable', 'shifts'),
        ((1, 4097), (1, 2049), 'portable', 'shifts'),  # too large a matrix
        ((8, 8), 5, 'shifts', 'shifts'),
        ((14, 14), 5, 'gram', 'gram'),
    ],
)
def test_the_quicker_portable_implementation_multiplies_both_ways(
    called, size, window, name, expected
):
    x = torch.randn(1, 2, 2, *size, requires_grad=True)
    local_correlation(x, (1,), window, implementation=name).sum().backward()
    pair_correlation(*x.unbind(2), window, implementation=name).sum().backward()
    assert called == [expected] * 4


@compiles
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    'shape, window, dilation',
    [((1, 2, 3, 8, 8), 5, 1), ((1, 2, 3, 4, 4), 9, (1, 2)), ((1, 2, 7, 7), (7, 13), 1)],
)
def test_the_cpu_takes_the_kernel(dtype, shape, window, dilation):
    assert chosen_implementation(torch.zeros(shape, dtype=dtype), window, dilation) == 'native'


@pytest.mark.parametrize(
    'shape, window, dilation, expected',
    [
        ((1, 2, 3, 8, 8), 5, 1, 'gram'),
        ((1, 2, 3, 28, 28), 5, 1, 'shifts'),
        ((1, 2, 14, 14), 3, 40, 'shifts'),
    ],
)
@pytest.mark.parametrize('why', ['float64', 'switched off'])
def test_without_the_kernel_the_portable_path_is_taken(
    monkeypatch, why, shape, window, dilation, expected
):
    if why == 'switched off':
        monkeypatch.setenv(compiled.SWITCH, '0')
    x = torch.zeros(shape, dtype=torch.float64 if why == 'float64' else torch.float32)
    assert chosen_implementation(x, window, dilation) == expected
    with pytest.raises(InputError, match=r"'native' is not available: it"):
        chosen_implementation(x, window, dilation, 'native')


@pytest.mark.parametrize(
    'channels, side, window, is_gram',
    [
        (512, 7, 7, True),  # 49 of 49, rows of 7 filled up to 16
        (511, 7, 15, False),
        (512, 7, (5, 7), False),
        (512, 14, 15, False),  # 225 of 196, rows of 14
        (512, 14, 21, True),
        (512, 10, 11, True),
    ],
)
@compiles
def test_two_maps_of_many_channels_and_a_large_window_take_the_matrix_product(
    channels, side, window, is_gram
):
    x = torch.zeros(1, channels, side, side)
    assert chosen_implementation(x, window) == ('gram' if is_gram else 'native')
    assert chosen_implementation(x.unsqueeze(2), window) == 'native'


def test_what_is_no_dilation_is_refused_and_numpy_ones_are_taken():
    x = torch.zeros(1, 2, 3, 4, 4)
    for dilation in (0, (), (1, 0), 1.5):
        with pytest.raises(InputError, match='dilation'):
            chosen_implementation(x, 5, dilation)
    assert chosen_implementation(x, 5, np.int64(2)) == chosen_implementation(x, 5, 2)


def test_a_window_too_far_for_the_kernel_is_not_given_to_it():
    x = torch.zeros(1, 2, 3, 4, 4)
    assert chosen_implementation(x, 3, (1, 40)) in ('gram', 'shifts')
    with pytest.raises(InputError, match='32 pixels beyond the columns, not 40'):
        local_correlation(x, (1,), 3, 40, implementation='native')


def test_kernels_for_gpus_are_refused_where_there_is_none():
    with pytest.raises(InputError, match="'triton' is not available"):
        local_correlation(torch.zeros(1, 2, 3, 4, 4).double(), (1,), implementation='triton')
    if not launch.is_installed():
        return
    if not launch.interprets() and not torch.cuda.is_available():
        with pytest.raises(InputError, match='on an NVIDIA GPU, not on cpu'):
            pair_correlation(*torch.zeros(2, 1, 2, 4, 4), implementation='triton')


def test_the_choice_is_by_name():
    with pytest.raises(InputError, match='magic'):
        chosen_implementation(torch.zeros(1, 2, 3, 4, 4), implementation='magic')
    assert chosen_implementation(torch.zeros(1, 2, 3, 4, 4), 5, 1, 'shifts') == 'shifts'
