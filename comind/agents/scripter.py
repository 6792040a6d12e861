"""Agents whose every cell is a whole Kaggle script, run in a fresh kernel on the joined view.

`ScriptAtWork` runs a script and has its submission graded; `comind.round.verification` runs
community kernels with it. `ScriptAgent` improves a verified kernel one change at a time: each turn is a
question of its own with the best script so far in it, so that it fits a short window and a weak model stands
on code that works. The effect of every change is measured, and told to the next turn.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from comind.agents.conversation import error_word
from comind.agents.executor import LocalExecutor, Predicted
from comind.agents.work import AgentAtWork, Assignment
from comind.agents.workshop import Workbench, Workshop
from comind.analysis.standings import best_of_each_agent, standings
from comind.evaluator.evaluator import most_bytes
from comind.evaluator.view import TEST_FILE, VALIDATION_FILE, build_view, divide
from comind.llm.client import CallKey
from comind.llm.tokens import estimate_tokens
from comind.roles.briefing import limits_text
from comind.roles.coder import SolutionReport
from comind.roles.edits import example_edit
from comind.roles.prompts import fitted, quote
from comind.roles.scripter import Change, meaning, propose_change
from comind.state.records import Agent, Cell, Discussion, Draft, Evaluation, Idea
from kaggle_runner.errors import BadCompetition
from kaggle_runner.files import UnsafeFile, safe_copy
from kaggle_runner.score import Score, better, better_beyond_noise

SUBMISSION = "submission.csv"
AS_IT_IS = "public kernel: "
"""Begins the title of a community kernel's own run, wherever it is shown."""
DIRECTIONS = (
    "a setting of the model",
    "the features: add new ones that are made from those there are",
    "the training rows: add altered copies of them that keep their label",
    "the model: use another kind",
    "the prediction: average the model's with that of a second, different model",
    "how the inputs are scaled, cleaned or encoded",
)
MENDING_TRIES = 2
"""Failures in a row of which the next turn is asked to mend the last; then it is asked for something else."""
_TRIED_SHOWN = 12
_ERROR_CHARACTERS = 900
_HINT_CHARACTERS = 280


async def prepare_view(shop: Workshop) -> None:
    """The joined view of the run's public files, made once. Raises BadCompetition where there can be none."""
    folder = shop.folder
    if not shop.evaluator.profile.has_ready_split:
        raise BadCompetition(
            "public kernels look for the host's own files, and the split has others",
            hint="Set verify_kernels to false, and coding to notebook.",
        )
    await asyncio.to_thread(
        build_view,
        folder.public,
        folder.view,
        folder.view_ids,
        shop.evaluator.profile.id_column,
        shop.evaluator.profile.pixels,
    )


class ViewExecutor(LocalExecutor):
    """On this machine, on the joined view: a script writes one submission, which is divided into both."""

    async def predictions(self, bench: Workbench, cell: Cell, names: tuple[str, str]) -> Predicted:
        if cell.status != "ok":
            return Predicted(None)
        store, divided = bench.shop.store, bench.shop.folder.divided(cell.agent, cell.step)
        if store.get(Evaluation, cell.id) is None:
            if store.count(Cell, "agent = ? AND step > ?", (cell.agent, cell.step)):
                # a resumed run: it left none then, and what lies there now is a later script's
                return Predicted(None)
            try:
                await asyncio.to_thread(_divide, bench, divided)
            except UnsafeFile as error:
                return Predicted(None, error.message)
        return Predicted(divided)


def _divide(bench: Workbench, divided: Path) -> None:
    folder = bench.shop.folder
    divided.mkdir(parents=True, exist_ok=True)
    whole = divided / "whole.csv"
    safe_copy(bench.workspace, SUBMISSION, whole, most_bytes(folder.view / "sample_submission.csv"))
    divide(whole, folder.view_ids, divided, bench.shop.evaluator.profile.id_column)
    whole.unlink()


class ScriptAtWork(AgentAtWork):
    """Runs whole scripts. `prepare_view` comes first."""

    model_watches = False

    def __init__(self, given: Assignment) -> None:
        super().__init__(given, ViewExecutor(given.shop.slug, given.shop.folder.view))

    async def _try(self, step: int, goal: str, script: str) -> tuple[Cell, Evaluation | None]:
        """Run the script in a fresh kernel and have its submission graded; None where it left none."""
        recorded = self._shop.store.get(Cell, f"{self.agent.id}-s{step:02d}")
        if recorded is None or recorded.status == "running":
            session = await self._open()
            if session.generation > 1 or self._cells:
                await session.restart()
            await asyncio.to_thread(_remove, self._bench.workspace / SUBMISSION)
        cell = await self._run_cell(step, goal, script)
        evaluation, predicted = await self._grade(cell, (VALIDATION_FILE, TEST_FILE))
        if predicted.fault:
            self._bench.event("evaluation", f"not valid: {predicted.fault}")
        if predicted.folder is not None:
            await asyncio.to_thread(shutil.rmtree, predicted.folder, ignore_errors=True)
        return cell, evaluation


@dataclass(frozen=True, slots=True)
class Tried:
    """One change and what came of it."""

    goal: str
    cell: Cell
    evaluation: Evaluation | None
    verdict: str


class ScriptAgent(ScriptAtWork):
    """Improves `draft.code`, which scored `start` on the feedback rows (None: it was never run here)."""

    lost_turns = 4

    def __init__(self, given: Assignment, *, start: Score | None, hints: str) -> None:
        super().__init__(given)
        self._script = given.draft.code
        self._score = start
        self._hints = hints
        self._tried: list[Tried] = []
        self._known: set[str] = set()

    async def _work(self) -> str:
        return await self._take_turns(self._think, self._attempt)

    async def _think(self, step: int) -> Change:
        key = CallKey(self.agent.id, step, "change")
        return await propose_change(
            self._shop.desk, key, self._question(step), script=self._script,
            failed=self._broken.cell.code if self._broken else "", tried=self._known,
        )  # fmt: skip

    async def _attempt(self, step: int, change: Change) -> bool:
        """Run the change; keep its script when it is better, and remember what came of it."""
        self._known.add(meaning(change.script))
        cell, evaluation = await self._try(step, change.goal, change.script)
        score = evaluation.score("feedback") if evaluation else None
        verdict = _verdict(score, self._score, cell, evaluation)
        self._tried.append(Tried(change.goal, cell, evaluation, verdict))
        self._remember(step, change.goal, verdict)
        if score is not None and better(score, self._score):
            self._script, self._score = change.script, score
        self._write_notebook()
        return True

    def _remember(self, step: int, goal: str, verdict: str) -> None:
        """Each change joins the run's idea memory, with what it did."""
        number = self.agent.round * 100_000 + self.agent.index * 1000 + step
        idea = Idea(
            id=f"idea-{number}",
            round=self.agent.round,
            text=f"{goal} ({verdict})",
            path=self._draft.title,
            created_at=self._bench.now(),
        )
        self._shop.store.save(idea)

    # --- the question

    def _question(self, step: int) -> dict[str, object]:
        brief, room = self._shop.brief, self._shop.context_tokens
        seconds = max(0.0, self._bench.seconds_left)
        scored = f"score on the feedback rows: {self._score}" if self._score else "it was not scored yet"
        root = f"/kaggle/input/{self._bench.data_name}"
        return {
            "competition": fitted(brief.competition, room // 10),
            "metric": brief.metric,
            "machine": brief.machine,
            "files": f"competition folder: {root}\nworking folder: /kaggle/working",
            "data": quote(self._shop.evaluator.profile.text_in_view, room // 4),
            "heading": f"{self._draft.title}; {scored}",
            "script": quote(self._script, 2 * room),
            "hints": quote(self._hints, room // 8),
            "tried": "\n".join(f"- {one.goal[:160]}: {one.verdict}" for one in self._tried[-_TRIED_SHOWN:])
            or "nothing yet",
            "failed": self._last_failure(),
            "direction": self._direction(step),
            **self._example(step),
            "limits": limits_text(step, self.agent.max_steps, seconds, min(self._shop.cell_seconds, seconds)),
        }

    def _example(self, step: int) -> dict[str, str]:
        goal, edit = example_edit(self._script, step + self.agent.index - 2)
        return {"example_goal": goal, "example_old": edit.old, "example_new": edit.new}

    def _direction(self, step: int) -> str:
        """What kind of change is asked for: left to itself, a weak model proposes one thing for ever."""
        if self._broken:
            return "mend what went wrong in the last try, or make a different change"
        return f"this time, change {DIRECTIONS[(step + self.agent.index - 2) % len(DIRECTIONS)]}"

    @property
    def _broken(self) -> Tried | None:
        """The last try, when it failed and is worth mending: not for ever."""
        failures = 0
        for one in reversed(self._tried):
            if one.cell.status == "ok" and one.evaluation and one.evaluation.success:
                break
            failures += 1
        return self._tried[-1] if 0 < failures <= MENDING_TRIES else None

    def _last_failure(self) -> str:
        """What went wrong last: with the reply, or with the change, its new lines and what it wrote."""
        parts = [f"the last reply could not be used: {self._lost}"] if self._lost else []
        if broken := self._broken:
            ended = f"ended with {broken.cell.status} {broken.cell.error_name}".strip()
            if broken.evaluation is not None:
                ended = f"was not valid: {broken.evaluation.message}"
            new = quote(_new_lines(self._script, broken.cell.code), _ERROR_CHARACTERS)
            told = quote(broken.cell.output[-_ERROR_CHARACTERS:], _ERROR_CHARACTERS)
            parts.append(
                f"`{broken.goal[:160]}` {ended}. It put these lines into the script:\n<<<\n{new}\n>>>\n"
                f"and this is what came of it:\n<<<\n{told}\n>>>"
            )
        return "\n".join(parts)

    # --- the end

    async def _written_report(self, evaluations: str) -> SolutionReport:
        """Made from what was measured: every change is one experiment, so there is nothing to ask."""
        changes = "\n".join(f"- {one.goal}: {one.verdict}" for one in self._tried)
        scored = f"It scores {self._score} on the feedback rows." if self._score else "It was not scored."
        return SolutionReport(
            f"{self._draft.title}. {scored}\n\n```python\n{self._script}\n```",
            f"Changes in order, each measured against the best script before it:\n{changes or '- none'}",
            {},
        )


def _verdict(score: Score | None, best: Score | None, cell: Cell, evaluation: Evaluation | None) -> str:
    """What a change did, in words that the next question and the report show."""
    if score is None:
        if evaluation is not None:
            return f"not valid ({evaluation.code})"
        if cell.status == "ok":
            return f"it wrote no {SUBMISSION}"
        return f"{cell.status} {error_word(cell.error_name)}".strip()
    if best is None:
        return f"{score}, the first score"
    if better_beyond_noise(score, best):
        return f"{score}, better beyond noise than {best.value:.5g}"
    if better(score, best):
        return f"{score}, better than {best.value:.5g}"
    return f"{score}, not better than {best.value:.5g}"


def _new_lines(script: str, changed: str) -> str:
    """The lines of `changed` that `script` does not have."""
    present = set(script.splitlines())
    return "\n".join(line for line in changed.splitlines() if line not in present)


def script_drafts(shop: Workshop, round: int, count: int) -> list[Draft]:
    """One draft a coder, each from another verified script: the best of every line of descent, best first."""
    store = shop.store
    recorded = store.all(Draft, "round = ?", (round,), order="id")
    if recorded:
        return recorded
    scripts = {agent.id: agent for agent in store.all(Agent, "style = 'script'")}
    parents = {draft.id: draft.parent for draft in store.all(Draft)}
    bases: dict[str, tuple[Agent, str]] = {}
    for one in best_of_each_agent(standings(store.all(Evaluation), "feedback")):
        agent, cell = scripts.get(one.evaluation.agent), store.get(Cell, one.evaluation.id)
        if agent and cell and fits(cell.code, shop.context_tokens):
            bases.setdefault(_root(agent.id, parents), (agent, cell.code))
    chosen = list(bases.values()) or [(Agent(id="", round=0, index=0, title="a first script"), "")]
    drafts = [
        Draft(
            id=f"r{round}-a{place + 1}",
            round=round,
            title=_improving(chosen[place % len(chosen)][0].title),
            description="Change one thing at a time and keep what scores better.",
            code=chosen[place % len(chosen)][1],
            parent=chosen[place % len(chosen)][0].id,
        )
        for place in range(count)
    ]
    store.save(*drafts)
    for draft in drafts:
        store.event("draft", draft.title, agent=draft.id, round=round)
    return drafts


def _root(agent: str, parents: Mapping[str, str]) -> str:
    """The community kernel that a line of scripts began with."""
    seen = {agent}
    while (parent := parents.get(agent, "")) and parent not in seen:
        agent = parent
        seen.add(agent)
    return agent


def _improving(title: str) -> str:
    return title if title.startswith("Improve: ") else f"Improve: {title.removeprefix(AS_IT_IS)}"


def fits(script: str, context_tokens: int) -> bool:
    """Whether a model with this window can read the script beside the rest of the question."""
    return estimate_tokens(script) < 0.4 * context_tokens


def hints_from(discussions: Sequence[Discussion], titles: Sequence[str], characters: int) -> str:
    """What the community says, with no model's help: how discussions begin, then other kernels' titles."""
    lines = [f"- {one.title}: {' '.join(one.body.split())}"[:_HINT_CHARACTERS] for one in discussions]
    lines += [f"- a public kernel: {title}" for title in titles]
    text = ""
    for line in lines:
        if len(text) + len(line) > characters:
            break
        text += line + "\n"
    return text.strip()


def _remove(path: Path) -> None:
    """What an earlier script left there, whatever it is: only this script's submission may count."""
    path.parent.chmod(0o755)  # it may have taken its own folder's permissions away
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
