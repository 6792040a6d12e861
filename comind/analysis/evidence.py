"""What each idea is worth, estimated from every draft that tried it, and which claims deserve another test.

A Bayesian linear regression: an agent's best feedback score is its baseline plus the effects of the ideas
that its draft names, plus noise. Baseline is the solution that it started from where that was scored and is
one of the better half (what leaves a poor start far behind owes that to more than its ideas), else a level of
its round. Effects are shrunk towards zero, so an idea that was tried once seldom looks like a discovery. It
reads feedback scores only: what it says is shown to agents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

from comind.analysis.likeness import words
from comind.analysis.standings import Standing, best_of_each_agent, standings
from comind.llm.formats import scored_lines, sections
from comind.state.reader import Reader
from comind.state.records import Draft, Evaluation, Idea, Kernel, Report

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

_NORMAL = 1.959964
"""Half the width of a 95 % interval, in standard deviations."""
_CONFLICT = 4.0
"""Marks of effectiveness that differ by this much contradict each other."""
_LEVEL_SPREAD = 30.0
"""Prior standard deviation of a round's level, in spreads of the scores: as good as unknown."""

Tendency = Literal["helps", "hurts", "unclear"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One agent's best result and the ideas that it tried. Positive is better, whatever the metric."""

    agent: str
    gain: float
    """Over the solution it started from; the score itself where `level` names an unknown baseline."""
    sd: float
    ideas: frozenset[str]
    level: str = ""
    """Trials of one level share a baseline that is estimated with the effects."""


@dataclass(frozen=True, slots=True)
class Effect:
    """An idea's effect on the score, positive is better, with its posterior standard deviation."""

    idea: str
    mean: float
    sd: float
    trials: int

    @property
    def low(self) -> float:
        return self.mean - _NORMAL * self.sd

    @property
    def high(self) -> float:
        return self.mean + _NORMAL * self.sd

    @property
    def verdict(self) -> Tendency:
        return "helps" if self.low > 0 else "hurts" if self.high < 0 else "unclear"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one agent's report says of one component."""

    agent: str
    component: str
    effectiveness: float
    confidence: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class WeakClaim:
    """An idea that leading solutions rely on although nothing shows that it helps."""

    idea: str
    agents: tuple[str, ...]
    """Leaders that use it, best first."""
    effect: Effect
    conflict: str
    """The two reports that contradict each other, in words, or nothing."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of the ideas: effects by size over uncertainty, weak claims, weakest first."""

    effects: list[Effect]
    weak: list[WeakClaim]


def read_evidence(reader: Reader) -> Evidence:
    """From every draft, evaluation and report of the run so far."""
    drafts = {draft.id: draft for draft in reader.all(Draft)}
    board = best_of_each_agent(standings(reader.all(Evaluation), "feedback"))
    reports, ideas = reader.all(Report), reader.all(Idea)
    parents = {report.id: report.subject for report in reports}
    parents |= {kernel.id: kernel.verified_by for kernel in reader.all(Kernel) if kernel.verified_by}
    effects = estimate_effects(trials(board, drafts, parents, kept_ids(ideas)))
    told = component_claims([report for report in reports if report.kind == "solution"])
    return Evidence(effects, weak_claims(effects, board, drafts, ideas, told))


def kept_ids(ideas: Sequence[Idea]) -> dict[str, str]:
    """Idea → the one that it was merged into, itself where it was not."""
    merged = {idea.id: idea.merged_into for idea in ideas}

    def end(id: str) -> str:
        seen = {id}
        while merged.get(id) and merged[id] not in seen:
            id = merged[id]
            seen.add(id)
        return id

    return {id: end(id) for id in merged}


def trials(
    board: Sequence[Standing],
    drafts: Mapping[str, Draft],
    parents: Mapping[str, str],
    kept: Mapping[str, str],
) -> list[Trial]:
    """One for each scored agent with a draft. `board` is best first.

    `parents`: report → the agent or kernel that it is on; kernel → the agent that verified it.
    """
    scores = {one.evaluation.agent: one.score for one in board}
    good = {one.evaluation.agent: one.score for one in board[: math.ceil(len(board) / 2)]}
    tried = {id: frozenset(kept.get(idea, idea) for idea in draft.ideas) for id, draft in drafts.items()}
    found: list[Trial] = []
    for agent, score in scores.items():
        if agent not in drafts:
            continue
        parent = _origin(drafts[agent].parent, parents)
        fresh = tried[agent] - tried.get(parent, frozenset())
        if parent in good and parent != agent and fresh:
            base = good[parent]
            sd = math.hypot(score.deviation, base.deviation)
            found.append(Trial(agent, score.gain_over(base.value), sd, fresh))
        else:
            level = f"round {drafts[agent].round}"
            found.append(Trial(agent, score.gain_over(0.0), score.deviation, tried[agent], level))
    return found


def estimate_effects(trials: Sequence[Trial], *, prior_sd: float | None = None) -> list[Effect]:
    """Posterior means and standard deviations, those that stand out most first.

    gain = level + Σ effects + ε; effect ~ N(0, τ²); ε ~ N(0, sd² + ω²), where ω is what two agents with the
    same ideas differ by. With `prior_sd`, τ is that and ω is 0. Without it both are averaged over a grid
    around the spread of the gains, weighted by marginal likelihood, so their uncertainty is part of the sd.
    """
    import numpy as np

    names = sorted({idea for trial in trials for idea in trial.ideas})
    if not names:
        return []
    design = np.array([[float(name in trial.ideas) for name in names] for trial in trials])
    levels = sorted({trial.level for trial in trials if trial.level})
    level = np.array([[float(trial.level == one) for one in levels] for trial in trials])
    level = level.reshape(len(trials), len(levels))
    gains = np.array([trial.gain for trial in trials])
    gains = gains - level @ (np.linalg.pinv(level) @ gains) if levels else gains
    noise = np.array([trial.sd for trial in trials]) ** 2
    spread = max(float(np.sqrt(np.mean(gains**2))), float(np.sqrt(noise.mean())), 1e-12)
    taus = [0.1 * spread, 0.3 * spread, spread, 3 * spread] if prior_sd is None else [prior_sd]
    omegas = [0.0, 0.3 * spread, spread] if prior_sd is None else [0.0]
    known = level @ level.T * (_LEVEL_SPREAD * spread) ** 2
    floor = (1e-6 * spread) ** 2
    mean, variance = _averaged(
        [
            _fit(design, gains, known + np.diag(noise + omega**2 + floor), tau)
            for tau, omega in product(taus, omegas)
        ]
    )
    counts = design.sum(axis=0)
    effects = [
        Effect(name, float(mean[n]), math.sqrt(max(float(variance[n]), 0.0)), int(counts[n]))
        for n, name in enumerate(names)
    ]
    return sorted(effects, key=lambda one: (-abs(one.mean) / max(one.sd, 1e-300), one.idea))


def component_claims(reports: Sequence[Report]) -> list[Claim]:
    """The components of solution reports that carry a mark of effectiveness, with its reason."""
    found = []
    for report in reports:
        for section in sections(report.summary):
            marks = scored_lines(section.body)
            if "effectiveness" in marks:
                mark, reason = marks["effectiveness"]
                confidence = marks["confidence"][0] if "confidence" in marks else None
                found.append(Claim(report.subject, section.title.strip(), mark, confidence, reason))
    return found


def weak_claims(
    effects: Sequence[Effect],
    board: Sequence[Standing],
    drafts: Mapping[str, Draft],
    ideas: Sequence[Idea],
    claims: Sequence[Claim],
) -> list[WeakClaim]:
    """Ideas of the leading third whose effect is unclear or whose reports conflict, weakest first."""
    kept = kept_ids(ideas)
    texts = {idea.id: idea.text for idea in ideas}
    scored = [one.evaluation.agent for one in board if one.evaluation.agent in drafts]
    leaders = scored[: math.ceil(len(scored) / 3)]
    found = []
    for effect in effects:
        users = tuple(a for a in leaders if effect.idea in {kept.get(i, i) for i in drafts[a].ideas})
        conflict = _conflict(effect.idea, texts.get(effect.idea, ""), claims)
        if users and (effect.verdict == "unclear" or conflict):
            found.append(WeakClaim(effect.idea, users, effect, conflict))
    return sorted(found, key=lambda one: (not one.conflict, -one.effect.sd, one.idea))


def _conflict(idea: str, text: str, claims: Sequence[Claim]) -> str:
    """A component is about an idea when it names its id, or only uses words of it."""
    about = [
        claim
        for claim in claims
        if idea in f"{claim.component} {claim.reason}"
        or (words(claim.component) and words(claim.component) <= words(text))
    ]
    if not about:
        return ""
    best = max(about, key=lambda claim: claim.effectiveness)
    worst = min(about, key=lambda claim: claim.effectiveness)
    if best.effectiveness - worst.effectiveness < _CONFLICT:
        return ""
    return f"{best.agent} marks it {best.effectiveness:g}, {worst.agent} {worst.effectiveness:g}"


def _fit(design: Array, gains: Array, noise: Array, tau: float) -> tuple[Array, Array, float]:
    """(means, variances, log marginal likelihood) of effects with prior N(0, tau²)."""
    import numpy as np

    factor = np.linalg.cholesky(design @ design.T * tau**2 + noise)
    white = np.linalg.solve(factor, np.column_stack([gains, design]))
    residual, scaled = white[:, 0], white[:, 1:]
    likelihood = -0.5 * float(residual @ residual) - float(np.log(np.diag(factor)).sum())
    return tau**2 * scaled.T @ residual, tau**2 - tau**4 * (scaled**2).sum(axis=0), likelihood


def _averaged(fits: Sequence[tuple[Array, Array, float]]) -> tuple[Array, Array]:
    """Mean and variance of a mixture of fits, each weighted by its marginal likelihood."""
    import numpy as np

    weights = np.exp(np.array([fit[2] for fit in fits]) - max(fit[2] for fit in fits))
    weights /= weights.sum()
    means, variances = np.array([fit[0] for fit in fits]), np.array([fit[1] for fit in fits])
    mean = weights @ means
    return mean, weights @ (variances + means**2) - mean**2


def _origin(parent: str, parents: Mapping[str, str]) -> str:
    """The agent behind a report or a kernel; a report on a kernel leads to whoever verified that kernel."""
    for _ in range(2):
        parent = parents.get(parent, parent)
    return parent.removeprefix("comind/")
