"""The evaluator's two files: the reference split as it is, and a template for a metric named in words."""

from __future__ import annotations

import re

from comind.offline.prompts import Data, StatedMetric, read_data, read_metric, sections

_LABELS = """
def score(truth: pd.DataFrame, submission: pd.DataFrame) -> float:
    columns = [column for column in truth.columns if column in submission.columns]
    parts = [{call} for a, b in ((truth[c].astype(str), submission[c].astype(str)) for c in columns)]
    return float(np.mean(parts))
"""
_NUMBERS = """
def score(truth: pd.DataFrame, submission: pd.DataFrame) -> float:
    columns = [column for column in truth.columns if column in submission.columns]
    a, b = truth[columns].to_numpy(float), submission[columns].to_numpy(float)
    return float({formula})
"""

_TEMPLATES: tuple[tuple[str, str, bool, str, str], ...] = (
    ("roc|area under", "area under the ROC curve", True, "roc_auc_score", "roc_auc_score(a, b)"),
    ("log.?loss|cross.?entropy", "logarithmic loss", False, "log_loss",
     "log_loss(a, np.clip(b, 1e-15, 1 - 1e-15))"),
    ("rmsle|logarithmic error", "root mean squared logarithmic error", False, "",
     "np.sqrt(np.mean((np.log1p(a) - np.log1p(np.clip(b, 0, None))) ** 2))"),
    ("mean absolute|\\bmae\\b", "mean absolute error", False, "", "np.mean(np.abs(a - b))"),
    ("pearson", "Pearson correlation", True, "", "np.corrcoef(a.ravel(), b.ravel())[0, 1]"),
    ("r2|determination", "coefficient of determination", True, "r2_score", "r2_score(a, b)"),
    ("f1", "macro-averaged F1", True, "f1_score", 'f1_score(a, b, average="macro")'),
    ("kappa", "quadratic weighted kappa", True, "cohen_kappa_score",
     'cohen_kappa_score(a.ravel().astype(int), np.round(b).ravel().astype(int), weights="quadratic")'),
    ("accuracy", "accuracy", True, "accuracy_score", "accuracy_score(a, b)"),
    ("root mean squared|rmse", "root mean squared error", False, "", "np.sqrt(np.mean((a - b) ** 2))"),
)  # fmt: skip


def split_reply(_message: str) -> str:
    """The word that keeps the reference file, which was written for exactly this profile."""
    return _reply("split_dataset.py", "The reference file fits the profile of this competition.", "unchanged")


def layout_reply(_message: str) -> str:
    """A split for files of no usual shape is written by models only: this one says so where it is run."""
    code = (
        "def split(original, public, private, *, fraction, seed):\n"
        '    raise NotImplementedError("recipes split usual shapes only; a model can write this")\n'
    )
    return _reply("split_dataset.py", "No recipe splits files of this shape.", code)


def metric_reply(message: str) -> str:
    """A metric that the section names in words, else RMSE or accuracy by the kind of target."""
    parts = sections(message)
    body = parts.get("Metric", "")
    metric, data = read_metric(body), read_data(parts.get("Data", ""))
    template, known = _template(f"{body}\n{parts.get('Competition', '')}", data)
    _, title, higher, imported, formula = template
    if known and "direction" in body.lower() and metric.higher_is_better != higher:
        known = False
    code = _file(higher if known else _direction(metric, body, higher), imported, formula, title)
    said = "" if known else " The description names no metric that is known here, so this is the usual one."
    direction = "higher" if higher else "lower"
    return _reply("evaluate.py", f"{title[0].upper()}{title[1:]}; {direction} is better.{said}", code)


def _template(text: str, data: Data) -> tuple[tuple[str, str, bool, str, str], bool]:
    found = [(match.start(), t) for t in _TEMPLATES if (match := re.search(t[0], text, re.I))]
    if found:
        return min(found, key=lambda pair: pair[0])[1], True
    name = "accuracy" if data.task in ("binary", "multiclass") else "root mean squared error"
    return next(t for t in _TEMPLATES if t[1] == name), False


def _direction(metric: StatedMetric, body: str, usual: bool) -> bool:
    return metric.higher_is_better if "direction" in body.lower() else usual


def _file(higher: bool, imported: str, formula: str, title: str) -> str:
    labels = imported in ("accuracy_score", "f1_score")
    body = _LABELS.replace("{call}", formula) if labels else _NUMBERS.replace("{formula}", formula)
    head = f'"""The {title}."""\n\nimport numpy as np\nimport pandas as pd\n'
    if imported:
        head += f"from sklearn.metrics import {imported}\n"
    return f"{head}\nHIGHER_IS_BETTER = {higher}\n\n{body}"


def _reply(name: str, explanation: str, code: str) -> str:
    head = f"<current_file>{name}</current_file>\n<explanation>{explanation}</explanation>"
    return f"{head}\n<code>\n{code.strip()}\n</code>"
