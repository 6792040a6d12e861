"""Which submission is worth one of the few there are: pure functions of candidates, history and limits.

The rules, in order of weight:

1. Nothing goes out while the competition is closed or no submission is left, nor a file that fails its
   checks, nor one that says the same as one that was sent.
2. Only the best candidate by local score may go out; the others wait behind it.
3. A gain beyond noise over the best that was sent (the two 95 % intervals do not touch) is always worth one.
4. A gain within noise is worth one only while another is left for a gain beyond noise: unused ones expire at
   midnight UTC, so in the day's last hours the last one may go too. Almost the same predictions never are.
5. Where agents could read the validation labels, a local score proves nothing: such a solution is compared
   within its own run, and only submissions to spare are used on it.
6. Where all submissions ever are limited, gains within noise wait for the last day, and the last submission
   is kept for it.

What a rule holds back a person may still send; what the first rule refuses nobody may. It knows nothing of
networks and databases, and never sends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import NormalDist

from kaggle_runner.score import Score, better, better_beyond_noise, sort_key
from kaggle_runner.submissions.file import similarity
from kaggle_runner.submissions.records import Candidate, Level, SentSubmission, Situation, Verdict

NEARLY_THE_SAME = 0.999
"""Similarity of predictions from which a file tells nothing new."""
_LAST_HOURS = timedelta(hours=3)
"""Of the UTC day, when what is left of its submissions is about to expire."""
_LAST_DAY = timedelta(days=1)


def judge(
    candidates: Sequence[Candidate], history: Sequence[SentSubmission], now: Situation
) -> list[Verdict]:
    """One verdict a candidate, best by local score first; at most one of them says `send`."""
    sent = [row for row in history if row.counts]
    verdicts: list[Verdict] = []
    leader: Candidate | None = None
    for candidate in sorted(candidates, key=lambda one: (sort_key(one.score), one.evaluation)):
        refusal = impossible(candidate, sent, now)
        if refusal:
            verdicts.append(Verdict(candidate=candidate, level="refuse", reasons=(refusal,)))
            continue
        verdict = _worth(candidate, sent, now)
        if leader is not None and verdict.level == "send":
            waits = f"{leader.evaluation} is better and goes first"
            verdict = replace(verdict, level="hold", reasons=(waits, *verdict.reasons))
        elif verdict.level == "send":
            leader = candidate
        verdicts.append(verdict)
    return verdicts


def chosen(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The one to send by itself; None when nothing is worth a submission now."""
    return next((verdict for verdict in verdicts if verdict.level == "send"), None)


def impossible(candidate: Candidate, sent: Sequence[SentSubmission], now: Situation) -> str:
    """Why this may not be sent whoever asks for it; empty when it may."""
    if now.closed:
        return now.closed
    if candidate.facts.problems:
        return f"the file would not be scored: {candidate.facts.problems[0]}"
    if now.kernels_only and candidate.kernel is None:
        return (
            "this competition takes versions of kernels and no files; a run on Kaggle's machines makes them: "
            f"comind-tui --kaggle-push {now.url.rstrip('/').rsplit('/', 1)[-1] or 'COMPETITION'}"
        )
    same = next((row for row in sent if _says_the_same(candidate, row)), None)
    if same is not None:
        return f"it says the same as {_name(same)}, {_fate(same)}"
    if now.allowed_now <= 0:
        return used_up(now)
    return ""


def used_up(now: Situation) -> str:
    """That no submission is left, and when there will be one."""
    if now.limited_by_total:
        return f"all submissions of this competition are used ({now.used_total})"
    midnight = _midnight(now.now)
    return (
        f"the day's submissions are used up ({now.used_today} today); more from {midnight:%Y-%m-%d} 00:00 UTC"
    )


def best_sent(sent: Sequence[SentSubmission], candidate: Candidate) -> SentSubmission | None:
    """The best by local score of what was taken and can be compared with this candidate.

    Failed ones and those of unknown score are left out, and untrusted scores of other runs.
    """
    higher, trusted = candidate.score.higher_is_better, candidate.score.trusted
    known = [
        row
        for row in sent
        if row.score is not None
        and math.isfinite(row.score.value)
        and row.counts
        and row.state != "failed"
        and (row.score.higher_is_better, row.score.trusted) == (higher, trusted)
        and (trusted or row.run == candidate.run)
    ]
    return min(known, key=lambda row: sort_key(row.score) if row.score else math.inf, default=None)


def probability_better(one: Score, other: Score) -> float:
    """That `one` is truly better, both errors normal and independent.

    On one split they share their rows, so the true probability is farther from one half.
    """
    gain, deviation = one.gain_over(other.value), math.hypot(one.deviation, other.deviation)
    if deviation == 0:
        return 0.5 if gain == 0 else float(gain > 0)
    return NormalDist().cdf(gain / deviation)


def expected_gain(one: Score, other: Score) -> float:
    """E[max(0, one − other)] in the metric's units, under the same assumption."""
    gain, deviation = one.gain_over(other.value), math.hypot(one.deviation, other.deviation)
    if deviation == 0:
        return max(0.0, gain)
    z = gain / deviation
    return gain * NormalDist().cdf(z) + deviation * NormalDist().pdf(z)


def _worth(candidate: Candidate, sent: Sequence[SentSubmission], now: Situation) -> Verdict:
    best = best_sent(sent, candidate)
    if not math.isfinite(candidate.score.value):
        return Verdict(candidate=candidate, level="hold", reasons=("it has no local score",))
    if now.late:
        return _verdict(
            candidate, best, "hold", f"the deadline has passed ({_moment(now.deadline)}): it would not count"
        )
    reserve = _reserve(now)
    if reserve:
        return _verdict(candidate, best, "hold", reserve)
    trusted = candidate.score.trusted
    against, within = "", "labels could be read in its run: only the board can tell what it is worth"
    if best is not None and best.score is not None:
        against = f"{_shown(candidate.score)} against {_shown(best.score)} of {_name(best)}"
        if not better(candidate.score, best.score):
            return _verdict(candidate, best, "hold", f"no better than what was sent: {against}")
        if trusted and better_beyond_noise(candidate.score, best.score):
            return _verdict(candidate, best, "send", f"better beyond noise: {against}")
        within = f"better within noise: {against}" if trusted else f"{within} ({against})"
    elif trusted:
        return _verdict(candidate, best, "send", "nothing with a local score was sent yet")
    twin, alike = _twin(candidate, sent)
    if twin is not None:
        told = f"almost the same predictions as {_name(twin)} (they agree by {alike:.4f})"
        return _verdict(candidate, best, "hold", told)
    pause = _pace(now)
    return _verdict(candidate, best, "hold" if pause else "send", *((pause, within) if pause else (within,)))


def _verdict(candidate: Candidate, best: SentSubmission | None, level: Level, *reasons: str) -> Verdict:
    if best is None or best.score is None:
        return Verdict(candidate=candidate, level=level, reasons=reasons)
    probability = probability_better(candidate.score, best.score)
    told = f"it is truly better with probability {probability:.2f}, if errors are independent"
    return Verdict(
        candidate=candidate,
        level=level,
        reasons=(*reasons, told),
        probability=probability,
        expected_gain=expected_gain(candidate.score, best.score),
    )


def _reserve(now: Situation) -> str:
    """Why even a gain beyond noise has to wait: the last submission of all is for the last day."""
    if not now.limited_by_total or now.allowed_now > 1 or _last_day(now):
        return ""
    return "the last submission of all is kept for the competition's last day"


def _pace(now: Situation) -> str:
    """Why a gain within noise has to wait; empty when a submission can be spared for it."""
    if now.limited_by_total and not _last_day(now):
        return f"only {now.allowed_now} submissions are left in all; they are kept for gains beyond noise"
    if now.allowed_now > 1 or _last_day(now) or _midnight(now.now) - now.now <= _LAST_HOURS:
        return ""
    return "the day's last submission is kept for a gain beyond noise until 21:00 UTC"


def _last_day(now: Situation) -> bool:
    return now.deadline is not None and now.deadline - now.now <= _LAST_DAY


def _midnight(now: datetime) -> datetime:
    return (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def _says_the_same(candidate: Candidate, row: SentSubmission) -> bool:
    if row.token == candidate.token:
        return True
    return candidate.kernel is None and bool(row.sha256) and row.sha256 == candidate.facts.sha256


def _twin(candidate: Candidate, sent: Sequence[SentSubmission]) -> tuple[SentSubmission | None, float]:
    """The submission whose predictions are most like these, when they are nearly the same."""
    alike = [
        (agreement, row)
        for row in sent
        if (agreement := similarity(candidate.facts.sketch, row.sketch)) is not None
    ]
    agreement, row = max(alike, key=lambda pair: pair[0], default=(0.0, None))
    return (row, agreement) if agreement >= NEARLY_THE_SAME else (None, agreement)


def _name(row: SentSubmission) -> str:
    what = row.evaluation or f"#{row.token}"
    return f"submission {row.ref} ({what})" if row.ref else what


def _fate(row: SentSubmission) -> str:
    match row.state:
        case "scored":
            return f"which was scored {row.public_score}"
        case "failed":
            return f"which Kaggle refused: {row.error}"
        case "sent":
            return "which waits for its score"
    return "whose fate is not known yet"


def _shown(score: Score) -> str:
    """All three with as many digits after the point as the longest needs: 0.99542 [0.98856, 1.00000]."""
    texts = [f"{one:.5g}" for one in (score.value, score.low, score.high)]
    if not any("e" in text for text in texts):
        places = max(len(text.partition(".")[2]) for text in texts)
        texts = [f"{one:.{places}f}" for one in (score.value, score.low, score.high)]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "none"
