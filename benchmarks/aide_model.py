"""AIDE's prompts answered from the shelf that answers CoMind's: whole scripts, improvements, fixes,
reviews.

The prompts are those of aideml 0.2 (`aide/agent.py`): one system message of Markdown, the good nodes so far
under "Memory". Which recipe comes next is `comind.offline.drafts.choose`, asked for one draft at a time. It
knows the community's reports although AIDE hands over none, so that it starts from the same order as
CoMind's coordinator. A script is the cells of the same recipe in one file. Nothing here waits or serves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from comind.offline.drafts import DraftSituation, choose, read_situation
from comind.offline.prompts import Files, Resource, read_data, read_metric, read_packages, sections
from comind.offline.recipes.fallback import simple_cell
from comind.offline.recipes.notebook import cells, scaled
from comind.offline.recipes.problem import Problem
from comind.offline.shelf import Recipe, find_recipe
from comind.offline.variants import variants_for

REVIEW: Final = "submit_review"
_MEMBERS = "./working/members"
"""Where scripts keep out-of-fold predictions for a later blend; AIDE's working folder outlives its steps."""

_HEADINGS = (
    "Task description",
    "Memory",
    "Instructions",
    "Previous (buggy) implementation",
    "Implementation",
)
_NODE = re.compile(
    r"^Design: (?P<title>[^\n:]+):.*?^Validation Metric: (?P<metric>\S+)$", re.MULTILINE | re.DOTALL
)
_SCORED = re.compile(r"^OOF \w+: (-?[\d.]+(?:e-?\d+)?)", re.MULTILINE)
_PRINTED = re.compile(r"(?:accuracy|auc|rmsle|score|cv|pearson)\D{0,40}?(-?\d+\.\d+)", re.IGNORECASE)
_FAILED = re.compile(r"^\w*(?:Error|Exception|Interrupt)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PublicKernel:
    """A kernel of the community, for the arm in which AIDE is shown them."""

    title: str
    source: str


@dataclass(frozen=True, slots=True)
class Node:
    """One good node of AIDE's journal, as its Memory tells it."""

    title: str
    metric: float


@dataclass(frozen=True, slots=True)
class AideModel:
    """Replies to AIDE. `reports` is the community as CoMind's analyzer wrote it down.

    `seconds` is what one script may take. With `kernels` (best first) the first drafts are those kernels.
    """

    slug: str
    reports: str
    seconds: float
    kernels: Sequence[PublicKernel] = field(default=())

    def write(self, prompt: str) -> tuple[str, str]:
        """(kind, reply) to a request for a plan with code: `draft`, `improve` or `debug`."""
        parts = split_prompt(prompt)
        task = sections(parts["Task description"])
        problem = self._problem(task)
        if "Previous (buggy) implementation" in parts:
            recipe = find_recipe(parts["Previous (buggy) implementation"])
            plain = recipe or variants_for(problem.data.modality, problem.data.train_rows, frozenset())[
                0
            ].recipe(problem.data.modality)
            return "debug", _reply("Simple model in place of what failed", simple_cell(problem, plain).code)
        nodes = read_memory(parts.get("Memory", ""))
        if "## Code" in prompt.partition("# Previous solution")[2]:
            return "improve", self._improvement(task, problem, nodes)
        return "draft", self._draft(task, problem, nodes)

    def review(self, prompt: str) -> dict[str, Any]:
        """Arguments of `submit_review`: the out-of-fold score that the script printed, or a bug."""
        output = prompt.rpartition("# Execution output")[2]
        metric = read_metric(split_prompt(prompt)["Task description"])
        scores = _SCORED.findall(output) or _PRINTED.findall(output)
        bug = bool(_FAILED.search(output)) or not scores
        summary = "The run failed; use a simpler model." if bug else f"It ran and scored {scores[-1]}."
        return {
            "is_bug": bug,
            "summary": summary,
            "metric": None if bug else float(scores[-1]),
            "lower_is_better": not metric.higher_is_better,
        }

    def _draft(self, task: Mapping[str, str], problem: Problem, nodes: Sequence[Node]) -> str:
        """A design that is not in the Memory yet."""
        tried = {node.title for node in nodes}
        for kernel in self.kernels:
            if kernel.title not in tried:
                return _reply(kernel.title, adapted(kernel.source, self.slug))
        situation = self._situation(task, ())
        fresh = [variant for variant in situation.shelf if variant.title not in tried]
        chosen = choose(replace(situation, shelf=fresh or situation.shelf))[0]
        return self._script(problem, chosen.variant.title, chosen.recipe, chosen.variant.idea)

    def _improvement(self, task: Mapping[str, str], problem: Problem, nodes: Sequence[Node]) -> str:
        chosen = choose(self._situation(task, nodes))[0]
        if chosen.resources:
            published = tuple(Resource(name, ("oof.csv",)) for name in chosen.resources)
            problem = replace(problem, files=replace(problem.files, resources=published))
        return self._script(problem, chosen.variant.title, chosen.recipe, chosen.variant.idea)

    def _script(self, problem: Problem, title: str, recipe: Recipe, idea: str) -> str:
        recipe = scaled(recipe, self.seconds, problem.data.train_rows)
        steps = [cell for cell in cells(problem, recipe) if cell.step != "refine"]
        return _reply(title, "\n\n".join(cell.code for cell in steps), idea)

    def _situation(self, parts: Mapping[str, str], nodes: Sequence[Node]) -> DraftSituation:
        """What the policy reads, had CoMind's coordinator asked for one draft with these results."""
        higher = read_metric(parts.get("Metric", "")).higher_is_better
        ranked = sorted(nodes, key=lambda node: node.metric, reverse=higher)
        # each good node stands on the board as one agent
        board = [f'{n}. r1-a{n} "{node.title}" {node.metric:.6g}' for n, node in enumerate(ranked, start=1)]
        members = [
            f"- {_MEMBERS}/{slug_of(node.title)} (by r1-a{n}): oof.csv"
            for n, node in enumerate(ranked, start=1)
        ]
        # a blend is worth repeating with four more members, as after a round of four coders
        round = 1 + len(nodes) // 4
        return read_situation(
            {
                **parts,
                "Time": f"seconds for one agent: {self.seconds:.0f}\nround: {round}",
                "Leaderboard of this run": "\n".join(board),
                "Reports": self.reports,
                "Datasets": "\n".join(members),
                "Number of drafts": "1",
            }
        )

    def _problem(self, parts: Mapping[str, str]) -> Problem:
        return Problem(
            metric=read_metric(parts.get("Metric", "")),
            data=read_data(parts.get("Data", "")),
            files=Files(
                competition="./input",
                train="./input/train.csv",
                validation="./input/validation.csv",
                sample_validation="./input/sample_validation_submission.csv",
                test="./input/test.csv",
                sample="./input/sample_submission.csv",
            ),
            packages=read_packages(parts.get("Machine", "")),
            seconds=self.seconds,
        )


def split_prompt(prompt: str) -> dict[str, str]:
    """AIDE's own sections by heading. The task's text has headings too, so only AIDE's names count."""
    names = "|".join(map(re.escape, _HEADINGS))
    heads = list(re.finditer(rf"^# ({names})\n", prompt, re.MULTILINE))
    ends = [*(head.start() for head in heads[1:]), len(prompt)]
    return {head[1]: prompt[head.end() : end].strip() for head, end in zip(heads, ends, strict=False)}


def read_memory(text: str) -> list[Node]:
    """The good nodes, oldest first."""
    return [Node(found["title"].strip(), float(found["metric"])) for found in _NODE.finditer(text)]


def slug_of(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def adapted(source: str, slug: str) -> str:
    """A kernel's source where AIDE runs it: Kaggle's folders become AIDE's."""
    moved = source.replace(f"/kaggle/input/{slug}", "./input")
    return re.sub(r"""(["'])submission\.csv\1""", '"./working/submission.csv"', moved)


def _reply(title: str, code: str, idea: str = "") -> str:
    """Plan and code in AIDE's format; the script's files go where AIDE and later blends look for them."""
    member = f"{_MEMBERS}/{slug_of(title)}"
    code = code.replace("'submission.csv'", "'./working/submission.csv'")
    for name in ("validation_submission.csv", "submission_2.csv", "meta.json"):
        code = re.sub(rf"""(["']){re.escape(name)}\1""", f"'./working/{name}'", code)
    code = code.replace('.to_csv("oof.csv"', f'.to_csv("{member}/oof.csv"')
    made = f'from pathlib import Path\n\nPath("{member}").mkdir(parents=True, exist_ok=True)\n'
    plan = f"{title.replace(':', ',')}: {idea or 'as it was published, in the folders of this machine.'}"
    return f"{plan}\n\n```python\n{made}\n{code}\n```"
