"""The environment in which the official `kaggle` command talks to this MLE-Live and to nothing else.

Plain http goes through the server as a proxy, so any port will do; https goes to the same server, which
refuses to forward it. Home, configuration and temporary folder are the client's own: nobody's real key is
ever read.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from kaggle_runner.errors import MachineError, ServiceError, UsageError
from kaggle_runner.files import write_whole

TOKEN_VARIABLE = "MLE_LIVE_TOKEN"
"""Where `serve` finds its user's token: not on the command line, where other users could read it."""

USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_CHECK_SECONDS = 5


def checked_username(name: str) -> str:
    """`name`, which also names folders and owns kernels and datasets. Raises UsageError."""
    if not USERNAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a user name", hint="use letters, digits, `-` and `_`, at most 50 of them"
        )
    return name


# -- what the server leaves for its clients ----------------------------------------------------------------


def write_serving(state_dir: Path, url: str) -> None:
    """Note where the server of this state folder is; `clear_serving` takes the note away."""
    write_ready_file(_serving_path(state_dir), url)


def write_ready_file(path: Path, url: str) -> None:
    """Tell a waiting parent where the server is; the file appears complete or not at all."""
    write_whole(path, json.dumps({"url": url, "pid": os.getpid()}) + "\n")


def clear_serving(state_dir: Path) -> None:
    """Remove the note of `write_serving`, unless another server has written its own meanwhile."""
    path = _serving_path(state_dir)
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")).get("pid") == os.getpid():
        path.unlink(missing_ok=True)


def serving_url(state_dir: Path) -> str:
    """The address of the server that runs on this state folder. Raises ServiceError when none answers."""
    hint = "start it in another terminal with `mle-live serve` and the same --root and --state"
    try:
        url = str(json.loads(_serving_path(state_dir).read_text(encoding="utf-8"))["url"])
    except (OSError, ValueError, KeyError) as error:
        raise ServiceError(f"no MLE-Live is serving from {state_dir}", hint=hint) from error
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url}/healthz", timeout=_CHECK_SECONDS):
            return url
    except (urllib.error.URLError, OSError) as error:
        raise ServiceError(f"MLE-Live does not answer at {url}", hint=hint) from error


def client_home(state_dir: Path, username: str) -> Path:
    """The home folder of a user's client; made when it is not there."""
    home = state_dir.resolve() / "clients" / checked_username(username)
    for folder in (home / ".kaggle", home / "tmp"):
        folder.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    return home


def kept_token(home: Path) -> str | None:
    path = token_path(home)
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def new_token(home: Path) -> str:
    """A fresh token, kept in a file of the client's home that only its owner can read."""
    token = secrets.token_urlsafe(24)
    keep_token(home, token)
    return token


def keep_token(home: Path, token: str) -> None:
    write_whole(token_path(home), token + "\n", mode=0o600)


def _serving_path(state_dir: Path) -> Path:
    return state_dir / "serving.json"


def token_path(home: Path) -> Path:
    """Where a client's home keeps its token, as the official client looks for it."""
    return home / ".kaggle" / "access_token"


# -- the client's variables ----------------------------------------------------------------------------------


def client_variables(url: str, home: Path) -> dict[str, str]:
    """The variables under which an unmodified client reaches the server at `url` and no other host.

    The token is given as a file's path, which the client accepts, so it is on no screen. Proxy variables come
    in both cases, because the lower-case ones win in most libraries.
    """
    variables = {
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),  # unfinished uploads are remembered there by path, for all users alike
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "KAGGLE_API_TOKEN": str(token_path(home)),
        "KAGGLE_CONFIG_DIR": str(home / ".kaggle"),
    }
    for name in _PROXIES:
        variables[name] = variables[name.lower()] = url
    variables["NO_PROXY"] = variables["no_proxy"] = ""  # with `localhost` in it the client goes to port 80
    return variables


def client_environment(url: str, home: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """A whole environment: what is inherited without anything of Kaggle's, and the client's variables."""
    kept = {name: value for name, value in inherited.items() if not _is_foreign(name)}
    return {**kept, **client_variables(url, home)}


def shell_lines(url: str, home: Path, inherited: Mapping[str, str]) -> list[str]:
    """Lines for a shell: `( eval "$(mle-live env)"; kaggle competitions list )`."""
    variables = client_variables(url, home)
    foreign = sorted(name for name in inherited if _is_foreign(name) and name not in variables)
    lines = [f"unset {' '.join(foreign)}"] if foreign else []
    return lines + [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def _is_foreign(name: str) -> bool:
    return name.upper().startswith(("KAGGLE_", "MLE_LIVE_"))


def run_kaggle(arguments: Sequence[str], url: str, home: Path) -> int:
    """Run the official command with its own home; its exit code.

    Raises MachineError when it is not installed.
    """
    beside = Path(sys.executable).with_name("kaggle")
    command = str(beside) if beside.is_file() else shutil.which("kaggle")
    if command is None:
        raise MachineError(
            "the official kaggle command is not installed", hint="`pip install kaggle six` installs it"
        )
    return subprocess.call([command, *arguments], env=client_environment(url, home, os.environ))
