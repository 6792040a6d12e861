"""What lists of runs show of each: for the home screen and for `runs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from comind.analysis.standings import Standing
from comind.run.summary import read_best, shown_status
from comind.state.reader import reading
from comind.state.records import Run
from comind.state.runs import RunFolder, engine_alive, run_folders, signature
from kaggle_runner.errors import RunNotFound, Unusable


class RunRows:
    """What lists of runs show of each run in a state folder; read again only where something has changed."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._kept: dict[Path, tuple[tuple[int, ...], dict[str, Any] | None]] = {}

    def read(self) -> list[dict[str, Any]]:
        """Newest first; then those that cannot be read, each with its `fault`. None is without its name."""
        kept = {}
        for folder in run_folders(self._state):
            mark = signature(folder)
            known = self._kept.get(folder.path)
            kept[folder.path] = known if known and known[0] == mark else (mark, run_row(folder))
        self._kept = kept
        rows = [row for _, row in kept.values() if row is not None]
        return sorted(rows, key=lambda row: row["started_at"] or "", reverse=True)


def run_row(folder: RunFolder) -> dict[str, Any] | None:
    """What lists show of one run; None where it has not begun, or is gone again."""
    try:
        with reading(folder.database) as reader:
            run = reader.run()
            best = read_best(reader, run) if run else None
    except RunNotFound:
        return None
    except Unusable as error:
        return _document(folder, Run(id="", competition=""), None, "unreadable", error.why)
    return _document(folder, run, best, shown_status(run, engine_alive(folder)), None) if run else None


def _document(
    folder: RunFolder, run: Run, best: Standing | None, status: str, fault: str | None
) -> dict[str, Any]:
    return {
        "run": folder.id,
        "status": status,
        "fault": fault,
        "competition": run.competition,
        "metric": run.metric,
        "higher_is_better": run.higher_is_better,
        "best_score": best.score.value if best else None,
        "labels_readable": run.labels_readable,
        "rank": run.test.get("rank"),
        "teams": run.test.get("teams"),
        "board": run.test.get("board"),
        "model": run.model,
        "started_at": run.started_at or None,
        "finished_at": run.finished_at or None,
    }
