"""What W&B gets to see of a test: tables, clips and the checkpoint, in a real offline run."""

import hashlib
import json
import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import wandb
from mmengine.config import Config
from PIL import Image
from wandb_logs import records, written_whole

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets.samples import sample_name
from mmaction_ext.evaluation.predictions import Predictions, write_predictions
from mmaction_ext.evaluation.predictions_hook import PredictionsHook
from mmaction_ext.tracking.reading.find import find_runs
from mmaction_ext.tracking.reading.wandb_log import read_log
from mmaction_ext.tracking.writing.wandb_backend import RunWandbBackend
from mmaction_ext.tracking.writing.wandb_hooks import WandbResultsHook
from mmaction_ext.video import write_mp4

RUN = dict(uid='0123456789abcdef', group='paper/table', name='row/seed3')
IDENTITY = dict(config='paper/table/row', seed=3, config_hash='fedcba9876543210')
CLASSES = ['falling', 'rising', 'turning']
PIPELINE = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=4, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]


class Videos:
    """A data set of small videos."""

    def __init__(self, folder, count):
        self.ann_file = str(folder / 'test.txt')
        self.files = [str(folder / 'test' / f'{place:03d}.mp4') for place in range(count)]

    def get_data_info(self, place):
        return dict(filename=self.files[place])


def make_data(folder, count):
    (folder / 'test').mkdir(parents=True)
    (folder / 'classes.txt').write_text('\n'.join(CLASSES) + '\n')
    data = Videos(folder, count)
    for place, file in enumerate(data.files):
        grey = place * 8 + 6 * np.arange(8, dtype=np.uint8)
        write_mp4(np.broadcast_to(grey[:, None, None, None], (8, 32, 48, 3)), file)
    return data


def predict(data, seed):
    """Predictions of which a good part is wrong and one is not a number."""
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(3), len(data.files)).astype(np.float32)
    scores[1] = np.nan
    names = np.array([sample_name(data.get_data_info(i)) for i in range(len(data.files))])
    return Predictions(
        names, rng.integers(0, 3, len(data.files)), scores, dict(iter=1080, epoch=6)
    )


def make_runner(folder, data, backend, **info):
    predictions = PredictionsHook(str(folder / 'predictions.npz'), {})
    loader = SimpleNamespace(dataset=data)
    return SimpleNamespace(
        cfg=Config(
            dict(test_dataloader=dict(dataset=dict(pipeline=PIPELINE, ann_file=data.ann_file)))
        ),
        hooks=[predictions],
        test_dataloader=loader,
        work_dir=str(folder),
        iter=1080,
        epoch=6,
        message_hub=SimpleNamespace(runtime_info=dict(iter=1080, epoch=6, **info)),
        visualizer=SimpleNamespace(get_backend=lambda name: backend),
    )


def run_test(runner, predictions):
    """A test whose predictions are written, as PredictionsHook does it."""
    hook, predictions_hook = WandbResultsHook(), runner.hooks[0]
    predictions_hook.written = predictions is not None
    if predictions is not None:
        write_predictions(predictions_hook.path, predictions)
    hook.after_test_epoch(runner, {'acc/top1': np.float32(0.25), 'matrix': np.eye(3)})
    hook.after_test(runner)


def open_run(folder, **options):
    backend = RunWandbBackend(
        str(folder / 'time/vis_data'), run=RUN, config=dict(identity=IDENTITY), **options
    )
    backend.add_scalars({'test/acc/top1': 0.25, 'iter': 1080, 'epoch': 6})
    return backend


def log_of(folder):
    """The log of a closed run, once W&B has written all of it."""
    [path] = folder.glob('time/vis_data/wandb/offline-run-*/run-*.wandb')
    return written_whole(path)


def media_of(folder):
    return sorted(path.name for path in (log_of(folder).parent / 'files').glob('media/*/*'))


def artifacts(path):
    return [content for kind, content in records(path) if kind == 'artifact']


def media_row(path) -> dict:
    """The row with tables and clips, as W&B wrote it."""
    rows = [
        {'.'.join(item.nested_key): json.loads(item.value_json) for item in each.item}
        for kind, each in records(path)
        if kind == 'history'
    ]
    [row] = [row for row in rows if any('._type' in key for key in row)]
    return row


@pytest.fixture(scope='module', autouse=True)
def service():
    """One W&B service for all runs of this file; nothing in the home folder."""
    yield
    wandb.teardown()


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp('videos') / 'set', 20)


@pytest.fixture(scope='module')
def logged(tmp_path_factory, data):
    """A run whose test was logged whole, with its checkpoint."""
    folder = tmp_path_factory.mktemp('logged')
    checkpoint = folder / 'epoch_6.pth'
    checkpoint.write_bytes(b'weights' * 200_000)
    backend = open_run(folder, media=dict(clips=3, frames=4, size=24), log_artifact=True)
    runner = make_runner(folder, data, backend, test_checkpoint=str(checkpoint))
    predictions = predict(data, 0)
    run_test(runner, predictions)
    backend.close()
    return SimpleNamespace(
        folder=folder, predictions=predictions, checkpoint=checkpoint, log=log_of(folder)
    )


def table(logged, name):
    [path] = (logged.log.parent / 'files/media/table').glob(f'test_{name}_*.table.json')
    return json.loads(path.read_text())


def test_confusion_table_counts_what_was_predicted(logged):
    found = table(logged, 'confusion')
    assert found['columns'] == ['true', 'predicted', 'count', 'true_name', 'predicted_name']
    scores, labels = logged.predictions.scores, logged.predictions.labels
    guesses = [-1 if np.isnan(each).any() else int(each.argmax()) for each in scores]
    expected = Counter(zip(labels.tolist(), guesses, strict=True))
    assert {(true, guess): count for true, guess, count, *_ in found['data']} == expected
    named = dict(enumerate(CLASSES)) | {-1: 'not a number'}
    assert all(row[3:] == [named[row[0]], named[row[1]]] for row in found['data'])


def test_class_table_holds_each_accuracy(logged):
    found = table(logged, 'per_class')
    assert found['columns'] == ['class', 'name', 'samples', 'correct', 'top1']
    scores, labels = logged.predictions.scores, logged.predictions.labels
    right = (scores.argmax(1) == labels) & ~np.isnan(scores).any(1)
    assert found['data'] == [
        [
            label,
            CLASSES[label],
            int((labels == label).sum()),
            int(right[labels == label].sum()),
            pytest.approx(right[labels == label].mean()),
        ]
        for label in range(3)
    ]


def test_clips_show_what_was_predicted_of_them(logged):
    row = media_row(logged.log)
    assert (row['iter'], row['epoch'], row['test_clips.count']) == (1080, 6, 3)
    files = logged.log.parent / 'files'
    for place, video in zip((0, 10, 19), row['test_clips.videos'], strict=True):
        with Image.open(files / video['path']) as image:
            assert (image.n_frames, image.size) == (4, (24, 16))
            grey = image.convert('RGB').getpixel((3, 3))[0]
        assert grey == pytest.approx(place * 8 + 6 * 2, abs=3)  # the third frame is the first
        label, scores = logged.predictions.labels[place], logged.predictions.scores[place]
        assert video['caption'] == (
            f'test/{place:03d}.mp4: is {CLASSES[label]}, predicted '
            f'{CLASSES[scores.argmax()]} ({scores.max():.2f})'
        )


def test_readers_get_numbers_only(logged):
    """What is read of the run is as if there were no tables and clips in it."""
    assert read_log(logged.log).exit_code == 0
    [record] = find_runs(logged.folder)
    [evaluation] = record.evaluations
    assert evaluation.values == {'iter': 1080, 'epoch': 6, 'test/acc/top1': 0.25}
    assert not record.rows


def test_checkpoint_is_an_artifact_that_is_not_copied(logged):
    [artifact] = [each for each in artifacts(logged.log) if each.type == 'model']
    assert artifact.name == 'paper-table-row-seed3'
    assert sorted(artifact.aliases) == ['iter1080', 'latest']
    assert json.loads(artifact.metadata) == dict(
        iter=1080,
        epoch=6,
        sha256=hashlib.sha256(logged.checkpoint.read_bytes()).hexdigest(),
        metrics={'test/acc/top1': 0.25},
        uid=RUN['uid'],
        config_hash=IDENTITY['config_hash'],
    )
    [entry] = artifact.manifest.contents
    assert (entry.path, entry.local_path) == ('epoch_6.pth', str(logged.checkpoint))
    large = [
        path
        for path in logged.folder.rglob('*')
        if path.is_file() and path.stat().st_size > 1_000_000
    ]
    assert large == [logged.checkpoint]


def test_copies_of_the_tables_lie_with_the_run(logged):
    staged = (logged.folder / 'time/vis_data/wandb/artifacts/staging').iterdir()
    contents = {path.read_text() for path in staged}
    assert any('"true_name"' in text for text in contents)
    assert 'WANDB_DATA_DIR' not in os.environ


@pytest.mark.parametrize(
    'options, kinds',
    [
        (dict(tables=False, clips=2, size=24), ['test_clips'] * 2),
        (dict(clips=0), ['test_confusion', 'test_per_class']),
        (dict(tables=False, clips=0), []),
    ],
)
def test_options_say_what_is_logged(tmp_path, data, options, kinds):
    backend = open_run(tmp_path, media=options)
    run_test(make_runner(tmp_path, data, backend), predict(data, 1))
    backend.close()
    assert [name.rpartition('_')[0].rpartition('_')[0] for name in media_of(tmp_path)] == kinds


def test_predictions_of_an_earlier_test_are_not_shown(tmp_path, data):
    """A test that writes none, because its samples have several labels, leaves old ones."""
    write_predictions(tmp_path / 'predictions.npz', predict(data, 1))
    backend = open_run(tmp_path)
    run_test(make_runner(tmp_path, data, backend), None)
    backend.close()
    assert media_of(tmp_path) == []


def test_what_cannot_be_shown_leaves_the_rest(tmp_path):
    """One video is gone; the file of predictions of a second test is garbage."""
    data = make_data(tmp_path / 'set', 3)
    Path(data.files[0]).unlink()
    folder = tmp_path / 'run'
    folder.mkdir()
    backend = open_run(folder, media=dict(clips=3))
    runner = make_runner(folder, data, backend)
    run_test(runner, predict(data, 2))
    (folder / 'predictions.npz').write_bytes(b'garbage')
    WandbResultsHook().after_test(runner)
    backend.add_scalars({'test/acc/top1': 0.5, 'iter': 1090, 'epoch': 7})
    backend.close()
    assert [name.split('_')[1] for name in media_of(folder)] == [
        'clips',
        'clips',
        'confusion',
        'per',
    ]
    log = read_log(log_of(folder))
    assert [row['iter'] for row in log.history if 'test/acc/top1' in row] == [1080, 1090]
    assert log.exit_code == 0


def test_training_without_a_test_hands_over_its_last_checkpoint(tmp_path, data):
    (tmp_path / 'epoch_6.pth').write_bytes(b'weights')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_6.pth'))
    backend = open_run(tmp_path, log_artifact=True)
    WandbResultsHook().after_train(make_runner(tmp_path, data, backend))
    backend.close()
    [artifact] = artifacts(log_of(tmp_path))
    assert json.loads(artifact.metadata)['sha256'] == hashlib.sha256(b'weights').hexdigest()


def test_without_a_backend_nothing_happens(tmp_path, data):
    run_test(make_runner(tmp_path, data, None), predict(data, 1))
    WandbResultsHook().after_train(make_runner(tmp_path, data, None))
