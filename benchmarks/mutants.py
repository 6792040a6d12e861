"""How many small wrong changes the tests notice, in the modules that score, spend, submit or withhold.

    make mutants                                  every module of benchmarks/mutants.toml
    make mutants MODULES="medals budget"          those whose path has one of these words

Each change is made in a copy of the checkout, where the module's tests run until the first one fails. The
copies are links to one that keeps compiled files, which are most of the start of a run.
cosmic-ray and mutmut were tried. The one draws from some 500 changes a module, of which most are gross
(`+` to `>>`) or lie in annotations, and knows neither swapped arguments nor statements left out; the other
samples nothing and takes one choice of tests for all modules; both pay for a new interpreter each time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.pool
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mutation import Mutant, mutants

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "benchmarks" / "mutants.toml"
WANTED = 0.9
PRELOADED = ["pytest", "pytest_asyncio", "hypothesis", "pandas", "sklearn.metrics", "uvicorn", "openai"]


@dataclass(frozen=True)
class Subject:
    """One module, the tests that should notice changes to it, and survivors with the reason for each."""

    path: str
    tests: list[str]
    reasons: dict[str, str]


@dataclass(frozen=True)
class Trial:
    """One change in a copy of `checkout`; its methods are for a process of their own."""

    checkout: Path
    subject: Subject
    mutant: Mutant

    def passes(self) -> bool:
        """Whether the tests pass in spite of the change."""
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            copy = Path(folder) / "checkout"
            shutil.copytree(self.checkout, copy, copy_function=os.link)
            changed = copy / self.subject.path
            changed.unlink()  # the link: to write through it would change the checkout
            changed.write_text(self.mutant.source, encoding="utf-8")
            return passes(copy, self.subject.tests)


def _copy(to: Path) -> None:
    """The checkout's files, tracked or new."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for file in (ROOT / name for name in names.split("\0") if name):
        if file.is_file():
            target = to / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def passes(checkout: Path, tests: list[str], keep_compiled: bool = False) -> bool:
    """Whether the tests pass in this checkout, in a child: a test that hangs is ended with its process."""
    child = os.fork()
    if not child:
        os._exit(_run_tests(checkout, tests, keep_compiled))
    return os.waitpid(child, 0)[1] == 0


def _run_tests(checkout: Path, tests: list[str], keep_compiled: bool) -> int:
    import pytest

    os.chdir(checkout)
    sys.path.insert(0, str(checkout))
    os.environ.update(PYTHONPATH=str(checkout), PYTHONDONTWRITEBYTECODE="1")
    sys.dont_write_bytecode = not keep_compiled
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    limits = ["--timeout=30", "--timeout-method=thread"]  # hypothesis would try what was interrupted again
    return int(pytest.main([*options, *limits, *tests]))


def read_subjects(words: list[str]) -> tuple[list[Subject], int]:
    """The modules of the list whose path has one of the words (all without words), and the sample's size."""
    listed = tomllib.loads(LIST.read_text(encoding="utf-8"))
    subjects = [
        Subject(one["path"], one["tests"], {kept["change"]: kept["why"] for kept in one.get("kept", [])})
        for one in listed["modules"]
    ]
    return [one for one in subjects if not words or any(word in one.path for word in words)], listed["sample"]


def report(subject: Subject, tried: list[tuple[Trial, bool]]) -> bool:
    """Print what became of one module's changes; whether enough of them were noticed."""
    survivors = [trial.mutant for trial, passed in tried if passed]
    excused = sum(one.id in subject.reasons for one in survivors)
    counted = len(tried) - excused
    share = (len(tried) - len(survivors)) / counted if counted else 1.0
    print(f"{subject.path}: {share:.0%} of {counted} noticed, {excused} that change nothing", flush=True)
    for one in survivors:
        print(f"    {'(kept) ' if one.id in subject.reasons else ''}{one.id}", flush=True)
    for change in subject.reasons.keys() - {one.id for one in survivors}:
        print(f"    no longer among the survivors: {change}", flush=True)
    return share >= WANTED


def try_out(subject: Subject, sample: int, checkout: Path, pool: multiprocessing.pool.Pool) -> bool:
    """Try and report one module's changes, after the module as it is, whose tests must pass."""
    if not pool.apply(passes, (checkout, subject.tests, True)):
        print(f"{subject.path}: its tests fail without any change", flush=True)
        return False
    source = (checkout / subject.path).read_text(encoding="utf-8")
    drawn = mutants(source, sample, subject.path.rpartition("/")[2])
    trials = [Trial(checkout, subject, mutant) for mutant in drawn]
    return report(subject, list(zip(trials, pool.map(Trial.passes, trials, chunksize=1), strict=True)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("words", nargs="*", help="only modules whose path has one of these words")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    subjects, sample = read_subjects(options.words)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with (
        tempfile.TemporaryDirectory(prefix="mutants-") as checkout,
        context.Pool(options.jobs, maxtasksperchild=1) as pool,
    ):
        _copy(Path(checkout))
        good = [try_out(subject, sample, Path(checkout), pool) for subject in subjects]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
