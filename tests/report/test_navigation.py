import pytest

from mmaction_ext.report.navigation import entries, natural, table_name

NONE = [None, None]


def test_what_has_results_comes_first(make):
    def table(name, folder, top1):
        return make.table(make.row('a', top1), name=name, folder=folder)

    found = entries(
        [
            table('t1', 'dcf/table1_components', NONE),
            table('t2', 'kpsem/table10_x', NONE),
            table('t3', 'kpsem/table2_stages', NONE),
            table('t4', 'synthmotion/kpsem/table2', NONE),
            table('t5', 'synthmotion/kpsem/table3', [1.0, 2.0]),
        ]
    )
    assert [(each.group, each.name) for each in found] == [
        ('SynthMotion · KPSEM', 'Table 3'),
        ('SynthMotion · KPSEM', 'Table 2'),
        ('DCF', 'Table 1 components'),
        ('KPSEM', 'Table 2 stages'),
        ('KPSEM', 'Table 10 x'),
    ]


def test_order_does_not_depend_on_that_of_the_tables(make):
    tables = [
        make.table(make.row('a', NONE), name=f't{i}', folder=f'dcf/table{i % 3}') for i in range(6)
    ]
    assert [each.table.id for each in entries(tables)] == [
        each.table.id for each in entries(tables[::-1])
    ]


def test_cells_are_counted_by_what_they_mean(table):
    [entry] = entries([table])
    assert dict(entry.counts) == {'measured': 2, 'in part': 1, 'missing': 1}
    assert (entry.with_numbers, entry.total, entry.has_runs) == (3, 4, True)


def test_a_table_without_runs(make):
    [entry] = entries([make.table(make.row('a', NONE))])
    assert (entry.with_numbers, entry.total, entry.has_runs) == (0, 2 - 1, False)


@pytest.mark.parametrize(
    'path, group, name',
    [
        ('configs/cross/table.yaml', 'All modules', 'Overview'),
        ('configs/synthmotion/cross/table.yaml', 'SynthMotion', 'All modules'),
        ('/any/where/configs/dcf/table5_k400/table.yaml', 'DCF', 'Table 5 Kinetics-400'),
        ('mine/table.yaml', 'Tables', 'Mine'),
        ('table.yaml', 'Tables', 'Demo'),
        ('', 'Tables', 'Demo'),
    ],
)
def test_places(make, path, group, name):
    table = make.table(make.row('a', NONE))
    table.spec_path = path
    [entry] = entries([table])
    assert (entry.group, entry.name) == (group, name)


@pytest.mark.parametrize(
    'folder, name',
    [
        ('table1_components', 'Table 1 components'),
        ('figure5a_position', 'Figure 5a position'),
        ('table_hmdb51', 'Table HMDB51'),
        ('ablation_offsets', 'Ablation offsets'),
        ('table2', 'Table 2'),
    ],
)
def test_table_names(folder, name):
    assert table_name(folder) == name


def test_numbers_sort_as_numbers():
    assert sorted(['Table 10', 'Table 2', 'table 1'], key=natural) == [
        'table 1',
        'Table 2',
        'Table 10',
    ]
