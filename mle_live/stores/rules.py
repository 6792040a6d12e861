"""A competition's rules, which users accept before taking part: who accepted what."""

from __future__ import annotations

from datetime import datetime

from kaggle_runner.moments import stamp
from mle_live.stores.state import ServerState, User

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accepted_rules (
    user_id INTEGER NOT NULL REFERENCES users(id), competition TEXT NOT NULL, accepted_at TEXT NOT NULL,
    PRIMARY KEY (user_id, competition)
)
"""


class RulesStore:
    """Acceptances in the server's database. Where rules are not `required`, everybody has accepted them."""

    def __init__(self, state: ServerState, *, required: bool) -> None:
        self._state = state
        self._required = required
        state.run(_SCHEMA, ())

    def accept(self, user: User, competition: str, now: datetime) -> None:
        self._state.run(
            "INSERT OR IGNORE INTO accepted_rules VALUES (?, ?, ?)", (user.id, competition, stamp(now))
        )

    def accepted(self, user: User, competition: str) -> bool:
        if not self._required:
            return True
        values = (user.id, competition)
        return bool(
            self._state.run("SELECT 1 FROM accepted_rules WHERE user_id = ? AND competition = ?", values)
        )
