import json
import os
import re
import shutil
import time
from argparse import Namespace
from types import SimpleNamespace

import pytest
from tool_runs import FULL, ROOT, main_of

from mmaction_ext.cli.preflight import find_targets
from mmaction_ext.engine import preflight as module
from mmaction_ext.engine.preflight import Target, preflight
from mmaction_ext.errors import InputError

#: a head that ends its process, or learns from nothing
ODD = """
import os
from mmaction.models import TSNHead
from mmaction.registry import MODELS


@MODELS.register_module()
class OddHead(TSNHead):

    def __init__(self, does, **settings):
        super().__init__(**settings)
        self.does = does

    def loss(self, feats, samples, **kwargs):
        if self.does == 'die':
            print('last words', flush=True)
            os.kill(os.getpid(), 9)
        losses = super().loss(feats, samples, **kwargs)
        return dict(losses, loss_cls=losses['loss_cls'] * float('nan'))
"""


def odd_config(place, does):
    path = place.config.with_name(f'{does}.py')
    path.write_text(
        f"_base_ = ['row.py']\ncustom_imports = dict(imports=['odd', 'mmaction_ext.register'])\n"
        f"model = dict(cls_head=dict(type='OddHead', does='{does}'))\n"
    )
    return Target(path)


def tree(folder):
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob('*')
        if '__pycache__' not in path.parts
    }


@pytest.mark.slow
def test_each_row_has_its_outcome_whatever_becomes_of_its_process(place, monkeypatch):
    monkeypatch.chdir(place.path)
    (place.path / 'odd.py').write_text(ODD)
    broken = place.config.with_name('broken.py')
    broken.write_text(
        "_base_ = ['row.py']\n"
        "test_dataloader = dict(dataset=dict(ann_file='data/nowhere/list.txt'))\n"
    )
    targets = [odd_config(place, does) for does in ('die', 'nan')]
    before = tree(place.path)
    outcomes = list(preflight([*targets, Target(broken), Target(place.config)]))
    died, nan, lacking, fine = outcomes
    assert [each.name for each in outcomes] == [
        f'tiny/{name}' for name in ('die', 'nan', 'broken', 'row')
    ]
    assert 'was killed' in died.problem and died.problem.endswith('the last it said: last words')
    assert nan.problem.endswith('nan.py: the loss of the first step is nan')
    assert 'data/nowhere/list.txt cannot be read' in lacking.problem
    assert (fine.problem, fine.device) == ('', 'cpu')
    assert 0 < fine.step < 60 and 1e8 < fine.memory < 1e10
    # 48 clips in batches of 8, 3 epochs
    assert fine.iterations == 18 and fine.training == fine.step * 18
    assert tree(place.path) == before


def test_a_row_that_comes_to_no_end(place, monkeypatch):
    monkeypatch.chdir(place.path)
    place.config.write_text('import time\ntime.sleep(600)\n')
    began = time.monotonic()
    [outcome] = preflight([Target(place.config)], timeout=0.5)
    assert outcome.problem == 'not done after 0.5 s'
    assert time.monotonic() - began < 300


@pytest.mark.slow
def test_the_first_and_the_last_video_are_read(place, monkeypatch):
    monkeypatch.chdir(place.path)
    link = place.path / 'data/synthmotion'
    own = shutil.copytree(link.resolve(), place.path / 'own')
    link.unlink()
    link.symlink_to(own)
    last = own / 'videos' / (own / 'test.txt').read_text().splitlines()[-1].split()[0]
    last.write_bytes(last.read_bytes()[:200])
    [outcome] = preflight([Target(place.config)], makes_step=False)
    assert last.name in outcome.problem


@pytest.mark.slow
def test_checkpoints_are_as_large_as_those_of_a_training(trained, monkeypatch):
    monkeypatch.chdir(trained.path)
    [outcome] = preflight([Target(trained.config)], makes_step=False)
    size = max(path.stat().st_size for path in trained.run.glob('*.pth'))
    # two are kept, and two of between epochs, while another is written; files hold some more
    # than tensors
    assert 0.75 * 5 * size < outcome.disk < 5 * size
    assert (outcome.problem, outcome.step, outcome.memory) == ('', None, None)


def test_a_disk_that_is_too_small(tmp_path, monkeypatch):
    usage = SimpleNamespace(free=10_000)
    monkeypatch.setattr(module.shutil, 'disk_usage', lambda path: usage)
    home = tmp_path / 'work_dirs/tiny/row/seed0'
    module._check_room(str(home), 10_000)
    assert not (tmp_path / 'work_dirs').exists()
    with pytest.raises(InputError, match=re.escape(f'the disk of {tmp_path} has 0.00 GB free')):
        module._check_room(str(home), 10_001)
    home.mkdir(parents=True)
    (home / 'epoch_1.pth').write_bytes(bytes(5000))  # which the run writes over
    module._check_room(str(home), 15_000)


def test_a_folder_that_takes_no_files(tmp_path):
    (tmp_path / 'work_dirs').write_text('')
    with pytest.raises(InputError, match='work_dirs cannot be written: File exists'):
        module._check_room(str(tmp_path / 'work_dirs/tiny/row/seed0'), 0)


@pytest.mark.parametrize(
    ('hook', 'kept'),
    [
        (None, 0),
        (dict(interval=1, max_keep_ckpts=2), 5),
        (dict(interval=5), 13),
        (dict(interval=1, max_keep_ckpts=1, save_best='acc/top1'), 5),
        (dict(interval=1, max_keep_ckpts=1, save_best=['a', 'b']), 6),
    ],
)
def test_checkpoints_that_are_kept(hook, kept):
    cfg = dict(default_hooks=dict(checkpoint=hook))
    assert module._checkpoints_kept(cfg, ('epoch', 50)) == kept


def test_rows_come_once_behind_what_they_need():
    args = Namespace(
        targets=[str(FULL), str(FULL.parents[1] / 'table4_frames'), str(FULL)],
        configs=ROOT / 'configs',
        fold=None,
    )
    names = [target.name.rpartition('/')[2] for target in dict.fromkeys(find_targets(args))]
    assert len(names) == len(set(names))
    assert {'dcf_8f_16f', 'dcf_8f_2clips', 'baseline_4f'} < set(names)
    assert names.index('dcf_16f') < names.index('dcf_8f_16f')
    assert names[0] == 'full'


@pytest.mark.slow
def test_command_line(place, monkeypatch, capsys):
    """A test alone: 2 clips of each video with the weights of another row; and an ensemble."""
    monkeypatch.chdir(place.path)
    main = main_of('preflight')
    clips, mean = (place.config.with_name(f'{name}.py') for name in ('clips', 'mean'))
    clips.write_text("_base_ = ['row.py']\nweights_of = 'row.py'\n")
    mean.write_text("_base_ = ['row.py']\nensemble = dict(members=['row.py', 'clips.py'])\n")
    assert main(['configs/tiny/mean.py', '--no-step', '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each['name'] for each in found] == ['tiny/row', 'tiny/clips', 'tiny/mean']
    assert found[0]['disk'] > 1e6 and (found[1]['disk'], found[2]['disk']) == (0, None)
    os.truncate(place.config, 0)
    assert main(['configs/tiny/row.py']) == 1
    assert 'FAILED tiny/row: ' in capsys.readouterr().out
    for words, error in (
        (['configs/tiny/none.py'], 'configs/tiny/none.py'),
        (['nowhere'], 'nowhere'),
        (['nowhere', '--fold', '1'], '--fold 1 is for config files'),
        (['configs/tiny/row.py', '--gpus', '0'], '--gpus must be at least 1'),
        (['configs/tiny/row.py', '--timeout', '0'], '--timeout must be positive'),
    ):
        assert main(words) == 2
        assert error in capsys.readouterr().err
