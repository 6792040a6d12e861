"""What a split and a metric must pass before any agent starts. It judges files and answers; it runs nothing.

A failed check says what is wrong in words for the author of the script; ids may appear, labels never.
"""

from __future__ import annotations

import filecmp
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comind.evaluator.pixels.checks import answers_left, pixels_true
from comind.evaluator.profile import CompetitionProfile
from comind.evaluator.scripts import ScriptAnswer
from comind.evaluator.secrecy.leaks import agrees, find_leaks, natural_columns, repeated_rows
from kaggle_runner.errors import BadCompetition, EvaluatorRejected
from kaggle_runner.score import best_first
from mle_live.layout.formats import read_text
from mle_live.layout.tables import levels

if TYPE_CHECKING:
    import pandas as pd

FEWEST_ROWS = 4
_MOST_HELD_OUT = 0.5
_PERFECT = 1e-3


@dataclass(frozen=True, slots=True)
class Check:
    """One demand on the split or the metric; `detail` says what is wrong, or is empty."""

    name: str
    passed: bool
    detail: str = ""


def require(checks: Sequence[Check]) -> None:
    """EvaluatorRejected that names every failed check."""
    failed = [check for check in checks if not check.passed]
    if failed:
        lines = "\n".join(f"- {check.name}: {check.detail}" for check in failed)
        raise EvaluatorRejected(f"The split or the metric failed {len(failed)} checks:\n{lines}")


def check_split(
    profile: CompetitionProfile, *, original: Path, public: Path, private: Path
) -> tuple[Check, ...]:
    """Shape and secrecy of the files that a split left in `public` and `private`."""
    missing = _missing(original, public, private)
    if missing:
        return (Check("files", False, f"these were not written: {', '.join(missing)}"),)
    try:
        parts = _Parts(
            original=read_text(original / "train.csv"),
            train=read_text(public / "train.csv"),
            validation=read_text(public / "validation.csv"),
            sample=read_text(public / "sample_validation_submission.csv"),
            truth=read_text(private / "validation.csv"),
        )
    except BadCompetition as error:
        return (Check("files", False, f"a table cannot be read: {error.message}"),)
    shape = _shape(profile, parts, original, public)
    if shape:
        return (Check("files", True), Check("shape", False, shape))
    labels = _labels(profile, parts.truth)
    label_columns = list(profile.labels)
    leaks = find_leaks(public, labels, natural_columns(parts.original, label_columns))
    return (
        Check("files", True),
        Check("shape", True),
        named("size", _size(parts, profile.row_column)),
        named("rows apart", _rows_apart(profile, parts, label_columns)),
        named("groups whole", _groups_whole(profile, parts)),
        named("labels true", _labels_true(profile, parts, original)),
        named("no label in public", "; ".join([*leaks, *_answers_left(profile, parts, original, public)])),
        named("order says nothing", order_tells(labels)),
    )


def find_answers(profile: CompetitionProfile, offered: Path, *, public: Path, private: Path) -> list[str]:
    """Where files beside the split give validation labels away: by ids, or as whole rows with their answers.

    `offered` is a folder that holds nothing but the folder of these files: names of the host's own files mean
    nothing there.
    """
    truth = read_text(private / "validation.csv")
    found = find_leaks(offered, _labels(profile, truth), frozenset())
    train = _same_numbers(read_text(public / "train.csv"))
    validation = _same_numbers(read_text(public / "validation.csv"))
    inputs = [name for name in validation.columns if name != profile.id_column]
    for path in sorted(offered.rglob("*")):
        if path.suffix.lower() not in (".csv", ".tsv") or not path.is_file():
            continue
        try:
            table = _same_numbers(read_text(path))
        except BadCompetition:
            continue  # no table
        columns = [name for name in inputs if name in table.columns]
        told = repeated_rows(train, table, validation, columns) if 2 * len(columns) >= len(inputs) else ""
        if told:
            found.append(f"{path.name}: {told.replace('the public train.csv', 'it')}")
    return found


def _same_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Columns of numbers in one way of writing them: other people's tables say 1.0 where the host says 1."""
    import pandas as pd

    written = {}
    for name in table.columns:
        numbers = pd.to_numeric(table[name], errors="coerce")
        written[name] = numbers.map(repr).where(numbers.notna(), table[name])
    return pd.DataFrame(written, index=table.index)


@dataclass(frozen=True, slots=True)
class _Parts:
    original: pd.DataFrame
    train: pd.DataFrame
    validation: pd.DataFrame
    sample: pd.DataFrame
    truth: pd.DataFrame


def named(name: str, problem: str) -> Check:
    return Check(name, not problem, problem)


def _missing(original: Path, public: Path, private: Path) -> list[str]:
    wanted = ["train.csv", "validation.csv", "sample_validation_submission.csv", "sample_submission.csv"]
    if (original / "test.csv").is_file():
        wanted.append("test.csv")
    missing = [f"public/{name}" for name in wanted if not (public / name).is_file()]
    return missing + ["private/validation.csv"] * (not (private / "validation.csv").is_file())


def _shape(profile: CompetitionProfile, parts: _Parts, original: Path, public: Path) -> str:
    id_column, targets = profile.id_column, list(profile.target_columns)
    for name in ("test.csv", "sample_submission.csv"):
        if (original / name).is_file() and not filecmp.cmp(original / name, public / name, shallow=False):
            return f"public/{name} differs from the original"
    inputs = [profile.row_column]
    if (original / "test.csv").is_file():
        inputs = list(read_text(original / "test.csv", rows=0).columns)
    for name, table, columns in (
        ("public/validation.csv", parts.validation, inputs),
        ("public/sample_validation_submission.csv", parts.sample, [id_column, *targets]),
    ):
        if list(table.columns) != columns:
            return f"{name} has the columns {list(table.columns)[:20]}; {columns[:20]} are needed"
    secret = [id_column, *targets, *([profile.group_column] if profile.group_column else [])]
    absent = [name for name in secret if name not in parts.truth]
    if absent:
        return f"private/validation.csv lacks the columns {absent}"
    if not parts.truth[id_column].is_unique:
        return "private/validation.csv has repeated ids"
    for name, table, key in (
        ("validation.csv", parts.validation, profile.row_column),
        ("sample_validation_submission.csv", parts.sample, id_column),
    ):
        ids = set(parts.truth[key].tolist())
        if len(table) != len(ids) or set(table[key].tolist()) != ids:
            return f"public/{name} has other ids than private/validation.csv"
    empty = [name for name in targets if (parts.truth[name] == "").any()]
    if any(not nothing_is_said(profile, parts.truth[name]) for name in empty):
        return "private/validation.csv has empty labels"
    return ""


def nothing_is_said(profile: CompetitionProfile, labels: pd.Series[Any]) -> bool:
    """Whether an empty label says something: no mask, no words. Of a metric that is ours its reader tells."""
    from mle_live.metrics import is_known, reads_texts

    if is_known(profile.metric):
        return reads_texts(profile.metric)
    return levels(labels).kind == "text"


def _labels(profile: CompetitionProfile, truth: pd.DataFrame) -> pd.Series[Any]:
    """One label a validation id, as text; of several targets the class column or the first."""
    import pandas as pd

    table = truth.set_index(profile.id_column)[list(profile.target_columns)]
    labels: pd.Series[Any] = table[profile.target_columns[0]]
    if profile.label_column:
        labels = table.apply(pd.to_numeric, errors="coerce").fillna(0).idxmax(axis=1).astype(str)
    return labels


def _size(parts: _Parts, row_column: str) -> str:
    held_out, total = parts.truth[row_column].nunique(), len(parts.original)
    if held_out < FEWEST_ROWS:
        return f"only {held_out} rows are held out"
    if held_out > _MOST_HELD_OUT * total:
        return f"{held_out} of {total} rows are held out; at most half may be"
    if len(parts.train) + held_out > total:
        return (
            f"{len(parts.train)} training and {held_out} validation rows are more than the {total} there were"
        )
    return ""


def _rows_apart(profile: CompetitionProfile, parts: _Parts, label_columns: list[str]) -> str:
    id_column = profile.row_column
    if id_column in parts.train:
        both = sorted(set(parts.train[id_column]) & set(parts.truth[id_column].unique()))
        if both:
            return f"{len(both)} validation ids also stand in public/train.csv (first: {', '.join(both[:5])})"
    ignored = {id_column, profile.group_column, *label_columns}
    tables = (parts.original, parts.train, parts.validation)
    columns = [name for name in parts.original.columns if name not in ignored]
    return repeated_rows(*tables, [name for name in columns if all(name in table for table in tables)])


def _groups_whole(profile: CompetitionProfile, parts: _Parts) -> str:
    group = profile.group_column
    if not group or group not in parts.train:
        return ""
    split = set(parts.train[group].unique()) & set(parts.truth[group].unique())
    return f"{len(split)} values of {group!r} are on both sides of the split" if split else ""


def _answers_left(profile: CompetitionProfile, parts: _Parts, original: Path, public: Path) -> list[str]:
    if profile.pixels is None:
        return []
    unit = profile.pixels.unit
    left = answers_left(original, public, parts.original, set(parts.truth[unit].unique()), unit)
    return [left] if left else []


def _labels_true(profile: CompetitionProfile, parts: _Parts, original: Path) -> str:
    """Compare with the original table where it has the ids and the targets as they are submitted."""
    if profile.pixels:
        names = (profile.id_column, profile.target_columns[0])
        return pixels_true(profile.pixels, original, parts.original, parts.truth, names)
    id_column = profile.id_column
    if profile.label_column or id_column not in parts.original or not parts.original[id_column].is_unique:
        return ""
    source = parts.original.set_index(id_column)
    truth = parts.truth.set_index(id_column)
    if not truth.index.isin(source.index).all():
        return "private/validation.csv has ids that the original train.csv lacks"
    for target in profile.target_columns:
        if target in source:
            expected = source.loc[truth.index, target]
            if (
                expected.nunique() > 1
                and not (expected == truth[target]).all()
                and not agrees(expected, truth[target])
            ):
                return f"the labels in column {target!r} differ from the original ones"
    return ""


def order_tells(labels: pd.Series[Any]) -> str:
    """Rows sorted by label would give the label away by their place."""
    import pandas as pd

    changes = int((labels != labels.shift()).sum()) - 1
    # labels that hardly repeat change from row to row in any order
    in_blocks = changes == labels.nunique() - 1 and labels.nunique() <= len(labels) / 2
    numbers = pd.to_numeric(labels, errors="coerce")
    sorted_numbers = bool(numbers.notna().all()) and (
        numbers.is_monotonic_increasing or numbers.is_monotonic_decreasing
    )
    if len(labels) >= 20 and labels.nunique() > 1 and (in_blocks or sorted_numbers):
        return "the validation rows are sorted by their label; shuffle them"
    return ""


def check_metric(profile: CompetitionProfile, first: ScriptAnswer, second: ScriptAnswer) -> tuple[Check, ...]:
    """Judge the grader's answers on the truth, the sample, shuffled truths, and broken files (trials.py).

    `first` and `second` are two processes' answers to the same request.
    """
    if not first.ready:
        return (Check("metric loads", False, f"evaluate.py cannot be used: {first.trace}"),)
    truth = _whole(first, "truth")
    if truth is None:
        code = first.results.get("truth", {})
        return (
            Check("metric loads", True),
            Check(
                "truth scores", False, f"{code.get('code')}: {code.get('trace') or 'the truth is refused'}"
            ),
        )
    higher = first.higher_is_better
    return (
        Check("metric loads", True),
        Check("truth scores", True),
        named("direction", _direction(profile, higher)),
        named("truth is perfect", _truth_perfect(first, truth)),
        named("sample is worse", _sample_worse(first, truth, bool(higher))),
        named("shuffled truth is worse", _shuffled_worse(first, truth, bool(higher))),
        named("broken files are refused", _broken_refused(first)),
        named("same input, same score", "" if _scores(first) == _scores(second) else "two runs disagree"),
    )


def _whole(answer: ScriptAnswer, name: str) -> float | None:
    part = answer.results.get(name, {}).get("whole")
    value = part.get("score") if isinstance(part, dict) else None
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _scores(answer: ScriptAnswer) -> list[tuple[str, str, float | None]]:
    return [
        (name, str(one.get("code")), _whole(answer, name)) for name, one in sorted(answer.results.items())
    ]


def _direction(profile: CompetitionProfile, higher: bool | None) -> str:
    if higher is None:
        return "evaluate.py must define HIGHER_IS_BETTER as True or False"
    if higher != profile.higher_is_better:
        return (
            f"HIGHER_IS_BETTER is {higher}, but the competition's leaderboard says {profile.higher_is_better}"
        )
    return ""


def _truth_perfect(answer: ScriptAnswer, truth: float) -> str:
    if answer.perfect is None or abs(truth - answer.perfect) <= _PERFECT:
        return ""
    return f"the truth scores {truth:.6g}, not {answer.perfect:.6g}"


def _worse(value: float, truth: float, higher: bool) -> bool:
    return best_first(value, higher) > best_first(truth, higher)


def _sample_worse(answer: ScriptAnswer, truth: float, higher: bool) -> str:
    sample = _whole(answer, "sample")
    if sample is None:
        found = answer.results.get("sample", {})
        # a correlation is undefined for the constant that many hosts give as their sample, and others give
        # a class that no training row has
        return (
            ""
            if found.get("code") in ("constant", "unknown_label")
            else f"the sample submission is refused: {found.get('code')}"
        )
    return (
        ""
        if _worse(sample, truth, higher)
        else f"the sample submission scores {sample:.6g}, truth {truth:.6g}"
    )


def _shuffled_worse(answer: ScriptAnswer, truth: float, higher: bool) -> str:
    for name in (name for name in answer.results if name.startswith("shuffled")):
        value = _whole(answer, name)
        if value is not None and not _worse(value, truth, higher):
            return f"labels in wrong order score {value:.6g}, the truth {truth:.6g}"
    return ""


def _broken_refused(answer: ScriptAnswer) -> str:
    sound = {"broken no-value"} if answer.empty_is_an_answer else set[str]()
    broken = [one for name, one in answer.results.items() if name.startswith("broken") and name not in sound]
    accepted = [str(one["name"]) for one in broken if one.get("success") is not False]
    return f"accepted: {', '.join(accepted)}" if accepted else ""
