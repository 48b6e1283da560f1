import pytest

from mmaction_ext.tables.render.text import one_line


@pytest.mark.parametrize('text, line', [
    ('a\nb\r\n\tc', 'a b c'), ('  a  ', 'a'), ('a\x00b\x1b[31m', 'a\ufffdb\ufffd[31m'),
    ('Δ ± é', 'Δ ± é'), ('', ''),
])
def test_one_line(text, line):
    assert one_line(text) == line
