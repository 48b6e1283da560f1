import json
import math
from fractions import Fraction

import pytest

from mmaction_ext.errors import Diverged, InputError
from mmaction_ext.tables import build_tables
from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.code import TrackedCode
from mmaction_ext.tables.seed_runs import RowConfig, SeedRuns, resolve_configs
from mmaction_ext.tables.spec import LAST, Select, load_spec
from mmaction_ext.tracking.identity import config_hash, load_config

METRIC = 'test/acc/top1'
CONFIG = RowConfig('demo/full', 'current', ('epoch', 2))
BEST = Select('best', 'val/acc/top1')


def result(*records, metric=METRIC, select=LAST, config=CONFIG):
    return SeedRuns(records, config, 0, select).result(metric)


def val_rows(*values):
    rows = [
        {'iter': 4 * i, 'epoch': i, 'val/acc/top1': value} for i, value in enumerate(values, 1)
    ]
    return {'val': rows}


def test_finished_run_counts(make):
    found = result(
        make.record(top1=0.8125),
        make.record(seed=1, top1=0.1),
        make.record(config='demo/other', top1=0.2),
    )
    assert (found.status, found.value) == (CellStatus.OK, Fraction('0.8125'))
    assert found.runs == ('demo/full-0-current',) and found.samples == 240


@pytest.mark.parametrize(
    'settings, status, reason',
    [
        (
            dict(exit_code=None),
            CellStatus.UNFINISHED,
            'no exit record, still running or killed at iteration 8',
        ),
        (dict(exit_code=3), CellStatus.FAILED, 'ended with exit code 3'),
        (
            dict(exit_code=139, attempt=dict(signal='SIGSEGV')),
            CellStatus.FAILED,
            'ended with exit code 139 (SIGSEGV)',
        ),
        (
            dict(exit_code=143, attempt=dict(signal='SIGTERM')),
            CellStatus.MISSING,
            'stopped by SIGTERM',
        ),
        (
            dict(exit_code=130, attempt=dict(signal='SIGINT')),
            CellStatus.MISSING,
            'stopped by SIGINT',
        ),
        (
            dict(exit_code=75, attempt=dict(signal='SIGUSR1')),
            CellStatus.MISSING,
            'stopped by SIGUSR1',
        ),
        (dict(exit_code=75), CellStatus.MISSING, 'ended with exit code 75'),
        (
            dict(exit_code=143, state='running'),
            CellStatus.RUNNING,
            'still running at iteration 8',
        ),
        (
            dict(exit_code=1, last_error='RuntimeError: out of memory'),
            CellStatus.FAILED,
            'ended with exit code 1: RuntimeError: out of memory',
        ),
        (
            dict(exit_code=None, state='running'),
            CellStatus.RUNNING,
            'still running at iteration 8',
        ),
        (dict(exit_code=None, state='killed'), CellStatus.FAILED, 'killed at iteration 8'),
        (dict(exit_code=None, state='unknown'), CellStatus.UNFINISHED, 'still running or killed'),
        (dict(conflicts=('b', 'a')), CellStatus.CONFLICT, 'a; b'),
        (dict(conflicts=tuple('abcde')), CellStatus.CONFLICT, 'a; b; c; and 2 more'),
        (dict(corrupt=True), CellStatus.UNTRUSTED, 'the log is damaged'),
        (dict(digest='other'), CellStatus.STALE, 'run of another version of the config'),
        (dict(overrides={'b': 1, 'a': 2}), CellStatus.STALE, 'run with overridden a, b'),
        (
            dict(top1=None),
            CellStatus.MISSING,
            'finished without test/acc/top1 of the selected checkpoint',
        ),
        (
            dict(top1=None, logged={'val/acc/top1', 'test/num_samples'}),
            CellStatus.MISSING,
            'finished without test/acc/top1 of the selected checkpoint',
        ),
        (
            dict(top1=None, logged={'test/acc/top_1', 'test/loss', 'train/loss'}),
            CellStatus.MISSING,
            'finished without test/acc/top1, with test/acc/top_1, test/loss; '
            'did you mean test/acc/top_1?',
        ),
        (dict(digest=None, exit_code=None), CellStatus.UNFINISHED, 'no exit record'),
        (dict(digest=None, corrupt=True), CellStatus.UNTRUSTED, 'the log is damaged'),
        (dict(top1=math.nan), CellStatus.DIVERGED, 'test/acc/top1 is nan'),
        (dict(top1=math.inf), CellStatus.DIVERGED, 'test/acc/top1 is inf'),
        (
            dict(values={'test/nonfinite_samples': 7}),
            CellStatus.DIVERGED,
            'the scores of 7 test samples are not finite',
        ),
        (
            dict(exit_code=3, last_error=str(Diverged('no loss')), top1=None),
            CellStatus.DIVERGED,
            'ended with exit code 3: training diverged: no loss',
        ),
        (dict(top1=1e301), CellStatus.FAILED, 'test/acc/top1 is 1e+301'),
        (dict(top1='0.8'), CellStatus.FAILED, 'test/acc/top1 is 0.8'),
        (dict(top1=True), CellStatus.FAILED, 'test/acc/top1 is True'),
        (dict(epoch=1), CellStatus.UNFINISHED, 'measured after epoch 1 of 2'),
        (dict(config='demo/other'), CellStatus.MISSING, 'no run'),
    ],
)
def test_why_a_run_does_not_count(make, settings, status, reason):
    found = result(make.record(**settings))
    assert (found.status, found.value) == (status, None)
    assert reason in found.reason


def test_lost_identity_never_gives_a_number(make):
    assert result(make.record(digest=None)).value is None


def test_sound_run_wins_over_others_of_the_same_seed(make):
    others = [
        make.record(top1=0.1, digest='old'),
        make.record(top1=0.2, overrides={'a': 1}),
        make.record(top1=0.3, corrupt=True, uid='x'),
        make.record(top1=0.4, exit_code=1),
    ]
    assert result(*others, make.record(top1=0.8, job_type='test')).value == Fraction('0.8')


def test_worst_state_explains_a_missing_result(make):
    records = [make.record(digest='old'), make.record(exit_code=None), make.record(exit_code=1)]
    assert result(*records).status is CellStatus.FAILED
    assert result(*records[:2]).status is CellStatus.UNFINISHED


FAILED, EARLY, NAN = dict(exit_code=1), dict(epoch=1), dict(top1=math.nan)


@pytest.mark.parametrize(
    'other, status',
    [
        (FAILED, CellStatus.RUNNING),
        (EARLY, CellStatus.RUNNING),
        (NAN, CellStatus.RUNNING),
        (dict(exit_code=None, state='killed'), CellStatus.RUNNING),
        (dict(exit_code=None, state='unknown'), CellStatus.RUNNING),
        (dict(top1=None), CellStatus.RUNNING),
        (dict(digest='old'), CellStatus.RUNNING),
        (dict(overrides={'a': 1}), CellStatus.RUNNING),
        (dict(digest=None, exit_code=None), CellStatus.RUNNING),
        (dict(corrupt=True), CellStatus.UNTRUSTED),
        (dict(digest=None, corrupt=True), CellStatus.UNTRUSTED),
        (dict(conflicts=('two sources',)), CellStatus.CONFLICT),
        (dict(top1=0.8), CellStatus.OK),
        (dict(top1=0.8, digest=None, imported=True), CellStatus.OK),
    ],
)
def test_what_a_seed_shows_beside_a_living_run(make, other, status):
    living = make.record(exit_code=None, state='running', uid='living')
    for records in ((living, make.record(**other)), (make.record(**other), living)):
        found = result(*records)
        assert found.status is status and (found.value is None) == (status is not CellStatus.OK)
        if status is CellStatus.RUNNING:
            assert found.reason == 'still running at iteration 8' and 'living' in found.runs


@pytest.mark.parametrize(
    'others, status',
    [
        ((FAILED, NAN, EARLY), CellStatus.RUNNING),
        ((NAN, dict(corrupt=True)), CellStatus.UNTRUSTED),
        ((EARLY, dict(top1=0.8)), CellStatus.RUNNING),  # two tests of one iteration, one too early
        ((dict(top1=0.8), dict(top1=0.7)), CellStatus.CONFLICT),
        ((dict(top1=0.8), dict(corrupt=True)), CellStatus.OK),
        ((dict(top1=0.8), FAILED), CellStatus.OK),
    ],
)
def test_what_a_seed_shows_beside_a_living_run_and_others(make, others, status):
    records = [make.record(uid=f'r{i}', **each) for i, each in enumerate(others)]
    living = make.record(exit_code=None, state='running')
    assert result(*records, living).status is status


def test_a_living_run_of_another_version_says_nothing_of_the_row(make):
    living = make.record(exit_code=None, state='running', digest='old')
    assert result(living).status is CellStatus.STALE
    assert result(living, make.record(**FAILED)).status is CellStatus.FAILED


def test_a_damaged_log_of_a_living_run(make):
    living = make.record(exit_code=None, state='running', corrupt=True)
    assert result(living, make.record(**NAN)).status is CellStatus.UNTRUSTED


def test_a_run_that_goes_on_after_its_first_test_keeps_the_result(make):
    """Attempt 1 was tested at the end of the schedule, attempt 2 lives."""
    record = make.record(top1=0.8, state='running')
    record.attempts += (make.attempt(exit_code=None),)
    assert result(record).value == Fraction('0.8')
    early = make.record(epoch=1, state='running')
    early.attempts += (make.attempt(exit_code=None),)
    assert result(early).status is CellStatus.RUNNING


def test_same_result_measured_twice_is_one_result(make):
    found = result(make.record(top1=0.8), make.record(top1=0.8 + 1e-9, job_type='test'))
    assert found.status is CellStatus.OK


def test_differing_results_are_a_conflict(make):
    found = result(make.record(top1=0.8, uid='a'), make.record(top1=0.75, uid='b'))
    assert (found.status, found.value) == (CellStatus.CONFLICT, None)
    assert '0.8 (run a, train), 0.75 (run b, train)' in found.reason


def test_one_value_of_different_samples_is_a_conflict(make):
    mine, yours = make.record(top1=0.8, uid='a'), make.record(top1=0.8, uid='b')
    for record, digest in ((mine, 'd'), (yours, 'e')):
        record.evaluations[0].values['test/data_digest'] = digest
    found = result(mine, yours)
    assert (found.status, found.value) == (CellStatus.CONFLICT, None)
    assert found.reason == 'measured on different samples: run a, train and run b, train'
    yours.evaluations[0].values['test/data_digest'] = 'd'
    assert result(mine, yours).status is CellStatus.OK


def test_two_finished_attempts_of_one_run_that_differ(make):
    first, second = make.record(top1=0.8), make.record(top1=0.75, attempt=dict(path='b.wandb'))
    first.evaluations += second.evaluations
    first.attempts += second.attempts
    found = result(first)
    assert found.status is CellStatus.CONFLICT
    assert 'train, attempt 1), 0.75 (run demo/full-0-current, train, attempt 2)' in found.reason


def test_result_of_an_attempt_that_was_killed_does_not_count(make):
    killed, finished = make.record(top1=0.8, exit_code=None), make.record(top1=0.75)
    killed.evaluations += finished.evaluations
    killed.attempts += finished.attempts
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
        for row, loss in zip(rows['val'], (1.5, 1.25), strict=True):
            row['val/loss'] = loss
        rows['train'] = [{'iter': i, 'epoch': 1, 'train/loss': i / 4} for i in range(1, 9)]
        record = make.record(rows=rows)
        assert result(record, metric='val/loss', select=BEST).value == Fraction('1.5')
        assert result(record, metric='val/loss', select=LAST).value == Fraction('1.25')
        assert result(record, metric='train/loss', select=BEST).value == 1
        assert result(record, metric='train/loss', select=LAST).value == 2

    def test_unfinished_training_has_no_best(self, make):
        record = make.record(rows=val_rows(0.6, 0.5), exit_code=None)
        assert result(record, select=BEST).status is CellStatus.UNFINISHED

    def test_training_without_the_metric(self, make):
        assert 'val/acc/top1' in result(make.record(), select=BEST).reason


def test_validation_before_the_end_is_too_early(make):
    record = make.record(rows=val_rows(0.5))
    assert result(record, metric='val/acc/top1').reason == 'measured after epoch 1 of 2'


@pytest.fixture
def table(tmp_path):
    folder = tmp_path / 'configs' / 'demo'
    folder.mkdir(parents=True)
    (folder / 'base.py').write_text('train_cfg = dict(by_epoch=True, max_epochs=6)\nlr = 0.1\n')
    (folder / 'full.py').write_text(
        "_base_ = ['base.py']\ntrain_cfg = dict(_delete_=True, max_iters=50)\n"
    )
    (folder / 'table.yaml').write_text(
        json.dumps(
            dict(
                id='demo',
                caption='c',
                columns=[dict(key='a', head='A', **{'from': METRIC})],
                rows=[dict(id=name, config=f'{name}.py') for name in ('base', 'full')],
            )
        )
    )
    return folder / 'table.yaml'


def test_resolve_configs(table):
    configs = resolve_configs(load_spec(table))
    assert configs['base'].name == 'demo/base'
    assert configs['base'].schedule == ('epoch', 6)
    assert configs['full'].schedule == ('iter', 50)
    assert configs['full'].digest == config_hash(dict(train_cfg=dict(max_iters=50), lr=0.1))


def test_schedule_of_tested_weights_is_that_of_their_training(table):
    (table.parent / 'full.py').write_text(
        "weights_of = 'base.py'\ntrain_cfg = dict(max_epochs=1)\n"
    )
    configs = resolve_configs(load_spec(table))
    assert configs['full'].schedule == configs['base'].schedule == ('epoch', 6)
    (table.parent / 'full.py').write_text("weights_of = 'gone.py'\n")
    with pytest.raises(InputError, match=r':1: config .*gone.py does not exist'):
        resolve_configs(load_spec(table))


def test_unreadable_config_is_named_with_the_line_of_its_row(table):
    (table.parent / 'full.py').write_text('a = (\n')
    with pytest.raises(InputError) as error:
        resolve_configs(load_spec(table))
    assert str(error.value).startswith(f'{table}:1: config ') and 'full.py' in str(error.value)
    assert '\n' not in str(error.value)


def test_long_errors_are_shortened(make):
    found = result(make.record(exit_code=1, last_error='far ' * 100))
    assert found.reason.endswith('far ...') and len(found.reason) < 200


def test_sources_that_disagree_are_not_outvoted(make):
    sound = make.record(top1=0.8, job_type='test')
    assert result(make.record(conflicts=('x',)), sound).status is CellStatus.CONFLICT


class TestImported:
    """Numbers without a run behind them."""

    def imported(self, make, top1=0.7, **changes):
        record = make.record(
            top1=top1,
            digest=None,
            uid='i',
            imported=True,
            job_type='test',
            exit_code=None,
            **changes,
        )
        for key in ('iter', 'epoch', 'test/checkpoint_sha256'):
            record.evaluations[0].values.pop(key)
        return record

    def test_alone(self, make):
        for select in (LAST, BEST):
            found = result(self.imported(make), select=select)
            assert (found.value, found.imported) == (Fraction('0.7'), True)

    def test_beside_a_run_that_agrees_the_run_counts(self, make):
        found = result(make.record(top1=0.7), self.imported(make))
        assert (found.value, found.imported) == (Fraction('0.7'), False)
        assert found.evaluation['iter'] == 8

    def test_beside_a_run_that_does_not_agree(self, make):
        found = result(make.record(top1=0.8), self.imported(make))
        assert found.status is CellStatus.CONFLICT and '0.7 (run i, test)' in found.reason

    def test_a_later_iteration_does_not_outbid_a_run(self, make):
        record = self.imported(make)
        record.evaluations[0].values['iter'] = 9
        found = result(make.record(top1=0.8), record)
        assert found.status is CellStatus.CONFLICT and '0.7 (run i, test)' in found.reason

    def test_before_the_end_of_the_schedule(self, make):
        config = RowConfig('demo/full', 'current', ('iter', 8))
        for iteration, status in ((0, CellStatus.OK), (4, CellStatus.UNFINISHED)):
            record = self.imported(make)
            record.evaluations[0].values['iter'] = iteration  # 0 where nobody said
            assert result(record, config=config).status is status

    def test_of_another_version_of_the_config(self, make):
        record = self.imported(make)
        record.config_hash = 'old'
        assert result(record).status is CellStatus.STALE


class TestProtocol:
    """Tests under another protocol are not mixed in."""

    def result(self, make, *tests, wanted=None):
        records = [
            make.record(top1=top1, uid=str(i), test=dict(protocol=protocol))
            for i, (top1, protocol) in enumerate(tests)
        ]
        runs = SeedRuns(records, CONFIG, 0, LAST, wanted or {'num_clips': 10})
        return runs.result(METRIC)

    def test_the_right_one_counts(self, make):
        found = self.result(make, (0.8, {'num_clips': 10}), (0.7, {'num_clips': 1}))
        assert (found.value, found.protocol) == (Fraction('0.8'), 'num_clips 10')

    def test_another_one_is_stale(self, make):
        found = self.result(make, (0.7, {'num_clips': 1}))
        assert found.status is CellStatus.STALE and found.runs == ('0',)
        assert found.reason == 'tested with num_clips 1 instead of 10'

    def test_what_is_not_recorded_cannot_differ(self, make):
        assert self.result(make, (0.7, {})).value is not None

    def test_any(self, make):
        assert self.result(make, (0.7, {'num_clips': 1}), wanted={'num_clips': 'any'}).value

    def test_conflict_says_how_each_was_tested(self, make):
        found = self.result(
            make, (0.8, {'num_clips': 10}), (0.7, {'num_clips': 1}), wanted={'split': 'test'}
        )
        assert found.status is CellStatus.CONFLICT
        assert found.reason.endswith(
            '0.8 (run 0, train, num_clips 10), 0.7 (run 1, train, num_clips 1)'
        )


def test_run_of_other_code_is_stale(make):
    code = TrackedCode(
        ('mmaction_ext/m/*',), {'mmaction_ext/m/a.py': '1', 'mmaction_ext/m/b.py': '2'}
    )
    config = RowConfig('demo/full', 'current', ('epoch', 2), code=code)
    same = {'mmaction_ext/m/a.py': '1', 'mmaction_ext/m/b.py': '2', 'other.py': '3'}
    found = result(make.record(code=same), config=config)
    assert found.value and found.evaluation['code'] == code.digest(code.files)
    assert result(make.record(code={}), config=config).value  # nobody recorded it
    for change, file in (
        ({'mmaction_ext/m/b.py': 'x'}, 'mmaction_ext/m/b.py'),
        ({'mmaction_ext/m/gone.py': '1'}, 'mmaction_ext/m/gone.py'),
    ):
        found = result(make.record(code={**same, **change}), config=config)
        assert found.status is CellStatus.STALE
        assert found.reason == f'run of another version of {file}'


def test_facts_of_the_measurement(make):
    record = make.record(
        folder='a/b',
        attempt=dict(number=2),
        test=dict(
            protocol={'num_clips': 1},
            checkpoint=dict(path='epoch_2.pth', sha256='f'),
            predictions=dict(path='p.pkl', sha256='e'),
        ),
    )
    assert result(record).evaluation == dict(
        job_type='train',
        folder='a/b',
        attempt=2,
        iter=8,
        epoch=2,
        commit='c',
        protocol={'num_clips': 1},
        checkpoint=dict(path='epoch_2.pth', sha256='f'),
        predictions=dict(path='p.pkl', sha256='e'),
    )
    del record.evaluations[0].values['test/checkpoint_sha256']
    assert result(record).checkpoint == 'f'


def test_config_of_several_tables_is_read_once(table, monkeypatch):
    reads = []
    monkeypatch.setattr(
        'mmaction_ext.tables.aggregate.load_config',
        lambda path: reads.append(path) or load_config(path),
    )
    spec = load_spec(table)
    first, second = build_tables([spec, spec], ())
    assert first.id == second.id == spec.id
    assert sorted(reads) == sorted(row.config for row in spec.configured)


@pytest.mark.parametrize('value', [10**400, -(10**400), 1.1e300])
def test_numbers_beyond_what_tables_print(make, value):
    found = result(make.record(top1=value), make.record(top1=0.5, uid='b'))
    assert found.status is CellStatus.FAILED and len(found.reason) < 60
    assert found.reason.startswith('test/acc/top1 is ')
    best = make.record(top1=0.5, rows=val_rows(0.5, value))
    assert result(best, select=BEST).status is not CellStatus.OK


def test_conflict_of_imported_numbers_names_their_lines(make):
    records = [
        make.record(top1=value, uid='', imported=True, attempt=dict(path=f'r.csv:{line}'))
        for line, value in ((2, 0.5), (3, 0.75))
    ]
    for record in records:
        record.uid = ''
    assert result(*records).reason == (
        'finished results of test/acc/top1 differ: 0.5 (r.csv:2), 0.75 (r.csv:3)'
    )


def test_runs_that_all_diverged_agree_and_one_that_did_not_is_a_conflict(make):
    some = dict(values={'test/nonfinite_samples': 7})
    both = [make.record(top1=math.nan, uid='a'), make.record(top1=0.1, uid='b', **some)]
    assert result(*both).status is CellStatus.DIVERGED
    found = result(*both, make.record(top1=0.1, uid='c'))
    assert found.status is CellStatus.CONFLICT and 'differ: nan' in found.reason
