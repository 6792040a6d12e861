"""The coder's report: what the conversation really measured, with the recipe that later rounds read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from comind.llm.formats import tag
from comind.llm.tokens import Messages
from comind.offline.coder import recipe_of
from comind.offline.prompts import quoted, sections, task_message
from comind.offline.recipes.problem import Problem
from comind.offline.shelf import Recipe


@dataclass(frozen=True, slots=True)
class Measured:
    oof: tuple[float, ...]
    feedback: tuple[float, ...]
    failures: tuple[str, ...]
    kept: str
    """What the refinement kept: first, second, average; empty when there was none."""


def report_reply(messages: Messages) -> str:
    opening = next((m["content"] for m in messages if "# Task: implement" in m.get("content", "")), "")
    parts = sections(opening)
    problem = Problem.of(parts)
    recipe = recipe_of(parts.get("Draft", ""), problem)
    evaluations = sections(task_message(messages)[1]).get("Evaluations", "")
    measured = read_measured(messages, evaluations)
    pipeline, summary = _pipeline(recipe, messages), _summary(recipe, problem, measured)
    return f"<pipeline>\n{pipeline}\n</pipeline>\n<summary>\n{summary}\n</summary>"


def read_measured(messages: Messages, evaluations: str) -> Measured:
    """Every number comes from an observation or an evaluation; nothing is estimated."""
    oof: list[float] = []
    feedback: list[float] = []
    failures: list[str] = []
    kept = ""
    for message in messages:
        if message.get("role") != "user":
            continue
        parts = sections(message.get("content", ""))
        output = quoted(parts.get("Observation", ""))
        oof += [float(value) for value in re.findall(r"^OOF \w+: (-?\d+\.\d+)", output, re.M)]
        found = re.search(r"^kept: (\w+)", output, re.M)
        kept = found[1] if found else kept
        feedback += _scores(parts.get("Evaluation", ""))
        status = re.search(r"cell \d+: (error \(\w+\)|died|timeout|stopped)", parts.get("Observation", ""))
        if status:
            failures.append(status[0])
    return Measured(tuple(oof), tuple(feedback or _scores(evaluations)), tuple(failures), kept)


def _scores(text: str) -> list[float]:
    found = re.findall(r"score(?: on feedback rows)?:?\s+(-?\d+(?:\.\d+)?(?:e-?\d+)?)", text)
    return [float(value) for value in found]


def _pipeline(recipe: Recipe, messages: Messages) -> str:
    codes = []
    for message in messages:
        if message.get("role") == "assistant":
            goal, code = tag(message["content"], "goal") or "", tag(message["content"], "code") or ""
            if code.strip() and goal.startswith(("Build the features", "Find blend", "Fall back")):
                codes.append(code.strip())
    shown = f"\n\nFeatures and model:\n```python\n{codes[-1][:6000]}\n```" if codes else ""
    return (
        f"```python\n{recipe.source}\n```\n"
        f"Family `{recipe.family}` on {recipe.modality} data with features"
        f" {', '.join(recipe.features) or 'as they are'}. {recipe.folds} folds on the training part for the"
        f" out-of-fold score, one fit on the whole training part for both prediction files,"
        f" raw predictions of all parts in `oof.csv`.{shown}"
    )


def _summary(recipe: Recipe, problem: Problem, measured: Measured) -> str:
    metric = problem.score_name
    oof = f"out-of-fold {metric} {measured.oof[-1]:g}" if measured.oof else "no out-of-fold score"
    feedback = f"feedback score {measured.feedback[-1]:g}" if measured.feedback else "no valid evaluation"
    works = 6 if measured.feedback else 1
    sure = 7 if measured.oof and measured.feedback else 3
    model = _component(
        f"model: {recipe.family}", 4 if recipe.family != "blend" else 5, works, f"{oof}; {feedback}", sure
    )
    features = _component(
        f"features: {', '.join(recipe.features) or 'as they are'}",
        4,
        works,
        "measured with the model only",
        4,
    )
    weak = [f"{failure} on the way" for failure in measured.failures] or [
        "each feature's own share was not measured"
    ]
    more = _suggestions(recipe, measured)
    return "\n\n".join([model, features, _items("weaknesses", weak), _items("suggestions", more)])


def _component(name: str, novelty: int, effect: int, measured: str, confidence: int) -> str:
    return (
        f"=== {name} ===\n"
        f"novelty: {novelty} - a recipe from a fixed shelf\n"
        f"feasibility: 9 - it ran here with the installed libraries\n"
        f"effectiveness: {effect} - {measured}\n"
        f"efficiency: 7 - it fitted into the agent's time\n"
        f"confidence: {confidence} - {measured}"
    )


def _suggestions(recipe: Recipe, measured: Measured) -> list[str]:
    found = ["Blend its out-of-fold predictions with those of other families."]
    if measured.kept in ("second", "average"):
        found.append(
            f"The varied parameters helped ({measured.kept} was kept): go further in that direction."
        )
    elif measured.kept == "first":
        found.append("The varied parameters did not help: change the features rather than the model.")
    if recipe.family in ("linear", "tfidf_linear"):
        found.append("Add interactions or a family that finds them by itself.")
    return found


def _items(name: str, items: list[str]) -> str:
    return f"{name}:\n" + "\n".join(f"- {item}" for item in items)
