"""Members of an ensemble are chosen by score and by how differently they err, from real prediction files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from comind.analysis.members import complementary, prediction_correlations, redundant
from comind.analysis.standings import Standing
from comind.state.records import Evaluation
from kaggle_runner.score import Score


def standing(agent: str, score: float) -> Standing:
    evaluation = Evaluation(id=f"{agent}-s1", agent=agent, round=1, step=1, success=True, message="")
    return Standing(evaluation, Score(score, score - 0.02, score + 0.02, 100, True))


def write(folder: Path, name: str, values: object, *, shuffled: bool = False) -> Path:
    path = folder / f"{name}.csv"
    table = pd.DataFrame({"id": range(len(values)), "p": values})  # type: ignore[arg-type]
    (table.sample(frac=1, random_state=1) if shuffled else table).to_csv(path, index=False)
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=400)
    best = truth + 0.5 * rng.normal(size=400)
    return {
        "best": write(tmp_path, "best", best),
        "twin": write(tmp_path, "twin", np.exp(best) + 1e-6 * rng.normal(size=400), shuffled=True),
        "other": write(tmp_path, "other", truth + 0.5 * rng.normal(size=400)),
        "noise": write(tmp_path, "noise", rng.normal(size=400)),
    }


BOARD = [standing("best", 0.90), standing("twin", 0.899), standing("other", 0.89), standing("noise", 0.5)]
BASELINE = Score(0.5, 0.5, 0.5, 100, True)


def test_rank_correlation_sees_through_scale_and_row_order(files: dict[str, Path]) -> None:
    found = prediction_correlations(files)
    assert found["best", "twin"] == found["twin", "best"] > 0.999
    assert 0.6 < found["best", "other"] < 0.95
    assert abs(found["best", "noise"]) < 0.2


def test_a_member_must_differ_more_than_it_loses(files: dict[str, Path]) -> None:
    chosen = complementary(BOARD, prediction_correlations(files), BASELINE)
    assert [one.agent for one in chosen] == ["best", "other"]
    assert chosen[0].correlation is None
    assert chosen[1].correlation is not None and 0.6 < chosen[1].correlation < 0.95


def test_a_repeated_solution_is_named_with_the_one_that_it_repeats(files: dict[str, Path]) -> None:
    found = redundant(BOARD, prediction_correlations(files))
    assert [(agent, better) for agent, better, _ in found] == [("twin", "best")]


@pytest.mark.parametrize("classes", [["cat", "dog", "owl"], ["None", "NA", "null"]])
def test_classes_are_compared_beyond_chance(tmp_path: Path, classes: list[str]) -> None:
    rng = np.random.default_rng(1)
    labels = rng.choice(classes, size=600)
    changed = np.where(rng.random(600) < 0.2, rng.choice(classes, size=600), labels)
    found = prediction_correlations(
        {
            "a": write(tmp_path, "a", labels),
            "b": write(tmp_path, "b", changed),
            "c": write(tmp_path, "c", rng.choice(classes, size=600)),
        }
    )
    assert 0.7 < found["a", "b"] < 0.9
    assert abs(found["a", "c"]) < 0.15


def test_what_cannot_be_compared_is_left_out(tmp_path: Path, files: dict[str, Path]) -> None:
    (tmp_path / "broken.csv").write_bytes(b"\x00\xff")
    more = {
        **files,
        "broken": tmp_path / "broken.csv",
        "missing": tmp_path / "missing.csv",
        "constant": write(tmp_path, "constant", np.full(400, 0.25)),
        "short": write(tmp_path, "short", np.arange(10.5)),
    }
    assert {agent for pair in prediction_correlations(more) for agent in pair} == set(files)
    assert complementary([standing("missing", 1.0)], prediction_correlations(more), BASELINE) == []
