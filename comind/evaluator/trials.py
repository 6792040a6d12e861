"""Prediction files that test a metric: the truth, the sample, the truth in wrong order, and broken files.

They hold labels, so they are written under the private folder only and removed after the checks.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from comind.evaluator.profile import CompetitionProfile
from comind.evaluator.scripts import Case
from comind.state.grades import BASELINE
from mle_live.layout.formats import read_text

_SHUFFLES = 3
_FEW_SAMPLES = 2
"""Checks look at scores, not at intervals."""


def write_trials(
    into: Path, profile: CompetitionProfile, *, public: Path, private: Path, seed: int
) -> list[Case]:
    """Write every trial under `into` (made anew). Names beginning with `broken` must be refused.

    `BASELINE` is both samples, with the interval that it is going to be shown with.
    """
    from mle_live.metrics import as_predictions

    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    id_column, targets = profile.id_column, list(profile.target_columns)
    truth = read_text(private / "validation.csv")[[id_column, *targets]]
    if profile.metric == "kl_divergence":
        truth[targets] = as_predictions(profile.metric, truth[targets].astype(float))
    truth.to_csv(into / "truth.csv", index=False)
    shutil.copyfile(public / "sample_validation_submission.csv", into / "sample.csv")
    shutil.copyfile(public / "sample_submission.csv", into / "sample-test.csv")
    cases = [_case("truth"), _case("sample"), Case(BASELINE, "sample.csv", "sample-test.csv")]
    for number in range(_SHUFFLES):
        shuffled = truth.copy()
        shuffled[targets] = truth[targets].sample(frac=1.0, random_state=seed + number).to_numpy()
        shuffled.to_csv(into / f"shuffled-{number}.csv", index=False)
        cases.append(_case(f"shuffled {number}"))
    return cases + _write_broken(into, truth.to_csv(index=False))


def _write_broken(into: Path, good: str) -> list[Case]:
    header, first, *rest = good.splitlines(keepends=True)
    broken = {
        "binary": bytes(range(256)) * 8,
        "empty": b"",
        "header": header.encode(),
        "other-columns": b"a,b\n1,2\n",
        "row-missing": "".join([header, *rest]).encode(),
        "row-twice": "".join([header, first, first, *rest]).encode(),
        "no-value": "".join([header, first.split(",")[0] + "," * first.count(","), "\n", *rest]).encode(),
    }
    for name, content in broken.items():
        (into / f"broken-{name}.csv").write_bytes(content)
    return [_case(f"broken {name}") for name in (*broken, "missing")]


def _case(name: str) -> Case:
    return Case(name, f"{name.replace(' ', '-', 1)}.csv", samples=_FEW_SAMPLES)
