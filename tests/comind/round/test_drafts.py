"""Drafts are exactly N, differ, fit, and carry what evidence and lineage told the model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comind.round.drafts import claim_to_retest, write_drafts
from comind.state.records import Dataset, Event, Idea, Kernel, Link, Report
from comind.state.runs import RunFolder
from comind.state.store import Store
from tests.comind.round.planning import knowledge, scored
from tests.fakes.models import InstantModel

FAMILIES = {
    "Ridge": "A linear model on standardised numbers and one-hot categories, fitted by coordinate descent.",
    "Boosting": "Histogram gradient boosting with early stopping on a held-out fold and native categories.",
    "Network": "A small perceptron in PyTorch with embeddings, dropout and cosine learning rate schedule.",
}


def block(title: str, *, baseline: str = "no", more: str = "needs: 5 min", text: str = "") -> str:
    return (
        f"title: {title}\nbaseline: {baseline}\nstarts_from: none\nresources: none\n{more}\n\n"
        f"{text or FAMILIES.get(title, title)}\n```python\nfit()\n```"
    )


def reply(*blocks: str) -> str:
    return "\n===SEPARATOR===\n".join(blocks)


GOOD = reply(block("Ridge", baseline="yes"), block("Boosting"), block("Network"))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    return RunFolder(tmp_path / "run")


@pytest.fixture
def store(folder: RunFolder) -> Iterator[Store]:
    with Store(folder.database) as opened:
        yield opened


def in_turn(*replies: str) -> InstantModel:
    """Gives one reply after the other; the last one stays."""
    left = list(replies)
    return InstantModel(lambda question: left.pop(0) if len(left) > 1 else left[0])


async def test_drafts_name_ideas_that_exist_as_what_they_were_merged_into(
    store: Store, folder: RunFolder
) -> None:
    store.save(
        Idea(id="idea-1001", round=1, text="Boost.", rank=1),
        Idea(id="idea-1002", round=1, text="Boost more.", merged_into="idea-1001"),
    )
    named = reply(
        block("Ridge", baseline="yes", more="ideas: none"),
        block("Boosting", more="**Ideas**: [idea-1002], idea-9999"),
        block("Network", text="It tries idea-1001 with a network of its own, see the fence below."),
    )
    drafts = await write_drafts(knowledge(store, in_turn(named), coders=3), 1)
    assert [draft.ideas for draft in drafts] == [[], ["idea-1001"], ["idea-1001"]]
    assert [draft.baseline for draft in drafts] == [True, False, False]


TWINS = reply(block("Ridge", baseline="yes"), block("Boosting"), block("Trees", text=FAMILIES["Boosting"]))


@pytest.mark.parametrize(
    ("faulty", "complaint"),
    [
        (TWINS, "'Boosting' and 'Trees' are nearly the same"),
        (reply(block("Ridge"), block("Boosting"), block("Network")), "No draft is the baseline"),
        (GOOD.replace("needs: 5 min", "needs: 3 hours", 1), "'Ridge' needs 180 minutes"),
        (GOOD.replace("needs: 5 min", "needs: 10 min, 1 GPU", 1), "'Ridge' needs a GPU"),
    ],
)
async def test_what_overlaps_or_does_not_fit_is_asked_again_once_then_taken(
    store: Store, folder: RunFolder, faulty: str, complaint: str
) -> None:
    model = in_turn(faulty)
    drafts = await write_drafts(knowledge(store, model, coders=3), 1)
    assert len(model.shown) == 2
    assert complaint in model.shown[1]
    assert len(drafts) == 3
    assert sum(draft.baseline for draft in drafts) == 1
    assert not store.all(Event, "kind = 'skipped'")


async def test_good_drafts_are_asked_for_once_and_stay(store: Store, folder: RunFolder) -> None:
    model = in_turn(GOOD)
    known = knowledge(store, model, coders=3)
    first = await write_drafts(known, 1)
    assert await write_drafts(known, 1) == first
    assert len(model.shown) == 1


def leaders(store: Store, folder: RunFolder) -> None:
    """Three scored agents: a leader on an unproven idea, its copy, and one that errs differently."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=300)
    store.save(
        Idea(id="idea-1001", round=1, text="Average the ranks.", rank=1),
        Idea(id="idea-1002", round=1, text="Scale the numbers.", rank=2),
    )
    best = truth + 0.4 * rng.normal(size=300)
    scored(store, folder, "r1-a1", 0.90, predictions=list(best), ideas=["idea-1001"])
    scored(store, folder, "r1-a2", 0.89, predictions=list(2 * best), ideas=["idea-1002"])
    other = list(truth + 0.4 * rng.normal(size=300))
    scored(store, folder, "r1-a3", 0.89, predictions=other)
    scored(store, folder, "k01", 0.85)


async def test_the_second_round_is_told_evidence_lineage_and_one_claim_to_test_again(
    store: Store, folder: RunFolder
) -> None:
    leaders(store, folder)
    store.save(
        Kernel(id="ann/k", title="t", author="ann", source="x", local_score=0.123456, verified="ok"),
        Link(id="1", source="comind/r1-a2", target="comind/r1-a1", kind="blends"),
        Link(id="2", source="ann/copy", target="ann/original", kind="forks"),
        Dataset(id="comind/k01", title="", path="x", files=["validation_submission.csv"]),
    )
    again = block("Boosting", more="retest: yes\nideas: none")
    model = in_turn(reply(block("Ridge", baseline="yes"), again, block("Network")))
    drafts = await write_drafts(knowledge(store, model, coders=3), 2)
    prompt = model.shown[0]
    assert "to be tested again: [idea-1001] (unclear after 1 trial; used by r1-a1)" in prompt
    assert "complementary members: r1-a1 (0.9), r1-a3 (0.89, correlation 0." in prompt
    assert "- r1-a2 repeats r1-a1 (correlation 1.000)" in prompt
    assert "- comind/r1-a2 blends comind/r1-a1" in prompt
    assert "- ann/copy is made from ann/original" in prompt
    assert '"Title of k01" 0.85000 [0.83000, 0.87000] verified community kernel' in prompt
    assert "- k01 (verified community kernel, feedback score 0.85): validation_submission.csv" in prompt
    assert "0.12345" not in prompt and "0.12346" not in prompt, "selection rows only select"
    assert [(draft.retest, draft.ideas) for draft in drafts][1] == (True, ["idea-1001"])


def test_no_agent_is_spared_in_the_first_round_or_by_a_small_team(store: Store, folder: RunFolder) -> None:
    leaders(store, folder)
    model = in_turn("")
    assert claim_to_retest(knowledge(store, model, coders=3), 1) is None
    assert claim_to_retest(knowledge(store, model, coders=2), 2) is None
    claim = claim_to_retest(knowledge(store, model, coders=3), 2)
    assert claim is not None
    assert claim.idea == "idea-1001"


async def test_pipelines_that_ran_here_lead_by_their_score_and_failed_ones_come_last(
    store: Store, folder: RunFolder
) -> None:
    for place, name in enumerate(("broken", "unknown", "good", "poor")):
        verified: Any = {"broken": "failed", "good": "ok", "poor": "ok"}.get(name, "")
        store.save(
            Kernel(
                id=f"ann/{name}", title=name, author="ann", source="x", verified=verified,
                verified_by=f"k0{place}" if verified else "",
            ),
            Report(
                id=f"report-{place}", round=1, kind="kernel", subject=f"ann/{name}",
                title=f"kernel ann/{name}", pipeline="p", summary="s", scores={"effectiveness": 9.0 - place},
            ),
        )  # fmt: skip
    scored(store, folder, "k02", 0.9)
    scored(store, folder, "k03", 0.6)
    model = in_turn(GOOD)
    await write_drafts(knowledge(store, model, coders=3), 1)
    pipelines = model.shown[0].partition("## Pipelines\n")[2].partition("\n## ")[0]
    headings = [line for line in pipelines.splitlines() if line.startswith("### ")]
    assert headings == [
        "### report-2 (kernel ann/good; run here: feedback score 0.90000 [0.88000, 0.92000])",
        "### report-3 (kernel ann/poor; run here: feedback score 0.60000 [0.58000, 0.62000])",
        "### report-1 (kernel ann/unknown)",
        "### report-0 (kernel ann/broken; it failed here)",
    ]


async def test_a_draft_cannot_call_itself_a_re_test_when_none_was_asked_for(
    store: Store, folder: RunFolder
) -> None:
    answer = in_turn(GOOD.replace("needs: 5 min", "retest: yes"))
    drafts = await write_drafts(knowledge(store, answer, coders=3), 1)
    assert not any(draft.retest for draft in drafts)


async def test_unreadable_replies_give_plain_drafts_that_share_the_ideas(
    store: Store, folder: RunFolder
) -> None:
    store.save(*(Idea(id=f"idea-{n:04d}", round=1, text=f"Idea {n}.", rank=n) for n in range(1, 5)))
    drafts = await write_drafts(knowledge(store, in_turn("Sure!"), coders=2), 1)
    assert sorted(id for draft in drafts for id in draft.ideas) == [f"idea-{n:04d}" for n in range(1, 5)]
    assert len(store.all(Event, "kind = 'skipped'")) == 1
