"""Gathers one cell's messages: the full log on disk, the agent's text, and the notebook's outputs.

Messages come from agent code and are untrusted: every field is checked, every size is bounded.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, BinaryIO

from kaggle_runner.notebook.file_outputs import bounded_outputs
from kaggle_runner.notebook.outputs import Transcript, as_seen
from kaggle_runner.notebook.tracebacks import told_traceback
from kaggle_runner.texts import Ends, clip, whole_characters

TEXT_CHARACTERS = 12_000
"""What an agent is shown of a cell, without the traceback."""
TRACEBACK_CHARACTERS = 4_000
TAIL_CHARACTERS = 4_000
IMAGE_CHARACTERS = 1_400_000  # base64 of 1 MB
RICH_CHARACTERS = 200_000
STREAM_CHARACTERS = 64_000
MOST_OUTPUTS = 200
MOST_IMAGES = 40

_IMAGES = ("image/png", "image/jpeg")
_RICH = ("text/html", "text/markdown", "text/latex", "image/svg+xml")


class CellOutputs:
    """Feed each message to `take`; read `tail` while the cell runs, `text` and `outputs` when it is done."""

    def __init__(self, log_path: Path, log_bytes: int) -> None:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        self._log_path = log_path
        self._log: BinaryIO = log_path.open("wb", buffering=0)  # panes tail this file: no buffer between
        self._log_room = log_bytes
        self._transcript = Transcript()
        self._items: list[dict[str, Any]] = []
        self._displays: dict[str, list[dict[str, Any]]] = {}
        self._clear_before_next = False
        self._told_error = ""
        self.received = 0
        """Characters so far, also of what the log had no room for."""
        self.last_output_at = time.monotonic()
        self.error_name = ""
        self.error_value = ""
        self.images = 0

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """One message of the kernel's output channel; unknown kinds are ignored."""
        if kind == "stream":
            name = "stderr" if content.get("name") == "stderr" else "stdout"
            self._stream(name, _text(content.get("text")))
        elif kind in ("display_data", "execute_result"):
            self._display(kind, content)
        elif kind == "update_display_data":
            self._update(content)
        elif kind == "clear_output":
            self._clear_before_next = True
            if not content.get("wait"):
                self._clear_if_asked()
        elif kind == "error":
            self._error(content)
        else:
            return
        self.last_output_at = time.monotonic()

    def tail(self) -> str:
        return self._transcript.tail(TAIL_CHARACTERS)

    def text(self) -> str:
        """The agent's view: the folded output, then the traceback with the agent's own frames, up to 4 KB."""
        seen, was_cut = self._transcript.view(TEXT_CHARACTERS)
        output = seen.strip("\n")
        if was_cut:
            output += f"\n[shortened; the whole output is in the log {self._log_path.name}]"
        return "\n".join(part for part in (output, clip(self._told_error, TRACEBACK_CHARACTERS)) if part)

    def outputs(self) -> list[dict[str, Any]]:
        """The cell's outputs as a notebook stores them."""
        finished = []
        for item in self._items:
            if item["output_type"] == "stream":
                item = {**item, "text": as_seen(item["text"].text())}
            finished.append(item)
        return bounded_outputs(finished)

    def close(self) -> None:
        self._log.close()

    def _write_log(self, text: str) -> None:
        self.received += len(text)
        if self._log_room <= 0:
            return
        encoded = text.encode(errors="replace")
        if len(encoded) > self._log_room:
            encoded = encoded[: self._log_room] + b"\n[the log is full; later output is not kept]\n"
            self._log_room = 0
        self._log_room -= len(encoded)
        try:
            self._log.write(encoded)
        except OSError:  # a full disk ends the log, not the cell
            self._log_room = 0

    def _stream(self, name: str, text: str) -> None:
        self._clear_if_asked()
        self._write_log(text)
        self._transcript.feed(name, text)
        last = self._items[-1] if self._items else None
        if last is None or last["output_type"] != "stream" or last["name"] != name:
            if len(self._items) >= MOST_OUTPUTS:
                return
            last = {"output_type": "stream", "name": name, "text": Ends(STREAM_CHARACTERS)}
            self._items.append(last)
        last["text"].add(text)

    def _display(self, kind: str, content: dict[str, Any]) -> None:
        self._clear_if_asked()
        data, label = self._bundle(content)
        self._write_log(f"{label}\n")
        display = _display_id(content)
        stream = f"display {display}" if display else "result"
        self._transcript.feed(stream, label if display else f"{label}\n")
        if len(self._items) >= MOST_OUTPUTS:
            return
        item: dict[str, Any] = {"output_type": kind, "data": data, "metadata": {}}
        if kind == "execute_result":
            count = content.get("execution_count")
            item["execution_count"] = count if isinstance(count, int) and 0 < count < 1 << 31 else None
        if display:
            self._displays.setdefault(display, []).append(item)
        self._items.append(item)

    def _update(self, content: dict[str, Any]) -> None:
        display = _display_id(content)
        data, label = self._bundle(content, count_images=False)
        for item in self._displays.get(display, []):
            item["data"] = data
        self._write_log(f"{label}\n")
        self._transcript.rewrite(f"display {display}", label)

    def _bundle(self, content: dict[str, Any], *, count_images: bool = True) -> tuple[dict[str, Any], str]:
        """The data that the notebook keeps, and the one text that stands for it."""
        raw = content.get("data")
        raw = raw if isinstance(raw, dict) else {}
        data: dict[str, Any] = {}
        label = clip(as_seen(_text(raw.get("text/plain"))), RICH_CHARACTERS)
        mime = next((mime for mime in _IMAGES if _text(raw.get(mime))), "")  # PIL sends one image twice
        if mime:
            image = _text(raw.get(mime))
            self.images += count_images
            size = f"[{mime.removeprefix('image/')} image, {len(image) * 3 // 4000} KB]"
            label = f"{label} {size}".strip()
            if len(image) <= IMAGE_CHARACTERS and self.images <= MOST_IMAGES:
                data[mime] = image
        for mime in _RICH:
            rich = _text(raw.get(mime))
            if rich and len(rich) <= RICH_CHARACTERS:
                data[mime] = rich
        if not label or label.startswith("<IPython.core.display.HTML"):
            label = _words(data.get("text/html", "")) or label
        data["text/plain"] = label
        return data, label

    def _error(self, content: dict[str, Any]) -> None:
        self._clear_if_asked()
        self.error_name = printable_name(content.get("ename"))
        self.error_value = clip(as_seen(_text(content.get("evalue"))), 2000)
        lines = content.get("traceback")
        parts = [as_seen(_text(line)) for line in lines] if isinstance(lines, list) else []
        traceback = "\n".join(parts) or f"{self.error_name}: {self.error_value}"
        self._told_error = told_traceback(parts, self.error_name) or traceback
        self._write_log(f"\n{traceback}\n")
        self._items.append(
            {
                "output_type": "error",
                "ename": self.error_name,
                "evalue": self.error_value,
                "traceback": clip(traceback, STREAM_CHARACTERS).split("\n"),
            }
        )

    def _clear_if_asked(self) -> None:
        if self._clear_before_next:
            self._clear_before_next = False
            self._items.clear()
            self._displays.clear()
            self._transcript.clear()


def _text(value: object) -> str:
    """A string, or the list of strings that notebooks also allow; nothing else is taken."""
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    if not isinstance(value, str):
        return ""
    return whole_characters(value)


def printable_name(value: object) -> str:
    """An error's class name as it can stand in a sentence: a class may bear any, with line ends and codes."""
    return " ".join(as_seen(clip(_text(value), 200)).split())


def _display_id(content: dict[str, Any]) -> str:
    transient = content.get("transient")
    return clip(_text(transient.get("display_id")), 100) if isinstance(transient, dict) else ""


def _words(html: str) -> str:
    """A rough reading of an HTML table or sentence, for those who cannot see it."""
    return " ".join(re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", html, flags=re.S | re.I).split())[:2000]
