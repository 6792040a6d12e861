"""`inspect`: every shape of competition is told before anything is spent, ready or with what is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from comind.config import RunConfig
from comind.run.arrangement import arrange_files, arrangement_of, as_the_host_wants
from comind.run.inspection import inspect
from comind.state.runs import RunFolder
from comind_tui.cli import main
from comind_tui.text.inspections import inspection_lines
from mle_live.api.competitions import CompetitionApi
from mle_live.layout.stated import StatedFiles
from tests.mle_live.layout.fruit import parts, write
from tests.mle_live.layout.shapes import SHAPES
from tests.tiny_kaggle import SLUG, TOKEN, RunningServer

KEYS = {"competition", "files", "id", "targets", "kind", "metric", "split", "withheld", "missing", "ready"}


def config(folder: Path, **settings: str) -> RunConfig:
    return RunConfig(competition=f"{folder}/", offline=True, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_told(tmp_path: Path, name: str) -> None:
    shape = SHAPES[name]
    shape.write(tmp_path / name)
    found = inspect(config(tmp_path / name, metric=shape.metric), tmp_path / "state", {})
    document = found.document()
    assert document.keys() >= KEYS
    assert document["missing"] == list(shape.missing)
    assert document["ready"] is (not shape.missing)
    if shape.missing:
        return
    assert document["metric"]["name"] == shape.metric and document["metric"]["source"] == "option"
    assert tuple(document["targets"]) == shape.targets
    assert "|".join([document["id"]] if isinstance(document["id"], str) else document["id"]) == shape.id
    pictures = (
        "class_folders", "class_folders_without_a_sample", "images_with_labels", "names_tell",
        "one_column_a_class",
    )  # fmt: skip
    kinds = {"sounds": "audio", "image_pairs": "image-to-image", **dict.fromkeys(pictures, "image")}
    assert document["kind"] == kinds.get(name, "tabular")
    assert document["split"]


def test_a_metric_that_is_not_certain_is_missing(tmp_path: Path) -> None:
    write(tmp_path / "fruit", *parts())
    (tmp_path / "fruit" / "description.md").write_text("Scored by a smoothed RMSE of our own.\n")
    document = inspect(config(tmp_path / "fruit"), tmp_path / "state", {}).document()
    assert document["metric"]["name"] is None and document["metric"]["source"] == "none"
    assert document["missing"] == ["metric"] and document["ready"] is False
    assert "smoothed RMSE" in document["metric"]["sentence"]


def test_files_that_tell_labels_are_listed(tmp_path: Path) -> None:
    train, test, sample = parts()
    write(tmp_path / "fruit", train, test, sample)
    train.rename(columns={"label": "y"}).to_csv(tmp_path / "fruit" / "cleaned.csv", index=False)
    (tmp_path / "fruit" / "model.pkl").write_bytes(b"\x80")
    document = inspect(config(tmp_path / "fruit", metric="roc_auc"), tmp_path / "state", {}).document()
    assert document["withheld"] == ["cleaned.csv", "model.pkl"] and document["ready"]


def test_the_command_prints_one_document_and_its_exit_code_says_whether_a_run_can_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "fruit"
    write(folder, *parts(), sample_submission="gender_submission.csv")
    words = ["inspect", f"{folder}/", "--state", str(tmp_path / "state"), "--json"]
    assert main([*words, "--metric", "roc_auc"]) == 0
    assert json.loads(capsys.readouterr().out)["files"]["sample"] == "gender_submission.csv"
    assert main(words) == 2
    assert json.loads(capsys.readouterr().out)["missing"] == ["metric"]
    assert main([*words[:-1], "--metric", "roc_auc", "--file", "sample=test.csv", "--target", "label"]) != 0
    assert not (tmp_path / "state").exists(), "looking at a folder writes nothing"


def test_people_are_told_in_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "fruit"
    SHAPES["several_new_columns"].write(folder)
    state = ["--state", str(tmp_path / "state")]
    assert main(["inspect", f"{folder}/", "--metric", "mae", *state]) == 2
    told = capsys.readouterr().out
    assert "MISSING" in told and "--target COLUMN" in told and "label, noted" in told
    assert main(["inspect", f"{folder}/", "--metric", "roc_auc", "--target", "label", *state]) == 0
    assert "A run can begin." in capsys.readouterr().out


def test_no_line_is_wider_than_the_terminal(tmp_path: Path) -> None:
    SHAPES["gender_submission"].write(tmp_path / "data")
    found = inspect(config(tmp_path / "data"), tmp_path / "state", {})
    written = replace(found, missing={"data": "no ready split fits"}, split_is_written=True)
    lines = "\n".join(inspection_lines(written, 80)).splitlines()
    assert max(map(len, lines)) <= 80


def test_joined_ids_go_back_to_the_hosts_columns(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "state" / "runs" / "run")
    folder.download.parent.mkdir(parents=True)
    SHAPES["two_column_ids"].write(folder.download)
    arrange_files(folder, StatedFiles(), lambda line: None)
    arranged = arrangement_of(folder)
    assert arranged is not None and arranged.id_column == "shop|item"
    submission = tmp_path / "submission.csv"
    sample = pd.read_csv(folder.original / "sample_submission.csv")
    sample.assign(amount=range(len(sample))).to_csv(submission, index=False)
    host = pd.read_csv(as_the_host_wants(folder, submission))
    original = pd.read_csv(folder.download / "sample_submission.csv")
    assert list(host.columns) == list(original.columns)
    assert (host[["shop", "item"]] == original[["shop", "item"]]).all().all()


def test_an_ordinary_submission_goes_as_it_is(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "state" / "runs" / "run")
    folder.download.parent.mkdir(parents=True)
    write(folder.download, *parts())
    arrange_files(folder, StatedFiles(), lambda line: None)
    assert as_the_host_wants(folder, tmp_path / "s.csv") == tmp_path / "s.csv"


def test_the_rules_of_a_folder_are_quoted_and_nothing_is_guessed(tmp_path: Path) -> None:
    write(tmp_path / "fruit", *parts())
    (tmp_path / "fruit" / "description.md").write_text("Fruit.\n\n## Rules\n\nAutoML is welcome here.\n")
    document = inspect(config(tmp_path / "fruit", metric="roc_auc"), tmp_path / "state", {}).document()
    assert document["type"]["name"] == "ordinary" and document["rules"]["found"]
    assert document["rules"]["automated_tools"]["sentences"] == ["AutoML is welcome here."]
    assert document["rules"]["external_data"] == {"said": False, "sentences": [], "told": "not said"}


def test_a_simulation_is_told_before_anything_is_fetched(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMIND_KAGGLE_TOKEN", TOKEN)
    monkeypatch.setattr(CompetitionApi, "download_files", None)
    plain = CompetitionApi._competition

    def simulation(self: CompetitionApi, *of: Any) -> Any:
        found = plain(self, *of)
        found.category = "Simulation"
        return found

    monkeypatch.setattr(CompetitionApi, "_competition", simulation)
    options = ["--kaggle-url", server.url, "--state", str(tmp_path / "state")]
    assert main(["inspect", SLUG, "--json", *options]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["missing"] == ["type"] and not document["ready"] and not document["files"]
    assert (
        document["type"]["name"] == "simulation"
        and "no predictions are scored" in document["type"]["sentence"]
    )
    assert main(["run", SLUG, "--offline", "--headless", *options]) == 3
    assert "is a simulation" in capsys.readouterr().err and not (tmp_path / "state" / "runs").exists()
