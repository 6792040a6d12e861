"""A submission file before it is sent: checked against the sample, fingerprinted, sketched for comparison.

It does not know the metric and scores nothing. pandas is imported only when a file is read.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kaggle_runner.submissions.records import Column, FileFacts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

MOST_BYTES = 500 * 2**20
_SKETCH_VALUES = 4000
_SKETCH_ROWS = 2000
_SHOWN_IDS = 3
_CHUNK = 2**20


class Sample:
    """A competition's sample submission, read once for any number of files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fault = ""
        try:
            self._table = _read(path)
        except (OSError, ValueError) as error:
            self._fault = f"the sample submission {path} cannot be read, so nothing can be checked: {error}"

    def inspect(self, path: Path) -> FileFacts:
        """Look at `path` as a submission of the competition.

        A bad file is not an error here: its `problems` say what is wrong. Its content hash is then that of
        its bytes, so that it still has a name.
        """
        try:
            size, digest = path.stat().st_size, _digest(path)
        except OSError as error:
            return FileFacts("", "", 0, 0, problems=(f"{path} cannot be read: {error.strerror}",))
        problems = [f"it has {size:,} bytes, more than the {MOST_BYTES:,} that are taken"] * (
            size > MOST_BYTES
        )
        if path.suffix.lower() != ".csv":
            problems.append(f"{path.name!r} is not a .csv file")
        if self._fault:
            problems.append(self._fault)
        if problems:
            return FileFacts(digest, digest, 0, size, problems=tuple(problems))
        model = self._table
        try:
            table = _read(path, str(model.columns[0]))
        except (OSError, ValueError) as error:
            return FileFacts(digest, digest, 0, size, problems=(f"it is no readable CSV: {error}",))
        problems = _problems(table, model)
        if problems:
            return FileFacts(digest, digest, len(table), size, problems=tuple(problems))
        table = _canonical(table, model)
        return FileFacts(digest, _content(table), len(table), size, _sketch(table))


def inspect(path: Path, sample: Path) -> FileFacts:
    """One file against the sample submission at `sample`."""
    return Sample(sample).inspect(path)


def similarity(one: Sequence[Column], other: Sequence[Column]) -> float | None:
    """How much two sketches agree, at most 1: the mean over columns; None when they cannot be compared.

    For numbers this is Lin's concordance correlation (1989), 2·cov / (var₁ + var₂ + (mean₁ − mean₂)²), which
    unlike Pearson's is 1 for equal predictions only; for labels, the share of equal ones.
    """
    if not one or len(one) != len(other) or any(len(a) != len(b) for a, b in zip(one, other, strict=True)):
        return None
    agreements = [_agreement(a, b) for a, b in zip(one, other, strict=True)]
    return sum(agreements) / len(agreements)


def _agreement(one: Column, other: Column) -> float:
    left = [value for value in one if isinstance(value, float)]
    right = [value for value in other if isinstance(value, float)]
    if len(left) != len(one) or len(right) != len(other):
        return sum(a == b for a, b in zip(one, other, strict=True)) / max(1, len(one))
    largest = max(map(abs, (*left, *right)), default=0.0)
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


def _digest(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def _read(path: Path, key: str = "") -> pd.DataFrame:
    """The table with the id `key` (else its first column) as text; only an empty field is missing."""
    import pandas as pd

    head = pd.read_csv(path, nrows=0)
    if len(head.columns) < 2:
        raise ValueError("it has no column besides the id")
    return pd.read_csv(path, dtype={key or head.columns[0]: str}, keep_default_na=False, na_values=[""])


def _problems(table: pd.DataFrame, model: pd.DataFrame) -> list[str]:
    """Columns first, then ids, then values: each kind is told only when the one before is right."""
    wanted, given = list(map(str, model.columns)), list(map(str, table.columns))
    if sorted(wanted) != sorted(given):
        return [f"its columns are {_some(given)}; the sample has {_some(wanted)}"]
    key = wanted[0]
    if table[key].isna().any():
        return [f"{int(table[key].isna().sum())} rows have no {key}"]
    repeated = table[key][table[key].duplicated()].unique().tolist()
    if repeated:
        return [f"{len(repeated)} ids appear more than once: {_some(repeated)}"]
    if table[key].equals(model[key]):
        return _value_problems(table, model)
    expected, present = set(model[key]), set(table[key])
    missing, unknown = sorted(expected - present, key=str), sorted(present - expected, key=str)
    if missing or unknown:
        told = [f"{len(missing)} of {len(expected)} ids are missing: {_some(missing)}"] * bool(missing)
        return told + [f"{len(unknown)} ids are not in the sample: {_some(unknown)}"] * bool(unknown)
    return _value_problems(table, model)


def _value_problems(table: pd.DataFrame, model: pd.DataFrame) -> list[str]:
    key, *targets = map(str, model.columns)
    return [fault for name in targets if (fault := _fault_of_values(table, model, key, name))]


def _fault_of_values(table: pd.DataFrame, model: pd.DataFrame, key: str, name: str) -> str:
    import numpy as np
    import pandas as pd

    values = table[name]
    if values.isna().any():
        return (
            f"{int(values.isna().sum())} values of {name!r} are missing: {_some(table[key][values.isna()])}"
        )
    if model[name].dtype.kind not in "iuf":
        return ""
    try:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
    except OverflowError:  # a whole number of hundreds of digits
        return f"values of {name!r} are larger than any number may be"
    bad = ~np.isfinite(numbers)
    if bad.any():
        return f"{int(bad.sum())} values of {name!r} are no finite numbers: {_some(table[key][bad])}"
    return ""


def _some(values: Sequence[object] | pd.Series) -> str:
    shown = [str(value) for value in list(values)[:_SHOWN_IDS]]
    return ", ".join(shown) + (" …" if len(values) > _SHOWN_IDS else "")


def _canonical(table: pd.DataFrame, model: pd.DataFrame) -> pd.DataFrame:
    """Rows and columns as in the sample, so that order alone makes no difference."""
    import pandas as pd

    names = list(model.columns)
    key = names[0]
    if not table[key].equals(model[key]):
        table = table.set_index(key).loc[model[key]].reset_index()
    table = table[names]
    numbers = [name for name in names[1:] if model[name].dtype.kind in "iuf"]
    return table.assign(**{name: pd.to_numeric(table[name]).astype(float) for name in numbers})


def _content(table: pd.DataFrame) -> str:
    """SHA-256 of names, texts, and numbers to nine significant digits."""
    total = hashlib.sha256("\x1f".join(map(str, table.columns)).encode())
    for name in table.columns:
        values = table[name]
        if values.dtype.kind == "f":
            total.update(_nine_digits(values.to_numpy(dtype=float)))
        else:
            total.update("\x1f".join(map(str, values.tolist())).encode())
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


def _sketch(table: pd.DataFrame) -> tuple[Column, ...]:
    """Evenly spaced rows: every file of a competition gives the same ones."""
    import numpy as np

    targets = list(table.columns[1:])[:_SKETCH_VALUES]
    count = min(len(table), _SKETCH_ROWS, max(1, _SKETCH_VALUES // len(targets)))
    places = np.linspace(0, len(table) - 1, count).astype(int)
    chosen = table.iloc[places]
    return tuple(_column(chosen[name]) for name in targets)


def _column(values: pd.Series) -> Column:
    if values.dtype.kind in "iufb":
        return tuple(float(f"{value:.6g}") for value in values.astype(float))
    return tuple(map(str, values))
