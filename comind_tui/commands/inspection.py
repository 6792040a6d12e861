"""`comind-tui inspect COMPETITION|FOLDER`: what was found in a competition, before anything is spent."""

from __future__ import annotations

import os
from argparse import Namespace

from comind.run.inspection import Inspection
from comind.run.inspection import inspect as look
from comind_tui.commands.run import config_from
from comind_tui.text.plain import labelled, terminal_width
from kaggle_runner.console import put, put_json, say
from kaggle_runner.entry.rules import TITLES

_ROLES = {
    "sample": "sample submission", "train": "training data", "test": "rows to predict", "labels": "labels",
    "description": "description", "media": "images, sounds", "side": "other files",
}  # fmt: skip
_SHOWN = 12


def inspect(arguments: Namespace) -> int:
    """0 when a run can begin, 2 when something is missing."""
    arguments.config, arguments.offline = None, True  # nothing asks a model here
    config = config_from(arguments)
    found = look(config, arguments.state, os.environ, tell=say)
    if arguments.json:
        put_json(found.document())
    else:
        for line in inspection_lines(found):
            put(line)
    return 0 if found.ready else 2


def inspection_lines(found: Inspection) -> list[str]:
    """For people: what was found, what is withheld, what is missing and how to name it."""
    rows = [("competition", found.competition)]
    if found.type.name != "ordinary":
        rows.append(("kind of competition", f"{found.type.sentence}. {found.type.hint}"))
    if not found.type.served:
        return _shown([*rows, *_rules(found)], "No run can compete there.")
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
    lacking = "Name what is missing by an option (comind-tui run --help) or in competition.yaml."
    return _shown([*rows, *_rules(found)], "A run can begin." if found.ready else lacking)


def _rules(found: Inspection) -> list[tuple[str, str]]:
    """What the rules say in their own sentences; nothing is judged."""
    return [(title, found.rules.told(topic)) for topic, title in TITLES.items()]


def _shown(rows: list[tuple[str, str]], end: str) -> list[str]:
    width = terminal_width()
    return [*(labelled(name, value, indent=23, width=width) for name, value in rows), "", end]


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
