"""The built wheel: complete, light to import, and usable as an mmaction2 plugin on its own."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def python(code, site, cwd):
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(site)),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The wheel of this checkout, built without network from what the environment holds."""
    folder = tmp_path_factory.mktemp('wheel')
    files = subprocess.run(
        ['git', 'ls-files', '-co', '--exclude-standard'],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
    ).stdout.split('\n')
    subprocess.run(
        ['tar', '-cf', folder / 'source.tar', *filter(None, files)], cwd=ROOT, check=True
    )
    (folder / 'source').mkdir()
    subprocess.run(['tar', '-xf', folder / 'source.tar', '-C', folder / 'source'], check=True)
    subprocess.run(
        [
            sys.executable,
            '-m',
            'build',
            '--wheel',
            '--no-isolation',
            '-o',
            folder / 'dist',
            folder / 'source',
        ],
        check=True,
        capture_output=True,
    )
    (path,) = (folder / 'dist').glob('*.whl')
    return path


@pytest.fixture(scope='module')
def site(wheel, tmp_path_factory):
    """A folder that holds nothing but the unpacked wheel."""
    folder = tmp_path_factory.mktemp('site')
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.slow
def test_wheel_holds_every_module_template_config_and_tool(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / 'mmaction_ext').rglob('*')
        if path.parent.name == 'templates' or (path.suffix == '.py' and '.mim' not in path.parts)
    }
    carried = {
        f'mmaction_ext/.mim/{path.relative_to(ROOT)}'
        for folder in ('configs', 'tools')
        for path in (ROOT / folder).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }
    assert package and not package - names
    assert carried and not carried - names
    assert not [name for name in names if name.startswith(('tests/', 'reports/'))]


@pytest.mark.slow
def test_wheel_says_and_holds_its_licence(wheel):
    archive = zipfile.ZipFile(wheel)
    said = {Path(name).name: archive.read(name).decode() for name in archive.namelist()}
    assert said['LICENSE'] == (ROOT / 'LICENSE').read_text()
    assert 'License-File: LICENSE\n' in said['METADATA']
    assert '\nLicense: Apache-2.0\n' in said['METADATA']


@pytest.mark.slow
def test_wheel_alone_trains_the_users_own_config(site, tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text("""
custom_imports = dict(imports=['mmaction_ext.register'], allow_failed_imports=False)
model = dict(
    type='Recognizer2D',
    backbone=dict(type='MotionBackbone', num_segments=4, stages=(2,),
                  backbone=dict(type='ResNet', depth=18, pretrained=None),
                  module=dict(type='DCF', reduction=4)),
    cls_head=dict(type='TSNHead', num_classes=5, in_channels=512))
""")
    out = python(
        f"""
import mmaction_ext, mmaction_ext.compat
mmaction_ext.compat.apply()
from mmengine.config import Config
from mmengine.registry import init_default_scope
cfg = Config.fromfile({str(config)!r})
init_default_scope('mmaction')
from mmaction.registry import MODELS
import torch
model = MODELS.build(cfg.model)
feat, _ = model.extract_feat(torch.rand(1, 4, 3, 64, 64))
print(mmaction_ext.__file__, tuple(feat.shape))
""",
        site,
        tmp_path,
    )
    assert out.splitlines()[-1] == f'{site}/mmaction_ext/__init__.py (4, 512, 2, 2)'


@pytest.mark.slow
def test_plain_mmaction2_script_can_use_the_plugin(site, tmp_path):
    """custom_imports alone is enough: nothing of ours is imported before the config."""
    config = tmp_path / 'mine.py'
    config.write_text(
        "custom_imports = dict(imports=['mmaction_ext.register'])\n"
        "model = dict(type='MotionBackbone', stages=(), "
        "backbone=dict(type='X3D', gamma_w=1))\n"
    )
    out = python(
        f"""
from mmengine.config import Config
cfg = Config.fromfile({str(config)!r})
from mmaction.registry import MODELS
print(type(MODELS.build(cfg.model)).__name__)
""",
        site,
        tmp_path,
    )
    assert out.splitlines()[-1] == 'MotionBackbone'


@pytest.mark.slow
def test_configs_of_the_wheel_resolve(site, tmp_path):
    out = python(
        """
from pathlib import Path
import mmaction_ext
from mmaction_ext.tracking.identity import config_name, load_config
configs = Path(mmaction_ext.__file__).parent / '.mim' / 'configs'
rows = [path for path in configs.rglob('*.py') if '_base_' not in path.parts]
for path in rows:
    load_config(path)
print(len(rows), config_name(rows[0]).count('configs'))
""",
        site,
        tmp_path,
    )
    rows, nested = out.split()
    assert int(rows) >= 10 and nested == '0'


def test_importing_the_package_is_light(tmp_path):
    """The promise is under half a second; what makes it slow is named instead of timed."""
    out = python(
        """
import sys
before = set(sys.modules)
import mmaction_ext
print(sorted(name for name in set(sys.modules) - before))
""",
        ROOT,
        tmp_path,
    )
    assert out == "['mmaction_ext']"
