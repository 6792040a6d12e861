"""Where pip installs from on this machine, by pip's own settings: the hosts, and what pip inside is told.

Nothing is fetched here. A name and password in an address stay outside.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from kaggle_runner.errors import MachineError

_ASK_SECONDS = 60.0
_DEFAULTS = (
    "from pip._internal.models.index import PyPI as index; print(index.simple_url, index.file_storage_domain)"
)
_PLACES = ("index-url", "extra-index-url", "find-links")
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_YES = ("1", "true", "yes", "on")
_MOST_CERTIFICATES = 4 << 20


class Host(NamedTuple):
    """A name in lower case, and a port."""

    name: str
    port: int


@dataclass(frozen=True, slots=True)
class PackageSource:
    """Where packages come from."""

    hosts: frozenset[Host]
    """All that can be reached, and over TLS only."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """For pip inside; no secret is among them."""
    certificates: Path | None = None
    """Authorities that pip is told to trust in place of its own."""
    withheld: tuple[str, ...] = ()
    """What of pip's settings cannot hold inside, in sentences for a person."""

    @property
    def names(self) -> str:
        return ", ".join(sorted(host.name for host in self.hosts))


def package_source() -> PackageSource:
    """As pip is set up here; blocks for half a second. Raises MachineError without pip or an index."""
    index, _, files = _said("-c", _DEFAULTS).strip().partition(" ")
    source = source_from(read_settings(_said("-m", "pip", "config", "list")), index, files, os.environ)
    if not source.hosts:
        raise MachineError(
            f"Agents cannot install packages: {' '.join(source.withheld) or 'pip has no index here.'}",
            hint="Leave --allow-packages away, or set pip up with an index that is reached over https.",
        )
    return source


def read_settings(listed: str) -> dict[str, str]:
    """What `pip config list` says: `section.name` → value."""
    found = re.findall(r"^(\S+)=(['\"].*)$", listed, re.MULTILINE)
    return {name: str(ast.literal_eval(value)) for name, value in found}


def source_from(
    settings: Mapping[str, str], default_index: str, default_files: str, environment: Mapping[str, str]
) -> PackageSource:
    """`default_index` is pip's own, and its files lie at the host `default_files`."""

    def setting(name: str) -> str:
        sections = (":env:", "install", "global")
        return next((settings[f"{one}.{name}"] for one in sections if f"{one}.{name}" in settings), "")

    withheld: list[str] = []
    hosts: set[Host] = set()
    variables = {"PIP_RETRIES": "2", "PIP_NO_CACHE_DIR": "1"}
    without_index = setting("no-index").lower() in _YES
    if without_index:
        variables["PIP_NO_INDEX"] = "1"
    for name in _PLACES:
        if without_index and name != "find-links":
            continue
        written = setting(name) or (default_index if name == "index-url" else "")
        places = [_Place.read(word, withheld) for word in written.split()]
        usable = [place for place in places if place is not None]
        hosts |= {place.host for place in usable}
        if usable and setting(name):
            variables[f"PIP_{name.upper().replace('-', '_')}"] = " ".join(place.address for place in usable)
    if hosts and not without_index:
        hosts.add(Host(default_files, 443))  # mirrors link there too
    if trusted := setting("trusted-host"):
        variables["PIP_TRUSTED_HOST"] = trusted
    if (seconds := setting("timeout") or setting("default-timeout")).isdigit():
        variables["PIP_DEFAULT_TIMEOUT"] = seconds
    told = (setting("cert"), *(environment.get(name, "") for name in _CERTIFICATES))
    certificates = _certificates(told, withheld)
    return PackageSource(frozenset(hosts), variables, certificates, tuple(dict.fromkeys(withheld)))


class _Place(NamedTuple):
    """One address of pip's settings, as it may be known inside."""

    host: Host
    address: str

    @classmethod
    def read(cls, written: str, withheld: list[str]) -> _Place | None:
        """None for what cannot be reached from inside; what is left out is told in `withheld`."""
        try:
            parts = urlsplit(written)
            name, port = (parts.hostname or "").lower(), parts.port or 443
        except ValueError:
            name, port = "", 0
        if parts.scheme not in ("http", "https") or not name:
            withheld.append("A folder that pip is set up with is not shown inside.")
            return None
        if parts.scheme == "http":
            withheld.append(f"{name} is not reached: it has no https.")
            return None
        if parts.username is not None:
            withheld.append(f"{name} is asked without the name and password that pip has for it.")
        shown = f"[{name}]" if ":" in name else name
        shown += f":{port}" if parts.port else ""
        return cls(Host(name, port), f"https://{shown}{parts.path}")


def _certificates(told: tuple[str, ...], withheld: list[str]) -> Path | None:
    path = next((Path(one) for one in told if one and Path(one).is_file()), None)
    if path is None or path.stat().st_size > _MOST_CERTIFICATES:
        return None
    if b"PRIVATE KEY" in path.read_bytes():
        withheld.append(
            "The file of certificates that pip is set up with holds a private key and is not shown."
        )
        return None
    return path


def _said(*arguments: str) -> str:
    """What pip's Python prints: the engine's, or the pip that comes with Python where the engine has none."""
    environment = dict(os.environ)
    if importlib.util.find_spec("pip") is None:
        library = sysconfig.get_path("stdlib")
        bundled = sorted(Path(library, "ensurepip", "_bundled").glob("pip-*.whl"))
        environment["PYTHONPATH"] = str(bundled[-1]) if bundled else ""
    try:
        done = subprocess.run(
            [sys.executable, *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=_ASK_SECONDS, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise MachineError(
            "How pip is set up here cannot be read, so agents cannot install packages.",
            hint=f"{sys.executable} -m pip config list should work; or leave --allow-packages away.",
        ) from error
    return done.stdout
