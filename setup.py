"""Adds ``mmaction_ext.pth`` to the wheel; all else of the build stands in setup.cfg."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildPy(build_py):
    """Modules and their data, and what each start of Python reads, see the module it imports."""

    def run(self) -> None:
        """Copy and write them; of an editable wheel, which has no modules, the latter alone."""
        super().run()
        install = self.distribution.get_command_obj('install')
        folder = install.install_lib if self.editable_mode else self.build_lib
        Path(folder, 'mmaction_ext.pth').write_text('import mmaction_ext.startup\n')


setup(cmdclass={'build_py': BuildPy})
