"""What a competition's files look like: columns, targets, task, images, groups, as facts and as prompt text.

It reads at most `_ROWS_READ` rows of a table and draws nothing at random, so the same folder always gives the
same profile. It does not decide how to split or how to score.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from comind.evaluator.groups import find_group_column
from comind.evaluator.tables import count_rows, read_table, text_columns
from kaggle_runner.errors import BadCompetition

if TYPE_CHECKING:
    import pandas as pd

Modality = Literal["tabular", "text", "image"]
Task = Literal["binary", "multiclass", "multilabel", "ordinal", "regression"]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".dcm"})
_ROWS_READ = 200_000
_FILES_COUNTED = 200_000
_COLUMNS_SHOWN = 80
_TEXT_SHOWN = 60
_CLASSES_KEPT = 200
_REGRESSION_METRICS = re.compile(r"rms|mae|mse|r2|pearson|spearman|absolute|squared|laplace|gini", re.I)
_ORDINAL_METRICS = re.compile(r"quadratic|kappa", re.I)
_FACTS = re.compile(r"^Facts: (\{.*\})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column of train.csv; `missing` is a share of the rows read, `examples` are cut to fit a prompt."""

    name: str
    dtype: str
    missing: float
    unique: int
    examples: tuple[str, ...]
    in_test: bool


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """All that the standard split must know of a competition; it travels inside `CompetitionProfile.text`."""

    id_column: str
    target_columns: tuple[str, ...]
    label_column: str | None
    """Where the targets are class names with a column each: the column of train.csv that holds the names.
    None when the targets themselves are columns of train.csv."""
    task: Task
    group_column: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompetitionProfile:
    """A competition's files in numbers and names. `text` says it all for a prompt."""

    modality: Modality
    id_column: str
    target_columns: tuple[str, ...]
    label_column: str | None
    task: Task
    metric: str
    higher_is_better: bool
    train_rows: int
    test_rows: int
    columns: tuple[ColumnProfile, ...]
    group_column: str | None = None
    classes: tuple[str, ...] = ()
    image_folder: str | None = None
    test_image_folder: str | None = None
    image_pattern: str | None = None
    """How a row finds its image, for instance `train_images/{id}.png`."""
    sample_head: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = field(default=())
    """Each entry of the data folder and its size in words."""
    standard: bool = True
    """train.csv and sample_submission.csv are there and the labels are columns of train.csv: the standard
    split applies."""

    @property
    def facts(self) -> SplitFacts:
        return SplitFacts(
            self.id_column, self.target_columns, self.label_column, self.task, self.group_column
        )

    @property
    def text(self) -> str:
        """The profile as plain lines for a prompt; `split_facts` reads the facts back from it."""
        lines = [
            f"Modality: {self.modality}; task: {self.task}; metric: {self.metric} "
            f"({'higher' if self.higher_is_better else 'lower'} is better)",
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
        if self.group_column:
            lines.append(f"Rows with the same {self.group_column} belong together: no group may be split")
        if self.image_folder:
            lines.append(f"Images: {self.image_pattern or self.image_folder} (folder {self.image_folder}/)")
            lines.append(
                f"Validation images: in {self.image_folder}/ too, since these rows were in train.csv"
            )
        if self.test_image_folder:
            lines.append(f"Test images: folder {self.test_image_folder}/")
        lines += ["Files:", *(f"- {name}: {size}" for name, size in self.files)]
        lines += ["Columns of train.csv:", *map(_column_line, self.columns[:_COLUMNS_SHOWN])]
        if len(self.columns) > _COLUMNS_SHOWN:
            lines.append(f"- and {len(self.columns) - _COLUMNS_SHOWN} more")
        lines += ["Head of sample_submission.csv:", *self.sample_head]
        return "\n".join([*lines, f"Facts: {_facts_json(self.facts)}"])


def split_facts(text: str) -> SplitFacts | None:
    """The facts inside a profile's text, or inside any prompt that quotes it; None when there are none."""
    found = _FACTS.findall(text)
    if not found:
        return None
    try:
        values = json.loads(found[-1])
        task = values["task"]
        return SplitFacts(
            id_column=str(values["id_column"]),
            target_columns=tuple(map(str, values["target_columns"])),
            label_column=values["label_column"],
            task=task if task in get_args(Task) else "regression",
            group_column=values["group_column"],
        )
    except (ValueError, KeyError, TypeError):
        return None


def profile_competition(
    data_dir: Path, *, description: str, metric: str, higher_is_better: bool, group_column: str | None = None
) -> CompetitionProfile:
    """Look at a folder in Kaggle's shape (train.csv, test.csv, sample_submission.csv, other files).

    `group_column` names the column whose rows belong together; without it competition.yaml in the folder is
    asked, then the data. Raises BadCompetition when sample_submission.csv or the training table is missing or
    unreadable.
    """
    sample = read_table(data_dir / "sample_submission.csv", rows=_ROWS_READ)
    if len(sample.columns) < 2:
        raise BadCompetition(
            f"{data_dir / 'sample_submission.csv'} has no target column.",
            hint="Its first column is the id, the others are what is to be predicted.",
        )
    id_column, targets = str(sample.columns[0]), tuple(map(str, sample.columns[1:]))
    train = _read_train(data_dir)
    test_path = data_dir / "test.csv"
    test = read_table(test_path, rows=_ROWS_READ) if test_path.is_file() else sample[[id_column]]
    label_column = _label_column(train, targets)
    labels_found = label_column is not None or set(targets) <= set(train.columns)
    names = (label_column,) if label_column else targets
    task = _task(train, names, metric, description) if labels_found else _task_of_metric(metric)
    images = _image_folders(data_dir)
    test_images = _pick(images, "test")
    image_folder = _pick(images, "train") or next((name for name in images if name != test_images), None)
    known = {id_column, *names}
    return CompetitionProfile(
        modality=_modality(images, train, known),
        id_column=id_column,
        target_columns=targets,
        label_column=label_column,
        task=task,
        metric=metric,
        higher_is_better=higher_is_better,
        train_rows=count_rows(data_dir / "train.csv", train, _ROWS_READ),
        test_rows=count_rows(data_dir / "sample_submission.csv", sample, _ROWS_READ),
        columns=tuple(_column(train[name], name in test.columns) for name in train.columns),
        group_column=_known(group_column or _group_in_settings(data_dir), train)
        or find_group_column(data_dir, train, test, exclude=known, cap=_ROWS_READ),
        classes=_classes(train, names, task) if labels_found else (),
        image_folder=image_folder,
        test_image_folder=test_images,
        image_pattern=_image_pattern(data_dir, image_folder, train, id_column),
        sample_head=_head(data_dir / "sample_submission.csv"),
        files=_files(data_dir),
        standard=labels_found,
    )


def _read_train(data_dir: Path) -> pd.DataFrame:
    path = data_dir / "train.csv"
    if not path.is_file():
        raise BadCompetition(
            f"There is no train.csv in {data_dir}.", hint="A competition's folder holds its training table."
        )
    return read_table(path, rows=_ROWS_READ)


def _modality(images: dict[str, int], train: pd.DataFrame, known: set[str]) -> Modality:
    if images:
        return "image"
    features = [name for name in train.columns if name not in known]
    return "text" if text_columns(train, features) else "tabular"


def _label_column(train: pd.DataFrame, targets: Sequence[str]) -> str | None:
    """The column of train.csv whose values name the target columns (one probability column a class)."""
    if len(targets) < 2 or set(targets) & set(train.columns):
        return None
    for name in train.columns:
        values = train[name].dropna().astype(str)
        if values.nunique() <= len(targets) and set(values.unique()) <= set(targets):
            return str(name)
    return None


def _task(train: pd.DataFrame, names: Sequence[str], metric: str, description: str) -> Task:
    from pandas.api.types import is_numeric_dtype

    if len(names) > 1:
        binary = all(set(train[name].dropna().unique()) <= {0, 1} for name in names)
        return "multilabel" if binary else "regression"
    labels = train[names[0]].dropna()
    unique = int(labels.nunique())
    if _ORDINAL_METRICS.search(metric or description) and unique <= 50:
        return "ordinal"
    if not is_numeric_dtype(labels):
        return "binary" if unique <= 2 else "multiclass"
    if _REGRESSION_METRICS.search(metric or description):
        return "regression"
    if unique <= 2:
        return "binary"
    whole = bool((labels == labels.round()).all())
    return "multiclass" if whole and unique <= max(30, len(labels) // 50) else "regression"


def _task_of_metric(metric: str) -> Task:
    if _ORDINAL_METRICS.search(metric):
        return "ordinal"
    return "regression" if _REGRESSION_METRICS.search(metric) else "multiclass"


def _classes(train: pd.DataFrame, names: Sequence[str], task: Task) -> tuple[str, ...]:
    if task in ("regression", "multilabel") or len(names) != 1:
        return ()
    values = train[names[0]].dropna().unique()
    return tuple(str(value) for value in sorted(values)[:_CLASSES_KEPT])


def _column(values: pd.Series[Any], in_test: bool) -> ColumnProfile:
    shown = values.dropna().drop_duplicates().head(3).astype(str)
    return ColumnProfile(
        name=str(values.name),
        dtype="text" if str(values.dtype) in ("object", "str", "string") else str(values.dtype),
        missing=float(values.isna().mean()) if len(values) else 0.0,
        unique=int(values.nunique()),
        examples=tuple(_cut(value) for value in shown),
        in_test=in_test,
    )


def _column_line(column: ColumnProfile) -> str:
    missing = f", {column.missing:.1%} missing" if column.missing else ""
    place = "" if column.in_test else " (not in the test inputs)"
    examples = ", ".join(column.examples)
    return f"- {column.name}: {column.dtype}, {column.unique} distinct{missing}, e.g. {examples}{place}"


def _image_folders(data_dir: Path) -> dict[str, int]:
    """Top-level folders that hold images, with their (bounded) count."""
    found: dict[str, int] = {}
    for folder in sorted(path for path in data_dir.iterdir() if path.is_dir()):
        count = 0
        for number, path in enumerate(folder.rglob("*")):
            count += path.suffix.lower() in IMAGE_SUFFIXES
            if number >= _FILES_COUNTED:
                break
        if count:
            found[folder.name] = count
    return found


def _pick(folders: dict[str, int], word: str) -> str | None:
    return next((name for name in folders if word in name.lower()), None)


def _image_pattern(data_dir: Path, folder: str | None, train: pd.DataFrame, id_column: str) -> str | None:
    """The path of a row's image as a pattern over one column of train.csv, tried on the first rows."""
    if folder is None:
        return None
    for column in [id_column, *train.columns]:
        values = [str(value) for value in train[column].dropna().head(5)] if column in train else []
        for suffix in ("", *sorted(IMAGE_SUFFIXES)):
            if values and all((data_dir / folder / f"{value}{suffix}").is_file() for value in values):
                return f"{folder}/{{{column}}}{suffix}"
    return None


def _group_in_settings(data_dir: Path) -> str | None:
    import yaml

    path = data_dir / "competition.yaml"
    if not path.is_file():
        return None
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return None  # whoever loads the competition reports a broken file; a profile does without it
    value = settings.get("group_column") if isinstance(settings, dict) else None
    return str(value) if value else None


def _known(column: str | None, train: pd.DataFrame) -> str | None:
    return column if column in train.columns else None


def _files(data_dir: Path) -> tuple[tuple[str, str], ...]:
    entries = sorted(path for path in data_dir.iterdir() if not path.name.startswith("."))
    return tuple((path.name + "/" * path.is_dir(), _size(path)) for path in entries[:40])


def _size(path: Path) -> str:
    if not path.is_dir():
        return f"{path.stat().st_size / 1e6:.2f} MB"
    count = 0
    for count, _ in enumerate(path.rglob("*"), start=1):
        if count >= _FILES_COUNTED:
            return f"at least {count} files"
    return f"{count} files"


def _head(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8", errors="replace") as file:
        return tuple(_cut(line.rstrip("\r\n"), 200) for _, line in zip(range(4), file, strict=False))


def _cut(value: str, limit: int = _TEXT_SHOWN) -> str:
    value = " ".join(value.split())
    return value if len(value) <= limit else value[: limit - 1] + "…"


def _some(names: Sequence[str], limit: int = 20) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def _facts_json(facts: SplitFacts) -> str:
    return json.dumps(
        {
            "id_column": facts.id_column,
            "target_columns": facts.target_columns,
            "label_column": facts.label_column,
            "task": facts.task,
            "group_column": facts.group_column,
        },
        ensure_ascii=False,
    )
