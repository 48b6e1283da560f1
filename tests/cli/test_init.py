"""mmaction-ext init: a folder in which the first table can be made."""

import shlex

import pytest

from mmaction_ext.tables import load_spec
from mmaction_ext.tracking.identity import load_config


def test_a_project_has_a_table_of_configs_that_are_there(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = command('init', 'my project')
    assert (code, err) == (0, '') and 'README.md' in out
    spec = load_spec(tmp_path / 'my project/configs/table1/table.yaml')
    assert spec.id == 'my_project_table1'
    assert [row.id for row in spec.configured] == ['baseline', 'difference']
    assert 'mmaction-ext prepare synthmotion' in (tmp_path / 'my project/README.md').read_text()


@pytest.mark.parametrize('kind', ['file', 'folder'])
def test_what_is_there_is_not_overwritten(command, tmp_path, kind):
    place = tmp_path / 'project'
    if kind == 'folder':
        place.mkdir()
        (place / 'notes.txt').write_text('mine')
    else:
        place.write_text('mine')
    code, _, err = command('init', place)
    assert code == 2 and err.startswith(f'error: {place} exists already')
    assert [path.read_text() for path in tmp_path.rglob('*') if path.is_file()] == ['mine']


def test_own_clips_are_counted_and_their_split_is_in_the_readme(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('kick', 'punch', 'wave'):
        for person in range(4):
            (tmp_path / 'my clips' / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / 'my clips' / name / f'p{person}.avi').touch()
    code, _, err = command(
        'init', 'mine', '--videos', 'my clips', '--group', r'p\d', '--split-seed', 3
    )
    assert (code, err) == (0, '')
    [line] = [
        line.strip()
        for line in (tmp_path / 'mine/README.md').read_text().splitlines()
        if line.startswith('    mmaction-ext prepare')
    ]
    videos = str(tmp_path / 'my clips')
    assert shlex.split(line) == [
        *('mmaction-ext', 'prepare', 'clips', '--videos', videos),
        *('--group', r'p\d', '--split-seed', '3'),
    ]
    config = load_config(tmp_path / 'mine/configs/table1/difference.py')
    assert config['model']['cls_head']['num_classes'] == 3
    assert config['test_dataloader']['dataset']['data_prefix'] == dict(video=videos)
    assert config['param_scheduler'][0]['total_steps'] == config['train_cfg']['max_epochs'] == 50
    for argv in (['--group', 'x'], ['--videos', 'gone']):
        code, _, err = command('init', 'other', *argv)
        assert code == 2 and err.count('\n') == 1 and not (tmp_path / 'other').exists()


def test_own_clips_of_a_list_are_a_project_too(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f'{name}{i}.avi,{name},{i % 2}' for name in ('kick', 'punch') for i in range(4)]
    (tmp_path / 'list.csv').write_text('\n'.join(['path,label,other', *rows]))
    assert command('init', 'mine', '--csv', 'list.csv')[0] == 0
    [line] = [
        line.strip()
        for line in (tmp_path / 'mine/README.md').read_text().splitlines()
        if line.startswith('    mmaction-ext prepare')
    ]
    assert shlex.split(line) == [
        *('mmaction-ext', 'prepare', 'clips', '--videos', str(tmp_path)),
        *('--csv', str(tmp_path / 'list.csv')),
    ]
    (tmp_path / 'list.csv').write_text('\n'.join(['path,label,fold', *rows]))
    code, _, err = command('init', 'other', '--csv', 'list.csv')
    assert (code, err) == (2, 'error: list.csv has no split test, which the project trains with\n')
