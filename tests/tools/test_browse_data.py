import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from published_data import write_video
from tool_runs import FULL, ROOT, main_of, run_tool

CONFIG = """
_base_ = []
custom_imports = dict(imports=['mmaction_ext.register'], allow_failed_imports=False)
train_dataloader = dict(dataset=dict(
    type='VideoDataset', ann_file='list.txt', data_prefix=dict(video='.'), delimiter='\\t',
    pipeline=[dict(type='SeedSample'), dict(type='VideoInit'),
              dict(type='SampleSegments', num_segments=4), dict(type='VideoDecode'),
              dict(type='FormatShape', input_format='NCTHW'), dict(type='PackActionInputs')]))
"""


@pytest.fixture
def main(tmp_path, monkeypatch):
    for number in range(3):
        write_video(tmp_path / f'arm wrestling/{number}.mp4')
    (tmp_path / 'list.txt').write_text(''.join(f'arm wrestling/{n}.mp4\t{n}\n' for n in range(3)))
    (tmp_path / 'config.py').write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return main_of('browse')


def test_draws_the_samples_asked_for(main, tmp_path, capsys):
    assert main(['config.py', '-o', 'sheet.png', '--num', '2']) == 0
    assert 'sheet.png: 2 of 3 train samples' in capsys.readouterr().out
    with Image.open(tmp_path / 'sheet.png') as sheet:
        assert sheet.format == 'PNG' and sheet.height == 2 * (16 + 34)


@pytest.mark.slow
def test_config_of_a_data_set_alone_imports_nothing_and_is_drawn(main, tmp_path):
    text = CONFIG.replace(
        "custom_imports = dict(imports=['mmaction_ext.register'], allow_failed_imports=False)", ''
    )
    assert 'custom_imports' not in text
    (tmp_path / 'config.py').write_text(text)
    command = [sys.executable, ROOT / 'tools/browse_data.py', 'config.py', '-o', 'sheet.png']
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'sheet.png: 3 of 3 train samples' in done.stdout


def ink_of_first_line(path):
    with Image.open(path) as sheet:
        return int((np.asarray(sheet)[:16] < 128).all(-1).sum())


def test_class_names_are_found_beside_the_list_or_given(main, tmp_path):
    (tmp_path / 'names.txt').write_text('arm wrestling against oneself\n' * 3)
    ink = []
    for arguments in ([], ['--classes', 'names.txt']):
        assert main(['config.py', '-o', 'sheet.png', *arguments]) == 0
        ink.append(ink_of_first_line(tmp_path / 'sheet.png'))
    (tmp_path / 'names.txt').rename(tmp_path / 'classes.txt')
    assert main(['config.py', '-o', 'sheet.png']) == 0
    assert ink[0] < ink[1] == ink_of_first_line(tmp_path / 'sheet.png')


@pytest.mark.parametrize(
    'arguments, words',
    [
        (['gone.py'], 'gone.py does not exist'),
        (['config.py', '--split', 'val'], 'val_dataloader'),
        (['config.py', '--num', '0'], 'num must be at least 1'),
        (['config.py', '--classes', 'gone.txt'], 'gone.txt cannot be read'),
        (['config.py', '--cfg-options', 'train_dataloader.dataset.ann_file=no.txt'], 'no.txt'),
    ],
)
def test_bad_input_is_one_line_and_code_2(main, capsys, arguments, words):
    assert main([*arguments, '-o', 'sheet.png']) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and words in error and error.count('\n') == 1


def test_broken_video_and_folder_that_cannot_be_written_are_named(main, tmp_path, capsys):
    assert main(['config.py', '-o', 'no/sheet.png']) == 2
    assert 'no/sheet.png cannot be written: No such file' in capsys.readouterr().err
    (tmp_path / 'arm wrestling/1.mp4').write_bytes(b'')
    assert main(['config.py', '-o', 'sheet.png']) == 2
    assert 'arm wrestling/1.mp4: the video cannot be decoded' in capsys.readouterr().err
    assert not (tmp_path / 'sheet.png').exists()


@pytest.mark.slow
def test_runs_on_a_config_of_the_project(place):
    done = run_tool('browse_data.py', FULL, '-o', 'sheet.png', '--split', 'val', cwd=place.path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'sheet.png: 8 of 12 val samples' in done.stdout
