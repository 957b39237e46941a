"""What a wheel holds beside the package: folders that stand at the top of the repository, where people edit them.

Everything else about the package is declared in ``pyproject.toml``. ``dp_stats.settings.shipped`` finds these
folders again, in a checkout and in an installed wheel alike.
"""

from pathlib import Path
from shutil import copytree, ignore_patterns

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = {"reports": "reports", "expectations": "expectations", "dags/catalogue": "catalogue"}
"""Folder of the repository → its name in ``dp_stats/shipped`` of the wheel."""


class BuildWithFolders(build_py):
    """The usual build, and the folders; an editable installation reads them where they are."""

    def run(self) -> None:
        """Copy the package, then each folder whole."""
        super().run()
        if not self.editable_mode:
            for source, name in SHIPPED.items():
                target = Path(self.build_lib) / "dp_stats" / "shipped" / name
                copytree(source, target, ignore=ignore_patterns("__pycache__", ".*"), dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithFolders})
