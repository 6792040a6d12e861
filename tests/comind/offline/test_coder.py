"""The offline coder writes notebooks that run: any kind of data, its errors, its limits, its blends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from comind.offline.coder import recipe_of
from comind.offline.prompts import Files, StatedMetric, read_data
from comind.offline.recipes.fallback import simple_cell
from comind.offline.recipes.problem import Problem
from comind.offline.responder import respond
from comind.offline.shelf import Variant, find_recipe
from comind.offline.variants import SHELF, variants_for
from comind.roles.coder import parse_report
from comind.roles.prompts import Prompts
from mle_live.layout.formats import read_text
from mle_live.metrics import get_metric
from tests.fakes.offline_world import Notebook, Result, World, run_agent
from tests.fakes.offline_worlds import (
    awkward_world,
    image_world,
    several_world,
    table_world,
    text_world,
    wide_world,
)

PLAIN = {modality: variants_for(modality, 0, frozenset()) for modality in SHELF}
"""What needs scikit-learn only; the networks have a file of their own."""


@pytest.fixture(scope="module")
def notebook() -> Iterator[Notebook]:
    """One process for all: importing the libraries again for each agent would take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            patch.setenv(name, "1")  # small data: more threads only wait for each other
        opened = Notebook()
    yield opened
    opened.close()


def draft(variant: Variant, modality: str) -> str:
    source = variant.recipe(modality).source  # type: ignore[arg-type]  # one of the three
    return f"title: {variant.title}\n\n{variant.idea}\n\n```python\n{source}\n```\nresources: none"


def first(world: World, place: int = 0) -> str:
    modality = world.profile.modality
    return draft(PLAIN[modality][place], modality)


def beats_the_sample(world: World, result: Result) -> bool:
    metric = get_metric(world.metric)
    try:
        sample = world.score(world.public / "sample_validation_submission.csv")
    except Exception:  # a correlation with a constant is undefined: any finite score is better
        return bool(result.scores)
    return max(result.scores) > sample if metric.higher_is_better else min(result.scores) < sample


def ran_clean(result: Result) -> bool:
    return not any("Traceback" in output for output in result.outputs)


@pytest.mark.parametrize(
    ("metric", "place"),
    [("roc_auc", 1), ("macro_f1", 0), ("rmsle", 1), ("quadratic_weighted_kappa", 1), ("mae", 0)],
)
def test_a_table_is_learned_for_every_kind_of_target(
    tmp_path: Path, notebook: Notebook, metric: str, place: int
) -> None:
    world = table_world(tmp_path / "world", metric)
    result = run_agent(world, first(world, place), tmp_path / "work", notebook)
    assert ran_clean(result)
    assert beats_the_sample(world, result)
    assert not result.turns[-1].code


@pytest.mark.parametrize(
    "variant", [v for v in PLAIN["tabular"] if v.features != ("dates",)], ids=lambda v: v.title
)
def test_every_improvement_of_the_table_shelf_runs(
    tmp_path: Path, notebook: Notebook, variant: Variant
) -> None:
    world = table_world(tmp_path / "world", "binary_log_loss", days=True)
    result = run_agent(world, draft(variant, "tabular"), tmp_path / "work", notebook, seconds=40)
    assert ran_clean(result)
    assert beats_the_sample(world, result)


def test_classes_in_columns_of_their_own_are_filled_by_name(tmp_path: Path, notebook: Notebook) -> None:
    world = wide_world(tmp_path / "world")
    result = run_agent(world, first(world), tmp_path / "work", notebook)
    assert ran_clean(result)
    assert beats_the_sample(world, result)


def test_ids_and_class_names_are_handed_in_as_they_stand_in_the_files(
    tmp_path: Path, notebook: Notebook
) -> None:
    world = awkward_world(tmp_path / "world")
    result = run_agent(world, first(world, 1), tmp_path / "work", notebook)
    assert ran_clean(result)
    assert result.scores[-1] > 0.9
    submission = read_text(result.work / "submission.csv")
    sample = read_text(world.public / "sample_submission.csv")
    assert list(submission.columns) == ["kind", "id"]
    assert submission["id"].tolist() == sample["id"].tolist()
    assert set(submission["kind"]) == {"None", "NA", "some"}


def test_several_targets_get_a_column_each(tmp_path: Path, notebook: Notebook) -> None:
    world = several_world(tmp_path / "world")
    result = run_agent(world, first(world, 1), tmp_path / "work", notebook)
    assert ran_clean(result)
    assert result.scores[-1] < 1.0


@pytest.mark.parametrize("variant", PLAIN["text"], ids=lambda v: v.title)
def test_every_recipe_for_texts_runs(tmp_path: Path, notebook: Notebook, variant: Variant) -> None:
    world = text_world(tmp_path / "world")
    result = run_agent(world, draft(variant, "text"), tmp_path / "work", notebook, seconds=40)
    assert ran_clean(result)
    assert max(result.scores) > 0.5


def test_texts_with_two_labels_are_classified(tmp_path: Path, notebook: Notebook) -> None:
    world = text_world(tmp_path / "world", "f1")
    result = run_agent(world, first(world, 3), tmp_path / "work", notebook)
    assert ran_clean(result)
    assert max(result.scores) > 0.7


@pytest.mark.parametrize("variant", PLAIN["image"], ids=lambda v: v.title)
def test_every_recipe_for_images_runs(tmp_path: Path, notebook: Notebook, variant: Variant) -> None:
    world = image_world(tmp_path / "world")
    result = run_agent(world, draft(variant, "image"), tmp_path / "work", notebook, seconds=40)
    assert ran_clean(result)
    assert beats_the_sample(world, result)


def test_both_files_have_the_form_of_their_samples_and_oof_is_left(
    tmp_path: Path, notebook: Notebook
) -> None:
    world = table_world(tmp_path / "world")
    result = run_agent(world, first(world), tmp_path / "work", notebook)
    named = next(turn for turn in result.turns if turn.submission)
    test = pd.read_csv(result.work / named.submission)
    sample = pd.read_csv(world.public / "sample_submission.csv")
    assert list(test.columns) == list(sample.columns)
    assert test["id"].tolist() == sample["id"].tolist()
    oof = pd.read_csv(result.work / "oof.csv")
    assert set(oof["part"]) == {"train", "validation", "test"}
    assert (oof["part"] == "train").sum() == len(pd.read_csv(world.public / "train.csv"))
    assert json.loads((result.work / "meta.json").read_text())["oof_score"] > 0.5


def test_the_conversation_is_answered_the_same_way_twice(tmp_path: Path, notebook: Notebook) -> None:
    world = table_world(tmp_path / "world")
    result = run_agent(world, first(world), tmp_path / "work", notebook)
    for turn in range(2, len(result.messages), 2):
        assert respond(result.messages[:turn]) == result.messages[turn]["content"]


def test_a_failing_cell_is_followed_by_a_simpler_variant_of_it(tmp_path: Path, notebook: Notebook) -> None:
    world = table_world(tmp_path / "world")
    result = run_agent(world, first(world, 3), tmp_path / "work", notebook, spoil=_break_steps(3))
    assert "simpler variant" in result.turns[3].goal
    assert beats_the_sample(world, result)


def test_a_second_failure_falls_back_to_one_simple_cell(tmp_path: Path, notebook: Notebook) -> None:
    world = text_world(tmp_path / "world")
    result = run_agent(world, first(world), tmp_path / "work", notebook, spoil=_break_steps(2, 3))
    assert result.turns[3].goal.startswith("Fall back")
    assert max(result.scores) > 0.3


def test_fallbacks_of_two_drafts_are_two_solutions() -> None:
    problem = Problem(StatedMetric("roc_auc"), read_data("task: binary"), Files())
    recipes = [variant.recipe("tabular") for variant in SHELF["tabular"]]
    codes = {simple_cell(problem, recipe).code.partition("time.monotonic()")[2] for recipe in recipes}
    assert len(codes) == len(recipes)
    linear = simple_cell(problem, recipes[0]).code
    assert "LogisticRegression" in linear and "RandomForest" not in linear


@pytest.mark.parametrize("variant", PLAIN["tabular"][:4], ids=lambda variant: variant.family)
def test_every_familys_fallback_runs(tmp_path: Path, notebook: Notebook, variant: Variant) -> None:
    world = table_world(tmp_path / "world")
    result = run_agent(world, draft(variant, "tabular"), tmp_path / "work", notebook, seconds=15)
    assert result.turns[0].submission and result.scores[-1] > 0.6


def test_when_no_model_runs_predictions_without_one_are_left(tmp_path: Path, notebook: Notebook) -> None:
    world = image_world(tmp_path / "world")
    result = run_agent(world, first(world), tmp_path / "work", notebook, spoil=_break_steps(1, 2))
    assert result.turns[2].goal.startswith("Leave predictions")
    assert len(result.scores) == 1
    assert not result.turns[-1].code


def test_a_short_agent_goes_straight_to_predictions(tmp_path: Path, notebook: Notebook) -> None:
    world = table_world(tmp_path / "world", "rmsle")
    result = run_agent(world, first(world), tmp_path / "work", notebook, seconds=15)
    assert result.turns[0].submission
    assert beats_the_sample(world, result)


def test_a_blend_of_published_predictions_is_at_least_as_good_out_of_fold(
    tmp_path: Path, notebook: Notebook
) -> None:
    world = table_world(tmp_path / "world")
    members = []
    for place in (0, 1):
        result = run_agent(world, first(world, place), tmp_path / f"member-{place}", notebook, seconds=60)
        members.append(json.loads((result.work / "meta.json").read_text())["oof_score"])
        world.published.append((f"r1-a{place}", result.work, ""))
    text = (
        "title: Blend\n\n```python\nRECIPE = dict(\n    modality='tabular', family='blend',\n"
        "    features=['oof'],\n    params=dict(members=2),\n    folds=3, seed=0,\n)\n```\n"
        "resources: r1-a0, r1-a1"
    )
    blend = run_agent(world, text, tmp_path / "blend", notebook)
    assert ran_clean(blend)
    meta = json.loads((blend.work / "meta.json").read_text())
    assert meta["oof_score"] >= max(members) - 1e-9
    assert sum(meta["weights"].values()) == pytest.approx(1.0)


def test_the_report_holds_the_recipe_and_the_measured_numbers(tmp_path: Path, notebook: Notebook) -> None:
    world = table_world(tmp_path / "world")
    result = run_agent(world, first(world), tmp_path / "work", notebook)
    shown = f"cell 4: score on feedback rows: {result.scores[-1]:.5f}"
    request = Prompts().render("coder", "report", {"evaluations": shown})
    reply = respond([*result.messages, {"role": "user", "content": request}])
    report = parse_report(reply)
    recipe = find_recipe(report.pipeline)
    assert recipe is not None and recipe.family == "linear"
    assert f"{result.scores[-1]:.5g}"[:6] in report.summary
    assert set(report.marks) == {"novelty", "feasibility", "effectiveness", "efficiency", "confidence"}


def test_a_draft_in_other_words_is_met_by_the_recipe_it_names(tmp_path: Path) -> None:
    world = table_world(tmp_path / "world")
    problem = Problem(StatedMetric("roc_auc"), read_data(world.profile.text), Files())
    assert recipe_of("Train LGBM and XGB with early stopping.", problem).family == "boosting"
    assert recipe_of("Something else entirely.", problem).family == "linear"


def test_an_opening_without_any_facts_is_still_answered() -> None:
    values = dict.fromkeys(values_of_names(), "")
    reply = respond(Prompts().opening("coder", "implement", values))
    assert "<code>" in reply


def values_of_names() -> list[str]:
    return ["competition", "metric", "machine", "files", "data", "draft", "limits"]


def _break_steps(*steps: int):  # type: ignore[no-untyped-def]  # a closure over the steps
    return lambda step, code: "raise ValueError('spoiled')" if step in steps else code
