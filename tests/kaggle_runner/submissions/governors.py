"""A small world for tests of submissions: candidates as files, a book, a competition of three a day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from kaggle_runner.account import AccountBook
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.transport import Retries, Timeouts
from kaggle_runner.moments import SYSTEM_CLOCK, Clock
from kaggle_runner.score import Score
from kaggle_runner.submissions.file import Sample
from kaggle_runner.submissions.governor import Governor, Patience
from kaggle_runner.submissions.records import Candidate, FileFacts
from tests.tiny_kaggle import ROWS, SLUG, TOKEN, RunningServer, make_root, running_server, submission_text

LIMIT = 3
QUICK = Patience(settle=0.3, poll=0.05, away=0.5)
SAMPLE = submission_text([0.0] * ROWS)


def write_candidate(
    folder: Path,
    name: str,
    value: float,
    *,
    noise: float = 1.0,
    predictions: Sequence[float] = (),
    higher: bool = False,
) -> Candidate:
    """A file of predictions that all equal `value` (or are given), with the local score `value` ± `noise`."""
    folder.mkdir(parents=True, exist_ok=True)
    path, sample = folder / f"{name}.csv", folder / "sample.csv"
    sample.write_text(SAMPLE)
    path.write_text(submission_text(list(predictions) or [value + row for row in range(ROWS)]))
    score = Score(value, value - noise, value + noise, 100, higher)
    return Candidate(run="run-1", evaluation=name, path=path, score=score, facts=inspect(path, sample))


def inspect(path: Path, sample: Path) -> FileFacts:
    return Sample(sample).inspect(path)


def imagined(name: str, value: float, noise: float, *, content: str = "", higher: bool = True) -> Candidate:
    """A candidate without a file, for the policy alone."""
    facts = FileFacts(
        sha256=f"sha {content or name}", content=f"{content or name:>064}"[::-1], rows=10, bytes=99
    )
    score = Score(value, value - noise, value + noise, 100, higher)
    return Candidate(run="run-1", evaluation=name, path=Path(f"{name}.csv"), score=score, facts=facts)


@contextmanager
def three_a_day(folder: Path, *, now: datetime | None = None) -> Iterator[RunningServer]:
    """The tiny competition on a real server, at the machine's time, with three submissions a day."""
    root = make_root(folder / "root")
    settings = root / "competitions" / SLUG / "competition.yaml"
    settings.write_text(
        settings.read_text()
        .replace("max_daily_submissions: 4", f"max_daily_submissions: {LIMIT}")
        .replace("deadline: 2027-01-01T00:00:00Z", "deadline: 2126-01-01T00:00:00Z")
    )
    with running_server(root, folder / "server", now=now or SYSTEM_CLOCK.now()) as server:
        yield server


def client_of(url: str, *, tries: int = 3, read: float = 60.0) -> KaggleClient:
    """`read`: seconds until a silent server is given up."""
    timeouts = Timeouts(connect=10.0, read=read)
    return KaggleClient(url, TOKEN, timeouts=timeouts, retries=Retries(tries=tries, first_wait=0.01))


def open_book(folder: Path) -> AccountBook:
    return AccountBook(folder / "state" / "kaggle.sqlite", "alice@here")


def governor(
    book: AccountBook, url: str, *, patience: Patience = QUICK, clock: Clock = SYSTEM_CLOCK
) -> Governor:
    return Governor(book, client_of(url), SLUG, clock=clock, patience=patience)
