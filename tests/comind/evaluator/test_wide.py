"""Wide tables: the checks of a split grow with the columns, not with their square, and leaks still show."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from comind.evaluator.checks import check_split
from comind.evaluator.secrecy import leaks
from comind.evaluator.split import standard_split_source
from comind.state.runs import RunFolder
from tests.comind.evaluator.folders import evaluator_at

COLUMNS = 500


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a split of 300 rows of whole numbers, nearly all of which occur among the ids too."""
    run = tmp_path_factory.mktemp("wide")
    original = RunFolder(run).original
    original.mkdir(parents=True)
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.integers(0, 256, (360, COLUMNS)), columns=[f"p{n}" for n in range(COLUMNS)])
    table.insert(0, "id", range(360))
    table["digit"] = random.integers(0, 10, 360)
    table[:300].to_csv(original / "train.csv", index=False)
    table[300:].drop(columns="digit").to_csv(original / "test.csv", index=False)
    table[300:][["id"]].assign(digit=0).to_csv(original / "sample_submission.csv", index=False)
    evaluator = evaluator_at(run, "accuracy", higher=True)
    asyncio.run(evaluator.split(standard_split_source(evaluator.profile.facts), fraction=0.25))
    return run


def test_columns_are_compared_in_full_only_where_a_sample_of_rows_agrees(
    pixels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = 0
    agrees = leaks.agrees

    def counted(labels: pd.Series, values: pd.Series) -> bool:
        nonlocal compared
        compared += 1
        return agrees(labels, values)

    monkeypatch.setattr(leaks, "agrees", counted)
    evaluator, folder = evaluator_at(pixels, "accuracy", higher=True), RunFolder(pixels)
    checks = check_split(
        evaluator.profile, original=folder.original, public=folder.public, private=folder.private
    )
    assert all(check.passed for check in checks)
    assert compared < 10


def test_a_leak_shows_in_a_wide_table_under_any_name_of_the_id(pixels: Path, tmp_path: Path) -> None:
    folder = RunFolder(pixels)
    labels = pd.read_csv(folder.private / "validation.csv", dtype=str).set_index("id")["digit"]
    inputs = pd.read_csv(folder.public / "validation.csv", dtype=str)
    inputs["code"] = labels.loc[inputs["id"]].to_numpy() + pd.Series([".0"] * len(inputs))
    inputs.rename(columns={"id": "row"}).to_csv(tmp_path / "extra.csv", index=False)
    found = leaks.find_leaks(tmp_path, labels, frozenset())
    assert found == ["extra.csv: column 'code' gives the validation labels"]
