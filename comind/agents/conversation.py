"""A coding agent's talk with its model: opening, turns, observations, kept within the model's window.

The opening never changes and old turns are folded rarely (`comind.agents.folds`), so that servers can cache
the prompt. Whatever is left out is named where it stood: which cell, how much, and where its log is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from comind.agents.folds import FoldedTurns, Folding, TalkTurn
from comind.llm.tokens import TOKENS_A_MESSAGE, estimate_prompt_tokens, estimate_tokens
from comind.roles.briefing import Room, evaluation_text, prompt_tokens
from comind.roles.prompts import Message, Prompts, quote
from comind.state.records import Cell, CellStatus, Evaluation
from kaggle_runner.score import Score
from kaggle_runner.texts import clip

_MOST_TOKENS = 200_000
"""Longer prompts cost double at some providers, and models read them worse."""
_OPENING_SHARE = 0.55
_REPLY_SHARE = 0.7
"""Of the room for turns: a single reply may take no more."""
_LINES_SHARE = 0.15
_LOW_WATER = 0.5
_OLD_OUTPUT_CHARACTERS = 1_500
_KERNEL_CHARACTERS = 6_000
"""Of what a pushed kernel told."""
_LIMITS_TOKENS = 96
"""What is left of the time differs in a resumed run, and must not change where it folds."""
_LEFT_OUT = """
## Earlier cells
These ran before the cells that are shown, oldest first. What they defined is still there unless a new kernel
is noted; print again what you need of their output.
"""


class Conversation:
    """Grows by a reply and an observation a turn."""

    def __init__(self, prompts: Prompts, context_tokens: int, values: Mapping[str, object]) -> None:
        self._prompts = prompts
        self._room = Room.of(context_tokens)
        most = min(prompt_tokens(context_tokens), _MOST_TOKENS)
        self._opening = prompts.opening("coder", "implement", values, most_tokens=int(_OPENING_SHARE * most))
        spare = max(0, most - estimate_prompt_tokens(self._opening))
        room = spare - estimate_tokens(_LEFT_OUT) - 20  # 20: the sentence on the oldest cells
        lines = int(_LINES_SHARE * room)
        self._reply_tokens = int(_REPLY_SHARE * room)
        self._folded = FoldedTurns(room, int(_LOW_WATER * room), lines)
        self._reply: str | None = None
        self._generation = 1

    def replied(self, text: str) -> None:
        """The model's turn, which `observed` completes. Of one that the window has no room for, both ends."""
        too_long = estimate_tokens(text) > self._reply_tokens
        self._reply = _within(text, len(text), self._reply_tokens) if too_long else text

    def observed(
        self, cell: Cell, evaluation: Evaluation | None, best: Score | None, limits: str, *, fault: str = "",
        kernel: str = "",
    ) -> None:  # fmt: skip
        """What the cell printed, its predictions' score or why they do not count, what is left.

        `kernel` is what a kernel that was pushed for the predictions told.
        """
        reply, self._reply = self._reply or "", None
        status = f"cell {cell.step}: {_words(cell.status, cell.error_name)} in {cell.seconds:.1f} s"
        scored = evaluation_text(evaluation, best) if evaluation else ""
        evaluated = scored or (f"not valid: {fault}" if fault else "")
        kernel = quote(kernel, min(_KERNEL_CHARACTERS, self._room.output))
        values = {"status": status, "kernel": kernel, "evaluation": evaluated, "limits": limits}
        reply_tokens = TOKENS_A_MESSAGE + estimate_tokens(reply)
        bare = self._prompts.render("coder", "observation", {**values, "output": "", "limits": ""})
        bare_tokens = TOKENS_A_MESSAGE + estimate_tokens(bare) + max(_LIMITS_TOKENS, estimate_tokens(limits))
        free = self._folded.room - self._folded.lines - reply_tokens - bare_tokens
        output = _within(cell.output, self._room.output, max(free, 0))
        short = _old_output(output, cell, min(_OLD_OUTPUT_CHARACTERS, self._room.output // 2))
        line = f"{self._new_kernel(cell)}{status}{_left_out(cell, evaluation)}"
        self._folded.add(
            TalkTurn(
                reply=reply,
                whole=self._prompts.render("coder", "observation", {**values, "output": output}),
                short=self._prompts.render("coder", "observation", {**values, "output": short}),
                line=line,
                reply_tokens=reply_tokens,
                whole_tokens=bare_tokens + estimate_tokens(output),
                short_tokens=bare_tokens + estimate_tokens(short),
                line_tokens=1 + estimate_tokens(line),
            )
        )

    def asking_for_report(self, evaluations: str) -> list[Message]:
        """The question that ends the talk; `evaluations` is a line for each scored cell."""
        folded = self._folded
        values = {"evaluations": _within(evaluations, self._room.output, folded.room // 4)}
        text = self._prompts.render("coder", "report", values)
        tokens = TOKENS_A_MESSAGE + estimate_tokens(text)
        ended = []
        if self._reply is not None:  # the run's limits came between the turn and its cell
            free = folded.room - folded.lines - tokens - TOKENS_A_MESSAGE
            ended = [{"role": "assistant", "content": _within(self._reply, len(self._reply), free)}]
            tokens += TOKENS_A_MESSAGE + estimate_tokens(ended[0]["content"])
        folding = folded.leaving(tokens)
        if folding.left_out == len(folded.turns) > 0:
            text += _LEFT_OUT + self._lines(folded.turns)
        return [*self._shown(folding), *ended, {"role": "user", "content": text}]

    def fitting(self) -> list[Message]:
        """The messages for the next turn: within the model's window, with the newest turn whole."""
        return self._shown(self._folded.folding)

    def _shown(self, folding: Folding) -> list[Message]:
        messages = list(self._opening)
        for index, turn in enumerate(self._folded.turns):
            if index < folding.left_out:
                continue
            observation = turn.short if index < folding.shortened else turn.whole
            if index == folding.left_out and index > 0:
                observation += _LEFT_OUT + self._lines(self._folded.turns[:index])
            messages.append({"role": "assistant", "content": turn.reply})
            messages.append({"role": "user", "content": observation})
        return messages

    def _lines(self, turns: Sequence[TalkTurn]) -> str:
        """A line for each turn; the oldest are only counted where there are very many."""
        first, tokens = len(turns), 0
        while first > 0 and tokens + turns[first - 1].line_tokens <= self._folded.lines:
            first -= 1
            tokens += turns[first].line_tokens
        counted = [f"{first} cells before them are not listed."] if first else []
        return "\n".join([*counted, *(turn.line for turn in turns[first:])]) + "\n"

    def _new_kernel(self, cell: Cell) -> str:
        changed = cell.kernel_generation != self._generation
        self._generation = cell.kernel_generation
        return "(a new kernel: variables of earlier cells are gone)\n" if changed else ""


def _left_out(cell: Cell, evaluation: Evaluation | None) -> str:
    """The rest of a turn's line: its score, its goal, and what of it is not shown."""
    score = evaluation.score("feedback") if evaluation else None
    result = f", score {score.value:.5g}" if score else ", predictions not valid" if evaluation else ""
    goal = " ".join(cell.goal.split())[:200]
    return (
        f"{result}: {goal} [left out: {len(cell.code)} characters of code, {len(cell.output)} of output"
        f"{_log(cell)}]"
    )


def _old_output(output: str, cell: Cell, characters: int) -> str:
    mark = f"\n[… {{}} characters of this older output are left out{_log(cell)} …]\n"
    return clip(output, characters, front=characters // 2, mark=mark)


def _log(cell: Cell) -> str:
    return f"; log {PurePosixPath(cell.log_path).name}" if cell.log_path else ""


def _within(text: str, characters: int, tokens: int) -> str:
    """`text` quoted, of at most so many characters and estimated tokens (a notice apart)."""
    quoted = quote(text, characters)
    while (estimated := estimate_tokens(quoted)) > tokens and characters > 1:
        characters = max(1, min(characters - 1, int(0.95 * characters * tokens / estimated)))
        quoted = quote(text, characters)
    return quoted


def _words(status: CellStatus, error_name: str) -> str:
    name = error_word(error_name)
    return f"error ({name})" if status == "error" and name else status


def error_word(error_name: str) -> str:
    """Of an error's class, for a prompt: a cell may raise one of any name."""
    return re.sub(r"[^\w.]", "", error_name)[:80]
