"""The coordinator's drafts: which variants of the shelf come next, given what was measured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from comind.offline import evidence
from comind.offline.ideas import listed, overlap
from comind.offline.prompts import (
    Data,
    Resource,
    StatedMetric,
    number_after,
    read_data,
    read_metric,
    read_packages,
    read_resources,
    sections,
)
from comind.offline.shelf import Recipe, Variant, find_recipe
from comind.offline.variants import BLEND, variants_for

_MEMBERS = 8
"""A blend of more members gains little and costs reading."""
_SAME = 0.6
"""Share of common words from which a listed idea is a variant's own."""


@dataclass(frozen=True, slots=True)
class DraftSituation:
    """What the coordinator's prompt says, read."""

    metric: StatedMetric
    data: Data
    shelf: Sequence[Variant]
    board: Sequence[evidence.VariantStanding]
    told: Sequence[evidence.Told]
    resources: Sequence[Resource]
    ideas: Sequence[tuple[str, str]]
    retest: evidence.Retest | None
    complementary: Sequence[str]
    """Agents whose predictions are worth blending, by the lineage."""
    round: int
    seconds: float
    count: int


@dataclass(frozen=True, slots=True)
class Proposal:
    variant: Variant
    recipe: Recipe
    reason: str
    resources: tuple[str, ...] = ()
    retest: str = ""
    """Id of the idea whose claim it tests again."""
    starts_from: str = ""
    """A report's id; empty follows from the variant."""


def drafts_reply(message: str) -> str:
    situation = read_situation(sections(message))
    proposals = choose(situation)
    baseline = _baseline_place(proposals)
    blocks = [_draft(p, situation, place == baseline) for place, p in enumerate(proposals)]
    return "\n===SEPARATOR===\n".join(blocks)


def read_situation(parts: Mapping[str, str]) -> DraftSituation:
    data = read_data(parts.get("Data", ""))
    time = parts.get("Time", "")
    seconds = number_after("seconds for one agent:", time, 120.0)
    fitting = variants_for(data.modality, data.train_rows, read_packages(parts.get("Machine", "")))
    board = evidence.standings(parts.get("Leaderboard of this run", ""))
    return DraftSituation(
        metric=read_metric(parts.get("Metric", "")),
        data=data,
        shelf=[variant for variant in fitting if seconds >= variant.least_seconds],
        board=board,
        told=evidence.reports(parts.get("Reports", "")),
        resources=_blendable(
            read_resources(parts.get("Datasets", "")), board, read_metric(parts.get("Metric", ""))
        ),
        ideas=listed(parts.get("Ideas", "")),
        retest=evidence.retest(parts.get("Evidence", "")),
        complementary=_complementary(parts.get("Lineage", "")),
        round=int(number_after("round:", re.sub(r"rounds left:.*", "", time), 1)),
        seconds=seconds,
        count=max(1, int(number_after("", parts.get("Number of drafts", "1"), 1))),
    )


def choose(situation: DraftSituation) -> list[Proposal]:
    """Exactly `count` proposals with distinct titles, the most promising first."""
    measured = {one.title for one in situation.board}
    # an agent that failed is not on the leaderboard, but its report is there
    tried = measured | _reported(situation)
    candidates = _later_round(situation, tried) if tried else _first_round(situation)
    chosen: list[Proposal] = []
    for proposal in candidates:
        if proposal.variant.title not in {one.variant.title for one in chosen} | tried:
            chosen.append(proposal)
        if len(chosen) == situation.count:
            break
    chosen += _other_seeds(situation, chosen, tried, situation.count - len(chosen))
    again = _retest(situation)
    return [*chosen[:-1], again] if again and len(chosen) > 1 else chosen


def _retest(situation: DraftSituation) -> Proposal | None:
    """The leader that relies on the claim, once more with another seed: one more trial of the same ideas."""
    claim = situation.retest
    if claim is None:
        return None
    for agent in claim.agents:
        title = next((one.title for one in situation.board if one.agent == agent), "")
        title = re.sub(r", (?:seed \d+|round \d+ re-test)$", "", title)
        variant = next((v for v in situation.shelf if v.title == title), None)
        if variant is not None:
            again = replace(variant, title=f"{title}, round {situation.round} re-test")
            recipe = replace(variant.recipe(situation.data.modality), seed=100 + situation.round)
            reason = f"the claim of {claim.idea} is weak ({claim.why}), and {agent} relies on it"
            report = evidence.report_of(agent, situation.told)
            return Proposal(again, recipe, reason, retest=claim.idea, starts_from=report)
    return None


def _complementary(lineage: str) -> list[str]:
    found = re.search(r"^complementary members: (.*)$", lineage, re.M)
    return re.findall(r"(\S+) \(", found[1]) if found else []


def _reported(situation: DraftSituation) -> set[str]:
    """Titles of the variants whose recipe stands in a solution's report."""
    built = [find_recipe(one.body) for one in situation.told if "solution by" in one.about]
    plans = [
        (recipe.family, recipe.features, recipe.params) for recipe in built if recipe and not recipe.seed
    ]
    return {v.title for v in situation.shelf if (v.family, v.features, v.params) in plans}


def _first_round(situation: DraftSituation) -> list[Proposal]:
    """The baseline, then the families that the best public kernels used, then the others."""
    first = [variant for variant in situation.shelf if not variant.after]
    higher = situation.metric.higher_is_better
    ranked = sorted(first[1:], key=lambda v: -evidence.support(v, situation.told, higher))
    order = ranked if situation.count == 1 else [first[0], *ranked]
    return [
        *(
            _proposal(v, situation, "nothing was measured yet, and each family errs differently")
            for v in order
        ),
        *(_proposal(v, situation, f"it extends {v.after!r}") for v in situation.shelf if v.after),
    ]


def _later_round(situation: DraftSituation, tried: set[str]) -> list[Proposal]:
    """A blend, improvements of what scored best, then families that are new."""
    place = {one.title: number for number, one in enumerate(situation.board)}
    improving = sorted(
        (v for v in situation.shelf if v.after in tried), key=lambda v: place.get(v.after, len(place))
    )
    higher = situation.metric.higher_is_better
    fresh = sorted(
        (v for v in situation.shelf if not v.after and v.title not in tried),
        key=lambda v: -evidence.support(v, situation.told, higher),
    )
    better = [_proposal(v, situation, _why_better(v, situation)) for v in improving if v.title not in tried]
    new = [_proposal(v, situation, "this family was not measured yet") for v in fresh]
    blend = [_blend(situation)] if len(situation.resources) >= 2 else []
    rest = [_proposal(v, situation, "nothing nearer is left") for v in situation.shelf]
    # one new family after two improvements: exploring costs one agent in four
    return [*blend, *better[:2], *new[:1], *better[2:], *new[1:], *rest]


def _proposal(variant: Variant, situation: DraftSituation, reason: str) -> Proposal:
    return Proposal(variant, variant.recipe(situation.data.modality), reason)


def _why_better(variant: Variant, situation: DraftSituation) -> str:
    parent = next((one for one in situation.board if one.title == variant.after), None)
    if parent is None:
        return f"it extends {variant.after!r}, which an earlier agent built"
    return f"{variant.after!r} ({parent.agent}) scored {parent.score:g}, and this extends it"


def _blend(situation: DraftSituation) -> Proposal:
    # where there are too many, those that complement each other go first
    order = list(situation.resources)
    if len(order) > _MEMBERS:
        order.sort(key=lambda one: one.name not in situation.complementary)
    members = order[:_MEMBERS]
    variant = Variant(
        f"{BLEND}, round {situation.round}",
        "blend",
        "Average the earlier agents' predictions with weights that maximise the score of the average on their"
        " out-of-fold rows, by greedy selection with replacement.",
        ("oof",),
    )
    recipe = Recipe(situation.data.modality, "blend", ("oof",), {"members": len(members)})
    reason = f"{len(members)} published solutions err differently, so their average should beat each"
    return Proposal(variant, recipe, reason, tuple(one.name for one in members))


def _blendable(
    resources: Sequence[Resource], board: Sequence[evidence.VariantStanding], metric: StatedMetric
) -> list[Resource]:
    """Datasets that hold predictions, those with out-of-fold rows and the better scores first."""
    usable = [one for one in resources if {"oof.csv", "validation_submission.csv"} & set(one.files)]
    with_oof = [one for one in usable if "oof.csv" in one.files]
    place = {one.agent: number for number, one in enumerate(board)}

    def order(one: Resource) -> tuple[float, float]:
        agent = next(
            (p for name, p in place.items() if re.search(rf"\b{re.escape(name)}\b", one.about)), 10**6
        )
        score = one.score if one.score is not None else 0.0
        return (agent, -score if metric.higher_is_better else score)

    return sorted(with_oof if len(with_oof) >= 2 else usable, key=order)


def _other_seeds(
    situation: DraftSituation, chosen: Sequence[Proposal], tried: set[str], missing: int
) -> list[Proposal]:
    """The best measured variants again with other seeds: they differ enough to be worth averaging."""
    ranked = [v for one in situation.board for v in situation.shelf if v.title == one.title] or list(
        situation.shelf
    )
    taken = {one.variant.title for one in chosen} | tried
    found: list[Proposal] = []
    seed = situation.round
    while len(found) < missing:
        for variant in ranked:
            title = f"{variant.title}, seed {seed}"
            if title not in taken and len(found) < missing:
                recipe = replace(variant.recipe(situation.data.modality), seed=seed)
                found.append(
                    Proposal(replace(variant, title=title), recipe, "another seed is one more member")
                )
        seed += 1
    return found


def _baseline_place(proposals: Sequence[Proposal]) -> int:
    """The first draft that is no improvement and no blend is the well-known one; else the last."""
    plain = [n for n, p in enumerate(proposals) if not p.variant.after and p.recipe.family != "blend"]
    return plain[0] if plain else len(proposals) - 1


def _ideas(proposal: Proposal, situation: DraftSituation) -> list[str]:
    """Ids of the listed ideas that say what the variant does."""
    named = [id for id, text in situation.ideas if id and overlap(text, proposal.variant.idea) > _SAME]
    return list(dict.fromkeys([proposal.retest, *named] if proposal.retest else named))


def _draft(proposal: Proposal, situation: DraftSituation, baseline: bool) -> str:
    variant, recipe = proposal.variant, proposal.recipe
    higher = situation.metric.higher_is_better
    start = proposal.starts_from or evidence.origin(variant, situation.told, situation.board, higher)
    if recipe.family == "blend":
        steps = (
            "Read `oof.csv` of each resource, find the weights on its `train` rows, apply them to the others."
        )
    else:
        steps = (
            f"Features: {', '.join(recipe.features) or 'as they are'}. Training: {recipe.folds} folds on the"
            f" training part with {situation.metric.name or 'the metric'} printed for each, then one fit"
            " on all of it."
        )
    return (
        f"title: {variant.title}\n"
        f"baseline: {'yes' if baseline else 'no'}\n"
        f"starts_from: {start}\n"
        f"resources: {', '.join(proposal.resources) or 'none'}\n"
        f"ideas: {', '.join(_ideas(proposal, situation)) or 'none'}\n"
        f"needs: {int(0.9 * situation.seconds)} s\n"
        f"retest: {'yes' if proposal.retest else 'no'}\n\n"
        f"{variant.idea} Chosen because {proposal.reason}.\n\n"
        f"{steps} Write the predictions of validation and test in the format of their samples, and `oof.csv`"
        " with out-of-fold, validation and test predictions for later blends. "
        f"An agent has about {situation.seconds:.0f} seconds: shrink folds and iterations to fit.\n\n"
        f"```python\n{recipe.source}\n```"
    )
