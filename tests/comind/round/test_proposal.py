"""Brainstorms that are apart, a filter that ranks and links, and a memory that only grows."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from comind.roles.proposer import RankedIdea
from comind.round.proposal import propose_ideas, ranked_ideas
from comind.state.records import Idea
from comind.state.runs import RunFolder
from comind.state.store import Store
from tests.comind.round.planning import knowledge, scored
from tests.fakes.models import InstantModel, Question

APART = [
    ("Gradient boosting.", ["Limit the depth of every tree.", "Stop early by fold."]),
    ("Linear models.", ["Standardise numeric columns first.", "Cross categories pairwise."]),
    ("Neural networks.", ["Embed each category as vector.", "Anneal learning rates slowly."]),
    ("Ensembles.", ["Average ranks over members.", "Stack predictions with ridge."]),
]


def paths(*chosen: tuple[str, list[str]]) -> str:
    return "\n".join(
        f"===SOLUTION_PATH_{n}===\n{description}\n" + "\n".join(f"- {idea}" for idea in ideas)
        for n, (description, ideas) in enumerate(chosen, start=1)
    )


async def proposed(tmp_path: Path, *brainstorms: str, ranking: str = "[]") -> tuple[InstantModel, list[Idea]]:
    left = list(brainstorms)

    def answer(question: Question) -> str:
        if question.key.kind == "filter":
            return ranking
        return left.pop(0) if len(left) > 1 else left[0]

    (tmp_path / "run").mkdir(exist_ok=True)
    folder = RunFolder(tmp_path / "run")
    model = InstantModel(answer)
    with Store(folder.database) as store:
        store.save(Idea(id="idea-0500", round=0, text="Weigh rows by age.", origin="person"))
        scored(store, folder, "r1-a1", 0.9, ideas=["idea-0500"])
        await propose_ideas(knowledge(store, model), 1)
        return model, store.all(Idea)


def kinds(model: InstantModel) -> list[str]:
    return [question.key.kind for question in model.questions]


async def test_paths_that_are_nearly_one_are_told_once_then_taken(tmp_path: Path) -> None:
    alike = paths(APART[0], APART[0], *APART[1:])
    model, ideas = await proposed(tmp_path, alike)
    assert kinds(model)[:2] == ["brainstorm", "brainstorm"]
    assert kinds(model).count("brainstorm") == 2
    assert "paths 1 and 2 say nearly the same" in model.shown[1]
    assert len(ideas) == 11


async def test_paths_that_differ_are_asked_for_once(tmp_path: Path) -> None:
    model, ideas = await proposed(tmp_path, paths(*APART))
    assert kinds(model).count("brainstorm") == 1
    assert len(ideas) == 9


async def test_fewer_than_four_paths_are_taken_when_the_model_has_no_more(tmp_path: Path) -> None:
    model, ideas = await proposed(tmp_path, paths(*APART[:2]))
    assert kinds(model).count("brainstorm") == 3
    assert len(ideas) == 5


async def test_brainstorm_and_filter_see_what_was_measured(tmp_path: Path) -> None:
    model, _ = await proposed(tmp_path, paths(*APART), ranking='["[idea-1001] Limit the depth."]')
    assert kinds(model) == ["brainstorm", "filter"]
    for prompt in model.shown:
        evidence = prompt.partition("## Evidence\n")[2].partition("\n## ")[0]
        assert "in 1 trial: unclear. Weigh rows by age." in evidence


async def test_a_filter_that_names_nothing_loses_nothing(tmp_path: Path) -> None:
    _, ideas = await proposed(tmp_path, paths(*APART), ranking='["Something else entirely."]')
    assert len(ideas) == 9
    assert sorted(idea.rank for idea in ideas) == list(range(1, 10))


IDS = [f"idea-{n:04d}" for n in range(12)]


@given(
    st.lists(st.tuples(st.lists(st.sampled_from([*IDS, "idea-9999"]), max_size=4), st.text(max_size=8))),
    st.integers(1, 5),
)
def test_every_idea_survives_every_filter(ranking: list[tuple[list[str], str]], round: int) -> None:
    ideas = [Idea(id=id, round=round, text=f"text of {id}") for id in IDS]
    after = ranked_ideas(ideas, [RankedIdea(ids, text) for ids, text in ranking], round)
    assert [idea.id for idea in after] == IDS
    ranks = [idea.rank for idea in after if idea.rank]
    assert len(ranks) == len(set(ranks))
    assert all(idea.merged_into in IDS for idea in after if idea.merged_into)
