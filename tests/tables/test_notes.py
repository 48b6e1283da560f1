from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.notes import _LEGEND, _letter


def test_footnote_letters():
    assert [_letter(i) for i in (0, 25, 26, 27, 51, 52, 701, 702)] == [
        'a',
        'z',
        'aa',
        'ab',
        'az',
        'ba',
        'zz',
        'aaa',
    ]


def test_every_status_that_is_not_fine_is_explained():
    fine = {CellStatus.OK, CellStatus.NOT_APPLICABLE, CellStatus.IMPORTED}  # that has a dagger
    assert set(_LEGEND) == set(CellStatus) - fine
    for status in set(_LEGEND) - {CellStatus.PARTIAL}:
        assert _LEGEND[status].startswith(f'{status.value}: ')
