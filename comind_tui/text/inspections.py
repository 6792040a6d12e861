"""What a look at a competition found, as lines for people."""

from __future__ import annotations

import textwrap

from comind.run.inspection import Inspection
from comind_tui.text.plain import labelled
from kaggle_runner.entry.rules import TITLES

_ROLES = {
    "sample": "sample submission", "train": "training data", "test": "rows to predict", "labels": "labels",
    "description": "description", "media": "images, sounds", "side": "other files",
}  # fmt: skip
_SHOWN = 12


def inspection_lines(found: Inspection, width: int | None) -> list[str]:
    """What was found, what is withheld, what is missing and how to name it."""
    rows = [("competition", found.competition)]
    if found.type.name != "ordinary":
        rows.append(("kind of competition", f"{found.type.sentence}. {found.type.hint}"))
    if not found.type.served:
        return _shown([*rows, *_rules(found)], "No run can compete there.", width)
    rows += [(_ROLES[role], _some(names)) for role, names in found.files.items() if names]
    rows += [
        ("id", " and ".join(found.id_columns) or "not found"),
        ("to be predicted", _some(found.targets) or "not found"),
    ]
    if found.kind:
        rows.append(("kind", f"{found.kind}, {found.task}"))
    rows.append(("metric", found.choice.told))
    if found.split:
        rows.append(("validation rows", found.split))
    rows += [("withheld", f"{name}: {why}") for name, why in found.withheld.items()]
    rows += [("note", remark) for remark in found.remarks]
    rows += [("MISSING", sentence) for sentence in found.missing.values()]
    return _shown([*rows, *_rules(found)], _end(found), width)


def _end(found: Inspection) -> str:
    if found.ready:
        return "A run can begin."
    if found.split_is_written:
        return (
            "A run with a language model can begin: its evaluator writes the split, and the checks decide. "
            "Without one, bring the files into the shape of train.csv and test.csv."
        )
    return "Add what is missing, or name it by an option (comind-tui run --help) or in competition.yaml."


def _rules(found: Inspection) -> list[tuple[str, str]]:
    """What the rules say in their own sentences; nothing is judged."""
    if not found.rules.found:
        return [("rules", "there is no rules page to read")]
    return [(title, found.rules.told(topic)) for topic, title in TITLES.items()]


def _shown(rows: list[tuple[str, str]], end: str, width: int | None) -> list[str]:
    return [
        *(labelled(name, value, indent=23, width=width) for name, value in rows),
        "",
        *_wrapped(end, width),
    ]


def _wrapped(sentence: str, width: int | None) -> list[str]:
    return [sentence] if width is None else textwrap.wrap(sentence, width)


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
