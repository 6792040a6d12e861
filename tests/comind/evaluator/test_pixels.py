"""Images in pairs: the ready split passes its checks, faulty ones are named, kernels see a joined folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from comind.evaluator.checks import check_split, require
from comind.evaluator.pixels.split import pixel_split_source
from comind.evaluator.profile import CompetitionProfile
from comind.evaluator.split import standard_split_source
from comind.evaluator.view import build_view, divide
from comind.offline.prompts import read_data
from kaggle_runner.errors import EvaluatorRejected
from mle_live.layout.arrange import lay_out
from tests.comind.evaluator.folders import profile, ready_evaluator
from tests.mle_live.layout.file_shapes import image_pairs

LAST = "    link_the_rest(original, public, set(validation[OUTPUT]))\n"


def scans(folder: Path) -> Path:
    image_pairs(folder.with_name("download"))
    lay_out(folder.with_name("download"), folder)
    return folder


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scans(tmp_path_factory.mktemp("desk") / "original")


def run_split(desk: Path, place: Path, fault: str = "") -> CompetitionProfile:
    found = profile(desk, "rmse", higher=False)
    source = standard_split_source(found.facts)
    assert source.count(LAST) == 1
    script: dict[str, Any] = {}
    exec(source.replace(LAST, f"{LAST}    {fault}\n"), script)
    for name in ("public", "private"):
        (place / name).mkdir()
    script["split"](desk, place / "public", place / "private", fraction=0.25, seed=3)
    return found


async def test_the_ready_split_passes_everything(tmp_path: Path) -> None:
    evaluator = await ready_evaluator(tmp_path, scans, "rmse", higher=False)
    checks = await evaluator.check()
    assert len(checks) >= 16
    assert all(check.passed for check in checks)
    truth = pd.read_csv(evaluator.labels)
    held_out = set(truth["image"].astype(str))
    assert len(held_out) == 5
    assert len(truth) == 5 * 16 * 20
    public = evaluator.folder.public
    assert not [path for path in (public / "train_cleaned").iterdir() if path.stem in held_out]
    assert held_out <= {path.stem for path in (public / "train").iterdir()}
    one = truth.iloc[37]
    with Image.open(evaluator.folder.original / "train_cleaned" / f"{one.image}.png") as image:
        _, row, column = one.id.split("_")
        assert one.value == pytest.approx(np.asarray(image)[int(row) - 1, int(column) - 1] / 255, abs=1e-5)


FAULTS = {
    "an answer under another name": (
        '(public / "extra.png").write_bytes((original / validation[OUTPUT].iloc[0]).read_bytes())',
        "no label in public.*extra.png is train_cleaned/.*an answer",
    ),
    "pixels of another image": (
        'truth.assign(value=truth[TARGET].to_numpy()[::-1]).to_csv(private / "validation.csv", index=False)',
        "labels true.*are not those of its image",
    ),
    "pixels left out": (
        'truth[truth[IMAGE] != truth[IMAGE].iloc[0]].to_csv(private / "validation.csv", index=False)',
        "shape.*has other ids",
    ),
    "a held-out image left in training": (
        'train.to_csv(public / "train.csv", index=False)', "rows apart.*also stand in public/train.csv",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_split_of_pairs_is_named(desk: Path, tmp_path: Path, name: str) -> None:
    fault, complaint = FAULTS[name]
    found = run_split(desk, tmp_path, fault)
    checks = check_split(found, original=desk, public=tmp_path / "public", private=tmp_path / "private")
    with pytest.raises(EvaluatorRejected, match=rf"(?s){complaint}"):
        require(checks)


def test_no_more_pixels_are_held_out_than_grading_can_bear(desk: Path, tmp_path: Path) -> None:
    found = profile(desk, "rmse", higher=False)
    assert found.pixels is not None
    script: dict[str, Any] = {}
    exec(pixel_split_source(found.pixels, "id", "value").replace("1000000", "1600"), script)
    for name in ("public", "private"):
        (tmp_path / name).mkdir()
    script["split"](desk, tmp_path / "public", tmp_path / "private", fraction=0.5, seed=3)
    assert pd.read_csv(tmp_path / "private" / "validation.csv")["image"].nunique() == 5


@pytest.mark.parametrize("same_names", [False, True])
def test_a_kernel_finds_held_out_images_among_those_to_predict(tmp_path: Path, same_names: bool) -> None:
    image_pairs(tmp_path / "download")
    if same_names:  # the images to predict are called as training images are
        for path in list((tmp_path / "download" / "test").iterdir()):
            path.rename(path.with_name(f"{int(path.stem) - 20}.png"))
        sample = pd.read_csv(tmp_path / "download" / "sampleSubmission.csv")
        sample["id"] = sample["id"].str.replace(r"^\d+", lambda found: str(int(found[0]) - 20), regex=True)
        sample.to_csv(tmp_path / "download" / "sampleSubmission.csv", index=False)
    lay_out(tmp_path / "download", tmp_path / "original")
    found = run_split(tmp_path / "original", tmp_path)
    public, view = tmp_path / "public", tmp_path / "view"
    build_view(public, view, tmp_path / "ids.json", "id", found.pixels)
    test, held_out = (
        pd.read_csv(view / "test.csv", dtype=str),
        pd.read_csv(public / "validation.csv", dtype=str),
    )
    assert len(test) == 4 + len(held_out)
    assert test["image"].is_unique
    assert {path.name for path in (view / "test").iterdir()} == {Path(way).name for way in test["input"]}
    for shown, own in zip(test["input"].iloc[4:], held_out["input"], strict=True):
        assert (view / shown).read_bytes() == (public / own).read_bytes()
    divide(view / "sample_submission.csv", tmp_path / "ids.json", tmp_path / "cut", "id")
    cut = pd.read_csv(tmp_path / "cut" / "validation_submission.csv")
    assert list(cut["id"]) == list(pd.read_csv(public / "sample_validation_submission.csv")["id"])
    assert len(pd.read_csv(tmp_path / "cut" / "submission.csv")) == 4 * 16 * 20


def test_what_the_prompt_says_of_pixels_can_be_read(desk: Path) -> None:
    found = profile(desk, "rmse", higher=False)
    told = read_data(found.text)
    assert told.pixels == found.pixels
    assert (told.modality, told.group_column, told.id_column, told.target) == (
        "image-to-image", "image", "id", "value",
    )  # fmt: skip
