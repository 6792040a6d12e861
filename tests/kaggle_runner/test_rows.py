"""Records come back from rows and JSON as they went in; anything else is one error that names the place."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaggle_runner.errors import Unusable
from kaggle_runner.rows import Stamp, columns, from_json, from_row, to_json, to_row


class Place(NamedTuple):
    rank: int
    team: str | None = None


@dataclass(frozen=True, slots=True)
class Inner:
    name: str
    places: tuple[Place, ...] = ()


class Facts(TypedDict, total=False):
    score: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    TABLE: ClassVar[str] = "outer"
    id: str
    count: int = 0
    share: float = 0.5
    good: bool = True
    perhaps: bool | None = None
    state: Literal["on", "off"] = "on"
    path: Path = Path()
    blob: bytes = b""
    at: Stamp = ""
    begun: datetime | None = None
    inner: Inner | None = None
    facts: Facts = field(default_factory=Facts)
    anything: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    limit: int | None = None


FULL = Outer(
    id="x", count=2**40, share=1e300, good=False, perhaps=True, state="off", path=Path("a/b"), blob=b"\0\xff",
    at="2026-01-01T00:00:00.123Z", begun=datetime(2026, 1, 1, 1, 2, 3, 4000, tzinfo=UTC),
    inner=Inner("é", (Place(1, "a"), Place(2))), facts={"score": 0.5, "interval": (0.4, 0.6)},
    anything={"deep": [1, None, {"a": True}]}, names=("p", "q"),
)  # fmt: skip


@pytest.mark.parametrize("record", [FULL, Outer(id="only")])
def test_a_record_comes_back_from_its_row_and_from_its_json(record: Outer) -> None:
    row = to_row(record)
    assert {type(value) for value in row.values()} <= {str, int, float, bytes, type(None)}
    assert from_row(Outer, row, "here") == record
    if not record.blob:
        assert from_json(Outer, to_json(record), "here") == record


def test_moments_are_written_in_one_way_and_read_in_any() -> None:
    assert to_row(FULL)["begun"] == "2026-01-01T01:02:03.004Z"
    for text in ("2026-01-01T01:02:03.004+00:00", "2026-01-01T02:02:03.004+01:00", "2026-01-01T01:02:03.004"):
        assert from_row(Outer, {"id": "x", "begun": text}, "here").begun == FULL.begun


def test_booleans_are_numbers_and_nested_things_are_json_text() -> None:
    row = to_row(FULL)
    assert (row["good"], row["perhaps"], row["names"], row["limit"]) == (0, 1, '["p", "q"]', None)
    assert row["inner"] == '{"name": "é", "places": [[1, "a"], [2, null]]}'


def test_columns_have_the_types_of_sqlite() -> None:
    kinds = {column.name: column.kind for column in columns(Outer)}
    assert kinds["count"] == kinds["good"] == kinds["perhaps"] == kinds["limit"] == "INTEGER"
    assert (kinds["share"], kinds["blob"]) == ("REAL", "BLOB")
    assert {kinds[name] for name in ("id", "state", "path", "at", "inner", "names")} == {"TEXT"}


def test_unknown_columns_are_ignored_and_missing_or_empty_ones_take_their_default() -> None:
    assert from_row(Outer, {"id": "x", "added_later": 1}, "here") == Outer(id="x")
    assert from_row(Outer, {"id": "x", "count": None, "state": None, "facts": None}, "here") == Outer(id="x")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", None),
        ("id", 7),
        ("id", b"x"),
        ("count", "7"),
        ("count", 1.5),
        ("share", "much"),
        ("good", 2),
        ("good", "yes"),
        ("state", "sideways"),
        ("path", 3),
        ("at", "yesterday"),
        ("at", "2026-02-30T00:00:00Z"),
        ("begun", "yesterday"),
        ("begun", 5),
        ("at", 5),
        ("inner", "{"),
        ("inner", "[]"),
        ("inner", '{"places": []}'),
        ("inner", '{"name": "n", "places": [["first"]]}'),
        ("facts", '{"interval": [1]}'),
        ("facts", '{"score": "high"}'),
        ("anything", "[" * 100_000),
        ("anything", "5"),
        ("anything", b"\xff"),
        ("names", '["a", 1]'),
    ],
)
def test_what_does_not_fit_is_one_error_that_names_the_place_and_the_column(column: str, value: Any) -> None:
    row = {**to_row(FULL), column: value}
    with pytest.raises(Unusable, match=f"run.sqlite cannot be used: it holds no good Outer .*{column}"):
        from_row(Outer, row, Path("run.sqlite"))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"id": 1}', "[" * 100_000, b"\xff\xfe\x00"])
def test_json_that_is_no_such_record_is_the_same_error(text: str | bytes) -> None:
    with pytest.raises(Unusable, match=r"notes\.json cannot be used"):
        from_json(Outer, text, "notes.json")


@given(st.text(st.characters(codec=None)), st.dictionaries(st.text(), st.floats() | st.text() | st.none()))
def test_any_text_can_be_stored_and_is_whole_afterwards(text: str, anything: dict[str, Any]) -> None:
    row = to_row(Outer(id=text, anything=anything))
    found = from_row(Outer, row, "here")
    assert "".join([found.id, row["anything"]]).encode()
    assert to_row(found) == row


def test_lists_of_records_are_read_too() -> None:
    places = [Place(1, "a"), Place(2)]
    assert from_json(list[Place], to_json(places), "here") == places


def test_a_record_without_what_it_needs_is_no_record() -> None:
    with pytest.raises(Unusable, match="missing required field `id`"):
        from_row(Outer, {}, "here")
    with pytest.raises(Unusable, match="missing required field `id`"):
        from_json(Outer, "{}", "here")
