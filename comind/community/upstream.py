"""Which Kaggle a run talks to: its own MLE-Live child for shelf competitions and folders, else a Kaggle.

The same client speaks to all; only the address and the credentials differ. An address that was named
(--kaggle-url, COMIND_KAGGLE_URL) takes every slug, those of the shelf too.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from comind.config import RunConfig, Settings
from comind.evaluator.metric_file import asked_metric
from comind.state.runs import RunFolder
from kaggle_runner.command_line import did_you_mean
from kaggle_runner.entry.preflight import insist, preflight
from kaggle_runner.errors import ConfigError, NoReadySplit, UnknownCompetition
from kaggle_runner.kaggle.addresses import URL_VARIABLE, Kaggle, chosen, kaggle_credentials
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.records import KAGGLE_URL
from mle_live.layout.stated import StatedFiles
from mle_live.shelf.entry import is_on_shelf, list_shelf


@dataclass(frozen=True, slots=True)
class Upstream:
    client: KaggleClient
    slug: str
    simulated: bool
    """A loopback MLE-Live of this run: submitting to it needs nobody's leave."""


def mle_live_root(state: Path) -> Path:
    """Where MLE-Live keeps prepared competitions, shared by the runs of one state folder."""
    return state / "mle_live"


def settled(config: RunConfig, environment: Mapping[str, str]) -> RunConfig:
    """The settings with what the environment decides written into them: a resumed run goes there again.

    Raises ConfigError where a folder is to go to a Kaggle, and for an address that cannot be meant.
    """
    config = _as_folder(config, environment)
    if config.is_folder:
        if config.kaggle_url:
            raise ConfigError(
                f"{config.competition!r} is a folder: it is served by the run itself, not by --kaggle-url.",
                hint="Leave --kaggle-url out, or name the competition by its slug there.",
            )
        return config
    if config.kaggle_url or environment.get(URL_VARIABLE, "").strip():
        return replace(config, kaggle_url=chosen(environment, config.kaggle_url).url)
    if not is_on_shelf(config.competition) and kaggle_credentials(environment):
        return replace(config, kaggle_url=KAGGLE_URL)
    return config


def resolve_slug(config: RunConfig, state: Path, environment: Mapping[str, str]) -> str:
    """The competition's slug, after every check that costs nothing.

    Raises UnknownCompetition, BadCompetition or ConfigError with what to do; touches nothing on disk.
    """
    from mle_live.competitions.folder import look_at_folder
    from mle_live.competitions.metric_choice import require_metric

    config = settled(config, environment)
    asked = asked_metric(config)
    if config.is_folder:
        local = Path(config.competition).expanduser().resolve()
        with TemporaryDirectory(prefix="comind-look-") as place:
            look = look_at_folder(
                local, Path(place) / "arranged", hidden=(state.resolve(),), metric=asked,
                stated=stated_files(config),
            )  # fmt: skip
            try:
                found = look.hosted(split_is_written=not config.offline)
            except NoReadySplit as error:
                more = "; in a run with a language model (without --offline) the evaluator writes a split"
                raise NoReadySplit(error.message, hint=f"{error.hint}{more}") from error
        if config.offline:
            require_metric(found.metric_choice, found.slug)
        return found.slug
    upstream_kaggle(config, environment)
    return config.competition


def stated_files(config: Settings) -> StatedFiles:
    """What the settings say of the competition's files; the rest is found in them."""
    return StatedFiles(config.files, config.id_column, config.target, config.positive_class)


def upstream_kaggle(config: Settings, environment: Mapping[str, str]) -> Kaggle | None:
    """The Kaggle that a slug's run talks to; None for the run's own MLE-Live child.

    Raises ConfigError where credentials are missing, UnknownCompetition where only the shelf can be meant.
    """
    if config.is_folder:
        return None
    if config.kaggle_url or environment.get(URL_VARIABLE, "").strip():
        return chosen(environment, config.kaggle_url)
    if is_on_shelf(config.competition):
        return None
    if kaggle_credentials(environment):
        return chosen(environment)
    shelf = [entry.slug for entry in list_shelf()]
    hint = f"On the shelf: {', '.join(shelf)}. For kaggle.com set KAGGLE_API_TOKEN; or name a folder "
    raise UnknownCompetition(
        f"There is no competition {config.competition!r} on the shelf, and no folder of that name.",
        hint=f"{did_you_mean(config.competition, shelf)} {hint}".lstrip() + "with a competition's files.",
    )


async def check_upstream(config: RunConfig, environment: Mapping[str, str], state: Path) -> list[str]:
    """What reading a competition from a Kaggle needs, before anything is spent: user, name, rules, disk.

    Returns what kind of competition it is where that is no ordinary one. Raises KaggleError or ConfigError
    with the first thing missing. The run's own child needs nothing.
    """
    kaggle = upstream_kaggle(config, environment)
    if kaggle is None:
        return []
    findings = await preflight(kaggle.client(), config.competition, purpose="push", folder=state)
    insist(findings)
    return [f"{one.detail}. {one.hint}" for one in findings if one.name == "kind" and one.verdict != "ok"]


def _as_folder(config: RunConfig, environment: Mapping[str, str]) -> RunConfig:
    """A bare name that only a folder here can be meant by becomes that folder's path."""
    named = config.is_folder or config.kaggle_url or environment.get(URL_VARIABLE, "").strip()
    if named or is_on_shelf(config.competition):
        return config
    if kaggle_credentials(environment) or not Path(config.competition).expanduser().is_dir():
        return config
    return replace(config, competition=f"./{config.competition}")


@asynccontextmanager
async def open_upstream(
    config: RunConfig, folder: RunFolder, state: Path, *, tell: Callable[[str], None]
) -> AsyncIterator[Upstream]:
    """Prepare the competition where needed, start its server, and hand out a client.

    `tell` is given a line for each step of a preparation, on the event loop.
    """
    from mle_live.competitions.folder import slug_of
    from mle_live.process import MleLiveProcess
    from mle_live.shelf.preparation import prepare

    # Where it goes was settled when the run was made; a variable set since must not lead a resumed run away.
    environment = {name: value for name, value in os.environ.items() if name != URL_VARIABLE}
    kaggle = upstream_kaggle(config, environment)
    if kaggle is not None:
        yield Upstream(kaggle.client(), config.competition, simulated=False)
        return
    root = mle_live_root(state)
    if config.is_folder:
        # a state folder inside the user's folder is not part of the data
        local = Path(config.competition).expanduser().resolve()
        source: dict[str, Any] = {"folder": local, "hidden": (state.resolve(),)}
        if config.metric or config.metric_file:
            source["metric"] = config.metric  # one of a file is not known to the server, nor needed there
        source["stated"] = stated_files(config).as_settings()
        slug = slug_of(local)
    else:
        loop = asyncio.get_running_loop()

        def progress(line: str) -> None:
            loop.call_soon_threadsafe(tell, line)

        await asyncio.to_thread(prepare, config.competition, root, progress=progress)
        source = {"slug": config.competition}
        slug = config.competition
    token = secrets.token_hex(16)
    process = MleLiveProcess(
        root,
        log_path=folder.path / "mle_live.log",
        token=token,
        state_dir=folder.path / "mle_live",
        reveal_private=True,
        python=config.notebook_python,
        gpu_kernels=config.gpu_kernels,
        allow_packages=config.allow_packages,
        **source,
    )
    async with process as server:
        yield Upstream(KaggleClient(server.url, token), slug, simulated=True)
