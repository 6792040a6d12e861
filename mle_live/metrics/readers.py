"""From two frames to two arrays of numbers, refusing what cannot be scored. Formulas are elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mle_live.metrics.metric import Array, Columns, Frame, InvalidPredictions

SHOWN_ROWS = 1000
"""At most so many row positions travel with an error; a person needs the first few."""


def numbers(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Real numbers on both sides."""
    return true_numbers(truth, columns), predicted_numbers(prediction, columns)


def non_negative(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Numbers ≥ 0 on both sides, as logarithmic errors need them."""
    expected, predicted = numbers(truth, prediction, columns)
    if expected.min() < 0:
        raise ValueError("the truth holds negative values: a logarithmic error is undefined")
    within(predicted, 0.0, np.inf, "predictions must not be negative", columns)
    return expected, predicted


def positive(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Numbers above 0 on both sides, as plain logarithms need them."""
    expected, predicted = numbers(truth, prediction, columns)
    if expected.min() <= 0:
        raise ValueError("the truth holds values that are not above 0: their logarithm is undefined")
    refuse(predicted <= 0, "out_of_range", "predictions must be above 0", columns)
    return expected, predicted


def varying(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Numbers that are not all the same, as correlations need them."""
    expected, predicted = numbers(truth, prediction, columns)
    for index, column in enumerate(columns):
        if np.ptp(predicted[:, index]) == 0:
            raise InvalidPredictions(
                "constant", f"all predictions in {column!r} are equal: a correlation is undefined"
            )
    return expected, predicted


def ratings(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Whole numbers on both sides."""
    expected, predicted = numbers(truth, prediction, columns)
    refuse(predicted != np.round(predicted), "unknown_label", "ratings must be whole numbers", columns)
    return expected, predicted


def ranks_of_positive(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Truth 0/1, prediction any number that is larger where the positive class is more likely."""
    return true_binary(truth, columns), predicted_numbers(prediction, columns)


def probabilities(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Truth 0/1, prediction a probability of 1."""
    expected, predicted = ranks_of_positive(truth, prediction, columns)
    within(predicted, 0.0, 1.0, "probabilities must lie between 0 and 1", columns)
    return expected, predicted


def flags(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """0/1 decisions on both sides."""
    expected, predicted = true_binary(truth, columns), _predicted_labels(truth, prediction, columns)
    refuse((predicted != 0) & (predicted != 1), "unknown_label", "decisions must be 0 or 1", columns)
    return expected, predicted


def class_probabilities(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """One column a class, predictions scaled to sum 1 a row.

    The truth is either one-hot in the same columns, or a single column whose labels are the columns' names.
    """
    predicted = predicted_numbers(prediction, columns)
    within(predicted, 0.0, 1.0, "probabilities must lie between 0 and 1", columns)
    totals = predicted.sum(axis=1, keepdims=True)
    refuse(totals == 0, "out_of_range", "the probabilities of a row must not all be 0", columns)
    if all(column in truth.columns for column in columns):
        expected = true_numbers(truth, columns)
    else:
        label_column = truth.columns[-1]
        names = truth[label_column].astype(str).to_numpy()
        expected = (names[:, None] == np.asarray(columns, dtype=str)[None, :]).astype(float)
    if not np.allclose(expected.sum(axis=1), 1):
        raise ValueError("each row of the truth must belong to exactly one class column")
    return expected, predicted / totals


def labels(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Class labels of any type as whole codes that agree between the two sides.

    A label that is absent from these rows of the truth is only wrong (a rare class may be missing from a
    small split); it is refused when it cannot be a label at all: text or a fraction where the classes are
    whole numbers, or a column in which nothing is a known label.
    """
    expected_codes, predicted_codes = [], []
    for column in columns:
        expected, predicted = truth[column], prediction[column]
        _refuse_missing(predicted, column)
        if _is_numeric(expected):
            expected_codes.append(expected.astype(float).to_numpy())
            predicted_codes.append(_numeric_labels(expected, predicted, column))
            continue
        known = expected.astype(str).to_numpy(dtype=object)
        given = predicted.astype(str).to_numpy(dtype=object)
        if not np.isin(given, known).any():
            raise InvalidPredictions(
                "unknown_label", f"no prediction in {column!r} is one of the class labels"
            )
        codes, _ = pd.factorize(np.concatenate([known, given]), sort=True)
        expected_codes.append(codes[: len(known)].astype(float))
        predicted_codes.append(codes[len(known) :].astype(float))
    return np.column_stack(expected_codes), np.column_stack(predicted_codes)


def _numeric_labels(expected: pd.Series[Any], predicted: pd.Series[Any], column: str) -> Array:
    values = _to_numbers(predicted, column)
    whole = bool((expected.astype(float) % 1 == 0).all())
    if whole:
        fractions = (values % 1 != 0)[:, None]
        refuse(fractions, "unknown_label", "class labels must be whole numbers, not probabilities", [column])
    return values


def true_numbers(truth: Frame, columns: Columns) -> Array:
    values = _block(truth, columns)
    if values is None:
        values = truth[list(columns)].to_numpy(dtype=float)
    if not all_finite(values):
        raise ValueError("the truth holds missing or infinite values")
    return values


def all_finite(values: Array) -> bool:
    """Whether no value is NaN or infinite; the sum tells it at once unless it overflows itself."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum())) or bool(np.isfinite(values).all())


def _block(frame: Frame, columns: Columns) -> Array | None:
    """The columns as one array without a copy where that is possible; None unless all are plain numbers."""
    if not all(isinstance(kind, np.dtype) and kind.kind in "iufb" for kind in frame.dtypes[list(columns)]):
        return None
    if len(columns) == 1:
        return np.asarray(frame[columns[0]].to_numpy(dtype=float)[:, None])
    chosen = frame if list(frame.columns) == list(columns) else frame[list(columns)]
    return np.asarray(chosen.to_numpy(dtype=float))


def true_binary(truth: Frame, columns: Columns) -> Array:
    """0/1; of two other labels the one that sorts last is positive, as in scikit-learn."""
    result = []
    for column in columns:
        values = truth[column]
        if _is_numeric(values) and set(values.unique()) <= {0, 1}:
            result.append(values.to_numpy(dtype=float))
            continue
        classes = sorted(values.unique())
        if len(classes) != 2:
            raise ValueError(f"the truth in {column!r} must hold two classes, it holds {len(classes)}")
        result.append((values == classes[1]).to_numpy().astype(float))
    return np.column_stack(result)


def _predicted_labels(truth: Frame, prediction: Frame, columns: Columns) -> Array:
    """Predicted flags in the coding that `true_binary` uses."""
    result: list[Array] = []
    for column in columns:
        _refuse_missing(prediction[column], column)
        if _is_numeric(truth[column]) and set(truth[column].unique()) <= {0, 1}:
            result.append(_to_numbers(prediction[column], column))
            continue
        classes = [str(label) for label in sorted(truth[column].unique())]
        given = prediction[column].astype(str)
        known = given.isin(classes).to_numpy()
        refuse(~known[:, None], "unknown_label", "predictions must be class labels", [column])
        result.append((given == classes[1]).to_numpy().astype(float))
    return np.column_stack(result)


def predicted_numbers(prediction: Frame, columns: Columns) -> Array:
    """Finite numbers, shape (rows, columns); refuses what is none, column by column."""
    values = _block(prediction, columns)
    if values is not None and all_finite(values):
        return values
    result = []
    for column in columns:
        _refuse_missing(prediction[column], column)
        result.append(_to_numbers(prediction[column], column))
    return np.column_stack(result)


def within(values: Array, low: float, high: float, rule: str, columns: Columns) -> None:
    """Refuse rows with a value outside [low, high] as `out_of_range`."""
    if values.min() < low or values.max() > high:
        refuse((values < low) | (values > high), "out_of_range", rule, columns)


def _to_numbers(values: pd.Series[Any], column: str) -> Array:
    """A complete column as finite numbers."""
    if _is_numeric(values):
        parsed = values.to_numpy(dtype=float)
    else:
        text = values.astype(str).str.strip().replace({"True": "1", "False": "0"})
        parsed = pd.to_numeric(text, errors="coerce").to_numpy(dtype=float)
        unread = np.isnan(parsed)[:, None]
        refuse(unread, "not_a_number", "predictions must be numbers", [column])
    refuse(np.isinf(parsed)[:, None], "infinite", "predictions must be finite", [column])
    return parsed


def _refuse_missing(values: pd.Series[Any], column: str) -> None:
    refuse(values.isna().to_numpy()[:, None], "nan", "predictions must not be empty or NaN", [column])


def refuse(bad: np.ndarray[Any, Any], code: str, rule: str, columns: Columns) -> None:
    """Raise for the rows in which any column of `bad` (rows, columns) is true."""
    if not bad.any():
        return
    rows = np.flatnonzero(bad.any(axis=1))
    where = repr(columns[0]) if len(columns) == 1 else f"{len(columns)} columns"
    noun = "row breaks" if len(rows) == 1 else "rows break"
    raise InvalidPredictions(
        code, f"{rule}: {len(rows)} {noun} this in {where}", [int(row) for row in rows[:SHOWN_ROWS]]
    )


def _is_numeric(values: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(values)
