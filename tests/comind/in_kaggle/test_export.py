"""What an exported run consists of: CoMind as a wheel, the settings, a notebook, and Kaggle's metadata."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comind.in_kaggle.engine_wheel import build_wheel
from comind.in_kaggle.export import NOBODY, export_run
from comind.in_kaggle.notebook import read_plan
from comind.state.records import Discussion, Kernel
from comind.state.store import Store
from kaggle_runner.errors import ConfigError
from mle_live.shelf.entry import list_shelf
from tests.comind.in_kaggle.exported_run import make_run


def metadata(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "kernel-metadata.json").read_text())
    return read


def test_the_wheel_installs_and_its_command_starts(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path)
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]
    subprocess.run([*pip, str(target), str(wheel)], check=True, capture_output=True)
    code = (
        "import comind, comind.roles.prompts, mle_live.shelf.entry as shelf, sys\n"
        "print(comind.__file__)\n"
        "print(comind.roles.prompts.prompts_folder())\n"
        "print(len(shelf.list_shelf()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(target)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    module, prompts, shelf = done.stdout.split("\n")[:3]
    assert module.startswith(str(target)) and prompts == str(target / "comind" / "_prompts")
    assert (Path(prompts) / "coder.md").is_file()
    assert int(shelf) == len(list_shelf())


def test_equal_files_make_an_equal_wheel_without_compiled_ones(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = build_wheel(tmp_path / "a"), build_wheel(tmp_path / "b")
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as wheel:
        names = wheel.namelist()
    assert len(names) == len(set(names))
    assert not [name for name in names if name.endswith(".pyc")]


def test_the_export_holds_what_the_run_was_asked_for_and_nothing_of_this_machine(tmp_path: Path) -> None:
    folder = make_run(
        tmp_path / "state", coders=2, model="gpt-x", memory_limit=10**9, time_limit=7200.0, submit=True
    )
    written = export_run(folder, tmp_path / "out", owner="ann")
    plan = read_plan(written.dataset)
    assert plan.settings == {"coders": 2, "model": "gpt-x", "time_limit": 7200.0}
    assert plan.about == {"title": "Ripe fruit", "metric": "roc_auc"}
    assert plan.description == "# Ripe\n"
    for path in (tmp_path / "out").rglob("*"):
        if path.suffix in (".yaml", ".json", ".ipynb", ".md"):
            assert str(tmp_path) not in path.read_text()


def test_the_community_that_the_run_saw_comes_along_without_what_it_published(tmp_path: Path) -> None:
    records = (
        Kernel(id="ann/starter", title="Starter", author="ann", source="print(1)", votes=3, public_score=0.5),
        Kernel(id="comind/r1-a1", title="Ours", author="r1-a1", source="print(2)", origin="run"),
        Discussion(id="7", title="Mind the colour", author="bob", body="Red is ripe."),
    )
    written = export_run(make_run(tmp_path / "state", *records), tmp_path / "out")
    community = read_plan(written.dataset).community
    (kernel,), (topic,) = community["kernels"], community["discussions"]
    assert (kernel["ref"], kernel["source"], kernel["public_score"]) == ("ann/starter", "print(1)", 0.5)
    assert (topic["title"], topic["body"]) == ("Mind the colour", "Red is ripe.")


def test_metadata_name_everything_and_titles_give_the_slugs(tmp_path: Path) -> None:
    written = export_run(make_run(tmp_path / "state"), tmp_path / "out", owner="ann")
    said = metadata(written.notebook)
    assert said["id"] == f"ann/{said['title'].lower().replace(' ', '-')}"
    assert (written.notebook / said["code_file"]).is_file()
    assert said["machine_shape"] == "NvidiaTeslaT4" and said["enable_gpu"] is True
    assert said["enable_internet"] is True and said["is_private"] is True
    assert said["competition_sources"] == ["ripe-fruit"]
    dataset = json.loads((written.dataset / "dataset-metadata.json").read_text())
    assert said["dataset_sources"] == [dataset["id"]]
    assert dataset["id"] == f"ann/{dataset['title'].lower().replace(' ', '-')}"
    assert 6 <= len(dataset["title"]) <= 50 and 5 <= len(said["title"]) <= 50


def test_a_long_competition_name_still_fits_kaggles_titles(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "state")
    with Store(folder.database) as store:
        run = store.run()
        assert run is not None
        store.save(replace(run, competition="a-very-long-name-of-a-competition-" + "x-" * 30 + "end"))
    written = export_run(folder, tmp_path / "out", owner="ann", after="ann/comind-a-very-long-name-12")
    assert len(written.dataset_title) <= 50 and len(written.kernel_title) <= 50
    assert written.kernel_slug == written.kernel_title.lower().replace(" ", "-")


def test_an_offline_run_needs_neither_internet_nor_gpu_nor_secrets(tmp_path: Path) -> None:
    written = export_run(make_run(tmp_path / "state", offline=True), tmp_path / "out")
    said = metadata(written.notebook)
    assert (said["enable_internet"], said["enable_gpu"]) == (False, False)
    assert "machine_shape" not in said
    assert said["id"].startswith(f"{NOBODY}/")
    assert "OPENAI_API_KEY" not in written.code and "no internet" in written.code


def test_each_further_session_is_a_kernel_of_its_own_with_the_former_one_attached(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "state")
    first = export_run(folder, tmp_path / "one", owner="ann")
    second = export_run(folder, tmp_path / "two", owner="ann", after=f"ann/{first.kernel_slug}")
    third = export_run(folder, tmp_path / "three", owner="ann", after=f"ann/{second.kernel_slug}")
    assert [second.kernel_slug, third.kernel_slug] == [f"{first.kernel_slug}-2", f"{first.kernel_slug}-3"]
    assert metadata(third.notebook)["kernel_sources"] == [f"ann/{second.kernel_slug}"]
    assert first.dataset_slug == second.dataset_slug == third.dataset_slug


def test_the_notebook_is_valid_short_and_python(tmp_path: Path) -> None:
    import nbformat

    written = export_run(make_run(tmp_path / "state"), tmp_path / "out", owner="ann", session_seconds=3600)
    notebook = nbformat.reads(written.code, as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) <= 6
    for cell in notebook.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)
    assert 'os.environ["COMIND_SESSION_SECONDS"] = "3600"' in written.code.replace("\\", "")
    assert "ann/" + written.dataset_slug in notebook.cells[0].source


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "http://127.0.0.1:11434/v1"},
        {"role_models": {"coder": "m@http://localhost:8080/v1"}},
        {"fallback_models": ["m@http://[::1]:8080/v1"]},
    ],
)
def test_a_model_on_this_machine_cannot_be_taken_along(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="only this machine can reach"):
        export_run(make_run(tmp_path / "state", **settings), tmp_path / "out")


def test_a_metric_that_is_known_in_words_only_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="known in words only"):
        export_run(make_run(tmp_path / "state", metric="the host's own score"), tmp_path / "out")


def test_a_run_without_its_competitions_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has not kept the text"):
        export_run(make_run(tmp_path / "state", description=""), tmp_path / "out")
