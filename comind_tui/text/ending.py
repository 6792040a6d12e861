"""What is said about a run that has ended: on its screen when a key comes too late, and after leaving it."""

from __future__ import annotations

from comind.run.summary import summarize
from comind.state.grades import score_from
from comind.state.reader import reading
from comind.state.runs import RunFolder, engine_alive, read_run
from comind_tui.snapshot import Snapshot
from comind_tui.text.glyphs import symbol
from comind_tui.text.invocation import command_line, from_here
from comind_tui.text.plain import arrow, interval, number, place
from kaggle_runner.errors import RunNotFound, Unusable
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.texts import one_line


def ended_notice(snapshot: Snapshot, folder: RunFolder) -> str:
    """Why a key does nothing on this run, where its result lies, and how to go on where that is possible."""
    lines = ["The engine of this run is gone." if snapshot.engine_gone else "This run has ended."]
    final = folder.best / "submission.csv"
    if final.is_file():
        lines.append(f"Its submission: {from_here(final)}")
    if snapshot.status != "finished":
        lines.append(f"To go on: {command_line('resume', folder.id, folder.path.parent.parent)}")
    return "\n".join(lines)


def farewell(folder: RunFolder) -> list[str]:
    """Lines for the shell after the screens are closed: that the run goes on, or what it came to."""
    state = folder.path.parent.parent
    if engine_alive(folder):
        return [f"Run {folder.id} goes on. Come back: {command_line('attach', folder.id, state)}"]
    try:
        run = read_run(folder)
        with reading(folder.database) as reader:
            document = summarize(reader, folder, SYSTEM_CLOCK)
    except RunNotFound:
        return [f"Run {folder.id} has not begun."]
    except Unusable as error:
        return str(error).splitlines()
    best, status = document["best"], document["status"]
    score = score_from(best, run.higher_is_better) if best else None
    lines = [f"{symbol(status)} Run {folder.id} {status}{'' if best else ' without a score'}"]
    if best:
        direction = arrow(run.higher_is_better)
        lines.append(f"  best        {interval(score)} {one_line(run.metric)} {direction}")
    if run.test:
        lines.append(f"  test        {number(run.test.get('score'))}, rank {place(run.test)}")
    if best:
        lines.append(f"  submission  {from_here(folder.path / best['submission'])}")
    lines.append(f"  more        {command_line('show', folder.id, state)}")
    if status != "finished":
        lines.append(f"  go on       {command_line('resume', folder.id, state)}")
    return lines
