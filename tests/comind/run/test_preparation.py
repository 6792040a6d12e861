"""Whose metric a run is scored by: a person's, the pages', or one that the model writes; all are checked."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from comind.community.upstream import Upstream
from comind.config import RunConfig
from comind.evaluator.metric_file import keep_metric_file
from comind.llm.formats import MalformedReply
from comind.offline.responder import respond
from comind.roles.desk import Desk
from comind.roles.evaluator import declared_direction
from comind.roles.prompts import Prompts
from comind.run.preparation import Facts, fetch_competition, prepare_evaluation
from comind.state.records import Event
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.errors import BadCompetition
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.moments import SYSTEM_CLOCK
from mle_live.competitions.folder import look_at_folder
from mle_live.competitions.metric_choice import MetricChoice
from mle_live.layout.formats import read_text
from tests.e2e.small_competition import write_small_competition
from tests.fakes.models import InstantModel, Question
from tests.tiny_kaggle import TOKEN, running_server

METRIC = """<current_file>evaluate.py</current_file><explanation>Mean distance.</explanation><code>
HIGHER_IS_BETTER: bool = False


def score(truth, submission):
    return float((truth["ripe"] - submission["ripe"]).abs().mean())
</code>"""


def writer(question: Question) -> str:
    """Writes the metric above; every other question goes to the offline policy."""
    return METRIC if question.text.startswith("# Task: metric") else respond(question.messages)


async def test_a_metric_in_words_is_written_checked_and_used(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "state" / "runs" / "run")
    folder.original.mkdir(parents=True)
    shutil.copytree(write_small_competition(tmp_path / "fruit"), folder.original, dirs_exist_ok=True)
    facts = Facts("Fruit", "Ripe or not.", MetricChoice(doubt="no known name"), words="Mean distance")
    with Store(folder.database) as store:
        prepared = await prepare_evaluation(
            facts,
            folder,
            store,
            Desk(InstantModel(writer), Prompts()),
            RunConfig(competition="fruit"),
            SYSTEM_CLOCK,
        )
    assert prepared.evaluator.profile.higher_is_better is False
    assert "lower is better" in prepared.brief.metric
    choice = prepared.metric
    assert (choice.name, choice.higher_is_better, choice.source) == ("Mean distance", False, "model")
    assert prepared.baseline.feedback["score"] == pytest.approx(0.5)


async def test_a_metric_that_fails_its_checks_goes_back_to_its_author(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "state" / "runs" / "run")
    folder.original.mkdir(parents=True)
    shutil.copytree(write_small_competition(tmp_path / "fruit"), folder.original, dirs_exist_ok=True)
    asked: list[str] = []

    def second_is_right(question: Question) -> str:
        if not question.text.startswith("# Task: metric"):
            return respond(question.messages)
        asked.append(question.text)
        return METRIC if len(asked) > 1 else METRIC.replace("= False", "= True")

    facts = Facts("Fruit", "Ripe or not.", MetricChoice(doubt="“fuzzy” before “MAE” is not understood"))
    config = RunConfig(competition="fruit")
    with Store(folder.database) as store:
        prepared = await prepare_evaluation(
            facts, folder, store, Desk(InstantModel(second_is_right), Prompts()), config, SYSTEM_CLOCK
        )
    assert (prepared.metric.higher_is_better, prepared.metric.source) == (False, "model")
    first, second = asked
    assert "fuzzy" in first and "metric: " not in first and "is better" not in first, "no name, no direction"
    assert "was rejected" in second


@dataclass(frozen=True)
class Fetched:
    """What is known of a folder before its data are prepared."""

    facts: Facts | None
    folder: RunFolder
    events: list[str]
    refused: str


async def fetch(tmp_path: Path, description: str, **settings: Any) -> Fetched:
    local = write_small_competition(tmp_path / "fruit")
    (local / "description.md").write_text(description)
    folder = RunFolder(tmp_path / "state" / "runs" / "run")
    folder.path.mkdir(parents=True)
    config = RunConfig(competition="fruit", **settings)
    keep_metric_file(config, folder)
    facts, refused = None, ""
    served = look_at_folder(local, tmp_path / "arranged").hosted()
    with running_server([served], tmp_path / "server") as server, Store(folder.database) as store:
        upstream = Upstream(KaggleClient(server.url, TOKEN), "fruit", True)
        try:
            facts = await fetch_competition(upstream, folder, store, config, SYSTEM_CLOCK)
        except BadCompetition as error:
            refused = str(error)
        events = [event.message for event in store.all(Event)]
    return Fetched(facts, folder, events, refused)


async def test_without_a_model_an_uncertain_metric_ends_the_run_before_files_are_fetched(
    tmp_path: Path,
) -> None:
    fetched = await fetch(tmp_path, "Submissions are scored by a weighted RMSE.", offline=True)
    assert fetched.facts is None and not fetched.folder.original.exists()
    for told in (
        "--metric NAME",
        "--metric-file FILE.py",
        "“weighted” before “RMSE”",
        "scored by a weighted RMSE",
    ):
        assert told in fetched.refused
    assert "\n" not in fetched.refused, "one sentence"
    assert fetched.events[-1].startswith("The metric: not certain")


async def test_with_a_model_the_run_goes_on_and_no_name_is_guessed(tmp_path: Path) -> None:
    facts = (await fetch(tmp_path, "Submissions are scored by a weighted RMSE.")).facts
    assert facts is not None and facts.metric.name is None
    assert facts.metric.doubt and facts.metric.sentence == "Submissions are scored by a weighted RMSE."


async def test_the_metric_is_told_with_its_sentence_before_anything_is_fetched(tmp_path: Path) -> None:
    fetched = await fetch(tmp_path, "Submissions are scored by the AUC of your probabilities.", offline=True)
    assert fetched.facts is not None and fetched.facts.metric.source == "description"
    told = "The metric: roc_auc (higher is better), read from its pages: “Submissions are scored by the AUC"
    assert fetched.events[0].startswith(told)


@pytest.mark.parametrize("way", ["name", "file"])
async def test_what_a_person_names_wins_over_the_pages(tmp_path: Path, way: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(METRIC.partition("<code>")[2].partition("</code>")[0])
    named: dict[str, Any] = {"metric": "brier"} if way == "name" else {"metric_file": str(file)}
    fetched = await fetch(tmp_path, "Submissions are scored by the AUC.", offline=True, **named)
    assert fetched.facts is not None
    name = "brier" if way == "name" else "mine.py"
    choice = fetched.facts.metric
    assert (choice.name, choice.higher_is_better, choice.source) == (name, False, "option")
    file.unlink()  # a run that goes on later has its own copy
    config = RunConfig(competition="fruit", offline=True, **named)
    with Store(fetched.folder.database) as store:
        prepared = await prepare_evaluation(
            fetched.facts, fetched.folder, store, Desk(InstantModel(writer), Prompts()), config, SYSTEM_CLOCK
        )
    assert f"name: {name}" in prepared.brief.metric and "lower is better" in prepared.brief.metric
    assert prepared.baseline.feedback["score"] == pytest.approx(0.25 if way == "name" else 0.5)


async def test_what_the_competition_yaml_says_of_tables_reaches_the_evaluator(tmp_path: Path) -> None:
    local = write_small_competition(tmp_path / "fruit")
    sample = pd.read_csv(local / "sample_submission.csv")
    sample[["ripe", "id"]].to_csv(local / "sample_submission.csv", index=False)
    (local / "competition.yaml").write_text("id_column: id\ngroup_column: height\nmodality: text\n")
    folder = RunFolder(tmp_path / "state" / "runs" / "run")
    folder.path.mkdir(parents=True)
    config = RunConfig(competition="fruit")
    with (
        running_server(
            [look_at_folder(local, tmp_path / "arranged").hosted()], tmp_path / "server"
        ) as server,
        Store(folder.database) as store,
    ):
        upstream = Upstream(KaggleClient(server.url, TOKEN), "fruit", True)
        facts = await fetch_competition(upstream, folder, store, config, SYSTEM_CLOCK)
        prepared = await prepare_evaluation(
            facts, folder, store, Desk(InstantModel(writer), Prompts()), config, SYSTEM_CLOCK
        )
    profile = prepared.evaluator.profile
    assert (profile.id_column, profile.target_columns) == ("id", ("ripe",))
    assert (profile.group_column, profile.modality) == ("height", "text")
    assert prepared.baseline.success, prepared.baseline.message
    held_out = read_text(folder.public / "sample_validation_submission.csv")
    assert list(held_out.columns) == ["id", "ripe"], "where `reproduce` looks for the id"


def test_a_metric_without_direction_is_a_fault() -> None:
    assert declared_direction("HIGHER_IS_BETTER = True\n")
    with pytest.raises(MalformedReply, match="HIGHER_IS_BETTER"):
        declared_direction("def score(truth, submission):\n    return 0.0\n")
