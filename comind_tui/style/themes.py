"""Colours: Textual's own themes, and a plain one for NO_COLOR whose texts all keep full contrast."""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import Theme

PLAIN = Theme(
    name="plain",
    primary="#e8e8e8",
    secondary="#e8e8e8",
    accent="#ffffff",
    warning="#e8e8e8",
    error="#e8e8e8",
    success="#e8e8e8",
    foreground="#e8e8e8",
    background="#101010",
    surface="#181818",
    panel="#282828",
    dark=True,
)


def theme_name(environment: Mapping[str, str]) -> str:
    """Textual greys every colour under NO_COLOR, which leaves its usual themes unreadable."""
    return PLAIN.name if environment.get("NO_COLOR") else "textual-dark"
