"""Each role's end of the ladder: what it takes of a reply, and the smaller question that it asks at last."""

from __future__ import annotations

import pytest

from comind.llm.client import CallKey, Reply
from comind.llm.formats import MalformedReply
from comind.llm.question import ask_parsed
from comind.llm.tokens import Messages
from comind.roles import analyzer, coordinator, proposer
from comind.roles.coder import parse_report, report_without_marks, short_report
from comind.roles.desk import Brief
from comind.roles.desk import Desk as Shop
from comind.roles.prompts import Prompts
from tests.comind.llm.desk import KEY, QUESTION, Desk, OpenDesk

BRIEF = Brief(competition="Fruit", metric="auc", machine="2 cores", data="two columns")
MATERIAL = coordinator.DraftMaterial(
    time="an hour", ideas="1. [idea-0001] Average ranks.", reports="none", pipelines="none",
    leaderboard="none", evidence="none", lineage="none", datasets="none",
)  # fmt: skip
PIPELINE = "It reads train.csv, scales the numbers, encodes the categories and fits a forest. " * 4


class Everyone:
    """One scripted model for all roles."""

    def __init__(self, d: Desk) -> None:
        self._desk = d
        self.log = d.client.log

    async def ask(self, role: str, key: CallKey, messages: Messages) -> Reply:
        return await self._desk.client.ask("coder", key, messages)


def shop(d: Desk) -> Shop:
    return Shop(Everyone(d), Prompts())


async def test_an_analysis_without_marks_keeps_its_pipeline(desk: OpenDesk) -> None:
    reply = PIPELINE + "\n===SEPARATOR===\nIt is nice."
    async with desk([reply, reply]) as d:
        read = await analyzer.analyze_kernel(shop(d), BRIEF, KEY, "kernel a/b", "import pandas")
        assert read.pipeline.startswith("It reads train.csv")
        assert read.marks == dict.fromkeys(analyzer.MARKS, analyzer.NOT_GIVEN)
        assert "It is nice." in read.summary and "novelty: 5 - not given" in read.summary


async def test_a_model_that_writes_no_pipeline_is_asked_for_prose(desk: OpenDesk) -> None:
    short = "Reads the table, fits a linear model on all columns.\neffectiveness: 7 - simple"
    async with desk(["Certainly!", "Sure!", short]) as d:
        read = await analyzer.analyze_kernel(shop(d), BRIEF, KEY, "kernel a/b", "import pandas")
        assert "kernel_short" in d.server.received[2].prompt
        assert read.marks["effectiveness"] == 7
        assert read.marks["novelty"] == analyzer.NOT_GIVEN


async def test_a_discussion_without_marks_keeps_its_ideas(desk: OpenDesk) -> None:
    async with desk(lambda body, number: "- try a larger window\n- drop duplicates") as d:
        read = await analyzer.analyze_discussion(shop(d), BRIEF, KEY, "discussion 1", "text")
        assert read.ideas == ["try a larger window", "drop duplicates"]


async def test_a_model_of_babble_only_ends_in_a_malformed_reply(desk: OpenDesk) -> None:
    async with desk(lambda body, number: "Certainly!") as d:
        with pytest.raises(MalformedReply):
            await analyzer.analyze_kernel(shop(d), BRIEF, KEY, "kernel a/b", "import pandas")
        assert len(d.server.received) == 3


async def test_fewer_paths_are_taken_when_there_are_no_more(desk: OpenDesk) -> None:
    path = "===SOLUTION_PATH_1===\nTrees.\n- deeper trees"
    async with desk([path, "no", "no"]) as d:
        paths = await proposer.brainstorm(
            shop(d), BRIEF, KEY, reports="", leaderboard="", evidence="", memory=""
        )
        assert [one.ideas for one in paths] == [["deeper trees"]]


async def test_a_filter_without_a_list_is_asked_for_ids(desk: OpenDesk) -> None:
    ideas = "- [idea-0001] Average ranks.\n- [idea-0002] Drop outliers."
    async with desk(["All good.", "Two, then one.", "idea-0002, idea-0009, idea-0001"]) as d:
        ranked = await proposer.filter_ideas(shop(d), BRIEF, KEY, reports="", evidence="", ideas=ideas)
        assert [(one.sources, one.text) for one in ranked] == [
            (["idea-0002"], "Drop outliers."), (["idea-0001"], "Average ranks."),
        ]  # fmt: skip


async def test_drafts_that_are_missing_are_asked_for_one_at_a_time(desk: OpenDesk) -> None:
    whole = "title: Forest\nbaseline: yes\nA forest on all columns."
    more = ["title: Ridge\nA linear model.", "title: Forest\nAgain."]
    async with desk([whole, "I am done.", *more]) as d:
        drafts = await coordinator.write_drafts(shop(d), BRIEF, KEY, MATERIAL, 3)
        assert [draft.title for draft in drafts] == ["Forest", "Ridge", "Plain baseline 3"]
        assert [draft.baseline for draft in drafts] == [True, False, False]
        assert [call.kind for call in d.calls()] == ["turn", "turn", "draft2", "draft3"]
        assert "- Forest\n- Ridge" in d.server.received[3].prompt


async def test_not_one_readable_draft_is_a_malformed_reply_after_three_questions(desk: OpenDesk) -> None:
    async with desk(lambda body, number: "Certainly!") as d:
        with pytest.raises(MalformedReply, match="drafts were found"):
            await coordinator.write_drafts(shop(d), BRIEF, KEY, MATERIAL, 4)
        assert len(d.server.received) == 3


def test_a_report_without_marks_is_a_report() -> None:
    read = report_without_marks("<pipeline>ridge on all columns</pipeline><summary>good</summary>")
    assert (read.pipeline, read.summary, read.marks) == ("ridge on all columns", "good", {})


async def test_the_last_question_for_a_report_wants_the_pipeline_alone(desk: OpenDesk) -> None:
    talk = [*QUESTION, {"role": "user", "content": "# Task: report"}]
    smaller = short_report(Prompts(), talk)
    async with desk(["no", "no", "A ridge model on all columns with alpha 1."]) as d:
        asked = ask_parsed(d.client, "coder", KEY, talk, parse_report, attempts=2, smaller=smaller)
        assert (await asked).value.pipeline.startswith("A ridge model")
        assert [m["role"] for m in d.server.received[2].body["messages"]] == ["system", "user", "user"]
