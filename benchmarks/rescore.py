"""Runs the shelf's kernels and compares (or, with --write, records) their public scores.

    python -m benchmarks.rescore [SLUG ...] [--root DIR] [--write]

A kernel is run as a plain script in a temporary folder, with `/kaggle/input` in its text replaced by the
place where the prepared data lie. These scripts are ours; anybody else's code belongs in the sandbox.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from kaggle_runner.errors import ComindError
from mle_live.shelf.entry import find_entry, list_shelf
from mle_live.shelf.preparation import CONTENT, prepare

KERNEL_SECONDS = 300
TOLERANCE = 5e-3
"""Other versions of scikit-learn and other processors may move a score in the third digit."""


def run_kernel(code: Path, root: Path, slug: str, working: Path) -> Path:
    """Run one kernel in `working` and return its submission.csv; ComindError when it fails."""
    inputs = working / "input"
    inputs.mkdir(parents=True)
    (inputs / slug).symlink_to((root / "competitions" / slug / "data").resolve())
    script = working / code.name
    script.write_text(
        code.read_text(encoding="utf-8").replace("/kaggle/input", str(inputs)), encoding="utf-8"
    )
    single = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, script.name]
    done = subprocess.run(
        command, cwd=working, env=single, capture_output=True, text=True, timeout=KERNEL_SECONDS, check=False
    )
    submission = working / "submission.csv"
    if done.returncode != 0 or not submission.is_file():
        last = done.stderr.strip().splitlines()[-1:] or ["it wrote no submission.csv"]
        raise ComindError(f"kernel {code.stem} of {slug} failed: {last[0]}")
    return submission


def kernel_submission(kernel: dict[str, Any], root: Path, slug: str, *, again: bool = False) -> Path:
    """The kernel's submission file, kept under `<root>/cache`; run now when it is not there, or `again`."""
    code = CONTENT / slug / kernel["code_path"]
    kept = root / "cache" / "kernels" / slug / f"{hashlib.sha256(code.read_bytes()).hexdigest()[:16]}.csv"
    if again or not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            run_kernel(code, root, slug, Path(scratch) / "run").replace(kept)
    return kept


def public_and_private_score(submission: Path, root: Path, slug: str) -> tuple[float, float]:
    """A submission file's scores on the two parts of the test set, rows matched by id."""
    import pandas as pd

    from mle_live.metrics import get_metric

    entry = find_entry(slug)
    solution = pd.read_csv(root / "private" / slug / "solution.csv").set_index("id")
    predicted = pd.read_csv(submission).set_index("id").loc[solution.index]
    metric = get_metric(entry.metric)
    public, private = (
        metric.score(solution[chosen], predicted[chosen], [entry.target])
        for chosen in (solution["Usage"] == "Public", solution["Usage"] == "Private")
    )
    return public, private


def read_kernels(slug: str) -> list[dict[str, Any]]:
    lines = (CONTENT / slug / "kernels.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rescore", description=__doc__)
    parser.add_argument("slugs", nargs="*", metavar="SLUG", help="competitions (default: all)")
    parser.add_argument("--root", type=Path, default=Path("state/mle_live"), help="where data are prepared")
    parser.add_argument("--write", action="store_true", help="record the scores in kernels.jsonl")
    options = parser.parse_args(arguments)
    differing = 0
    for slug in options.slugs or [entry.slug for entry in list_shelf()]:
        differing += _rescore(slug, options.root, write=options.write)
    return 1 if differing and not options.write else 0


def _rescore(slug: str, root: Path, *, write: bool) -> int:
    """Score every kernel of one competition; return how many differ from what is recorded."""
    prepare(slug, root)
    kernels = read_kernels(slug)
    differing = 0
    for kernel in kernels:
        submission = kernel_submission(kernel, root, slug, again=True)
        public, private = public_and_private_score(submission, root, slug)
        recorded = kernel["public_score"]
        differs = recorded is None or abs(recorded - public) > TOLERANCE
        differing += differs
        print(f"{slug}  {kernel['ref']:<50} {public:.5f} (private {private:.5f})  recorded {recorded}")
        kernel["public_score"] = round(public, 5)
    if write:
        lines = "".join(json.dumps(kernel, ensure_ascii=False) + "\n" for kernel in kernels)
        (CONTENT / slug / "kernels.jsonl").write_text(lines, encoding="utf-8")
    return differing


if __name__ == "__main__":
    sys.exit(main())
