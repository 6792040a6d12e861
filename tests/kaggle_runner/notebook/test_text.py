"""Notebooks as one script: what only holds at the start of a cell must not end the script."""

from __future__ import annotations

import json

from IPython.core.inputtransformer2 import TransformerManager

from kaggle_runner.notebook.text import notebook_to_text


def script(*cells: str) -> str:
    listed = [{"cell_type": "code", "source": cell} for cell in cells]
    return notebook_to_text(json.dumps({"cells": listed}))


def test_cell_commands_that_only_measure_are_left_out() -> None:
    assert script("a = 1", "%%time\nb = 2", "%%capture out\nc = 3") == (
        "# %%\na = 1\n\n# %%\nb = 2\n\n# %%\nc = 3\n"
    )


def test_other_cell_commands_become_calls() -> None:
    text = script("import os", "%%writefile  lib.py\nx = 'a'\n", "%%bash\nls", "!ls\n%matplotlib inline")
    assert "get_ipython().run_cell_magic('writefile', 'lib.py', \"x = 'a'\")" in text
    assert "get_ipython().run_cell_magic('bash', '', 'ls')" in text
    compile(TransformerManager().transform_cell(text), "script", "exec")
