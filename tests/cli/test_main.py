import configparser
import json
import os
import runpy
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mmaction_ext import cli

PATHS = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2]))
HEAVY = ('torch', 'wandb', 'pandas', 'plotly', 'mmaction', 'mmengine', 'numpy')


def python(code, *argv):
    return subprocess.run(
        [sys.executable, '-c', code, *argv], capture_output=True, text=True, env=PATHS, timeout=120
    )


@pytest.mark.parametrize(
    'argv', [['--help'], ['plan', '--help'], ['train', '--help'], ['visualize', '--help']]
)
def test_help_imports_nothing_heavy(argv):
    done = python(f"""
import json, sys
from mmaction_ext.cli import main
try:
    main({argv!r})
except SystemExit as stop:
    code = stop.code
print('\\n' + json.dumps([code, [name for name in {HEAVY!r} if name in sys.modules]]))
""")
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []], done.stderr


def test_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, '-m', 'mmaction_ext', '--help'],
        capture_output=True,
        text=True,
        env=PATHS,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for name in ('plan', 'status', 'explain', 'doctor', 'import-wandb', 'dashboard', 'report'):
        assert f'\n    {name}' in done.stdout


def test_closed_streams_are_no_error():
    """As `command >&- 2>&-` has it; a suite is launched that way, too."""
    words = f'{sys.executable} -m mmaction_ext launch configs/dcf/table1_components --dry-run'
    root = Path(__file__).parents[2]
    done = subprocess.run(f'{words} >&- 2>&-', shell=True, cwd=root, env=PATHS, timeout=120)
    assert done.returncode == 0


def test_console_script_is_this_program():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / 'setup.cfg')
    name, _, value = setup['options.entry_points']['console_scripts'].strip().partition(' = ')
    assert name == cli.PROGRAM
    assert EntryPoint(name, value, 'console_scripts').load() is cli.main


@pytest.mark.parametrize('name', ['plan', 'status', 'explain', 'doctor'])
def test_help_of_a_command_tells_examples_and_exit_codes(command, name):
    code, out, _ = command(name, '--help')
    assert code == 0
    assert 'examples:' in out and 'exit codes: 0' in out
    assert max(map(len, out.splitlines())) <= 100


def test_a_missing_library_breaks_only_its_own_command(command, monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmaction_ext.cli.report', None)
    monkeypatch.setattr(cli, 'MODULES', ('doctor', 'report'))
    code, out, _ = command('--help')
    assert code == 0 and 'what is wrong with the runs' in out
    assert 'not available: report needs the library' in ' '.join(out.split())
    code, _, err = command('report', '-o', 'x.html', '--any')
    assert code == 2 and err.startswith('error: report needs the library')


def test_a_library_that_is_missing_when_a_command_runs_is_named(command, monkeypatch):
    from mmaction_ext.cli import doctor

    def run(args):
        raise ModuleNotFoundError('no', name='plotly')

    monkeypatch.setattr(doctor, 'run', run)
    code, _, err = command('doctor')
    assert code == 2
    assert (
        err == 'error: doctor needs the library plotly, which is not installed '
        '(pip install plotly)\n'
    )


@pytest.mark.parametrize('argv', [[], ['unknown'], ['plan', '--unknown'], ['explain']])
def test_a_command_line_that_cannot_be_read_exits_with_2(command, argv):
    code, out, err = command(*argv)
    assert code == 2 and not out and 'usage:' in err


@pytest.mark.parametrize(
    'argv',
    [
        ['plan', 'no-such-table'],
        ['plan', 'no/such.yaml'],
        ['status', 'no-such-table'],
        ['explain', 'no-such-table', 'row', 'column'],
        ['doctor', 'no-such-folder'],
        ['plan', '--gpus', '0'],
        ['status', '--watch', '0'],
        ['plan', 'demo', '--runs', 'nowhere'],
        ['plan', 'demo', '--complexity', 'nowhere.csv'],
        ['explain', 'demo', 'full', 'nothing'],
        ['explain', 'demo', 'nothing', 'top1'],
        ['explain', 'demo', 'nothing'],
        ['explain', 'demo', 'full', 'top1', '--seed', '9'],
        ['explain', 'demo', 'full', 'top1', '--locked'],
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(project, command, argv):
    code, out, err = command(*argv)
    assert code == 2 and not out
    assert [line for line in err.splitlines() if not line.startswith('note: ')] == [
        line for line in err.splitlines() if line.startswith('error: ')
    ]
    assert err.count('error: ') == 1


def test_an_error_with_escape_sequences_is_shown_without_them(project, command, markup):
    code, _, err = command('plan', markup)
    assert code == 2 and err.count('\n') == 1
    assert '\x1b' not in err and '\x07' not in err and 'red <script>' in err


def test_ctrl_c_exits_with_130(command, monkeypatch):
    from mmaction_ext.cli import doctor

    def run(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, 'run', run)
    assert command('doctor')[0] == 130


def test_a_reader_that_goes_away_is_no_traceback(project):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, '-m', 'mmaction_ext', 'plan', 'demo'],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        env=PATHS,
        cwd=project.root,
        timeout=120,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, '')


def test_a_terminal_without_the_character_still_gets_the_line(project):
    done = subprocess.run(
        [sys.executable, '-m', 'mmaction_ext', 'plan', 'demo'],
        capture_output=True,
        text=True,
        env=dict(PATHS, PYTHONIOENCODING='ascii'),
        cwd=project.root,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr


@pytest.mark.parametrize(
    ('argv', 'meant'),
    [
        (['plna'], 'plan'),
        (['trian', 'c.py'], 'train'),
        (['train', 'c.py', '--sead', '1'], '--seed'),
        (['plan', '--misisng'], '--missing'),
        (['prepare', 'synthmoton'], 'synthmotion'),
        (['prepare', 'clips', '--videos', 'x', '--groups', 'y'], '--group'),
        (['tables', '--formats', 'jsn'], 'json'),
        (['plan', 'dmeo'], 'demo'),
        (['explain', 'demo', 'ful', 'top1'], 'full'),
        (['explain', 'demo', 'full', 'topp1'], 'top1'),
    ],
)
def test_what_is_like_a_known_name_is_suggested(project, command, argv, meant):
    code, _, err = command(*argv)
    assert code == 2 and err.rstrip().endswith(f'; did you mean {meant}?')


def test_nothing_is_suggested_for_what_is_like_no_known_name(project, command):
    for argv in (['zzz'], ['plan', '--zzz'], ['plan', 'zzz']):
        code, _, err = command(*argv)
        assert code == 2 and 'did you mean' not in err


def test_overrides_that_are_none_are_named(command):
    code, _, err = command('train', 'c.py', '--cfg-options', 'lr')
    assert code == 2 and err.endswith("argument --cfg-options: 'lr' is not KEY=VALUE\n")


@pytest.mark.parametrize(
    'script',
    sorted(path.name for path in (Path(__file__).parents[2] / 'tools').glob('*.py')),
)
def test_a_script_of_the_tools_is_a_command_under_its_own_name(script, capsys, monkeypatch):
    """Their other runs are those of the commands."""
    tool = Path(__file__).parents[2] / 'tools' / script
    monkeypatch.setattr(sys, 'argv', [str(tool), '--help'])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(tool), run_name='__main__')
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f'usage: {script} [-h]')
