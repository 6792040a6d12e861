"""What a person installs: the wheel carries prompts, screens' styles and the shelf, and finds them."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    [path] = folder.glob("comind-*.whl")
    return path


def test_the_wheel_carries_every_file_that_is_not_code(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"comind/_prompts/{path.name}" for path in (ROOT / "prompts").glob("*.md")} <= names
    for package in ("comind_tui", "mle_live"):
        files = [
            path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts
        ]
        assert {str(path.relative_to(ROOT)) for path in files} <= names


def test_an_installed_wheel_finds_its_prompts(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "from comind.roles.prompts import Prompts, prompts_folder\n"
        "assert prompts_folder().name == '_prompts', prompts_folder()\n"
        "print(Prompts().render('coder', 'system').splitlines()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "# Role: coder", done.stderr


def test_no_test_and_no_state_is_in_the_wheel(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.startswith(("tests/", "state/", "benchmarks/"))]
