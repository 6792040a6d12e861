"""Effects of ideas against simulated truth, and the claims that deserve another test."""

from __future__ import annotations

import numpy as np
import pytest

from comind.analysis.evidence import (
    Effect,
    Trial,
    component_claims,
    estimate_effects,
    kept_ids,
    read_evidence,
    trials,
    weak_claims,
)
from comind.analysis.standings import Standing
from comind.run.results import write_report
from comind.state.records import Agent, Draft, Evaluation, Idea, Report, Run
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.score import Score

TAU, NOISE = 0.02, 0.01


def simulated(
    seed: int, *, rounds: int = 4, agents: int = 6, ideas: int = 8
) -> tuple[dict[str, float], list[Trial]]:
    """Effects drawn from the prior; each agent tries two or three ideas on its round's level."""
    rng = np.random.default_rng(seed)
    truth = {f"idea-{n:04d}": float(rng.normal(scale=TAU)) for n in range(ideas)}
    found = []
    for round in range(rounds):
        level = 0.8 + 0.02 * round
        for agent in range(agents):
            tried = rng.choice(list(truth), size=int(rng.integers(2, 4)), replace=False)
            gain = level + sum(truth[idea] for idea in tried) + float(rng.normal(scale=NOISE))
            found.append(
                Trial(f"r{round}-a{agent}", gain, NOISE, frozenset(map(str, tried)), f"round {round}")
            )
    return truth, found


@pytest.mark.parametrize("prior_sd", [TAU, None])
def test_the_interval_covers_the_truth_as_often_as_it_says(prior_sd: float | None) -> None:
    covered = [
        effect.low <= truth[effect.idea] <= effect.high
        for seed in range(120)
        for truth, found in [simulated(seed)]
        for effect in estimate_effects(found, prior_sd=prior_sd)
    ]
    assert len(covered) > 900
    assert 0.93 <= np.mean(covered) <= 0.985


def test_a_large_effect_is_found_with_its_sign() -> None:
    for seed in range(40):
        _, found = simulated(seed, rounds=6)
        shifted = [
            Trial(
                one.agent, one.gain + 0.15 * ("idea-0000" in one.ideas) - 0.15 * ("idea-0001" in one.ideas),
                one.sd, one.ideas, one.level,
            )
            for one in found
        ]  # fmt: skip
        verdicts = {effect.idea: effect.verdict for effect in estimate_effects(shifted)}
        assert (verdicts["idea-0000"], verdicts["idea-0001"]) == ("helps", "hurts")


def test_what_does_nothing_is_seldom_called_a_discovery() -> None:
    rng = np.random.default_rng(0)
    verdicts = []
    for _ in range(60):
        found = [
            Trial(f"a{n}", float(rng.normal(scale=NOISE)), NOISE, frozenset({f"idea-{n % 6}", "idea-9"}), "")
            for n in range(12)
        ]
        verdicts += [effect.verdict for effect in estimate_effects(found)]
    assert np.mean([verdict != "unclear" for verdict in verdicts]) < 0.05


def test_one_trial_is_shrunk_and_more_trials_are_surer() -> None:
    once = estimate_effects([Trial("a", 0.05, 0.02, frozenset({"i"}))], prior_sd=0.02)[0]
    often = estimate_effects([Trial(f"a{n}", 0.05, 0.02, frozenset({"i"})) for n in range(9)], prior_sd=0.02)[
        0
    ]
    assert 0 < once.mean < 0.05
    assert once.mean < often.mean < 0.05
    assert (often.sd < once.sd, once.trials, often.trials) == (True, 1, 9)


def test_no_trials_no_ideas_and_equal_scores_are_no_fault() -> None:
    assert estimate_effects([]) == []
    assert estimate_effects([Trial("a", 0.5, 0.0, frozenset())]) == []
    same = [Trial(f"a{n}", 0.5, 0.0, frozenset({f"i{n}"}), "round 1") for n in range(3)]
    assert all(effect.verdict == "unclear" for effect in estimate_effects(same))


def standing(agent: str, value: float, *, higher: bool = True, round: int = 1) -> Standing:
    evaluation = Evaluation(
        id=f"{agent}-s1", agent=agent, round=round, step=1, success=True, message="",
        higher_is_better=higher,
        feedback={"score": value, "interval": (value - 0.02, value + 0.02), "rows": 90},
        selection={"score": 0.0, "interval": (0, 0), "rows": 90},
    )  # fmt: skip
    return Standing(evaluation, Score(value, value - 0.02, value + 0.02, 90, higher))


def draft(id: str, ideas: list[str], parent: str = "") -> Draft:
    return Draft(id=id, round=int(id[1]), title=id, description="", ideas=ideas, parent=parent)


def test_a_trial_is_measured_against_the_solution_that_it_started_from() -> None:
    board = [standing(a, v, higher=False) for a, v in (("r2-a1", 0.3), ("r1-a1", 0.4), ("k01", 0.7))]
    drafts = {"r1-a1": draft("r1-a1", ["i1"]), "r2-a1": draft("r2-a1", ["i1", "i2"], "report-1801")}
    child, parent = trials(board, drafts, {"report-1801": "r1-a1"}, {})
    assert (round(child.gain, 9), set(child.ideas), child.level) == (0.1, {"i2"}, "")
    assert (parent.gain, set(parent.ideas), parent.level) == (-0.40, {"i1"}, "round 1")


def test_a_poor_start_that_was_left_far_behind_is_no_baseline() -> None:
    board = [standing("r1-a1", 0.9), standing("r1-a2", 0.8), standing("k01", 0.2, round=0)]
    drafts = {"r1-a1": draft("r1-a1", ["i1"], "someone/kernel"), "r1-a2": draft("r1-a2", ["i2"])}
    found = trials(board, drafts, {"someone/kernel": "k01"}, {})
    assert [one.level for one in found] == ["round 1", "round 1"]


def test_a_report_on_a_verified_kernel_leads_to_its_own_score() -> None:
    board = [standing("r1-a1", 0.9), standing("k01", 0.8, round=0), standing("k02", 0.7, round=0)]
    drafts = {"r1-a1": draft("r1-a1", ["i1"], "report-1001")}
    found = trials(board, drafts, {"report-1001": "someone/kernel", "someone/kernel": "k01"}, {})
    assert [(one.agent, round(one.gain, 9)) for one in found] == [("r1-a1", 0.1)]


def test_merged_ideas_count_as_one() -> None:
    ideas = [
        Idea(id="i1", round=1, text="a", merged_into="i2"),
        Idea(id="i2", round=1, text="b", merged_into="i3"),
        Idea(id="i3", round=1, text="c"), Idea(id="x", round=1, text="d", merged_into="y"),
        Idea(id="y", round=1, text="e", merged_into="x"),
    ]  # fmt: skip
    assert kept_ids(ideas)["i1"] == "i3"
    board = [standing("r1-a1", 0.9)]
    assert trials(board, {"r1-a1": draft("r1-a1", ["i1", "i2"])}, {}, kept_ids(ideas))[0].ideas == {"i3"}


SUMMARY = """=== target encoding ===
novelty: 3 - known
effectiveness: {mark} - {reason}
confidence: 7 - two folds
=== model ===
novelty: 2 - plain
weaknesses:
- none"""


def report(agent: str, mark: int, reason: str = "it changed the score") -> Report:
    return Report(
        id=f"report-{agent}", round=1, kind="solution", subject=agent, title="", pipeline="",
        summary=SUMMARY.format(mark=mark, reason=reason),
    )  # fmt: skip


def test_component_claims_carry_their_marks_and_reasons() -> None:
    [claim] = component_claims([report("r1-a1", 8)])
    assert (claim.component, claim.effectiveness, claim.confidence) == ("target encoding", 8, 7)
    assert claim.reason == "it changed the score"


def test_what_leaders_rely_on_without_proof_is_weak_and_conflicts_come_first() -> None:
    ideas = [
        Idea(id="i1", round=1, text="Average ranks."),
        Idea(id="i2", round=1, text="Target encoding inside the folds."),
        Idea(id="i3", round=1, text="Boost."),
        Idea(id="i4", round=1, text="Only the last one tried this."),
    ]
    board = [standing("r1-a1", 0.9), standing("r1-a2", 0.8), standing("r1-a3", 0.7)]
    drafts = {
        "r1-a1": draft("r1-a1", ["i1", "i2", "i3"]),
        "r1-a2": draft("r1-a2", []),
        "r1-a3": draft("r1-a3", ["i4"]),
    }
    effects = [
        Effect("i1", 0.01, 0.02, 1),
        Effect("i2", 0.0, 0.01, 1),
        Effect("i3", 0.2, 0.01, 3),
        Effect("i4", 0, 1, 1),
    ]
    claims = component_claims([report("r1-a1", 9), report("r1-a2", 2)])
    weak = weak_claims(effects, board, drafts, ideas, claims)
    assert [one.idea for one in weak] == ["i2", "i1"]
    assert weak[0].conflict == "r1-a1 marks it 9, r1-a2 2"
    assert weak[1].agents == ("r1-a1",)


def test_the_store_gives_the_evidence_on_feedback_scores_only(tmp_path: object) -> None:
    folder = RunFolder(tmp_path)  # type: ignore[arg-type]
    with Store(folder.database) as store:
        for agent, value in (("r1-a1", 0.9), ("r1-a2", 0.7), ("r1-a3", 0.7), ("r1-a4", 0.9)):
            store.save(standing(agent, value).evaluation)
            store.save(draft(agent, ["idea-0001"] if value > 0.8 else ["idea-0002"]))
        store.save(Idea(id="idea-0001", round=1, text="Good."), Idea(id="idea-0002", round=1, text="Bad."))
        store.save(Run(id="run", competition="c"))
        store.save(*(Agent(id=f"r1-a{n}", round=1, index=n) for n in range(1, 5)))
        found = read_evidence(store)
        report = write_report(store, folder).read_text(encoding="utf-8")
    means = {effect.idea: effect.mean for effect in found.effects}
    assert means["idea-0001"] > 0 > means["idea-0002"]
    table = report.partition("## What the ideas were worth\n")[2]
    assert "| 2 | unclear | Good. |" in table
