"""The submissions of one competition in the account's book: what was meant to be sent, and what became of it.

A row is written before anything leaves this machine, so that a crash at any moment leaves its trace. What a
server's list says about submissions is merged into it; nothing is ever deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kaggle_runner.account import AccountBook
from kaggle_runner.kaggle.records import Submission
from kaggle_runner.moments import stamp
from kaggle_runner.rows import columns, from_row, to_row
from kaggle_runner.score import Score, finite
from kaggle_runner.submissions.records import TOKEN_DIGITS, Candidate, SentSubmission, State

TABLE = "submissions"
_KEY = ("account", "competition", "token")
_SCORE = {
    "local_score": "value", "local_low": "low", "local_high": "high", "local_rows": "rows",
    "higher_is_better": "higher_is_better", "trusted": "trusted",
}  # fmt: skip
"""Columns of a row for the fields of its score."""
_MARK = re.compile(rf"comind (\S*) (\S*) ?#([0-9a-f]{{{TOKEN_DIGITS}}})\b")
_LONGEST_WORD = 100


def description(candidate: Candidate, message: str = "") -> str:
    """What stands at Kaggle beside the submission; `mark_in` finds the token in it again."""
    told = f"comind {candidate.run} {candidate.evaluation} #{candidate.token}"
    return f"{told} {' '.join(message.split())}".strip()


def mark_in(text: str) -> tuple[str, str, str] | None:
    """(run, evaluation, token) of a description that a governor wrote, else None."""
    found = _MARK.search(text)
    return (found[1], found[2], found[3]) if found else None


class SubmissionBook:
    """One competition's rows. Use it from the thread that opened the account's book."""

    def __init__(self, book: AccountBook, competition: str) -> None:
        self._book = book
        self._competition = competition
        own = [column for column in columns(SentSubmission) if column.name != "score"]
        score = {column.name: column for column in columns(Score)}
        book.require(
            TABLE, [*own, *(score[field]._replace(name=name) for name, field in _SCORE.items())], _KEY
        )

    def rows(self) -> list[SentSubmission]:
        """All of them, oldest first."""
        found = self._book.rows(
            f"SELECT * FROM {TABLE} WHERE account = ? AND competition = ? ORDER BY created_at, token",
            (self._book.account, self._competition),
        )
        return [self._read(row) for row in found]

    def get(self, token: str) -> SentSubmission | None:
        return next((row for row in self.rows() if row.token == token), None)

    def intend(self, candidate: Candidate, reason: str, message: str, now: datetime) -> SentSubmission:
        """Journal that this is about to be sent."""
        row = SentSubmission(
            token=candidate.token,
            competition=self._competition,
            state="intended",
            run=candidate.run,
            evaluation=candidate.evaluation,
            title=candidate.title,
            file=str(candidate.path),
            sha256=candidate.facts.sha256,
            content=candidate.facts.content,
            rows=candidate.facts.rows,
            sketch=candidate.facts.sketch,
            score=candidate.score,
            reason=reason,
            message=message,
            created_at=stamp(now),
        )
        return self._save(row)

    def confirm(self, row: SentSubmission, ref: int) -> SentSubmission:
        """The server has it under this reference."""
        return self._save(replace(row, state="sent", ref=ref, error=""))

    def unanswered(self, row: SentSubmission, error: str, now: datetime) -> SentSubmission:
        """No answer came; it may be there or not."""
        return self._save(replace(row, error=error, tried_at=stamp(now)))

    def abandon(self, row: SentSubmission, why: str, now: datetime) -> SentSubmission:
        """It is certain that the server does not have it."""
        return self._save(replace(row, state="unsent", error=why, settled_at=stamp(now)))

    def merge(self, listed: Iterable[Submission], now: datetime) -> list[SentSubmission]:
        """Bring the rows up to what the server's list says, and return all of them.

        A submission with a mark of ours that this book does not know (another machine's, or from before the
        book was lost) becomes a row without a local score. Where a mark occurs twice, the earlier one counts.
        """
        rows = {row.token: row for row in self.rows()}
        tokens = {row.ref: row.token for row in rows.values() if row.ref is not None}
        for submission in sorted(listed, key=lambda one: one.ref):
            mark = mark_in(submission.message)
            token = tokens.get(submission.ref) or (mark[2] if mark else "")
            known = rows.get(token)
            if not token or (known is not None and known.ref not in (None, submission.ref)):
                continue
            row = known or _stranger(self._competition, submission, mark)
            updated = _with_word(row, submission, now)
            if updated != known:
                self._save(updated)
            rows[token] = updated
            tokens[submission.ref] = token
        return list(rows.values())

    def _save(self, row: SentSubmission) -> SentSubmission:
        values = to_row(replace(row, score=None))
        del values["score"]
        score = to_row(row.score) if row.score else {}
        self._book.save(TABLE, {**values, **{name: score.get(field) for name, field in _SCORE.items()}}, _KEY)
        return row

    def _read(self, row: dict[str, Any]) -> SentSubmission:
        score = None
        if row["local_score"] is not None:
            told = {field: row[name] for name, field in _SCORE.items()}
            score = from_row(Score, told, self._book.path)
        return replace(from_row(SentSubmission, row, self._book.path), score=score)


def by_others(history: Iterable[SentSubmission], listed: Iterable[Submission]) -> list[SentSubmission]:
    """Submissions of the account that no governor sent: by hand, by a team-mate. Never in the book."""
    known = {row.ref for row in history}
    return [
        _with_word(
            SentSubmission(
                token=f"ref-{one.ref}",
                competition="",
                state="sent",
                message=one.message,
                file=one.file_name,
                created_at=stamp(one.submitted_at) if one.submitted_at else "",
            ),
            one,
            one.submitted_at or datetime.fromtimestamp(0, UTC),
        )
        for one in listed
        if one.ref not in known
    ]


def _with_word(row: SentSubmission, submission: Submission, now: datetime) -> SentSubmission:
    """The row as the server's record of it says."""
    states: dict[str, State] = {"pending": "sent", "complete": "scored", "error": "failed"}
    state = states[submission.status]
    settled = row.settled_at or (stamp(now) if state != "sent" else "")
    return replace(
        row,
        state=state,
        ref=submission.ref,
        public_score=finite(submission.public_score),
        private_score=finite(submission.private_score),
        error=submission.error,
        settled_at=settled if state != "sent" else "",
    )


def _stranger(competition: str, submission: Submission, mark: tuple[str, str, str] | None) -> SentSubmission:
    assert mark is not None, "only marked submissions are taken over"
    run, evaluation, token = mark
    return SentSubmission(
        token=token,
        competition=competition,
        state="sent",
        run=run[:_LONGEST_WORD],
        evaluation=evaluation[:_LONGEST_WORD],
        message=submission.message,
        created_at=stamp(submission.submitted_at) if submission.submitted_at else "",
    )
