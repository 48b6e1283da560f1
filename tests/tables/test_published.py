import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.tables.published import Published

TEXT = """\
dcf:
  paper: DCF
  source: text of the paper
  table1:
    table: Table 1
    protocol: SSV1, 1 clip
    baseline: {top1: 44.6, delta: null}
    full: {top1: 47.6, protocol: '2 clips'}
    wrong: {top1: 47,6}
    mark: {top1: true}
    text: {top1: '86x6', gflops: '98'}
    blank: {top1: ' '}
    leaf: 3
orphan:
  row: {top1: 1.0}
"""


@pytest.fixture
def published(tmp_path):
    path = tmp_path / 'published.yaml'
    path.write_text(TEXT)
    return Published(path)


def test_entry_and_what_it_inherits(published):
    entry = published.entry('dcf.table1.baseline')
    assert entry.figures == {'top1': 44.6, 'delta': None}
    assert entry.citation == 'DCF, Table 1, SSV1, 1 clip (read from: text of the paper)'
    assert 'Table 1, 2 clips (' in published.entry('dcf.table1.full').citation


@pytest.mark.parametrize(
    'name, message',
    [
        ('dcf.table9.full', "published.yaml:1: there is no entry 'dcf.table9.full'"),
        ('dcf.table1.baseline.top1.x', 'there is no entry'),
        ('dcf.table1.leaf', 'published.yaml:13: .* no mapping'),
        (
            'dcf.table1.mark',
            'published.yaml:10: dcf.table1.mark.top1 is True, not a number, text or null',
        ),
        ('dcf.table1.blank', "published.yaml:12: dcf.table1.blank.top1 is ' ', not a number"),
        ('orphan.row', "published.yaml:15: 'orphan.row' names neither a paper nor a source"),
        ('dcf.table1', 'not a number'),
    ],
)
def test_bad_names_and_entries(published, name, message):
    with pytest.raises(InputError, match=message):
        published.entry(name)


def test_text_is_a_figure_and_quoting_a_number_changes_nothing(published):
    assert published.entry('dcf.table1.text').figures == {'top1': '86x6', 'gflops': 98}


@pytest.mark.parametrize(
    'written, value',
    [('44.6', 44.6), ('73.50', 73.5), ("'73.50'", 73.5), ('78.0', 78), ('98', 98), ('+3.0', 3)],
)
def test_a_number_keeps_its_digits(tmp_path, written, value):
    (tmp_path / 'p.yaml').write_text(f'p: {{paper: P, row: {{top1: {written}}}}}\n')
    figure = Published(tmp_path / 'p.yaml').entry('p.row').figures['top1']
    assert (figure, repr(figure)) == (value, written.strip("'"))


@pytest.mark.parametrize('written', ['.inf', '-.inf', '.nan', '1.0e+301'])
def test_what_no_table_prints_is_no_figure(tmp_path, written):
    (tmp_path / 'p.yaml').write_text(f'p: {{paper: P, row: {{top1: {written}}}}}\n')
    with pytest.raises(
        InputError, match=r'p.yaml:1: p.row.top1 is .*, not a number, text or null'
    ):
        Published(tmp_path / 'p.yaml').entry('p.row')


def test_names_of_all_entries(published, tmp_path):
    assert published.names() == [
        *(f'dcf.table1.{row}' for row in ('baseline', 'full', 'wrong', 'mark', 'text', 'blank')),
        'orphan.row',
    ]
    empty = tmp_path / 'empty.yaml'
    empty.write_text('- 1\n')
    assert Published(empty).names() == []


def test_decimal_comma_is_noticed(published):
    """YAML reads {top1: 47,6} as top1: 47 and 6: null."""
    with pytest.raises(InputError, match=r"published.yaml:9: 6 in 'dcf.table1.wrong' is no name"):
        published.entry('dcf.table1.wrong')
