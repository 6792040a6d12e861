"""Which turns of a long conversation are shown whole, shortened, or as a line: decided in big steps.

Every fold changes the middle of the prompt and so costs a server its cache of all that follows. Folding
therefore waits for a high-water mark and then goes down to a low one: for many turns between two folds each
prompt begins with the whole one before it. What is folded is a function of the turns alone, so that a resumed
run folds as the first one did. It neither writes the texts nor counts their tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TalkTurn:
    """A reply with its observation, in the three sizes that it may be shown in."""

    reply: str
    whole: str
    """The observation."""
    short: str
    """The observation with its output cut."""
    line: str
    """What is said of the turn when it is left out."""
    reply_tokens: int
    whole_tokens: int
    short_tokens: int
    line_tokens: int

    @property
    def tokens(self) -> int:
        return self.reply_tokens + self.whole_tokens

    @property
    def shortened_tokens(self) -> int:
        return self.reply_tokens + min(self.short_tokens, self.whole_tokens)


@dataclass(frozen=True, slots=True)
class Folding:
    """Turns before `left_out` are a line each, turns before `shortened` have a short observation."""

    left_out: int = 0
    shortened: int = 0


@dataclass(slots=True)
class FoldedTurns:
    """The turns so far. All limits are tokens: above `room`, turns are folded down to `low`."""

    room: int
    low: int
    lines: int
    """The lines of turns that are left out take no more: the oldest are then only counted."""
    turns: list[TalkTurn] = field(default_factory=list)
    folding: Folding = Folding()

    def add(self, turn: TalkTurn) -> None:
        self.turns.append(turn)
        if self.tokens(self.folding) > self.room:
            self.folding = self._down_to(self.low, len(self.turns) - 1)

    def leaving(self, tokens: int) -> Folding:
        """As `folding`, or further for this once, so that `tokens` of the room are free."""
        room = self.room - tokens
        return self.folding if self.tokens(self.folding) <= room else self._down_to(room, len(self.turns))

    def tokens(self, folding: Folding) -> int:
        """Of all turns as `folding` shows them; the heading over the lines is not counted."""
        return (
            min(self.lines, sum(turn.line_tokens for turn in self.turns[: folding.left_out]))
            + sum(turn.shortened_tokens for turn in self.turns[folding.left_out : folding.shortened])
            + sum(turn.tokens for turn in self.turns[max(folding.left_out, folding.shortened) :])
        )

    def _down_to(self, tokens: int, last: int) -> Folding:
        """The least further folding of at most `tokens`: outputs first, then turns; none from `last` on."""
        left_out, shortened = self.folding.left_out, max(self.folding.shortened, self.folding.left_out)
        while shortened < last and self.tokens(Folding(left_out, shortened)) > tokens:
            shortened += 1
        while left_out < last and self.tokens(Folding(left_out, shortened)) > tokens:
            left_out += 1
        return Folding(left_out, shortened)
