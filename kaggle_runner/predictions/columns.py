"""One column of a prediction file while it is read: texts, or what pandas would take for numbers."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from kaggle_runner.predictions.spellings import NOTHING, find_names

Kind = Literal["number", "label", "text"]
"""Finite numbers, texts that are never empty, or texts that may be (no mask, no boxes, no words)."""
ValueFault = Literal["nan", "not_a_number", "infinite"]
Values: TypeAlias = "array[float] | list[str]"

LARGEST = 1e100
"""Predictions from here on count as infinite: their squares and sums would break a metric."""
_FAULTS: tuple[ValueFault, ...] = get_args(ValueFault)
_BOOLEANS = {"true": 1.0, "false": 0.0}


class Column:
    """Takes the texts of a column block by block; rows whose value it cannot hold are remembered."""

    def __init__(self, kind: Kind, classes: Sequence[str] = ()) -> None:
        """Labels are spelt as in `classes` where they can mean one of these only."""
        self.kind = kind
        self._classes = classes
        self._spelt = {name: name for name in classes}
        self.values: Values = array("d") if kind == "number" else []
        self._bad: dict[ValueFault, list[int]] = {}

    def extend(self, texts: Sequence[str]) -> None:
        if isinstance(self.values, list):
            if self.kind == "label":
                texts = self._as_classes(texts) if self._classes else texts
                self._note("nan", [row for row, text in enumerate(texts) if not text.strip()])
            self.values.extend(texts)
        else:
            self.values.extend(_numbers_at_once(texts) or self._numbers_one_by_one(texts))

    def _as_classes(self, texts: Sequence[str]) -> Sequence[str]:
        new = sorted({*texts} - self._spelt.keys())
        for text, place in zip(new, find_names(new, self._classes), strict=True):
            self._spelt[text] = text if place is None else self._classes[place]
        return [self._spelt[text] for text in texts]

    def fault(self) -> tuple[ValueFault, list[int]] | None:
        """The first kind of fault, and the rows that have it."""
        return next(((fault, self._bad[fault]) for fault in _FAULTS if fault in self._bad), None)

    def in_order(self, places: Sequence[int]) -> Values:
        """The values, each moved from its row to its place; a range is the order that they have."""
        if isinstance(places, range):
            return self.values
        ordered = self.values[:]
        for place, value in zip(places, self.values, strict=True):
            ordered[place] = value  # type: ignore[call-overload]
        return ordered

    def _numbers_one_by_one(self, texts: Sequence[str]) -> array[float]:
        read = [_number(text) for text in texts]
        for fault in _FAULTS:
            self._note(fault, [row for row, (_, found) in enumerate(read) if found == fault])
        return array("d", (value for value, _ in read))

    def _note(self, fault: ValueFault, rows: list[int]) -> None:
        if rows:
            self._bad.setdefault(fault, []).extend(len(self.values) + row for row in rows)


def _numbers_at_once(texts: Sequence[str]) -> array[float] | None:
    """All of them where each is an ordinary number, in a tenth of the time."""
    if not _may_be_numbers("".join(texts)):
        return None
    try:
        numbers = array("d", map(float, texts))
    except ValueError:
        return None
    return numbers if sum(map(abs, numbers)) < LARGEST else None  # a sum with NaN is not


def _number(text: str) -> tuple[float, ValueFault | None]:
    """The value of a text, and what is wrong with it."""
    word = text.strip().lower()
    if word in _BOOLEANS:
        return _BOOLEANS[word], None
    if word in NOTHING:
        return math.nan, "nan"
    try:
        value = float(word if _may_be_numbers(word) else "no number")
    except ValueError:
        return math.nan, "not_a_number"
    if math.isnan(value):
        return value, "nan"
    return value, "infinite" if abs(value) >= LARGEST else None


def _may_be_numbers(text: str) -> bool:
    """float() alone would take `1_000` and the digits of other scripts."""
    return text.isascii() and "_" not in text
