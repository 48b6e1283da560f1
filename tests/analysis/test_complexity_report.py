"""The report of what networks cost: its rounding, its sentences, and that it is up to date."""

from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from mmaction_ext.analysis import count
from mmaction_ext.analysis.complexity_report import build_report, load_rows, prints_as
from mmaction_ext.errors import InputError

ROOT = Path(__file__).parents[2]
MODEL = dict(
    type='Recognizer2D',
    backbone=dict(type='MotionBackbone', module=dict(type='DCF'), stages=(2,), num_segments=8,
                  backbone=dict(type='timm.resnet10t', channels=(8, 8, 8, 8), stem_width=8)),
    cls_head=dict(type='TSNHead', in_channels=8, num_classes=12))
PLAIN = {'model.backbone.module': None, 'model.backbone.stages': []}


@pytest.fixture
def specification(tmp_path):
    """Write a specification around a thin network; returns the function that does."""
    Config(dict(model=MODEL)).dump(tmp_path / 'thin.py')

    def write(*rows):
        path = tmp_path / 'complexity.yaml'
        base = dict(model='thin', config='thin.py', input_shape=[3, 8, 64, 64],
                    source='Table 9')
        rows = [row if 'section' in row else {**base, **row} for row in rows]
        path.write_text(yaml.safe_dump(dict(caption='Cost', rows=rows)))
        return path
    return write


def cells(report, row):
    """The cells of the row whose first cell is ``row``."""
    (line,) = [line for line in report.splitlines() if line.startswith(f'| {row} ')]
    return [cell.strip() for cell in line.strip('|').split('|')]


@pytest.mark.parametrize('value, published, same', [
    ('11.045', '11.0', True), ('11.045', '11.1', False), ('8.1219', '8.11', False),
    ('8.1149', '8.11', True), ('1.96', '2.0', True), ('76.6', '77', True), ('76.4', '77', False),
])
def test_prints_as(value, published, same):
    assert prints_as(Fraction(value), published) is same


def test_row_holds_counts_published_figures_and_the_command(specification):
    found = count(MODEL, (3, 8, 64, 64))
    params, gmacs = f'{found.params / 1e6:.2f}', f'{found.macs / 1e9:.1f}'
    row = cells(build_report(specification(dict(params=params, gmacs=gmacs))), 'thin')
    assert row[1:4] == ['8×64×64', 'thin.py', f'{found.params / 1e6:.3f}']
    assert row[4:] == [params, f'{found.macs / 1e9:.3f}', gmacs, 'yes', 'Table 9']


def test_options_change_what_is_counted_and_stand_in_the_command(specification):
    report = build_report(specification(dict(options=PLAIN), dict(section='Part'),
                                        dict(model='other')))
    plain, other = cells(report, 'thin'), cells(report, 'other')
    assert float(plain[5]) < float(other[5])
    assert 'model.backbone.module=None' in plain[2].replace('\\', '')
    assert plain[-2] == other[-2] == '–' and '| *Part* ' in report


def test_difference_needs_a_note(specification):
    with pytest.raises(InputError, match='thin.*no note says why'):
        build_report(specification(dict(params='99.9')))
    report = build_report(specification(dict(params='99.9', note='Nobody knows.')))
    assert cells(report, 'thin')[-2] == 'no<sup>a</sup>'
    assert '<sup>a</sup> Nobody knows.' in report
    half = dict(params='99.9', gmacs=f'{count(MODEL, (3, 8, 64, 64)).macs / 1e9:.1f}', note='?')
    assert cells(build_report(specification(half)), 'thin')[-2].startswith('params no, GMACs yes')


@pytest.mark.parametrize('row, message', [
    (dict(params=8.10), 'quoted'),
    (dict(parms='8'), 'parms'),
    (dict(config='none.py', params='1'), 'none.py'),
    (dict(input_shape=[3, 7, 64, 64], params='1'), '7 frames'),
])
def test_what_is_wrong_names_the_file(specification, row, message):
    path = specification(row)
    with pytest.raises(InputError, match=message) as caught:
        build_report(path)
    assert str(path.parent) in str(caught.value)


def test_every_network_the_papers_print_is_there():
    _, rows = load_rows(ROOT / 'configs' / 'complexity.yaml')
    assert {row.source for row in rows} >= {
        'DCF Table 2', 'DCF Table 3', 'DCF Table 4', 'DCF Table 5', 'KPSEM Table 1'}


@pytest.mark.slow
def test_committed_report_is_what_the_networks_cost():
    committed = (ROOT / 'reports' / 'complexity.md').read_text(encoding='utf-8')
    assert committed == build_report(ROOT / 'configs' / 'complexity.yaml')
