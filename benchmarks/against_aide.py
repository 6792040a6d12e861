"""Seconds to a given score: CoMind with four coders against the real `aideml`, same endpoint and budget.

    python -m benchmarks.against_aide [COMPETITION …] [--minutes 6] [--state DIR] [--venv DIR]

Both ask one loopback endpoint, which knows one shelf of recipes and writes at the pace of a hosted model.
AIDE reads the public split of CoMind's own run and the same account of task, metric and data. All
submissions are graded afterwards on the same public test rows. The targets are public scores of the
community's kernels by place, the same places for every competition: fifth best (easy), third best (medium),
best (hard).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.aide_model import AideModel, PublicKernel
from benchmarks.aide_process import install, run_aide
from benchmarks.slow_endpoint import Call, Latency, SlowEndpoint, serving
from comind.clock import parse_stamp
from comind.offline.reading import number_after, sections
from comind.offline.transport import OFFLINE_MODEL
from comind.records import Cell, Evaluation, Kernel, LlmCall, Run
from comind.runs import RunFolder, list_runs
from comind.store import Reader
from comind.upstream import mle_live_root
from kaggle_runner.errors import ComindError
from mle_live.competition import Competition, load_competition
from mle_live.grading import InvalidSubmission, grade_file
from mle_live.shelf import prepare

PLACES = {"easy": 5, "medium": 3, "hard": 1}
"""Which public kernel's score is the target."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A graded submission. `seconds` count from the start of the tool's process."""

    seconds: float
    public: float
    private: float
    what: str


@dataclass(slots=True)
class Side:
    """One tool on one competition."""

    name: str
    scored: list[Scored] = field(default_factory=list)
    steps: int = 0
    failures: int = 0
    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def count(self, calls: Iterable[Call]) -> None:
        made = list(calls)
        self.calls = len(made)
        self.tokens = sum(call.prompt_tokens + call.completion_tokens for call in made)

    def first(self, target: float, higher: bool) -> Scored | None:
        """The first submission at least as good as `target`."""
        sign = 1 if higher else -1
        hits = [one for one in self.scored if sign * one.public >= sign * target]
        return min(hits, key=lambda one: one.seconds, default=None)

    def best_by(self, seconds: float, higher: bool) -> float | None:
        """The best public score of what was submitted within so many seconds."""
        early = [one.public for one in self.scored if one.seconds <= seconds]
        return (max if higher else min)(early, default=None)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    state = options.state.resolve()
    try:
        aide = install((options.venv or state / "aide-venv").resolve())
        results = []
        for slug in options.competitions:
            prepare(slug, mle_live_root(state), progress=_tell)
            results.append(compare(slug, aide, state, options))
    except ComindError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if options.out:
        options.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return 0


def compare(slug: str, aide: Path, state: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Ours, then AIDE, then AIDE shown the community's kernels where that was asked for."""
    competition = load_competition(mle_live_root(state), slug)
    seconds = 60.0 * options.minutes
    load = os.getloadavg()[0]
    with serving(Latency(options.first_token, options.token)) as endpoint:
        if options.reuse:
            folder = RunFolder(options.reuse.resolve())
            ours = run_as_recorded(folder, competition)
        else:
            folder, ours = run_comind(slug, endpoint, state, competition, seconds, options)
        sides = [ours]
        for arm in ("AIDE", "AIDE, shown the kernels")[: 1 + options.kernels]:
            model = aide_model(folder, slug, with_kernels=arm != "AIDE")
            sides.append(run_aide_side(arm, aide, endpoint, model, folder, competition, state, seconds))
    targets = target_scores(folder, competition.higher_is_better)
    load = max(load, os.getloadavg()[0])
    print(told(slug, competition, targets, sides, load), flush=True)
    return {
        "competition": slug, "minutes": options.minutes, "latency": [options.first_token, options.token],
        "load": load, "targets": targets, "sides": [asdict(side) for side in sides], "run": folder.id,
    }  # fmt: skip


# --- the two tools


def run_comind(
    slug: str,
    endpoint: SlowEndpoint,
    state: Path,
    competition: Competition,
    seconds: float,
    options: argparse.Namespace,
) -> tuple[RunFolder, Side]:
    side = Side("CoMind")
    mark, started, clock = len(endpoint.calls), time.time(), time.monotonic()
    _tell(f"CoMind on {slug}")
    done = subprocess.run(
        [sys.executable, "-m", "comind_tui", "run", slug, "--model", OFFLINE_MODEL,
         "--base-url", endpoint.url("comind"), "--coders", "4", "--rounds", str(options.rounds),
         "--time-limit", f"{seconds:.0f}s", "--headless", "--json", "--state", str(state)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    side.seconds = time.monotonic() - clock
    if done.returncode:
        _tell(done.stdout.decode(errors="replace")[-2000:])
    side.count(endpoint.calls[mark:])
    folder = list_runs(state)[0]
    _count_run(side, folder, competition, started)
    return folder, side


def run_as_recorded(folder: RunFolder, competition: Competition) -> Side:
    """A run that was made before. Its record starts about a second after its process did."""
    reader = Reader(folder.database)
    run, side = reader.all(Run)[0], Side("CoMind")
    side.seconds = run.seconds_used
    side.count(
        Call("comind", call.kind, call.prompt_tokens, call.completion_tokens, call.seconds)
        for call in reader.all(LlmCall)
    )
    _count_run(side, folder, competition, parse_stamp(run.started_at).timestamp())
    return side


def _count_run(side: Side, folder: RunFolder, competition: Competition, started: float) -> None:
    """Its submissions, each dated by when its grade was stored; its cells and what failed of them."""
    reader = Reader(folder.database)
    for one in reader.all(Evaluation, "success = 1 AND submission != '' AND id != 'baseline'"):
        after = parse_stamp(one.at).timestamp() - started
        _grade(side, competition, folder.path / one.submission, after, one.id)
    cells = reader.all(Cell)
    side.steps = len(cells)
    side.failures += sum(cell.status != "ok" for cell in cells)
    side.failures += reader.count(Evaluation, "success = 0")


def run_aide_side(
    name: str,
    aide: Path,
    endpoint: SlowEndpoint,
    model: AideModel,
    folder: RunFolder,
    competition: Competition,
    state: Path,
    seconds: float,
) -> Side:
    side = Side(name)
    _tell(f"{name} on {competition.slug}")
    endpoint.aide = model
    mark = len(endpoint.calls)
    work = state / "aide" / f"{competition.slug}-{'kernels' if model.kernels else 'plain'}"
    ended = run_aide(aide, endpoint, data=folder.public, task=task_text(folder), work=work, seconds=seconds)
    side.seconds, side.steps, side.failures = ended.seconds, ended.nodes, ended.buggy
    side.count(endpoint.calls[mark:])
    for submitted in ended.submissions:
        _grade(side, competition, submitted.path, submitted.seconds, submitted.path.stem)
    return side


def _grade(side: Side, competition: Competition, path: Path, seconds: float, what: str) -> None:
    try:
        grade = grade_file(competition, path)
    except InvalidSubmission:
        side.failures += 1
        return
    assert grade.public_score is not None and grade.private_score is not None, "the shelf has labels"
    # the targets have five digits, as on a leaderboard
    side.scored.append(
        Scored(round(seconds, 1), round(grade.public_score, 5), round(grade.private_score, 5), what)
    )


# --- what AIDE and its model are given


def task_text(folder: RunFolder) -> str:
    """The task as CoMind's agents were told it, with the folders of AIDE."""
    parts = _drafts_prompt(folder)
    return (
        f"{parts['Competition'].replace('<<<', '').replace('>>>', '').strip()}\n\n"
        f"## Metric\n{parts['Metric']}\n\n## Machine\n{parts['Machine']}\n\n## Data\n{parts['Data']}\n"
    )


def aide_model(folder: RunFolder, slug: str, *, with_kernels: bool) -> AideModel:
    parts = _drafts_prompt(folder)
    higher = "lower" not in parts["Metric"]
    kernels = _ranked_kernels(folder, higher) if with_kernels else []
    seconds = number_after("seconds for one agent:", parts["Time"], 120.0)
    shown = [PublicKernel(kernel.title.replace(":", ","), kernel.source) for kernel in kernels]
    return AideModel(slug, parts["Reports"], seconds, shown)


def target_scores(folder: RunFolder, higher: bool) -> dict[str, float]:
    ranked = _ranked_kernels(folder, higher)
    return {name: float(ranked[place - 1].public_score or 0.0) for name, place in PLACES.items()}


def _ranked_kernels(folder: RunFolder, higher: bool) -> list[Kernel]:
    """Upstream's kernels with a public score, best first."""
    kernels = Reader(folder.database).all(Kernel, "origin = 'upstream' AND public_score IS NOT NULL")
    return sorted(kernels, key=lambda kernel: kernel.public_score or 0.0, reverse=higher)


def _drafts_prompt(folder: RunFolder) -> dict[str, str]:
    """The sections of the first round's request for drafts."""
    call = Reader(folder.database).all(LlmCall, "kind = 'drafts'", order="at")[0]
    return sections(call.messages[-1]["content"])


# --- the table


def told(
    slug: str, competition: Competition, targets: dict[str, float], sides: Sequence[Side], load: float
) -> str:
    """Markdown: a row a target, then what each side spent."""
    higher = competition.higher_is_better
    lines = [f"### {slug} ({competition.metric} {'↑' if higher else '↓'}, load {load:.1f})", ""]
    lines += [
        "| target | score | " + " | ".join(f"{side.name}, s" for side in sides) + " | ratio |",
        "|---|---|" + "---|" * (len(sides) + 1),
    ]
    for name, target in targets.items():
        hits = [side.first(target, higher) for side in sides]
        seconds = [f"{hit.seconds:.0f}" if hit else "not reached" for hit in hits]
        ratios = [_ratio(hits[0], hit, side) for hit, side in zip(hits[1:], sides[1:], strict=True)]
        lines.append(f"| {name} | {target:g} | " + " | ".join(seconds) + f" | {', '.join(ratios)} |")
    lines += [
        "", "| | seconds | submissions | best public | its private | steps | failures | calls | tokens |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for side in sides:
        ranked = sorted(side.scored, key=lambda one: one.public, reverse=higher)
        best = f"{ranked[0].public:.5g} | {ranked[0].private:.5g}" if ranked else "none | none"
        lines.append(
            f"| {side.name} | {side.seconds:.0f} | {len(side.scored)} | {best} | {side.steps} |"
            f" {side.failures} | {side.calls} | {side.tokens:,} |"
        )
    marks = [60 * minute for minute in range(1, int(max(side.seconds for side in sides)) // 60 + 1)]
    lines += [
        "",
        "| best public so far, at s | " + " | ".join(map(str, marks)) + " |",
        "|---|" + "---|" * len(marks),
    ]
    for side in sides:
        best_by = (side.best_by(mark, higher) for mark in marks)
        lines.append(
            f"| {side.name} | " + " | ".join("–" if b is None else f"{b:.5g}" for b in best_by) + " |"
        )
    return "\n".join(lines) + "\n"


def _ratio(ours: Scored | None, theirs: Scored | None, side: Side) -> str:
    """AIDE's seconds by ours; a bound where only one of the two arrived within the budget."""
    if ours is None:
        return "–" if theirs is None else "ours never"
    if theirs is None:
        return f"> {side.seconds / ours.seconds:.1f}"
    return f"{theirs.seconds / ours.seconds:.1f}"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against_aide", description=__doc__)
    parser.add_argument("competitions", nargs="*", default=["digits-5k", "census-income"])
    parser.add_argument("--minutes", type=float, default=6.0, help="budget of each tool on each competition")
    parser.add_argument("--rounds", type=int, default=1, help="CoMind's rounds")
    parser.add_argument("--first-token", type=float, default=4.0, help="seconds before a reply begins")
    parser.add_argument("--token", type=float, default=0.02, help="seconds for each completion token")
    parser.add_argument("--state", type=Path, default=Path("state/bench"))
    parser.add_argument(
        "--venv", type=Path, help="where aideml is or shall be (default: in the state folder)"
    )
    parser.add_argument("--kernels", action="store_true", help="also run AIDE with the public kernels known")
    parser.add_argument("--reuse", type=Path, metavar="RUN", help="CoMind as in that run; AIDE on its split")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
