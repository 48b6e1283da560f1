import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.tables.document import Document


def write(tmp_path, text):
    path = tmp_path / 'a.yaml'
    path.write_text(text, encoding='utf-8')
    return path


def test_values_and_lines(tmp_path):
    document = Document(write(tmp_path, 'a: 1\nb:\n  - x\n  - {c: 2.5,\n     d: null}\n'))
    assert document.value == {'a': 1, 'b': ['x', {'c': 2.5, 'd': None}]}
    assert [document.line(where) for where in [('a',), ('b', 0), ('b', 1, 'd')]] == [1, 3, 5]
    assert str(document.error(('b', 1, 'd'), 'wrong')).endswith('a.yaml:5: wrong')


def test_error_at_a_key_that_is_not_there_points_to_what_holds_it(tmp_path):
    document = Document(write(tmp_path, 'a:\n  b: 1\n'))
    assert str(document.error(('a', 'none'), 'x')).endswith('a.yaml:1: x')


@pytest.mark.parametrize(
    'text, message',
    [
        ('a: 1\nb: 2\na: 3\n', "a.yaml:3: 'a' is given twice"),
        ('a: [1\nb: 2\n', 'a.yaml:2: '),
        ('a: 1\n? [x]\n: 2\n', 'a.yaml:2: a key must be a plain word'),
        ('a: &x [*x]\n', 'nested too deeply'),
        ('a: !!python/name:os.system x\n', 'a.yaml:1: '),
        ('a: *gone\n', 'a.yaml:1: '),
        ('a: 1\nb: \0\n', 'a.yaml:1: unacceptable character'),
        ('a: 1\nb: 2020-13-45\n', 'a.yaml:2: month must be in 1..12: 2020-13-45'),
        (f'a: 1\n0x{"f" * 999}: 2\n', 'a.yaml:2: too large a number: 0xff'),
        (f'a: 1\nb: {"9" * 9999}\n', 'a.yaml:2: '),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        Document(write(tmp_path, text))
    assert message in str(error.value) and '\n' not in str(error.value)
    assert len(str(error.value)) < 500 + len(str(tmp_path))


def test_empty_and_missing_files(tmp_path):
    assert Document(write(tmp_path, '')).value is None
    with pytest.raises(InputError, match=r'none.yaml cannot be read: No such file'):
        Document(tmp_path / 'none.yaml')
    path = tmp_path / 'latin.yaml'
    path.write_bytes('a: é'.encode('latin1'))
    with pytest.raises(InputError, match='not UTF-8'):
        Document(path)
