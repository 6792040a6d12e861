"""A run's memory: one SQLite database that only its engine writes (`Store`) and everyone reads (`Reader`)."""

from typing import TYPE_CHECKING, Any

from comind.state.reader import Reader

if TYPE_CHECKING:
    from comind.state.store import Store

__all__ = ["Reader", "Store"]


def __getattr__(name: str) -> Any:
    """`Store` is loaded when asked for: its libraries would triple the start of commands that only read."""
    if name == "Store":
        from comind.state.store import Store

        return Store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
