"""What taking part in a competition needs, looked at before anything is spent. It changes nothing.

`doctor --competition` shows the findings; a push or a submission begins with `insist`.
"""

from __future__ import annotations

import asyncio
import difflib
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from kaggle_runner.entry.kinds import CompetitionKind, kind_of
from kaggle_runner.entry.rules import TITLES, read_rules
from kaggle_runner.errors import KaggleError
from kaggle_runner.findings import Finding, Mark
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.records import WITHOUT_ACCELERATOR, Competition
from kaggle_runner.moments import SYSTEM_CLOCK, Clock, duration

Purpose = Literal["look", "push", "submit"]
_CLOCK_TOLERANCE = 60.0
_DISK_FACTOR = 3
"""Of the data's size: the archive, what it holds, and the split that is made of it."""
_NOT_FOUND = (403, 404)


def insist(findings: list[Finding]) -> None:
    """Raise KaggleError with the first thing that is missing."""
    for one in findings:
        if one.verdict == "missing":
            raise KaggleError(f"{one.name}: {one.detail}", hint=one.hint)


async def preflight(
    client: KaggleClient,
    slug: str,
    *,
    purpose: Purpose = "look",
    gpu: bool = False,
    folder: Path | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> list[Finding]:
    """Every finding about the user, the competition and this machine, each by one or two calls.

    `purpose` decides what is indispensable: a submission needs an open competition and one left today, a push
    the data (and with `gpu` some quota). `folder` is where the data would go; None leaves the disk out. Calls
    that fail become findings: nothing is raised.
    """
    findings = await reached(client)
    if findings[0].verdict == "missing":
        return findings
    try:
        competition = await client.competition(slug)
    except KaggleError as error:
        return [*findings, await _unknown(client, slug, error)]
    moment = clock.now() + timedelta(seconds=await client.clock_offset())
    pages, unread = await _pages(client, slug)
    findings += [
        Finding("competition", "ok", f"{competition.title} ({competition.metric or 'no metric is named'})"),
        _kind(kind_of(competition, pages, moment), purpose),
        _open(competition, moment, purpose),
        await _said("rules", lambda: _rules(client, competition, purpose)),
        await _said("submissions", lambda: _submissions(client, competition, purpose), "optional"),
        await _said("quota", lambda: _quota(client, slug, purpose, gpu), "optional"),
    ]
    if folder is not None:
        findings.append(await _said("data", lambda: _disk(client, slug, folder, purpose), "optional"))
    rules = read_rules(pages)
    said = [Finding(title, "ok", unread or rules.told(topic)) for topic, title in TITLES.items()]
    return [*findings, *said]


async def _pages(client: KaggleClient, slug: str) -> tuple[dict[str, str], str]:
    """The pages, or why they cannot be read: what is silent is told from what is not known."""
    try:
        return await client.pages(slug), ""
    except KaggleError as error:
        return {}, f"not known, the pages cannot be read: {error.message}"


def _kind(kind: CompetitionKind, purpose: Purpose) -> Finding:
    if not kind.served:
        return Finding("kind", "optional" if purpose == "look" else "missing", kind.sentence, kind.hint)
    if kind.name == "host-only" and purpose == "submit":
        return Finding("kind", "missing", kind.sentence, kind.hint)
    return Finding("kind", "ok" if kind.name == "ordinary" else "optional", kind.sentence, kind.hint)


async def reached(client: KaggleClient) -> list[Finding]:
    """Whether the server answers and knows the user, and whose clock is right."""
    user = await _said("kaggle", lambda: _user(client))
    if user.verdict == "missing":
        return [user]
    return [user, await _said("clock", lambda: _clock(client), "optional")]


async def _said(name: str, look: Callable[[], Awaitable[Finding]], failed: Mark = "missing") -> Finding:
    """What `look` finds, or the trouble that it met."""
    try:
        return await look()
    except KaggleError as error:
        return Finding(name, failed, error.message, error.hint)


async def _user(client: KaggleClient) -> Finding:
    username = await client.username()
    # A legacy key is not checked by asking for its name; any call that needs credentials does it.
    await client.competitions(limit=1)
    return Finding("kaggle", "ok", f"{client.base_url} knows {username} ({client.credentials_kind})")


async def _clock(client: KaggleClient) -> Finding:
    offset = await client.clock_offset()
    if abs(offset) <= _CLOCK_TOLERANCE:
        return Finding("clock", "ok", "this machine's and the server's agree within a minute")
    way = "ahead of" if offset < 0 else "behind"
    return Finding(
        "clock",
        "optional",
        f"this machine is {duration(abs(offset))} {way} the server",
        "Deadlines and days are taken by the server's clock; set this machine's by the network's time.",
    )


async def _unknown(client: KaggleClient, slug: str, error: KaggleError) -> Finding:
    if error.status not in _NOT_FOUND:
        return Finding("competition", "missing", error.message, error.hint)
    try:
        listed = [one.slug for one in [*await client.competitions(slug), *await client.competitions()]]
    except KaggleError:
        listed = []
    near = difflib.get_close_matches(slug, listed, n=3, cutoff=0.5)
    meant = f"Did you mean {', '.join(near)}? " if near else ""
    return Finding(
        "competition",
        "missing",
        f"{client.base_url} has no competition {slug!r}, or it is not open to this user",
        f"{meant}The name is the last part of the competition's address.",
    )


def _open(competition: Competition, moment: datetime, purpose: Purpose) -> Finding:
    """Whether it takes submissions still, and until when in both time zones."""
    needed: Mark = "missing" if purpose == "submit" else "optional"
    deadline = competition.deadline
    if competition.submissions_disabled:
        return Finding(
            "deadline", needed, "submissions are disabled", "The host has closed or not opened it yet."
        )
    if deadline is None:
        return Finding("deadline", "ok", "none is named")
    if moment >= deadline:
        return Finding(
            "deadline", needed, f"closed since {_moments(deadline)}", "It takes no submissions that count."
        )
    joining = competition.new_entrant_deadline
    if joining is not None and moment >= joining and not competition.entered:
        return Finding(
            "deadline", needed, f"nobody could join after {_moments(joining)}", "Choose another competition."
        )
    left = duration((deadline - moment).total_seconds())
    return Finding("deadline", "ok", f"open for {left}, until {_moments(deadline)}")


async def _rules(client: KaggleClient, competition: Competition, purpose: Purpose) -> Finding:
    needed: Mark = "optional" if purpose == "look" else "missing"
    may = True if competition.entered else await client.may_download(competition.slug)
    if may is None:
        return Finding("rules", "optional", "cannot be told: the competition has no data to ask for")
    if may:
        return Finding("rules", "ok", "accepted")
    return Finding(
        "rules",
        needed,
        "not accepted yet",
        f"Read and accept them: https://www.kaggle.com/competitions/{competition.slug}/rules "
        "(Kaggle may ask for a verified phone there).",
    )


async def _submissions(client: KaggleClient, competition: Competition, purpose: Purpose) -> Finding:
    limits = await client.submission_limits(competition.slug)
    most = competition.max_daily_submissions
    how = " (from kernels only, no files)" if competition.kernels_only else ""
    if limits.allowed_now > 0:
        detail = f"{limits.allowed_now} allowed now; {limits.today} of {most} used today{how}"
        return Finding("submissions", "ok", detail)
    return Finding(
        "submissions",
        "missing" if purpose == "submit" else "optional",
        f"none is allowed now; {limits.today} of {most} used today{how}",
        "The day ends at midnight UTC; a team shares its submissions.",
    )


async def _quota(client: KaggleClient, slug: str, purpose: Purpose, gpu: bool) -> Finding:
    quota = await client.quota()
    needed: Mark = "missing" if gpu and purpose == "push" else "optional"
    if quota is None:
        return Finding("quota", "optional", "the server does not tell the accelerators' hours")
    facts = await client.extension_competition(slug) or {}
    if facts.get("gpu_kernels") == "refuse" or not quota.gpu.allowed:
        detail = "no GPU is given here: a kernel that asks for one is refused"
        return Finding("quota", needed, detail, f"{WITHOUT_ACCELERATOR[0].upper()}{WITHOUT_ACCELERATOR[1:]}.")
    if facts.get("gpu_kernels") == "cpu":
        return Finding("quota", "ok", "kernels that ask for a GPU run on this server's CPU, marked so")
    until = f"; the week ends {_moments(quota.refresh_at)}" if quota.refresh_at else ""
    shown = f"{quota.gpu.left / 3600:.1f} of {quota.gpu.allowed / 3600:.1f} GPU hours left"
    if quota.tpu.allowed:
        shown += f", {quota.tpu.left / 3600:.1f} of {quota.tpu.allowed / 3600:.1f} TPU hours"
    if quota.gpu.left > 0:
        return Finding("quota", "ok", f"{shown}{until}")
    return Finding(
        "quota",
        needed,
        f"{shown}{until}",
        "Kernels can run on the CPU meanwhile: --accelerator none.",
    )


async def _disk(client: KaggleClient, slug: str, folder: Path, purpose: Purpose) -> Finding:
    size = sum(file.size for file in await client.files(slug))
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    free = (await asyncio.to_thread(shutil.disk_usage, there)).free
    detail = f"{_bytes(size)} to download; {_bytes(free)} free at {there}"
    if free >= size * _DISK_FACTOR:
        return Finding("data", "ok", detail)
    return Finding(
        "data",
        "missing" if purpose == "push" else "optional",
        detail,
        f"About {_bytes(size * _DISK_FACTOR)} are needed in all; choose another disk with --state DIR.",
    )


def _moments(moment: datetime) -> str:
    """In UTC, as Kaggle counts, and in the time zone of this machine."""
    here = moment.astimezone()
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({here:%Y-%m-%d %H:%M} {here.tzname()} here)"


def _bytes(size: float) -> str:
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= limit:
            return f"{size / limit:.1f} {unit}"
    return f"{size:.0f} bytes"
