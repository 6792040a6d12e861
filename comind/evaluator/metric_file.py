"""The metric that a person asks for: a name of docs/metrics.md, or a file of their own.

A file has the form of the evaluator's evaluate.py, `score(truth, submission)` and `HIGHER_IS_BETTER`. It is
read here and never run: it runs in the sandbox, and passes the same checks as one that a model writes.
"""

from __future__ import annotations

import ast
from pathlib import Path

from comind.config import Settings
from comind.state.runs import RunFolder
from kaggle_runner.errors import ConfigError
from kaggle_runner.files import write_whole
from mle_live.competitions.metric_choice import MetricChoice, named_metric

_MOST_BYTES = 1_000_000


def asked_metric(config: Settings) -> MetricChoice | None:
    """What `--metric` or `--metric-file` names; None where neither was given.

    Raises UsageError for an unknown name, ConfigError for a file that cannot be one.
    """
    if config.metric:
        return named_metric(config.metric)
    if not config.metric_file:
        return None
    path = Path(config.metric_file).expanduser()
    return MetricChoice(
        name=path.name, higher_is_better=direction_of(read_metric_file(path)), source="option"
    )


def keep_metric_file(config: Settings, folder: RunFolder) -> None:
    """A copy in the run's folder: a resumed run is scored by the same file, whatever became of it."""
    if config.metric_file:
        write_whole(folder.metric_file, read_metric_file(Path(config.metric_file).expanduser()))


def read_metric_file(path: Path) -> str:
    """Its text. Raises ConfigError with what it lacks; nothing of it is run."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"The metric file {path} is larger than a megabyte.", hint=_FORM)
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The metric file {path} cannot be read: {error.strerror}.", hint=_FORM) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"The metric file {path} is not UTF-8 text.", hint=_FORM) from error
    if fault := fault_of(source):
        raise ConfigError(f"The metric file {path} cannot be used: {fault}.", hint=_FORM)
    return source


_FORM = (
    "It defines HIGHER_IS_BETTER = True or False, and score(truth, submission) -> float for two pandas "
    "frames with the same ids as index, in the same order."
)


def fault_of(source: str) -> str:
    """What keeps the text from being an evaluate.py; empty when nothing does."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        return f"it is not valid Python ({f'line {line}: ' if line else ''}{getattr(error, 'msg', error)})"
    if not any(isinstance(node, ast.FunctionDef) and node.name == "score" for node in tree.body):
        return "it does not define a function `score(truth, submission)`"
    if direction_of(source) is None:
        return "it does not set `HIGHER_IS_BETTER = True` or `= False` on a line of its own"
    return ""


def direction_of(source: str) -> bool | None:
    """The file's HIGHER_IS_BETTER, where it is set to True or False once, at the top level."""
    found: list[bool] = []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == "HIGHER_IS_BETTER" for target in targets):
            if not isinstance(node.value, ast.Constant) or not isinstance(node.value.value, bool):
                return None
            found.append(node.value.value)
    return found[0] if len(found) == 1 else None
