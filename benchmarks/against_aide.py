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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.aide_model import AideModel, PublicKernel
from benchmarks.aide_process import install, run_aide
from benchmarks.race_table import Scored, Side, race_table
from benchmarks.slow_endpoint import Call, Latency, SlowEndpoint, serving
from comind.community.upstream import mle_live_root
from comind.offline.prompts import number_after, sections
from comind.offline.transport import OFFLINE_MODEL
from comind.state.reader import reading
from comind.state.records import Cell, Evaluation, Kernel, LlmCall, Run
from comind.state.runs import RunFolder, list_runs
from kaggle_runner.errors import ComindError
from kaggle_runner.moments import parse_moment
from mle_live.competitions.competition import HostedCompetition, load_competition
from mle_live.competitions.grading import InvalidSubmission, grade_file
from mle_live.shelf.preparation import prepare

PLACES = {"easy": 5, "medium": 3, "hard": 1}
"""Which public kernel's score is the target."""


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


@dataclass(frozen=True, slots=True)
class Race:
    """One competition, with what both tools get: `seconds` each, and the endpoint."""

    competition: HostedCompetition
    state: Path
    seconds: float
    endpoint: SlowEndpoint
    aide_threads: int


def compare(slug: str, aide: Path, state: Path, options: argparse.Namespace) -> dict[str, Any]:
    """CoMind, then AIDE, then AIDE shown the community's kernels where that was asked for."""
    competition = load_competition(mle_live_root(state), slug)
    higher = competition.higher_is_better
    load = os.getloadavg()[0]
    with serving(Latency(options.first_token, options.token)) as endpoint:
        race = Race(competition, state, 60.0 * options.minutes, endpoint, options.aide_threads)
        folder = RunFolder(options.reuse.resolve()) if options.reuse else None
        folder, ours = (
            (folder, as_recorded(folder, competition)) if folder else run_comind(race, options.rounds)
        )
        sides = [ours]
        for arm in ("AIDE", "AIDE, shown the kernels")[: 1 + options.kernels]:
            model = aide_model(folder, slug, with_kernels=arm != "AIDE")
            sides.append(run_aide_side(race, arm, aide, model, folder))
    targets = target_scores(folder, higher)
    load = max(load, os.getloadavg()[0])
    direction = "higher" if higher else "lower"
    title = f"### {slug}: {competition.metric}, {direction} is better; load {load:.1f}"
    print(race_table(title, targets, sides, higher), flush=True)
    return {
        "competition": slug, "minutes": options.minutes, "latency": [options.first_token, options.token],
        "load": load, "targets": targets, "sides": [asdict(side) for side in sides], "run": folder.id,
    }  # fmt: skip


# --- the two tools


def run_comind(race: Race, rounds: int) -> tuple[RunFolder, Side]:
    """A headless run with four coders, and what came of it."""
    mark, started, clock = len(race.endpoint.calls), time.time(), time.monotonic()
    _tell(f"CoMind on {race.competition.slug}")
    done = subprocess.run(
        [sys.executable, "-m", "comind_tui", "run", race.competition.slug, "--model", OFFLINE_MODEL,
         "--base-url", race.endpoint.url("comind"), "--coders", "4", "--rounds", str(rounds),
         "--time-limit", f"{race.seconds:.0f}s", "--headless", "--json", "--state", str(race.state)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    seconds = time.monotonic() - clock
    if done.returncode:
        _tell(done.stdout.decode(errors="replace")[-2000:])
    folder = list_runs(race.state)[0]
    side = _side_of_run(folder, race.competition, started, seconds)
    return folder, side.spent(race.endpoint.calls[mark:])


def as_recorded(folder: RunFolder, competition: HostedCompetition) -> Side:
    """A run that was made before. Its record starts once the endpoint was probed: some seconds too few."""
    with reading(folder.database) as reader:
        run, calls = reader.all(Run)[0], reader.all(LlmCall)
    side = _side_of_run(folder, competition, parse_moment(run.started_at).timestamp(), run.seconds_used)
    return side.spent(
        Call("comind", call.kind, call.prompt_tokens, call.completion_tokens, call.seconds) for call in calls
    )


def _side_of_run(folder: RunFolder, competition: HostedCompetition, started: float, seconds: float) -> Side:
    """Its submissions, each dated by when its grade was stored; failures are cells and refused files."""
    with reading(folder.database) as reader:
        evaluations = reader.all(Evaluation, "success = 1 AND submission != '' AND id != 'baseline'")
        cells, refusals = reader.all(Cell), reader.count(Evaluation, "success = 0")
    submitted = [
        (folder.path / one.submission, parse_moment(one.at).timestamp() - started, one.id)
        for one in evaluations
    ]
    scored, refused = _graded(competition, submitted)
    failures = refused + sum(cell.status != "ok" for cell in cells) + refusals
    return Side("CoMind", scored, steps=len(cells), failures=failures, seconds=seconds)


def run_aide_side(race: Race, name: str, aide: Path, model: AideModel, folder: RunFolder) -> Side:
    """AIDE on the public split of `folder`; failures are its buggy nodes and refused files."""
    _tell(f"{name} on {race.competition.slug}")
    race.endpoint.aide = model
    mark = len(race.endpoint.calls)
    work = race.state / "aide" / f"{race.competition.slug}-{'kernels' if model.kernels else 'plain'}"
    task = task_text(folder)
    ended = run_aide(
        aide, race.endpoint, data=folder.public, task=task, work=work, seconds=race.seconds,
        threads=race.aide_threads,
    )  # fmt: skip
    submitted = [(one.path, one.seconds, one.path.stem) for one in ended.submissions]
    scored, refused = _graded(race.competition, submitted)
    side = Side(name, scored, steps=ended.nodes, failures=ended.buggy + refused, seconds=ended.seconds)
    return side.spent(race.endpoint.calls[mark:])


def _graded(
    competition: HostedCompetition, submitted: Iterable[tuple[Path, float, str]]
) -> tuple[list[Scored], int]:
    """Scores of (file, seconds, what), and how many files were refused."""
    scored, refused = [], 0
    for path, seconds, what in submitted:
        try:
            grade = grade_file(competition, path)
        except InvalidSubmission:
            refused += 1
            continue
        assert grade.public_score is not None and grade.private_score is not None, "the shelf has labels"
        # the targets have five digits, as on a leaderboard
        public, private = round(grade.public_score, 5), round(grade.private_score, 5)
        scored.append(Scored(round(seconds, 1), public, private, what))
    return scored, refused


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
    with reading(folder.database) as reader:
        kernels = reader.all(Kernel, "origin = 'upstream' AND public_score IS NOT NULL")
    return sorted(kernels, key=lambda kernel: kernel.public_score or 0.0, reverse=higher)


def _drafts_prompt(folder: RunFolder) -> dict[str, str]:
    """The sections of the first round's request for drafts."""
    with reading(folder.database) as reader:
        call = reader.all(LlmCall, "kind = 'drafts'", order="at")[0]
    return sections(call.messages[-1]["content"])


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
    parser.add_argument(
        "--aide-threads", type=int, default=0, help="OpenMP threads of AIDE's scripts (default: all cores)"
    )
    parser.add_argument("--kernels", action="store_true", help="also run AIDE with the public kernels known")
    parser.add_argument("--reuse", type=Path, metavar="RUN", help="CoMind as in that run; AIDE on its split")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
