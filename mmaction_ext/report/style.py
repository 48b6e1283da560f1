"""The page's style sheet; colours follow the scheme of the system or the page's own switch."""

from mmaction_ext.tables.render.html import NARROW_TABLE_STYLE, TABLE_STYLE

STYLE = (
    """
:root { color-scheme: light dark;
  --page: light-dark(#ffffff, #14181f); --ink: light-dark(#1d2430, #e4e8ee);
  --soft: light-dark(#566070, #9aa5b4); --faint: light-dark(#e3e7ed, #2a313c);
  --band: light-dark(#f6f7f9, #1c222b); --shade: light-dark(#1d243030, #000000a0);
  --accent: light-dark(#0b5cad, #7db8f5); --accent-page: light-dark(#e8f1fb, #16304b);
  --good: light-dark(#1a6b43, #6fd3a0); --good-page: light-dark(#e2f5ea, #12351f);
  --warn: light-dark(#8a5300, #f0bd6a); --warn-page: light-dark(#fff3dc, #3a2c12);
  --bad: light-dark(#a11b2b, #ff9ba6); --bad-page: light-dark(#fde9eb, #43191f);
  --measured: light-dark(#2a9461, #3fae78); --part: light-dark(#d49a2a, #d8a540);
  --unfinished: light-dark(#3079d6, #4b8fe2); --wrong: light-dark(#d94552, #e2606b); }
:root[data-scheme="light"] { color-scheme: light; }
:root[data-scheme="dark"] { color-scheme: dark; }
* { box-sizing: border-box; }
html { scroll-padding-top: 4.2rem; }
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
a { color: var(--accent); text-underline-offset: .15em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: .2rem; }
code { font: .86em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
summary { cursor: pointer; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 .35rem; letter-spacing: -.01em;
  text-wrap: balance; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .9rem; letter-spacing: -.005em; }
h3, h4 { font-size: .98rem; margin: 1.4rem 0 .4rem; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: 1rem; z-index: 9; background: var(--page); padding: .5rem .8rem; }

.bar { position: sticky; top: 0; z-index: 5; display: flex; gap: .6rem; align-items: center;
  padding: .55rem 1.25rem; background: var(--page); border-bottom: 1px solid var(--faint); }
.bar strong { margin-right: auto; white-space: nowrap; }
.bar input, .bar select, button { font: inherit; font-size: .9rem; color: var(--ink);
  background: var(--band); border: 1px solid var(--faint); border-radius: .5rem;
  padding: .38rem .7rem; min-height: 2.25rem; }
.bar input { width: 16rem; min-width: 0; }
.bar input::placeholder { color: var(--soft); opacity: 1; }
button { cursor: pointer; }
button:hover { border-color: var(--soft); }

.layout { max-width: 96rem; margin: 0 auto; }
main { min-width: 0; padding: 1.6rem 1.25rem 4rem; }
.contents { padding: 0 1.25rem; font-size: .9rem; }
.contents ul { list-style: none; margin: .2rem 0 .7rem; padding: 0; }
.contents h2 { font-size: .78rem; text-transform: uppercase; letter-spacing: .05em;
  color: var(--soft); margin: 1rem 0 .2rem; }
.contents li a { display: flex; gap: .5rem; justify-content: space-between; padding: .22rem .5rem;
  margin: 0 -.5rem; border-radius: .4rem; text-decoration: none; color: var(--ink); }
.contents li a:hover { background: var(--band); }
.contents .number { color: var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap; }
.contents .lively .number { color: var(--good); font-weight: 600; }
.contents > details > summary { padding: .6rem 0; font-weight: 600; }
@media (min-width: 68rem) {
  .layout { display: grid; grid-template-columns: 17.5rem minmax(0, 1fr); gap: 1rem; }
  .contents { position: sticky; top: 3.4rem; align-self: start; max-height: calc(100vh - 3.4rem);
    overflow-y: auto; padding: .6rem .5rem 2rem 1.25rem; border-right: 1px solid var(--faint); } }

.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .7rem;
  margin: 1.3rem 0 0; padding: 0; max-width: 52rem; }
.numbers div { background: var(--band); border-radius: .7rem; padding: .7rem .9rem; }
.numbers dt { color: var(--soft); font-size: .83rem; }
.numbers dd { margin: 0; font-size: 1.45rem; font-weight: 600; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.numbers dd .soft { font-size: .95rem; font-weight: 400; white-space: nowrap; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: 1rem 0 0; padding: 0;
  list-style: none; font-size: .83rem; color: var(--soft); }
.key i { display: inline-block; width: .7rem; height: .7rem; border-radius: .2rem;
  margin-right: .35rem; }
.progress { display: flex; height: .42rem; border-radius: .21rem; overflow: hidden;
  background: var(--faint); min-width: 4rem; }
.progress i { display: block; }
.measured { background: var(--measured); } .in-part { background: var(--part); }
.unfinished { background: var(--unfinished); } .wrong { background: var(--wrong); }
.missing { background: var(--faint); }

details.table { border: 1px solid var(--faint); border-radius: .8rem; margin: 0 0 .7rem;
  background: var(--page); }
details.table > summary { display: grid; grid-template-columns: auto minmax(0, 1fr) 9.5rem;
  gap: .1rem .8rem; align-items: center; padding: .75rem 1rem; list-style: none;
  border-radius: .8rem; }
details.table > summary::-webkit-details-marker { display: none; }
details.table > summary::before { content: "›"; grid-row: span 2; color: var(--soft);
  font-size: 1.3rem; line-height: 1; width: .8rem; text-align: center; }
details.table[open] > summary::before { rotate: 90deg; }
details.table > summary:hover { background: var(--band); }
details.table h3 { margin: 0; font-size: 1rem; line-height: 1.35; }
details.table .caption { grid-column: 2; color: var(--soft); font-size: .88rem; line-height: 1.4;
  overflow-wrap: anywhere; }
.tally { grid-column: 3; grid-row: 1 / span 2; font-size: .8rem; color: var(--soft);
  text-align: right; font-variant-numeric: tabular-nums; }
.tally .progress { margin-top: .3rem; }
.body { padding: .2rem 1rem 1.2rem; }
.empty { margin: 0 0 .9rem; color: var(--soft); font-size: .88rem; }

"""
    + TABLE_STYLE
    + """
table { font-size: .94rem; }
tbody + tbody > tr > * { border-top: 1px solid var(--faint); }
td > a:has(.state) { text-decoration: none; }
td > a { color: inherit; text-decoration-color: var(--accent); text-decoration-thickness: 1px; }
.good { color: var(--good); background: var(--good-page); }
[data-status="missing"] .state { color: var(--soft); background: var(--band); }
.seeds { margin-top: 1.1rem; }
.seeds > summary, .classes > summary { color: var(--accent); font-size: .92rem; width: fit-content;
  margin-bottom: .5rem; }
.seeds th { vertical-align: top; }
.links a { margin: 0 .2rem; }

.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr));
  gap: 1.2rem 1.6rem; margin-top: 1.5rem; }
figure { margin: 0; min-width: 0; }
figure h4 { margin: 0 0 .2rem; }
figcaption { font-size: .83rem; color: var(--soft); margin-top: .2rem; }
.plot { width: 100%; }

details.run { border-bottom: 1px solid var(--faint); padding: .1rem 0; }
details.run > summary { padding: .45rem .2rem; }
details.run .name { font-weight: 600; }
details.run .uid { color: var(--soft); margin-left: .3rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1rem;
  margin: .4rem 0 .8rem; font-size: .9rem; }
dl.numbers { font-size: 1rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.facts { font-size: .85rem; } .facts code { white-space: nowrap; }
.facts td { text-align: left; vertical-align: top; max-width: 28rem;
  white-space: normal; overflow-wrap: anywhere; min-width: 4.5rem; }
.facts th { text-align: left; } .facts th:first-child { min-width: 0; position: static; }
:target > summary, tbody:has(th:target) > tr > * { background: var(--accent-page); }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }

@media (max-width: 40rem) {
  body { font-size: 15px; }
  main { padding: 1.1rem .8rem 3rem; } .contents { padding: 0 .8rem; }
  .bar { position: static; padding: .5rem .8rem; flex-wrap: wrap; gap: .45rem; }
  .bar strong { flex: 1 1 60%; }
  .bar input { order: 2; flex: 1 1 10rem; }
  .bar select { order: 3; flex: 0 1 7.5rem; min-width: 0; }
  html { scroll-padding-top: .6rem; }
  h1 { font-size: 1.3rem; }
  .numbers { grid-template-columns: 1fr 1fr; gap: .5rem; }
  """
    + NARROW_TABLE_STYLE
    + """
  details.table > summary { grid-template-columns: auto minmax(0, 1fr); padding: .7rem .7rem; }
  details.table > summary::before { grid-row: span 3; }
  .tally { grid-column: 2; grid-row: auto; text-align: left; display: flex; gap: .6rem;
    align-items: center; } .tally .progress { margin: 0; flex: 1; max-width: 9rem; }
  .body { padding: .1rem .7rem 1rem; }
  dl:not(.numbers) { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dl:not(.numbers) dd { margin-bottom: .4rem; } }
@media print {
  .bar, .contents, .modebar { display: none; } .scroll { overflow: visible; }
  details.table { break-inside: avoid; } }
"""
).strip()
