"""The sentences an agent reads about its predictions, made outside the grader from a code, ids and numbers.

Nothing that was written where labels can be read is passed on: an unknown code gets a general sentence, and
an id is shown only when it is public already.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from kaggle_runner.predictions import judge
from kaggle_runner.score import Score

_ROW = re.compile(r"row \d{1,10}")
_IDS_SHOWN = 5

PROBLEMS: dict[str, str] = {
    **judge.PROBLEMS,
    "both_files": "both a validation and a test prediction file are needed in the same turn",
    "unsafe_file": "it is not a regular file inside the working folder (links and pipes are not read)",
    "too_large": "it is far larger than any valid submission",
    "out_of_range": "some predictions lie outside the range that the metric allows",
    "unknown_label": "some predictions are not valid labels; copy the form of the labels in train.csv",
    "constant": "all predictions are equal, and the metric is undefined for them",
    "malformed": "some predictions do not read as the metric needs them; copy the form of the sample",
    "row_count": "the number of rows is wrong",
    "score_not_finite": "the metric is not finite for these predictions",
    "metric_error": "the metric could not be computed for these predictions",
    "infrastructure": "grading failed for a reason that is not yours; hand in the same files again",
}


def known_code(code: object) -> str:
    """The code when it is one of ours, else `metric_error`."""
    return code if isinstance(code, str) and code in PROBLEMS else "metric_error"


def public_ids(ids: object, public: Collection[str]) -> list[str]:
    """Those ids that may be shown: ids of the sample submissions and numbers of rows."""
    if not isinstance(ids, list):
        return []
    shown = [one for one in ids if isinstance(one, str) and (one in public or _ROW.fullmatch(one))]
    return shown[:_IDS_SHOWN]


def failure_message(
    code: str, *, file: str = "", ids: Sequence[str] = (), columns: Sequence[str] = ()
) -> str:
    """Why a pair of prediction files was not scored. `file` is `validation` or `test`."""
    which = {"validation": "The validation predictions: ", "test": "The test predictions: "}.get(file, "")
    rows = f" (first: {', '.join(ids)})" if ids else ""
    needed = f" (columns: {', '.join(columns)})" if code == "missing_column" and columns else ""
    sentence = f"{which}{PROBLEMS[code]}{needed}{rows}."
    return f"Not scored. {sentence[0].upper()}{sentence[1:]}"


def success_message(score: Score) -> str:
    """What an agent learns of valid predictions: the score on the feedback rows only."""
    direction = "higher" if score.higher_is_better else "lower"
    return (
        f"Scored {score.value:.6g} on {score.rows} feedback rows "
        f"(95 % interval {score.low:.6g} to {score.high:.6g}; {direction} is better)."
    )
