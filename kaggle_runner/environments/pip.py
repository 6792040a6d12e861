"""pip, as it is set up here, filling another environment: one package at a time, and what it says."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kaggle_runner.errors import MachineError
from kaggle_runner.texts import one_line

PipOutcome = Literal["installed", "no version", "conflict", "no network", "no room", "failed"]
_FETCHED = re.compile(r"\s*(Downloading|Using cached) (\S+) \(([\d.]+) ([kMG]?B)\)")
_MEGABYTES = {"B": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}
_OPTIONS = ("--no-input", "--disable-pip-version-check", "--only-binary", ":all:")
_TOLD = 200
_CONNECTIONS = (
    "Retrying (Retry",
    "NewConnectionError",
    "Connection error",
    "ReadTimeoutError",
    "ConnectTimeout",
)


@dataclass(frozen=True, slots=True)
class Installed:
    """How one call ended, what it fetched, and why it failed."""

    outcome: PipOutcome
    megabytes: float = 0.0
    """Of the files that it took, from the registry or from pip's own cache."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Pip:
    """Installs into the environment of `python`, by its own pip or else by the engine's."""

    python: Path
    own: bool

    @property
    def command(self) -> list[str]:
        if self.own:
            return [str(self.python), "-m", "pip"]
        if importlib.util.find_spec("pip") is None:
            raise MachineError(
                f"Neither {self.python} nor CoMind's own Python has pip.",
                hint=f"{sys.executable} -m ensurepip, or your system's python3-pip and python3-venv packages",
            )
        return [sys.executable, "-m", "pip", "--python", str(self.python)]

    def install(
        self, requirement: str, constraints: Path, on_download: Callable[[str, float], None]
    ) -> Installed:
        """Wheels only. `on_download` is told each file's name and megabytes when its download begins."""
        words = [*self.command, "install", *_OPTIONS, "--no-warn-script-location", "-c", str(constraints)]
        process = subprocess.Popen(
            [*words, requirement], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        )  # fmt: skip
        said: list[str] = []
        fetched = 0.0
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if match := _FETCHED.match(line):
                    size = float(match[3]) * _MEGABYTES[match[4]]
                    fetched += size
                    if match[1] == "Downloading":
                        on_download(match[2], size)
            code = process.wait()
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)  # then it removes what it had unpacked
                process.wait()
        return Installed("installed", fetched) if code == 0 else _failure(said, fetched)

    def versions(self, package: str) -> list[str]:
        """Those that the registry has wheels of, for this Python; empty where it has none."""
        words = [*self.command, "index", "versions", *_OPTIONS, package]
        said = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        found = re.search(r"^Available versions: (.+)$", said.stdout, re.MULTILINE)
        return [] if found is None else [version.strip() for version in found[1].split(",")]

    def uninstall(self, package: str) -> None:
        words = [*self.command, "uninstall", "--yes", "--quiet", package]
        subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def _failure(said: list[str], fetched: float) -> Installed:
    text = "".join(said)
    errors = [one_line(line)[:_TOLD] for line in said if line.startswith("ERROR")]
    why = (errors or [one_line(said[-1])[:_TOLD] if said else "pip said nothing"])[-1].removeprefix("ERROR: ")
    if "No space left on device" in text:
        return Installed("no room", fetched, why)
    if any(mark in text for mark in _CONNECTIONS):
        return Installed("no network", fetched, why)
    if "ResolutionImpossible" in text or "conflicting dependencies" in text:
        return Installed("conflict", fetched, _conflict(text) or why)
    if "No matching distribution found" in text:
        return Installed("no version", fetched, why)
    return Installed("failed", fetched, why)


def _conflict(text: str) -> str:
    """`timm 1.0 depends on torchvision, which was left out`, or what else does not go together."""
    needs = re.findall(r"^ +(\S+ \S+) depends on (\S+)", text, re.MULTILINE)
    without = set(re.findall(r"\(constraint\) ([\w.-]+)<0\b", text))  # others' constraints may follow
    for package, need in needs:
        if re.split(r"[^\w.-]", need)[0] in without:
            return f"{package} depends on {need}, which was left out"
    return "; ".join(f"{package} depends on {need}" for package, need in needs)[:_TOLD]
