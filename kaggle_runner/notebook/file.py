"""The notebook that a run leaves behind, as a Jupyter file and as a script.

Sources are written as given, outputs within the bounds of `file_outputs.py`.
"""

from __future__ import annotations

import ast
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kaggle_runner.files import write_whole
from kaggle_runner.notebook.file_outputs import bounded_outputs
from kaggle_runner.notebook.text import notebook_cell, notebook_of

_PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun", "%%memit")
"""Cell magics around Python code; what follows another (`%%bash`) is something else."""


@dataclass(frozen=True, slots=True)
class NotebookCell:
    """A code cell, and why it was written (shown above it)."""

    source: str
    outputs: list[dict[str, Any]] = field(default_factory=list)
    execution_count: int | None = None
    goal: str = ""


def write_notebook(path: Path, cells: Sequence[NotebookCell], *, title: str) -> None:
    """Write `cells` as nbformat 4.5 with a Python kernel, as Jupyter and Kaggle open it; whole or not at all.

    The same cells give the same bytes. Raises OSError when the folder cannot be written.
    """
    blocks = [notebook_cell("markdown", "title", [f"# {title}"])]
    for number, cell in enumerate(cells, start=1):
        if cell.goal:
            goal = cell.goal.splitlines(keepends=True)
            blocks.append(notebook_cell("markdown", f"goal-{number}", goal))
        ran = {"execution_count": cell.execution_count, "outputs": bounded_outputs(cell.outputs)}
        blocks.append(notebook_cell("code", f"cell-{number}", cell.source.splitlines(keepends=True)) | ran)
    language = {"name": "python", "version": platform.python_version(), "file_extension": ".py"}
    notebook = notebook_of(blocks, language_info=language)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    write_whole(path, text, durable=True)


def script_from_cells(cells: Sequence[NotebookCell]) -> str:
    """The cells as one Python file with `# %%` marks; goals and IPython's own commands become comments."""
    parts = []
    for cell in cells:
        lines = [
            "# %%",
            *(f"# {line}".rstrip() for line in cell.goal.splitlines()),
            _plain_python(cell.source),
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _plain_python(source: str) -> str:
    """`source` with `!commands` and `%magics` commented, so that it runs outside a notebook."""
    source = source.strip("\n")
    if source.lstrip().startswith("%%"):
        magic, _, body = source.lstrip().partition("\n")
        wraps_python = magic.split()[0] in _PYTHON_MAGICS
        return f"# {magic}\n{_plain_python(body)}" if wraps_python else _commented(source)
    if _is_python(source):
        return source
    return "\n".join(_plain_line(line) for line in source.split("\n"))


def _plain_line(line: str) -> str:
    code = line.lstrip()
    indent = line[: len(line) - len(code)]
    if code.startswith(("!", "%")) or (code.endswith("?") and _is_python(code.strip("?"))):
        # `pass` keeps a block alive whose only line was the command.
        return f"{indent}pass  # {code}" if indent else f"# {code}"
    name, equals, command = code.partition("=")
    if equals and command.lstrip().startswith(("!", "%")):
        return f"{indent}{name.strip()} = []  # {command.strip()}"
    return line


def _commented(source: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in source.split("\n"))


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True
