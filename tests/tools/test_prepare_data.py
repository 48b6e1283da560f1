"""tools/prepare_data.py: SynthMotion, and what publishers ship, as lists that were checked."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from published_data import imitate, write_frames, write_video
from tool_runs import main_of

from mmaction_ext.datasets.publishers import READERS, UNANNOTATED
from mmaction_ext.datasets.synthmotion import stress

TOOL = Path(__file__).parents[2] / 'tools' / 'prepare_data.py'
SMALL = ['--num-train', '6', '--num-val', '2', '--num-test', '6', '--workers', '1']


@pytest.fixture(scope='module')
def main():
    return main_of('prepare')


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


@pytest.mark.parametrize(
    'arguments, word',
    [
        (['--num-train', '0'], 'num_train'),
        (['--seed', '-1'], 'seed'),
        (['--workers', '0'], 'workers'),
        (['--verify'], 'no finished data set'),
    ],
)
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
    result = subprocess.run(
        [sys.executable, str(TOOL), 'synthmotion', '--quiet', *SMALL],
        cwd=tmp_path,
        text=True,
        capture_output=True,
    )
    assert (result.returncode, result.stderr) == (0, '')
    assert (tmp_path / 'data/synthmotion/train.txt').exists()


def test_stress_sets_are_made_beside_each_other(main, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(stress, 'SETS', {'size_3': (1, 1, 3), 'hard': (2, 1, 1)})
    command = ['synthmotion-stress', '--root', str(tmp_path), '--workers', '1', '--quiet']
    assert main(command) == 0
    assert f'{tmp_path}/hard: complete, 8 clips' in capsys.readouterr().out
    small = json.loads((tmp_path / 'size_3/manifest.json').read_text())['parameters']
    assert (small['preset'], small['num_train'], small['num_test']) == ('size_3', 1, 3)
    before = (tmp_path / 'hard/manifest.json').stat().st_mtime_ns
    (tmp_path / 'size_3/videos/test/000001_r.mp4').unlink()
    assert main([*command, '--verify']) == 1
    assert main([*command, 'hard', '--verify']) == 0
    assert main([*command, 'size_3']) == main([*command, '--verify']) == 0
    assert (tmp_path / 'hard/manifest.json').stat().st_mtime_ns == before
    capsys.readouterr()
    assert main([*command, 'size_4']) == 2
    assert "got 'size_4'" in capsys.readouterr().err


def test_help_names_every_option_with_its_default(main, capsys):
    with pytest.raises(SystemExit):
        main(['synthmotion', '--help'])
    text = capsys.readouterr().out
    for word in ('--root', 'data/synthmotion', '720', '120', '240', '--verify', '--overwrite'):
        assert word in text


def test_does_not_load_torch():
    program = f"""
import runpy, sys
try:
    runpy.run_path({str(TOOL)!r}, run_name="__main__")
except SystemExit:
    print([name for name in ("torch", "mmaction", "mmcv") if name in sys.modules])"""
    result = subprocess.run([sys.executable, '-c', program], text=True, capture_output=True)
    assert result.stdout == '[]\n'


def published(main, name, root, *arguments):
    return main([name, '--root', str(root), '--workers', '1', *arguments])


@pytest.mark.slow
@pytest.mark.parametrize('name', READERS)
def test_published_data_set_is_checked_and_written(main, name, tmp_path, capsys):
    expected, labels = imitate(name, tmp_path)
    assert published(main, name, tmp_path) == 0
    output = capsys.readouterr()
    assert f'{name}: {len(labels)} classes, check: full' in output.out
    assert f'{tmp_path}: {", ".join(expected)} written' in output.out
    assert f"data_prefix=dict({'img' if name == 'sthv1' else 'video'}='{tmp_path}" in output.out
    for file, lines in expected.items():
        assert (tmp_path / file).read_text().splitlines() == lines
    assert published(main, name, tmp_path) == 0
    assert capsys.readouterr().err == ''  # nothing left to look at


def test_reader_of_a_newcomer_needs_its_line_alone(main, tmp_path, capsys, monkeypatch):
    def read(annotations):
        """Two of UCF101's lists."""
        return replace(READERS['ucf101'](annotations), name='mine')

    expected, _ = imitate('ucf101', tmp_path)
    monkeypatch.setitem(READERS, 'mine', read)
    assert published(main, 'mine', tmp_path, '--quiet') == 0
    assert {path.name for path in tmp_path.glob('*_split?.txt')} == expected.keys()
    with pytest.raises(SystemExit):
        main(['mine', '--help'])
    assert __doc__ in capsys.readouterr().out


@pytest.mark.slow
def test_broken_items_are_code_1_unless_left_out_on_demand(main, tmp_path, capsys):
    imitate('gym99', tmp_path)
    (tmp_path / 'videos/subactions').rename(tmp_path / 'elsewhere')
    (tmp_path / 'annotations/gym99_train_element_v1.1.txt').write_text(
        'x_E_0_1_A_0_1 0\n-LtLS9wROrk_E_000147_000152_A_0000_0005 0\n'
    )
    assert published(main, 'gym99', tmp_path, '--quiet', '--check', 'quick') == 1
    output = capsys.readouterr()
    assert 'missing: x_E_0_1_A_0_1 (no such file; ' in output.out and output.err == ''
    assert 'no annotation file written, 1 items are broken' in output.out
    assert not (tmp_path / 'train.txt').exists()
    assert json.loads((tmp_path / 'report.json').read_text())['broken'] == 1
    assert published(main, 'gym99', tmp_path, '--skip-broken') == 0
    assert (
        tmp_path / 'train.skipped.txt'
    ).read_text() == 'x_E_0_1_A_0_1\t0\tmissing: no such file\n'


@pytest.mark.parametrize(
    'arguments, words',
    [
        ([], 'holds none of something-something-v1-labels.csv'),
        (['--workers', '0'], 'workers'),
        (['--annotations', 'gone'], 'gone holds none of'),
    ],
)
def test_published_data_set_that_is_not_there_is_one_line_and_code_2(
    main, tmp_path, capsys, arguments, words
):
    assert main(['sthv1', '--root', str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and words in error and error.count('\n') == 1


def test_line_of_a_list_is_named_by_file_and_number(main, tmp_path, capsys):
    imitate('ucf101', tmp_path)
    path = tmp_path / 'annotations/ucfTrainTestlist/trainlist02.txt'
    path.write_text('\nApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 7\n')
    assert published(main, 'ucf101', tmp_path) == 2
    assert f"error: {path}:2: expected a class id from 1 to 2, got '7'" in capsys.readouterr().err


@pytest.mark.parametrize('name', READERS)
def test_help_says_what_is_expected_where(main, name, capsys):
    with pytest.raises(SystemExit):
        main([name, '--help'])
    text = capsys.readouterr().out
    assert ('--annotations DIR' in text) == (name not in UNANNOTATED)
    for word in (
        f'data/{name}',
        'annotations',
        '--skip-broken',
        '--recheck',
        'classes.txt',
        'report.json',
        'writes',
        'The full check does not see',
    ):
        assert word in text


@pytest.mark.slow
def test_killed_run_goes_on_where_it_was(tmp_path):
    names = [str(number) for number in range(60)]
    imitate('sthv1', tmp_path)
    (tmp_path / 'annotations/something-something-v1-train.csv').write_text(
        ''.join(f'{name};Pulling something from left to right\n' for name in names)
    )
    for name in names:
        write_frames(tmp_path / 'rawframes' / name, 150)
    command = [sys.executable, str(TOOL), 'sthv1', '--root', str(tmp_path), '--workers', '1']
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    journal = tmp_path / 'checked.jsonl'
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if journal.exists() and 5 < journal.read_bytes().count(b'\n') < 50:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done_before = journal.read_text().splitlines()
    assert 5 < len(done_before) < 61 and not (tmp_path / 'train.txt').exists()
    with open(journal, 'a', encoding='utf-8') as file:
        file.write('{"name": "torn')  # what a kill in the middle of a line leaves
    for line in done_before[1:]:  # whoever looks at these again finds them broken
        folder = tmp_path / 'rawframes' / json.loads(line)['name']
        state = os.stat(folder)
        os.truncate(folder / '00002.jpg', 0)
        os.utime(folder, ns=(state.st_atime_ns, state.st_mtime_ns))
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 0, second.stdout + second.stderr
    assert (tmp_path / 'train.txt').read_text().splitlines() == [f'{name} 150 0' for name in names]
    third = subprocess.run([*command, '--recheck'], capture_output=True, text=True)
    assert third.returncode == 1 and '00002.jpg: zero bytes' in third.stdout


def test_a_list_of_ones_own_is_checked_and_a_missing_file_is_named(main, tmp_path, capsys):
    rows = [f'{name}{i}.avi,{name}' for name in ('kick', 'punch') for i in range(4)]
    for row in rows:
        write_video(tmp_path / row.split(',')[0])
    (tmp_path / 'list.csv').write_text('\n'.join(['path,label', *rows, 'gone.avi,kick']))
    arguments = ['--csv', str(tmp_path / 'list.csv'), '--root', str(tmp_path / 'lists')]
    arguments += ['--workers', '1', '--quiet', '--folds', '3', '--nested']
    assert main(['folders', *arguments]) == 1
    assert f'missing: gone.avi (no such file; {tmp_path}/list.csv:10)' in capsys.readouterr().out
    assert not list((tmp_path / 'lists').glob('*.txt'))
    write_video(tmp_path / 'gone.avi')
    assert main(['folders', *arguments]) == 0
    assert capsys.readouterr().out.startswith("folds = ('1', '2', '3')\n")
    tested = [(tmp_path / f'lists/test_{fold}.txt').read_text().splitlines() for fold in (1, 2, 3)]
    assert sorted(chain(*tested)) == sorted(
        [*(f'kick{i}.avi\t0' for i in range(4)), *(f'punch{i}.avi\t1' for i in range(4))]
        + ['gone.avi\t0']
    )


def test_clips_need_a_folder_or_a_list(main, capsys):
    assert main(['clips']) == 2
    assert 'need --videos, a folder of classes, or --csv' in capsys.readouterr().err
