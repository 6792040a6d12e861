"""Another Python than the suite's own, cheaply: a virtual environment whose packages are links to ours."""

from __future__ import annotations

import os
import shutil
import sys
import venv
from pathlib import Path

from kaggle_runner.notebook.carried import with_needs


def other_python(folder: Path, *packages: str) -> Path:
    """The interpreter of a new environment in `folder` with these packages, and all they need, and no pip."""
    venv.create(folder, symlinks=True)
    site = site_packages(folder)
    for place in with_needs(*packages):
        if place.is_dir():
            shutil.copytree(place, site / place.name, copy_function=_link, dirs_exist_ok=True)
        else:
            _link(str(place), str(site / place.name))
    return folder / "bin" / "python"


def pretend(folder: Path, package: str, version: str) -> None:
    """The environment says that it has a package, of which there is only the name."""
    about = site_packages(folder) / f"{package}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")


def site_packages(folder: Path) -> Path:
    return folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # on another disk
        shutil.copy2(source, target)
    return target
