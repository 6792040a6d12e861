"""States as one narrow symbol and a word, so that no state is told by colour alone."""

from __future__ import annotations

_SYMBOLS: dict[str, str] = {
    "preparing": "…", "running": "●", "paused": "‖", "finished": "✓", "stopped": "■", "failed": "✗",
    "waiting": "○", "thinking": "◌", "grading": "◆", "reporting": "◇",
    "pausing": "‖", "engine gone": "■", "unreadable": "✗",
    "ok": "✓", "error": "✗", "timeout": "!", "died": "†", "interrupted": "‖",
}  # fmt: skip

BAD = frozenset({"failed", "error", "timeout", "died"})


def symbol(status: str) -> str:
    return _SYMBOLS.get(status, "?")


def state(status: str) -> str:
    """`● running`."""
    return f"{symbol(status)} {status}"
