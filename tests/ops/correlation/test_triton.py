"""The kernels for GPUs, run by Triton's interpreter on the CPU.

What the interpreter cannot show (registers, spills, bytes moved) stands in
``reports/benchmarks/triton_static.csv``, which is held to the kernels at the end.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import triton_static

from mmaction_ext.errors import InputError
from mmaction_ext.ops import launch, local_correlation, pair_correlation
from mmaction_ext.ops.correlation import triton

TABLE = Path(__file__).parents[3] / 'reports/benchmarks/triton_static.csv'
BORDERS = ('zeros', 'replicate', 'circular')
DTYPES = {torch.float32: 1e-5, torch.bfloat16: 2**-7, torch.float16: 2**-10}
needs_triton = pytest.mark.skipif(
    not launch.is_installed(), reason='triton comes with torch for CUDA, on Linux'
)


@pytest.fixture(scope='class')
def interpreter():
    """Kernels are interpreted, whether or not Triton was imported before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('TRITON_INTERPRET', '1')
        patch.delitem(sys.modules, triton._MODULE, raising=False)
        from triton import language
        from triton.runtime import interpreter

        product = interpreter.InterpreterBuilder.create_dot

        def create_dot(builder, *factors_and_more):
            """As it is; the bits of bfloat16, which it takes for whole numbers, are widened."""
            *factors, total, precision, imprecise = factors_and_more
            for i, factor in enumerate(factors):
                if factor.dtype.scalar == language.bfloat16:
                    wide = (factor.data.astype(np.uint32) << 16).view(np.float32)
                    factors[i] = interpreter.TensorHandle(wide, language.float32)
            return product(builder, *factors, total, precision, imprecise)

        patch.setattr(interpreter.InterpreterBuilder, 'create_dot', create_dot)
        options = interpreter.InterpreterOptions(sanitize_overflow=False)
        patch.setattr(interpreter.interpreter_builder, 'options', options)
        yield
    sys.modules.pop(triton._MODULE, None)


def features(shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).to(dtype).requires_grad_()


def check(operation, *inputs):
    """Compare values and gradients with those of the loops in float64, rounded once."""
    dtype = inputs[0].dtype
    fast = operation(*inputs, implementation='triton')
    wide = [x.detach().double().requires_grad_() for x in inputs]
    slow = operation(*wide, implementation='reference')
    tolerance = dict(rtol=DTYPES[dtype], atol=2 * DTYPES[dtype] if dtype.itemsize == 4 else 1e-5)
    torch.testing.assert_close(fast, slow.to(dtype), **tolerance)
    weight = features(fast.shape, dtype, 1).detach()
    torch.testing.assert_close(
        torch.autograd.grad(fast, inputs, weight),
        tuple(x.to(dtype) for x in torch.autograd.grad(slow, wide, weight.double())),
        **tolerance,
    )


def local(offsets, window, dilation, border):
    return lambda x, implementation: local_correlation(
        x, offsets, window, dilation, border, implementation=implementation
    )


@needs_triton
@pytest.mark.usefixtures('interpreter')
class TestInterpreted:
    @pytest.mark.parametrize('border', BORDERS)
    @pytest.mark.parametrize(
        'shape, offsets, window, dilations',
        [
            ((2, 2, 3, 2, 3), (-2, -1, 1), 3, (2, 1, 1)),
            ((1, 2, 2, 3, 2), (-1, 0, 1, 1), (1, 5), 1),  # wider than the map; one offset twice
            ((1, 2, 1, 2, 2), (-3, 1), (3, 1), (1, 2)),  # one frame; no mirror images
        ],
    )
    def test_equals_the_loops(self, border, shape, offsets, window, dilations):
        check(local(offsets, window, dilations, border), features(shape))

    @pytest.mark.parametrize(
        'border, dtype',
        zip(BORDERS, [torch.bfloat16, torch.bfloat16, torch.float16], strict=True),
    )
    def test_tiles_equal_the_loops_in_half_precision(self, border, dtype):
        """No whole tiles, nor blocks of channels; sums are made in single precision."""
        what = local((-1, 0, 1), (3, 5), (2, 1, 2), border)
        check(what, features((1, 70, 2, 3, 10), dtype))

    @pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
    def test_pixels_of_half_precision_are_summed_in_single(self, dtype):
        check(local((-1, 1), 3, 1, 'zeros'), features((1, 5, 2, 3, 3), dtype))

    @pytest.mark.parametrize('channels, dtype', [(3, torch.float32), (64, torch.bfloat16)])
    @pytest.mark.parametrize('keys_as', [lambda x: x, lambda x: x.mT.contiguous().mT])
    def test_pairs_equal_the_loops(self, channels, dtype, keys_as):
        check(
            lambda queries, keys, implementation: pair_correlation(
                queries, keys_as(keys), (3, 1), 2, implementation=implementation
            ),
            features((2, channels, 4, 5), dtype),
            features((2, channels, 4, 5), dtype, seed=1),
        )

    @pytest.mark.parametrize(
        'shape, window, dtype',
        [((1, 1, 2, 2, 3), (5, 7), torch.float32), ((1, 64, 2, 5, 3), (15, 5), torch.bfloat16)],
    )
    def test_wide_windows_are_taken_some_rows_at_a_time(self, monkeypatch, shape, window, dtype):
        """And indices of 64 bits."""
        monkeypatch.setattr(triton, '_INT32', 1)
        check(local((1,), window, 1, 'zeros'), features(shape, dtype))

    @pytest.mark.parametrize(
        'arrange',
        [
            lambda x: x.to(memory_format=torch.channels_last_3d),
            lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
            lambda x: x.flip(-1).flip(-1)[..., :3],
            lambda x: x.repeat_interleave(2, dim=-1)[..., ::2],
            lambda x: x[:1].expand(2, -1, -1, -1, -1),
        ],
    )
    def test_any_strides(self, arrange):
        x = arrange(features((2, 2, 2, 2, 4)).detach()).requires_grad_()
        check(local((1,), 3, 1, 'zeros'), x)

    def test_the_same_each_time_and_empty_batches(self):
        x = features((1, 2, 2, 3, 3))
        y, again = (local_correlation(x, (1,), 3, implementation='triton') for _ in range(2))
        assert torch.equal(y, again)
        empty = x.detach()[:0].requires_grad_()
        y = local_correlation(empty, (1,), 3, implementation='triton')
        assert y.shape == (0, 9, 2, 3, 3)
        assert torch.autograd.grad(y.sum(), empty)[0].shape == empty.shape

    def test_operator_contract(self):
        """Schema, shape rule and gradient agree with the kernel (PyTorch's own check)."""
        x = features((1, 2, 2, 3, 2))
        arguments = [1], [1, 3], [1], 'zeros', 0.5, 'triton'
        torch.library.opcheck(
            torch.ops.mmaction_ext.local_correlation,
            (x, *arguments),
            test_utils=('test_schema', 'test_faketensor', 'test_autograd_registration'),
        )
        torch.library.opcheck(
            torch.ops.mmaction_ext.local_correlation_backward,
            (torch.randn(1, 3, 2, 3, 2), x.detach(), *arguments),
            test_utils=('test_schema', 'test_faketensor'),
        )

    def test_what_it_cannot_take_is_refused_by_name(self):
        with pytest.raises(InputError, match='float64'):
            local_correlation(torch.randn(1, 2, 2, 3, 3).double(), (1,), implementation='triton')


@needs_triton
def test_without_a_gpu_or_an_interpreter_it_says_so():
    with pytest.raises(InputError, match='on an NVIDIA GPU, not on cpu'):
        local_correlation(torch.randn(1, 2, 2, 3, 3), (1,), implementation='triton')


def test_without_triton_it_says_so(monkeypatch):
    monkeypatch.setattr(launch, 'is_installed', lambda: False)
    x = torch.randn(1, 2, 2, 3, 3)
    with pytest.raises(InputError, match='not installed'):
        local_correlation(x, (1,), implementation='triton')
    assert local_correlation(x, (1,)).shape == (1, 25, 2, 3, 3)


@needs_triton
@pytest.mark.parametrize(
    'shape, dtype, what',
    [
        ((2, 24, 1, 14, 15), torch.float16, ((0,), (1,), (15, 15), 'zeros', True)),
        ((2, 64, 1, 14, 15), torch.bfloat16, ((0,), (1,), (15, 15), 'zeros', True)),
    ],
)
def test_compiles_without_a_spilled_register(tmp_path, monkeypatch, shape, dtype, what):
    """For an H100, without one; the sizes of the benchmarks stand in the table."""
    monkeypatch.setenv('TRITON_CACHE_DIR', str(tmp_path))
    what = triton.Correlation(*what)
    x, keys = (torch.empty(shape, dtype=dtype, device='meta') for _ in range(2))
    displacements = len(what.offsets) * what.window[0] * what.window[1]
    grad = x.new_empty(shape[0], displacements, *shape[2:])
    for call in (
        lambda: triton.forward(x, keys, what, 0.5),
        lambda: triton.backward(grad, x, keys, what, 0.5),
    ):
        case = triton_static.Case({}, *triton_static.recorded(triton, call), (), 1, 1)
        resources = triton_static.compiled(case, 90)
        assert resources['spill_bytes'] == resources['local_bytes'] == 0, resources


def test_the_table_is_that_of_these_kernels_and_keeps_its_bounds():
    """Made again by ``tools/benchmarks/triton_static.py`` whenever kernels or constants change."""
    with open(TABLE, newline='', encoding='utf-8') as file:
        lines = [line for line in csv.DictReader(file) if 'correlation' in line['operator']]
    sources = {launch.digest(triton._MODULE)}
    assert {line['source'] for line in lines} == sources
    for line in lines:
        assert line['spill_bytes'] == line['local_bytes'] == '0', line
        assert float(line['occupancy']) >= 0.5 or line['why'], line
        most = 1.6 if line['size'].endswith(('_40', '_56')) else 2.5
        if (line['size'], line['offsets'], line['kernel']) == (
            'r50_56',
            'L2',
            'backward_by_tiles',
        ):
            most = 1.8  # a wave has three frames and needs seven, which L2 keeps between waves
        assert float(line['ratio']) <= most, line
