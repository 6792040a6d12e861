"""What a kernel's run left at Kaggle: its log as lines, and its files saved within bounds.

Names and sizes come from code that ran elsewhere, so they are not trusted.
"""

from __future__ import annotations

import errno
import json
import re
import time
from pathlib import Path, PurePosixPath
from typing import Any

import requests

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.records import LogLine
from kaggle_runner.kaggle.transport import Wire
from kaggle_runner.kaggle.wire import http_error, save_body
from kaggle_runner.texts import whole_characters

_LONGEST_SECONDS = 1e9
_LONGEST_NAME = 1000
_CONNECT_SECONDS = 10.0
_END_OF_LOG = re.compile(rb"^data:[ \t]*END_OF_LOG[ \t\r]*$", re.MULTILINE)
_STREAM_PIECE = 512
_MOST_LOG = 20_000_000
_LONGEST_PART = 200
"""Bytes of a file's or folder's name; file systems take 255, and a file on its way has a longer name."""
_BAD_PLACES = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)


def read_log(text: str) -> list[LogLine]:
    """The lines of a run's log: a JSON array, one event a line; a run that was ended may leave half of it."""
    try:
        events = json.loads(text) if text.strip() else []
    except (ValueError, RecursionError):
        events = [_event(line) for line in text.splitlines()]
    if not isinstance(events, list):
        events = [events]
    return [
        LogLine(_text(event.get("stream_name")), _seconds(event.get("time")), _text(event.get("data")))
        for event in events
        if isinstance(event, dict)
    ]


def read_stream(wire: Wire, path: str, quiet: float, longest: float) -> list[LogLine]:
    """The events of a live log until it ends, is quiet for `quiet` seconds, or was read for `longest`.

    A kernel that prints every second is never quiet. Of an ended run it is the whole log.
    `path` comes after the API's address. Lines that came before a cut are kept.
    """
    url = f"{wire.http.api_address}/{path}"
    headers = {"Accept": "text/event-stream, */*"}
    with wire.session.get(url, headers=headers, stream=True, timeout=(_CONNECT_SECONDS, quiet)) as response:
        if response.status_code >= 400:
            raise http_error(response)
        if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
            return read_log(response.content.decode(errors="replace"))
        came = bytearray()
        ended: re.Match[bytes] | None = None
        until = time.monotonic() + longest
        try:
            for piece in response.iter_content(_STREAM_PIECE):
                came += piece
                ended = _END_OF_LOG.search(came, max(0, len(came) - 2 * _STREAM_PIECE))
                if ended or len(came) > _MOST_LOG or time.monotonic() > until:
                    break
        except requests.RequestException:
            pass  # quiet, or cut: what came is what there is so far
        came = came[: ended.start()] if ended else came
    events = (line.decode(errors="replace") for line in came.splitlines() if line.startswith(b"data:"))
    return read_log("\n".join(event.removeprefix("data:").strip() for event in events))


def _event(line: str) -> Any:
    """One line of a log that is no whole array; what is not an event is a line of output itself."""
    line = line.strip().strip("[,]").strip()
    if not line:
        return None
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return {"stream_name": "stdout", "data": line + "\n"}


def _text(value: Any) -> str:
    return "" if value is None else whole_characters(str(value))


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < _LONGEST_SECONDS else 0.0


class OutputFolder:
    """A folder that takes output files, `most_bytes` of them in all."""

    def __init__(self, dest: Path, most_bytes: int) -> None:
        self._dest = dest
        self._most = most_bytes
        self._taken = 0
        self.saved: dict[str, Path] = {}
        self.left_out: dict[str, str] = {}

    def fetch(self, wire: Wire, name: str, url: str) -> None:
        """Save the file at a signed address, which is called without credentials."""
        if self._place(name) is None:
            return
        request = requests.Request("GET", url).prepare()
        settings = wire.session.merge_environment_settings(url, {}, True, None, None)
        with wire.session.send(request, **settings) as response:
            if response.status_code >= 400:
                raise http_error(response)
            self.save(name, response)

    def save(self, name: str, response: requests.Response) -> None:
        """Save a response's body as `name`, unless that is more than there is room for."""
        place = self._place(name)
        if place is None:
            return
        try:
            self._save(name, place, response)
        except OSError as error:
            if isinstance(error, requests.RequestException) or error.errno not in _BAD_PLACES:
                raise
            self.left_out[name] = f"it cannot be written here: {error.strerror}"

    def _save(self, name: str, place: Path, response: requests.Response) -> None:
        length = response.headers.get("Content-Length", "")
        size = int(length) if length.isdecimal() else None
        room = self._most - self._taken
        if size is not None and size > room:
            self.left_out[name] = f"{size} bytes are more than the {room} that are left of {self._most}"
            return
        if size is None or not (place.is_file() and place.stat().st_size == size):
            place.parent.mkdir(parents=True, exist_ok=True)
            partial = place.with_name(f"{place.name}.partial")
            try:
                save_body(response, partial, None, most_bytes=room)
                partial.replace(place)
            except KaggleError as error:  # more bytes came than were announced
                self.left_out[name] = error.message
                return
            finally:
                partial.unlink(missing_ok=True)
        self._taken += place.stat().st_size
        self.saved[name] = place
        self.left_out.pop(name, None)

    def _place(self, name: str) -> Path | None:
        """Where the file goes; None, with the reason noted, for a name that cannot be used."""
        parts = PurePosixPath(name).parts
        wrong = not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name
        if not wrong and name.isprintable() and len(name) <= _LONGEST_NAME:
            wrong = any(len(part.encode()) > _LONGEST_PART for part in parts)
        else:
            wrong = True
        if wrong:
            self.left_out[name] = "its name cannot be used here"
            return None
        place = self._dest.joinpath(*parts)
        if not place.resolve().is_relative_to(self._dest.resolve()):
            self.left_out[name] = "its name leads out of the folder"
            return None
        return place
