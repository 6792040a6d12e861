"""What became of a kernel at Kaggle, in the words that its agent, the events and the report are given."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kaggle_runner.jobs.gathered import NotebookProgress, cell_logs
from kaggle_runner.jobs.job import JobResult
from kaggle_runner.kaggle.records import LogLine, Quota
from kaggle_runner.texts import clip, one_line, shortened

_LOG_CHARACTERS = 2_500
_FAILED_CHARACTERS = 3_000
_FILES_SHOWN = 30
_NAME_CHARACTERS = 100
_OURS = re.compile(r"\[comind\] |(Writing|Overwriting) comind_\w+\.py$")


def fault_of(result: JobResult, wanted: Sequence[str]) -> str:
    """Why there is nothing to grade, as one sentence; empty where both files came home."""
    match result.state:
        case "abandoned":
            return f"the kernel was abandoned: {result.failure}"
        case "timed out":
            return "the session's time ended before the notebook did"
        case "cancelled":
            return f"Kaggle ended the kernel: {result.failure or 'no reason was given'}"
        case "lost":
            return f"the kernel was lost: {result.failure}"
        case "error":
            return f"at Kaggle {_failure(result)}"
        case _:
            missing = [name for name in wanted if name not in result.saved]
            why = "; ".join(result.left_out.get(name, f"{name} was not written") for name in missing)
            return f"the kernel ended well, but {why}" if missing else ""


def _failure(result: JobResult) -> str:
    failed = result.progress.failed if result.progress else None
    if failed is not None:
        return f"cell {failed.number} of the notebook failed with {failed.error}"
    return f"the notebook failed: {result.failure or 'no reason was given'}"


def sentence_of(result: JobResult) -> str:
    """How it ended, for people."""
    return f"{result.state} after {result.seconds:.0f} s at Kaggle"


def told_of(result: JobResult, quota: Quota | None) -> str:
    """For the agent: state, machine, what came home, the failed cell or the log's end, quota left."""
    lines = [
        f"kernel {result.ref} version {result.version}: {sentence_of(result)}{_machine(result.progress)}"
    ]
    lines += [f"note: {note}" for note in result.notes]
    if result.names:
        shown = ", ".join(_short(name) for name in result.names[:_FILES_SHOWN])
        more = f" and {len(result.names) - _FILES_SHOWN} more" if len(result.names) > _FILES_SHOWN else ""
        lines.append(f"output: {shown}{more}")
    lines += _cells(result)
    if quota is not None and quota.gpu.allowed:
        lines.append(f"accelerator hours left this week: {quota.gpu.left / 3600:.1f} of GPU")
    return "\n".join(lines)


def _machine(progress: NotebookProgress | None) -> str:
    if progress is None:
        return ""
    return f" on {', '.join(progress.gpus) or progress.tpu or 'a machine without accelerator'}"


def _cells(result: JobResult) -> list[str]:
    progress = result.progress
    if progress is not None and progress.failed is not None:
        failed = progress.failed
        printed = cell_logs(result.log).get(failed.number, "")
        return [f"cell {failed.number} failed with {failed.error}:", _end(printed, _FAILED_CHARACTERS)]
    lines = []
    if progress is not None:
        times = [
            f"{place}: {cell.state} {cell.seconds:.0f} s" for place, cell in enumerate(progress.cells, 1)
        ]
        lines.append(f"cells: {', '.join(times)}")
    text = _news(result.log)
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
