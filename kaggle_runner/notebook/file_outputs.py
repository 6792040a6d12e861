"""A cell's outputs cut to what a notebook file should hold; which of them come first decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kaggle_runner.texts import clip

TEXT_CHARACTERS = 200_000
"""Of one cell's prints and tables together."""
IMAGE_CHARACTERS = 4_000_000
"""Of one cell's images together: 3 MB, in base64."""
TRACEBACK_CHARACTERS = 64_000
MOST_OUTPUTS = 201
_LEAST = 500


def bounded_outputs(outputs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """nbformat 4 outputs within the bounds above, with notices where something was left out.

    Every output keeps its head and tail as far as the cell's allowance goes, and the last one (the error) is
    always there. The given ones stay unchanged.
    """
    room = _Room()
    kept = [_bounded(output, room) for output in outputs[: MOST_OUTPUTS - 1]]
    if len(outputs) > MOST_OUTPUTS:
        kept.append(_notice(f"[{len(outputs) - MOST_OUTPUTS} outputs left out]"))
    return kept + [_bounded(output, room) for output in outputs[MOST_OUTPUTS - 1 :][-1:]]


class _Room:
    """What one cell may still put into the file."""

    def __init__(self) -> None:
        self._text, self._image = TEXT_CHARACTERS, IMAGE_CHARACTERS

    def text(self, text: str) -> str:
        if len(text) > self._text:
            # half of what is left, so that the outputs after a flood are seen too
            half = self._text // 2
            text = clip(text, half) if half >= _LEAST else f"[{len(text)} characters left out]\n"
        self._text = max(0, self._text - len(text))
        return text

    def image(self, data: str) -> bool:
        fits = len(data) <= self._image
        self._image -= len(data) if fits else 0
        return fits

    def rich(self, data: str) -> bool:
        fits = len(data) <= self._text
        self._text -= len(data) if fits else 0
        return fits


def _bounded(output: dict[str, Any], room: _Room) -> dict[str, Any]:
    kind = output.get("output_type")
    if kind == "stream":
        return {**output, "text": room.text(_joined(output.get("text")))}
    if kind == "error":
        lines = "\n".join(map(str, output.get("traceback", [])))
        return {**output, "traceback": clip(lines, TRACEBACK_CHARACTERS).split("\n")}
    data = output.get("data")
    return {**output, "data": _bundle(data if isinstance(data, dict) else {}, room)}


def _bundle(data: dict[str, Any], room: _Room) -> dict[str, Any]:
    """Images and rich text whole or not at all; the plain text tells what is missing."""
    plain = room.text(_joined(data.get("text/plain")))
    kept, missing = {}, []
    for mime, value in data.items():
        if mime == "text/plain":
            continue
        content = _joined(value)
        if room.image(content) if mime in ("image/png", "image/jpeg") else room.rich(content):
            kept[mime] = value
        else:
            missing.append(f"[{mime} of {len(content) // 1000} KB left out]")
    return {**kept, "text/plain": "\n".join(part for part in (plain, *missing) if part)}


def _notice(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stderr", "text": f"{text}\n"}


def _joined(value: object) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")
