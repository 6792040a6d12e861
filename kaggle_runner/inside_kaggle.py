"""What is known of the Kaggle session that this process runs in: detection, Secrets, attached data, its end.

Everything is asked of an environment that is passed in; nothing is stored, and no secret is ever put there.
How agent code is confined in such a session is in `kaggle_runner.sandbox.fence`.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kaggle_runner.errors import MachineError
from kaggle_runner.machine import stat_fields

MARK = "COMIND_INSIDE_KAGGLE"
"""Set to 1 by the notebooks that `export` writes: this container is a session's and is thrown away."""
LENGTH = "COMIND_SESSION_SECONDS"
"""How long the session may run, where that is less than Kaggle's own limit."""
WORKING = Path("/kaggle/working")
INPUT = Path("/kaggle/input")
STATE = WORKING / "comind-state"

SESSION_ENDED = "the Kaggle session ended"
"""Why a run stopped that the next session goes on with."""

CPU_SESSION_SECONDS = 12 * 3600.0
"""Kaggle's own limit of a session, the longest there is."""
GPU_SESSION_SECONDS = 9 * 3600.0
"""The same where there is an accelerator."""
_RESERVE_SECONDS = 900.0
_RESERVE_SHARE = 0.1
_KAGGLES_OWN = ("KAGGLE_DATA_PROXY_URL", "KAGGLE_URL_BASE", "KAGGLE_USER_SECRETS_TOKEN")

SECRETS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "COMIND_MODEL")
"""Labels under Add-ons → Secrets, and the variables that they stand for."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What Kaggle Secrets hold for us, by name, and why there is nothing."""

    values: Mapping[str, str]
    fault: str = ""

    def __repr__(self) -> str:
        return f"Secrets({', '.join(self.values)})"


def is_session(environment: Mapping[str, str]) -> bool:
    """Whether this is a notebook session of Kaggle's: a container that belongs to it and is thrown away.

    CoMind's own sandboxes look like Kaggle's to the code inside, and are none: they set the run's type only.
    """
    if not environment.get("KAGGLE_KERNEL_RUN_TYPE"):
        return False
    return environment.get(MARK) == "1" or any(environment.get(name) for name in _KAGGLES_OWN)


def session_seconds(environment: Mapping[str, str], *, devices: Path = Path("/dev")) -> float:
    """How long the session may run: what was set, else Kaggle's 12 hours, with an accelerator 9.

    Raises MachineError for a length that is no number.
    """
    given = environment.get(LENGTH, "").strip()
    if given:
        if not re.fullmatch(r"\d{1,7}(\.\d+)?", given):
            raise MachineError(f"{LENGTH} is {given!r}.", hint="Write seconds, for instance 32400.")
        return float(given)
    accelerated = any(devices.glob("nvidia[0-9]*")) or any(devices.glob("accel*"))
    return GPU_SESSION_SECONDS if accelerated else CPU_SESSION_SECONDS


def seconds_left(environment: Mapping[str, str], *, age: float | None = None) -> float:
    """Seconds in which a run may work before it must wind down and be packed. Never negative.

    `age` is for how long the session runs already; None asks the system how old its first process is.
    """
    whole = session_seconds(environment)
    reserve = min(_RESERVE_SECONDS, _RESERVE_SHARE * whole)
    return max(0.0, whole - reserve - (_age() if age is None else age))


def _age() -> float:
    """Seconds since the container's first process began (clock ticks since boot, in its stat)."""
    ticks = float(stat_fields(1)[19])
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))


def read_secrets(environment: Mapping[str, str]) -> Secrets:
    """The values under Kaggle's Add-ons → Secrets that are attached to this notebook.

    Nothing is asked outside a session. They are handed to the model client and to nobody else.
    """
    if not is_session(environment):
        return Secrets({})
    try:
        from kaggle_secrets import UserSecretsClient  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return Secrets({}, "this session has no Kaggle Secrets")
    found: dict[str, str] = {}
    fault = ""
    for label in SECRETS:
        try:
            client = UserSecretsClient()
            found[label] = str(client.get_secret(label)).strip()
        except (OSError, ValueError) as error:  # no connection, or no token for the service
            return Secrets(
                found, f"Kaggle Secrets cannot be reached ({type(error).__name__}): is Internet on?"
            )
        except Exception as error:
            # its own error classes are not importable elsewhere; they mean: not there, or not attached
            fault = f"Kaggle Secrets hold no {label} for this notebook ({type(error).__name__})"
            continue
    return Secrets({name: value for name, value in found.items() if value}, "" if found else fault)


def with_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with what the Secrets add to it; what is set already stays as it is."""
    return {**read_secrets(environment).values, **environment}


def attached(slug: str, *, root: Path = INPUT) -> Path | None:
    """The folder of the attached competition `slug`; Kaggle mounts it in one of two places."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", slug):
        return None
    return next((one for one in (root / slug, root / "competitions" / slug) if one.is_dir()), None)


def find_attached(name: str, *, root: Path = INPUT) -> list[Path]:
    """All files called `name` among the attached sources, at most four folders deep."""
    depths = ("*/", "*/*/", "*/*/*/", "*/*/*/*/")
    return sorted(path for depth in depths for path in root.glob(f"{depth}{name}") if path.is_file())
