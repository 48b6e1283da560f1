"""tools/convert_checkpoint.py: same logits as the paper's own code, or nothing written."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from official_networks import build_official, official_state
from tool_runs import main_of

import mmaction_ext.register  # noqa: F401
from mmaction_ext.analysis.recognition import load_recognizer

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'convert_checkpoint.py'


@pytest.fixture(scope='module')
def main():
    return main_of('convert')


@pytest.fixture(scope='module')
def tcm():
    return build_official('tcm')


@pytest.fixture
def place(tmp_path, monkeypatch, tcm):
    """A folder with a good file in it."""
    monkeypatch.chdir(tmp_path)
    torch.save({'epoch': 50, 'state_dict': official_state(tcm)}, 'in.pth')
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def same_logits(main, capsys, folder, kind, network, prefixed, frames):
    """Convert, load by the printed config, and compare; returns the config."""
    torch.save(
        {
            'epoch': 50,
            'arch': kind,
            'best_prec1': 50.0,
            'state_dict': official_state(network, prefixed),
        },
        folder / 'in.pth',
    )
    assert main([kind, str(folder / 'in.pth'), str(folder / 'out.pth')]) == 0
    cfg = Config.fromfile(capsys.readouterr().out.splitlines()[-1])
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model).eval()
    checkpoint = torch.load(folder / 'out.pth', weights_only=True)
    model.load_state_dict(checkpoint['state_dict'], strict=True)
    clips = torch.randn(2, 3, frames, 64, 64, generator=torch.Generator().manual_seed(3))
    inputs = clips.unsqueeze(1) if kind == 'mfnet' else clips.transpose(1, 2).contiguous()
    with torch.no_grad():
        expected = network(clips)
        found = model.extract_feat(inputs, stage='head')[0]
    assert (expected[0] - expected[1]).abs().max() > 0.1  # the clips can be told apart
    assert (found - expected).abs().max() < 1e-4
    return cfg


# The argmax of TCM's volume is discontinuous. With these seeds no two best matches are closer than
# 4e-6, far above float32's rounding, so that another machine cannot exchange them.
@pytest.mark.parametrize(
    'kind, frames, offsets, prefixed, seed',
    [
        ('selfy', 8, 5, True, 0),
        ('selfy', 16, 9, False, 0),
        ('selfy', 8, 3, True, 1),
        ('tcm', 8, 5, True, 0),
        ('tcm', 16, 5, False, 6),
    ],
)
def test_same_logits_at_resnet18(main, capsys, tmp_path, kind, frames, offsets, prefixed, seed):
    network = build_official(kind, 18, frames, offsets=offsets, seed=seed)
    cfg = same_logits(main, capsys, tmp_path, kind, network, prefixed, frames)
    assert Path(cfg.filename) == tmp_path / 'out.py'
    assert cfg.model.backbone.backbone.depth == 18 and cfg.input_shape == (3, frames, 224, 224)


@pytest.mark.slow
@pytest.mark.parametrize(
    'kind, depth, frames, offsets, seed, config',
    [
        ('selfy', 50, 8, 5, 0, 'selfy/table1_sthv1/selfy_tsm_r50_8f.py'),
        ('selfy', 50, 16, 9, 0, 'selfy/table1_sthv1/selfy_tsm_r50_16f.py'),
        ('tcm', 50, 8, 5, 7, 'tcm/table_sthv1/tcm_r50_8f.py'),
        ('tcm', 50, 16, 5, 4, 'tcm/table_sthv1/tcm_r50_16f.py'),
        ('selfy', 34, 8, 5, 0, None),
        ('tcm', 101, 8, 5, 6, None),
    ],
)
def test_same_logits_at_other_depths(
    main, capsys, tmp_path, kind, depth, frames, offsets, seed, config
):
    network = build_official(kind, depth, frames, offsets=offsets, seed=seed)
    cfg = same_logits(main, capsys, tmp_path, kind, network, True, frames)
    expected = ROOT / 'configs' / config if config else tmp_path / 'out.py'
    assert Path(cfg.filename).resolve() == expected


def test_same_logits_of_msnet(main, capsys, tmp_path):
    cfg = same_logits(main, capsys, tmp_path, 'msnet', build_official('msnet'), True, 8)
    assert Path(cfg.filename).resolve() == ROOT / 'configs/rivals/sthv1/msnet_r18_8f.py'


@pytest.mark.parametrize('classes, prefixed', [(400, True), (101, False)])
def test_same_logits_of_mfnet(main, capsys, tmp_path, classes, prefixed):
    network = build_official('mfnet', classes=classes)
    cfg = same_logits(main, capsys, tmp_path, 'mfnet', network, prefixed, 16)
    known = ROOT / 'configs/kpsem/pretraining/mfnet_k400.py'
    assert Path(cfg.filename).resolve() == (known if classes == 400 else tmp_path / 'out.py')


@pytest.mark.parametrize(
    'kind, layer',
    [
        ('selfy', 'base_model.selfy.stss_integration.conv1.0.weight'),
        ('selfy', 'base_model.selfy.stss_extraction.conv1.0.weight'),
        ('tcm', 'base_model.tcm_layer.tam.conv1.3.weight'),
        ('tcm', 'base_model.tcm_layer.mtdm.chnl_reduction.0.weight'),
    ],
)
def test_comparison_would_notice_another_kernel(kind, layer):
    network = build_official(kind)
    clips = torch.randn(1, 3, 8, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        before = network(clips)
        network.get_parameter(layer).copy_(network.get_parameter(layer).flip(0))
        assert (network(clips) - before).abs().max() > 0.01


def test_clips_without_a_trace_in_the_file(main, capsys, place):
    """16 frames with 5 offsets, as the released code makes them, is for --num-segments to say."""
    torch.save({'state_dict': official_state(build_official('selfy'))}, 'in.pth')
    assert main(['selfy', 'in.pth', 'out.pth']) == 0
    assert 'note: clips of 8 frames are assumed: 5 offsets do not tell' in capsys.readouterr().out
    assert main(['selfy', 'in.pth', 'long.pth', '--num-segments', '16']) == 0
    output = capsys.readouterr().out
    assert 'note:' not in output
    cfg = Config.fromfile(output.splitlines()[-1])
    assert cfg.model.backbone.num_segments == cfg.model.cls_head.num_segments == 16
    assert len(cfg.model.backbone.module.offsets) == 5


def test_data_of_another_length_than_any_config_has(main, capsys, place):
    """The thin config samples as many frames as the network takes, in all of its loaders."""
    torch.save({'state_dict': official_state(build_official('selfy'))}, 'in.pth')
    assert main(['selfy', 'in.pth', 'out.pth', '--num-segments', '12']) == 0
    cfg = Config.fromfile('out.py')
    assert cfg.num_segments == cfg.input_shape[1] == cfg.model.backbone.num_segments == 12
    for split in ('train', 'val', 'test'):
        steps = cfg[f'{split}_dataloader'].dataset.pipeline
        assert [step.num_segments for step in steps if 'num_segments' in step] == [12]
        assert steps[-1].type == 'PackActionInputs'


def test_what_is_printed_and_written(main, capsys, place):
    assert main(['tcm', 'in.pth', 'out.pth']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('file: in.pth (sha256 ')
    assert lines[1] == 'network: TSM-ResNet-18, 8 frames, 174 classes, TCM with a gate of 3'
    assert lines[-2:] == ['config: out.py', 'out.py']
    assert names(place) == ['in.pth', 'out.pth', 'out.py']
    meta = torch.load('out.pth', weights_only=True)['meta']
    assert meta == {
        'kind': 'tcm',
        'source': 'in.pth',
        'source_sha256': lines[0].split()[-1].rstrip(')'),
    }
    text = Path('out.py').read_text()
    assert meta['source_sha256'] in text and len(text.splitlines()) <= 15
    load_recognizer(Config.fromfile('out.py'), 'out.pth')  # as the other tools do


def test_last_line_is_a_path_below_the_folder_of_the_reader(main, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    torch.save(
        {'state_dict': official_state(build_official('mfnet', classes=400))}, tmp_path / 'in.pth'
    )
    assert main(['mfnet', str(tmp_path / 'in.pth'), str(tmp_path / 'out.pth')]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == 'configs/kpsem/pretraining/mfnet_k400.py'
    assert not (tmp_path / 'out.py').exists()


def test_other_names_in_a_block_are_noted(main, capsys, place, tcm):
    state = {
        name.replace('tcm_layer.', 'tcm_layer.block.'): tensor
        for name, tensor in official_state(tcm).items()
    }
    torch.save({'state_dict': state}, 'in.pth')
    assert main(['tcm', 'in.pth', 'out.pth']) == 0
    assert 'note: the block has other names' in capsys.readouterr().out


@pytest.mark.parametrize(
    'change, message',
    [
        ('unknown', '(1 unknown): unknown layer2.0.extra.weight'),
        ('missing', '(1 missing): missing tcm_layer.tam.ETA.conv.weight'),
        (
            'shape',
            '(1 misshapen): misshapen layer1.0.conv1.weight: 64x64x1x1 in the file, '
            '64x64x3x3 here',
        ),
    ],
)
def test_what_does_not_fit_is_listed_and_nothing_is_written(
    main, capsys, place, tcm, change, message
):
    state = official_state(tcm)
    if change == 'unknown':
        state['module.base_model.layer2.0.extra.weight'] = torch.ones(1)
    elif change == 'missing':
        del state['module.base_model.tcm_layer.tam.ETA.conv.weight']
    else:
        state['module.base_model.layer1.0.conv1.weight'] = torch.ones(64, 64, 1, 1)
    torch.save({'state_dict': state}, 'in.pth')
    assert main(['tcm', 'in.pth', 'out.pth']) == 2
    output = capsys.readouterr()
    assert output.err == f'error: in.pth: its tensors do not fit {message}\n'
    assert not output.out and names(place) == ['in.pth']


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda weight: weight.to_sparse(), 'is torch.sparse_coo'),
        (lambda weight: weight.long(), 'is torch.int64'),
        (lambda weight: weight.to(torch.complex64), 'is torch.complex64'),
        (lambda weight: weight * float('nan'), 'holds NaN or infinity'),
        (lambda weight: weight[:0], 'is empty, of shape (0, 512, 1)'),
    ],
)
def test_tensors_that_are_no_weights_are_refused(main, capsys, place, tcm, change, message):
    state = official_state(tcm)
    state['module.new_fc.weight'] = change(state['module.new_fc.weight'])
    torch.save({'state_dict': state}, 'in.pth')
    assert main(['tcm', 'in.pth', 'out.pth']) == 2
    output = capsys.readouterr()
    assert f'module.new_fc.weight {message}' in output.err and output.err.count('\n') == 1
    assert not output.out and names(place) == ['in.pth']


@pytest.mark.parametrize(
    'args, message',
    [
        (['tcm', 'gone.pth', 'out.pth'], 'gone.pth cannot be read: No such file or directory'),
        (['tcm', 'in.pth', 'gone/out.pth'], 'folder gone of gone/out.pth does not exist'),
        (['tcm', 'in.pth', '.'], '. is a folder'),
        (['tcm', 'in.pth', 'out.py'], 'OUT is a checkpoint, such as out.pth'),
        (['tcm', 'in.pth', 'in.pth', '--force'], 'in.pth is the file to convert'),
        (['selfy', 'in.pth', 'out.pth'], "but 'tcm_layer.' of tcm"),
        (['tcm', 'in.pth', 'out.pth', '--num-segments', '32'], 'that of 4 to 15 frames'),
    ],
)
def test_what_is_wrong_is_said_in_one_line(main, capsys, place, args, message):
    assert main(args) == 2
    output = capsys.readouterr()
    assert message in output.err and output.err.count('\n') == 1
    assert not output.out and names(place) == ['in.pth']


@pytest.mark.parametrize('existing', ['out.pth', 'out.py'])
def test_nothing_is_overwritten_unless_forced(main, capsys, place, existing):
    Path(existing).write_text('mine')
    assert main(['tcm', 'in.pth', 'out.pth']) == 2
    assert f'{existing} exists' in capsys.readouterr().err
    assert names(place) == sorted(['in.pth', existing]) and Path(existing).read_text() == 'mine'
    assert main(['tcm', 'in.pth', 'out.pth', '--force']) == 0
    load_recognizer(Config.fromfile('out.py'), 'out.pth')


@pytest.mark.parametrize('content', [b'', b'<html>not found</html>'])
def test_file_that_is_none(main, capsys, place, content):
    Path('in.pth').write_bytes(content)
    assert main(['tcm', 'in.pth', 'out.pth']) == 2
    assert 'in.pth is damaged, or no checkpoint' in capsys.readouterr().err
    assert names(place) == ['in.pth']


@pytest.mark.slow
def test_full_disk_leaves_nothing(place):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = subprocess.run(
        [sys.executable, str(TOOL), 'tcm', 'in.pth', 'out.pth'],
        check=False,
        cwd=place,
        preexec_fn=limit,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and not done.stdout
    assert 'error: out.pth cannot be written' in done.stderr
    assert names(place) == ['in.pth']


def test_failure_between_the_files_leaves_none(main, capsys, place, monkeypatch):
    written, real = [], os.fsync

    def fail(descriptor):
        written.append(descriptor)
        if len(written) == 2:
            raise OSError(28, 'No space left on device')
        real(descriptor)

    monkeypatch.setattr(os, 'fsync', fail)
    assert main(['tcm', 'in.pth', 'out.pth']) == 2
    assert 'out.pth cannot be written: No space left on device' in capsys.readouterr().err
    assert len(written) == 2 and names(place) == ['in.pth']


def test_help_says_what_the_last_line_is(main, capsys):
    with pytest.raises(SystemExit):
        main(['--help'])
    assert 'line printed is the config that OUT loads into' in capsys.readouterr().out
