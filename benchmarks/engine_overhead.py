"""How much of an agent's life is neither a model call, nor a cell, nor grading, nor kernel start.

    python -m benchmarks.engine_overhead [RUN_FOLDER]

Without a folder it first runs two rounds of four agents on census-income with the offline policy. The figure
comes from the run's own records; the monitor asks while a cell runs, so its questions are not counted.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from comind.state.reader import Reader, reading
from comind.state.records import Agent, Cell, Evaluation, LlmCall
from comind.state.runs import RunFolder, list_runs
from kaggle_runner.moments import parse_moment


@dataclass(frozen=True, slots=True)
class Life:
    """Seconds of one agent's life, by what they went into."""

    agent: str
    alive: float
    model: float
    cells: float
    grading: float
    kernel: float

    @property
    def engine(self) -> float:
        return max(0.0, self.alive - self.model - self.cells - self.grading - self.kernel)


def lives(reader: Reader) -> list[Life]:
    """One row for each agent that ended."""
    found = []
    for agent in reader.all(Agent, "finished_at != ''"):
        alive = (parse_moment(agent.finished_at) - parse_moment(agent.started_at)).total_seconds()
        calls = reader.all(LlmCall, "agent = ?", (agent.id,))
        cells = reader.all(Cell, "agent = ?", (agent.id,))
        graded = reader.all(Evaluation, "agent = ?", (agent.id,))
        found.append(
            Life(
                agent.id,
                alive,
                sum(call.seconds for call in calls if not call.kind.startswith("watch")),
                sum(cell.seconds for cell in cells),
                sum(one.seconds for one in graded),
                agent.kernel_start_seconds,
            )
        )
    return found


def main() -> int:
    folder = RunFolder(Path(sys.argv[1])) if len(sys.argv) > 1 else _fresh_run()
    with reading(folder.database) as reader:
        rows = lives(reader)
    print(
        f"{'agent':8} {'alive':>8} {'model':>8} {'cells':>8} {'grading':>8} {'kernel':>8} {'engine':>8} share"
    )
    for row in rows:
        parts = (row.alive, row.model, row.cells, row.grading, row.kernel, row.engine)
        print(
            f"{row.agent:8} " + " ".join(f"{part:8.2f}" for part in parts) + f" {row.engine / row.alive:6.1%}"
        )
    alive, engine = sum(row.alive for row in rows), sum(row.engine for row in rows)
    print(f"engine: {engine:.2f} s of {alive:.2f} s = {engine / alive:.1%} (bar: below 5 %)")
    return 0 if engine < 0.05 * alive else 1


def _fresh_run() -> RunFolder:
    state = Path(tempfile.mkdtemp(prefix="comind-bench-"))
    subprocess.run(
        [sys.executable, "-m", "comind_tui", "run", "census-income", "--offline", "--rounds", "2",
         "--coders", "4", "--time-limit", "170s", "--headless", "--state", str(state)],
        check=True,
    )  # fmt: skip
    return list_runs(state)[0]


if __name__ == "__main__":
    sys.exit(main())
