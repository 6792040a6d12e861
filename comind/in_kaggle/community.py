"""The community that a run saw, taken along into a Kaggle session: one file out, MLE-Live's folder in.

Inside Kaggle the attached competition comes without kernels and discussions. What the run published itself is
not in it, and no local score.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from comind.state.reader import Reader
from comind.state.records import Discussion, Kernel, Run

FILE = "comind-community.json"


def gather_community(reader: Reader, run: Run) -> dict[str, list[dict[str, Any]]]:
    """Upstream's kernels with their sources, and its discussions with replies, as plain JSON values."""
    kernels = [
        {
            "ref": one.id,
            "title": one.title,
            "author": one.author,
            "created_at": one.created_at or run.started_at,
            "votes": one.votes,
            "public_score": one.public_score,
            "datasets": list(one.datasets),
            "competitions": [run.competition],
            "source": one.source,
        }
        for one in reader.all(Kernel, "origin = 'upstream'", order="rowid")
    ]
    discussions = [
        {
            "title": one.title,
            "author": one.author,
            "created_at": one.created_at or run.started_at,
            "votes": one.votes,
            "body": one.body,
        }
        for one in reader.all(Discussion, "origin = 'upstream'", order="rowid")
    ]
    return {"kernels": kernels, "discussions": discussions}


def lay_out_community(community: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    """Write `folder` (artifacts) as `mle_live.competitions.community` reads it."""
    for place in ("code", "posts"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    kernels, topics = [], []
    for number, kernel in enumerate(community["kernels"], start=1):
        row = {**kernel, "kernel_type": "script", "code_path": f"code/{number}.py"}
        (folder / row["code_path"]).write_text(row.pop("source"), encoding="utf-8")
        kernels.append(row)
    for number, topic in enumerate(community["discussions"], start=1):
        row = {**topic, "id": number, "body_path": f"posts/{number}.md", "replies": []}
        (folder / row["body_path"]).write_text(row.pop("body"), encoding="utf-8")
        topics.append(row)
    for name, rows in (("kernels", kernels), ("discussions", topics)):
        (folder / f"{name}.jsonl").write_text(
            "".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8"
        )
