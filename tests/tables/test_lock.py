import json
import random
from dataclasses import replace
from fractions import Fraction

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mmaction_ext.errors import InputError
from mmaction_ext.tables import CellStatus, LockedTable, build_table, locked_table
from mmaction_ext.tables.cells import Measurement, SeedResult
from mmaction_ext.tables.code import TrackedCode
from mmaction_ext.tables.lock import lock_text, read_lock, renewed_lock
from mmaction_ext.tables.render import RENDERERS
from mmaction_ext.tables.spec import Column, Select

CONFIGS = ('demo/base', 'demo/full', 'demo/more')
COLUMNS = (
    Column('params', 'Params', 'static.params'),
    Column('top1', 'Top-1', 'test/acc/top1', Fraction(100)),
    Column('val', 'Val', 'val/acc'),
    Column('delta', 'Delta', 'top1', fmt='+.1f', relative_to='reference'),
)
FACTS = dict(
    protocol=dict(num_clips=1, resolution=[224, 224]),
    checkpoint=dict(path='epoch_2.pth', sha256='f'),
)


def make_records(make):
    """Runs in every state: sound, failed, stale, in conflict, imported, stopped; one has none."""
    rows = {'val': [{'iter': 8, 'epoch': 2, 'val/acc': 1 / 3}]}
    return [
        *(
            make.record(
                'demo/base',
                seed,
                top1,
                rows=rows,
                complexity=dict(params=7),
                test=FACTS,
                folder=f'place{seed}',
                attempt=dict(number=1),
                code={'mmaction_ext/m/a.py': '1'},
            )
            for seed, top1 in ((0, 0.8125), (1, 1.0), (2, 0.1 + 0.2))
        ),
        make.record('demo/full', 0, 0.9, exit_code=1, last_error='<b> | \\input{x}\n"é"'),
        make.record('demo/full', 1, 0.9, digest='old'),
        make.record('demo/full', 2, 0.9, uid='a'),
        make.record('demo/full', 2, 0.8, uid='b'),
        make.record('demo/more', 0, 0.7, imported=True, uid=''),
        make.record('demo/more', 2, None, exit_code=143, attempt=dict(signal='SIGTERM')),
    ]


@pytest.fixture
def spec(make):
    return make.spec('base', 'full', 'more', columns=COLUMNS, seeds=(0, 1, 2))


@pytest.fixture
def configs(make):
    code = TrackedCode(('mmaction_ext/m/*',), {'mmaction_ext/m/a.py': '1'})
    return make.configs(*CONFIGS, code=code)


@pytest.fixture
def table(make, spec, configs):
    return build_table(spec, make_records(make), configs)


@pytest.fixture
def path(tmp_path, spec, table):
    path = tmp_path / 'table.lock.json'
    path.write_text(lock_text({'demo': locked_table(table, spec)}))
    return path


def rebuild(path, spec, configs, complexity=None):
    return build_table(spec, (), configs, complexity, locked=read_lock(path)['demo'])


def test_tables_without_runs_are_those_with_runs(path, spec, configs, table):
    again = rebuild(path, spec, configs)
    assert [render(again) for render in RENDERERS.values()] == [
        render(table) for render in RENDERERS.values()
    ]
    assert {cell.status for row in table.rows for cell in row.cells} >= {
        CellStatus.OK,
        CellStatus.CONFLICT,
        CellStatus.IMPORTED,
        CellStatus.MISSING,
    }


def test_locked_results_are_exact_and_keep_their_facts(path, table):
    results = {
        (item.row, item.metric, item.seed): item for item in read_lock(path)['demo'].results
    }
    assert results['base', 'test/acc/top1', 2].result.value == Fraction('0.30000000000000004')
    assert results['base', 'val/acc', 0].result.value == Fraction(repr(1 / 3))
    assert results['base', 'static.params', None].result.value == 7
    found = results['base', 'test/acc/top1', 1].result
    [was] = [
        item.result
        for item in table.measurements
        if (item.row, item.metric, item.seed) == ('base', 'test/acc/top1', 1)
    ]
    assert was.evaluation.pop('folder') == 'place1'  # where the runs lie is no fact about them
    assert found == was
    assert found.evaluation['checkpoint'] == FACTS['checkpoint']
    assert found.protocol == 'num_clips 1, resolution 224×224'
    assert ('more', 'test/acc/top1', 1) not in results  # nothing to say


def test_one_line_per_row_seed_and_evaluation(path):
    text = path.read_text()
    lines = [
        json.loads(line.rstrip(',')) for line in text.splitlines() if line.startswith('{"row"')
    ]
    assert [(line['row'], line['seed']) for line in lines[:3]] == [
        ('base', None),
        ('base', 0),
        ('base', 0),
    ]
    [test] = [
        line
        for line in lines
        if (line['row'], line['seed']) == ('base', 1) and 'test/acc/top1' in line['values']
    ]
    assert test['values'] == {'test/acc/top1': '1'} and test['config_hash'] == 'current'
    assert list(json.loads(text)['tables']) == ['demo'] and text.isascii()


def test_bytes_do_not_depend_on_order(make, spec, configs, table):
    records = make_records(make)
    for seed in range(5):
        random.Random(seed).shuffle(records)
        again = build_table(spec, records, configs)
        assert lock_text({'demo': locked_table(again, spec)}) == lock_text(
            {'demo': locked_table(table, spec)}
        )


def test_a_table_renews_its_own_part_alone(path, spec, table):
    before = path.read_text()
    other = locked_table(table, spec)
    text = renewed_lock(path, {'other': other})
    part = before.partition('"tables": {\n')[2].removesuffix('\n}\n}\n')
    assert part in text
    path.write_text(text)
    assert set(read_lock(path)) == {'demo', 'other'}
    assert renewed_lock(path, {'other': LockedTable()}) == before  # nothing to keep of it
    assert read_lock(path)['other'] == read_lock(path)['demo']


def test_empty_lock(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text(renewed_lock(path, {'demo': LockedTable('last')}))
    assert path.read_text() == '{\n"schema": 1,\n"tables": {}\n}\n' and read_lock(path) == {}


def test_lock_cut_short_anywhere(path):
    text = path.read_text()
    end = len(text.rstrip())
    for length in {*range(200), *range(0, end, 37), *range(end - 100, end)}:
        path.write_text(text[:length])
        with pytest.raises(InputError, match=r'table.lock.json is cut short or no lock file'):
            read_lock(path)


@pytest.mark.parametrize(
    'old, new, message',
    [
        ('"0.8125"', '"0.9125"', 'was edited: the digest of table demo'),
        ('"status": "failed"', '"status": "ok"', 'was edited: the digest of table demo'),
        ('"select": "last"', '"select": "best"', 'was edited: the digest of table demo'),
        ('"demo": {', '"renamed": {', 'was edited: the digest of table renamed'),
        ('"digest"', '"digests"', 'holds a table demo that is no part'),
        ('"schema": 1', '"schema": 0', 'is of schema 0, this program reads 1'),
        ('"tables"', '"table"', 'is no lock file'),
        ('{\n"schema"', '<<<<<<< HEAD\n{\n"schema"', 'is cut short or no lock file'),
    ],
)
def test_edited_lock(path, old, new, message):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        read_lock(path)
    assert 'delete it and build every table' in str(error.value) and '\n' not in str(error.value)


def test_lock_of_a_newer_version(path):
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(InputError) as error:
        read_lock(path)
    assert str(error.value).endswith(
        'was written by a newer version of this program (schema 2, this one reads 1): update it'
    )


@pytest.mark.parametrize(
    'content', ['[]', '3', '{"schema": 1, "tables": []}', '{"schema": 1, "tables": {"demo": 3}}']
)
def test_other_json(path, content):
    path.write_text(content)
    with pytest.raises(InputError, match=r'table.lock.json (is|holds)'):
        read_lock(path)


def test_bytes_that_are_no_text(path):
    path.write_bytes(b'\xff\xfe')
    with pytest.raises(InputError, match='is cut short or no lock file'):
        read_lock(path)


def test_missing_lock(tmp_path):
    with pytest.raises(InputError, match=r'none.json cannot be read: No such file'):
        read_lock(tmp_path / 'none.json')


def test_damaged_lock_is_not_renewed(path, spec, table):
    path.write_text(path.read_text().replace('0.8125', '0.9'))
    with pytest.raises(InputError, match='was edited'):
        renewed_lock(path, {'other': locked_table(table, spec)})


class TestStale:
    """What changed in the tree since the lock was written."""

    def statuses(self, table):
        return {seed.status for seed in table.cell('base', 'top1').seeds}

    def test_config(self, path, spec, make):
        table = rebuild(
            path,
            spec,
            make.configs(*CONFIGS, digest='edited'),
            {('demo/base', 'edited'): dict(params=9)},
        )
        assert self.statuses(table) == {CellStatus.STALE}
        assert 'another version of the config' in table.cell('base', 'top1').note
        assert table.cell('base', 'params').value == 9  # of the config as it stands
        assert table.cell('full', 'top1').status is CellStatus.STALE

    def test_row_with_another_config(self, path, spec, configs):
        configs['base'] = replace(configs['base'], name='demo/other')
        assert self.statuses(rebuild(path, spec, configs)) == {CellStatus.STALE}

    def test_code(self, path, spec, make):
        code = TrackedCode(('mmaction_ext/m/*',), {'mmaction_ext/m/a.py': '2'})
        table = rebuild(path, spec, make.configs(*CONFIGS, code=code))
        assert self.statuses(table) == {CellStatus.STALE}
        assert 'another version of the code' in table.cell('base', 'top1').note
        assert table.cell('more', 'top1').status is CellStatus.IMPORTED  # knows no code

    @pytest.mark.parametrize(
        'changes',
        [
            dict(protocol=dict(num_clips=10)),
            dict(select=Select('best', 'val/acc')),
        ],
    )
    def test_what_counts(self, path, spec, configs, changes):
        table = rebuild(path, replace(spec, **changes), configs)
        assert self.statuses(table) == {CellStatus.STALE}
        assert 'another selection of checkpoints or protocol' in table.cell('base', 'top1').note


@given(
    st.fractions()
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda value: Fraction(repr(value))),
    st.text(),
    st.integers(0),
)
def test_any_measurement_reads_back(tmp_path_factory, value, text, seed):
    path = tmp_path_factory.getbasetemp() / 'any.json'
    item = Measurement('a', text, text, text, seed, SeedResult(seed, CellStatus.OK, value, text))
    path.write_text(lock_text({'demo': LockedTable(text, text, (item,))}))
    assert read_lock(path) == {'demo': LockedTable(text, text, (item,))}


class TestWatchedCode:
    """A change of the operators, modules or host is noted; the numbers stand."""

    def watched(self, digest):
        return TrackedCode(('mmaction_ext/m/*',), {'mmaction_ext/m/a.py': digest})

    def note(self, table):
        return [note for note in table.notes if 'earlier version' in note]

    def test_note(self, make, tmp_path):
        spec = make.spec('base', 'full', 'more')
        records = [
            make.record(f'demo/{row}', seed, 0.5, code=code)
            for seed in (0, 1)
            for row, code in (
                ('base', {'mmaction_ext/m/a.py': '1', 'x': '2'}),
                ('full', {}),
                ('more', {'mmaction_ext/m/a.py': '2'}),
            )
        ]
        expected = (
            'Measured with an earlier version of the operators, modules or host than this '
            'one: base (mmaction-ext explain lists the files).'
        )
        configs = make.configs(*CONFIGS, watched=self.watched('2'))
        table = build_table(spec, records, configs)
        assert self.note(table) == [expected]
        assert table.cell('base', 'top1').status is CellStatus.OK
        for render in RENDERERS.values():
            assert 'earlier version of the operators' in render(table)
        path = tmp_path / 'lock.json'
        path.write_text(lock_text({'demo': locked_table(table, spec)}))
        assert self.note(rebuild(path, spec, configs)) == [expected]
        assert (
            path.read_text().count('"watched": "') == 4
            and 'mmaction_ext/m/a.py' not in path.read_text()
        )
        later = make.configs(*CONFIGS, watched=self.watched('3'))
        assert ': base, more (' in self.note(rebuild(path, spec, later))[0]
        assert self.note(rebuild(path, spec, make.configs(*CONFIGS))) == []

    def test_no_note_of_what_does_not_count(self, make):
        records = [
            make.record('demo/base', 0, 0.5, code={'mmaction_ext/m/a.py': '1'}, exit_code=1)
        ]
        configs = make.configs(*CONFIGS, watched=self.watched('2'))
        assert self.note(build_table(make.spec('base', 'full', 'more'), records, configs)) == []


def test_figures_that_were_counted_again_since(path, spec, configs):
    counted = {('demo/base', 'current'): dict(params=9)}
    cell = rebuild(path, spec, configs, counted).cell('base', 'params')
    assert cell.status is CellStatus.CONFLICT and cell.note.endswith('differ in params: 7, 9')
    counted['demo/base', 'current']['params'] = 7
    assert rebuild(path, spec, configs, counted).cell('base', 'params').value == 7


def test_lock_of_all_tables_drops_others(path, spec, table):
    part = locked_table(table, spec)
    assert set(json.loads(renewed_lock(path, {'new': part}))['tables']) == {'demo', 'new'}
    assert set(json.loads(renewed_lock(path, {'new': part}, every=True))['tables']) == {'new'}
