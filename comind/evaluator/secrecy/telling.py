"""Whether one column tells another: itself, in other words, in bins, or with a little noise.

Both are text, of the same rows. What tells only one of several classes tells labels, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ENOUGH_ROWS = 12
"""Fewer rows that agree may do so by chance."""
_NEARLY = 0.98
"""Share of rows in which a column says the label, or its correlation with it, from which on it tells it."""
_AMOUNTS = 20
"""Numbers of so many values are amounts, others are classes."""
_ROWS_A_VALUE, _MOST_VALUES = 5, 50
"""Of a column whose values may stand for classes or bins, beside as many as there are classes."""
_CLASSES_TRIED = 50
_OF_BINS = 0.95
_SPREAD = 0.25
"""Share of the labels' variance that bins of some size can say at best, for bins to be worth a look."""


def tells(values: pd.Series[Any], labels: pd.Series[Any]) -> bool:
    import pandas as pd

    filled = values != ""
    if filled.sum() < min(ENOUGH_ROWS, len(values)) or labels[filled].nunique() < 2:
        return False
    values, labels = values[filled], labels[filled]
    amounts = pd.to_numeric(labels, errors="coerce")
    if labels.nunique() > _AMOUNTS and bool(amounts.notna().all()):
        return _tells_amount(values, amounts)
    if labels.nunique() > len(labels) / 2:  # texts, a mask: nothing but themselves tells them
        return says(values, labels)
    return _tells_class(values, labels)


def says(values: pd.Series[Any], labels: pd.Series[Any]) -> bool:
    """Whether the values are the labels, or are names of the same classes one by one."""
    import pandas as pd

    left, right = (pd.to_numeric(one, errors="coerce") for one in (values, labels))
    same = (values == labels) | ((left - right).abs() <= 1e-9 * right.abs().clip(lower=1e-9))
    if same.mean() >= _NEARLY:
        return True
    few = labels.nunique() <= len(labels) / 2 and values.nunique() == labels.nunique()
    return few and bool(labels.groupby(values).nunique().max() == 1)


def _tells_amount(values: pd.Series[Any], amounts: pd.Series[Any]) -> bool:
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().mean() >= _NEARLY and numbers.nunique() >= 3:
        alike = abs(numbers.rank().corr(amounts.rank())), abs(numbers.corr(amounts))
        if max(alike) >= _NEARLY:
            return True
    return _are_bins(values, amounts.rank())


def _are_bins(values: pd.Series[Any], ranks: pd.Series[Any]) -> bool:
    """Whether rows of one value are neighbours by their label: of what bins of these sizes would say of the
    ranks' variance, the values say nearly all."""
    if not 2 <= values.nunique() <= len(values) / _ROWS_A_VALUE or len(values) < 2 * ENOUGH_ROWS:
        return False
    means = ranks.groupby(values).mean()
    at_best = values.map(means.rank(method="first")).rank().var()
    said = values.map(means).var()
    return bool(at_best >= _SPREAD * ranks.var() and said >= _OF_BINS * at_best)


def _tells_class(values: pd.Series[Any], labels: pd.Series[Any]) -> bool:
    import pandas as pd

    classes = labels.value_counts()
    most = max(2 * len(classes), len(classes) + 2, min(len(values) // _ROWS_A_VALUE, _MOST_VALUES))
    if values.nunique() <= most and _names(values, labels):
        return True
    numbers = pd.to_numeric(values, errors="coerce")
    measured = numbers.notna().mean() >= _NEARLY and numbers.nunique() > 2
    if len(classes) == 2:
        return measured and _separates(numbers, labels == classes.index[0])
    for name in classes.index[classes >= ENOUGH_ROWS][:_CLASSES_TRIED]:
        one = labels == name
        if values.nunique() <= 4 and _names(values, one):
            return True
        if measured and _separates(numbers, one):
            return True
    return False


def _names(values: pd.Series[Any], labels: pd.Series[Any]) -> bool:
    """Whether rows of one value have one label, nearly always; values that occur once say nothing."""
    often = values.map(values.value_counts()) > 1
    if often.sum() < max(min(ENOUGH_ROWS, len(values)), len(values) / 2):
        return False
    values, labels = values[often], labels[often]
    if labels.nunique() < 2:
        return False
    usual = labels.groupby(values).agg(lambda group: group.value_counts().iloc[0]).sum()
    commonest = labels.value_counts(normalize=True).iloc[0]
    return bool(usual / len(labels) >= max(_NEARLY, commonest + (1 - commonest) * 0.9))


def _separates(numbers: pd.Series[Any], first: pd.Series[Any]) -> bool:
    """Area under the ROC curve of the numbers for two classes, either way round, of nearly one."""
    ones, others = int(first.sum()), int((~first).sum())
    area = (numbers.rank()[first].sum() - ones * (ones + 1) / 2) / (ones * others)
    return bool(max(area, 1 - area) >= 0.995)
