import json
import math
from fractions import Fraction

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.results import (RowConfig, SeedEvidence, read_complexity,
                                         resolve_configs, static_result)
from mmaction_ext.tables.spec import Select, load_spec
from mmaction_ext.tracking.identity import config_hash

METRIC = 'test/acc/top1'
CONFIG = RowConfig('demo/full', 'current', ('epoch', 2))
LAST, BEST = Select(), Select('best', 'val/acc/top1')


def result(*records, metric=METRIC, select=LAST, config=CONFIG):
    return SeedEvidence(records, config, 0, select).result(metric)


def val_rows(*values):
    rows = [{'iter': 4 * i, 'epoch': i, 'val/acc/top1': value}
            for i, value in enumerate(values, 1)]
    return {'val': rows}


def test_finished_run_counts(make):
    found = result(make.record(top1=0.8125), make.record(seed=1, top1=0.1),
                   make.record(config='demo/other', top1=0.2))
    assert (found.status, found.value) == (CellStatus.OK, Fraction('0.8125'))
    assert found.runs == ('demo/full-0-current',) and found.samples == 240


@pytest.mark.parametrize('settings, status, reason', [
    (dict(exit_code=None), CellStatus.RUNNING, 'no exit record, still running or killed at '
                                               'iteration 8'),
    (dict(exit_code=3), CellStatus.FAILED, 'ended with exit code 3'),
    (dict(exit_code=143), CellStatus.FAILED, 'ended with exit code 143'),
    (dict(corrupt=True), CellStatus.UNTRUSTED, 'the log is damaged'),
    (dict(digest='other'), CellStatus.STALE, 'run of another version of the config'),
    (dict(overrides={'b': 1, 'a': 2}), CellStatus.STALE, 'run with overridden a, b'),
    (dict(top1=None), CellStatus.MISSING, 'finished without test/acc/top1'),
    (dict(digest=None, exit_code=None), CellStatus.RUNNING, 'no exit record'),
    (dict(digest=None, corrupt=True), CellStatus.UNTRUSTED, 'the log is damaged'),
    (dict(top1=math.nan), CellStatus.FAILED, 'test/acc/top1 is nan'),
    (dict(top1=math.inf), CellStatus.FAILED, 'test/acc/top1 is inf'),
    (dict(top1='0.8'), CellStatus.FAILED, 'test/acc/top1 is 0.8'),
    (dict(top1=True), CellStatus.FAILED, 'test/acc/top1 is True'),
    (dict(epoch=1), CellStatus.RUNNING, 'measured after epoch 1 of 2'),
    (dict(config='demo/other'), CellStatus.MISSING, 'no run'),
])
def test_why_a_run_does_not_count(make, settings, status, reason):
    found = result(make.record(**settings))
    assert (found.status, found.value) == (status, None)
    assert reason in found.reason


def test_lost_identity_never_gives_a_number(make):
    assert result(make.record(digest=None)).value is None


def test_sound_run_wins_over_others_of_the_same_seed(make):
    others = [make.record(top1=0.1, digest='old'), make.record(top1=0.2, overrides={'a': 1}),
              make.record(top1=0.3, corrupt=True, uid='x'), make.record(top1=0.4, exit_code=1)]
    assert result(*others, make.record(top1=0.8, job_type='test')).value == Fraction('0.8')


def test_worst_state_explains_a_missing_result(make):
    records = [make.record(digest='old'), make.record(exit_code=None), make.record(exit_code=1)]
    assert result(*records).status is CellStatus.FAILED
    assert result(*records[:2]).status is CellStatus.RUNNING


def test_same_result_measured_twice_is_one_result(make):
    found = result(make.record(top1=0.8), make.record(top1=0.8 + 1e-9, job_type='test'))
    assert found.status is CellStatus.OK


def test_differing_results_are_a_conflict(make):
    found = result(make.record(top1=0.8, uid='a'), make.record(top1=0.75, uid='b'))
    assert (found.status, found.value) == (CellStatus.CONFLICT, None)
    assert '0.8 (run a, train), 0.75 (run b, train)' in found.reason


def test_two_finished_attempts_of_one_run_that_differ(make):
    first, second = make.record(top1=0.8), make.record(top1=0.75)
    first.evaluations += second.evaluations
    first.fragments += second.fragments
    found = result(first)
    assert found.status is CellStatus.CONFLICT
    assert 'train, attempt 1), 0.75 (run demo/full-0-current, train, attempt 1)' in found.reason


def test_result_of_an_attempt_that_was_killed_does_not_count(make):
    killed, finished = make.record(top1=0.8, exit_code=None), make.record(top1=0.75)
    killed.evaluations += finished.evaluations
    killed.fragments += finished.fragments
    assert result(killed).value == Fraction('0.75')


def test_last_checkpoint_counts_when_earlier_ones_were_tested_too(make):
    early = make.record(top1=0.9, epoch=1, iteration=4, job_type='test')
    assert result(make.record(top1=0.8), early).value == Fraction('0.8')


def test_config_without_a_schedule_cannot_tell_too_early(make):
    config = RowConfig('demo/full', 'current')
    assert result(make.record(epoch=1), config=config).status is CellStatus.OK


def test_schedule_in_iterations(make):
    config = RowConfig('demo/full', 'current', ('iter', 8))
    assert result(make.record(), config=config).status is CellStatus.OK
    assert 'after iter 7 of 8' in result(make.record(iteration=7), config=config).reason


class TestBest:
    """Policy ``best``: the validation split chooses, for every metric."""

    def test_test_result_of_the_chosen_checkpoint(self, make):
        train = make.record(top1=0.7, iteration=8, rows=val_rows(0.6, 0.5))
        chosen = make.record(top1=0.65, iteration=4, epoch=1, job_type='test')
        assert result(train, chosen, select=BEST).value == Fraction('0.65')
        assert result(train, chosen, select=LAST).value == Fraction('0.7')

    def test_other_checkpoint_only(self, make):
        found = result(make.record(rows=val_rows(0.6, 0.5)), select=BEST)
        assert found.status is CellStatus.MISSING
        assert 'of the selected checkpoint' in found.reason

    def test_first_of_equals_and_not_nan(self, make):
        rows = val_rows(math.nan, 0.6, 0.6)
        record = make.record(top1=0.7, iteration=8, rows=rows)
        assert result(record, select=BEST).value == Fraction('0.7')

    def test_minimum(self, make):
        record = make.record(top1=0.7, iteration=4, rows=val_rows(0.1, 0.2))
        assert result(record, select=Select('best', 'val/acc/top1', 'min')).value is not None

    def test_validation_metric_of_the_chosen_checkpoint(self, make):
        rows = val_rows(0.6, 0.5)
        for row, loss in zip(rows['val'], (1.5, 1.25)):
            row['val/loss'] = loss
        rows['train'] = [{'iter': i, 'epoch': 1, 'train/loss': i / 4} for i in range(1, 9)]
        record = make.record(rows=rows)
        assert result(record, metric='val/loss', select=BEST).value == Fraction('1.5')
        assert result(record, metric='val/loss', select=LAST).value == Fraction('1.25')
        assert result(record, metric='train/loss', select=BEST).value == 1
        assert result(record, metric='train/loss', select=LAST).value == 2

    def test_unfinished_training_has_no_best(self, make):
        record = make.record(rows=val_rows(0.6, 0.5), exit_code=None)
        assert result(record, select=BEST).status is CellStatus.RUNNING

    def test_training_without_the_metric(self, make):
        assert 'val/acc/top1' in result(make.record(), select=BEST).reason


def test_validation_before_the_end_is_too_early(make):
    record = make.record(rows=val_rows(0.5))
    assert result(record, metric='val/acc/top1').reason == 'measured after epoch 1 of 2'


def test_static_figures(make):
    record = make.record(static=dict(params=3, macs='many'))
    complexity = {('demo/full', 'current'): dict(params=7, macs=8)}

    def static(name, *records):
        return static_result(records, CONFIG, name, complexity)

    assert static('params', record, make.record(seed=1, static=dict(params=3))).value == 3
    assert static('params', make.record(exit_code=None, static=dict(params=3))).value == 3
    assert static('macs', record).value == 8
    for settings in (dict(digest='old'), dict(overrides={'a': 1}), dict(corrupt=True)):
        assert static('params', make.record(static=dict(params=3), **settings)).value == 7
    assert static('flops', record).status is CellStatus.MISSING
    conflict = static('params', record, make.record(seed=1, static=dict(params=4)))
    assert conflict.status is CellStatus.CONFLICT and '3, 4' in conflict.reason


def test_complexity_csv(tmp_path):
    path = tmp_path / 'complexity.csv'
    assert read_complexity(path) == {}
    path.write_text('config,config_hash,params,macs,more\ndemo/full,ab,3,4,x\n')
    assert read_complexity(path) == {('demo/full', 'ab'): dict(params=3, macs=4)}
    for text in ('config,params\na,1\n', 'config,config_hash,params,macs\na,b,three,4\n',
                 'config,config_hash,params,macs\na\n'):
        path.write_text(text)
        with pytest.raises(InputError, match='complexity.csv is no table of'):
            read_complexity(path)
    path.write_bytes(b'\xff\xfe')
    with pytest.raises(InputError, match='complexity.csv is no table of'):
        read_complexity(path)


@pytest.fixture
def table(tmp_path):
    folder = tmp_path / 'configs' / 'demo'
    folder.mkdir(parents=True)
    (folder / 'base.py').write_text('train_cfg = dict(by_epoch=True, max_epochs=6)\nlr = 0.1\n')
    (folder / 'full.py').write_text("_base_ = ['base.py']\n"
                                    'train_cfg = dict(_delete_=True, max_iters=50)\n')
    (folder / 'table.yaml').write_text(json.dumps(dict(
        id='demo', caption='c', columns=[dict(key='a', head='A', **{'from': METRIC})],
        rows=[dict(id=name, config=f'{name}.py') for name in ('base', 'full')])))
    return folder / 'table.yaml'


def test_resolve_configs(table):
    configs = resolve_configs(load_spec(table))
    assert configs['base'].name == 'demo/base'
    assert configs['base'].schedule == ('epoch', 6)
    assert configs['full'].schedule == ('iter', 50)
    assert configs['full'].digest == config_hash(dict(train_cfg=dict(max_iters=50), lr=0.1))


def test_unreadable_config_is_named_with_the_line_of_its_row(table):
    (table.parent / 'full.py').write_text('a = (\n')
    with pytest.raises(InputError) as error:
        resolve_configs(load_spec(table))
    assert str(error.value).startswith(f'{table}:1: config ') and 'full.py' in str(error.value)
    assert '\n' not in str(error.value)
