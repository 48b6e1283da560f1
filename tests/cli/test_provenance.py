"""Facts behind a number, as plain data."""

import json

import pytest

from mmaction_ext.cli.provenance import Explainer, RunFacts
from mmaction_ext.errors import InputError
from mmaction_ext.tables import build_table, load_spec
from mmaction_ext.tracking.ledger.facts import source_digests
from mmaction_ext.tracking.reading.find import find_runs


@pytest.fixture
def explained(project):
    """Function that explains a cell of a project in which both rows were trained."""
    for row, values in (('base', (0.7, 0.72)), ('full', (0.75, 0.79))):
        for seed, top1 in enumerate(values):
            project.train(row, seed, top1)
    records = find_runs(project.runs, cache=False)
    spec = load_spec(project.table)
    return lambda row, column, **options: Explainer(
        spec, build_table(spec, records), records, **options
    ).cell(row, column)


def test_a_cell_is_plain_data_and_names_its_seeds_and_runs(explained):
    facts = explained('full', 'top1')
    assert json.loads(json.dumps(facts)) == facts
    assert (facts['table'], facts['row'], facts['column'], facts['status']) == (
        'demo',
        'full',
        'top1',
        'ok',
    )
    assert facts['value'] == pytest.approx(77) and [each['seed'] for each in facts['seeds']] == [
        0,
        1,
    ]
    assert [each['logged'] for each in facts['seeds']] == [0.75, 0.79]
    [run] = facts['seeds'][1]['runs']
    assert (run['config'], run['seed'], run['folder'], run['state']) == (
        'demo/full',
        1,
        'demo/full/seed1',
        'finished',
    )
    assert facts['seeds'][0]['measured']['checkpoint']['file'] == 'verified'


def test_one_seed_alone(explained):
    assert [each['seed'] for each in explained('full', 'top1', seed=1)['seeds']] == [1]


def test_a_difference_is_made_of_two_cells(explained):
    facts = explained('full', 'delta')
    assert [(part['row'], part['column']) for part in facts['parts']] == [
        ('full', 'top1'),
        ('base', 'top1'),
    ]
    assert 'paired by seed' in facts['formula']
    assert [each['value'] for each in facts['seeds']] == pytest.approx([5, 7])
    assert explained('base', 'delta')['why'] == 'the reference row has no difference to itself'


@pytest.mark.parametrize('row, column', [('none', 'top1'), ('full', 'none')])
def test_what_is_no_cell(explained, row, column):
    with pytest.raises(InputError, match='none'):
        explained(row, column)


def test_network_of_a_run_beside_the_tree(project):
    """By what the model is made of; by folders where the config does not tell."""
    block, other = 'mmaction_ext/modules/kpsem.py', 'mmaction_ext/modules/tcm.py'
    names = ('mmaction_ext/cli/plan.py', 'mmaction_ext/errors.py', block, other, 'own.py')
    changed = dict.fromkeys(names, 'f' * 64)
    project.write('own.py', '')

    def network(model, sources=changed):
        project.write('configs/demo/full.py', model)
        tree = source_digests(['own.py'])
        project.train('full', 0, sources=tree | sources)
        records = find_runs(project.runs, cache=False)
        spec = load_spec(project.table)
        explainer = Explainer(spec, build_table(spec, records), records)
        [run] = explainer.cell('full', 'top1')['seeds'][0]['runs']
        return explainer.network('full', run)

    full = "_base_ = ['common.py']\nmodel = dict(width=16, block=dict(type='KPSEM'))\n"
    facts = network(full)
    assert facts['changed'] == [
        dict(path=block, tree='differs'),
        dict(path='own.py', tree='differs'),
    ]
    assert network(full, changed | {'mmaction_ext/errors.py': 'e' * 64}) == facts
    again = network(full, changed | {'own.py': 'e' * 64})
    assert again['changed'] == facts['changed'] and again['digest'] != facts['digest']
    [item] = network("_base_ = ['common.py']\n")['changed']
    assert item['path'] == 'own.py'
    ensemble = "ensemble = dict(members=['base.py', 'common.py'])\n" + full
    named = [item['path'] for item in network(ensemble)['changed']]
    assert named == [block, other, 'own.py']


def test_file_of_a_measurement_is_hashed_again(project):
    folder = project.train('full', 0)
    facts = RunFacts(find_runs(project.runs, cache=False))
    [uid] = {record.uid for record in facts.records}
    digest = json.loads((folder / 'results/1-8.json').read_text())['checkpoint']['sha256']

    def state(**named):
        return facts.verified(dict(checkpoint=dict(sha256=digest, **named), epoch=2), [uid])[
            'checkpoint'
        ]

    assert state(path='epoch_2.pth')['file'] == 'verified'
    assert state() == dict(sha256=digest, path='epoch_2.pth', file='verified'), 'by its age'
    (folder / 'epoch_2.pth').write_bytes(b'other')
    assert state()['file'] != 'verified'
    assert facts.of('unknown', None) == [dict(uid='unknown')]
