"""The page in headless Chromium."""

from time import sleep

import pytest
from report.browser import Browser, find_chromium

from mmaction_ext.report import build_report
from mmaction_ext.tables.run_summary import summaries

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_chromium() is None, reason='no Chromium is installed'),
]

UNFOLD = 'document.querySelectorAll("details").forEach((each) => { each.open = true; })'
#: Draw every figure, whether it is in view or not.
DRAW = """(async () => {
  for (const plot of document.querySelectorAll('.plot')) {
    plot.scrollIntoView({block: 'center'});
    for (let i = 0; i < 100 && !plot.querySelector('.main-svg'); i++)
      await new Promise((done) => setTimeout(done, 50));
  }
})()"""
BROKEN_LINKS = """[...document.querySelectorAll('a[href]')]
  .map((link) => link.getAttribute('href')).filter((address) => !(address.startsWith('#')
    && document.getElementById(decodeURIComponent(address.slice(1)))))"""
#: Elements that stick out to the right of the window, but for what scrolls by itself.
TOO_WIDE = """[...document.querySelectorAll('main *, nav *, header *')].filter((each) =>
  !each.closest('.scroll, .plot, .skip') && each.getBoundingClientRect().right > innerWidth + 1)
  .map((each) => each.outerHTML.slice(0, 120))"""


@pytest.fixture(scope='module')
def browser():
    with Browser(find_chromium()) as opened:
        yield opened


@pytest.fixture
def page(tmp_path, table, make, hostile):
    """Every kind of figure, and texts of markup."""
    other, more = hostile
    runs = [
        make.run(
            row,
            seed,
            {'test/class/top1_0': 0.25 + 0.5 * (row == 'full'), 'test/class/top1_1': 0.75},
        )
        for row in ('base', 'full', 'part')
        for seed in range(3)
    ]
    path = tmp_path / 'with space' / 'index.html'
    path.parent.mkdir()
    path.write_text(
        build_report([table, other], summaries(runs + more, [table, other])), encoding='utf-8'
    )
    return path


def shown(browser, path, **size):
    browser.open(path, **size)
    browser.evaluate(UNFOLD)
    browser.evaluate(DRAW)


@pytest.mark.parametrize('dark', [False, True])
@pytest.mark.parametrize('width', [360, 1440])
def test_page_is_silent_stays_at_home_and_fits(browser, page, width, dark):
    shown(browser, page, width=width, dark=dark)
    assert browser.evaluate('document.querySelectorAll(".plot .main-svg").length') >= 7
    assert browser.evaluate('document.querySelectorAll(".plot:not(:has(.main-svg))").length') == 0
    assert browser.evaluate(BROKEN_LINKS) == []
    assert browser.evaluate('document.scrollingElement.scrollWidth') <= width
    assert browser.evaluate(TOO_WIDE) == []
    assert browser.problems == []
    assert [url for url in browser.requests if not url.startswith(('data:', 'blob:'))] == [
        page.as_uri()
    ]


def test_no_text_of_a_run_became_markup(browser, page, make):
    shown(browser, page)
    assert browser.evaluate('[...document.scripts].filter((each) => !each.type).length') == 3
    labels = browser.evaluate(
        '[...document.querySelectorAll(".ytick text")].map((each) => each.textContent)'
    )
    assert any(label.startswith('</script><script>') for label in labels)


def test_colours_follow_the_system_and_the_switch(browser, page):
    def colours():
        return browser.evaluate(
            '[getComputedStyle(document.body).backgroundColor, '
            'getComputedStyle(document.querySelector(".plot .xtick text")).fill]'
        )

    shown(browser, page, dark=True)
    dark = colours()
    browser.evaluate('document.getElementById("scheme").click()')
    browser.wait(
        f'getComputedStyle(document.querySelector(".plot .xtick text")).fill !== {dark[1]!r}'
    )
    light = colours()
    assert dark[0] == 'rgb(20, 24, 31)' and light[0] == 'rgb(255, 255, 255)'
    assert dark[1] == 'rgb(228, 232, 238)' and light[1] == 'rgb(29, 36, 48)'
    browser.open(page, dark=True)  # the switch is remembered
    assert colours()[0] == 'rgb(255, 255, 255)'
    browser.evaluate('localStorage.clear()')


def test_a_link_opens_what_it_leads_to(browser, page):
    browser.open(page)
    for address, inside in (('#seeds:demo:full', '.seeds'), ('#run:part-2:train', '.run')):
        browser.evaluate(f'document.querySelector(\'a[href="{address}"]\').click()')
        browser.wait(f'document.getElementById({address[1:]!r}).closest("{inside}").open')
        top = browser.evaluate(
            f'document.getElementById({address[1:]!r}).getBoundingClientRect().top'
        )
        assert 0 <= top <= 900


def test_search_and_filter(browser, page):
    def tables():
        return browser.evaluate(
            '[...document.querySelectorAll("details.table")]'
            '.filter((each) => each.checkVisibility()).map((each) => each.id)'
        )

    def search(text, kind=''):
        browser.evaluate(f"""for (const [id, value, event] of
            [['words', {text!r}, 'input'], ['kind', {kind!r}, 'change']]) {{
          const field = document.getElementById(id);
          field.value = value;
          field.dispatchEvent(new Event(event));
        }}""")

    browser.open(page)
    assert sorted(tables()) == ['table:demo', 'table:nasty']
    search('TABLE full')
    assert tables() == ['table:demo']
    assert browser.evaluate('document.getElementById("shown").textContent') == (
        '1 of 2 tables match.'
    )
    search('', 'in-part')
    assert tables() == ['table:demo']
    search('there is no such table')
    assert tables() == []
    browser.evaluate('location.hash = "#table:nasty"')  # a link shows what the search hides
    browser.wait('document.getElementById("table:nasty").checkVisibility()')


def test_figures_offer_no_upload(browser, page):
    shown(browser, page)
    names = browser.evaluate(
        '[...new Set([...document.querySelectorAll(".modebar-btn")]'
        '.map((each) => each.dataset.attr || each.dataset.title))]'
    )
    assert len(names) == 2, names


def test_a_mark_leads_to_its_seeds(browser, page):
    shown(browser, page)
    browser.evaluate(
        'document.getElementById("figure:demo:bars").emit("plotly_click", '
        '{points: [{customdata: "#seeds:demo:full", data: {}}]})'
    )
    browser.wait('location.hash === "#seeds:demo:full"')


def test_tables_are_there_without_scripts(browser, page):
    browser.call('Emulation.setScriptExecutionDisabled', value=True)
    try:
        browser.open(page)
        sleep(0.2)
        assert browser.problems == []
        assert browser.evaluate(
            'document.querySelector("details.table[open] table").checkVisibility()'
        )
        assert browser.evaluate('document.getElementById("words").checkVisibility()') is False
    finally:
        browser.call('Emulation.setScriptExecutionDisabled', value=False)
