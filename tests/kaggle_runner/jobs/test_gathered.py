"""Notebooks out of cells, and what is read from them: pure text. Real runs are in test_runner_live.py."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaggle_runner.jobs.comind_data import NOT_MOUNTED
from kaggle_runner.jobs.gathered import (
    CarriedWork,
    NotebookProgress,
    carried_from,
    cell_logs,
    gather,
    longest,
    read_progress,
)
from kaggle_runner.kaggle.records import LogLine
from tests.fakes.scripted_kernels import note

CELLS = ("import os", "%%time\nx = 1", "print('ü')\n")


def notebook(*cells: str, **options: Any) -> Any:
    text = gather(cells, **{"slug": "some-data", "title": "A title", **options})
    found = nbformat.reads(text, as_version=4)
    nbformat.validate(found)
    return found


def sources(found: Any) -> list[str]:
    return [cell.source for cell in found.cells if cell.cell_type == "code"]


def kept(work: CarriedWork) -> dict[str, Any]:
    return {"cells": work.cells, "chain": work.chain, "bytes": 10, "lost": dict.fromkeys(work.lost, "why")}


def work_of(cells: tuple[str, ...], count: int, *, lost: tuple[str, ...] = ()) -> CarriedWork:
    """What a push of `cells` that kept `count` of them would leave."""
    plan = next(source for source in sources(notebook(*cells)) if "Work(" in source)
    chain: list[str] = ast.literal_eval(plan[plan.index("'chain': ") + 9 :].split(",\n")[0])
    return CarriedWork("ann/former", count, chain[count - 1], lost)


def test_the_authors_cells_stand_as_they_are_between_ours() -> None:
    found = notebook(*CELLS)
    assert found.metadata.kernelspec.name == "python3"
    texts = sources(found)
    assert texts[-4:-1] == list(CELLS)
    assert all(text.startswith(("%%writefile comind_", "# CoMind:")) for text in [*texts[:-4], texts[-1]])
    assert "find('some-data')" in texts[1]


def test_the_notebook_to_submit_finds_the_data_and_holds_nothing_else_of_ours() -> None:
    texts = sources(notebook(*CELLS, keep=False, inputs=("more-data", "some-data")))
    assert texts[2:] == list(CELLS) and "comind_work" not in "".join(texts)
    assert texts[1].count(".find(") == 2 and "find('more-data')" in texts[1]


def test_empty_cells_are_left_out_and_the_same_cells_give_the_same_text() -> None:
    assert sources(notebook("a = 1", " \n", ""))[-2] == "a = 1"
    assert gather(CELLS, slug="d", title="t") == gather(CELLS, slug="d", title="t")


def test_what_ours_import_is_not_there_for_the_authors_cells() -> None:
    """A cell that forgot `import os` must fail here as it would anywhere."""
    ours = [text for text in sources(notebook("x = 1")) if text.startswith("# CoMind:")]
    nodes = [node for text in ours for node in ast.walk(ast.parse(text))]
    imported = [
        name for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for name in node.names
    ]
    assert [name.asname for name in imported] == ["_comind_data", "_comind_work"]


def test_the_work_ends_before_the_session_does() -> None:
    def working(seconds: float | None) -> float:
        text = next(t for t in sources(notebook("1", seconds=seconds)) if "Work(" in t)
        return float(text[text.index("'seconds': ") + 11 :].split(",")[0])

    assert working(None) == 0.0
    assert working(12) == 8.0 and working(600) == 540.0
    assert working(9 * 3600) == 9 * 3600 - 300


def test_carried_work_is_used_where_it_fits_and_nowhere_else() -> None:
    two = work_of(CELLS, 2)
    assert longest([two], CELLS, "some-data") == two
    assert longest([two], [CELLS[0], "\n%%time\nx = 1\n\n", "new"], "some-data") == two
    assert longest([two, work_of(CELLS, 3)], CELLS, "some-data") == work_of(CELLS, 3)
    assert longest([two], [CELLS[0], "x = 2"], "some-data") is None
    assert longest([two], [CELLS[1], CELLS[0]], "some-data") is None
    assert longest([two], CELLS, "other-data") is None
    assert longest([two], [CELLS[0]], "some-data") is None
    assert "'carried': ['former', 2]" in "".join(sources(notebook(*CELLS, carried=two)))
    assert "'carried': None" in "".join(sources(notebook("other", carried=two)))


@pytest.mark.parametrize(
    "later", ["lock.acquire()", "f'{lock}'", "globals()['lock']", "%time lock", "def f():\n    lock"]
)
def test_cells_that_may_need_a_lost_variable_run_everything(later: str) -> None:
    work = work_of(CELLS, 3, lost=("lock",))
    assert longest([work], [*CELLS, later], "some-data") is None


@pytest.mark.parametrize("later", ["blocks = 1", "print('a lock')", "x.lock", "'''lock it'''"])
def test_cells_that_only_look_like_it_do_not(later: str) -> None:
    work = work_of(CELLS, 3, lost=("lock",))
    assert longest([work], [*CELLS, later], "some-data") == work


def test_notes_are_read_with_what_can_be_carried() -> None:
    told = read_progress(json.dumps(note("m", gpus=("Tesla T4",), kept=kept(work_of(CELLS, 2, lost=("g",))))))
    assert told is not None and told.machine.gpus == ("Tesla T4",) and told.mark == "m"
    assert carried_from("ann/former", told) == work_of(CELLS, 2, lost=("g",))
    cut = read_progress(json.dumps(note(finished=False, kept=kept(work_of(CELLS, 2)))))
    assert cut is not None and carried_from("ann/former", cut) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(note())), inner, max_size=9)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(sorted(note())), json_values))
def test_notes_of_unknown_origin_are_read_or_left_aside(changes: dict[str, Any]) -> None:
    told = read_progress(json.dumps({**note(), **changes}))
    assert told is None or isinstance(told, NotebookProgress)


def test_a_log_is_cut_into_the_cells_that_printed_it() -> None:
    text = "before\n[comind] cell 1 carried\n[comind] cell 2 begins\nhello\n[comind] cell 2 ok after 1.5 s\n"
    pieces = [
        LogLine("stdout", 0.0, text[:30]),
        LogLine("stderr", 0.1, text[30:]),
        LogLine("stdout", 1.0, "x"),
    ]
    logs = cell_logs(pieces)
    assert logs[0] == "before\n" and logs[1] == "[comind] cell 1 carried\n"
    assert "hello\n" in logs[2] and logs[2].endswith("x")


_LOOKING = """
import sys
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell
from kaggle_runner.jobs import comind_data

shell, top = InteractiveShell.instance(), Path(sys.argv[1])
print(comind_data.find(sys.argv[2], top=top, seconds=0.0))
shell.run_cell(f"print(open('{top}/{sys.argv[2]}/train.csv').read())")
"""


def look(top: Path, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(_LOOKING), str(top), name]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def mounted(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "train.csv").write_text("the data")
    return folder


def test_data_is_found_where_it_should_be(tmp_path: Path) -> None:
    mounted(tmp_path / "some-data")
    mounted(tmp_path / "datasets" / "ann" / "some-data")
    assert look(tmp_path, "some-data").stdout.split("\n")[:2] == [f"{tmp_path}/some-data", "the data"]


def test_data_that_lies_deeper_is_called_by_its_usual_name(tmp_path: Path) -> None:
    mounted(tmp_path / "datasets" / "ann" / "some-data")
    assert "the data" in look(tmp_path, "some-data").stdout
    assert (tmp_path / "some-data").is_symlink()


def test_where_no_link_can_be_made_the_cells_say_the_real_place(tmp_path: Path) -> None:
    (tmp_path / "some-data").mkdir()  # empty, and in the way of a link
    mounted(tmp_path / "datasets" / "ann" / "some-data")
    assert "the data" in look(tmp_path, "some-data").stdout


def test_data_that_is_not_there_is_told_in_words_that_jobs_know(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    told = look(tmp_path, "some-data")
    assert told.returncode != 0 and f"FileNotFoundError: {NOT_MOUNTED}: some-data" in told.stderr
    assert "['other']" in told.stderr
