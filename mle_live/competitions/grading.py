"""Score a submission: rows aligned by id, public and private part apart.

A submission that cannot be scored is refused with a code, a sentence and the first ids concerned
(`InvalidSubmission`); a metric that breaks is our fault (`GraderFailed`), never a bad score.
No message carries a value of the solution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kaggle_runner.errors import ComindError, ServiceError
from kaggle_runner.predictions.judge import Flaw, Form, Predictions, judge_file
from mle_live.competitions.competition import HostedCompetition

if TYPE_CHECKING:
    import pandas as pd

_SHOWN_IDS = 5


class InvalidSubmission(ComindError):
    """The file cannot be scored. `code` is one fixed word, `ids` the first row ids it is about."""

    def __init__(self, code: str, message: str, ids: Sequence[str] = (), *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.ids = list(ids)

    @classmethod
    def by(cls, flaw: Flaw) -> InvalidSubmission:
        return cls(flaw.code, flaw.sentence, flaw.rows)


class GraderFailed(ServiceError):
    """The metric or the solution broke; it says nothing about the submission."""


@dataclass(frozen=True, slots=True)
class Grade:
    """Scores of one submission on the public and the private test rows (None where there are no rows)."""

    public_score: float | None
    private_score: float | None
    public_rows: int
    private_rows: int


def read_table(path: Path, competition: HostedCompetition) -> pd.DataFrame:
    """A CSV with ids as text, and targets too where the metric reads texts ("0012" is no number then).

    Only an empty field is missing ("NA" may be a label). An id column of several names joined by `+` makes an
    id of several columns, joined alike. Raises InvalidSubmission.
    """
    import pandas as pd

    from mle_live.metrics import reads_texts

    id_column = competition.id_column
    parts = id_column.split("+")
    texts = competition.target_columns if reads_texts(competition.metric) else ()
    as_text = dict.fromkeys([id_column, *parts, *texts], str)
    try:
        table = pd.read_csv(path, dtype=as_text, keep_default_na=False, na_values=[""])
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise InvalidSubmission("unreadable", f"it is not a readable CSV ({str(error).strip()})") from error
    if id_column not in table and len(parts) > 1 and all(part in table for part in parts):
        table[id_column] = table[parts[0]].str.cat(table[parts[1:]], sep="+")
    return table


def read_solution(competition: HostedCompetition) -> pd.DataFrame:
    """The solution of a competition that has one: id (text), targets, `Usage`, and what the metric needs.

    `Usage` is Public, Private or Ignored: ignored rows must be predicted, and are not scored.
    """
    path, id_column = competition.solution_path, competition.id_column
    assert path is not None
    try:
        solution = read_table(path, competition)
    except InvalidSubmission as error:
        raise GraderFailed(f"the solution {path} cannot be read: {error.message}") from error
    if id_column not in solution or "Usage" not in solution:
        raise GraderFailed(f"the solution {path} lacks its id or its Usage column", hint="prepare it again")
    if solution[id_column].isna().any() or solution[id_column].duplicated().any():
        raise GraderFailed(f"the solution {path} has missing or repeated ids", hint="prepare it again")
    return solution


def grade_predictions(
    solution: pd.DataFrame, predictions: Predictions, competition: HostedCompetition
) -> Grade:
    """Score predictions of the solution's ids, in its order (the solution: id as text, targets, Usage).

    Raises InvalidSubmission when the metric refuses them and GraderFailed when metric or solution breaks.
    """
    from mle_live.metrics import InvalidPredictions, get_metric

    metric = get_metric(competition.metric)
    targets = list(competition.target_columns)
    truth = solution.set_index(competition.id_column)
    prediction = predictions.frame()
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
        ids = [str(judged_ids[row]) for row in error.row_positions[:_SHOWN_IDS] if row < len(judged_ids)]
        told = f"{error.message}: {', '.join(ids)}" if ids else error.message
        raise InvalidSubmission(error.code, told, ids) from error
    except Exception as error:  # a metric may break in any way, and none of them is the agent's fault
        raise GraderFailed(
            f"the metric {competition.metric} failed on {competition.slug}: {type(error).__name__}",
            hint="this is a fault of the grader, not of the submission; see the server's log",
        ) from error
    if any(score is not None and not math.isfinite(score) for score in scores.values()):
        raise GraderFailed(f"the metric {competition.metric} gave no finite score on {competition.slug}")
    return Grade(scores["public"], scores["private"], rows["public"], rows["private"])


def grade_file(competition: HostedCompetition, path: Path) -> Grade:
    """Score a submission file. Without labels the file is checked against the sample, and no score given."""
    from mle_live.metrics import reads_texts

    solution = read_solution(competition) if competition.solution_path else None
    form = Form.of_sample(
        competition.sample_submission, competition.solution_path,
        id_column=competition.id_column, texts=reads_texts(competition.metric),
    )  # fmt: skip
    if solution is not None:
        form = replace(form, ids=tuple(solution[competition.id_column]))
    found = judge_file(path, form)
    if isinstance(found, Flaw):
        raise InvalidSubmission.by(found)
    return Grade(None, None, 0, 0) if solution is None else grade_predictions(solution, found, competition)
