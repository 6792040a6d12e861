"""What a split that a model wrote for unusual files must pass: sample, labels, and no file that tells them.

There is no training table to compare with, so the labels themselves are held against every file of `public`.
"""

from __future__ import annotations

import filecmp
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from comind.evaluator.checks import FEWEST_ROWS, Check, named, nothing_is_said, order_tells
from comind.evaluator.profile import CompetitionProfile
from comind.evaluator.secrecy.joins import Training
from comind.evaluator.secrecy.leaks import find_leaks
from comind.evaluator.secrecy.withholding import UNREAD, withheld_files
from kaggle_runner.errors import BadCompetition
from mle_live.layout.formats import read_text

if TYPE_CHECKING:
    import pandas as pd

_SAMPLES = ("sample_submission.csv", "sample_validation_submission.csv")
_A_FILE_A_ROW = 20
"""So many files of one kind in one folder are inputs, which no reader of tables need understand."""
_LABELS_LOOKED_AT = 20
"""Columns of truth that are held against files."""


def check_open_split(
    profile: CompetitionProfile, *, original: Path, public: Path, private: Path
) -> tuple[Check, ...]:
    """Shape and secrecy of what such a split left in `public` and `private`."""
    wanted = [*(public / name for name in _SAMPLES), private / "validation.csv"]
    missing = [f"{path.parent.name}/{path.name}" for path in wanted if not path.is_file()]
    if missing:
        return (Check("files", False, f"these were not written: {', '.join(missing)}"),)
    try:
        sample, truth = read_text(public / _SAMPLES[1]), read_text(private / "validation.csv")
    except BadCompetition as error:
        return (Check("files", False, f"a table cannot be read: {error.message}"),)
    shape = _shape(profile, original, public, sample, truth)
    if shape:
        return (Check("files", True), Check("shape", False, shape))
    labels = truth.set_index(profile.id_column)[profile.target_columns[0]]
    few = len(truth) < FEWEST_ROWS
    return (
        Check("files", True),
        Check("shape", True),
        named("size", f"only {len(truth)} rows are held out" if few else ""),
        named("training data", _nothing_to_learn_from(public)),
        named("no label in public", "; ".join(_telling(profile, public, truth))),
        named("order says nothing", order_tells(labels)),
    )


def _shape(
    profile: CompetitionProfile, original: Path, public: Path, sample: pd.DataFrame, truth: pd.DataFrame
) -> str:
    id_column, targets = profile.id_column, list(profile.target_columns)
    if not filecmp.cmp(original / _SAMPLES[0], public / _SAMPLES[0], shallow=False):
        return f"public/{_SAMPLES[0]} differs from the original"
    if list(sample.columns) != [id_column, *targets]:
        return f"{_SAMPLES[1]} has the columns {list(sample.columns)[:20]}, not those of {_SAMPLES[0]}"
    absent = [name for name in (id_column, *targets) if name not in truth]
    if absent:
        return f"private/validation.csv lacks the columns {absent[:20]}"
    if not truth[id_column].is_unique:
        return "private/validation.csv has repeated ids"
    if len(sample) != len(truth) or set(sample[id_column]) != set(truth[id_column]):
        return f"public/{_SAMPLES[1]} has other ids than private/validation.csv"
    empty = [name for name in targets if "" in set(truth[name])]
    if any(not nothing_is_said(profile, truth[name]) for name in empty):
        return "private/validation.csv has empty labels"
    return ""


def _nothing_to_learn_from(public: Path) -> str:
    others = (path for path in public.rglob("*") if path.is_file() and path.name not in _SAMPLES)
    return "" if any(others) else "public has nothing but the samples: no training data, no inputs"


def _telling(profile: CompetitionProfile, public: Path, truth: pd.DataFrame) -> list[str]:
    """Files that say what is held out, by ids, by order or in a text; single files that nobody can read."""
    labels = profile.target_columns[:_LABELS_LOOKED_AT]
    found = []
    for name in labels:
        column = truth.set_index(profile.id_column)[name]
        found += [leak for leak in find_leaks(public, column, frozenset()) if leak not in found]
    secret = Training(truth[[profile.id_column, *labels]], None, profile.id_column, labels)
    kinds = Counter((path.parent, path.suffix.lower()) for path in public.rglob("*") if path.is_file())
    for name, why in withheld_files(public, secret, offered=_SAMPLES).items():
        path = public / name
        series = kinds[path.parent, path.suffix.lower()] >= _A_FILE_A_ROW
        if not (series and why == UNREAD):
            found.append(f"{name}: {why.replace('training rows', 'validation rows')}")
    return found
