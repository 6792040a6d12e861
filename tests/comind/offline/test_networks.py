"""The PyTorch recipes: proposed where torch is installed, written without it, and run where it is."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from comind.offline.coder import recipe_of
from comind.offline.monitor import verdict
from comind.offline.prompts import Data, Files, StatedMetric, read_packages
from comind.offline.recipes.notebook import cells, scaled
from comind.offline.recipes.problem import Problem
from comind.offline.shelf import Variant, find_recipe
from comind.offline.variants import SHELF, variants_for
from comind.roles.coordinator import parse_drafts
from comind.roles.prompts import Prompts
from kaggle_runner.machine import NAMED_PACKAGES
from tests.comind.offline.test_coder import beats_the_sample, draft, ran_clean
from tests.comind.offline.test_replies import METRIC, ask
from tests.fakes.offline_world import Notebook, World, run_agent
from tests.fakes.offline_worlds import image_world, several_world, table_world, text_world

PLAIN = "2 cores, no GPU.\npackages: python 3.11.9, numpy 2.4, scikit-learn 1.9"
TORCH = f"{PLAIN}, torch 2.13.0+cpu, torchvision 0.28"
NETWORKS = [(modality, v) for modality, shelf in SHELF.items() for v in shelf if v.needs]
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")


@pytest.fixture(scope="module")
def notebook() -> Iterator[Notebook]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        opened = Notebook()
    yield opened
    opened.close()


def families(machine: str, modality: str, **values: object) -> list[str]:
    data = f"Modality: {modality}; task: binary; metric: roc_auc (higher is better)\nRows: 9000 in train.csv"
    base: dict[str, object] = {
        "machine": machine,
        "data": data,
        "metric": METRIC,
        "time": "seconds left in the run: 170\nseconds for one agent: 60\nrounds left: 2\nround: 1",
        "reports": "none yet",
        "leaderboard": "nothing has been scored yet",
        "ideas": "none",
        "pipelines": "none",
        "evidence": "none yet",
        "lineage": "none yet",
        "datasets": "none",
        "count": 4,
    }
    reply = ask("coordinator", "drafts", **{**base, **values})
    recipes = [find_recipe(one.code) for one in parse_drafts(reply, 4)]
    return [recipe.family for recipe in recipes if recipe]


@pytest.mark.parametrize("modality", ["tabular", "text", "image"])
def test_networks_are_drafted_exactly_where_torch_is_listed(modality: str) -> None:
    assert not any("torch" in family for family in families(PLAIN, modality))
    assert not any("torch" in family for family in families(f"{PLAIN}, torchvision 0.28", modality))
    assert families(TORCH, modality).count(f"torch_{modality}".replace("tabular", "table")) == 1


@pytest.mark.parametrize(("machine", "proposed"), [(PLAIN, False), (TORCH, True)])
def test_ideas_name_pytorch_exactly_where_it_is_listed(machine: str, proposed: bool) -> None:
    values = {
        "reports": "none yet",
        "leaderboard": "nothing has been scored yet",
        "evidence": "none yet",
        "memory": "none yet",
    }
    assert ("PyTorch" in ask("proposer", "brainstorm", machine=machine, **values)) is proposed


def test_the_machine_names_torch_among_its_packages() -> None:
    assert "torch" in NAMED_PACKAGES
    assert read_packages(TORCH) >= {"torch", "torchvision", "python"}
    assert read_packages("packages:") == read_packages("") == frozenset()


@pytest.mark.parametrize(("seconds", "followed"), [(60, False), (600, True)])
def test_a_larger_network_follows_the_scored_one_where_there_is_time(seconds: int, followed: bool) -> None:
    board = '1. r1-a1 "Compact convolutional network" 0.98 [0.9, 1] round 1'
    time = f"seconds left in the run: 2000\nseconds for one agent: {seconds}\nrounds left: 1\nround: 2"
    drafted = families(TORCH, "image", leaderboard=board, time=time)
    assert ("torch_image" in drafted) is followed


@pytest.mark.parametrize("kind", ["binary", "multilabel", "regression"])
@pytest.mark.parametrize(("modality", "variant"), NETWORKS, ids=[v.title for _, v in NETWORKS])
def test_cells_are_python_and_load_torch_and_no_other_library_for_networks(
    modality: str, variant: Variant, kind: str
) -> None:
    metric = StatedMetric({"regression": "rmse"}.get(kind, "roc_auc"))
    data = Data(modality=modality, task=kind)  # type: ignore[arg-type]  # one of the three
    written = cells(Problem(metric, data, Files()), variant.recipe(modality))  # type: ignore[arg-type]
    assert [cell.step for cell in written] == ["load", "features", "validate", "predict", "refine"]
    for cell in written:
        ast.parse(cell.code)
    imports = set(re.findall(r"^(?:import|from) (\w+)", written[1].code, re.M))
    assert "torch" in imports
    assert not imports & {"torchvision", "transformers", "timm", "lightning"}


def test_a_plain_recipe_never_mentions_torch() -> None:
    for modality, shelf in SHELF.items():
        for variant in (v for v in shelf if not v.needs):
            problem = Problem(StatedMetric("roc_auc"), Data(modality=modality, task="binary"), Files())
            assert not any("torch" in cell.code for cell in cells(problem, variant.recipe(modality)))


def test_all_folds_of_a_network_fit_in_the_share_of_cross_validation() -> None:
    recipe = SHELF["image"][1].recipe("image")
    for seconds in (20.0, 60.0, 900.0):
        one = scaled(replace(recipe, family="torch_image"), seconds, 3000)
        problem = Problem(StatedMetric("accuracy"), Data(modality="image"), Files(), seconds=seconds)
        code = cells(problem, replace(one, params={"channels": 4}))[1].code
        budget = float(re.search(r"FIT_SECONDS = ([\d.]+)", code)[1])  # type: ignore[index]
        assert budget * one.folds <= 0.4 * seconds


def test_words_of_a_draft_mean_a_network_only_where_torch_is() -> None:
    words = "Train a CNN with Conv2d layers in torch."
    plain = Problem(StatedMetric("accuracy"), Data(modality="image"), Files())
    assert recipe_of(words, replace(plain, packages=frozenset({"torch"}))).family == "torch_image"
    assert not recipe_of(words, plain).family.startswith("torch")


def test_variants_without_torch_are_the_shelf_without_its_networks() -> None:
    for modality, shelf in SHELF.items():
        assert variants_for(modality, 100, frozenset()) == [v for v in shelf if not v.needs]
        assert not shelf[0].needs  # the baseline runs everywhere


def test_epochs_that_start_again_for_the_next_fold_are_no_overrun() -> None:
    output = "epoch 9/10 loss: 0.2\nepoch 10/10 loss: 0.2\nfold 0: 0.9\nepoch 1/10 loss: 0.9"
    assert verdict(output, "elapsed: 25 s\nlimit: 60 s")[0] == "CONTINUE"
    assert verdict("epoch 1/10 loss: 0.9", "elapsed: 25 s\nlimit: 60 s")[0] == "STOP"


def test_where_torch_is_missing_the_cell_that_needs_it_is_replaced(
    tmp_path: Path, notebook: Notebook
) -> None:
    world = table_world(tmp_path / "world")
    variant = next(v for modality, v in NETWORKS if modality == "tabular")

    def hidden(step: int, code: str) -> str:
        return code.replace("import torch\n", "raise ImportError('torch')\n")

    result = run_agent(world, draft(variant, "tabular"), tmp_path / "work", notebook, spoil=hidden)
    assert "simpler variant" in result.turns[2].goal
    assert beats_the_sample(world, result)


WORLDS = {
    "table": lambda root: table_world(root, "binary_log_loss", days=True),
    "ordinal": lambda root: table_world(root, "quadratic_weighted_kappa"),
    "several": several_world,
    "text": text_world,
    "labelled text": lambda root: text_world(root, "f1"),
    "image": image_world,
}


@needs_torch
@pytest.mark.parametrize(
    ("name", "variant"),
    [(name, v) for name in WORLDS for modality, v in NETWORKS
     if modality == ("text" if "text" in name else "image" if name == "image" else "tabular")],
    ids=lambda value: value if isinstance(value, str) else value.title,
)  # fmt: skip
def test_every_network_runs_in_time_and_learns(
    tmp_path: Path, notebook: Notebook, name: str, variant: Variant
) -> None:
    world: World = WORLDS[name](tmp_path / "world")
    modality = world.profile.modality
    result = run_agent(world, draft(variant, modality), tmp_path / "work", notebook, seconds=60)
    assert ran_clean(result)
    assert result.scores[-1] < 1.0 if name == "several" else beats_the_sample(world, result)
    assert "epoch 1/" in "".join(result.outputs)
    oof = pd.read_csv(result.work / "oof.csv")
    assert set(oof["part"]) == {"train", "validation", "test"}
    assert not oof.isna().any().any()


@needs_torch
def test_the_same_seed_gives_the_same_predictions(tmp_path: Path, notebook: Notebook) -> None:
    world = table_world(tmp_path / "world")
    variant = next(v for modality, v in NETWORKS if modality == "tabular")
    for name in ("one", "two"):
        run_agent(world, draft(variant, "tabular"), tmp_path / name, notebook, steps=4, seconds=100)
    first, second = (tmp_path / name / "submission.csv" for name in ("one", "two"))
    assert first.read_text() == second.read_text()


def test_prompts_of_the_coordinator_carry_the_machine() -> None:
    for role, task in (("coordinator", "drafts"), ("proposer", "brainstorm"), ("coder", "implement")):
        assert "## Machine" in Prompts().parts(role)[task]
