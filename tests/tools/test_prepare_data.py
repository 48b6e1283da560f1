import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools' / 'prepare_data.py'
SMALL = ['--num-train', '6', '--num-val', '2', '--num-test', '6', '--workers', '1']


@pytest.fixture(scope='module')
def main():
    spec = importlib.util.spec_from_file_location('prepare_data', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool.main


def synthmotion(main, root, *arguments):
    return main(['synthmotion', '--root', str(root), *SMALL, *arguments])


def test_makes_shows_progress_and_is_quick_the_second_time(main, tmp_path, capsys):
    root = tmp_path / 'data'
    assert synthmotion(main, root) == 0
    first = capsys.readouterr()
    assert f'{root}: complete, 28 clips, 0.6 MB' in first.out and '14/14' in first.err
    assert synthmotion(main, root) == 0
    second = capsys.readouterr()
    assert second.out == first.out and second.err == ''


def test_verify_says_what_is_wrong_and_changes_nothing(main, tmp_path, capsys):
    assert synthmotion(main, tmp_path, '--quiet') == 0
    assert main(['synthmotion', '--root', str(tmp_path), '--verify']) == 0
    assert 'intact, 28 clips' in capsys.readouterr().out
    broken = tmp_path / 'videos/val/000001_r.mp4'
    broken.write_bytes(b'')
    assert main(['synthmotion', '--root', str(tmp_path), '--verify']) == 1
    output = capsys.readouterr()
    assert str(broken) in output.err and '1 files missing or damaged' in output.out
    assert broken.read_bytes() == b''


def test_contact_sheet(main, tmp_path):
    assert main(['synthmotion', '--contact-sheet', str(tmp_path / 'sheet.png')]) == 0
    assert (tmp_path / 'sheet.png').read_bytes().startswith(b'\x89PNG')
    assert [path.name for path in tmp_path.iterdir()] == ['sheet.png']


@pytest.mark.parametrize('arguments, word', [
    (['--num-train', '0'], 'num_train'), (['--seed', '-1'], 'seed'),
    (['--workers', '0'], 'workers'), (['--verify'], 'no finished data set')])
def test_bad_input_is_one_line_and_code_2(main, tmp_path, capsys, arguments, word):
    assert main(['synthmotion', '--root', str(tmp_path / 'data'), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and word in error and error.count('\n') == 1


def test_root_below_a_file_is_one_line_and_code_2(main, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    assert synthmotion(main, tmp_path / 'file' / 'data') == 2
    error = capsys.readouterr().err
    assert str(tmp_path / 'file') in error and error.count('\n') == 1


@pytest.mark.parametrize('arguments', [[], ['unknown'], ['synthmotion', '--preset', 'easy']])
def test_usage_errors_are_code_2(main, arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and 'usage' in capsys.readouterr().err


def test_runs_as_a_program_from_any_folder(tmp_path):
    result = subprocess.run([sys.executable, str(TOOL), 'synthmotion', '--quiet', *SMALL],
                            cwd=tmp_path, text=True, capture_output=True)
    assert (result.returncode, result.stderr) == (0, '')
    assert (tmp_path / 'data/synthmotion/train.txt').exists()


def test_help_names_every_option_with_its_default(main, capsys):
    with pytest.raises(SystemExit):
        main(['synthmotion', '--help'])
    text = capsys.readouterr().out
    for word in ('--root', 'data/synthmotion', '720', '120', '240', '--verify', '--overwrite'):
        assert word in text


def test_does_not_load_torch():
    program = f'''
import runpy, sys
try:
    runpy.run_path({str(TOOL)!r}, run_name="__main__")
except SystemExit:
    print([name for name in ("torch", "mmaction", "mmcv") if name in sys.modules])'''
    result = subprocess.run([sys.executable, '-c', program], text=True, capture_output=True)
    assert result.stdout == '[]\n'
