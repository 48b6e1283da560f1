"""The published columns of the tables, against lines of the papers.

The lines are copied from the papers, without references to other works and without units; a dash
is what the paper prints where it has no figure. Where a table of the papers is several here, its
rows stand in each that has a figure for them.
"""

from pathlib import Path

import pytest

from mmaction_ext.tables import build_table, load_spec
from mmaction_ext.tables.seed_runs import RowConfig

#: Id of a table to its specification.
TABLES = {
    path.read_text('utf-8').partition('id: ')[2].partition('\n')[0]: path
    for path in Path(__file__).parents[1].glob('configs/**/table.yaml')
}

#: Table 1 of DCF: row, top-1, difference; Table 2: row, FLOPs, top-1; Table 3: row, parameters,
#: FLOPs, top-1, difference; Tables 4 and 5: row, GFLOPs, top-1, top-5
DCF = {
    'dcf_table1': (
        'published published_delta',
        """\
baseline 44.6 -
basic 46.1 +1.5
long_term 46.6 +2.0
pyramid 47.3 +2.7
full 47.6 +3.0""",
    ),
    'dcf_table2': (
        'published_gflops published',
        """\
baseline 2.0 44.6
stages_13 2.4 46.5
stages_24 2.1 46.8
stages_123 2.5 47.2
stages_234 2.2 47.6""",
    ),
    'dcf_table3': (
        'published_params published_gflops published published_delta',
        """\
x3d_s 3.3 2.0 44.6 -
dcf_x3d_s 3.4 2.2 47.6 +3.0
x3d_m 3.3 4.7 47.3 -
dcf_x3d_m 3.4 5.2 49.5 +2.2
r50_8f 23.9 32.7 46.8 -
dcf_r50_8f 24.6 35.9 50.5 +3.7""",
    ),
    'dcf_table4_sthv1': (
        'published_gflops published published_top5',
        """\
tsn 16 19.5 -
trn 33 34.4 -
r50_8f 33 46.8 74.7
tsm 98 49.7 78.5
tanet 99 50.6 79.3
smallbignet 157 50.4 80.5
tdn_r50 72 53.9 82.1
corrnet 224x30 51.7 -
tdn_r101 132 55.3 83.3
x3d_s 2.0 44.6 74.4
x3d_m 4.7 47.3 76.6
dcf_x3d_s 2.2 47.6 76.3
dcf_x3d_m 5.1 49.5 78.5
dcf_r50_8f 35.9 50.5 79.4
dcf_r50_16f 71.9 54.1 82.0
dcf_r101_16f 131.3 55.8 84.3""",
    ),
    'dcf_table4_sthv2': (
        'published_gflops published published_top5',
        """\
tsm 86×6 63.4 88.8
smallbignet 157 63.3 88.8
tanet 86×6 64.6 89.5
tada2d 86×6 65.6 89.2
tdn_r101 132 66.9 90.9
timesformer_hr 1703×3 62.2 -
mvit_b 70.5×3 64.7 89.2
x3d_m 4.7 59.3 86.1
dcf_x3d_m 5.1 63.4 88.7
dcf_r50_16f 71.9 65.5 90.1
dcf_r101_16f 131.3 67.5 91.1""",
    ),
    'dcf_table5': (
        'published_gflops published published_top5',
        """\
tsn 3.2×250 72.5 90.2
tsm 86×30 74.7 91.4
corrnet 115×10 77.2 -
tdn_r50 94×30 77.5 93.2
tada2d 86×30 77.4 93.1
x3d_m 6.2×30 76.0 92.3
slowfast 65.7×30 77.0 92.6
mvit_b 70.5×5 78.4 93.5
dcf_x3d_m 6.8×30 77.2 92.7
dcf_r50_16f 93.9×30 77.4 93.1""",
    ),
}

#: Table 1 of KPSEM: row, Mini-Kinetics, UCF101, STH-STH v1, HMDB51, parameters, FLOPs
KPSEM = """\
mars 73.5 98.1 53.0 80.9 - -
resframe_ts 73.9 90.6 - 55.4 - -
i3d_ts 78.7 97.9 - 80.2 25.0 >107.9
c3d 66.2 85.2 - - 33.3 -
i3d 74.1 95.4 45.8 74.5 12.06 107.9
two_plus_c1d 75.74 96.9 - 75.2 7.3 31.9
s3d 78.0 96.8 48.2 75.9 8.77 43.47
mfnet 78.35 96.0 43.0 74.6 8.0 11.1
eco - 94.8 41.4 72.4 47.5 64
eco_lite - - 46.4 - 150 267
tsm - 95.9 49.7 73.5 48.6 98
tsn - 94.2 19.5 69.4 10.7 16
tbn 69.5 93.6 - 69.4 11.4 -
res50_nl 77.53 82.88 - - 27.66 19.67
res50_cgd 77.56 84.06 - - 25.58 17.88
res50_cgnl 77.76 83.38 - - 27.2 19.16
i3d_nl - - 44.4 - 27.2 19.16
i3d_nl_gcn - - 46.1 - 27.2 19.16
mf_kpsem 82.05 97.4 48.1 77.7 8.11 11.21"""
KPSEM_DATA_SETS = ('mini_kinetics', 'ucf101', 'sthv1', 'hmdb51')
#: Tables 2a to 2d, and the points of Figure 5 that tables and text give
KPSEM_ABLATIONS = {
    'kpsem_table2a': 'mfnet 70.8\nmf_kpsem 74.0\nsingle_key_point 72.1',
    'kpsem_table2b': 'mfnet 70.8\nmf_kpsem 74.0\nfixed_regions 72.5',
    'kpsem_table2c': 'mfnet 70.8\nmf_kpsem 74.0\none_set 72.4',
    'kpsem_table2d': 'r3d 62.0\nr3d_kpsem 65.8',
    'kpsem_figure5a': 'conv2 72.5\nconv4 74.0',
    'kpsem_figure5b': 'regions1 72.1\nregions4 74.0',
    'kpsem_figure5c': 'sets1 72.4\nsets8 74.0',
    'kpsem_figure5d': 'width24 74.0',
}

#: What could be read of SELFY and TCM, second-hand, and the figures quoted beside SELFY's
SECOND_HAND = {
    'selfy_table1_sthv1': (
        'published_gflops published published5',
        """\
tea 70 51.9 80.3
msnet 101 52.1 82.3
ctnet 75 52.5 80.9
tdn 72 53.9 82.1
rsanet 72 54.0 81.1
selfy_tsm_r18_8f - 48.4 -
selfy_tsm_r50_8f - 52.5 -
selfy_tsm_r50_16f 77 54.3 82.9
ensemble_2clips - 56.6 84.4""",
    ),
    'selfy_table1_sthv2': (
        'published_gflops published published5',
        """\
msnet 101 64.7 89.4
ctnet 75 64.5 89.3
tdn 72 65.3 89.5
rsanet 72 66.0 89.9
selfy_tsm_r50_8f - 64.5 -
selfy_tsm_r50_16f 77 65.7 89.8""",
    ),
    'selfy_table2_diving48': (
        'published',
        """\
slowfast 77.6
timesformer 75.0
timesformer_hr 78.0
timesformer_l 81.0
tqn 81.8
rsanet 84.2""",
    ),
    'selfy_table2_gym288': (
        'published',
        """\
trn 33.1
i3d 27.9
tsm 34.8
tsm_two_stream 46.5
rsanet 50.9""",
    ),
    'selfy_table2_gym99': (
        'published',
        """\
trn 68.7
i3d 63.2
tsm 70.6
tsm_two_stream 81.2
rsanet 86.4""",
    ),
    'tcm_table_sthv1': ('published', 'tcm_r50_8f 52.2'),
    'tcm_table_k400': ('published', 'best 78.5'),
    'tcm_table_hmdb51': ('published', 'best 77.5'),
}


def lines_of(text):
    """Row to its figures, as the tables here show them: without a figure a dash."""
    rows = (line.split() for line in text.splitlines())
    return {
        name: ['–' if figure == '-' else figure for figure in figures] for name, *figures in rows
    }


def shown(table, columns):
    """Row to what the named columns of a table show, where any of them shows a figure."""
    spec = load_spec(TABLES[table])
    configs = {row.id: RowConfig(row.config_name, '') for row in spec.configured}
    built = build_table(spec, (), configs)
    found = {row.id: [built.cell(row.id, column).text for column in columns] for row in built.body}
    return {row: texts for row, texts in found.items() if set(texts) != {'–'}}


@pytest.mark.parametrize('table', [*DCF, *SECOND_HAND])
def test_tables_show_what_is_printed(table):
    columns, text = {**DCF, **SECOND_HAND}[table]
    assert shown(table, columns.split()) == lines_of(text)


@pytest.mark.parametrize('table', KPSEM_ABLATIONS)
def test_ablations_show_what_is_printed(table):
    assert shown(table, ['published']) == lines_of(KPSEM_ABLATIONS[table])


@pytest.mark.parametrize('data_set', KPSEM_DATA_SETS)
def test_kpsem_table_1(data_set):
    column = KPSEM_DATA_SETS.index(data_set)
    printed = {
        row: [figures[column], *figures[-2:]]
        for row, figures in lines_of(KPSEM).items()
        if figures[column] != '–'
    }
    found = shown(
        f'kpsem_table1_{data_set}', ['published', 'published_params', 'published_gflops']
    )
    assert found == printed
