"""`comind-tui doctor`: what this machine has, what it lacks, and how to get it. It changes nothing.

With `--competition` also what taking part in it at a Kaggle needs (`kaggle_runner.entry.preflight`).
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from comind_tui.core.environment import environment_finding
from comind_tui.text.plain import labelled, terminal_width
from kaggle_runner.console import put, put_json
from kaggle_runner.environments.needs import USUAL, needed_for
from kaggle_runner.errors import ComindError
from kaggle_runner.findings import Finding, Mark
from kaggle_runner.machine import find_gpus, gpu_words

_MARKS: dict[Mark, str] = {"ok": "ok      ", "missing": "MISSING ", "optional": "optional"}
_LEAST_DISK_GB = 2.0


def doctor(arguments: Namespace) -> int:
    """Print every finding; 0 when what was asked about is possible, 4 when the machine lacks something for
    any run, 3 when only the Kaggle that was asked about does not let us."""
    base_url = arguments.base_url or os.environ.get("OPENAI_BASE_URL", "")
    findings = examine(arguments.state, base_url=base_url, python=arguments.python)
    url = getattr(arguments, "kaggle_url", "")
    asked = bool(arguments.competition or url)
    at_kaggle = examine_kaggle(url, arguments.competition, arguments.state, arguments.python) if asked else []
    possible = all(one.verdict != "missing" for one in findings)
    ready = all(one.verdict != "missing" for one in at_kaggle)
    code = 4 if not possible else 0 if ready else 3
    if arguments.json:
        shown = {"ok": code == 0, "findings": [asdict(one) for one in findings]}
        put_json({**shown, "kaggle": [asdict(one) for one in at_kaggle]} if asked else shown)
        return code
    _put(findings)
    put("A run is possible on this machine." if possible else "No run is possible yet; see MISSING above.")
    if asked:
        put()
        _put(at_kaggle)
        what = arguments.competition or "This Kaggle"
        put(f"{what} is ready to be used." if ready else f"{what} cannot be used yet; see MISSING above.")
    return code


def _put(findings: list[Finding]) -> None:
    width = terminal_width()
    for one in findings:
        put(labelled(f"{_MARKS[one.verdict]}  {one.name}", one.detail, indent=26, width=width, whole=False))
        if one.hint and one.verdict != "ok":
            put(labelled("", f"→ {one.hint}", indent=26, width=width, whole=False))


def examine_kaggle(url: str, competition: str, state: Path, python: str = "") -> list[Finding]:
    """The whole chain to a Kaggle: address, credentials, user, and the competition where one is named."""
    from kaggle_runner.entry.preflight import preflight, reached
    from kaggle_runner.kaggle.addresses import chosen

    try:
        kaggle = chosen(os.environ, url)
    except ComindError as error:
        return [Finding("credentials", "missing", error.message, error.hint)]
    found = Finding("credentials", "ok", f"{kaggle.kind} for {kaggle.name}, from {kaggle.source}")
    client = kaggle.client()
    if not competition:
        return [found, *asyncio.run(reached(client))]
    checked = asyncio.run(preflight(client, competition, purpose="push", folder=state))
    try:
        files = [file.name for file in asyncio.run(client.files(competition))]
    except ComindError:
        files = []  # whatever keeps us from the files is among the findings
    needed = needed_for(files)
    return [found, *checked, *([environment_finding(state, python, needed)] if needed else [])]


def examine(state: Path, *, base_url: str, python: str = "") -> list[Finding]:
    """Every finding, in the order of the report."""
    checks: tuple[Callable[[], Finding], ...] = (
        _python, _packages, _sandbox, lambda: _state(state), lambda: _disk(state),
        lambda: environment_finding(state, python, USUAL), _gpu, _key, lambda: _endpoint(base_url),
        _kaggle_token, _terminal,
    )  # fmt: skip
    return [check() for check in checks]


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    verdict: Mark = "ok" if sys.version_info >= (3, 11) else "missing"
    return Finding("python", verdict, f"{found} at {sys.executable}", "Python 3.11 or newer is needed.")


def _packages() -> Finding:
    needed = list(_required_packages())
    absent = [name for name in needed if _version(name) is None]
    if absent:
        return Finding(
            "packages",
            "missing",
            f"not installed: {', '.join(absent)}",
            "Reinstall: pip install --upgrade comind",
        )
    shown = ("openai", "textual", "jupyter_client", "kaggle", "pandas", "scikit-learn")
    versions = ", ".join(f"{name} {_version(name)}" for name in shown)
    return Finding("packages", "ok", f"all {len(needed)} are installed ({versions})")


def _required_packages() -> Iterator[str]:
    for requirement in requires("comind") or []:
        marker = requirement.partition(";")[2]
        if "extra ==" in marker or ("sys_platform" in marker and sys.platform not in marker):
            continue
        yield re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _sandbox() -> Finding:
    from kaggle_runner.sandbox.sandbox import probe

    try:
        report = asyncio.run(probe())
    except ComindError as error:
        return Finding("sandbox", "missing", error.message, error.hint)
    return Finding("sandbox", "ok" if report.ok else "missing", report.detail, report.hint)


def _state(state: Path) -> Finding:
    existing = _nearest_existing(state)
    if os.access(existing, os.W_OK | os.X_OK) and existing.is_dir():
        return Finding("state", "ok", f"{state.absolute()} can be written")
    return Finding("state", "missing", f"{existing} cannot be written", "Choose another with --state DIR.")


def _disk(state: Path) -> Finding:
    free = shutil.disk_usage(_nearest_existing(state)).free / 1e9
    verdict: Mark = "ok" if free >= _LEAST_DISK_GB else "missing"
    return Finding("disk", verdict, f"{free:.1f} GB free", f"At least {_LEAST_DISK_GB:g} GB are needed.")


def _nearest_existing(path: Path) -> Path:
    return next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())


def _gpu() -> Finding:
    hint = "Runs work on the CPU; for NVIDIA GPUs install the driver, which brings nvidia-smi."
    found = find_gpus()
    return Finding("gpu", "ok" if found else "optional", gpu_words(found), hint)


def _key() -> Finding:
    from kaggle_runner.inside_kaggle import is_session, read_secrets

    if os.environ.get("OPENAI_API_KEY"):
        return Finding("model key", "ok", "OPENAI_API_KEY is set")
    if is_session(os.environ):
        secrets = read_secrets(os.environ)
        if "OPENAI_API_KEY" in secrets.values:
            return Finding("model key", "ok", "OPENAI_API_KEY is in Kaggle Secrets")
        hint = "Add-ons → Secrets: attach OPENAI_API_KEY, and switch Internet on; --offline needs neither."
        return Finding("model key", "optional", secrets.fault or "Kaggle Secrets hold no key", hint)
    hint = "Set OPENAI_API_KEY, or give --base-url of a server of your own; --offline needs neither."
    return Finding("model key", "optional", "OPENAI_API_KEY is not set", hint)


def _endpoint(base_url: str) -> Finding:
    """Any HTTP answer counts: whether the key and the model are right is checked when a run starts."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    if not base_url:
        return Finding("endpoint", "optional", "none given", "Check one with doctor --base-url URL.")
    if not base_url.startswith(("http://", "https://")):
        return Finding(
            "endpoint", "optional", f"{base_url!r} is no address", "It must begin with http:// or https://."
        )
    try:
        with urlopen(f"{base_url.rstrip('/')}/models", timeout=10):
            return Finding("endpoint", "ok", f"{base_url} answers")
    except HTTPError as error:
        return Finding("endpoint", "ok", f"{base_url} answers (HTTP {error.code})")
    except (URLError, OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        return Finding(
            "endpoint", "optional", f"{base_url} does not answer: {reason}", "Is the server running?"
        )


def _kaggle_token() -> Finding:
    from kaggle_runner.kaggle.addresses import configured

    try:
        kaggles = configured(os.environ)
    except ComindError as error:
        return Finding("kaggle token", "optional", error.message, error.hint)
    if kaggles:
        told = "; ".join(f"{one.kind} for {one.name}, from {one.source}" for one in kaggles)
        return Finding("kaggle token", "ok", f"{told} (checked with --competition SLUG)")
    hint = "Only kaggle.com needs one: kaggle.com/settings → API. Competitions of `competitions` need none."
    return Finding("kaggle token", "optional", "none found", hint)


def _terminal() -> Finding:
    size = shutil.get_terminal_size()
    colours = (
        "no colours (NO_COLOR)"
        if os.environ.get("NO_COLOR")
        else os.environ.get("COLORTERM") or "256 colours"
    )
    if not sys.stdout.isatty():
        return Finding(
            "terminal", "optional", "none (piped); the screens need one", "--headless works without."
        )
    if size.columns < 60 or size.lines < 15:
        return Finding(
            "terminal", "optional", f"{size.columns}x{size.lines} is small", "80x24 or more is comfortable."
        )
    return Finding("terminal", "ok", f"{size.columns}x{size.lines}, {os.environ.get('TERM', '')}, {colours}")
