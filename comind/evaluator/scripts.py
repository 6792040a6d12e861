"""Run the evaluator's two scripts in the sandbox: split_dataset.py on the data, grader.py on predictions.

It decides what each may see, and turns what comes back into plain values. It judges neither.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from comind.evaluator.profile import CompetitionProfile
from comind.state.runs import RunFolder
from kaggle_runner.errors import EvaluatorRejected, MachineError
from kaggle_runner.files import link_or_copy
from kaggle_runner.sandbox.batch import BatchLimits, Completed
from kaggle_runner.sandbox.sandbox import run_script

SPLIT_SECONDS = 1800.0
GRADE_SECONDS = 300.0
METRIC_SECONDS = 20.0
"""For the bootstrap of one part by a written `score`; a known metric needs far less."""
BOOTSTRAP_SAMPLES = 200

_SPLIT_DRIVER = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
spec = spec_from_file_location("split_dataset", "/script/split_dataset.py")
module = module_from_spec(spec)
spec.loader.exec_module(module)
module.split(
    Path("/original"), Path("/public"), Path("/private"), fraction=float(sys.argv[1]), seed=int(sys.argv[2])
)
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One pair of prediction files; paths are relative to the folder that is mounted."""

    name: str
    validation: str
    test: str | None = None
    samples: int = BOOTSTRAP_SAMPLES
    """Of the bootstrap that gives the interval."""


@dataclass(frozen=True, slots=True)
class ScriptAnswer:
    """What the grader said. `trace` is for the author of evaluate.py only, never for an agent."""

    ready: bool
    trace: str
    higher_is_better: bool | None
    perfect: float | None
    results: dict[str, dict[str, Any]]
    empty_is_an_answer: bool = False
    """An empty field predicts nothing (no words, no mask), and is no fault."""


class GradingFailed(MachineError):
    """The grader gave no answer: a fault of the machine or of the metric's time, never of the predictions."""


async def run_split(
    script: Path,
    *,
    original: Path,
    public: Path,
    private: Path,
    fraction: float,
    seed: int,
    memory_bytes: int | None,
    hidden: Sequence[Path],
) -> None:
    """Run `script` (a folder with split_dataset.py) and turn its symlinks to the original into hard links.

    `public` and `private` exist and are empty; `hidden`: see `run_script`. Raises
    EvaluatorRejected with the end of the script's trace.
    """
    done = await run_script(
        ["python", "-P", "-c", _SPLIT_DRIVER, str(fraction), str(seed)],
        mounts={"/original": original, "/script": script},
        writable={"/public": public, "/private": private},
        cwd="/tmp",
        limits=BatchLimits(SPLIT_SECONDS, memory_bytes),
        hidden=hidden,
    )
    if done.returncode != 0:
        raise EvaluatorRejected(f"split_dataset.py failed: {_why(done)}")
    make_real(public, original)
    if any(path.is_symlink() for path in private.rglob("*")):
        raise EvaluatorRejected("split_dataset.py left a link in the private folder; write the labels there.")


def make_real(public: Path, original: Path) -> None:
    """Replace symlinks to /original/… by hard links, or by copies where the file system differs.

    A symlink would point nowhere once the public folder alone is mounted. EvaluatorRejected for others.
    """
    for link in sorted(path for path in public.rglob("*") if path.is_symlink()):
        target = PurePosixPath(link.readlink())
        if not target.is_relative_to("/original") or ".." in target.parts:
            raise EvaluatorRejected(
                f"split_dataset.py made the link {link.relative_to(public)} to {target}; "
                "link only to absolute paths under the original folder."
            )
        source = original / target.relative_to("/original")
        link.unlink()
        if not (source.is_dir() or source.is_file()):
            raise EvaluatorRejected(f"split_dataset.py linked to {target}, which does not exist.")
        link_or_copy(source, link)


async def run_grader(
    cases: Sequence[Case],
    *,
    folder: RunFolder,
    predictions: Path,
    profile: CompetitionProfile,
    seed: int,
    whole: bool,
    answers: int,
    memory_bytes: int | None,
) -> list[ScriptAnswer]:
    """Grade `cases` under `predictions` against the run's labels; GradingFailed when an answer is missing.

    `whole` asks for the score on all rows besides the two parts. Each of the `answers` comes from a process
    of its own.
    """
    import kaggle_runner
    import mle_live

    request = grader_request(
        cases, profile=profile, seed=seed, whole=whole, answers=answers,
        labels="/labels", predictions="/predictions", public="/public", packages="/packages",
    )  # fmt: skip
    done = await run_script(
        ["python", "-P", "/grader/grader.py", json.dumps(request)],
        mounts={
            "/labels": folder.private,
            "/predictions": predictions,
            "/public": folder.public,
            "/grader/grader.py": Path(__file__).with_name("grader.py"),
            "/packages/mle_live": Path(mle_live.__path__[0]),
            "/packages/kaggle_runner": Path(kaggle_runner.__path__[0]),
        },
        writable={},
        cwd="/tmp",
        limits=BatchLimits(answers * GRADE_SECONDS, memory_bytes),
        hidden=(folder.state,),
    )
    try:
        return [parse_answer(line) for line in done.stdout.split("\n")[:answers]]
    except ValueError as error:
        raise GradingFailed(f"The grader gave no answer: {_why(done)}", hint="Grade it again.") from error


def grader_request(
    cases: Sequence[Case],
    *,
    profile: CompetitionProfile,
    seed: int,
    whole: bool,
    answers: int,
    labels: str,
    predictions: str,
    public: str,
    packages: str,
) -> dict[str, Any]:
    """What grader.py is asked; the last four are folders as it sees them."""
    return {
        "truth": f"{labels}/validation.csv",
        "evaluate": f"{labels}/evaluate.py",
        "sample_submission": f"{public}/sample_submission.csv",
        "id_column": profile.id_column,
        "targets": list(profile.target_columns),
        "group": profile.group_column,
        "seed": seed,
        "seconds": METRIC_SECONDS,
        "whole": whole,
        "answers": answers,
        "python_path": [packages],
        "cases": [
            {
                "name": case.name,
                "validation": f"{predictions}/{case.validation}",
                "test": f"{predictions}/{case.test}" if case.test else None,
                "samples": case.samples,
            }
            for case in cases
        ],
    }


def parse_answer(line: str) -> ScriptAnswer:
    """The grader's line as values; untrusted code ran beside it, so every shape is checked. ValueError."""
    try:
        answer = json.loads(line)
        results = {str(one["name"]): dict(one) for one in answer.get("results", [])}
        direction, perfect = answer.get("higher_is_better"), answer.get("perfect")
        return ScriptAnswer(
            ready=answer["ready"] is True,
            trace=str(answer.get("trace", "")),
            higher_is_better=direction if isinstance(direction, bool) else None,
            perfect=float(perfect) if isinstance(perfect, (int, float)) else None,
            results=results,
            empty_is_an_answer=answer.get("empty_is_an_answer") is True,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an answer of the grader: {line[:100]!r}") from error


def _why(done: Completed) -> str:
    if done.fault:
        return f"it {done.fault}"
    return done.stderr.strip()[-1500:] or f"it ended with code {done.returncode}."
