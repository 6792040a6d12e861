"""The monitor's verdict on a running cell, by rules over its output and its clock."""

from __future__ import annotations

import re
from itertools import pairwise

from comind.offline.prompts import number_after, quoted, sections

_BAD_LOSS = re.compile(
    r"\b(?:loss|rmse|mse|mae|score|error|objective)\b[^\n]{0,20}?[=:\s](?:-?inf|nan)\b", re.I
)
_PROGRESS = re.compile(
    r"(?:\b(?:epoch|fold|step|iteration|iter|batch)\b\s*[:#=]?\s*)(\d+)\s*(?:/|of)\s*(\d+)", re.I
)
_OVERRUN = 1.5
"""A projection from few steps is rough: only a clear overrun stops a cell."""


def watch_reply(message: str) -> str:
    parts = sections(message)
    output = quoted(parts.get("Output so far", ""))
    action, why = verdict(output, parts.get("Time", ""))
    return f"<action>{action}</action>\n<explanation>{why}</explanation>"


def verdict(output: str, time: str) -> tuple[str, str]:
    """(CONTINUE or STOP, reason)."""
    elapsed = number_after("elapsed", time, 0.0)
    limit = number_after("limit", time, 0.0)
    bad = _BAD_LOSS.search(output)
    if bad:
        return "STOP", f"The output shows a loss that is no number: {bad[0].strip()!r}."
    if output.count("Traceback (most recent call last)") >= 2:
        return "STOP", "The same cell has printed several tracebacks."
    repeated = _repeated_error(output)
    if repeated:
        return "STOP", f"An error repeats: {repeated!r}."
    losses = [
        float(value) for value in re.findall(r"\bloss[=:\s]+(\d+(?:\.\d+)?(?:e[+-]?\d+)?)", output, re.I)
    ]
    if (
        len(losses) >= 4
        and losses[-1] > 100 * max(min(losses), 1e-6)
        and losses[-1] > losses[-2] > losses[-3]
    ):
        return "STOP", f"The loss explodes: {losses[-3]:g}, {losses[-2]:g}, {losses[-1]:g}."
    steps = [(int(done), int(total)) for done, total in _PROGRESS.findall(output)]
    if steps and elapsed and limit:
        done, total = steps[-1]
        before = sum(last for (last, _), (next_, _) in pairwise(steps) if next_ <= last)
        projected = elapsed * (before + total) / max(before + done, 1)
        if 0 < done < total and elapsed > 0.2 * limit and projected > _OVERRUN * limit:
            return "STOP", (
                f"{done} of {total} took {elapsed:.0f} s: all need about {projected:.0f} s,"
                f" the limit is {limit:.0f} s."
            )
    return "CONTINUE", "Nothing in the output speaks against going on, and there is time left."


def _repeated_error(output: str) -> str:
    errors = re.findall(r"^\w*(?:Error|Exception)\b.*$", output, re.M)
    return next((line[:120] for line in errors if errors.count(line) >= 3), "")
