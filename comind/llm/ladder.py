"""How well each model keeps to the reply formats: the ladder of `question.py`, measured over a run.

It only reads what the store holds.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from comind.state.reader import Reader, Received
from comind.state.records import EndpointFacts, ReplyFault

_STEPS: Final = {"asked again": "asked_again", "smaller question": "smaller_question", "given up": "given_up"}


def summarize(reader: Reader) -> list[dict[str, Any]]:
    """A row for each model and kind of question, most replies first.

    `replies` counts what was paid for; `unusable` of them held no text (empty, withheld, cut off), and
    `unreadable` of them not the format. `asked_again`, `smaller_question` and `given_up` say what followed.
    `readable_at_once` is the share of questions whose first reply could be used, null without a question.
    """
    faults = reader.all(ReplyFault)
    unreadable = {fault.id for fault in faults}
    steps: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for fault in faults:
        steps[fault.model, kind_of(fault.kind)][_STEPS[fault.step]] += 1
    rows = []
    for (model, kind), calls in _grouped(reader.received()).items():
        found = steps[model, kind]
        rows.append(
            {
                "model": model,
                "kind": kind,
                "replies": len(calls),
                "unusable": sum(_is_unusable(call) for call in calls),
                "unreadable": sum(call.id in unreadable for call in calls),
                **{name: found[name] for name in _STEPS.values()},
                "readable_at_once": _readable_at_once(calls, unreadable),
            }
        )
    return sorted(rows, key=lambda row: (row["model"], -row["replies"], row["kind"]))


def kind_of(kind: str) -> str:
    """`kernel3` and `kernel4` are one kind of question."""
    return re.sub(r"\d+$", "", kind)


def report_lines(reader: Reader) -> list[str]:
    """For people: each model's share of readable replies, and what its endpoint can do."""
    lines = []
    by_model: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in summarize(reader):
        by_model[row["model"]].append(row)
    for model, rows in by_model.items():
        total = {name: sum(row[name] for row in rows) for name in ("replies", "unreadable", "given_up")}
        told = f"- {model}: {total['replies']} replies, {total['unreadable']} not readable at once"
        told += f", {total['given_up']} given up" if total["given_up"] else ""
        worst = [row for row in rows if row["unreadable"]]
        if worst:
            shares = ", ".join(f"{row['kind']} {row['unreadable']} of {row['replies']}" for row in worst)
            told += f" ({shares})"
        lines.append(told)
    for facts in reader.all(EndpointFacts):
        known = facts.facts
        window = known.get("context_tokens")
        told = f"{window:,} tokens ({known.get('context_from')})" if window else "unknown"
        lines.append(
            f"- {facts.model} at {facts.base_url}: context window {told}, tokens {known.get('usage')}"
        )
    return lines


def _grouped(calls: Iterable[Received]) -> dict[tuple[str, str], list[Received]]:
    groups: dict[tuple[str, str], list[Received]] = defaultdict(list)
    for call in calls:
        groups[call.model, kind_of(call.kind)].append(call)
    return groups


def _is_unusable(call: Received) -> bool:
    return "/unusable-" in call.id


def _question(call: Received) -> str:
    return call.id.partition("/unusable-")[0]


def _readable_at_once(calls: Sequence[Received], unreadable: set[str]) -> float | None:
    """An unusable first reply counts against the model like an unreadable one."""
    first = [call for call in calls if call.attempt == 1]
    asked = {call.id.partition("/unusable-")[0] for call in first}
    bad = {
        call.id.partition("/unusable-")[0] for call in first if _is_unusable(call) or call.id in unreadable
    }
    return round(1 - len(bad) / len(asked), 3) if asked else None
