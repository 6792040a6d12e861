"""What became of a kernel at Kaggle, in the words that its agent, the events and the report are given."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kaggle_runner.jobs.gathered import NotebookProgress, cell_logs
from kaggle_runner.jobs.orders import Attempt, Outcome
from kaggle_runner.kaggle.records import LogLine, Quota
from kaggle_runner.texts import clip, one_line, shortened

NO_CANCEL = (
    "Kaggle has no way to cancel a kernel: one that is stopped from here is abandoned. It runs on until its "
    "own end, its session and accelerator hours are counted until then, and what it writes is ignored"
)
_LOG_CHARACTERS = 2_500
_FAILED_CHARACTERS = 3_000
_FILES_SHOWN = 30
_NAME_CHARACTERS = 100
_OURS = re.compile(r"\[comind\] |(Writing|Overwriting) comind_\w+\.py$")


def line_of(attempt: Attempt, words: str) -> str:
    """The attempt's state, for people; `words` say why it waits."""
    where = f" on {attempt.accelerator}" if attempt.accelerator else ""
    match attempt.state:
        case "waiting":
            return f"Waiting for a free session: {words}"
        case "pushing":
            return f"Pushing the notebook{where}"
        case "queued":
            return f"Pushed: {attempt.url or attempt.ref} waits in Kaggle's queue"
        case "running":
            return f"Runs at Kaggle{where}: {attempt.url or attempt.ref}"
        case _:
            return f"Fetching the output of {attempt.ref}"


def fault_of(outcome: Outcome, wanted: Sequence[str]) -> str:
    """Why there is nothing to grade, as one sentence; empty where both files came home."""
    match outcome.state:
        case "abandoned":
            return f"the kernel was abandoned: {outcome.failure}"
        case "timed out":
            return "the session's time ended before the notebook did"
        case "cancelled":
            return f"Kaggle ended the kernel: {outcome.failure or 'no reason was given'}"
        case "lost":
            return f"the kernel was lost: {outcome.failure}"
        case "failed":
            return f"at Kaggle {_failure(outcome)}"
        case _:
            missing = [name for name in wanted if name not in outcome.saved]
            why = "; ".join(outcome.left_out.get(name, f"{name} was not written") for name in missing)
            return f"the kernel ended well, but {why}" if missing else ""


def _failure(outcome: Outcome) -> str:
    failed = outcome.progress.failed if outcome.progress else None
    if failed is not None:
        return f"cell {failed.number} of the notebook failed with {failed.error}"
    return f"the notebook failed: {outcome.failure or 'no reason was given'}"


def sentence_of(outcome: Outcome) -> str:
    """How it ended, for people."""
    return f"{outcome.state} after {outcome.seconds:.0f} s at Kaggle"


def told_of(outcome: Outcome, quota: Quota | None) -> str:
    """For the agent: state, machine, what came home, the failed cell or the log's end, quota left."""
    if outcome.state == "abandoned":
        return f"{NO_CANCEL}."
    kernel = f"kernel {outcome.attempt.ref} version {outcome.attempt.version}"
    lines = [f"{kernel}: {sentence_of(outcome)}{_machine(outcome.progress)}"]
    lines += [f"note: {note}" for note in outcome.notes]
    if outcome.names:
        shown = ", ".join(_short(name) for name in outcome.names[:_FILES_SHOWN])
        more = f" and {len(outcome.names) - _FILES_SHOWN} more" if len(outcome.names) > _FILES_SHOWN else ""
        lines.append(f"output: {shown}{more}")
    lines += _cells(outcome)
    if quota is not None and quota.gpu.allowed:
        lines.append(f"accelerator hours left this week: {quota.gpu.left / 3600:.1f} of GPU")
    return "\n".join(lines)


def _machine(progress: NotebookProgress | None) -> str:
    if progress is None:
        return ""
    given = progress.machine
    return f" on {', '.join(given.gpus) or given.tpu or 'a machine without accelerator'}"


def _cells(outcome: Outcome) -> list[str]:
    progress = outcome.progress
    if progress is not None and progress.failed is not None:
        failed = progress.failed
        printed = cell_logs(outcome.log).get(failed.number, "")
        return [f"cell {failed.number} failed with {failed.error}:", _end(printed, _FAILED_CHARACTERS)]
    lines = []
    if progress is not None:
        times = [
            f"{number}: {cell.state} {cell.seconds:.0f} s" for number, cell in enumerate(progress.cells, 1)
        ]
        lines.append(f"cells: {', '.join(times)}")
    text = _news(outcome.log)
    return [*lines, "log:", _end(text, _LOG_CHARACTERS)] if text.strip() else lines


def _news(log: Sequence[LogLine]) -> str:
    """The log without the lines that the gathered notebook itself writes."""
    lines = "".join(line.data for line in log).splitlines(keepends=True)
    return "".join(line for line in lines if not _OURS.match(line))


def _short(name: str) -> str:
    """A file's name on one line; the agent's code may have given it any."""
    return shortened(one_line(name), _NAME_CHARACTERS)


def _end(text: str, characters: int) -> str:
    return clip(text, characters, front=0, mark="[… {} characters before …]\n")
