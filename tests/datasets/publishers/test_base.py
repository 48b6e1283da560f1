"""Reading of text, tables and JSON: what is wrong is named with file and line."""

import pytest

from mmaction_ext.datasets.publishers.base import (
    class_id,
    fields_of,
    find_file,
    find_videos,
    ids_of,
    named_class,
    read_json,
    read_lines,
    read_table,
)
from mmaction_ext.errors import InputError


def test_lines_lose_blank_ones_marks_and_windows_ends(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes(b'\xef\xbb\xbf  first one \r\n\r\n \t\nsecond\r\n')
    assert list(read_lines(path)) == [(f'{path}:1', 'first one'), (f'{path}:4', 'second')]


@pytest.mark.parametrize(
    'content, message',
    [
        (b'', 'list.txt is empty'),
        (b' \n\n', 'list.txt is empty'),
        (b'\xff\xfe\x00', 'list.txt cannot be read'),
    ],
)
def test_useless_files_are_named(tmp_path, content, message):
    (tmp_path / 'list.txt').write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(read_lines(tmp_path / 'list.txt'))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r'gone.txt cannot be read: No such file'):
        list(read_lines(tmp_path / 'gone.txt'))
    with pytest.raises(InputError, match=f'{tmp_path} holds none of a.txt, b/a.txt'):
        find_file(tmp_path, 'a.txt', 'b/a.txt')


def test_first_file_found_is_taken(tmp_path):
    (tmp_path / 'b').mkdir()
    (tmp_path / 'b/a.txt').touch()
    (tmp_path / 'c.txt').touch()
    assert find_file(tmp_path, 'a.txt', 'b/a.txt', 'c.txt') == tmp_path / 'b/a.txt'


def test_tables_are_read_by_column_name(tmp_path):
    path = tmp_path / 'table.csv'
    path.write_text('b,x, a\n1,"2,5",3\n\n,,\n4,5,6\n')
    assert list(read_table(path, ('a', 'b'))) == [
        (f'{path}:2', ('3', '1')),
        (f'{path}:5', ('6', '4')),
    ]


@pytest.mark.parametrize(
    'text, message',
    [
        ('a,c\n', 'table.csv:1: expected the columns a, b, b missing'),
        ('', 'table.csv:1: expected the columns a, b, a, b missing'),
        ('a,b\n1,2\n1\n', r'table.csv:3: expected 2 fields, got 1: .1.'),
        ('a,b\n1,2,3\n', r'table.csv:2: expected 2 fields, got 3: .1,2,3.'),
        ('a,b,a\n1,2,3\n', 'table.csv:1: there are 2 columns a'),
        ('a,b\n1,"2\n3,4"\n', 'table.csv:2: a quote does not close on this line'),
        ('a,b\n1,"2\n3,4\n', 'table.csv:2: unexpected end of data'),
        ('a,b\n1,"2" 3\n', 'table.csv:2: .* expected after'),
        ('a,b\n1,' + 200_000 * '2', 'table.csv:2: field larger'),
    ],
)
def test_tables_of_another_form_are_named_with_their_line(tmp_path, text, message):
    (tmp_path / 'table.csv').write_text(text)
    with pytest.raises(InputError, match=message):
        list(read_table(tmp_path / 'table.csv', ('a', 'b')))


@pytest.mark.parametrize(
    'text, message',
    [
        ('[1,\n 2', 'x.json:2: not valid JSON'),
        ('{}', 'expected a JSON list, got dict'),
        ('[]', 'x.json is empty'),
    ],
)
def test_json_of_another_form_is_named(tmp_path, text, message):
    (tmp_path / 'x.json').write_text(text)
    with pytest.raises(InputError, match=message):
        read_json(tmp_path / 'x.json', list)


@pytest.mark.parametrize('entry', [[], {'a': 1}, {'a': '1', 'b': '2'}, {'a': '1', 'b': True}])
def test_entries_lacking_a_field_are_named(entry):
    with pytest.raises(InputError, match=r'f: entry 3: expected .[ab]. to be (str|int)'):
        fields_of(entry, 'f: entry 3', a=str, b=int)


def test_entries_are_taken_apart():
    assert fields_of({'b': 2, 'a': '1', 'c': 0}, '', a=str, b=int) == ('1', 2)


def test_class_ids():
    assert class_id('3', '', 4) == 3 and class_id('1', '', 4, first=1) == 0
    for text, first in (('4', 0), ('-1', 0), ('x', 0), ('', 0), ('0', 1), ('²', 0)):
        with pytest.raises(InputError, match=f'f:7: expected a class id from {first} to '):
            class_id(text, 'f:7', 4, first)


def test_class_names():
    ids = ids_of(['b', 'a'], 'f')
    assert named_class('a', ids, '') == 1
    with pytest.raises(InputError, match="f:7: 'c' is none of the 2 classes"):
        named_class('c', ids, 'f:7')
    with pytest.raises(InputError, match="f: class 'b' is listed more than once"):
        ids_of(['b', 'a', 'b'], 'f')


def test_videos_are_found_two_levels_deep_through_links_and_in_order(tmp_path):
    for name in ('b.avi', 'a/c.MP4', 'a/b/d.mkv', 'a/b/c/deep.avi', '.e.avi', '.f/g.avi', 'h.txt'):
        (tmp_path / 'real' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'real' / name).touch()
    (tmp_path / 'link').symlink_to(tmp_path / 'real', target_is_directory=True)
    found = [('a/b', 'd.mkv'), ('a', 'c.MP4'), ('', 'b.avi')]
    assert find_videos(tmp_path / 'link', 'x.avi') == found
