"""Notebooks in another Python than the engine's: what they see there, and that they start at all."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from kaggle_runner.errors import PythonUnusable
from kaggle_runner.notebook.session import NotebookSession
from kaggle_runner.sandbox.bubblewrap import MINIMAL_ENVIRONMENT
from kaggle_runner.sandbox.sandbox import Sandbox
from tests.fakes.pythons import other_python, site_packages
from tests.kaggle_runner.notebook.notebooks import bench

WHERE = "import sys; print(sys.prefix)"


async def test_a_kernel_runs_in_an_environment_that_has_no_kernel_of_its_own(tmp_path: Path) -> None:
    python = other_python(tmp_path / "other")
    (site_packages(tmp_path / "other") / "only_there.py").write_text("value = 7")
    async with bench(tmp_path, python=python) as other:
        assert (await other.run(WHERE)).text == str(tmp_path / "other")
        assert (await other.run("import only_there; print(only_there.value)")).text == "7"
        missing = await other.run("import pandas")
        assert missing.error_name == "ModuleNotFoundError"  # the engine's own is not lent
        started = await other.run("!python -c 'import sys; print(sys.prefix)'")
        assert started.text == str(tmp_path / "other")


async def test_a_kernel_of_the_environments_own_is_used(tmp_path: Path) -> None:
    python = other_python(tmp_path / "other", "ipykernel")
    shutil.copytree(
        next(Path(sysconfig.get_paths()["purelib"]).glob("ipykernel-*.dist-info")),
        site_packages(tmp_path / "other") / "ipykernel-7.0.0.dist-info",
    )
    async with bench(tmp_path, python=python) as other:
        told = await other.run("import ipykernel; print(ipykernel.__file__)")
        assert told.text.startswith(str(tmp_path / "other"))


async def test_what_is_no_python_is_told_before_anything_starts(tmp_path: Path) -> None:
    sandbox = Sandbox({}, tmp_path, python=Path("/etc/passwd"))
    with pytest.raises(PythonUnusable, match="cannot be started"):
        async with NotebookSession(sandbox, log_dir=tmp_path / "logs", name="agent"):
            pass


def test_a_library_that_only_the_rpath_names_is_seen(tmp_path: Path) -> None:
    """The program and its library lie in folders that no prefix tells."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here")
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    (home / "bin").mkdir(parents=True)
    elsewhere.mkdir()
    (tmp_path / "one.c").write_text("int one(void) { return 1; }")
    (tmp_path / "program.c").write_text(
        "#include <unistd.h>\nint one(void);\n"
        f'int main(int n, char **argv) {{ one(); argv[0] = "{sys.executable}"; return execv(*argv, argv); }}'
    )
    library, program = elsewhere / "libone.so", home / "bin" / "python"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, tmp_path / "one.c"], check=True)
    linked = [f"-L{elsewhere}", "-lone", f"-Wl,-rpath,{elsewhere}"]
    subprocess.run([compiler, "-o", program, tmp_path / "program.c", *linked], check=True)
    sandbox = Sandbox({}, tmp_path, python=program)
    command = sandbox.command([str(program), "-c", f"{WHERE}"])
    done = subprocess.run(command, env=MINIMAL_ENVIRONMENT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{sys.prefix}\n", "")
