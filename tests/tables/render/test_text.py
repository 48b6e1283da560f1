import pytest

from mmaction_ext.printable import clean
from mmaction_ext.tables.render.text import one_line, visible


@pytest.mark.parametrize(
    'text, line',
    [
        ('a\nb\r\n\tc', 'a b c'),
        ('  a  ', 'a'),
        ('a\x00b\x1b[31m', 'a\ufffdb\ufffd[31m'),
        ('Δ ± é', 'Δ ± é'),
        ('', ''),
        ('a\u202eb\u2066c\u200f', 'a\ufffdb\ufffdc\ufffd'),
        ('a\ud800\x9b', 'a\ufffd\ufffd'),
        ('a\u2028b\u200d', 'a b\u200d'),
    ],
)
def test_one_line(text, line):
    assert one_line(text) == line


def test_visible_keeps_white_space():
    assert visible('a\n\tb  c\x07\u202e') == 'a\n\tb  c\ufffd\ufffd'


def test_clean():
    assert clean('a\x1b[31m red\x07\nname\u202e\x9b2J') == 'a red name'
