"""The one way to print: what others wrote reaches a terminal as text and as nothing else."""

from __future__ import annotations

import json
import logging
import math
import sys
from typing import Any, TextIO

from kaggle_runner.errors import ComindError
from kaggle_runner.texts import plain

_STAND_INS = str.maketrans("–−…→↑↓±", "--~>^v~")
"""For terminals of few characters; what has no stand-in becomes `?`."""


def put(text: str = "", stream: TextIO | None = None, *, end: str = "\n") -> None:
    """Write `plain` text to stdout, or another stream, at once. Raises OSError, never a UnicodeError."""
    stream = sys.stdout if stream is None else stream
    text, encoding = plain(text) + end, stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_STAND_INS).encode(encoding, "replace").decode(encoding)
    stream.write(text)
    stream.flush()


def put_lines(*lines: str, stream: TextIO | None = None) -> None:
    """`put` each as one line, whatever is in it."""
    put("\n".join(plain(line).replace("\n", " ") for line in lines), stream)


def say(*lines: str) -> None:
    """Narration: lines on stderr."""
    put_lines(*lines, stream=sys.stderr)


def say_error(program: str, error: ComindError) -> None:
    """An error on stderr: further lines of its message are indented, so that none looks like one of ours."""
    message = "\n    ".join(plain(error.message).splitlines())
    put(f"{program}: {message}", sys.stderr)
    if error.hint:
        say(f"  → {error.hint}")


class Narrator(logging.Handler):
    """Log records as narration."""

    def emit(self, record: logging.LogRecord) -> None:
        put(self.format(record), sys.stderr)


def json_text(document: Any, *, indent: int | None = 2) -> str:
    """A JSON document in printable ASCII, with null where a number is NaN or infinite: JSON has neither."""
    return json.dumps(_finite(document), indent=indent, allow_nan=False).replace("\x7f", "\\u007f")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def put_json(document: Any, *, indent: int | None = 2) -> None:
    put(json_text(document, indent=indent))
