"""Each defect of the host stack: mended where it shows, untouched where it does not.

Most cases run in a fresh interpreter, because a cure in this process would hide the defect.
"""

import functools
import inspect
import os
import pickle
import shutil
import subprocess
import sys
import threading
import types
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
import torchvision
from mmengine.model import initialize
from mmengine.runner import checkpoint

from mmaction_ext.errors import InputError


def run(code):
    """Run ``code`` in a new interpreter; returns the completed process."""
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)


def ok(code):
    result = run(code)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout.strip()


def test_missing_drn_is_replaced_by_one_that_refuses_to_be_built():
    ok("""
from mmaction_ext import compat
compat.provide_importlib_metadata()
compat.provide_drn()
import mmaction.models
try:
    mmaction.models.localizers.DRN()
except ImportError as error:
    assert '2714' in str(error)
else:
    raise SystemExit('a DRN that is not there was built')
""")


def test_present_drn_is_left_alone(tmp_path):
    package = tmp_path / 'mmaction' / 'models' / 'localizers' / 'drn'
    package.mkdir(parents=True)
    (tmp_path / 'mmaction' / '__init__.py').write_text('')
    ok(f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from mmaction_ext import compat
compat.provide_drn()
assert not [name for name in sys.modules if 'drn' in name]
""")


def test_importlib_metadata_is_aliased_only_where_it_is_absent():
    assert (
        ok("""
import sys
from importlib.machinery import PathFinder
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name == 'importlib_metadata':
            raise ModuleNotFoundError(name)
import importlib.util, importlib.metadata
real = importlib.util.find_spec
importlib.util.find_spec = lambda n, *a: None if n == 'importlib_metadata' else real(n, *a)
from mmaction_ext import compat
compat.provide_importlib_metadata()
import importlib_metadata
print(importlib_metadata is importlib.metadata)
""")
        == 'True'
    )
    assert (
        ok("""
from mmaction_ext import compat
import importlib.metadata, importlib.util
there = importlib.util.find_spec('importlib_metadata') is not None
compat.provide_importlib_metadata()
import importlib_metadata
print(there == (importlib_metadata is not importlib.metadata))
""")
        == 'True'
    )


@pytest.mark.parametrize(
    'base', ['mmaction::_base_/default_runtime.py', 'mmaction_ext::_base_/default_runtime.py']
)
def test_external_base_configs_resolve(base, tmp_path):
    config = tmp_path / 'child.py'
    config.write_text(f"_base_ = ['{base}']\nlog_level = 'ERROR'\n")
    assert (
        ok(f"""
from mmaction_ext import compat
compat.apply()
from mmengine.config import Config
cfg = Config.fromfile({str(config)!r}, import_custom_modules=False)
print(cfg.default_hooks.checkpoint.type, cfg.log_level)
""")
        == 'CheckpointHook ERROR'
    )


def test_pkg_resources_is_used_where_it_exists():
    assert (
        ok("""
import sys, types, importlib.machinery
fake = types.ModuleType('pkg_resources')
fake.__spec__ = importlib.machinery.ModuleSpec('pkg_resources', None)
sys.modules['pkg_resources'] = fake
import mmengine.config.config as config
before = config.get_installed_path
from mmaction_ext import compat
compat.replace_pkg_resources()
print(config.get_installed_path is before)
""")
        == 'True'
    )


def test_installed_path_errors_name_the_package():
    from mmaction_ext import compat

    assert not compat.is_installed('no_such_package_at_all')
    with pytest.raises(ModuleNotFoundError, match='no_such_package_at_all'):
        compat.get_installed_path('no_such_package_at_all')
    assert compat.get_installed_path('mmaction2').endswith('mmaction')
    assert compat.get_installed_path('mmengine').endswith('mmengine')


CHECKPOINT = """
import sys, numpy as np, torch
from mmengine.logging import HistoryBuffer, MessageHub
hub = MessageHub.get_instance('test')
for value in (1.5, np.float64(2.5), np.float32(3.5)):
    hub.update_scalar('loss', value)
hub.update_info('iter', np.int64(3))
"""


def test_mmengine_checkpoint_loads_safely_only_after_the_cure(tmp_path):
    path = str(tmp_path / 'checkpoint.pth')
    ok(CHECKPOINT + f'torch.save(dict(message_hub=hub.state_dict()), {path!r})')
    load = f"""
import torch
state = torch.load({path!r}, weights_only=True)
print(state['message_hub']['log_scalars']['loss'].mean())
"""
    assert run(load).returncode != 0, 'the defect is gone: the cure can go as well'
    assert ok('from mmaction_ext import compat; compat.apply()' + load) == '2.5'


def test_scheduler_states_load_safely(tmp_path):
    path = str(tmp_path / 'checkpoint.pth')
    ok(f"""
from mmaction_ext import compat
compat.apply()
import torch
from mmengine.registry import PARAM_SCHEDULERS
import mmengine.optim
for scheduler in (
        dict(type='OneCycleLR', eta_max=0.1, total_steps=4),
        dict(type='OneCycleLR', eta_max=0.1, total_steps=4, anneal_strategy='linear'),
        dict(type='CosineAnnealingLR', T_max=4), dict(type='MultiStepLR', milestones=[1, 2]),
        dict(type='LinearLR', start_factor=0.1, end=2), dict(type='PolyLR', end=4)):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    scheduler = PARAM_SCHEDULERS.build(dict(scheduler, optimizer=optimizer))
    torch.save(scheduler.state_dict(), {path!r})
    scheduler.load_state_dict(torch.load({path!r}, weights_only=True))
""")


def test_code_in_a_checkpoint_still_does_not_run(tmp_path):
    path, proof = str(tmp_path / 'evil.pth'), tmp_path / 'proof'
    ok(f"""
import os, torch
class Evil:
    def __reduce__(self):
        return os.system, ('touch {proof}',)
torch.save(dict(x=Evil()), {path!r})
""")
    result = run(f"""
from mmaction_ext import compat
compat.apply()
import torch
torch.load({path!r})
""")
    assert result.returncode != 0 and 'weights_only' in result.stderr
    assert not proof.exists()


def test_checkpoint_cannot_reach_other_attributes(tmp_path):
    path = str(tmp_path / 'evil.pth')
    ok(f"""
import torch
from mmengine.logging import HistoryBuffer
class Reach:
    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')
torch.save(dict(x=Reach()), {path!r})
""")
    result = run(f"""
from mmaction_ext import compat
compat.apply()
import torch
torch.load({path!r})
""")
    assert result.returncode != 0 and 'not allowed' in result.stderr


def test_apply_twice_changes_nothing():
    ok("""
from mmaction_ext import compat
compat.apply()
from mmengine.runner import checkpoint
from torchvision.models import _api
loaders = checkpoint.load_url, _api.load_state_dict_from_url
compat.apply()
assert loaders == (checkpoint.load_url, _api.load_state_dict_from_url)
import mmaction.models
""")


def test_text_of_a_config_is_formatted_once(monkeypatch):
    from mmengine.config import Config, config

    from mmaction_ext import compat

    original, asked = inspect.unwrap(config.FormatCode), []
    monkeypatch.setattr(
        config,
        'FormatCode',
        lambda text, **options: asked.append(text) or original(text, **options),
    )
    cfg = Config(dict(a=dict(b=[1, 2], c='x' * 90), d='y' * 90))
    expected = cfg.pretty_text
    compat.format_configs_once()
    compat.format_configs_once()
    assert [cfg.pretty_text, cfg.pretty_text] == [expected] * 2 and len(asked) == 2
    cfg.d = 'z'
    assert cfg.pretty_text == expected.replace('y' * 90, 'z') and len(asked) == 3


class Evil:
    """What runs where a checkpoint is unpickled."""

    def __reduce__(self):
        return os.mkdir, (os.environ['PROOF'],)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server's address, and its folder: a sound checkpoint and one that runs code."""
    monkeypatch.setenv('PROOF', str(tmp_path / 'ran'))
    for name, extra in (('good', {}), ('evil', dict(x=Evil()))):
        torch.save(
            dict(state_dict={'backbone.weight': torch.full((1, 2), 3.0)}, **extra),
            tmp_path / f'{name}.pth',
        )
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path / 'mmengine'))
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}', tmp_path
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture(
    params=[
        '',
        'http://',
        'modelzoo://',
        'torchvision://',
        'open-mmlab://',
        'openmmlab://',
        'openmmlab:local',
        'mmcls://',
        's3://',
        'petrel://',
        'cluster:s3://',
        'pavi://',
    ]
)
def place(request, served, monkeypatch):
    """Function from a name to where mmengine finds that checkpoint, by one of its schemes."""
    address, folder = served
    urls = {name: f'{address}/{name}.pth' for name in ('good', 'evil')}
    if request.param == 'openmmlab:local':
        (folder / 'mmengine').mkdir()
        urls = {name: f'../{name}.pth' for name in urls}
    for hub in ('torchvision_models', 'external_models', 'mmcls_models'):
        monkeypatch.setattr(checkpoint, f'get_{hub}', lambda: urls)
    cloud = types.SimpleNamespace(
        get=lambda url, **how: (folder / url.split('/')[-1]).read_bytes()
    )
    monkeypatch.setattr(checkpoint, 'get_file_backend', lambda *args, **how: cloud)
    stored = types.SimpleNamespace(
        get=lambda path: types.SimpleNamespace(
            name=path, download=lambda to: shutil.copy(folder / path, to)
        )
    )
    monkeypatch.setitem(sys.modules, 'pavi', types.SimpleNamespace(modelcloud=stored))
    scheme = request.param.replace(':local', '://')
    file = dict.fromkeys(('s3://', 'petrel://', 'cluster:s3://'), 'bucket/{}.pth')
    file.update(
        {'': f'{folder}/{{}}.pth', 'http://': f'{address[7:]}/{{}}.pth', 'pavi://': '{}.pth'}
    )
    return lambda name: scheme + file.get(scheme, '{}').format(name)


def test_no_scheme_of_mmengine_runs_what_a_checkpoint_holds(place, served):
    content = checkpoint.CheckpointLoader.load_checkpoint(place('good'), map_location='cpu')
    assert [weight.tolist() for weight in content['state_dict'].values()] == [[[3.0, 3.0]]]
    with pytest.raises(InputError, match=r'is refused: it asks for posix.mkdir'):
        checkpoint.CheckpointLoader.load_checkpoint(place('evil'), map_location='cpu')
    assert not (served[1] / 'ran').exists()


@pytest.mark.parametrize('prefix', [None, 'backbone.'])
def test_first_weights_of_a_model_run_nothing(served, prefix):
    layer = torch.nn.Linear(2, 1, bias=False)
    model = layer if prefix else torch.nn.ModuleDict(dict(backbone=layer))
    initialize(model, dict(type='Pretrained', checkpoint=f'{served[0]}/good.pth', prefix=prefix))
    assert layer.weight.tolist() == [[3.0, 3.0]]
    with pytest.raises(InputError, match=r'http://.*/evil.pth \(kept as .*\) is refused'):
        initialize(
            model, dict(type='Pretrained', checkpoint=f'{served[0]}/evil.pth', prefix=prefix)
        )
    assert not (served[1] / 'ran').exists()


def test_torchvision_runs_nothing(served):
    weights = torchvision.models.ResNet18_Weights.DEFAULT
    fake = types.SimpleNamespace(url=f'{served[0]}/evil.pth')
    with pytest.raises(pickle.UnpicklingError):
        type(weights).get_state_dict(fake)
    assert not (served[1] / 'ran').exists()


def test_address_without_a_file_is_named(served):
    with pytest.raises(InputError, match=r'/none.pth cannot be fetched: .*404'):
        checkpoint.CheckpointLoader.load_checkpoint(f'{served[0]}/none.pth')
