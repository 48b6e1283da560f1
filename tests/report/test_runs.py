import math
import re
from dataclasses import replace

import pytest

from mmaction_ext.report.runs import absent_runs, runs_by_uid, runs_section, uses
from mmaction_ext.tables.run_summary import summaries
from mmaction_ext.tracking.reading.record import Evaluation


def facts_of(page):
    """The terms of a page's sections and what stands beside them, without markup."""
    pairs = re.findall('<dt>(.*?)</dt><dd>(.*?)</dd>', page)
    return {term: re.sub('<[^>]*>', '', text) for term, text in pairs}


def grid(page, title):
    """The cells of each line of one of a section's small tables, without markup."""
    table = page.partition(f'aria-label="{title}"')[2].partition('</table>')[0]
    return [
        [re.sub('<[^>]*>', '', cell) for cell in re.findall('<td>(.*?)</td>', line)]
        for line in re.findall('<tr>(.*)</tr>', table)[1:]
    ]


def section(run):
    return runs_section(summaries([run], ()), {}, {})


def test_runs_of_one_id_stand_together(make):
    runs = [make.run('a', 0), make.run('b', 0), make.run('a', 0, job_type='test')]
    assert runs_by_uid(runs) == {'a-0': [runs[0], runs[2]], 'b-0': [runs[1]]}


def test_rows_use_the_runs_of_their_measured_columns(table):
    """The reference's runs stand behind differences, too, which are no measurements."""
    used = uses([table])
    assert list(used) == [
        'base-0',
        'base-1',
        'base-2',
        'full-0',
        'full-1',
        'full-2',
        'part-0',
        'part-2',
    ]
    assert used['base-0'] == [(table, table.rows[0])]


def test_runs_that_only_a_table_knows(table, runs):
    absent = absent_runs([table], runs_by_uid(runs[1:-1]))
    assert list(absent) == ['base-0', 'part-2']
    page = runs_section([], absent, uses([table]))
    assert re.findall('id="([^"]*)"', page) == ['run:base-0', 'run:part-2']
    facts = facts_of(page.partition('</details>')[2])
    assert facts == {
        'Config': 'dcf/table1_demo/part',
        'Config hash': '0123456789abcdef',
        'Measured': 'test/acc/top1 0.54',
        'Status': 'ok',
        'Commit': 'abababababab…',
        'Epoch': '2',
        'Iter': '8',
        'Job type': 'train',
        'Shown in': 'A demo: part',
    }


def test_figures_of_the_model_are_no_absent_runs(table):
    item = replace(table.measurements[0], seed=None)
    table.measurements = (item,)
    assert item.result.runs and absent_runs([table], {}) == {}


def test_runs_stand_under_their_configs_and_copies_have_one_address(make):
    runs = [
        make.run('a', 0, folder='x'),
        make.run('a', 0, folder='y'),
        make.run('b', 1),
        make.run('c', None, config='dcf/x'),
    ]
    page = runs_section(summaries(runs, ()), {}, {})
    assert re.findall('<h3>(.*?)</h3>', page) == [
        'dcf/<wbr>table1_demo/<wbr>a',
        'dcf/<wbr>table1_demo/<wbr>b',
        'dcf/<wbr>x',
    ]
    assert page.count('<details class="run"') == 4
    assert re.findall('<details class="run" id="([^"]*)"', page) == [
        'run:a-0:train',
        'run:b-1:train',
        'run:c-None:train',
    ]
    assert '<span class="name">seed ?</span>' in page


def test_summary_shows_the_last_test_that_has_a_top1(make):
    run = make.run('a', 0, state='killed')
    first = run.evaluations[0]
    run.evaluations = (
        first,
        replace(first, values={'test/acc/top1': 0.625}),
        replace(first, values={'test/acc/mean1': 0.5}),
        replace(first, values={'test/acc/top1': 'none'}),
    )
    assert 'test top-1 62.5</span>' in section(run)
    assert '<span class="state bad">killed</span>' in section(run)
    run.evaluations, run.state = (), 'finished'
    assert 'top-1' not in section(run) and '<span class="state good">finished</span>' in section(
        run
    )


def test_attempts_by_hand(make):
    run = make.run('a', 0)
    run.attempts = (
        make.attempt(
            None,
            start_time=0.0,
            end_time=3600.5,
            signal='SIGTERM',
            truncated=True,
            last_iter=0,
            path='https://wandb.example/a',
            number=4,
        ),
        make.attempt(1, start_time=math.inf, last_error='OSError: full', corrupt=True),
    )
    assert grid(section(run), 'Attempts') == [
        [
            '4',
            'host',
            '1970-01-01 00:00:00 UTC',
            '1970-01-01 01:00:00 UTC',
            'none SIGTERM truncated',
            '',
            'abababababab…',
            'wandb-offline https://wandb.example/a',
        ],
        [
            '2',
            'host',
            '',
            '',
            '1 OSError: full corrupt',
            '8',
            'abababababab…',
            'wandb-offline a/run-1.wandb',
        ],
    ]


@pytest.mark.parametrize('time', [math.nan, math.inf, 1e300, 1e12, -1e12])
def test_times_beyond_the_calendar_are_left_out(make, time):
    run = make.run('a', 0, attempt=make.attempt(start_time=time))
    assert grid(section(run), 'Attempts')[0][2] == ''


def test_evaluations_by_hand(make):
    """Without the metrics of single classes, and without what was said of the protocol."""
    run = make.run('a', 0)
    values = {
        'iter': 8,
        'epoch': 2,
        'test/num_samples': 480,
        'test/acc/top1': 1 / 3,
        'test/class/top1_07': 0.5,
        'test/motion/top1_class3': 0.5,
        'val/acc/top1': 0.1,
        'test/checkpoint_sha256': 'a' * 64,
    }
    run.evaluations = (
        Evaluation(
            values, run.attempts[0], dict(num_clips=10), dict(path='p.npz'), dict(path='last.pth')
        ),
        Evaluation(values, run.attempts[0]),
    )
    told, plain = grid(section(run), 'Evaluations')
    assert told == [
        '8',
        '2',
        '480',
        'path last.pth',
        'num_clips 10',
        'path p.npz',
        'test/acc/top1 0.333333',
    ]
    assert plain[3:6] == [f'sha256 {"a" * 12}…', '', '']


def test_facts_by_hand(make):
    run = make.run(
        'a',
        0,
        overrides={'lr': 0.1},
        imported=True,
        complexity=dict(params=3250000, ratio=0.5),
        code={'a.py': 'f', 'b.py': 'f'},
        attempts=(make.attempt(source='csv'), make.attempt(source='ledger')),
        last_error='E: x',
        conflicts=('one', 'two'),
        damage=('a/run.json is damaged',),
        folder='a/b',
        data=dict(train=dict(ann_file='t.txt', num_samples=8, digest=None), test='?'),
    )
    facts = facts_of(section(run))
    assert facts == {
        'Config': 'dcf/table1_demo/a',
        'Config hash': '0123456789abcdef',
        'Seed': '0',
        'Folder': 'a/b',
        'Overrides': 'lr 0.1',
        'Imported': 'yes',
        'Model': 'params 3,250,000, ratio 0.5',
        'Data': 'test: train: ann_file t.txt, num_samples 8',
        'Code': '2 source files recorded',
        'Told by': 'ledger, csv',
        'Last error': 'E: x',
        'Contradictions': 'onetwo',
        'Damage': 'a/run.json is damaged',
        'Shown in': 'no table',
    }
