"""The notebook and the script that a run leaves behind."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat

from kaggle_runner.notebook.file import NotebookCell, script_from_cells, write_notebook
from tests.kaggle_runner.notebook.notebooks import bench

MAGICS = """%matplotlib inline
!pip install lightgbm
import os
if os.sep == "/":
    !ls
files = !ls
os?
print(f"{5 % 2}!")"""


async def test_a_notebook_of_real_outputs_is_valid_and_reads_back(tmp_path: Path) -> None:
    sources = ["print('hi')", "from PIL import Image\nImage.new('RGB', (4, 4))", "1 / 0", "print('\\udcff')"]
    async with bench(tmp_path) as lab:
        results = [await lab.run(source) for source in sources]
    cells = [
        NotebookCell(source, result.outputs, result.execution_count, goal="Try **it**")
        for source, result in zip(sources, results, strict=True)
    ]
    path = tmp_path / "agent.ipynb"
    write_notebook(path, cells, title="Agent 1")
    notebook = nbformat.reads(path.read_text(), as_version=4)
    nbformat.validate(notebook)
    assert [cell.cell_type for cell in notebook.cells] == ["markdown"] + ["markdown", "code"] * 4
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0].outputs[0].text == "hi\n" and code[0].execution_count == 1
    assert "image/png" in code[1].outputs[0].data
    assert code[2].outputs[0].ename == "ZeroDivisionError"
    assert [file.name for file in tmp_path.glob(".agent*")] == []


def test_a_flooding_cell_does_not_flood_the_file(tmp_path: Path) -> None:
    outputs: list[dict[str, Any]] = []
    for number in range(300):
        data = {"text/plain": f"plot {number}", "image/png": "A" * 1_000_000, "text/html": "<b>" * 60_000}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
        outputs.append({"output_type": "stream", "name": "stdout", "text": "begin " + "z" * 60_000 + " end"})
    outputs.append({"output_type": "error", "ename": "E", "evalue": "", "traceback": ["y" * 500_000]})
    path = tmp_path / "agent.ipynb"
    write_notebook(path, [NotebookCell("1", outputs), NotebookCell("2", outputs[1:2])], title="Flood")
    assert path.stat().st_size < 5_000_000
    notebook = nbformat.reads(path.read_text(), as_version=4)
    nbformat.validate(notebook)
    first, second = (cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    assert sum("image/png" in output.get("data", {}) for output in first) == 4
    assert first[0].data["text/plain"] == "plot 0"
    assert "[image/png of 1000 KB left out]" in first[20].data["text/plain"]
    assert first[-2].text == "[400 outputs left out]\n" and first[-1].ename == "E"
    assert second[0].text.startswith("begin z") and second[0].text.endswith("z end")
    assert len(outputs[0]["data"]["image/png"]) == 1_000_000


def test_the_same_cells_give_the_same_bytes(tmp_path: Path) -> None:
    cells = [NotebookCell("x = 1", goal="one")]
    for name in ("a.ipynb", "b.ipynb"):
        write_notebook(tmp_path / name, cells, title="Same")
    assert (tmp_path / "a.ipynb").read_bytes() == (tmp_path / "b.ipynb").read_bytes()


def test_the_script_is_python_with_magics_as_comments() -> None:
    script = script_from_cells(
        [
            NotebookCell(MAGICS, goal="Set up\nall"),
            NotebookCell("%%time\nx = 1"),
            NotebookCell("%%bash\nls -l | wc"),
        ]
    )
    ast.parse(script)
    assert script.startswith(
        "# %%\n# Set up\n# all\n# %matplotlib inline\n# !pip install lightgbm\nimport os"
    )
    assert "files = []  # !ls" in script and "    pass  # !ls" in script
    assert "# %%time\nx = 1" in script and "# ls -l | wc" in script
    assert 'print(f"{5 % 2}!")' in script
