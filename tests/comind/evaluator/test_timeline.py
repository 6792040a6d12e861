"""Rows to predict that are later than the training rows: found by values, and held out alike."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from comind.evaluator.profile import profile_competition
from comind.evaluator.split import standard_split_source
from comind.evaluator.timeline import find_time_column
from mle_live.layout.tables import read_tables

DAYS = pd.date_range("2024-01-01", periods=50)
HOURS = pd.date_range("2024-03-13", periods=50, freq="h")


def write(folder: Path, times: list[str], *, name: str = "date", test_from: int = 40) -> Path:
    """Two rows a moment; those from `test_from` on are to be predicted."""
    rows = pd.DataFrame({name: [one for one in times for _ in range(2)]})
    rows.insert(0, "id", range(len(rows)))
    rows["x"] = [number * 37 % 11 for number in range(len(rows))]
    rows["y"] = [number * 1.5 % 7 for number in range(len(rows))]
    cut = 2 * test_from
    rows[:cut].sample(frac=1, random_state=0).to_csv(folder / "train.csv", index=False)
    rows[cut:].drop(columns="y").to_csv(folder / "test.csv", index=False)
    rows[cut:][["id"]].assign(y=0).to_csv(folder / "sample_submission.csv", index=False)
    return folder


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("date", [str(day.date()) for day in DAYS]),
        (
            "when",
            [day.strftime("%d/%m/%Y %H:%M") for day in pd.date_range("2024-03-13", periods=50, freq="h")],
        ),
        ("timestamp", [str(int(day.timestamp())) for day in DAYS]),
        ("month_number", [str(number // 2) for number in range(50)]),
    ],
)
def test_a_column_by_which_the_test_is_later_is_found(tmp_path: Path, name: str, times: list[str]) -> None:
    tables = read_tables(write(tmp_path, times, name=name))
    assert find_time_column(tables, exclude={"id", "y"}) == name


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("date", [str(DAYS[number * 17 % 50].date()) for number in range(50)]),
        ("size", [str(number) for number in range(50)]),
        ("date", ["2024-01-01"] * 50),
        ("date", [""] * 50),
        ("version", [f"v{number:02}" for number in range(50)]),
    ],
    ids=["mixed dates", "a growing number that is no time", "one day", "nothing", "names"],
)
def test_other_columns_are_no_time(tmp_path: Path, name: str, times: list[str]) -> None:
    assert find_time_column(read_tables(write(tmp_path, times, name=name)), exclude={"id", "y"}) is None


def test_the_hold_out_is_the_end_of_the_training_rows(tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.mkdir()
    write(original, [str(day.date()) for day in DAYS])
    profile = profile_competition(original, description="", metric="rmse", higher_is_better=False)
    assert (profile.time_column, profile.group_column) == ("date", None)
    assert "latest by date" in profile.held_out
    public, private = tmp_path / "public", tmp_path / "private"
    public.mkdir()
    private.mkdir()
    scope: dict[str, object] = {}
    exec(standard_split_source(profile.facts), scope)
    scope["split"](original, public, private, fraction=0.2, seed=0)  # type: ignore[operator]
    train, held_out = pd.read_csv(public / "train.csv"), pd.read_csv(public / "validation.csv")
    assert held_out["date"].min() > train["date"].max()
    assert len(held_out) == 16 and len(train) == 64
    assert not held_out["date"].is_monotonic_increasing, "shuffled: the order says nothing"
