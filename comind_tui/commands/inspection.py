"""`comind-tui inspect COMPETITION|FOLDER`: what was found in a competition, before anything is spent."""

from __future__ import annotations

import os
from argparse import Namespace

from comind.run.inspection import inspect as look
from comind_tui.commands.run import config_from
from comind_tui.text.inspections import inspection_lines
from comind_tui.text.plain import terminal_width
from kaggle_runner.console import put, put_json, say


def inspect(arguments: Namespace) -> int:
    """0 when a run can begin, 2 when something is missing."""
    arguments.config, arguments.offline = None, True  # nothing asks a model here
    config = config_from(arguments)
    found = look(config, arguments.state, os.environ, tell=say)
    if arguments.json:
        put_json(found.document())
    else:
        for line in inspection_lines(found, terminal_width()):
            put(line)
    return 0 if found.ready else 2
