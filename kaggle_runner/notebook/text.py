"""Notebooks as plain text and back: `# %%` cells, with Markdown as comments. No cell is run here."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

_MARK = re.compile(r"^# %%(.*)$")
_CELL_MAGIC = re.compile(r"%%(?P<name>\w+)(?P<rest>[^\n]*)")
_HARMLESS = ("time", "timeit", "capture", "prun")


def notebook_to_text(notebook_json: str) -> str:
    """The Python text of a notebook (nbformat 4 JSON). Raises ValueError when it is no notebook."""
    notebook = json.loads(notebook_json)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("not a notebook: it has no list of cells")
    parts = []
    for cell in notebook["cells"]:
        source = cell.get("source", "")
        text = ("".join(source) if isinstance(source, list) else str(source)).strip("\n")
        if cell.get("cell_type") == "code":
            parts.append(f"# %%\n{_as_script(text)}")
        elif text:
            comments = "\n".join(f"# {line}".rstrip() for line in text.splitlines())
            parts.append(f"# %% [markdown]\n{comments}")
    return "\n\n".join(parts) + "\n"


def _as_script(cell: str) -> str:
    """The cell as a part of one script: `%%` commands hold at the start of a cell only, so they are spelled
    as calls, as nbconvert does, and those that only measure or silence are left out."""
    magic = _CELL_MAGIC.match(cell)
    if magic is None:
        return cell
    body = cell[magic.end() :].removeprefix("\n")
    if magic["name"] in _HARMLESS:
        return body
    return f"get_ipython().run_cell_magic({magic['name']!r}, {magic['rest'].strip()!r}, {body!r})"


def notebook_cell(kind: Literal["code", "markdown"], id: str, source: str | list[str]) -> dict[str, Any]:
    """A cell of a notebook that has not run."""
    cell = {"cell_type": kind, "id": id, "metadata": {}, "source": source}
    return cell | {"execution_count": None, "outputs": []} if kind == "code" else cell


def notebook_of(cells: list[dict[str, Any]], *, language: str = "python", **about: Any) -> dict[str, Any]:
    """A notebook (nbformat 4.5); `about` is what its metadata say beside the kernel."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": language}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel, **about}, "cells": cells}


def text_to_notebook(text: str, language: str = "python") -> dict[str, Any]:
    """A notebook (nbformat 4.5) from `# %%` text; text before the first mark becomes a cell of its own."""
    blocks: list[tuple[bool, list[str]]] = [(False, [])]
    for line in text.splitlines():
        mark = _MARK.match(line)
        if mark:
            blocks.append(("[markdown]" in mark.group(1), []))
        else:
            blocks[-1][1].append(line)
    cells: list[dict[str, Any]] = []
    for markdown, lines in blocks:
        if markdown:
            lines = [re.sub(r"^# ?", "", line) for line in lines]
        source = "\n".join(lines).strip("\n")
        if source:
            cells.append(notebook_cell("markdown" if markdown else "code", f"cell-{len(cells)}", source))
    return notebook_of(cells, language=language)
