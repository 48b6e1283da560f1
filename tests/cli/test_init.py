"""mmaction-ext init: a folder in which the first table can be made."""

import pytest

from mmaction_ext.tables import load_spec


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
