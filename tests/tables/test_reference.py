"""The reference of table.yaml: what lies in the repository is what the models say."""

from itertools import chain

from mmaction_ext.tables.spec.model import Column, Drawing, Row, Runs, Section, Select, TableSpec
from mmaction_ext.tables.spec.reference import FILE, text


def test_the_reference_is_that_of_the_models():
    """Renewed by ``python -m mmaction_ext.tables.spec.reference``."""
    assert FILE.read_text(encoding='utf-8') == text()


def test_it_has_every_key_and_says_what_each_is_for():
    cells = [line.strip('| ').split(' | ') for line in text().splitlines() if line[:3] == '| `']
    entries = (TableSpec, Row, Section, Column, Select, Runs, Drawing)
    keys = chain.from_iterable(entry.keys() for entry in entries)
    assert sorted(cell[0].strip('`') for cell in cells) == sorted(keys)
    assert all(len(cell) == 4 and all(cell) for cell in cells)
    assert ['`seeds`', 'list of whole number', '`[0]`'] in [cell[:3] for cell in cells]
