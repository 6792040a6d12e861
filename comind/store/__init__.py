"""A run's memory: one SQLite database that only its engine writes (`Store`) and everyone reads (`Reader`)."""

from comind.store.reader import Reader
from comind.store.store import Store

__all__ = ["Reader", "Store"]
