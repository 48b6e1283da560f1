"""Identity of a run: stable where it must be, different where it must differ."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.identity import (
    RunIdentity,
    canonical_json,
    config_below,
    config_hash,
    config_hashes,
    config_name,
    ensemble_members,
    load_config,
    shared_fold,
    weights_source,
)

CONFIGS = Path(__file__).parents[2] / 'configs'
FULL = CONFIGS / 'synthmotion/dcf/table1_components/full.py'


def test_name_is_the_path_below_configs(tmp_path, monkeypatch):
    assert config_name(FULL) == 'synthmotion/dcf/table1_components/full'
    monkeypatch.chdir(FULL.parent)
    assert config_name('full.py') == 'synthmotion/dcf/table1_components/full'
    assert config_name(tmp_path / 'mine' / 'row.py') == 'mine/row'
    assert config_name(CONFIGS / 'a' / '..' / 'b' / 'row.py') == 'b/row'


def test_rows_of_the_same_name_in_two_tables_are_two_runs():
    first = RunIdentity('dcf/table1/full', 0, 'a')
    second = RunIdentity('dcf/table3/full', 0, 'a')
    assert first.uid != second.uid and first.work_dir() != second.work_dir()
    assert (first.group, first.name) == ('dcf/table1', 'full/seed0')
    assert first.work_dir('runs') == 'runs/dcf/table1/full/seed0'


def test_uid_depends_on_each_part():
    base = RunIdentity('a/b', 0, 'x')
    others = [RunIdentity('a/c', 0, 'x'), RunIdentity('a/b', 1, 'x'), RunIdentity('a/b', 0, 'y')]
    assert len({run.uid for run in [base, *others]}) == 4


@pytest.mark.parametrize(
    'change',
    [
        dict(work_dir='elsewhere'),
        dict(launcher='pytorch'),
        dict(log_level='ERROR'),
        dict(train_dataloader=dict(num_workers=7)),
        dict(filename='/other/place.py'),
        dict(randomness=dict(seed=5)),
    ],
)
def test_hash_ignores_where_and_how_a_run_runs(change):
    config = dict(
        model=dict(type='X'),
        train_dataloader=dict(batch_size=8, num_workers=2),
        randomness=dict(deterministic=False, seed=1),
        log_level='INFO',
    )
    merged = {
        key: {**config.get(key, {}), **value} if isinstance(value, dict) else value
        for key, value in change.items()
    }
    assert config_hash({**config, **merged}) == config_hash(config)


def _changed(config, path, value):
    """A copy of a config with the setting at a dotted path changed; folders are made."""
    first, _, rest = path.partition('.')
    value = _changed(config.get(first, {}), rest, value) if rest else value
    return {**config, first: value}


RECIPE = dict(
    model=dict(type='X', test_cfg=dict(average_clips='prob')),
    train_dataloader=dict(batch_size=8, num_workers=2, persistent_workers=True),
    val_dataloader=dict(batch_size=8),
    test_dataloader=dict(batch_size=1),
    default_hooks=dict(
        logger=dict(type='RunLoggerHook', interval=20),
        checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2),
    ),
    custom_hooks=[dict(type='EpochSeedHook'), dict(type='MeanLossHook')],
)


@pytest.mark.parametrize(
    'path, value',
    [
        ('train_dataloader.num_workers', 0),
        ('train_dataloader.persistent_workers', False),
        ('test_dataloader.prefetch_factor', 4),
        ('val_dataloader.pin_memory', True),
        ('val_dataloader.batch_size', 1),
        ('test_dataloader.batch_size', 4),
        ('model.test_cfg.max_testing_views', 10),
        ('log_processor.window_size', 3),
        ('default_hooks.logger.interval', 1),
        ('default_hooks.timer', dict(type='IterTimerHook')),
        ('default_hooks.checkpoint.interval', 5),
        ('default_hooks.checkpoint.max_keep_ckpts', -1),
        ('default_hooks.show', dict(type='mmaction.VisualizationHook', enable=True)),
        ('custom_hooks', [dict(type='EpochSeedHook')]),
        ('custom_hooks', [dict(type='EpochSeedHook'), dict(type='mmengine.ProfilerHook')]),
        ('train_dataloader.timeout', 60),
        ('val_dataloader.multiprocessing_context', 'spawn'),
        ('test_dataloader.pin_memory_device', 'cuda'),
    ],
)
def test_what_cannot_change_a_number_is_no_part_of_the_recipe(path, value):
    changed = _changed(RECIPE, path, value)
    assert changed != RECIPE and config_hash(changed) == config_hash(RECIPE)


def test_what_only_reports_leaves_no_trace_where_nothing_else_stands():
    bare = dict(model=dict(type='X'))
    for path, value in (
        ('model.test_cfg.max_testing_views', 10),
        ('default_hooks.timer', None),
        ('custom_hooks', [dict(type='ProfilerHook')]),
    ):
        assert config_hash(_changed(bare, path, value)) == config_hash(bare)
    assert config_hash(dict(bare, custom_hooks=[])) != config_hash(bare)


@pytest.mark.parametrize(
    'path, value',
    [
        ('train_dataloader.batch_size', 4),
        ('model.test_cfg.average_clips', 'score'),
        ('model.test_cfg.fcn_test', True),
        ('default_hooks.ema', dict(type='EMAHook')),
        ('custom_hooks', [dict(type='MeanLossHook')]),
        ('model.backbone.max_testing_views', 3),
        ('custom_hooks', [*RECIPE['custom_hooks'], dict(type='EarlyStoppingHook')]),
        ('train_cfg.val_interval', 2),
        ('default_hooks.sync_buffers', dict(type='SyncBuffersHook')),
    ],
)
def test_what_may_change_a_number_is_part_of_the_recipe(path, value):
    assert config_hash(_changed(RECIPE, path, value)) != config_hash(RECIPE)


@pytest.mark.parametrize('split', ['val', 'test'])
@pytest.mark.parametrize(
    'limit',
    [
        dict(drop_last=True),
        dict(batch_sampler=dict(type='BatchSampler', drop_last=True)),
        dict(num_batch_per_epoch=3),
    ],
)
def test_batch_of_an_evaluation_that_leaves_samples_out_is_part_of_the_recipe(split, limit):
    hashes = {
        config_hash(_changed(RECIPE, f'{split}_dataloader', dict(limit, batch_size=size)))
        for size in (1, 4)
    }
    assert len(hashes) == 2


def test_when_checkpoints_are_written_is_part_of_the_recipe_where_the_last_one_is_not():
    recipe = _changed(RECIPE, 'default_hooks.checkpoint.save_last', False)
    changed = _changed(recipe, 'default_hooks.checkpoint.interval', 5)
    assert config_hash(changed) != config_hash(recipe)


def test_hashes_by_the_rule_of_before_are_as_they_were(ensemble, tester):
    """The expected ones were taken before the rule was changed."""
    former = [
        config_hashes(config)[1] for config in (RECIPE, load_config(ensemble), load_config(tester))
    ]
    assert former == ['fa42b5d983b93d15', 'c7b4983c967dbeb7', 'ab2f667aba910293']


def test_a_run_is_known_by_each_of_its_hashes():
    run = RunIdentity('a/b', 0, 'new', ('old',))
    assert run.named_as_in(run.facts) == run
    old = run.named_as_in(dict(run.facts, config_hash='old', job_type='train'))
    assert (old.config_hash, old.aliases, old.uid) == (
        'old',
        ('new',),
        RunIdentity('a/b', 0, 'old').uid,
    )
    for facts in (
        {},
        dict(run.facts, config_hash='x'),
        dict(run.facts, seed=1),
        dict(run.facts, config='a/c'),
        dict(run.facts, config_hash=['old']),
    ):
        assert run.named_as_in(facts) is None


@pytest.mark.parametrize(
    'change',
    [
        dict(model=dict(type='Y')),
        dict(train_dataloader=dict(batch_size=4)),
        dict(load_from='weights.pth'),
        dict(train_cfg=dict(max_epochs=7)),
    ],
)
def test_hash_sees_what_changes_the_numbers(change):
    config = dict(model=dict(type='X'), train_dataloader=dict(batch_size=8), load_from=None)
    assert config_hash({**config, **change}) != config_hash(config)


def test_hash_ignores_key_order_and_tuple_against_list():
    assert config_hash(dict(a=(1, 2), b=3)) == config_hash(dict(b=3, a=[1, 2]))
    assert canonical_json(dict(b=(1,), a=None)) == '{"a":null,"b":[1]}'


def test_hash_leaves_its_argument_alone():
    config = dict(work_dir='x', model=dict(type='X'))
    config_hash(config)
    assert config == dict(work_dir='x', model=dict(type='X'))


def test_an_inherited_row_is_the_row(tmp_path):
    """What mmengine notes of where it comes from is no part of it."""
    row = FULL.relative_to(CONFIGS).as_posix()
    inherited = tmp_path / 'mine.py'
    inherited.write_text(f"_base_ = 'mmaction_ext::{row}'\n")
    assert load_config(inherited) == load_config(FULL)
    inherited.write_text("_base_ = 'mmaction::_base_/default_runtime.py'\n")
    assert load_config(inherited)['default_hooks']['timer']['_scope_'] == 'mmaction'


def test_config_is_resolved_without_torch():
    code = f"""
import sys
from mmaction_ext.tracking.identity import config_hash, load_config
config_hash(load_config({str(FULL)!r}))
print([m for m in ('torch', 'mmaction', 'mmcv') if m in sys.modules])
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.strip() == '[]', done.stderr


def test_chain_of_a_config_that_nothing_has_read(tmp_path):
    """As where what it resolves to was kept by an earlier process."""
    row = tmp_path / 'configs/row.py'
    row.parent.mkdir()
    row.write_text("_base_ = 'mmaction::_base_/default_runtime.py'\n")
    code = f"""
from mmaction_ext.tracking.identity import config_chain
print([name for name, _ in config_chain({str(row)!r})])
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    expected = ['configs/row.py', 'mmaction::_base_/default_runtime.py']
    assert done.stdout.strip() == str(expected), done.stderr


def test_unreadable_configs_are_named(tmp_path):
    with pytest.raises(ValueError, match=r'nowhere.py does not exist'):
        load_config(tmp_path / 'nowhere.py')
    broken = tmp_path / 'broken.py'
    broken.write_text('model = dict(')
    with pytest.raises(ValueError, match=r'broken.py cannot be read'):
        load_config(broken)


@pytest.mark.parametrize('name', ['root', 'data.root'])
def test_what_a_function_made_of_an_inherited_value_is_no_value(tmp_path, name):
    (tmp_path / 'base.py').write_text("root = 'videos'\ndata = dict(root=root)\n")
    row = tmp_path / 'row.py'
    start = "_base_ = './base.py'\n"
    row.write_text(f'{start}files = list(({{{{_base_.{name}}}}}, 1))\n')
    assert load_config(row)['files'] == ['videos', 1]
    row.write_text(f"{start}files = '/'.join(({{{{_base_.{name}}}}}, 'list.txt'))\n")
    with pytest.raises(ValueError, match=rf'row.py: {{{{_base_.{name}}}}} stands for .* it out'):
        load_config(row)


@pytest.fixture
def ensemble(tmp_path):
    """An ensemble of two configs in another folder, which share a base."""
    (tmp_path / 'configs/rows').mkdir(parents=True)
    (tmp_path / 'configs/both').mkdir()
    (tmp_path / 'configs/base.py').write_text('lr = 1\n')
    for name in 'ab':
        (tmp_path / f'configs/rows/{name}.py').write_text(
            f"_base_ = ['../base.py']\nname = '{name}'\n"
        )
    path = tmp_path / 'configs/both/ab.py'
    path.write_text("ensemble = dict(members=['../rows/a.py', '../rows/b.py'])\n")
    return path


def test_members_are_relative_to_the_ensemble(ensemble):
    found = ensemble_members(ensemble, load_config(ensemble))
    rows = ensemble.parents[1] / 'rows'
    assert found == [rows / 'a.py', rows / 'b.py']
    assert ensemble_members(rows / 'a.py', load_config(rows / 'a.py')) == []


def test_hash_of_an_ensemble_changes_with_its_members(ensemble):
    configs = ensemble.parents[1]
    first = config_hash(load_config(ensemble))
    assert load_config(ensemble)['ensemble']['member_hashes'] == {
        f'rows/{name}': config_hashes(load_config(configs / f'rows/{name}.py')) for name in 'ab'
    }
    with open(configs / 'rows/b.py', 'a') as file:
        file.write('epochs = 2\n')
    second = config_hash(load_config(ensemble))
    (configs / 'base.py').write_text('lr = 2\n')
    assert len({first, second, config_hash(load_config(ensemble))}) == 3
    (configs / 'base.py').write_text('lr = 2\nlog_level = "ERROR"\n')
    third = config_hash(load_config(ensemble))
    (configs / 'base.py').write_text('lr = 2\n')
    assert config_hash(load_config(ensemble)) == third  # what changes no number changes no hash


@pytest.mark.parametrize(
    'members, message',
    [
        ("dict(members=['../rows/a.py'])", 'must name two or more different members'),
        (
            "dict(members=['../rows/a.py', '../both/../rows/a.py'])",
            'two or more different members',
        ),
        ('dict()', 'two or more different members, found []'),
        ('None', 'two or more different members'),
        ("dict(members=['../rows/a.py', 'gone.py'])", 'gone.py does not exist'),
        ("dict(members=['../rows/a.py', 'ab.py'])", 'is an ensemble itself'),
    ],
)
def test_bad_ensembles_are_named(ensemble, members, message):
    ensemble.write_text(f'ensemble = {members}\n')
    with pytest.raises(ValueError) as error:
        load_config(ensemble)
    assert message in str(error.value) and '.py' in str(error.value)


@pytest.fixture
def tester(tmp_path):
    """A config that tests the weights of ``rows/a.py`` in another way."""
    configs = tmp_path / 'tester/configs'
    (configs / 'rows').mkdir(parents=True)
    (configs / 'more').mkdir()
    (configs / 'rows/a.py').write_text('lr = 1\nclips = 1\n')
    path = configs / 'more/two_clips.py'
    path.write_text("_base_ = '../rows/a.py'\nweights_of = '../rows/a.py'\nclips = 2\n")
    return path


def test_hash_changes_with_the_config_whose_weights_are_tested(tester):
    source = tester.parents[1] / 'rows/a.py'
    first = load_config(tester)
    assert weights_source(tester, first) == source and weights_source(source, {}) is None
    assert first['weights_of_hashes'] == {'rows/a': config_hashes(load_config(source))}
    tester.write_text(tester.read_text().replace("_base_ = '../rows/a.py'", 'lr = 1'))
    assert config_hash(load_config(tester)) == config_hash(first)
    source.write_text('lr = 2\nclips = 1\n')
    assert config_hash(load_config(tester)) != config_hash(first)


def test_ensemble_sees_where_the_weights_of_a_member_come_from(tester):
    source, path = tester.parents[1] / 'rows/a.py', tester.with_name('both.py')
    path.write_text("ensemble = dict(members=['two_clips.py', '../rows/a.py'])\n")
    hashes = load_config(path)['ensemble']['member_hashes']
    assert hashes == {
        'more/two_clips': config_hashes(load_config(tester)),
        'rows/a': config_hashes(load_config(source)),
    }


@pytest.mark.parametrize(
    'lines, message',
    [
        ("weights_of = 'gone.py'", 'gone.py does not exist'),
        ('weights_of = 3', 'weights_of must be the path of a config, got 3'),
        ("weights_of = 'two_clips.py'", 'a config that is trained itself'),
        ("weights_of = 'both.py'", 'a config that is trained itself'),
        ("weights_of = '../rows/a.py'\nensemble = dict(members=[])", 'stand in no ensemble'),
    ],
)
def test_bad_sources_of_weights_are_named(tester, lines, message):
    tester.with_name('both.py').write_text("ensemble = dict(members=['a.py', 'b.py'])\n")
    path = tester.with_name('bad.py')
    path.write_text(lines + '\n')
    with pytest.raises(ValueError, match=message) as error:
        load_config(path)
    assert '.py' in str(error.value)


def test_config_that_a_run_names_lies_below_the_folder(tmp_path):
    configs = tmp_path / 'configs'
    (configs / 'demo').mkdir(parents=True)
    (configs / 'demo/full.py').touch()
    (tmp_path / 'evil.py').touch()
    (configs / 'link.py').symlink_to(tmp_path / 'evil.py')
    assert config_below(configs, 'demo/full') == (configs / 'demo/full.py', '')
    for name in ('../evil', f'{tmp_path}/evil', 'link', 'demo/gone', 'demo/../../evil', ''):
        with pytest.raises(InputError, match='no config'):
            config_below(configs, name)


@pytest.mark.parametrize('name', ['a\0b', 'x' * 5000, '../up', '/etc/passwd', 'x/' * 3000])
def test_a_name_that_no_file_can_have_is_no_config(tmp_path, name):
    with pytest.raises(InputError, match='there is no config'):
        config_below(tmp_path, name)


@pytest.fixture
def folded(tmp_path):
    """A config of two numbered folds and a named one, and files for two of them alone."""
    folder = tmp_path / 'configs/demo'
    folder.mkdir(parents=True)
    text = "test_dataloader = dict(dataset=dict(ann_file='test_{}.txt'), names=['{}'])\na = 1\n"
    (folder / 'row.py').write_text("folds = (1, 2, 'ann')\n" + text.replace('{}', '{fold}'))
    for fold in ('2', 'ann'):
        (folder / f'alone_{fold}.py').write_text(text.replace('{}', fold))
    return folder / 'row.py'


@pytest.mark.parametrize('fold', ['2', 'ann'])
def test_a_fold_is_what_a_file_for_it_alone_would_be(folded, fold):
    alone = load_config(folded.with_name(f'alone_{fold}.py'))
    assert load_config(folded, fold) == alone
    assert config_hashes(load_config(folded, fold)) == config_hashes(alone)
    assert load_config(folded)['folds'] == (1, 2, 'ann')


def test_the_name_of_a_fold_leads_back_to_its_config(folded):
    names = {fold: config_name(folded, fold) for fold in ('', '2', 'ann')}
    assert names == {'': 'demo/row', '2': 'demo/row_fold2', 'ann': 'demo/row_ann'}
    for fold, name in names.items():
        assert config_below(folded.parents[1], name) == (folded, fold)
    run = RunIdentity('demo/row_fold2', 3, 'abc', fold='2')
    assert run.facts == dict(config='demo/row_fold2', seed=3, config_hash='abc', fold='2')
    assert (run.group, run.name) == ('demo', 'row_fold2/seed3')
    assert run.named_as_in(dict(run.facts)) == run


@pytest.mark.parametrize(
    'fold, change, message',
    [
        ('3', '', 'row.py has the folds 1, 2, ann, but no fold 3'),
        ('1', 'folds = None\n', 'row.py has no folds, and so no fold 1'),
        ('1', 'folds = (1, 1)\n', r'folds of .*row.py must be different .*got \(1, 1\)'),
        ('1', 'folds = 3\n', 'must be different numbers or plain names'),
        ('1', "folds = ('../a',)\n", 'must be different numbers or plain names'),
    ],
)
def test_folds_that_there_are_not_are_named(folded, fold, change, message):
    folded.write_text(folded.read_text() + change)
    with pytest.raises(InputError, match=message):
        load_config(folded, fold)


def test_a_config_with_the_name_of_a_fold_is_refused(folded):
    folded.with_name('row_fold2.py').touch()
    with pytest.raises(InputError, match=r'row_fold2.py has the name of the fold 2 of .*row.py'):
        load_config(folded, '2')


def test_what_a_fold_needs_is_taken_of_the_same_fold(folded):
    again, both = folded.with_name('again.py'), folded.with_name('both.py')
    again.write_text("_base_ = 'row.py'\na = 2\n")
    both.write_text("_base_ = 'row.py'\nensemble = dict(members=['row.py', 'again.py'])\n")
    found = load_config(both, '2')['ensemble']['member_hashes']
    assert found == {
        config_name(path, '2'): config_hashes(load_config(path, '2')) for path in (folded, again)
    }
    again.write_text("_base_ = 'row.py'\nweights_of = 'row.py'\n")
    assert list(load_config(again, 'ann')['weights_of_hashes']) == ['demo/row_ann']
    assert 'weights_of_hashes' not in load_config(again)
    again.write_text("weights_of = 'row.py'\n")
    with pytest.raises(InputError, match=r'row.py has the folds 1, 2, ann: what takes its'):
        load_config(again)


def test_what_has_no_folds_is_taken_without_one(folded):
    """Test sets of one network, or of several together."""
    source, both = folded.with_name('source.py'), folded.with_name('both.py')
    source.write_text('a = 1\n')
    folded.write_text(folded.read_text() + "weights_of = 'source.py'\n")
    found = {fold: load_config(folded, fold) for fold in ('1', '2')}
    for config in found.values():
        assert config['weights_of_hashes'] == {'demo/source': config_hashes(load_config(source))}
    assert config_hashes(found['1']) != config_hashes(found['2'])
    folded.with_name('other.py').write_text('a = 2\n')
    both.write_text("folds = (1, 2)\nensemble = dict(members=['source.py', 'other.py'])\n")
    hashes = load_config(both, '2')['ensemble']['member_hashes']
    assert [*hashes] == ['demo/source', 'demo/other']
    assert shared_fold(folded, '2') == ('2',) and shared_fold(source, '2') == ()
