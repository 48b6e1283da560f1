from pathlib import Path

import pytest

from mmaction_ext.cli.common import find_table, note_unlisted_runs
from mmaction_ext.errors import InputError
from mmaction_ext.tables import load_spec
from mmaction_ext.tracking.reading.record import RunRecord

ROWS = """\
rows:
  - {id: base, config: base.py, reference: true}
"""
COLUMNS = """\
columns:
  - {key: top1, head: Top-1, from: test/acc/top1}
"""


@pytest.mark.parametrize(
    'text',
    [
        'id: tiny\ncaption: C\n' + COLUMNS + ROWS,
        COLUMNS + ROWS + 'caption: C\nid: tiny\n',
        ROWS + 'caption: "id: other"\n' + COLUMNS + '"id" : \'tiny\'  # its name\n',
        '{caption: C, columns: [{key: a, head: A, from: test/acc/top1}], "id": "tiny", '
        'rows: [{id: base, config: base.py}]}\n',
    ],
)
def test_a_table_is_found_by_its_id_wherever_that_stands(project, text):
    path = project.write('configs/demo/more/table.yaml', text.replace('base.py', '../base.py'))
    assert find_table('tiny', Path('configs')).path == path.relative_to(project.root)


@pytest.mark.parametrize('name', ['base', 'other', 'tin', 'ti.y', 'tiny-2', 'C'])
def test_no_other_id_is_taken_for_it(project, name):
    project.write(
        'configs/demo/table.yaml', f'id: tiny\ncaption: "C\\nid: other"\n{COLUMNS}{ROWS}'
    )
    with pytest.raises(InputError, match=f'is no file, folder or table {name} '):
        find_table(name, Path('configs'))


def test_a_broken_table_says_what_is_wrong_and_hinders_no_other(project):
    project.write('configs/broken/table.yaml', f'{COLUMNS}id: broken\nrows: [\n')
    assert find_table('demo', Path('configs')).id == 'demo'
    with pytest.raises(InputError, match=r'broken/table.yaml:\d+: '):
        find_table('broken', Path('configs'))


def test_two_tables_of_one_id(project):
    project.write('configs/demo/more/table.yaml', 'id: demo\n')
    with pytest.raises(InputError, match='there are several tables demo'):
        find_table('demo', Path('configs'))


@pytest.mark.parametrize('suffix', ['md', 'tex', 'html', 'csv'])
def test_a_printed_table_is_no_specification(project, suffix):
    name = f'reports/demo.{suffix}'
    project.write(name, '| Model |\n')
    words = f'{name} is a printed table; name its id, or its table.yaml'
    with pytest.raises(InputError, match=f'^{words}$'):
        find_table(name, Path('configs'))
    with pytest.raises(InputError, match='is no file, folder or table'):
        find_table(name.replace('demo', 'gone'), Path('configs'))


def stray(config, seed, uid='uid'):
    """A run of which a table may know nothing."""
    return RunRecord(uid, 'train', config, seed)


@pytest.mark.parametrize(
    ('records', 'note'),
    [
        ([], ''),
        ([stray('demo/base', 1)], ''),
        ([stray('demo/bose', 0, uid='')], ''),
        ([stray('demo/base', 7)], ''),
        (
            [stray('demo/bose', 2)],
            'note: 1 run belongs to no row of any table and no config below '
            'configs: demo/bose seed 2\n',
        ),
        (
            [
                stray('../a', 0),
                stray('../a', 0),
                stray('b', 0),
                stray('\x1b[2Jc', 0),
                stray('d', None),
            ],
            'note: 5 runs belong to no row of any table and no config below configs: ../a seed 0, '
            'b seed 0, c seed 0, ...\n',
        ),
    ],
)
def test_runs_that_no_table_shows(project, capsys, records, note):
    note_unlisted_runs(records, [load_spec(project.table)], 'configs')
    assert capsys.readouterr().err == note
