"""Packages that cells install, by real pip from an index on loopback, in real sandboxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kaggle_runner.packages.indexes import PackageSource, package_source
from kaggle_runner.packages.overlay import FOLDER, installed
from kaggle_runner.sandbox.batch import BatchLimits
from kaggle_runner.sandbox.sandbox import Sandbox
from tests.fakes.package_index import SECRET, package_index
from tests.fakes.pythons import other_python
from tests.fakes.wheels import write_wheel
from tests.kaggle_runner.notebook.notebooks import bench

BY_SUBPROCESS = """
import subprocess, sys
subprocess.run([sys.executable, "-m", "pip", "install", "-q", "second"], check=True)
import second; second.value
"""
BREAKING = """
import sysconfig, pathlib
pathlib.Path(sysconfig.get_paths()["purelib"], "odd.pth").write_text("import os; os._exit(1)")
"""
ELSEWHERE = """
import urllib.request
for address in ("https://elsewhere.invalid/", "http://127.0.0.1:9/"):
    try:
        urllib.request.urlopen(address, timeout=20)
    except OSError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of few packages: pip looks at each."""
    return other_python(tmp_path_factory.mktemp("python") / "small", "pip")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PackageSource]:
    folder = tmp_path_factory.mktemp("index")
    write_wheel(folder / "wheels", "tiny", "1.0", "value = 'one'\n")
    write_wheel(folder / "wheels", "second", "2.0", "import tiny\nvalue = tiny.value\n", "tiny")
    with package_index(folder / "wheels", folder):
        yield package_source()


async def test_cells_install_packages_which_the_next_session_still_has(
    source: PackageSource, python: Path, tmp_path: Path
) -> None:
    async with bench(tmp_path, packages=source, python=python) as lab:
        told = await lab.run("%pip install tiny")
        assert "Successfully installed tiny-1.0" in told.text
        assert (await lab.run("import tiny; print(tiny.value)")).text == "one"
        assert (await lab.run(BY_SUBPROCESS)).text.endswith("'one'")
        refused = (await lab.run(ELSEWHERE)).text.splitlines()
        assert "403 Only packages can be had from here, of" in refused[0] and "refused" in refused[1]
        assert SECRET not in (await lab.run("!env; cat /proc/1/environ /proc/*/cmdline")).text
    assert installed(lab.workspace) == ["second==2.0", "tiny==1.0"]
    async with bench(tmp_path, packages=source, python=python) as later:
        assert (await later.run("import second; print(second.value)")).text == "one"
        await later.run(BREAKING)
        await later.notebook.restart()
        after = await later.run("import second")
        assert "so these were removed" in after.text and after.error_name == "ModuleNotFoundError"


async def test_a_script_installs_too(source: PackageSource, python: Path, tmp_path: Path) -> None:
    sandbox = Sandbox({}, tmp_path, packages=source, python=python)
    script = "pip install -q second && python -c 'import second; print(second.value)'"
    done = await sandbox.run(["sh", "-c", script], limits=BatchLimits(120))
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\n", "")


def test_what_is_told_of_an_overlay_follows_no_link_and_takes_no_odd_name(tmp_path: Path) -> None:
    site = tmp_path / FOLDER / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    for name in (
        "Some_Thing-1.0+cpu.dist-info",
        "-r evil-1.dist-info",
        "a b-1.dist-info",
        "x.dist-info",
        "y",
    ):
        (site / name).mkdir()
    assert installed(tmp_path) == ["some-thing==1.0+cpu"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / FOLDER).symlink_to(tmp_path / FOLDER)
    assert installed(elsewhere) == [] == installed(tmp_path / "gone")
