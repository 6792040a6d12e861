"""What an agent is told of an error is its own frames and the last line; nothing of a message is lost."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kaggle_runner.notebook.tracebacks import MOST_FRAMES, told_traceback
from tests.kaggle_runner.notebook.notebooks import bench

HEAD = "KeyError                                  Traceback (most recent call last)"
CELL = "Cell In[1], line 3\n      2 import feats\n----> 3 feats.add(frame)\n"
MODULE = "File /kaggle/working/feats.py:3, in add(df)\n----> 3     return df['nope']\n"
PANDAS = (
    "File /opt/lib/python3.11/site-packages/pandas/core/frame.py:43{n}, in DataFrame.__getitem__(self, key)\n"
    "-> 43{n}     indexer = self.columns.get_loc(key)\n"
)


def test_library_frames_become_a_note_that_names_the_innermost() -> None:
    parts = ["-" * 75, HEAD, CELL, MODULE, PANDAS.format(n=1), PANDAS.format(n=2), "KeyError: 'nope'"]
    assert told_traceback(parts, "KeyError").splitlines() == [
        HEAD,
        *CELL.splitlines(),
        *MODULE.splitlines(),
        "[… 2 library frames left out, innermost: pandas/core/frame.py:432 in DataFrame.__getitem__ …]",
        "KeyError: 'nope'",
    ]


def test_both_errors_of_a_chain_are_told() -> None:
    cause = "\nThe above exception was the direct cause of the following exception:\n"
    parts = [HEAD, PANDAS.format(n=1), "KeyError: 1", cause, HEAD, CELL, PANDAS.format(n=2), "KeyError: 2"]
    told = told_traceback(parts, "KeyError")
    assert told.count("1 library frame left out") == 2
    assert "KeyError: 1\n" in told and told.endswith("KeyError: 2")


def test_a_syntax_error_stays_whole() -> None:
    parts = ["Traceback (most recent call last):\n", PANDAS.format(n=1), "SyntaxError: invalid syntax\n"]
    assert told_traceback(parts, "SyntaxError") == "\n".join(parts)


def test_of_a_recursion_both_ends_are_told() -> None:
    told = told_traceback([HEAD, *[CELL] * 300, "RecursionError: too deep"], "RecursionError")
    assert told.count("Cell In[1]") == MOST_FRAMES
    assert f"[… {300 - MOST_FRAMES} more of these frames …]" in told


def test_a_traceback_that_a_message_quotes_is_shortened_too() -> None:
    quoted = (
        "ValueError: \nAll the 5 fits failed.\nTraceback (most recent call last):\n"
        '  File "/opt/site-packages/sklearn/model_selection/_validation.py", line 859, in _fit_and_score\n'
        "    estimator.fit(X_train, y_train)\n    ~~~~~~~~~~~~~^^^^^^\n"
        '  File "/opt/site-packages/sklearn/base.py", line 9, in wrapper\n    return fit(self)\n'
        '  File "/tmp/ipykernel_2/1574.py", line 2, in fit\n    return 1 / 0\n'
        "ZeroDivisionError: division by zero"
    )
    assert told_traceback([HEAD, CELL, quoted], "ValueError").splitlines()[4:] == [
        "ValueError: ",
        "All the 5 fits failed.",
        "Traceback (most recent call last):",
        "[… 2 library frames left out, innermost: sklearn/base.py:9 in wrapper …]",
        '  File "/tmp/ipykernel_2/1574.py", line 2, in fit',
        "    return 1 / 0",
        "ZeroDivisionError: division by zero",
    ]


@given(st.lists(st.sampled_from([CELL, MODULE, PANDAS.format(n=1), HEAD])), st.text(max_size=200))
def test_own_frames_and_the_last_line_are_always_there(frames: list[str], message: str) -> None:
    last = "ValueError: " + message.replace("File", "file")
    told = told_traceback([*frames, last], "ValueError")
    assert told.endswith(last.rstrip("\n"))
    assert told.count("-> 43") == 0
    own = sum(frame in (CELL, MODULE) for frame in frames)
    assert told.count("Cell In[1]") + told.count("feats.py:3") <= own
    assert bool(own) == ("Cell In[1]" in told or "feats.py:3" in told)


async def test_the_log_keeps_what_the_agent_is_not_told(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        result = await lab.run("import pandas as pd\npd.read_csv('missing.csv')")
        log = lab.log.read_text()
    assert "----> 2 pd.read_csv('missing.csv')" in result.text
    assert "library frames left out" in result.text
    assert result.text.endswith("No such file or directory: 'missing.csv'")
    assert len(result.text) < 600
    assert "get_handle(" in log and "library frames" not in log
    assert "get_handle(" in "".join(result.outputs[0]["traceback"])


async def test_an_exception_group_has_its_name_though_its_traceback_is_printed(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        result = await lab.run("raise ExceptionGroup('both', [ValueError('1'), KeyError(2)])")
    assert (result.status, result.error_name) == ("error", "ExceptionGroup")
    assert "ValueError: 1" in result.text


async def test_sys_exit_ends_the_cell_and_is_not_answered_with_the_advice_to_quit(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        result = await lab.run("kept = 3\nimport sys\nsys.exit()")
        after = await lab.run("kept")
    assert (result.status, result.error_name, result.state_lost) == ("error", "SystemExit", False)
    assert "the kernel goes on" in result.text and "quit" not in result.text
    assert after.text == "3"
