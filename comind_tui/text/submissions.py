"""Submissions as people and scripts read them: verdicts, limits, the ledger, the final picks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from comind_tui.text.plain import interval, labelled, table
from kaggle_runner.moments import stamp
from kaggle_runner.score import Score, written
from kaggle_runner.submissions.governor import AccountStanding
from kaggle_runner.submissions.ledger import Ledger
from kaggle_runner.submissions.records import Candidate, SentSubmission, Situation, Verdict

_WORDS = {"send": "worth sending", "hold": "held back", "refuse": "impossible"}
_INDENT = 13


def limits_line(now: Situation) -> str:
    """What is left, in one sentence."""
    left = f"{now.allowed_now} left " + ("in all" if now.limited_by_total else "today")
    of = f" of {now.daily} a day" if now.daily and not now.limited_by_total else ""
    return f"{left}{of} ({now.used_today} today, {now.used_total} in all, team-mates' included)"


def deadline_line(now: Situation) -> str:
    if now.deadline is None:
        return "none is told"
    if now.late:
        return f"{now.deadline:%Y-%m-%d %H:%M} UTC, which has passed: submissions count no more"
    left = now.deadline - now.now
    return (
        f"{now.deadline:%Y-%m-%d %H:%M} UTC, in {left.days} d {left.seconds // 3600} h by the server's clock"
    )


def verdict_table(verdicts: Sequence[Verdict], *, width: int | None) -> str:
    rows = [
        (
            one.candidate.evaluation,
            interval(one.candidate.score),
            "–" if one.probability is None else f"{one.probability:.2f}",
            _WORDS[one.level],
            one.reasons[0],
        )
        for one in verdicts
    ]
    return table(("SOLUTION", "LOCAL SCORE", "P(BETTER)", "VERDICT", "WHY"), rows, width=width, right=(2,))


def offer_text(verdict: Verdict, now: Situation, *, kaggle: str, slug: str, width: int | None) -> str:
    """One candidate with everything a person needs for a yes or a no."""
    candidate = verdict.candidate
    lines = [
        ("to", f"{slug} at {kaggle}"),
        ("what", _what(candidate)),
        ("checks", _checks(candidate)),
        ("local score", f"{interval(candidate.score)} on {candidate.score.rows} selection rows"),
        ("verdict", f"{_WORDS[verdict.level]}: {verdict.reason}"),
        ("submissions", limits_line(now)),
        ("deadline", deadline_line(now)),
    ]
    return "\n".join(labelled(name, value, indent=_INDENT, width=width) for name, value in lines)


def _what(candidate: Candidate) -> str:
    title = f" ({candidate.title})" if candidate.title else ""
    if candidate.kernel is not None:
        kernel = candidate.kernel
        return f"{candidate.evaluation}{title}: {kernel.file_name} of {kernel.ref}, version {kernel.version}"
    return f"{candidate.evaluation}{title}: {candidate.path.name}, {candidate.facts.bytes:,} bytes"


def _checks(candidate: Candidate) -> str:
    if candidate.facts.problems:
        return "; ".join(candidate.facts.problems)
    facts = candidate.facts
    return f"{facts.rows:,} rows, columns and ids as in the sample, SHA-256 {facts.sha256[:12]}"


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    candidate = verdict.candidate
    return {
        "evaluation": candidate.evaluation,
        "title": candidate.title,
        "verdict": verdict.level,
        "reasons": list(verdict.reasons),
        "probability_better": verdict.probability,
        "expected_gain": verdict.expected_gain,
        "local": score_document(candidate.score),
        "file": str(candidate.path),
        "sha256": candidate.facts.sha256,
        "rows": candidate.facts.rows,
        "problems": list(candidate.facts.problems),
        "kernel": asdict(candidate.kernel) if candidate.kernel else None,
    }


def situation_document(now: Situation) -> dict[str, Any]:
    return {
        "allowed_now": now.allowed_now,
        "today": now.used_today,
        "total": now.used_total,
        "daily_limit": now.daily,
        "limited_by_total": now.limited_by_total,
        "kernels_only": now.kernels_only,
        "closed": now.closed or None,
        "now": stamp(now.now),
        "deadline": stamp(now.deadline) if now.deadline else None,
    }


def score_document(score: Score | None) -> dict[str, Any] | None:
    if score is None or not math.isfinite(score.value):
        return None
    return {**score.as_dict(), "trusted": score.trusted}


def submission_document(row: SentSubmission) -> dict[str, Any]:
    return {
        "ref": row.ref,
        "state": row.state,
        "run": row.run or None,
        "evaluation": row.evaluation or None,
        "title": row.title,
        "public_score": row.public_score,
        "private_score": row.private_score,
        "local": score_document(row.score),
        "reason": row.reason,
        "message": row.message,
        "file": row.file,
        "sha256": row.sha256 or None,
        "error": row.error,
        "at": row.created_at or None,
    }


def ledger_document(ledger: Ledger) -> dict[str, Any]:
    risk = ledger.shakeup
    return {
        "points": ledger.points,
        "pearson": ledger.pearson,
        "spearman": ledger.spearman,
        "gap": asdict(ledger.gap) if ledger.gap else None,
        "shakeup": {**asdict(risk), "level": risk.level} if risk else None,
        "notes": list(ledger.notes),
        "final_picks": [
            {
                "ref": pick.submission.ref,
                "evaluation": pick.submission.evaluation or None,
                "reason": pick.reason,
            }
            for pick in ledger.picks
        ],
    }


def standing_text(
    standing: AccountStanding, rows: Sequence[SentSubmission], ledger: Ledger, *, name: str, width: int | None
) -> str:
    """What `submissions` prints: the table, what is left, the ledger, the picks."""
    lines = [
        ("competition", f"{standing.competition.slug} at {name}"),
        ("submissions", limits_line(standing.situation)),
        ("deadline", deadline_line(standing.situation)),
        *_ledger_lines(ledger),
    ]
    head = "\n".join(labelled(label, value, indent=_INDENT, width=width) for label, value in lines)
    return f"{_rows_table(rows, width)}\n\n{head}" if rows else head


def _rows_table(rows: Sequence[SentSubmission], width: int | None) -> str:
    shown = [
        (
            str(row.ref or "–"),
            row.created_at[:16].replace("T", " "),
            _state(row),
            "–" if row.public_score is None else written(row.public_score),
            "–" if row.score is None else written(row.score.value),
            row.evaluation or "by hand",
            row.error or row.reason or row.message,
        )
        for row in sorted(rows, key=lambda row: row.created_at, reverse=True)
    ]
    headers = ("REF", "WHEN (UTC)", "STATE", "PUBLIC", "LOCAL", "SOLUTION", "WHY")
    return table(headers, shown, width=width, right=(3, 4))


def _state(row: SentSubmission) -> str:
    return {"intended": "not known", "sent": "pending", "unsent": "not sent"}.get(row.state, row.state)


def _ledger_lines(ledger: Ledger) -> list[tuple[str, str]]:
    lines = []
    if ledger.spearman is not None and ledger.pearson is not None:
        told = (
            f"Spearman {ledger.spearman:.2f}, Pearson {ledger.pearson:.2f} over {ledger.points} submissions"
        )
        lines.append(("local–public", told))
    if ledger.gap is not None:
        spread = "" if ledger.gap.spread is None else f" ± {written(ledger.gap.spread)}"
        lines.append(("gap", f"public − local: {written(ledger.gap.mean)}{spread}"))
    if ledger.shakeup is not None:
        risk = ledger.shakeup
        told = f"{risk.level}: the best two change places with probability {risk.probability:.2f}"
        lines.append(("shake-up", f"{told} ({risk.assumed})"))
    lines += [("note", note) for note in ledger.notes]
    for pick in ledger.picks:
        named = pick.submission.evaluation or pick.submission.file
        lines.append(("final pick", f"{pick.submission.ref} ({named}): {pick.reason}"))
    return lines
