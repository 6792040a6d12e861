"""A submission file before it is sent: judged, fingerprinted, sketched for comparison.

It does not know the metric and scores nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kaggle_runner.errors import BadCompetition
from kaggle_runner.files import sha256_of, write_whole
from kaggle_runner.predictions.columns import Values
from kaggle_runner.predictions.judge import Form, Predictions, judge_file, respelt
from kaggle_runner.submissions.records import FileFacts, SketchColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MOST_BYTES = 500 * 2**20
_SKETCH_VALUES = 4000
_SKETCH_ROWS = 2000


class Sample:
    """A competition's sample submission, read once for any number of files (see `Form.of_sample`)."""

    def __init__(
        self, path: Path, labels: Path | None = None, *, id_column: str = "", texts: bool = False
    ) -> None:
        self._form, self._fault = None, ""
        try:
            self._form = Form.of_sample(path, labels, id_column=id_column, texts=texts)
        except BadCompetition as error:
            self._fault = f"nothing can be checked: {error.message}"

    def respell(self, path: Path) -> None:
        """Write a good file beside `path` as the sample spells it, where it does not (see `as_spelt`)."""
        text = respelt(path, self._form) if self._form else None
        if text is not None:
            write_whole(_respelt(path), text)

    def inspect(self, path: Path) -> FileFacts:
        """Look at `path` as a submission of the competition.

        A bad file is not an error here: its `problems` say what is wrong. Its content hash is then that of
        its bytes, so that it still has a name.
        """
        try:
            size, digest = path.stat().st_size, sha256_of(path)
        except OSError as error:
            return FileFacts("", "", 0, 0, problems=(f"{path} cannot be read: {error.strerror}",))
        if size > MOST_BYTES:
            problem = f"it has {size:,} bytes, more than the {MOST_BYTES:,} that are taken"
        elif path.suffix.lower() != ".csv":
            problem = f"{path.name!r} is not a .csv file"
        elif self._form is None:
            problem = self._fault
        else:
            found = judge_file(path, self._form)
            if isinstance(found, Predictions):
                content = _content(found, self._form.id_column)
                return FileFacts(digest, content, len(found.ids), size, _sketch(found))
            problem = found.sentence
        return FileFacts(digest, digest, 0, size, problems=(problem,))


def as_spelt(path: Path) -> Path:
    """What `Sample.respell` wrote for this file, else the file itself."""
    return _respelt(path) if _respelt(path).is_file() else path


def _respelt(path: Path) -> Path:
    return path.with_name(f"{path.stem}.respelt.csv")


def similarity(one: Sequence[SketchColumn], other: Sequence[SketchColumn]) -> float | None:
    """How much two sketches agree, at most 1: the mean over columns; None when they cannot be compared.

    For numbers this is Lin's concordance correlation (1989), 2·cov / (var₁ + var₂ + (mean₁ − mean₂)²), which
    unlike Pearson's is 1 for equal predictions only; for labels, the share of equal ones.
    """
    if not one or not all(one) or [len(column) for column in one] != [len(column) for column in other]:
        return None
    agreements = [_agreement(a, b) for a, b in zip(one, other, strict=True)]
    return sum(agreements) / len(agreements)


def _agreement(one: SketchColumn, other: SketchColumn) -> float:
    left = [value for value in one if isinstance(value, float)]
    right = [value for value in other if isinstance(value, float)]
    if len(left) != len(one) or len(right) != len(other):
        return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    largest = max(map(abs, (*left, *right)))
    if not math.isfinite(largest):
        return sum(a == b for a, b in zip(left, right, strict=True)) / len(left)
    # Brought near one by a power of two: squares of predictions may be more than a float holds.
    exponent = -math.frexp(largest)[1]
    left, right = ([math.ldexp(value, exponent) for value in side] for side in (left, right))
    count = len(left)
    mean_left, mean_right = math.fsum(left) / count, math.fsum(right) / count
    var_left = math.fsum((a - mean_left) ** 2 for a in left) / count
    var_right = math.fsum((b - mean_right) ** 2 for b in right) / count
    shared = math.fsum((a - mean_left) * (b - mean_right) for a, b in zip(left, right, strict=True)) / count
    spread = var_left + var_right + (mean_left - mean_right) ** 2
    return 2 * shared / spread if spread > 0 else 1.0


def _content(predictions: Predictions, id_column: str) -> str:
    """SHA-256 of names, texts, and numbers to nine significant digits."""
    import numpy as np

    total = hashlib.sha256("\x1f".join([id_column, *predictions.columns]).encode())
    for values in (list(predictions.ids), *predictions.columns.values()):
        if isinstance(values, list):
            total.update("\x1f".join(values).encode())
        else:
            total.update(_nine_digits(np.asarray(values)))
    return total.hexdigest()


def _nine_digits(values: npt.NDArray[np.float64]) -> bytes:
    """Mantissas and exponents of finite numbers; what is nearer to zero than 1e-290 is zero."""
    import numpy as np

    size = np.abs(values)
    there = size > 1e-290
    exponents = np.where(there, np.floor(np.log10(np.where(there, size, 1.0))), 0.0)
    mantissas = np.where(there, np.rint(values / 10.0 ** (exponents - 8)), 0.0)
    carried = np.abs(mantissas) >= 1e9
    mantissas, exponents = np.where(carried, mantissas / 10, mantissas), exponents + carried
    return mantissas.astype("<i8").tobytes() + exponents.astype("<i2").tobytes()


def _sketch(predictions: Predictions) -> tuple[SketchColumn, ...]:
    """Evenly spaced rows: every file of a competition gives the same ones."""
    import numpy as np

    columns = list(predictions.columns.values())[:_SKETCH_VALUES]
    rows = len(predictions.ids)
    count = min(rows, _SKETCH_ROWS, max(1, _SKETCH_VALUES // len(columns)))
    places = np.linspace(0, rows - 1, count).astype(int).tolist()
    return tuple(_chosen(values, places) for values in columns)


def _chosen(values: Values, rows: Sequence[int]) -> SketchColumn:
    if isinstance(values, list):
        return tuple(values[row] for row in rows)
    return tuple(float(f"{values[row]:.6g}") for row in rows)
