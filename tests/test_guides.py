"""Every guide does what it says: its commands run, in an empty folder, and print what it shows."""

import re

import pytest
from guides import ROOT, blocks, follow

PACKAGE = ROOT / 'mmaction_ext'
TEXTS = [ROOT / 'README.md', *PACKAGE.rglob('*.md'), *(ROOT / 'configs').rglob('*.md')]
#: guides with commands; that of the installation is tested with the wheel, in test_packaging.py
GUIDES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in TEXTS
    if '.mim' not in path.parts and path != PACKAGE / 'README.md' and blocks(path, 'bash')
)


@pytest.mark.slow
@pytest.mark.parametrize('guide', GUIDES)
def test_a_guide_followed_literally(guide, tmp_path):
    follow(ROOT / guide, tmp_path)


def test_what_texts_link_to_is_there():
    lacking = [
        (path.relative_to(ROOT).as_posix(), target)
        for path in TEXTS
        if '.mim' not in path.parts
        for target in re.findall(r'\]\((?!https?:|#)([^)#]+)', path.read_text(encoding='utf-8'))
        if not (path.parent / target).exists()
    ]
    assert not lacking
