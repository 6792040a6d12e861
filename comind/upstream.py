"""Which Kaggle a run talks to: an MLE-Live child for shelf competitions and folders, else kaggle.com itself.

The same client speaks to both; only the address and the credentials differ.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comind.config import RunConfig
from comind.runs import RunFolder
from kaggle_runner.client import KaggleClient
from kaggle_runner.errors import ComindError, UnknownCompetition

KAGGLE_URL = "https://api.kaggle.com"


@dataclass(frozen=True, slots=True)
class Upstream:
    client: KaggleClient
    slug: str
    simulated: bool
    """A loopback MLE-Live of this run: submitting to it needs nobody's leave."""


def mle_live_root(state: Path) -> Path:
    """Where MLE-Live keeps prepared competitions, shared by the runs of one state folder."""
    return state / "mle_live"


def resolve_slug(config: RunConfig, state: Path, environment: Mapping[str, str]) -> str:
    """The competition's slug, after every check that costs nothing.

    Raises UnknownCompetition or BadCompetition with what to do; touches nothing on disk.
    """
    from mle_live.folder import load_folder
    from mle_live.shelf import list_shelf

    local = Path(config.competition).expanduser().resolve()
    hidden = (state.resolve(),)
    if config.is_folder:
        return load_folder(local, hidden=hidden).slug
    shelf = [entry.slug for entry in list_shelf()]
    if config.competition in shelf or kaggle_credentials(environment):
        return config.competition
    if local.is_dir():
        return load_folder(local, hidden=hidden).slug
    raise UnknownCompetition(
        f"There is no competition {config.competition!r} on the shelf, and no folder of that name.",
        hint=f"On the shelf: {', '.join(shelf)}. For kaggle.com set KAGGLE_API_TOKEN; or name a folder "
        "that holds train.csv, test.csv and sample_submission.csv.",
    )


def kaggle_credentials(environment: Mapping[str, str]) -> str | tuple[str, str] | None:
    """A token, or a user name with its key, from the environment or ~/.kaggle; None when there is neither."""
    token = environment.get("KAGGLE_API_TOKEN", "").strip()
    if token:
        path = Path(token)
        return path.read_text(encoding="utf-8").strip() if len(token) < 200 and path.is_file() else token
    if environment.get("KAGGLE_USERNAME") and environment.get("KAGGLE_KEY"):
        return environment["KAGGLE_USERNAME"], environment["KAGGLE_KEY"]
    home = Path(environment.get("HOME", "~")).expanduser() / ".kaggle"
    if (home / "access_token").is_file():
        return (home / "access_token").read_text(encoding="utf-8").strip()
    return None


@asynccontextmanager
async def open_upstream(
    config: RunConfig, folder: RunFolder, state: Path, *, tell: Callable[[str], None]
) -> AsyncIterator[Upstream]:
    """Prepare the competition where needed, start its server, and hand out a client.

    `tell` is given a line for each step of a preparation, on the event loop.
    """
    from mle_live.process import MleLiveProcess
    from mle_live.shelf import list_shelf, prepare

    root = mle_live_root(state)
    shelf = {entry.slug for entry in list_shelf()}
    local = Path(config.competition).expanduser()
    if not config.is_folder and config.competition in shelf:
        loop = asyncio.get_running_loop()

        def progress(line: str) -> None:
            loop.call_soon_threadsafe(tell, line)

        await asyncio.to_thread(prepare, config.competition, root, progress=progress)
        source: dict[str, Any] = {"slug": config.competition}
        slug = config.competition
    elif config.is_folder or local.is_dir():
        # a state folder inside the user's folder is not part of the data
        source = {"folder": local.resolve(), "hidden": (state.resolve(),)}
        slug = resolve_slug(config, state, {})
    else:
        yield _kaggle(config)
        return
    token = secrets.token_hex(16)
    process = MleLiveProcess(
        root,
        log_path=folder.path / "mle_live.log",
        token=token,
        state_dir=folder.path / "mle_live",
        reveal_private=True,
        **source,
    )
    async with process as server:
        yield Upstream(KaggleClient(server.url, token), slug, simulated=True)


def _kaggle(config: RunConfig) -> Upstream:
    credentials = kaggle_credentials(os.environ)
    if credentials is None:
        raise ComindError(
            "The Kaggle credentials this run began with are gone.", hint="Set KAGGLE_API_TOKEN."
        )
    return Upstream(KaggleClient(KAGGLE_URL, credentials), config.competition, simulated=False)
