"""Competitions in other shapes than the usual one, from inspection to a valid submission, offline."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from comind.state.runs import list_runs
from tests.e2e.commands import AMPLE, comind
from tests.mle_live.layout.shapes import SHAPES

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("name", ["seven_zip", "names_tell", "by_date", "image_pairs"])
def test_a_folder_in_another_shape_comes_to_a_submission(name: str, tmp_path: Path) -> None:
    shape, state, config = SHAPES[name], tmp_path / "state", tmp_path / "run.yaml"
    shape.write(tmp_path / "data")
    config.write_text("coders: 1\nrounds: 1\nsteps: 4\n")
    done = comind(
        "run", f"{tmp_path / 'data'}/", "--offline", "--metric", shape.metric, "--config", str(config),
        "--time-limit", AMPLE, "--json", state=state,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    [folder] = list_runs(state)
    submission = pd.read_csv(folder.path / shown["best"]["submission"])
    assert list(submission.columns) == [shape.id, *shape.targets]
    sample = pd.read_csv(folder.original / "sample_submission.csv")
    assert set(submission[shape.id]) == set(sample[shape.id])
    better = max if shown["higher_is_better"] else min
    assert better(shown["best"]["score"], shown["baseline_score"]) == shown["best"]["score"]


def test_what_cannot_be_run_is_told_in_one_sentence(tmp_path: Path) -> None:
    SHAPES["masks_as_lengths"].write(tmp_path / "data")
    done = comind("run", f"{tmp_path / 'data'}/", "--offline", "--metric", "rmse", state=tmp_path / "state")
    assert done.returncode == 2
    assert "train/ and train_masks/ hold pairs of images" in done.stderr
    assert not list((tmp_path / "state").glob("runs/*"))
