"""Whatever stands in the files of a run, commands say something and never fall over."""

import copy
import functools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmaction_ext.tracking import identity

COMMANDS = (
    ('status', 'demo'),
    ('status', 'work_dirs'),
    ('status', 'work_dirs', '--json'),
    ('plan', 'demo'),
    ('explain', 'demo', 'full', 'top1'),
    ('explain', 'demo', 'full', 'top1', '--all'),
    ('explain', 'demo', 'full', 'params', '--json'),
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from([10**400, '../x', '\x1b[2J', 's3://a', {'a': 1}, {'type': 3}, [], {}]),
    st.lists(st.integers() | st.text(max_size=2), max_size=2),
    st.dictionaries(st.sampled_from(['type', 'path', 'ann_file']), st.integers(), max_size=2),
)


def mutated(draw, node):
    """JSON with one entry, however deep, taken away or replaced by anything."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    key = draw(st.sampled_from(keys))
    if isinstance(node[key], (dict, list)) and node[key] and draw(st.integers(0, 3)):
        mutated(draw, node[key])
    elif draw(st.integers(0, 5)):
        node[key] = copy.deepcopy(draw(ODD))
    else:
        del node[key]


@pytest.fixture
def cached_configs(monkeypatch):
    """Configs are read once for all examples: they stay as they are."""
    read = functools.cache(identity._read_config)
    monkeypatch.setattr(identity, '_read_config', lambda path: copy.deepcopy(read(path)))


@pytest.fixture(params=['finished', 'failed', 'killed'])
def folder(request, project, cached_configs):
    """Folder of a run that ended in one of three ways."""
    facts = dict(
        finished={},
        failed=dict(exit_code=1, last_error='ValueError: x'),
        killed=dict(exit_code=None, last=3),
    )[request.param]
    return project.train(
        'full',
        0,
        sources={'mmaction_ext/errors.py': 'f' * 64},
        initial_checkpoint=dict(path='a.pth', sha256='b'),
        **facts,
    )


def check(folder, command, data, names):
    """Change one file of a ledger; no command may end in a traceback or print an escape."""
    name = data.draw(st.sampled_from(names))
    intact = (folder / name).read_text()
    content = json.loads(intact)
    for _ in range(data.draw(st.integers(1, 3))):
        if content:
            mutated(data.draw, content)
    try:
        (folder / name).write_text(json.dumps(content))
        for argv in COMMANDS:
            code, out, err = command(*argv)
            assert code in (0, 1) and out and not err and '\x1b' not in out
    finally:
        (folder / name).write_text(intact)


FEW = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FEW
@given(data=st.data())
def test_odd_facts_in_the_ledger(folder, command, data):
    check(folder, command, data, ['run.json', 'heartbeat'])


@pytest.mark.slow
@settings(FEW, max_examples=60)
@given(data=st.data())
def test_odd_facts_in_any_file(folder, command, data):
    results = [f'results/{path.name}' for path in (folder / 'results').iterdir()]
    check(folder, command, data, ['run.json', 'run.json', 'heartbeat', *results])
