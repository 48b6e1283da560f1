import re
from fractions import Fraction

import pytest
import yaml

from mmaction_ext.errors import InputError
from mmaction_ext.tables.spec import LAST, Section, Select, load_spec

SPEC = """\
id: demo
caption: A demo
seeds: [1, 0]
select: {policy: last}
split: test
note: 2 GPUs
published: ../published.yaml
varies: [model.backbone]
columns:
  - {key: basic, head: Basic, from: row.basic}
  - {key: params, head: Params, from: static.params, scale: 1.0e-6, fmt: .2f}
  - {key: pub, head: Published, from: published.top1}
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100, fmt: .1f, best: max}
  - {key: delta, head: Delta, from: top1, relative_to: reference, fmt: +.1f}
rows:
  - {id: base, config: base.py, reference: true, published: p.base, basic: false}
  - {section: Ours}
  - {id: full, label: Full, config: sub/full.py, published: p.full, basic: true}
"""
PUBLISHED = 'p: {paper: P, base: {top1: 44.6}, full: {top1: 47.6}}\n'


@pytest.fixture
def folder(tmp_path):
    """configs/demo with the configs that SPEC names."""
    folder = tmp_path / 'configs' / 'demo'
    (folder / 'sub').mkdir(parents=True)
    for name in ('base.py', 'sub/full.py'):
        (folder / name).write_text('a = 1\n')
    (folder.parent / 'published.yaml').write_text(PUBLISHED)
    return folder


def load(folder, text):
    path = folder / 'table.yaml'
    path.write_text(text, encoding='utf-8')
    return load_spec(path)


def test_everything_is_read(folder):
    spec = load(folder, SPEC)
    assert (spec.id, spec.caption, spec.note, spec.split) == ('demo', 'A demo', '2 GPUs', 'test')
    assert (spec.seeds, spec.select, spec.varies) == ((0, 1), LAST, ('model.backbone',))
    assert [column.kind for column in spec.columns] == [
        'row',
        'complexity',
        'published',
        'history',
        'column',
    ]
    assert [column.name for column in spec.columns] == [
        'basic',
        'params',
        'top1',
        'test/acc/top1',
        'top1',
    ]
    params, delta = spec.columns[1], spec.columns[4]
    assert (params.scale, params.fmt) == (Fraction(1, 10**6), '.2f') and delta.relative
    assert (delta.relative_to, delta.tolerance) == ('reference', None)
    assert [getattr(row, 'id', row) for row in spec.layout] == ['base', Section('Ours'), 'full']
    base, full = spec.rows
    assert spec.reference is base and base.label == 'base' and full.label == 'Full'
    assert full.config_name == 'demo/sub/full' and full.line == 18
    assert full.published.figures == {'top1': 47.6} and full.marks == {'basic': True}
    assert spec.metrics == {'test/acc/top1'}
    assert spec.wanted_runs == {
        (name, seed) for seed in (0, 1) for name in ('demo/base', 'demo/sub/full')
    }


def test_defaults(folder):
    spec = load(
        folder,
        'id: a\ncaption: b\ncolumns: [{key: x, head: X, from: val/acc}]\n'
        'rows: [{id: r, config: base.py}]\n',
    )
    assert (spec.seeds, spec.select.policy, spec.split, spec.note) == ((0,), 'last', 'test', '')
    assert spec.reference is None and spec.columns[0].fmt == '.1f' and spec.split_name == ''


def test_best_policy_needs_its_metric_from_the_logs(folder):
    text = SPEC.replace('{policy: last}', '{policy: best, metric: val/acc/top1}')
    assert load(folder, text).select == Select('best', 'val/acc/top1', 'max')
    assert load(folder, text).metrics == {'test/acc/top1', 'val/acc/top1'}


@pytest.mark.parametrize(
    'old, new, line, message',
    [
        ('id: demo', 'id: a/b', 1, "'a/b' is no plain file name"),
        (
            'id: demo',
            'id: complexity',
            1,
            "id: 'complexity' is that of complexity.csv, which is no",
        ),
        ('id: demo', 'id: Index', 1, "id: 'Index' is that of index.html"),
        ('id: demo', 'id: table.lock', 1, "id: 'table.lock' is that of table.lock.json"),
        ('id: demo', 'ids: demo', 1, "unknown key 'ids'"),
        ('id: demo\n', '', 1, "'id' is missing"),
        ('A demo', '" "', 2, 'caption: string should have at least 1 character'),
        ('A demo', '[x]', 2, 'caption: input should be a valid string'),
        ('[1, 0]', '[]', 3, 'seeds: list should have at least 1 item'),
        ('[1, 0]', '[1, 1]', 3, 'seeds[1]: 1 is given twice'),
        ('[1, 0]', '[true]', 3, 'seeds[0]: input should be a valid integer, found True'),
        ('[1, 0]', '[-1]', 3, 'seeds[0]: input should be greater than or equal to 0, found -1'),
        (
            '{policy: last}',
            '{policy: test_max}',
            4,
            "select.policy: input should be 'last', 'best' or 'summary', found 'test_max'",
        ),
        (
            '{policy: last}',
            '{policy: best}',
            4,
            'select: policy best needs a val/ metric, found None',
        ),
        ('{policy: last}', '{policy: best, metric: test/acc}', 4, "found 'test/acc'"),
        ('{policy: last}', '{policy: last, metric: val/acc}', 4, 'takes neither metric nor mode'),
        ('{policy: last}', '{policy: last, mode: max}', 4, 'takes neither metric nor mode'),
        (
            '{policy: last}',
            '{policy: best, metric: val/a, mode: up}',
            4,
            "select.mode: input should be 'max' or 'min', found 'up'",
        ),
        ('{policy: last}', 'last', 4, "expected a mapping, found 'last'"),
        (
            'split: test',
            'split: dev',
            5,
            "split: input should be 'train', 'val' or 'test', found 'dev'",
        ),
        ('../published', '../gone', 7, 'gone.yaml does not exist'),
        ('../published.yaml', 'x' * 300, 7, 'published: '),
        ('[model.backbone]', 'model', 8, 'varies: input should be a valid list, found'),
        (
            'head: Basic',
            'heads: Basic',
            10,
            "columns[0].heads: unknown key 'heads'; known: best, fmt, fold, from, head, key",
        ),
        ('head: Basic, ', '', 10, "columns[0]: 'head' is missing"),
        ('from: row.basic', 'from: row.basic, best: max', 10, 'holds marks'),
        ('1.0e-6', '0', 11, 'columns[1].scale: 0 is no number to multiply with'),
        ('1.0e-6', 'million', 11, "columns[1].scale: 'million'"),
        ('1.0e-6', '.nan', 11, 'columns[1].scale: nan'),
        ('fmt: .2f', 'fmt: .2e', 11, "columns[1].fmt: '.2e' is no format"),
        ('published.top1', 'published.top2', 12, "no published entry of this table has 'top2'"),
        ('test/acc/top1', 'dev/acc/top1', 13, "'dev/acc/top1' does not begin with"),
        (
            'best: max',
            'best: most',
            13,
            "columns[3].best: input should be 'max' or 'min', found 'most'",
        ),
        ('best: max', 'relative_to: reference', 13, 'needs the key of an earlier column'),
        ('key: top1', 'key: basic', 13, "two columns have the key 'basic'"),
        ('from: top1', 'from: top5', 14, "'top5' is neither"),
        ('from: top1', 'from: basic', 14, "'basic' is neither"),
        (
            'relative_to: reference',
            'relative_to: base',
            14,
            "columns[4].relative_to: 'base' is neither",
        ),
        (', relative_to: reference', '', 14, 'relative_to is missing'),
        ('fmt: +.1f', 'fmt: +.1f, scale: 2', 14, 'scaled already'),
        ('config: base.py', 'config: gone.py', 16, 'gone.py does not exist'),
        ('config: base.py', f'config: {"x" * 300}.py', 16, 'rows[0].config: '),
        ('config: base.py', r'config: "\e[31m\n"', 16, 'rows[0].config: '),
        ('reference: true, ', '', 15, 'no row has reference: true'),
        (
            'reference: true',
            'reference: 1.5',
            16,
            'rows[0].reference: input should be a valid boolean, found 1.5',
        ),
        ('p.base', 'p.gone', 16, "there is no entry 'p.gone'"),
        (
            'basic: false',
            'basics: false',
            16,
            "rows[0].basics: unknown key 'basics'; known: basic, config, fold, id",
        ),
        ('basic: false', 'basic: [1]', 16, 'rows[0].basic: [1] is neither text nor true or false'),
        (
            'section: Ours',
            'section: Ours, config: base.py',
            17,
            "rows[1].config: unknown key 'config'; known: section",
        ),
        ('id: full', 'id: base', 18, "two rows have the id 'base'"),
        ('id: full', 'id: a b', 18, "rows[2].id: 'a b' is no plain"),
        ('label: Full', 'reference: true', 15, 'more than one reference row: base, full'),
    ],
)
def test_errors_name_file_line_and_value(folder, old, new, line, message):
    assert old in SPEC
    with pytest.raises(InputError) as error:
        load(folder, SPEC.replace(old, new, 1))
    text = str(error.value)
    assert text.startswith(f'{folder / "table.yaml"}:{line}: '), text
    assert message in text and '\n' not in text


MORE = (
    SPEC
    + """\
  - {id: other, label: Other, published: p.other, reason: no code, basic: 8+16}
  - {id: both, mean_of: [base, full], published: p.full}
"""
)


@pytest.fixture
def more(folder):
    """The folder, with a published entry of text and null."""
    (folder.parent / 'published.yaml').write_text(
        PUBLISHED.replace('p: {', "p: {other: {top1: '86x6', top5: null}, ")
    )
    return folder


def test_rows_without_a_config(more):
    spec = load(more, MORE)
    *configured, other, both = spec.rows
    assert spec.configured == tuple(configured)
    assert [row.is_published_only for row in spec.rows] == [False, False, True, False]
    assert (other.config, other.config_name, other.line) == (None, None, 19)
    assert (other.reason, other.mean_of, other.marks) == ('no code', (), {'basic': '8+16'})
    assert other.published.figures == {'top1': '86x6', 'top5': None}
    assert (both.config, both.mean_of, both.reason) == (None, ('base', 'full'), '')


@pytest.mark.parametrize(
    'old, new, line, message',
    [
        (', reason: no code', '', 19, 'only published figures; found none of them'),
        ('no code', 'no code, config: base.py', 19, 'found config and reason'),
        ('no code', 'no code, mean_of: [base, full]', 19, 'found mean_of and reason'),
        ('no code', '[x]', 19, 'rows[3].reason: input should be a valid string'),
        (', published: p.other', '', 19, "'published' is missing"),
        ('no code', 'no code, reference: true', 15, 'more than one reference row'),
        (
            '[base, full]',
            '[base]',
            20,
            "rows[4].mean_of: 'base' alone has no mean",
        ),
        ('[base, full]', '[base, base]', 20, "rows[4].mean_of[1]: 'base' is given twice"),
        ('[base, full]', 'base', 20, 'rows[4].mean_of: input should be a valid list'),
        ('[base, full]', '[base, gone]', 20, "'gone' is no row of this table with a config"),
        ('[base, full]', '[base, other]', 20, "'other' is no row of this table with a config"),
        ('[base, full]', '[base, both]', 20, "'both' is no row of this table with a config"),
        (
            '[base, full]',
            '[base, [full]]',
            20,
            "rows[4].mean_of[1]: input should be a valid string, found ['full']",
        ),
    ],
)
def test_errors_of_rows_without_a_config(more, old, new, line, message):
    assert MORE.count(old) == 1
    with pytest.raises(InputError) as error:
        load(more, MORE.replace(old, new))
    assert str(error.value).startswith(f'{more / "table.yaml"}:{line}: '), error.value
    assert message in str(error.value)


def test_published_figures_alone_are_no_reference(more):
    text = MORE.replace('reference: true, ', '').replace('no code', 'no code, reference: true')
    with pytest.raises(
        InputError, match=r'table.yaml:19: rows.3..reference: a row of published figures alone'
    ):
        load(more, text)


def test_a_mean_may_be_the_reference(more):
    text = MORE.replace('reference: true, ', '').replace('mean_of', 'reference: true, mean_of')
    assert load(more, text).reference.id == 'both'


def test_varies_needs_a_reference(folder):
    text = SPEC.replace('reference: true, ', '').replace('relative_to: reference, ', '')
    with pytest.raises(InputError, match=r'table.yaml:8: varies: needs a row with reference'):
        load(
            folder,
            text.replace(
                '{key: delta, head: Delta, from: top1, ',
                '{key: delta, head: Delta, from: val/loss, ',
            ),
        )


def test_published_without_a_file(folder):
    with pytest.raises(InputError, match='names no published: file'):
        load(folder, SPEC.replace('published: ../published.yaml\n', ''))


@pytest.mark.parametrize('text', ['', '[]', 'a', '3'])
def test_file_that_is_no_mapping(folder, text):
    with pytest.raises(InputError, match=r'table.yaml:1: expected a mapping'):
        load(folder, text)


@pytest.mark.parametrize('key', ['columns', 'rows'])
@pytest.mark.parametrize('value', [[], {}, 'x', [1], [None], [[]]])
def test_odd_columns_and_rows(folder, key, value):
    content = dict(yaml.safe_load(SPEC), **{key: value})
    with pytest.raises(InputError, match=r'table.yaml:\d+: '):
        load(folder, yaml.safe_dump(content))


def test_only_sections(folder):
    start = SPEC.index('rows:')
    text = SPEC[:start] + 'rows: [{section: A}]\n'
    with pytest.raises(InputError, match='there is no row, only sections'):
        load(folder, text)


DECLARED = (
    SPEC + 'protocol: {num_clips: 10, resolution: [224, 224], clip_len: any}\n'
    'code: [mmaction_ext/modules/dcf.py, mmaction_ext/ops/*]\n'
)


def test_protocol_and_code(folder):
    spec = load(folder, DECLARED)
    assert spec.protocol == dict(num_clips=10, resolution=[224, 224], clip_len='any')
    assert spec.code == ('mmaction_ext/modules/dcf.py', 'mmaction_ext/ops/*')


@pytest.mark.parametrize(
    'old, new, message',
    [
        (
            'num_clips: 10',
            'clips: 10',
            "19: protocol.clips: input should be 'split', 'clip_len', 'frame_interval'",
        ),
        (
            'num_clips: 10',
            'num_clips: true',
            '19: protocol.num_clips: must be a number, text, list',
        ),
        ('num_clips: 10', 'num_clips: []', '19: protocol.num_clips: must be'),
        ('num_clips: 10', 'num_clips: {a: 1}', '19: protocol.num_clips: must be'),
        (
            '{num_clips: 10, resolution: [224, 224], clip_len: any}',
            '10',
            '19: protocol: input should be a valid mapping, found 10',
        ),
        (
            'mmaction_ext/ops/*',
            'mmaction_ext/gone.py',
            "20: code[1]: 'mmaction_ext/gone.py' matches no source file",
        ),
        ('mmaction_ext/ops/*', '3', '20: code[1]: input should be a valid string, found 3'),
        (
            '[mmaction_ext/modules/dcf.py, mmaction_ext/ops/*]',
            'x',
            "20: code: input should be a valid list, found 'x'",
        ),
    ],
)
def test_errors_of_protocol_and_code(folder, old, new, message):
    text = DECLARED.replace(old, new)
    assert text != DECLARED
    with pytest.raises(InputError, match=re.escape(f'table.yaml:{message}')):
        load(folder, text)


OFF = SPEC.replace('relative_to: reference', 'relative_to: published.top1, tolerance: 0.5')


def test_difference_to_published_figures_needs_no_reference_row(folder):
    column = load(folder, OFF.replace('reference: true, ', '').replace('varies', '# ')).columns[4]
    assert (column.relative, column.relative_to) == (False, 'published.top1')
    assert column.tolerance == Fraction('0.5')


@pytest.mark.parametrize(
    'old, new, message',
    [
        (
            'published.top1, tol',
            'published.top9, tol',
            "14: columns[4].relative_to: no published entry of this table has 'top9'",
        ),
        ('published.top1, tol', 'paper, tol', "14: columns[4].relative_to: 'paper' is neither"),
        (
            'relative_to: published.top1, tol',
            'tol',
            '14: columns[4].tolerance: needs relative_to: published',
        ),
        (
            'relative_to: published.top1',
            'relative_to: reference',
            '14: columns[4].tolerance: needs relative_to',
        ),
        (
            '0.5',
            '-0.5',
            '14: columns[4].tolerance: input should be greater than or equal to 0, found -0.5',
        ),
        ('0.5', 'half', "14: columns[4].tolerance: 'half'"),
        ('0.5', '.nan', '14: columns[4].tolerance: nan'),
        ('0.5', 'true', '14: columns[4].tolerance: True'),
    ],
)
def test_errors_of_tolerance(folder, old, new, message):
    assert OFF.count(old) == 1
    with pytest.raises(InputError, match=re.escape(f'table.yaml:{message}')):
        load(folder, OFF.replace(old, new))


def test_edited_published_figures_are_read_again(folder):
    load(folder, SPEC)
    (folder.parent / 'published.yaml').write_text(PUBLISHED.replace('47.6', '47.625'))
    assert load(folder, SPEC).rows[1].published.figures == {'top1': 47.625}


def test_code_that_is_watched_by_default(folder):
    spec = load(folder, SPEC)
    assert spec.code is None and 'mmaction_ext/modules/**/*.py' in spec.watched
    for text in (DECLARED, SPEC + 'code: []\n'):
        assert load(folder, text).watched == ()
    assert load(folder, SPEC + 'code: []\n').code == ()
