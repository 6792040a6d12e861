"""Whose place on which live board is looked at, and the watch that looks: behind the lines and the screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comind.config import Settings
from comind.state.runs import find_run, read_run
from comind_tui.text.invocation import program
from kaggle_runner.console import say
from kaggle_runner.errors import UsageError
from kaggle_runner.kaggle.addresses import URL_VARIABLE, Kaggle, chosen
from kaggle_runner.moments import Clock
from kaggle_runner.ranks.watch import RankWatch
from mle_live.shelf.entry import is_on_shelf

if TYPE_CHECKING:
    from kaggle_runner.kaggle.client import KaggleClient


@dataclass(frozen=True, slots=True)
class Watched:
    """Whose place on which board is looked at, and how often in seconds."""

    kaggle: Kaggle
    slug: str
    seconds: float = 60.0
    team: str = ""


def slug_of(text: str) -> str:
    """The competition's slug; the address of its page is as good."""
    parts = text.strip().split("?")[0].strip("/").split("/")
    if "competitions" in parts[:-1]:
        return _as_on_page(parts[parts.index("competitions") + 1])
    if len(parts) != 1 or not parts[0]:
        raise UsageError(
            f"{text!r} is not a competition of a Kaggle.",
            hint="Write its slug, the last part of its page's address. Folders have no live board.",
        )
    return _as_on_page(parts[0])


def _as_on_page(slug: str) -> str:
    """A slug that somebody began with a capital; Kaggle's own may have others inside, like AI4Code."""
    return slug.lower() if slug[1:].islower() else slug


def meant(
    competition: str | None, state: Path, url: str, environment: Mapping[str, str]
) -> tuple[Kaggle, str]:
    """The Kaggle and the competition: the one that was named, else that of the newest run, which is said.

    Raises UsageError, with the way on, for what only a run's own MLE-Live has, and ConfigError where the
    credentials of the Kaggle are missing.
    """
    named = bool(url or environment.get(URL_VARIABLE, "").strip())
    if competition:
        slug = slug_of(competition)
        if is_on_shelf(slug) and not named:
            raise _without_board(f"{slug} is a competition of the shelf", "RUN")
        return chosen(environment, url), slug
    folder = find_run(state, None)
    run = read_run(folder)
    watched = ranks_of_run(run.settings, environment)
    if watched is None and not named:
        raise _without_board(f"The newest run, {folder.id}, competed offline at {run.competition}", folder.id)
    kaggle = chosen(environment, url) if named or watched is None else watched.kaggle
    say(f"{run.competition} at {kaggle.name}, the competition of the newest run, {folder.id}")
    return kaggle, run.competition


def _without_board(why: str, run: str) -> UsageError:
    return UsageError(
        f"{why}: a run's own MLE-Live grades it there, and no Kaggle that has it is named.",
        hint=f"{program()} show {run} tells the place that a run reached. For a live board name an MLE-Live "
        "that serves it with --kaggle-url URL.",
    )


def ranks_of_run(settings: Settings, environment: Mapping[str, str]) -> Watched | None:
    """The board of a run with these settings; None for the shelf and for folders, which have no live one.

    Raises ConfigError when the credentials of its Kaggle are gone.
    """
    competition, url = settings.competition, settings.kaggle_url
    if not competition or "/" in competition or (is_on_shelf(competition) and not url):
        return None
    return Watched(chosen(environment, url), competition)


def quick_client(kaggle: Kaggle) -> KaggleClient:
    """A client whose calls give up soon: a watch asks again by itself, and people may leave meanwhile."""
    from kaggle_runner.kaggle.transport import Retries, Timeouts

    return kaggle.client(timeouts=Timeouts(connect=5.0, read=20.0), retries=Retries(tries=1))


def polite_watch(watched: Watched, database: Path, account: str, clock: Clock) -> RankWatch:
    """The watch behind the lines and the screen."""
    return RankWatch(
        quick_client(watched.kaggle),
        database,
        account,
        watched.slug,
        clock=clock,
        seconds=watched.seconds,
        team=watched.team,
    )
