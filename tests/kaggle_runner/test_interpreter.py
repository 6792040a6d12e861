"""What is found of a Python that was named, and what is said of one that cannot be used."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kaggle_runner.errors import PythonUnusable
from kaggle_runner.interpreter import examine, require_kernel, shared_libraries
from kaggle_runner.machine import describe_machine
from tests.fakes.pythons import other_python, pretend


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pythons") / "environment"
    other_python(folder)
    pretend(folder, "Tqdm", "99.1")
    pretend(folder, "opencv_python.headless", "5.0")
    return folder


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_an_environment_tells_its_own_packages_and_both_its_homes(environment: Path) -> None:
    found = examine(environment / "bin" / "python")
    assert found.version == sys.version_info[:3]
    assert dict(found.packages) == {"tqdm": "99.1", "opencv-python-headless": "5.0"}
    assert {environment, Path(sys.base_prefix)} <= set(found.prefixes)
    assert describe_machine(found.path).packages == {"opencv-python-headless": "5.0", "tqdm": "99.1"}


def test_a_folder_and_a_shim_stand_for_the_python_behind_them(environment: Path, tmp_path: Path) -> None:
    shim = script(tmp_path / "python", f'exec {environment}/bin/python "$@"')
    assert examine(environment).path == examine(shim).path == environment / "bin" / "python"


def test_the_engines_own_kernel_fits_a_python_of_its_kind_only(environment: Path) -> None:
    found = require_kernel(examine(environment))
    with pytest.raises(PythonUnusable, match="has no ipykernel") as refused:
        require_kernel(replace(found, abi="cpython-399-x86_64-linux-gnu"))
    assert refused.value.hint == (
        f"{sys.executable} -m pip --python {found.path} install 'ipykernel>=7,<8'"  # it has no pip itself
    )
    other = replace(found, abi="cpython-399", packages={"ipykernel": "7.2.0"})
    assert require_kernel(other) is other
    old = replace(found, abi="cpython-399", packages={"ipykernel": "6.17.1", "pip": "25.0"})
    with pytest.raises(PythonUnusable, match=r"has only ipykernel 6\.17\.1") as refused:
        require_kernel(old)
    assert refused.value.hint == f"{found.path} -m pip install 'ipykernel>=7,<8'"
    with pytest.raises(PythonUnusable) as refused:
        require_kernel(replace(old, externally_managed=True))
    assert refused.value.hint == f"comind-tui env create --base-python {found.path}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("echo 3.99", "is not a Python that can be used: it did not tell its version"),
        ("echo 'no such library' >&2; exit 127", "is not a Python that can be used: no such library"),
        ("echo '{\"version\": [3, 9, 1]}'", "is not a Python that can be used"),
        (
            'echo \'{"version": [3, 9, 1], "executable": "/p", "prefixes": ["/", "/", "/", "/"], "abi": "", '
            '"packages": {}, "stdlib": "/p", "base": "/p", "sites": []}\'',
            "is Python 3.9.1; notebooks need 3.10 or newer",
        ),
    ],
)
def test_what_is_no_python_is_refused_in_a_sentence(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(PythonUnusable) as refused:
        examine(script(tmp_path / "python", text))
    assert told in refused.value.message and "\n" not in refused.value.message


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("text")
    for named, told in (
        (tmp_path / "gone", "There is no Python at"),
        (tmp_path, "is a folder without bin/python in it"),
        (plain, "cannot be started: Permission denied"),
        ("python-of-nobody", "There is no Python called 'python-of-nobody' here"),
    ):
        with pytest.raises(PythonUnusable, match=told):
            examine(named)


def test_the_loader_tells_a_programs_libraries() -> None:
    found = shared_libraries(os.path.realpath(sys.executable))
    assert all(path.is_file() for path in found)
