"""The offline policy, with cells for the small competition that need nothing but Python's own library.

A kernel that imports scikit-learn takes five seconds of CPU, one of these half a second. What is asked of a
run is the same: a few cells, files that are evaluated twice, a report.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from comind.llm.tokens import Messages
from comind.offline.responder import respond

_PAIR = ("validation_submission.csv", "submission.csv")
_LOAD = """\
import csv

def rows(name):
    with open("/kaggle/input/{slug}/" + name + ".csv", newline="") as file:
        return list(csv.DictReader(file))

train, parts = rows("train"), {"validation_": rows("validation"), "": rows("test")}
print(len(train), "training rows,", sum(row["ripe"] == "1" for row in train), "of them ripe")
"""
_LOOK = """\
ripe = [float(row["height"]) for row in train if row["ripe"] == "1"]
print("mean height of the ripe:", sum(ripe) / len(ripe))
"""
_PREDICT = """\
def worth(row):
    return {weights}

for part, table in parts.items():
    with open(part + "submission.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "ripe"])
        out.writerows([row["id"], worth(row)] for row in table)
print("written")
"""


class PlainCell(NamedTuple):
    goal: str
    code: str
    writes: bool = False


_FIRST = '2 * float(row["height"]) - float(row["weight"])'
CELLS = (
    PlainCell("Load the tables", _LOAD),
    PlainCell("Look at the target", _LOOK),
    PlainCell("Predict from two numbers", _LOAD + _PREDICT.replace("{weights}", _FIRST), writes=True),
    PlainCell(
        "Add the colour",
        _LOAD + _PREDICT.replace("{weights}", f'{_FIRST} + (row["colour"] == "red")'),
        writes=True,
    ),
)


def respond_plainly(messages: Messages, cells: Sequence[PlainCell] = CELLS) -> str:
    """The reply to a conversation of a run of `write_small_competition`."""
    task = messages[-1]["content"]
    if not messages[0]["content"].startswith("# Role: coder") or "# Task: report" in task:
        return respond(messages)
    observed = re.match(r"## Observation\ncell (\d+):", task)
    step = int(observed[1]) if observed else 0
    if step >= len(cells):
        return turn("Finished.", "")
    goal, code, writes = cells[step]
    slug = messages[1]["content"].partition("competition folder: /kaggle/input/")[2].split()[0]
    return turn(goal, code.replace("{slug}", slug), *(_PAIR if writes else ()))


def plain(request: dict[str, Any], number: int) -> str:
    """A script for `ScriptedModel`."""
    return respond_plainly(request["messages"])


def once(request: dict[str, Any], number: int) -> str:
    """The same with a single pair of files: where each is a kernel at Kaggle."""
    return respond_plainly(request["messages"], CELLS[:3])


def turn(goal: str, code: str, validation: str = "None", submission: str = "None") -> str:
    return (
        f"<goal>{goal}</goal>\n<code>\n{code}\n</code>\n"
        f"<validation_submission>{validation}</validation_submission>\n<submission>{submission}</submission>"
    )
