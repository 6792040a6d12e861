"""A line of a scrolling list: what it says, and how it looks."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """A clean line of text and how it looks: `plain`, `dim`, `good` or `bad`."""

    text: str
    look: str = "plain"
