"""The form: what a person says of a competition's files, and what they are taken for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from comind_tui.app import ComindApp
from comind_tui.screens.dialogs import Help
from comind_tui.screens.new_run import NewRun
from tests.comind_tui import sample_run
from tests.comind_tui.driving import both_sizes, text_of, until
from tests.mle_live.layout.shapes import SHAPES


async def opened(app: ComindApp, pilot: Any, **values: str) -> None:
    await until(pilot, lambda: "census-income" in text_of(app))
    await pilot.press("n")
    await until(pilot, lambda: isinstance(app.screen, NewRun) and "Ready" in text_of(app))
    for name, value in values.items():
        app.screen.query_one(f"#{name}", Input).value = value


async def test_corrections_of_the_form_reach_the_run(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []

    def launcher(request: dict[str, Any], state: Path) -> str:
        asked.append(request["config"])
        return sample_run.build(state, run_id="started").id

    app = ComindApp(tmp_path, launcher=launcher)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(
            app, pilot, metric="rmse", target="price", id_column="key", positive_class="yes",
            files="train=a.csv, labels = b/",
        )  # fmt: skip
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(asked))
    [config] = asked
    told = [config[name] for name in ("metric", "target", "id_column", "positive_class", "files")]
    assert told == ["rmse", "price", "key", "yes", {"train": "a.csv", "labels": "b/"}]


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("files", "train", "'train' is not ROLE=NAME"),
        ("files", "trian=a.csv", "names a role 'trian'"),
        ("metric", "rmsee", "did you mean"),
    ],
)
async def test_a_correction_that_cannot_be_is_named(
    tmp_path: Path, field: str, value: str, part: str
) -> None:
    app = ComindApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, **{field: value})
        await until(pilot, lambda: part in text_of(app) and "✗" in text_of(app))


@both_sizes
async def test_what_the_files_are_taken_for_is_shown_before_anything_is_spent(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    SHAPES["gender_submission"].write(tmp_path / "fruit")
    app = ComindApp(tmp_path / "state")
    async with app.run_test(size=size) as pilot:
        await opened(app, pilot, folder=str(tmp_path / "fruit"), metric="roc_auc")
        await pilot.press("ctrl+l")
        parts = ("gender_submission.csv", "to be predicted", "label")
        await until(pilot, lambda: isinstance(app.screen, Help) and all(p in text_of(app) for p in parts))
        await pilot.press("end")
        await until(pilot, lambda: "A run can begin." in text_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, NewRun) and "Ready" in text_of(app))
    assert not (tmp_path / "state" / "runs").exists()
