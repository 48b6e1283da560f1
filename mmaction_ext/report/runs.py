"""A section for each run: who it is, how its attempts went, what was measured."""

import math
import re
from datetime import datetime, timezone
from itertools import groupby

from mmaction_ext.report.addresses import absent_run_id, run_id, seeds_id, web_link
from mmaction_ext.report.table_parts import rows_with_runs
from mmaction_ext.tables.render.html import escape
from mmaction_ext.tables.seed_runs import TEST_FACTS

_BAD_STATES = ('diverged', 'failed', 'killed')
_CLASS = re.compile(r'test/(class|motion)/top1_(class)?\d+')


def runs_by_uid(records) -> dict:
    """uid to the records with that id: a training, tests of its checkpoints."""
    found = {}
    for record in records:
        found.setdefault(record.uid, []).append(record)
    return found


def uses(tables) -> dict:
    """uid to the (table, row) pairs that show what it measured, or why it does not count."""
    found = {}
    for table in tables:
        for row in rows_with_runs(table):
            columns = zip(table.columns, row.cells, strict=True)
            uids = {
                uid for column, cell in columns if column.kind == 'history' for uid in cell.runs
            }
            for uid in sorted(uids):
                found.setdefault(uid, []).append((table, row))
    return found


def absent_runs(tables, runs: dict) -> dict:
    """Runs that tables name, but of which nothing lies here: those of a lock file.

    Args:
        tables: :class:`mmaction_ext.tables.cells.Table` list.
        runs: what :func:`runs_by_uid` found.

    Returns:
        uid to the :class:`mmaction_ext.tables.cells.Measurement` that came from it, in order.
    """
    found = {}
    for table in tables:
        for item in table.measurements:
            for uid in item.result.runs:
                if uid not in runs and item.seed is not None:
                    found.setdefault(uid, []).append(item)
    return dict(
        sorted(found.items(), key=lambda pair: (pair[1][0].config, pair[1][0].seed, pair[0]))
    )


def runs_section(records, used: dict) -> str:
    """HTML of all runs, under their configs.

    Args:
        records: :class:`mmaction_ext.tracking.reading.record.RunRecord` list, sorted by
            :func:`mmaction_ext.tracking.reading.record.order`.
        used: what :func:`uses` found.
    """
    lines = []
    for config, members in groupby(records, key=lambda record: record.config):
        lines.append(f'<h3>{_breakable(config or "config unknown")}</h3>')
        for address, copies in groupby(members, key=run_id):
            first, *others = copies
            places = used.get(first.uid, ())
            lines.append(_run(first, places, f' id="{address}"'))
            lines += [_run(record, places) for record in others]
    return '\n'.join(lines)


def absent_section(absent: dict, used: dict) -> str:
    """HTML of runs of which only a lock file tells.

    Args:
        absent: what :func:`absent_runs` found.
        used: what :func:`uses` found.
    """
    return '\n'.join(_absent_run(uid, items, used.get(uid, ())) for uid, items in absent.items())


def _absent_run(uid, items, places) -> str:
    first = items[0]
    evaluation = next((item.result.evaluation for item in items if item.result.evaluation), {})
    values = {
        item.metric: f'{float(item.result.value):.6g}'
        for item in items
        if item.result.value is not None
    }
    facts = [
        ('Config', _breakable(first.config)),
        ('Config hash', _code(first.config_hash)),
        ('Measured', _pairs(values)),
        ('Status', escape(first.result.status.value)),
        ('Reason', escape(first.result.reason)),
    ]
    facts += [
        (_title(name), _pairs(fact) if isinstance(fact, dict) else _code(fact))
        for name, fact in sorted(evaluation.items())
    ]
    return (
        f'<details class="run" id="{absent_run_id(uid)}">\n'
        f'<summary><span class="name">{_breakable(first.config)}, seed {first.seed}</span> '
        f'<span class="state">not on this machine</span> '
        f'<code class="uid">{escape(uid)}</code></summary>\n'
        f'{_list([*facts, ("Shown in", _places(places))])}\n</details>'
    )


def _title(name) -> str:
    text = escape(str(name)).replace('_', ' ')
    return text[:1].upper() + text[1:]


def _run(record, places, address='') -> str:
    state = 'diverged' if record.diverged and record.state != 'running' else record.state
    kind = 'state good' if state == 'finished' else 'state'
    kind = 'state bad' if state in _BAD_STATES else kind
    seed = '?' if record.seed is None else record.seed
    parts = [
        f'<details class="run"{address}>',
        f'<summary><span class="name">seed {seed}</span> '
        f'<span class="soft">{escape(record.job_type)}</span> '
        f'<span class="{kind}">{escape(state)}</span> {_headline(record)}'
        f'<code class="uid">{escape(record.uid)}</code></summary>',
        _facts(record, places),
        _attempts(record),
        _evaluations(record),
        '</details>',
    ]
    return '\n'.join(filter(None, parts))


def _headline(record) -> str:
    """The last test's accuracy, if there is one."""
    values = [
        item.values['test/acc/top1']
        for item in record.evaluations
        if isinstance(item.values.get('test/acc/top1'), (int, float))
    ]
    if not values:
        return ''
    return f'<span class="soft">test top-1 {100 * values[-1]:.1f}</span> '


def _facts(record, places) -> str:
    facts = [
        ('Config', _breakable(record.config)),
        ('Config hash', _code(record.config_hash)),
        ('Seed', escape(str(record.seed))),
        ('Folder', _breakable(record.folder)),
        ('W&amp;B', web_link(record.url)),
        ('Overrides', _pairs(record.overrides)),
        ('Imported', 'yes' if record.imported else ''),
        ('Model', _pairs(_model(record.complexity))),
        ('Checkout', _pairs(record.git)),
        ('Environment', _pairs(record.env)),
        ('Data', _data(record.data)),
        ('Code', f'{len(record.code)} source files recorded' if record.code else ''),
        ('Told by', escape(', '.join(record.sources))),
        ('Last error', _code(record.last_error)),
        ('Contradictions', '<br>'.join(map(escape, record.conflicts))),
        ('Damage', '<br>'.join(map(escape, record.damage))),
        ('Shown in', _places(places)),
    ]
    return _list(facts)


def _list(facts) -> str:
    lines = [f'<dt>{name}</dt><dd>{value}</dd>' for name, value in facts if value]
    return '\n'.join(['<dl>', *lines, '</dl>'])


def _places(places) -> str:
    links = [
        f'<a href="#{seeds_id(table, row)}">{escape(table.caption)}: {escape(row.label)}</a>'
        for table, row in places
    ]
    return '<br>'.join(links) or 'no table'


def _model(complexity) -> dict:
    return {
        name: f'{value:,}' if isinstance(value, int) else value
        for name, value in complexity.items()
    }


def _data(data) -> str:
    lines = [
        f'{escape(str(split))}: {_pairs(facts if isinstance(facts, dict) else {})}'
        for split, facts in sorted(data.items())
    ]
    return '<br>'.join(lines)


def _pairs(facts: dict) -> str:
    """``name value`` pairs; long hexadecimal values are cut in display, whole in the title."""
    return ', '.join(
        f'{escape(str(name))} {_code(value)}'
        for name, value in sorted(facts.items(), key=lambda fact: str(fact[0]))
        if value is not None
    )


def _code(value) -> str:
    text = '' if value is None else str(value)
    if re.fullmatch('[0-9a-f]{24,}', text):
        return f'<code title="{text}">{text[:12]}…</code>'
    return f'<code>{_breakable(text)}</code>' if text else ''


def _breakable(text) -> str:
    """Escaped text that may break after the slashes of a path."""
    return escape(text or '').replace('/', '/<wbr>')


def _attempts(record) -> str:
    rows = [_attempt(i, fragment) for i, fragment in enumerate(record.fragments, 1)]
    return _grid(
        'Attempts', ('#', 'Host', 'Start', 'End', 'Exit', 'Last iteration', 'Commit', 'Log'), rows
    )


def _attempt(index, fragment) -> list:
    exit_code = 'none' if fragment.exit_code is None else str(fragment.exit_code)
    damage = [name for name in ('corrupt', 'truncated') if getattr(fragment, name)]
    ending = ' '.join(filter(None, (exit_code, fragment.signal, fragment.last_error, *damage)))
    return [
        escape(str(fragment.number or index)),
        escape(fragment.host),
        _time(fragment.start_time),
        _time(fragment.end_time),
        escape(ending),
        escape(str(fragment.last_iter or '')),
        _code(fragment.commit),
        f'{escape(fragment.source)} {web_link(fragment.path) or _breakable(fragment.path)}',
    ]


def _time(seconds) -> str:
    if seconds is None or not math.isfinite(seconds):
        return ''
    try:
        moment = datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return ''
    return f'{moment:%Y-%m-%d %H:%M:%S} UTC'


def _evaluations(record) -> str:
    rows = [_evaluation(item) for item in record.evaluations]
    return _grid(
        'Evaluations',
        ('Iteration', 'Epoch', 'Samples', 'Checkpoint', 'Protocol', 'Predictions', 'Metrics'),
        rows,
    )


def _evaluation(item) -> list:
    values = item.values
    digest = values.get('test/checkpoint_sha256')
    checkpoint = dict(item.checkpoint or ({'sha256': digest} if digest else {}))
    metrics = {
        name: f'{value:.6g}' if isinstance(value, float) else value
        for name, value in values.items()
        if name.startswith('test/') and name not in TEST_FACTS and not _CLASS.fullmatch(name)
    }
    return [escape(str(values.get(key, ''))) for key in ('iter', 'epoch', 'test/num_samples')] + [
        _pairs(checkpoint),
        _pairs(item.protocol),
        _pairs(item.predictions or {}),
        _pairs(metrics),
    ]


def _grid(title, heads, rows) -> str:
    """A small table; empty without rows."""
    if not rows:
        return ''
    head = ''.join(f'<th scope="col">{text}</th>' for text in heads)
    body = '\n'.join(f'<tr>{"".join(f"<td>{cell}</td>" for cell in row)}</tr>' for row in rows)
    return (
        f'<h4>{title}</h4>\n<div class="scroll" tabindex="0" role="region" '
        f'aria-label="{title}"><table class="facts">\n'
        f'<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'
    )
