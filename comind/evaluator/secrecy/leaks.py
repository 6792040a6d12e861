"""Look for validation labels in public files: beside ids in tables and texts, in folder names, in archives.

A finding is a sentence for the author of the split. It names files and columns, never a label.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaggle_runner.errors import BadCompetition
from mle_live.layout.formats import read_text

if TYPE_CHECKING:
    import pandas as pd

_TABLES = frozenset({".csv", ".tsv"})
_TEXTS = frozenset({".json", ".jsonl", ".txt", ".md", ".yaml", ".yml", ".xml", ".py", ".html", ""})
_ARCHIVES = frozenset(
    {".zip", ".gz", ".bz2", ".xz", ".7z", ".tar", ".parquet", ".feather", ".pkl", ".npy", ".npz"}
)
_SAFE = frozenset({"train.csv", "test.csv", "sample_submission.csv"})
"""The first is compared row by row elsewhere; the others are the host's own files, byte for byte."""
_FILES_READ = 2000
_PATHS_SEEN = 200_000
_TEXT_BYTES = 64_000_000
_KEYS_TRIED = 8
_PROBED_ROWS = 200
_PROBE_AGREES = 0.9
"""Share of the probed rows in which a column must say the label before it is compared in full; far below
the 0.99 of `agrees`, so that chance in the probe hides nothing."""
_ROWS_READ = 1_000_000
_TOKENS_AROUND = (-4, -3, -2, -1, 1, 2, 3, 4, 5, 6)
_TOKEN = re.compile(r"[^\s,;:|\"'{}\[\]()<>=]+")


def find_leaks(public: Path, labels: pd.Series[Any], natural: frozenset[str]) -> list[str]:
    """Every place under `public` where the validation labels can be read off.

    `labels` maps validation ids to labels, both as text. `natural` are columns that say the label in the
    host's own inputs too, and are therefore allowed in validation.csv.
    """
    if labels.nunique() < 2:
        return []
    findings = []
    for number, path in enumerate(_files(public)):
        if number >= _FILES_READ or str(path.relative_to(public)) in _SAFE:
            continue
        name = str(path.relative_to(public))
        suffix = path.suffix.lower()
        if suffix in _TABLES:
            allowed = natural if name == "validation.csv" else frozenset()
            findings += [f"{name}: {what}" for what in _table_leaks(path, labels, allowed)]
        elif suffix in _TEXTS and _text_leaks(path, labels):
            findings.append(f"{name}: the labels stand beside the validation ids")
        elif suffix in _ARCHIVES and _holds_training_table(path):
            findings.append(f"{name}: it seems to hold the whole training table")
    if _folders_leak(public, labels):
        findings.append("the files of validation rows lie in folders that are named after their labels")
    return findings


def agrees(labels: pd.Series[Any], values: pd.Series[Any]) -> bool:
    """Whether `values` (same index) give nearly every label away, rare classes included."""
    import pandas as pd

    same = labels == values
    if not same.all():
        left, right = pd.to_numeric(labels, errors="coerce"), pd.to_numeric(values, errors="coerce")
        same = same | ((left - right).abs() <= 1e-9 * left.abs().clip(lower=1e-9))
    if labels.nunique() < 2 or same.mean() < 0.99:
        return False
    return labels.nunique() > 50 or bool(same.groupby(labels).mean().mean() >= 0.95)


def _files(public: Path) -> Iterator[Path]:
    """Readable files, tables first, so that a folder of many images hides nothing that matters."""
    kinds = (_TABLES, _ARCHIVES, _TEXTS)
    for kind in kinds:
        for number, path in enumerate(public.rglob("*")):
            if number >= _PATHS_SEEN:
                break
            if path.suffix.lower() in kind and path.is_file():
                yield path


def _enough(found: int, rows: int) -> bool:
    return found >= min(20, max(2, rows // 2))


def _table_leaks(path: Path, labels: pd.Series[Any], allowed: frozenset[str]) -> list[str]:
    try:
        table = read_text(path, rows=_ROWS_READ)
    except BadCompetition:  # no table to anybody, but a text like others
        return ["the labels stand beside the validation ids"] if _text_leaks(path, labels) else []
    for key in _keys(table, labels):
        rows = table[table[key].isin(labels.index)].drop_duplicates(key).set_index(key)
        expected = labels.loc[rows.index]
        columns = [name for name in rows.columns if name not in allowed]
        if names := _agreeing(expected, rows[columns]):
            return [f"column {names[0]!r} gives the validation labels"]
    return []


def _keys(table: pd.DataFrame, labels: pd.Series[Any]) -> list[str]:
    """Columns that may name the rows: those that hold enough of the ids, the id's own column first.

    At most `_KEYS_TRIED`, those that hold most ids: a wide table of small whole numbers has thousands that
    share a few values with ids such as 0, 1, 2, and each would have to be compared with all the others.
    """
    ids = set(labels.index.tolist())
    held = {name: len(ids.intersection(table[name].tolist())) for name in table.columns}
    keys = [name for name in table.columns if _enough(held[name], len(labels))]
    keys.sort(key=lambda name: (name != labels.index.name, -held[name]))
    return keys[:_KEYS_TRIED]


def _agreeing(labels: pd.Series[Any], rows: pd.DataFrame) -> list[str]:
    """The columns of `rows` (same index, all text) that give the labels away.

    Columns that fail on a sample of the rows are left out before the costly comparison.
    """
    import numpy as np
    import pandas as pd

    if rows.empty:
        return []
    places = np.arange(len(rows))
    if len(rows) > _PROBED_ROWS:
        places = np.random.default_rng(0).choice(len(rows), _PROBED_ROWS, replace=False)
    expected, probe = labels.iloc[places], rows.iloc[places].to_numpy(dtype=object)
    same = probe == expected.to_numpy(dtype=object)[:, None]
    left = pd.to_numeric(expected, errors="coerce").to_numpy(dtype=float)[:, None]
    right = np.asarray(pd.to_numeric(probe.ravel(), errors="coerce"), dtype=float).reshape(probe.shape)
    with np.errstate(invalid="ignore"):  # infinities; they agree as texts or not at all
        same |= np.abs(left - right) <= 1e-9 * np.maximum(np.abs(left), 1e-9)
    suspects = rows.columns[same.mean(axis=0) >= _PROBE_AGREES]
    return [name for name in suspects if agrees(labels, rows[name])]


def _text_leaks(path: Path, labels: pd.Series[Any]) -> bool:
    if path.stat().st_size > _TEXT_BYTES:
        return False
    return text_tells(path.read_text(encoding="utf-8", errors="replace"), labels)


def text_tells(text: str, labels: pd.Series[Any]) -> bool:
    """Whether the token at some fixed distance from the ids is their label. `labels`: id → label, as text."""
    import pandas as pd

    tokens = _TOKEN.findall(text)
    places = [(number, token) for number, token in enumerate(tokens) if token in labels.index]
    if len({token for _, token in places}) < 2 or not _enough(len(places), len(labels)):
        return False
    for distance in _TOKENS_AROUND:
        near = {
            token: tokens[number + distance]
            for number, token in places
            if 0 <= number + distance < len(tokens)
        }
        found = pd.Series(near, dtype=str)
        if _enough(len(found), len(labels)) and agrees(labels.loc[found.index], found):
            return True
    return False


def _folders_leak(public: Path, labels: pd.Series[Any]) -> bool:
    import pandas as pd

    parents: dict[str, str] = {}
    for number, path in enumerate(public.rglob("*")):
        if number >= _PATHS_SEEN:
            break
        for name in (path.name, path.stem):
            if name in labels.index and path.parent != public:
                parents[name] = path.parent.name
    found = pd.Series(parents, dtype=str)
    return _enough(len(found), len(labels)) and agrees(labels.loc[found.index], found)


def _holds_training_table(path: Path) -> bool:
    if path.name.lower().split(".")[0] in ("train", "labels", "train_labels", "solution"):
        return True
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(Path(name).name.lower() == "train.csv" for name in archive.namelist())


def repeated_rows(
    original: pd.DataFrame, train: pd.DataFrame, validation: pd.DataFrame, columns: list[str]
) -> str:
    """A sentence when more validation rows stand in the training part than rows repeat by nature, else ""."""
    import pandas as pd

    def fingerprints(table: pd.DataFrame) -> pd.Series[Any]:
        # by rows: pandas' own hash goes by columns, and a wide table has thousands of them
        rows = zip(*(table[name].to_numpy(dtype=object).tolist() for name in columns), strict=True)
        return pd.Series([hash(row) for row in rows], dtype="int64")

    if not columns or not len(validation):
        return ""
    natural = float(fingerprints(original).duplicated(keep=False).mean())
    seen = float(fingerprints(validation).isin(fingerprints(train)).mean())
    noise = 3 * (natural * (1 - natural) / len(validation)) ** 0.5 + 1 / len(validation)
    if natural > 0.5 or seen <= natural + noise:
        return ""
    return f"{seen:.1%} of the validation rows also stand in the public train.csv; {natural:.1%} is natural"


def natural_columns(train: pd.DataFrame, label_columns: list[str]) -> frozenset[str]:
    """Input columns that equal the label in the original training table as well."""
    inputs = train[[name for name in train.columns if name not in label_columns]]
    return frozenset(
        name for label in label_columns if label in train for name in _agreeing(train[label], inputs)
    )
