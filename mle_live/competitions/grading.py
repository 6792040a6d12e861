"""Score a submission: rows aligned by id, public and private part apart.

A submission that cannot be scored is refused with a code, a sentence and the first ids concerned
(`InvalidSubmission`); a metric that breaks is our fault (`GraderFailed`), never a bad score.
No message carries a value of the solution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kaggle_runner.errors import ComindError, ServiceError
from mle_live.competitions.competition import HostedCompetition

if TYPE_CHECKING:
    import pandas as pd

_SHOWN_IDS = 5
_LARGEST = 1e100
"""Predictions from here on are refused: their squares and sums would break a metric."""


class InvalidSubmission(ComindError):
    """The file cannot be scored. `code` is one fixed word, `ids` the first row ids it is about."""

    def __init__(self, code: str, message: str, ids: Sequence[str] = (), *, hint: str = "") -> None:
        shown = ", ".join(repr(row) for row in ids[:_SHOWN_IDS])
        super().__init__(f"{message}: {shown}" if shown else message, hint=hint)
        self.code = code
        self.ids = list(ids[:_SHOWN_IDS])


class GraderFailed(ServiceError):
    """The metric or the solution broke; it says nothing about the submission."""


@dataclass(frozen=True, slots=True)
class Grade:
    """Scores of one submission on the public and the private test rows (None where there are no rows)."""

    public_score: float | None
    private_score: float | None
    public_rows: int
    private_rows: int


def read_submission(path: Path, id_column: str, texts: Sequence[str] = ()) -> pd.DataFrame:
    """A submission's CSV with ids as text; only an empty field is missing ("NA" may be a label).

    `texts` are columns that are never parsed as numbers. An `id_column` of several names joined by `+` makes
    an id of several columns, joined alike.
    """
    import pandas as pd

    parts = id_column.split("+")
    as_text = dict.fromkeys([id_column, *parts, *texts], str)
    try:
        table = pd.read_csv(path, dtype=as_text, keep_default_na=False, na_values=[""])
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise InvalidSubmission(
            "unreadable",
            f"the file is not a readable CSV ({str(error).strip()})",
            hint="write it with to_csv(index=False)",
        ) from error
    if id_column not in table and len(parts) > 1 and all(part in table for part in parts):
        table[id_column] = table[parts[0]].str.cat(table[parts[1:]], sep="+")
    return table


def read_solution(path: Path, id_column: str, texts: Sequence[str] = ()) -> pd.DataFrame:
    """The solution of a competition: id (text), targets, `Usage`, and what the metric needs besides.

    `Usage` is Public, Private or Ignored: ignored rows must be predicted, and are not scored.
    """
    try:
        solution = read_submission(path, id_column, texts)
    except InvalidSubmission as error:
        raise GraderFailed(f"the solution {path} cannot be read: {error.message}") from error
    if id_column not in solution or "Usage" not in solution:
        raise GraderFailed(f"the solution {path} lacks its id or its Usage column", hint="prepare it again")
    if solution[id_column].isna().any() or solution[id_column].duplicated().any():
        raise GraderFailed(f"the solution {path} has missing or repeated ids", hint="prepare it again")
    return solution


def align(
    expected_ids: Sequence[str], submission: pd.DataFrame, competition: HostedCompetition
) -> pd.DataFrame:
    """The submission's target columns in the order of `expected_ids`, index = ids.

    Raises InvalidSubmission for absent columns and for missing, repeated or unknown ids.
    """
    id_column, targets = competition.id_column, list(competition.target_columns)
    absent = [name for name in (id_column, *targets) if name not in submission.columns]
    if absent:
        raise InvalidSubmission(
            "missing_column",
            f"the submission has no column {', '.join(map(repr, absent))}",
            hint=f"its columns must be {', '.join((id_column, *targets))}",
        )
    ids = submission[id_column].astype(object)
    if ids.isna().any():
        lines = [f"line {row + 2}" for row in ids.isna().to_numpy().nonzero()[0]]
        raise InvalidSubmission("missing_id", f"{len(lines)} rows have no id", lines)
    given: list[str] = ids.tolist()
    repeated = ids[ids.duplicated()].drop_duplicates().tolist()
    if repeated:
        raise InvalidSubmission("duplicate_ids", f"{len(repeated)} ids appear more than once", repeated)
    present, expected = set(given), set(expected_ids)
    missing = [row for row in expected_ids if row not in present]
    if missing:
        raise InvalidSubmission(
            "missing_ids", f"{len(missing)} of {len(expected_ids)} test ids have no prediction", missing
        )
    unknown = [row for row in given if row not in expected]
    if unknown:
        raise InvalidSubmission("unknown_ids", f"{len(unknown)} ids are not in the test set", unknown)
    return submission.set_index(id_column)[targets].loc[list(expected_ids)]


def require_values(prediction: pd.DataFrame, numeric: Sequence[str]) -> pd.DataFrame:
    """Refuse empty fields everywhere, and in the `numeric` columns text, NaN and infinities.

    Returns the frame with those columns as numbers.
    """
    import pandas as pd

    prediction = prediction.copy()
    for column in prediction.columns:
        empty = prediction.index[prediction[column].isna()].tolist()
        if empty:
            raise InvalidSubmission("nan", f"{len(empty)} values of {column!r} are missing", empty)
        if column not in numeric:
            continue
        given = prediction[column]
        numbers = pd.to_numeric(given, errors="coerce")
        no_numbers = prediction.index[numbers.isna()].tolist()
        if no_numbers:
            words = given[numbers.isna()].astype(str).str.strip().str.lower()
            code = "nan" if words.isin(["nan", "na", "null", "none"]).all() else "not_a_number"
            raise InvalidSubmission(
                code, f"{len(no_numbers)} values of {column!r} are no numbers", no_numbers
            )
        if numbers.dtype == object:  # whole numbers that no column of numbers can hold
            numbers = numbers.map(lambda value: float(max(-_LARGEST, min(value, _LARGEST))))
        infinite = prediction.index[(numbers.astype(float).abs() >= _LARGEST).to_numpy()].tolist()
        if infinite:
            told = f"{len(infinite)} values of {column!r} are infinite or beyond {_LARGEST:g}"
            raise InvalidSubmission("infinite", told, infinite)
        prediction[column] = numbers
    return prediction


def grade_submission(
    solution: pd.DataFrame, submission: pd.DataFrame, competition: HostedCompetition
) -> Grade:
    """Score `submission` against `solution` (id, targets, Usage); both frames hold ids as text.

    Raises InvalidSubmission when the file is at fault and GraderFailed when the metric or solution is.
    """
    from mle_live.metrics import InvalidPredictions, get_metric

    metric = get_metric(competition.metric)
    targets = list(competition.target_columns)
    truth = solution.set_index(competition.id_column)
    prediction = align(truth.index.tolist(), submission, competition)
    if not metric.texts:
        numeric = [name for name in targets if name not in truth or truth[name].dtype.kind in "iufb"]
        prediction = require_values(prediction, numeric)
    usage = truth["Usage"].str.lower()
    truth = truth.drop(columns="Usage")
    judged_ids = truth.index  # the ids that a refusal's row positions count in
    try:
        scores: dict[str, float | None] = {}
        rows: dict[str, int] = {}
        for part in ("public", "private"):
            chosen = (usage == part).to_numpy()
            rows[part], judged_ids = int(chosen.sum()), truth.index[chosen]
            scores[part] = (
                float(metric.score(truth[chosen], prediction[chosen], targets)) if rows[part] else None
            )
    except InvalidPredictions as error:
        ids = [str(judged_ids[row]) for row in error.row_positions if 0 <= row < len(judged_ids)]
        raise InvalidSubmission(error.code, error.message, ids) from error
    except Exception as error:  # a metric may break in any way, and none of them is the agent's fault
        raise GraderFailed(
            f"the metric {competition.metric} failed on {competition.slug}: {type(error).__name__}",
            hint="this is a fault of the grader, not of the submission; see the server's log",
        ) from error
    if any(score is not None and not math.isfinite(score) for score in scores.values()):
        raise GraderFailed(f"the metric {competition.metric} gave no finite score on {competition.slug}")
    return Grade(scores["public"], scores["private"], rows["public"], rows["private"])


def read_both(competition: HostedCompetition, path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The solution of a competition that has one, and a submission file, as `grade_submission` takes them."""
    assert competition.solution_path is not None
    texts = text_columns(competition)
    submission = read_submission(path, competition.id_column, texts)
    return read_solution(competition.solution_path, competition.id_column, texts), submission


def text_columns(competition: HostedCompetition) -> tuple[str, ...]:
    """Target columns that are text whatever they look like ("0012" is no number)."""
    from mle_live.metrics import get_metric

    return competition.target_columns if get_metric(competition.metric).texts else ()


def grade_file(competition: HostedCompetition, path: Path) -> Grade:
    """Score a submission file. Without labels the file is checked against the sample, and no score given."""
    if competition.solution_path is not None:
        solution, submission = read_both(competition, path)
        return grade_submission(solution, submission, competition)
    texts = text_columns(competition)
    submission = read_submission(path, competition.id_column, texts)
    sample = read_submission(competition.sample_submission, competition.id_column, texts)
    prediction = align(sample[competition.id_column].tolist(), submission, competition)
    if not texts:
        numeric = [name for name in competition.target_columns if sample[name].dtype.kind in "iufb"]
        require_values(prediction, numeric)
    return Grade(None, None, 0, 0)
