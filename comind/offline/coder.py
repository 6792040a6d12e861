"""The coder's turns: which cell comes next, given the conversation so far. It writes no model code itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from comind.llm.formats import tag
from comind.llm.tokens import Messages
from comind.offline.prompts import number_after, sections
from comind.offline.recipes.fallback import constant_cell, simple_cell
from comind.offline.recipes.notebook import cells, scaled, simpler
from comind.offline.recipes.problem import Problem, RecipeCell
from comind.offline.shelf import Recipe, find_recipe
from comind.offline.variants import variants_for

_SIMPLER = " (simpler variant)"
_HURRY = " (no time to validate)"
_LEAST_SECONDS = 8.0
"""Below this nothing new is started: a cell that is cut off leaves nothing."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What the last turn led to."""

    goal: str
    """Of the cell that ran; it carries the step and the variant."""
    ok: bool
    died: bool
    valid: bool | None
    """Whether the evaluation took the files; None when nothing was evaluated."""
    seconds: float
    seconds_left: float
    steps_left: int


def next_turn(messages: Messages) -> str:
    """The coder's reply to a conversation that opened with `# Task: implement`."""
    opening = next((m["content"] for m in messages if "# Task: implement" in m.get("content", "")), "")
    parts = sections(opening)
    limits = parts.get("Limits", "")
    problem = Problem.of(parts)
    seconds = number_after("seconds left for this agent:", limits, 120.0)
    recipe = scaled(recipe_of(parts.get("Draft", ""), problem), seconds, problem.data.train_rows)
    seen = last_observation(messages)
    if seen is not None:
        return turn(following(problem, recipe, seen))
    return turn(cells(problem, recipe)[0] if seconds >= 20 else simple_cell(problem, recipe))


def turn(cell: RecipeCell | None) -> str:
    """A turn in the reply format; None finishes."""
    goal, code, pair = ("Finished.", "", None) if cell is None else (cell.goal, cell.code, cell.writes)
    validation, test = pair or ("None", "None")
    return (
        f"<goal>{goal}</goal>\n<code>\n{code}\n</code>\n"
        f"<validation_submission>{validation}</validation_submission>\n<submission>{test}</submission>"
    )


def recipe_of(draft: str, problem: Problem) -> Recipe:
    """The draft's own RECIPE; for a draft in somebody else's words, the variant that its words name most."""
    recipe = find_recipe(draft)
    if recipe is not None:
        return recipe
    modality = problem.data.modality
    variants = variants_for(modality, problem.data.train_rows, problem.packages)

    def mentions(index: int) -> tuple[int, int]:
        words = variants[index].words
        return (len(re.findall(words, draft)) if words else 0, -index)

    return variants[max(range(len(variants)), key=mentions)].recipe(modality)


def following(problem: Problem, recipe: Recipe, seen: Observation) -> RecipeCell | None:
    """The next cell, or None when there is nothing more to gain."""
    step = _step(seen.goal)
    if seen.steps_left < 1 or seen.seconds_left < _LEAST_SECONDS:
        return None
    if not seen.ok or seen.valid is False:
        return _after_failure(problem, recipe, seen, step)
    if step in ("simple", "constant", "refine"):
        return None
    if step in ("load", "features") and seen.seconds_left < 20:
        # too late for the plan: leave something that is surely valid
        return simple_cell(problem, recipe)
    lean = _SIMPLER in seen.goal
    hurry = step == "features" and seen.seconds_left < 30
    plan = _plan(problem, simpler(recipe) if lean else recipe, hurry)
    names = [cell.step for cell in plan]
    place = names.index(step) + 1 if step in names else len(plan)
    if place >= len(plan):
        return None
    cell = plan[place]
    # a refinement repeats cross-validation and fit
    if cell.step == "refine" and (seen.seconds_left < 25 + 6 * seen.seconds or lean or _HURRY in seen.goal):
        return None
    suffix = (_SIMPLER if lean else "") + (_HURRY if hurry else "")
    return cell._replace(goal=cell.goal + suffix)


def last_observation(messages: Messages) -> Observation | None:
    """The last observation with the goal of the turn that it answers; None before the first."""
    goal, found = "", None
    for message in messages:
        text = message.get("content", "")
        if message.get("role") == "assistant":
            goal = tag(text, "goal") or ""
        elif text.lstrip().startswith("## Observation"):
            found = _observed(goal, text)
        elif text.lstrip().startswith("## Fault") and goal:
            # the reply could not be used: what it tried is taken as failed
            left = found.seconds_left if found else 60.0
            found = Observation(goal, False, False, None, 0.0, left, found.steps_left if found else 10)
    return found


def _observed(goal: str, text: str) -> Observation:
    parts = sections(text)
    head = parts.get("Observation", "").partition("<<<")[0].strip()
    limits = parts.get("Limits", "")
    steps = re.search(r"step (\d+) of (\d+)", limits)
    evaluation = parts.get("Evaluation", "")
    seconds = re.search(r"in (\d+(?:\.\d+)?) s", head)
    return Observation(
        goal=goal,
        ok=bool(re.search(r":\s*ok\b", head)),
        died="died" in head,
        valid=None if not evaluation else not evaluation.lstrip().startswith("not valid"),
        seconds=float(seconds[1]) if seconds else 0.0,
        seconds_left=number_after("seconds left for this agent:", limits, 60.0),
        steps_left=int(steps[2]) - int(steps[1]) + 1 if steps else 10,
    )


def _after_failure(problem: Problem, recipe: Recipe, seen: Observation, step: str) -> RecipeCell | None:
    if step == "refine" or step == "constant":
        return None  # the first pair stands, or nothing can help
    if step == "simple":
        return constant_cell(problem)
    lean = _SIMPLER in seen.goal
    if lean or seen.died or step == "load" or recipe.family == "blend" or seen.seconds_left < 30:
        return simple_cell(problem, recipe)
    plan = _plan(problem, simpler(recipe), False)
    cell = next(cell for cell in plan if cell.step == "features")
    return cell._replace(goal=cell.goal + _SIMPLER, code=f"{simpler(recipe).source}\n\n{cell.code}")


def _plan(problem: Problem, recipe: Recipe, hurry: bool) -> Sequence[RecipeCell]:
    plan = cells(problem, recipe, validated=not hurry)
    return [cell for cell in plan if cell.step != "validate"] if hurry else plan


_STEPS = (
    ("load", "Load the tables"),
    ("features", "Build the features"),
    ("features", "Read the published"),
    ("validate", "Cross-validate"),
    ("validate", "Find blend weights"),
    ("predict", "Fit on the whole"),
    ("predict", "Write the weighted"),
    ("predict", "Average the published"),
    ("refine", "Try one variation"),
    ("simple", "Fall back"),
    ("constant", "Leave predictions"),
)


def _step(goal: str) -> str:
    return next((step for step, words in _STEPS if goal.startswith(words)), "")
