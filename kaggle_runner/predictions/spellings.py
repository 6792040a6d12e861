"""What an id or a label means that is not spelt as the host spells it.

A table that went through pandas or a spreadsheet says `100` where the host says `00100`, `7.0` or `1e+05` for
a whole number, nothing where a name is NA, and people put blanks around words. Another spelling is taken
where only one of the host's own can be meant; what the host itself tells apart (`007` and `7`) stays apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from decimal import Decimal

NOTHING = frozenset({"", "na", "n/a", "<na>", "#n/a", "#na", "nan", "-nan", "null", "none"})
"""What pandas reads as a missing value, in lower case."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,100}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,100}\.?[0-9]{0,100}|\.[0-9]{1,100})(?:[eE][+-]?[0-9]{1,3})?")
_JOINT = re.compile(r"[+|]")
"""Between the parts of an id that is made of several columns."""
_EXACT = 2**53
"""Up to here a float holds every whole number."""


def find_ids(ids: Sequence[str], known: Sequence[str]) -> list[int | None]:
    """For each id its place among the `known` ones, which are all different; None where none can be meant."""
    return _found(ids, known, meaning, _as_float)


def find_names(names: Sequence[str], known: Sequence[str]) -> list[int | None]:
    """The same for class names: `1` is not `01` here, but blanks do not count, and nothing may be NA."""
    return _found(names, known, _word)


def _found(
    texts: Sequence[str], known: Sequence[str], *readings: Callable[[str], Hashable]
) -> list[int | None]:
    place_of = {text: place for place, text in enumerate(known)}
    places = [place_of.get(text) for text in texts]
    for reading in readings:
        if None not in places:
            break
        unlike = _told_apart(known, reading)
        places = [
            unlike.get(reading(text)) if place is None else place
            for text, place in zip(texts, places, strict=True)
        ]
    return places


def meaning(text: str) -> Hashable:
    """The same for all spellings of an id: its number, or the word without blanks; parts joined by +."""
    word = text.strip()
    if _WHOLE.fullmatch(word):
        return int(word)
    if _NUMBER.fullmatch(word):
        return Decimal(word)  # exact, and equal to the int that it is
    parts = _JOINT.split(word)
    return tuple(map(meaning, parts)) if len(parts) > 1 else _word(word)


def _word(text: str) -> str:
    word = text.strip()
    return "" if word.lower() in NOTHING else word


def _as_float(text: str) -> Hashable:
    """Long numbers as the float that holds them: their last digits are lost in `1.2345678901234568e+19`."""
    number = meaning(text)
    return float(number) if isinstance(number, int | Decimal) and not -_EXACT < number < _EXACT else None


def _told_apart(known: Iterable[str], reading: Callable[[str], Hashable]) -> dict[Hashable, int | None]:
    """Places by reading; None where several have it."""
    places: dict[Hashable, int | None] = {}
    for place, text in enumerate(known):
        read = reading(text)
        places[read] = place if read is not None and read not in places else None
    return places
