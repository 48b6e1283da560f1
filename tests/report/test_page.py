import base64
import hashlib
import json
import random
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from mmaction_ext import report
from mmaction_ext.tables.run_summary import summaries


def build_report(tables, records, title=None):
    return report.build_report(tables, summaries(records, tables), title)


VOID = {'meta', 'br', 'link', 'input', 'wbr'}


class Reader(HTMLParser):
    """Tags, ids, links, scripts and texts of a page, which must be well formed."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.ids, self.links, self.open = set(), [], [], []
        self.scripts, self.texts, self.attributes = [], [], set()
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        facts = dict(attributes)
        self.tags.add(tag)
        self.attributes |= facts.keys()
        self.ids += [facts['id']] if 'id' in facts else []
        self.links += [facts['href']] if tag == 'a' else []
        if tag not in VOID:
            self.open.append(tag)
        if tag == 'script':
            self.scripts.append((facts.get('type'), ''))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ['script']:
            kind, text = self.scripts[-1]
            self.scripts[-1] = kind, text + data
        elif data.strip():
            self.texts.append(data.strip())


def addresses_resolve(reader):
    """Every link that leads into the page leads somewhere."""
    inside = {link[1:] for link in reader.links if link.startswith('#')}
    return inside <= set(reader.ids)


@pytest.fixture
def page(table, runs):
    return build_report([table], runs)


def test_every_link_resolves_and_no_id_is_there_twice(page):
    reader = Reader(page)
    assert addresses_resolve(reader) and len(set(reader.ids)) == len(reader.ids)
    assert {link for link in reader.links if not link.startswith('#')} == set()


def test_cells_lead_to_their_seeds_and_those_to_every_run(page, runs):
    reader = Reader(page)
    # two cells of the table, and a line in each of its three runs
    assert reader.links.count('#seeds:demo:full') == 2 + 3
    assert {f'#run:{record.uid}:train' for record in runs} <= set(reader.links)
    assert '<td data-status="missing"' in page and '#seeds:demo:other' not in reader.links


def test_same_inputs_same_bytes(make, table, runs, hostile):
    other, more = hostile
    first = build_report([table, other], runs + more)
    for seed in range(3):
        tables, records = [other, table], runs + more
        random.Random(seed).shuffle(tables)
        random.Random(seed).shuffle(records)
        assert build_report(tables, records) == first


def test_nothing_from_a_run_is_markup(page, hostile, make):
    table, runs = hostile
    reader, plain = Reader(build_report([table], runs)), Reader(page)
    assert reader.tags <= plain.tags | {'p'} and reader.attributes <= plain.attributes
    assert addresses_resolve(reader) and len(set(reader.ids)) == len(reader.ids)
    assert not any('alert(1)' in text for kind, text in reader.scripts if kind is None)
    shown = ' '.join(make.markup.split())
    assert sum(shown in text for text in reader.texts) >= 8


def test_figures_of_hostile_runs_read_back(hostile):
    table, runs = hostile
    reader = Reader(build_report([table], runs))
    data = [json.loads(text) for kind, text in reader.scripts if kind == 'application/json']
    assert [sorted(each) for each in data[:-1]] == [['data', 'layout']] * 6
    assert sorted(data[-1]) == ['dark', 'light']


def test_only_the_pages_own_scripts_may_run(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    scripts = [text for kind, text in Reader(page).scripts if kind is None]
    digests = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts
    ]
    assert [f'sha256-{digest}' for digest in digests] == re.findall(r'sha256-[^\']+', policy)
    assert "default-src 'none'" in policy and 'connect-src' not in policy
    assert not any(word in policy for word in ('unsafe-eval', 'http', '*'))
    assert re.search(r'script-src ([^;]*)', policy)[1].count('unsafe') == 0


def test_library_is_there_once_and_can_be_inside_a_page(page):
    from plotly.offline import get_plotlyjs

    assert page.count(get_plotlyjs()) == 1
    assert '</script' not in get_plotlyjs() and '<!--' not in get_plotlyjs()


def test_a_page_without_figures_needs_no_library(make):
    none = [None, None]
    page = build_report([make.table(make.row('a', none))], [])
    assert len(page) < 100_000 and 'No run of this table yet.' in page
    assert 'There is no run yet.' in page and addresses_resolve(Reader(page))


def test_an_empty_page():
    assert addresses_resolve(Reader(build_report([], [])))


def test_runs_say_who_they_are(page, make, table):
    run = make.run('base', 0, overrides={'optim_wrapper.lr': 0.1})
    run.evaluations[0].values['test/acc/top1'] = 0.18125
    texts = Reader(build_report([table], [run])).texts
    for fact in (
        '0123456789abcdef',
        'optim_wrapper.lr',
        '0.18125',
        'abababababab…',
        'base-0',
        '2023-11-14 22:13:20 UTC',
        '3,250,000',
        'sha of base 0',
    ):
        assert fact in texts, fact


def test_numbers_without_a_run_and_copies_of_a_run_are_told_apart(make, table):
    copies = [make.run('base', 0, folder=folder) for folder in ('b', 'a')]
    imported = [make.run(row, seed, uid='', imported=True) for row in 'ab' for seed in (0, 1)]
    page = build_report([table], copies + imported)
    reader = Reader(page)
    assert len(set(reader.ids)) == len(reader.ids)
    assert page.count('class="run"') == 6 + 7  # seven of which only the table tells
    assert page == build_report([table], imported[::-1] + copies[::-1])


def test_only_web_addresses_become_links(make, table):
    def links(path):
        attempt = make.attempt(path=path)
        page = build_report([table], [make.run('base', 0, attempt=attempt)])
        return [link for link in Reader(page).links if not link.startswith('#')]

    assert links('https://wandb.ai/me/project/runs/1') == ['https://wandb.ai/me/project/runs/1']
    for path in ('javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'a/run.wandb'):
        assert links(path) == []


def test_runs_lead_to_their_pages_at_the_server_too(make, table, runs):
    page = 'https://wandb.example/me/suite/runs/base-0?a="b"'
    runs[0].url = runs[1].url = page  # a training and a test of it share a page
    runs[1].uid, runs[1].job_type = runs[0].uid, 'test'
    runs[2].url = 'javascript:alert(1)'
    reader = Reader(build_report([table], runs))
    links = [link for link in reader.links if not link.startswith('#')]
    # a line in the seeds of its row, and the sections of both runs
    assert links == [page] * 3 and reader.texts.count('W&B') == 3
    assert '#run:base-0:train' in reader.links and addresses_resolve(reader)


def test_runs_of_a_lock_file_have_a_section_too(table):
    reader = Reader(build_report([table], []))
    assert addresses_resolve(reader) and 'run:base-0' in reader.ids
    assert 'not on this machine' in reader.texts and '#run:part-2' in reader.links


def test_a_lone_surrogate_does_not_stop_the_page(make, table):
    run = make.run('base', 0, env={'device': 'bad \ud800'})
    assert 'bad \ufffd' in build_report([table], [run])


def test_the_fullest_table_is_open(make, table):
    empty = make.table(make.row('a', [None]), name='empty')
    page = build_report([empty, table], [])
    assert re.findall(r'<details class="table" id="([^"]*)"[^>]* open>', page) == ['table:demo']


def test_gains_of_classes_are_drawn_where_runs_tell_them(table, make):
    runs = [
        make.run(row, seed, {'test/class/top1_0': 0.25 + 0.5 * (row == 'full')})
        for row in ('base', 'full')
        for seed in range(3)
    ]
    page = build_report([table], runs)
    assert 'Gains of the classes (1)' in page and 'figure:demo:classes:full' in page


def test_statuses_are_told_in_words(page):
    assert '3 of 4 cells' in page
    assert 'aria-label="2 measured, 1 in part, 1 missing"' in page


def test_the_page_has_the_title_of_its_project(make, table):
    def titles(*tables, **asked):
        page = build_report(tables, [], **asked)
        return re.findall(r'<title>(.*?): tables|<strong>(.*?)</strong>\n|<h1>(.*?)</h1>', page)

    mine = replace(table, project='Sign <language>')
    shown = 'Sign &lt;language&gt;'
    assert titles(mine) == [(shown, '', ''), ('', shown, ''), ('', '', shown)]
    other = replace(make.table(make.row('a', [None]), name='other'), project='Other')
    assert (
        titles(mine, other)[0][0] == titles(table)[0][0] == 'Motion modules for action recognition'
    )
    theirs = replace(table, spec_path='configs/signs/table1/table.yaml')
    assert titles(theirs)[0][0] == 'Action recognition'
    assert titles(mine, title='Said')[0][0] == 'Said'


def test_a_table_is_listed_under_the_group_that_it_names(table):
    assert '<h2>Ablations</h2>' in build_report([replace(table, group='Ablations')], [])
    assert '<h2>DCF</h2>' in build_report([table], [])
