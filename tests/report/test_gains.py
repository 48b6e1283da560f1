import pytest

from mmaction_ext.report.gains import class_gain_bars


def test_gains_of_classes_are_sorted(table):
    row = table.rows[1]
    before, after = {'x': 0.5, 'y': 0.5, 'z': 0.25}, {'x': 0.25, 'y': 1.0, 'z': 0.25}
    figure = class_gain_bars(table, row, before, after)
    assert figure.data[0]['x'] == [50.0, 0.0, -25.0]
    assert figure.layout['yaxis']['ticktext'] == ['y', 'z', 'x']
    colours = figure.data[0]['marker']['color']
    assert colours[0] == colours[1] != colours[2]
    assert figure.caption == 'Against “base”, means over seeds: 1 of 3 classes gain, 1 lose.'
    assert figure.title == 'Classes: full' and figure.id == 'figure:demo:classes:full'


def test_of_many_classes_the_extremes_are_shown(table):
    before = {f'class {i}': 0.0 for i in range(100)}
    after = {f'class {i}': (i - 50) / 100 for i in range(100)}
    figure = class_gain_bars(table, table.rows[1], before, after)
    gains = figure.data[0]['x']
    assert len(gains) == 24 and gains[0] == 49 and gains[15] == 34 and gains[-1] == -50
    assert figure.caption.endswith('Shown: 16 that gain most, 8 that lose most.')


def test_gains_need_the_same_classes(table):
    row = table.rows[1]
    assert class_gain_bars(table, row, {'x': 1.0}, {'y': 1.0}) is None
    assert class_gain_bars(table, row, {}, {}) is None


@pytest.mark.parametrize('count', [23, 24])
def test_as_many_classes_as_have_room_are_shown(table, count):
    before = {f'class {i:02d}': 0.0 for i in range(count)}
    figure = class_gain_bars(table, table.rows[1], before, dict.fromkeys(before, 0.5))
    assert len(figure.data[0]['x']) == count and 'Shown' not in figure.caption
    assert figure.layout['yaxis']['ticktext'] == sorted(before), 'equal gains by name'


def test_a_rounding_error_is_neither_gain_nor_loss(table):
    before = dict(x=0.3, y=0.1 + 0.2, z=0.5, w=0.5)
    after = dict(x=0.1 + 0.2, y=0.3, z=0.75, w=0.25)
    figure = class_gain_bars(table, table.rows[1], before, after)
    assert figure.caption == 'Against “base”, means over seeds: 1 of 4 classes gain, 1 lose.'
    assert figure.data[0]['x'] == [25.0, 0.0, 0.0, -25.0]
    gain, *equal, loss = figure.data[0]['marker']['color']
    assert equal == [gain, gain] and loss != gain


def test_pointing_at_a_class_shows_both_accuracies(table):
    figure = class_gain_bars(table, table.rows[1], {'a <b>': 0.25}, {'a <b>': 0.125})
    assert figure.data[0]['text'] == ['<b>a &lt;b&gt;</b><br>25.0 → 12.5 (-12.5)']
    assert figure.height == 110 + 26
