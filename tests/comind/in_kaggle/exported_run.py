"""A run's folder with its row and nothing else: what an export reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from comind.config import RunConfig
from comind.state.records import Run
from comind.state.runs import RunFolder, create_run
from comind.state.store import Store


def make_run(
    state: Path,
    *records: Any,
    slug: str = "ripe-fruit",
    metric: str = "roc_auc",
    description: str = "# Ripe\n",
    **settings: Any,
) -> RunFolder:
    """`records` are stored beside the run's row; `settings` are those of its RunConfig."""
    config = RunConfig(competition=slug, **settings)
    folder = create_run(state, f"{slug}-20261122-060000")
    with Store(folder.database) as store:
        run = Run(
            id=folder.id,
            competition=slug,
            title="Ripe fruit",
            metric=metric,
            rounds=config.rounds,
            model="m",
            config={**config.as_dict(), "state": str(state)},
            started_at="2026-11-22T06:00:00.000Z",
        )
        store.save(run, *records)
    if description:
        folder.description.parent.mkdir(parents=True, exist_ok=True)
        folder.description.write_text(description)
    return folder
