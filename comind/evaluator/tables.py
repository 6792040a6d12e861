"""Reading CSV tables for the evaluator, bounded, with errors that name the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kaggle_runner.errors import BadCompetition

if TYPE_CHECKING:
    import pandas as pd


def read_table(path: Path, *, rows: int | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A CSV with pandas' own types, at most `rows` rows; BadCompetition when it cannot be read."""
    import pandas as pd

    try:
        return pd.read_csv(path, nrows=rows, usecols=list(columns) if columns else None, low_memory=False)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise BadCompetition(f"{path} is not a readable CSV: {error}.", hint="Mend or replace it.") from error


def read_text_table(path: Path, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A CSV with every value as the text that stands in the file; an empty field is an empty text.

    Raises ValueError, OSError or pandas.errors.ParserError as pandas does.
    """
    import pandas as pd

    return pd.read_csv(path, dtype=str, na_filter=False, usecols=list(columns) if columns else None)


def count_rows(path: Path, head: pd.DataFrame, read: int) -> int:
    """Rows of the table whose first `read` rows are `head`; counted in one column when there are more."""
    if len(head) < read:
        return len(head)
    return len(read_table(path, columns=[str(head.columns[0])]))


def text_columns(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Columns of free text: at least five words and 25 characters on average, and rarely the same twice."""
    found = []
    for name in names:
        values = table[name].dropna().head(1000)
        if str(values.dtype) not in ("object", "str", "string") or not len(values):
            continue
        texts = values.astype(str)
        words = texts.str.count(r"\S+").mean()
        if words >= 5 and texts.str.len().mean() >= 25 and texts.nunique() >= 0.5 * len(texts):
            found.append(name)
    return found
