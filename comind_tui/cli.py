"""`comind-tui`: one door in, one door out. Reads the command line, runs one command, returns its exit code.

Nothing heavy is imported before it is known to be needed.
"""

from __future__ import annotations

import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from comind_tui.commands.arguments import build_parser
from kaggle_runner.console import put_json, say, say_error
from kaggle_runner.errors import ComindError, StateUnwritable, UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; every ComindError becomes one message on stderr and its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = build_parser().parse_args(_spell_out_push(words))
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except ComindError as error:
        return _report(error, "--json" in words)
    except KeyboardInterrupt:
        say("Interrupted.")
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        hint = "Check the state folder's permissions and disk, or name another with --state DIR."
        return _report(
            StateUnwritable(f"The state folder cannot be used: {_why(error)}.", hint=hint), "--json" in words
        )


_COMMANDS = {
    None: "run.home",
    "run": "run.run",
    "attach": "run.attach",
    "resume": "run.resume",
    "inspect": "inspection.inspect",
    "runs": "listing.runs",
    "competitions": "listing.competitions",
    "show": "listing.show",
    "ideas": "listing.ideas",
    "reports": "listing.reports",
    "leaderboard": "listing.leaderboard",
    "recording": "recordings.write_recording",
    "reproduce": "run.reproduce",
    "export": "export.export",
    "ranks": "ranks.ranks",
    "submit": "submit.submit",
    "submissions": "submit.submissions",
    "env": "env.env",
    "doctor": "doctor.doctor",
}
"""Command → module and function in `comind_tui.commands`; only the one that runs is imported."""


def _dispatch(arguments: Namespace) -> int:
    module, _, function = _COMMANDS[arguments.command].partition(".")
    arguments.state = _state(arguments)
    command: Callable[[Namespace], int] = getattr(import_module(f"comind_tui.commands.{module}"), function)
    return command(arguments)


def _state(arguments: Namespace) -> Path:
    from comind.state.runs import default_state

    return Path(arguments.state) if "state" in arguments else default_state()


def _spell_out_push(words: list[str]) -> list[str]:
    """`--kaggle-push COMPETITION …` is short for a headless run on Kaggle's machines."""
    if "--kaggle-push" not in words or {"-h", "--help"} & set(words):
        return words
    place = words.index("--kaggle-push")
    if place + 1 >= len(words):
        raise UsageError("--kaggle-push needs a competition.", hint="comind-tui --kaggle-push COMPETITION")
    rest = words[:place] + words[place + 2 :]
    return ["run", words[place + 1], "--executor", "kaggle", "--headless", *rest]


def _why(error: OSError) -> str:
    """Without the number that only programmers know."""
    return f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")


def _report(error: ComindError, as_json: bool) -> int:
    say_error("comind-tui", error)
    if as_json:
        put_json({"error": error.message, "hint": error.hint}, indent=None)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
