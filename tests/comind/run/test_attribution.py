"""The ledger of what entered the final solution, and what the rules say of external data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comind.run.attribution import KERNEL_LICENSE, attribute, duty, rule_sentences
from comind.state.records import Agent, Cell, Dataset, Draft, Evaluation, Idea, Kernel, Link, Report, Run
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.kaggle.records import KAGGLE_URL

RULES = """\
<h2>7. External Data</h2> You may use data other than the Competition Data ("External Data") to develop and
test your Submissions. However, you will ensure the External Data is publicly available.

- Winners must share their code.
"""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def cell(agent: str, code: str) -> Cell:
    return Cell(id=f"{agent}-s01", agent=agent, step=1, goal="", code=code, status="ok")


def graded(agent: str) -> Evaluation:
    return Evaluation(id=f"{agent}-s01", agent=agent, round=1, step=1, success=True, message="ok")


def agent(id: str, round: int) -> Agent:
    return Agent(id=id, round=round, index=1, best_evaluation=f"{id}-s01")


def run_with_a_lineage(folder: RunFolder) -> Store:
    """r2-a1 starts from a report on r1-a1 and reads its output; r1-a1 starts from a public kernel."""
    store = Store(folder.database)
    store.save(
        Run(id="run", competition="comp", best_evaluation="r2-a1-s01", config={"kaggle_url": KAGGLE_URL}),
        Kernel(id="ann/base", title="Base | line", author="ann", source="x"),
        Kernel(id="bob/first", title="First", author="bob", source="x", license="MIT"),
        Kernel(id="eve/unused", title="Unused", author="eve", source="x"),
        Link(id="1", source="ann/base", target="bob/first", kind="forks"),
        Link(id="2", source="ann/base", target="cat/secret-rows"),
        Dataset(
            id="dan/weather",
            title="Weather",
            path="p",
            origin="upstream",
            license="CC-BY-NC-4.0",
            url="https://w",
        ),
        Dataset(id="comind/r1-a1", title="Outputs", path="p"),
        Idea(id="idea-1", round=1, text="Use the\nweekday.", origin="discussion", path="Mind the days"),
        agent("r1-a1", 1),
        agent("r2-a1", 2),
        Draft(id="r1-a1", round=1, title="", description="", parent="ann/base", resources=["weather"]),
        Report(id="rep-1", round=1, kind="solution", subject="r1-a1", title="", pipeline="", summary=""),
        Draft(
            id="r2-a1",
            round=2,
            title="",
            description="",
            parent="rep-1",
            resources=["r1-a1"],
            ideas=["idea-1"],
        ),
        cell("r1-a1", "m = AutoModel.from_pretrained('distilbert-base-uncased')"),
        cell("r2-a1", "n = timm.create_model('resnet18', num_classes=2, pretrained=True)"),
        graded("r1-a1"),
        graded("r2-a1"),
    )
    return store


def test_what_entered_is_followed_through_earlier_agents(folder: RunFolder) -> None:
    with run_with_a_lineage(folder) as store:
        found = {source.id: source for source in attribute(store, folder).sources}
    assert set(found) == {
        "ann/base", "bob/first", "cat/secret-rows", "dan/weather", "distilbert-base-uncased", "resnet18",
        "idea-1",
    }  # fmt: skip
    assert found["ann/base"].license == KERNEL_LICENSE and found["bob/first"].license == "MIT"
    assert "r1-a1, from which it starts," in found["ann/base"].how
    assert found["bob/first"].how == "ann/base builds on it"
    assert found["cat/secret-rows"].license == "not stated" and "not fetched" in found["cat/secret-rows"].how
    assert "commercial" in found["dan/weather"].duty and found["dan/weather"].url == "https://w"
    assert found["idea-1"].author == "the discussion 'Mind the days'"
    assert (found["resnet18"].kind, found["resnet18"].how) == (
        "model",
        "the solution itself loads its weights",
    )


def test_the_rules_are_quoted_and_not_judged(folder: RunFolder) -> None:
    folder.pages.parent.mkdir(parents=True)
    folder.pages.write_text(json.dumps({"rules": RULES, "Evaluation": "pre-trained"}))
    with run_with_a_lineage(folder) as store:
        ledger = attribute(store, folder)
    assert len(ledger.rules) == 2
    assert ledger.rules[0].startswith("You may use data other than the Competition Data")
    text = "\n".join(ledger.lines())
    assert "> However, you will ensure the External Data is publicly available" in text
    assert "nothing is judged here" in text and "Winners" not in text
    assert "[Base / line](https://www.kaggle.com/code/ann/base) by ann" in text
    json.dumps(ledger.as_dict())


def test_a_rules_page_without_the_words_is_said_to_be_read() -> None:
    assert rule_sentences({"rules": "Be kind."}) == ([], True)
    assert rule_sentences({"Description": "External data is fine."}) == ([], False)


def test_a_solution_of_ones_own_owes_nothing(folder: RunFolder) -> None:
    with Store(folder.database) as store:
        store.save(
            Run(id="run", competition="comp", best_evaluation="r1-a1-s01"),
            agent("r1-a1", 1),
            Draft(id="r1-a1", round=1, title="", description=""),
            cell("r1-a1", "print(1)"),
            graded("r1-a1"),
        )
        ledger = attribute(store, folder)
        assert ledger.sources == () and "Nothing of others" in ledger.lines()[0]


def test_a_community_kernel_as_it_is_says_so(folder: RunFolder) -> None:
    with Store(folder.database) as store:
        store.save(
            Run(id="run", competition="comp", best_evaluation="k01-s01"),
            Kernel(id="ann/base", title="Base", author="ann", source="x"),
            agent("k01", 0),
            Draft(id="k01", round=0, title="", description="", parent="ann/base"),
            cell("k01", "x"),
            graded("k01"),
        )
        (source,) = attribute(store, folder).sources
    assert source.how == "it is the solution, as it is"
    # not kaggle.com's community: neither its terms nor its addresses
    assert (source.license, source.url) == ("not stated", "") and "read its licence" in source.duty


@pytest.mark.parametrize(
    ("license", "part"),
    [
        ("CC0: Public Domain", "nothing"),
        ("Apache 2.0", "name it and its licence"),
        ("Attribution 4.0 International (CC BY 4.0)", "name it and its licence"),
        ("CC BY-NC-SA 4.0", "commercial"),
        ("CC-BY-SA-4.0", "alike"),
        ("GPL 2", "alike"),
        ("other", "read its licence"),
        ("unknown", "read its licence"),
    ],
)
def test_what_a_licence_asks_for(license: str, part: str) -> None:
    assert part in duty(license)
