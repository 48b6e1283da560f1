'use strict';
const root = document.documentElement;
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);

// colour scheme
const system = matchMedia('(prefers-color-scheme: dark)');
const scheme = () => root.dataset.scheme || (system.matches ? 'dark' : 'light');
const toggle = byId('scheme');
function showScheme() {
  const other = scheme() === 'dark' ? 'light' : 'dark';
  toggle.textContent = other === 'dark' ? '☾' : '☀';
  toggle.setAttribute('aria-label', `switch to ${other} colours`);
  toggle.title = `switch to ${other} colours`;
  drawn.forEach((plot) => Plotly.relayout(plot, {template: templates[scheme()]}));
}
toggle.addEventListener('click', () => {
  root.dataset.scheme = scheme() === 'dark' ? 'light' : 'dark';
  try { localStorage.setItem('scheme', root.dataset.scheme); } catch { /* not remembered then */ }
  showScheme();
});
system.addEventListener('change', showScheme);

// figures are drawn when they come into view
const templates = JSON.parse(byId('templates')?.textContent || '{}');
const drawn = new Set();
const touch = matchMedia('(pointer: coarse)').matches;
function draw(plot) {
  const {data, layout} = JSON.parse(plot.nextElementSibling.textContent);
  Object.assign(layout, {template: templates[scheme()], dragmode: touch ? false : 'zoom'});
  Plotly.newPlot(plot, data, layout, {  // no button that sends data anywhere
    responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: '',
    doubleClick: 'reset', modeBarButtons: [['toImage', 'resetScale2d']]});
  plot.on('plotly_click', ({points: [at]}) => follow(at.customdata || at.data.meta?.link));
  drawn.add(plot);
}
function follow(address) {
  if (typeof address === 'string' && address.startsWith('#')) location.hash = address;
}
const watcher = new IntersectionObserver((entries) => {
  for (const {isIntersecting, target} of entries) {
    if (!isIntersecting) continue;
    watcher.unobserve(target);
    draw(target);
  }
}, {rootMargin: '400px'});
all('.plot').forEach((plot) => watcher.observe(plot));

// an address may lie inside something folded
function reveal() {
  const target = byId(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let node = target; node; node = node.parentElement) {
    if (node.localName === 'details') node.open = true;
    if (node.hidden) clearFilter();
  }
  target.scrollIntoView();
}
addEventListener('hashchange', reveal);
document.addEventListener('click', ({target}) => {  // the same address a second time
  if (target.closest?.('a[href]')?.hash === location.hash && location.hash) reveal();
});

// search and filter
const words = byId('words'), kind = byId('kind'), tables = all('details.table');
function filter() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const table of tables) {
    table.hidden = !(wanted.every((word) => table.dataset.text.includes(word))
                     && (!kind.value || table.dataset.kinds.split(' ').includes(kind.value)));
  }
  for (const group of all('section.group')) {
    group.hidden = all('details.table', group).every((table) => table.hidden);
  }
  const shown = tables.filter((table) => !table.hidden);
  byId('shown').textContent = shown.length === tables.length ? ''
    : `${shown.length} of ${tables.length} tables match.`;
}
function clearFilter() {
  words.value = '';
  kind.value = '';
  filter();
}
words.addEventListener('input', filter);
kind.addEventListener('change', filter);
addEventListener('keydown', (event) => {
  if (event.key === '/' && !event.target.closest('input, select, textarea')) {
    event.preventDefault();
    words.focus();
  }
});

// the list of tables is folded on phones
const contents = byId('contents');
const wide = matchMedia('(min-width: 68rem)');
const unfold = () => { contents.open = wide.matches; };
wide.addEventListener('change', unfold);
unfold();
contents.addEventListener('click', ({target}) => {
  if (target.closest('a') && !wide.matches) contents.open = false;
});

showScheme();
all('[data-script]').forEach((node) => { node.hidden = false; });
if (location.hash) reveal();
