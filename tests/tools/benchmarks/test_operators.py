"""The operators' benchmark at sizes of a test: what is wrong is not timed, what is right is."""

import functools

import common
import operators
import peers
import pytest
import torch
from sizes import LOCAL, PAIR, REGIONS

from mmaction_ext.ops.correlation.reference import correlation_reference, pair_reference
from mmaction_ext.ops.keypoint.reference import maxima_reference, means_reference

SIZES = {size.name: size.tiny() for size in (*LOCAL, *PAIR, *REGIONS)}
PAIR_FORMS = (peers.pair_shift_loop, peers.pair_unfold, peers.pair_windows)


@pytest.fixture
def run(tmp_path):
    """The benchmark of some sizes and implementations; its rows as they are in the file."""
    path = tmp_path / 'operators.csv'

    def run(*arguments, sizes, implementations):
        options = ['--sizes', *sizes, '--implementations', *implementations, *arguments]
        operators.main(['--tiny', '--rounds', '3', '--output', str(path), *options])
        return common.read(path)

    run.path = path
    return run


@pytest.mark.parametrize('name', ['x3d_10_L1', 'r50_14_L2', 'selfy_14'])
def test_the_peers_are_the_equations(name):
    size = SIZES[name]
    (x,) = operators.inputs(size, 'cpu', torch.float64)
    found = [peers.local_of(form, size) for form in PAIR_FORMS]
    found.append(peers.symmetric(size, lambda function: function))
    known = operators.with_gradients(
        lambda x: (
            correlation_reference(
                x, size.offsets, (size.window,) * 2, size.dilations, 'zeros', size.shape[1] ** -0.5
            ),
        ),
        (x,),
    )
    for each in found:
        torch.testing.assert_close(
            operators.with_gradients(lambda x, f=each: (f(x),), (x,)), known
        )


def test_the_peers_of_pairs_are_the_equations():
    size = SIZES['tcm_28']
    given = operators.inputs(size, 'cpu', torch.float64)
    known = pair_reference(*given, (size.window,) * 2, size.dilation, 1.0)
    for form in PAIR_FORMS:
        torch.testing.assert_close(form(*given, size.window, size.dilation), known)


@pytest.mark.parametrize('name', ['k9_static', 'k9_per_frame'])
def test_masks_are_the_equations(name):
    size = SIZES[name]
    (x,) = operators.inputs(size, 'cpu', torch.float64)
    rows, columns = operators.borders(size, 'cpu', len(x))
    values, means, indices = operators.masks(x, rows, columns)
    assert torch.equal(indices, maxima_reference(x, rows.long(), columns.long()))
    torch.testing.assert_close(means, means_reference(x, rows, columns))
    parts = [0.9 * lines + 0.2 for lines in (rows, columns)]
    torch.testing.assert_close(peers.region_means(x, *parts), means_reference(x, *parts))
    every = x.flatten(3)[:, None, None].expand(*values.shape, -1)
    assert torch.equal(values, every.gather(-1, indices[..., None]).squeeze(-1))


def test_rows_of_every_kind(run):
    names = ['native', 'portable', 'auto', 'shift_loop', 'unfold', 'windows', 'masks']
    rows = run(sizes=['x3d_10_L2', 'tcm_28', 'k4_static'], implementations=names)
    assert set(rows[0]) == set(operators.COLUMNS)
    shared = ['matmul', 'copy']
    assert [row['implementation'] for row in rows] == [
        *shared, *names[:-1], *shared, *names[:-1], *shared, *names[:3], 'masks',
    ]  # fmt: skip
    for row in rows:
        assert float(row['forward_ms']) > 0 and row['rounds'] == '3'
        assert all(row[name] for name in common.ENVIRONMENT if name not in ('compiler', 'commit'))
        if row['implementation'] not in shared:
            assert float(row['both_ms']) > 0 and float(row['gradient_error']) <= 1e-5


@pytest.mark.parametrize('wrong', ['outputs', 'gradients', 'nothing is a number'])
def test_what_is_wrong_is_not_timed(run, monkeypatch, capsys, wrong):
    right = operators.local_correlation

    def broken(x, *args, **kwargs):
        y = right(x, *args, **kwargs)
        if wrong == 'outputs':
            return y * 1.001
        return y + (x - x.detach()).sum() if wrong == 'gradients' else y * float('nan')

    monkeypatch.setattr(operators, 'local_correlation', broken)
    with pytest.raises(SystemExit, match=r'x3d_10_L1.*auto is wrong.*Nothing was timed'):
        run(sizes=['k4_static', 'x3d_10_L1'], implementations=['auto', 'shift_loop'])
    assert not run.path.exists() and not capsys.readouterr().out


def test_what_was_measured_before_an_interruption_is_kept(run, monkeypatch):
    right, calls = common.in_turns, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return right(*args)

    monkeypatch.setattr(common, 'in_turns', interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(sizes=['x3d_10_L1', 'x3d_20_L1'], implementations=['auto'])
    assert [row['implementation'] for row in common.read(run.path)] == ['matmul', 'copy', 'auto']


def test_windows_that_do_not_fit_are_timed_on_fewer_clips():
    size = next(size for size in LOCAL if size.name == 'selfy_28')
    assert (
        operators.fitting_clips(size, 'auto') == operators.fitting_clips(size, 'shift_loop') == 8
    )
    assert operators.fitting_clips(size, 'unfold') == 1


@pytest.mark.parametrize('name', ['x3d_10_L1', 'selfy_14'])
def test_compiled_forms(run, monkeypatch, name):
    eager = functools.partial(torch.compile, backend='eager')  # traced, not compiled
    monkeypatch.setattr(torch, 'compile', eager)
    rows = run(sizes=[name], implementations=['compiled', 'compiled_loop'])
    assert all(float(row['compile_s']) > 0 for row in rows[2:])
