"""What prompts and the split are told of a competition: the profile of its tables, task, groups, file sizes.

It reads at most `_ROWS_READ` rows of a table and draws nothing at random, so the same folder always gives the
same profile. It does not decide how to split or how to score.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from comind.evaluator.groups import find_group_column
from comind.evaluator.timeline import find_time_column
from kaggle_runner.texts import one_line, shortened
from mle_live.layout.pixels import INPUT, OUTPUT, PixelRows
from mle_live.layout.tables import (
    MISSING,
    ColumnProfile,
    Stated,
    TableProfile,
    describe,
    profile_tables,
    read_tables,
    typed,
)

if TYPE_CHECKING:
    import pandas as pd

Task = Literal["binary", "multiclass", "multilabel", "ordinal", "regression"]

_ROWS_READ = 20_000
_FILES_COUNTED = 200_000
_COLUMNS_SHOWN = 80
_CLASSES_KEPT = 200
_REGRESSION_METRICS = re.compile(
    r"rms|mae|mse|msle|mape|r2|pearson|spearman|absolute|squared|laplace|gini|pinball", re.I
)
_ORDINAL_METRICS = re.compile(r"quadratic|weighted[ _]kappa", re.I)


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """All that the standard split must know of a competition."""

    id_column: str
    target_columns: tuple[str, ...]
    label_column: str | None
    task: Task
    group_column: str | None
    time_column: str | None = None
    pixels: PixelRows | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompetitionProfile(TableProfile):
    """A competition's files in numbers and names. `text` says it all for a prompt."""

    task: Task
    metric: str
    """Empty before it is known: no prompt names one then."""
    higher_is_better: bool
    train_rows: int
    test_rows: int
    columns: tuple[ColumnProfile, ...]
    """Those of train.csv."""
    classes: tuple[str, ...] = ()
    sample_head: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    """Each entry of the data folder and its size in words."""
    time_column: str | None = None
    """Where the rows to predict are later than the training rows: the column that says when."""
    has_ready_split: bool = True
    """False where the files are of no shape that the standard split knows: a model writes one."""
    notes: tuple[str, ...] = ()
    """What is told of the files then."""

    @property
    def facts(self) -> SplitFacts:
        return SplitFacts(
            self.id_column,
            self.target_columns,
            self.label_column,
            self.task,
            self.group_column,
            self.time_column,
            self.pixels,
        )

    @property
    def row_column(self) -> str:
        """What names a row of train.csv, validation.csv and test.csv; of a submission the id does."""
        return self.pixels.unit if self.pixels else self.id_column

    @property
    def held_out(self) -> str:
        """How validation rows are chosen by the standard split, in words."""
        if not self.has_ready_split:
            return "by a script that the evaluator's model writes"
        if self.pixels:
            return "whole images, drawn at random"
        if self.time_column:
            return f"the latest by {self.time_column}, as the rows to predict are later still"
        if self.group_column:
            return f"whole groups of {self.group_column}"
        how = "quantiles of the target" if self.task == "regression" else "shares of the classes"
        return f"drawn at random, keeping {how}"

    @property
    def text(self) -> str:
        """The profile as plain lines for a prompt."""
        return self._as_text(in_view=False)

    @property
    def text_in_view(self) -> str:
        """The same for scripts that run in the joined view, where validation rows are test rows."""
        return self._as_text(in_view=True)

    def _as_text(self, *, in_view: bool) -> str:
        better = "higher" if self.higher_is_better else "lower"
        metric = f"; metric: {self.metric} ({better} is better)" if self.metric else ""
        if not self.has_ready_split:
            return "\n".join([
                f"Modality: {self.modality}{metric}",
                f"Rows to predict: {self.test_rows}",
                f"Id column: {self.id_column}; target columns: {_some(self.target_columns)}",
                "The host's files, before the split:", *self.notes,
                "Head of sample_submission.csv:", *self.sample_head,
            ])  # fmt: skip
        lines = [
            f"Modality: {self.modality}; task: {self.task}{metric}",
            f"Rows: {self.train_rows} in train.csv, {self.test_rows} to predict",
            f"Id column: {self.id_column}; target columns: {_some(self.target_columns)}",
        ]
        if self.label_column:
            lines.append(
                f"Labels are class names in column {self.label_column} of train.csv; a submission has one "
                "column of probabilities per class"
            )
        if self.classes:
            lines.append(f"Classes: {_some(self.classes)}")
        if any(name.lower() in MISSING for name in self.classes):
            lines.append(
                "Some class names look like missing values to pandas; as they are, they come from "
                f"read_csv(path, usecols=[{self.labels[0]!r}], dtype=str, na_filter=False)"
            )
        if self.pixels:
            lines += self._about_pixels(self.pixels)
        elif self.group_column:
            lines.append(f"Rows with the same {self.group_column} belong together: no group may be split")
        if self.time_column:
            lines.append(
                f"Time: by {self.time_column} the rows to predict are later than the training rows, and the "
                "validation rows are the latest of the host's training rows; validate forward in time"
            )
        what = "Sound" if self.modality == "audio" else "Image"
        if self.image_folder and not self.pixels:
            lines.append(f"{what}s: {self.image_pattern or self.image_folder} (folder {self.image_folder}/)")
            if not in_view:
                lines.append(
                    f"Validation {what.lower()}s: in {self.image_folder}/ too, since these rows were in "
                    "train.csv"
                )
        if self.test_image_folder and not self.pixels:
            lines.append(f"Test {what.lower()}s: folder {self.test_image_folder}/")
        lines += ["Files:", *(f"- {name}: {size}" for name, size in self.files)]
        lines += ["Columns of train.csv:", *map(_column_line, self.columns[:_COLUMNS_SHOWN])]
        if len(self.columns) > _COLUMNS_SHOWN:
            lines.append(f"- and {len(self.columns) - _COLUMNS_SHOWN} more")
        lines += ["Head of sample_submission.csv:", *self.sample_head]
        return "\n".join(lines)

    def _about_pixels(self, pixels: PixelRows) -> list[str]:
        id = pixels.joint.join(("<image>", "<row>", "<column>"))
        return [
            f"Images in pairs: each row of train.csv has an image that comes in ({INPUT}) and the one that "
            f"is to come out ({OUTPUT}), as paths in the competition's folder; test.csv and validation.csv "
            f"have the first only, and {pixels.unit} names the image",
            f"A submission has a row a pixel: {self.id_column} is {id}, counted from {pixels.first} at the "
            f"top left, and {self.target_columns[0]} the brightness from 0 (black) to {pixels.white:g} "
            "(white)",
            "Whole images are held out; validate on whole images too",
        ]


def profile_competition(
    data_dir: Path, *, description: str, metric: str, higher_is_better: bool, stated: Stated | None = None
) -> CompetitionProfile:
    """Look at a folder in Kaggle's shape (train.csv, test.csv, sample_submission.csv, other files).

    `stated` is what its competition.yaml says; a group that it leaves open is looked for in the data. Raises
    BadCompetition when sample_submission.csv or the training table is missing or unreadable.
    """
    tables = read_tables(data_dir, rows=_ROWS_READ)
    train, sample = tables.train, tables.sample
    profile = profile_tables(tables, stated or Stated())
    inputs = tables.inputs or [profile.id_column]
    told = {profile.id_column, *profile.labels}
    time = None if profile.group_column else find_time_column(tables, exclude=told)
    group = profile.group_column or (None if time else find_group_column(tables, exclude=told))
    labels = typed(train.read(profile.labels)) if set(profile.labels) <= set(train.columns) else None
    task = "regression" if profile.pixels else infer_task(labels, metric, description)
    return CompetitionProfile(
        **{one.name: getattr(profile, one.name) for one in fields(profile)} | {"group_column": group},
        time_column=time,
        task=task,
        metric=metric,
        higher_is_better=higher_is_better,
        train_rows=train.count_rows(),
        test_rows=sample.count_rows(),
        columns=tuple(describe(train.head[name], in_test=name in inputs) for name in train.columns),
        classes=() if labels is None else _classes(labels, task),
        sample_head=head_of(sample.path),
        files=_files(data_dir),
    )


def infer_task(labels: pd.DataFrame | None, metric: str, description: str) -> Task:
    from pandas.api.types import is_numeric_dtype

    if labels is None:
        if _ORDINAL_METRICS.search(metric):
            return "ordinal"
        return "regression" if _REGRESSION_METRICS.search(metric) else "multiclass"
    if labels.shape[1] > 1:
        binary = all(set(labels[name].dropna().unique()) <= {0, 1} for name in labels)
        return "multilabel" if binary else "regression"
    values = labels.iloc[:, 0].dropna()
    unique = int(values.nunique())
    if _ORDINAL_METRICS.search(metric or description) and unique <= 50:
        return "ordinal"
    if not is_numeric_dtype(values):
        return "binary" if unique <= 2 else "multiclass"
    if _REGRESSION_METRICS.search(metric or description):
        return "regression"
    if unique <= 2:
        return "binary"
    whole = bool((values == values.round()).all())
    return "multiclass" if whole and unique <= max(30, len(values) // 50) else "regression"


def _classes(labels: pd.DataFrame, task: Task) -> tuple[str, ...]:
    if task in ("regression", "multilabel") or labels.shape[1] != 1:
        return ()
    values = labels.iloc[:, 0].dropna().unique()
    return tuple(str(value) for value in sorted(values)[:_CLASSES_KEPT])


def _column_line(column: ColumnProfile) -> str:
    missing = f", {column.missing:.1%} missing" if column.missing else ""
    place = "" if column.in_test else " (not in the test inputs)"
    examples = ", ".join(column.examples)
    return f"- {column.name}: {column.kind}, {column.unique} distinct{missing}, e.g. {examples}{place}"


def _files(data_dir: Path) -> tuple[tuple[str, str], ...]:
    entries = sorted(path for path in data_dir.iterdir() if not path.name.startswith("."))
    return tuple((path.name + "/" * path.is_dir(), _size(path)) for path in entries[:40])


def _size(path: Path) -> str:
    if not path.is_dir():
        return f"{path.stat().st_size / 1e6:.2f} MB"
    count = sum(1 for _ in islice(path.rglob("*"), _FILES_COUNTED))
    return f"at least {count} files" if count == _FILES_COUNTED else f"{count} files"


def head_of(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8", errors="replace") as file:
        return tuple(shortened(one_line(line), 200) for line in islice(file, 4))


def _some(names: Sequence[str], limit: int = 20) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
