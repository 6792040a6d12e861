"""A metric that is known in words only: the model writes it, and it is checked like any other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from comind.community.upstream import Upstream
from comind.config import RunConfig
from comind.llm.formats import MalformedReply
from comind.offline.responder import respond
from comind.roles.desk import Desk
from comind.roles.evaluator import declared_direction
from comind.roles.prompts import Prompts
from comind.run.preparation import Facts, fetch_competition, prepare_evaluation
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.moments import SYSTEM_CLOCK
from mle_live.competitions.folder import load_folder
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


async def test_what_the_competition_yaml_says_of_tables_reaches_the_evaluator(tmp_path: Path) -> None:
    local = write_small_competition(tmp_path / "fruit")
    sample = pd.read_csv(local / "sample_submission.csv")
    sample[["ripe", "id"]].to_csv(local / "sample_submission.csv", index=False)
    (local / "competition.yaml").write_text("id_column: id\ngroup_column: height\nmodality: text\n")
    folder = RunFolder(tmp_path / "state" / "runs" / "run")
    folder.path.mkdir(parents=True)
    config = RunConfig(competition="fruit")
    with (
        running_server([load_folder(local, tmp_path / "arranged")], tmp_path / "server") as server,
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
