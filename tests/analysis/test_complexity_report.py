"""The report of what networks cost: its rounding, its sentences, and that it is up to date."""

import json
import re
import shlex
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from tool_runs import main_of

from mmaction_ext.analysis.complexity_report import build_report, load_rows, prints_as
from mmaction_ext.errors import InputError
from mmaction_ext.models.complexity import Complexity, count
from mmaction_ext.tables.published import Published

ROOT = Path(__file__).parents[2]
MODEL = dict(
    type='Recognizer2D',
    backbone=dict(
        type='MotionBackbone',
        module=dict(type='DCF'),
        stages=(2,),
        num_segments=8,
        backbone=dict(type='timm.resnet10t', channels=(8, 8, 8, 8), stem_width=8),
    ),
    cls_head=dict(type='TSNHead', in_channels=8, num_classes=12),
)
PLAIN = {'model.backbone.module': None, 'model.backbone.stages': []}


@pytest.fixture
def specification(tmp_path):
    """Write a specification around a thin network; returns the function that does."""
    Config(dict(model=MODEL)).dump(tmp_path / 'thin.py')

    def write(*rows):
        path = tmp_path / 'complexity.yaml'
        base = dict(model='thin', config='thin.py', input_shape=[3, 8, 64, 64], source='Table 9')
        rows = [row if 'section' in row else {**base, **row} for row in rows]
        path.write_text(yaml.safe_dump(dict(caption='Cost', rows=rows)))
        return path

    return write


def cells(report, row):
    """The cells of the row whose first cell is ``row``."""
    (line,) = [line for line in report.splitlines() if line.startswith(f'| {row} ')]
    return [cell.strip() for cell in line.strip('|').split('|')]


@pytest.mark.parametrize(
    'value, published, same',
    [
        ('11.045', '11.0', True),
        ('11.045', '11.1', False),
        ('8.1219', '8.11', False),
        ('8.1149', '8.11', True),
        ('1.96', '2.0', True),
        ('76.6', '77', True),
        ('76.4', '77', False),
    ],
)
def test_prints_as(value, published, same):
    assert prints_as(Fraction(value), published) is same


def test_row_holds_counts_published_figures_and_the_command(specification):
    found = count(MODEL, (3, 8, 64, 64))
    params, gmacs = f'{found.params / 1e6:.2f}', f'{found.macs / 1e9:.1f}'
    row = cells(build_report(specification(dict(params=params, gmacs=gmacs))), 'thin')
    assert row[1:4] == ['8×64×64', f'{found.params / 1e6:.3f}', params]
    assert row[4:8] == [f'{found.macs / 1e9:.3f}', gmacs, 'yes', 'Table 9']


def test_options_change_what_is_counted_and_stand_in_the_command(specification):
    report = build_report(
        specification(dict(options=PLAIN), dict(section='Part'), dict(model='other'))
    )
    plain, other = cells(report, 'thin'), cells(report, 'other')
    assert float(plain[4]) < float(other[4])
    assert plain[6] == other[6] == '–' and '| *Part* ' in report


def test_printed_arguments_measure_the_row(specification, tmp_path, monkeypatch, capsys):
    options = {'model.backbone.module.window': 3, 'model.backbone.stages': [1, 3]}
    row = cells(build_report(specification(dict(options=options))), 'thin')
    arguments = shlex.split(row[8].replace('\\_', '_').replace('\\[', '[').replace('\\]', ']'))
    assert arguments == [
        f'{tmp_path.name}/thin.py',
        '--shape',
        '8',
        '64',
        '64',
        '--cfg-options',
        'model.backbone.module.window=3',
        'model.backbone.stages=[1,3]',
    ]
    monkeypatch.chdir(tmp_path.parent)
    assert main_of('complexity')([*arguments, '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert [f'{found["params"] / 1e6:.3f}', f'{found["macs"] / 1e9:.3f}'] == [row[2], row[4]]


def test_difference_needs_a_note(specification):
    with pytest.raises(InputError, match=r'thin.*do not print as params 99.9, and no note says'):
        build_report(specification(dict(params='99.9')))
    report = build_report(specification(dict(params='99.9', note='Nobody knows.')))
    assert cells(report, 'thin')[6] == 'no<sup>a</sup>'
    assert '<sup>a</sup> Nobody knows.' in report
    half = dict(params='99.9', gmacs=f'{count(MODEL, (3, 8, 64, 64)).macs / 1e9:.1f}', note='?')
    assert cells(build_report(specification(half)), 'thin')[6].startswith('params no, GMACs yes')


def test_note_without_a_difference_is_refused(specification):
    agreed = f'{count(MODEL, (3, 8, 64, 64)).params / 1e6:.2f}'
    with pytest.raises(InputError, match=r'print as params .*, but a note says why not: Old.'):
        build_report(specification(dict(params=agreed, note='Old.')))


def test_every_note_gets_a_letter(specification, monkeypatch):
    monkeypatch.setattr(
        'mmaction_ext.analysis.complexity_report.measure', lambda row: Complexity(10**6, 10**9)
    )
    rows = [dict(model=f'row {i}', params='99.9', note=f'Note {i}.') for i in range(28)]
    report = build_report(specification(*rows))
    assert '<sup>z</sup> Note 25.' in report and '<sup>ab</sup> Note 27.' in report
    assert cells(report, 'row 27')[6] == 'no<sup>ab</sup>'


def test_columns_have_different_heads(specification):
    heads = cells(build_report(specification(dict())), 'Model')
    assert len(set(heads)) == len(heads)


@pytest.mark.parametrize(
    'row, message',
    [
        (dict(params=8.10), 'quoted'),
        (dict(parms='8'), 'parms'),
        (dict(config='none.py', params='1'), 'none.py'),
        (dict(input_shape=[3, 7, 64, 64], params='1'), '7 frames'),
    ],
)
def test_what_is_wrong_names_the_file(specification, row, message):
    path = specification(row)
    with pytest.raises(InputError, match=message) as caught:
        build_report(path)
    assert str(path.parent) in str(caught.value)


#: entries of published.yaml that are networks of this project, and their names in the report
NETWORKS = {
    'dcf': dict(
        baseline='X3D-S',
        stages_13='X3D-S, DCF after stages 1, 3',
        stages_24='X3D-S, DCF after stages 2, 4',
        stages_123='X3D-S, DCF after stages 1, 2, 3',
        stages_234='X3D-S, DCF after stages 2, 3, 4',
        x3d_s='X3D-S',
        dcf_x3d_s='X3D-S + DCF',
        x3d_m='X3D-M',
        dcf_x3d_m='X3D-M + DCF',
        r50_8f='R(2+1)D-50',
        dcf_r50_8f='R(2+1)D-50 + DCF',
        dcf_r50_16f='R(2+1)D-50 + DCF',
        dcf_r101_16f='R(2+1)D-101 + DCF',
        corrnet='CorrNet',
        tdn_r50='TDN-R50',
        tdn_r101='TDN-R101',
        tada2d='TAda2D-R50',
    ),
    'kpsem': dict(
        mfnet='MFNet',
        mf_kpsem='MFNet + KPSEM',
        res50_cgd='ResNet-50 + CGD',
        res50_cgnl='ResNet-50 + CGNL',
        eco='ECO',
        tsn='TSN on BN-Inception',
    ),
    'selfy': dict(
        selfy_tsm_r50_8f='TSM-R50 + SELFY',
        selfy_tsm_r50_16f='TSM-R50 + SELFY',
        tea='TEA',
        tdn='TDN-R50',
        ctnet='CT-Net-R50',
    ),
    'tcm': dict(tcm_r50_8f='TSM-R50 + TCM'),
}


def printed_figures():
    """What the papers print: (network, 'params' or 'gmacs', text), once each."""
    for paper, networks in NETWORKS.items():
        published = Published(ROOT / 'configs' / paper / 'published.yaml')
        for name in published.names():
            figures = published.entry(name).figures
            for ours, theirs in (('params', 'params'), ('gmacs', 'gflops')):
                if name.rpartition('.')[2] in networks and figures.get(theirs) is not None:
                    yield (
                        networks[name.rpartition('.')[2]],
                        ours,
                        re.split('[x×]', str(figures[theirs]))[0],
                    )


def test_every_figure_the_papers_print_is_there_and_no_other():
    _, rows = load_rows(ROOT / 'configs' / 'complexity.yaml')
    reported = {
        (row.model, key, text)
        for row in rows
        for key, text in (('params', row.params), ('gmacs', row.gmacs))
        if text and '(not printed)' not in row.source
    }
    printed = set(printed_figures())
    rounded = {('R(2+1)D-50', 'gmacs', '33')}  # in Table 4, where Table 3 has 32.7
    assert rounded < printed and len(printed) > 25
    assert reported == printed - rounded


@pytest.mark.slow
def test_committed_report_is_what_the_networks_cost():
    committed = (ROOT / 'reports' / 'complexity.md').read_text(encoding='utf-8')
    assert committed == build_report(ROOT / 'configs' / 'complexity.yaml')
