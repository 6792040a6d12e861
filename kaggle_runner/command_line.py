"""The parser of both commands: mistakes leave by the one door of errors, and help stands on any terminal."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from kaggle_runner.console import put
from kaggle_runner.errors import UsageError

_CHOICE = re.compile(r"invalid choice: '(?P<word>[^']*)' \(choose from (?P<choices>.*)\)$", re.S)


class Parser(argparse.ArgumentParser):
    """Reports mistakes as UsageError, with the nearest word that is known."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "allow_abbrev": False})

    def _print_message(self, message: str, file: Any = None) -> None:
        put(message, file or sys.stderr, end="")  # help too stands on terminals without our characters

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, rest = self.parse_known_args(args, namespace)
        if rest:
            known = _options(self)
            near = next((told for word in rest if (told := did_you_mean(word.partition("=")[0], known))), "")
            self.error(f"unrecognized arguments: {' '.join(rest)}", near=near)
        return found

    def error(self, message: str, *, near: str = "") -> NoReturn:
        choice = _CHOICE.search(message)
        if choice:
            near = did_you_mean(choice["word"], re.findall(r"[\w-]+", choice["choices"]))
        hint = f"See `{self.prog} --help`."
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", hint=f"{near} {hint}" if near else hint)


def did_you_mean(word: str, known: Iterable[str], *, most: int = 1) -> str:
    """`Did you mean X?`, or nothing; letter case does not count."""
    names = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), names, n=most, cutoff=0.6)
    return f"Did you mean {', '.join(names[one] for one in near)}?" if near else ""


def _options(parser: argparse.ArgumentParser) -> set[str]:
    """Of the parser and of its commands."""
    found = set[str]()
    for action in parser._actions:
        found |= {*action.option_strings}
        if isinstance(action, argparse._SubParsersAction):
            found |= {option for one in action.choices.values() for option in _options(one)}
    return found
