"""Every guide does what it says: its commands run, in an empty folder, and print what it shows."""

import pytest
from guides import ROOT, blocks, follow

PACKAGE = ROOT / 'mmaction_ext'
#: guides with commands; that of the installation is tested with the wheel, in test_packaging.py
GUIDES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*PACKAGE.rglob('*.md'), *(ROOT / 'configs').rglob('*.md')]
    if '.mim' not in path.parts and path != PACKAGE / 'README.md' and blocks(path, 'bash')
)


@pytest.mark.slow
@pytest.mark.parametrize('guide', GUIDES)
def test_a_guide_followed_literally(guide, tmp_path):
    follow(ROOT / guide, tmp_path)
