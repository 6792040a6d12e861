"""A user's own folder in ordinary Kaggle shape becomes a competition without labels or board.

The folder is read and never written to; its data are served from where they lie. `data: FOLDER` in its
competition.yaml says that they lie elsewhere, as a competition's do that is attached to a Kaggle notebook.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from kaggle_runner.errors import BadCompetition
from mle_live.competitions.competition import (
    SLUG,
    HostedCompetition,
    competition_from_settings,
    read_settings,
)
from mle_live.competitions.folder_tables import check_header, check_ids, check_labels
from mle_live.layout.tables import (
    Stated,
    TableProfile,
    Tables,
    profile_tables,
    read_tables,
    table_file,
    typed,
)

if TYPE_CHECKING:
    import pandas as pd

    from mle_live.metrics import Metric

DESCRIPTIONS = ("description.md", "README.md", "overview.md", "description.txt", "README.txt", "overview.txt")
SETTINGS = "competition.yaml"
ARTIFACTS = "artifacts"
"""Of a folder whose data lie elsewhere: the community, as mle_live.competitions.community reads it."""
_LABEL_FILES = ("solution.csv",)  # a host's answers: never served


def load_folder(folder: Path, *, hidden: tuple[Path, ...] = ()) -> HostedCompetition:
    """The competition that `folder` describes.

    `hidden` are paths inside it that are not data (a state folder). Raises BadCompetition with one sentence
    that names what is missing or does not fit.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise BadCompetition(f"{folder} is not a folder", hint="give a folder with train.csv and test.csv")
    description = _description(folder)
    settings = _settings(folder)
    data = _data_folder(folder, settings)
    for name in ("train.csv", "test.csv", "sample_submission.csv"):
        check_header(table_file(data, name))
    tables = read_tables(data)
    # What lies around the folder hides nothing in it; only what lies inside can.
    inside = [path.resolve() for path in hidden if data in path.resolve().parents]
    profile = profile_tables(tables, Stated.of(settings), hidden=inside)
    check_ids(tables, profile.id_column)
    text = description.read_text(encoding="utf-8", errors="replace")
    _check_targets(tables, profile)
    labels = typed(tables.train.read(profile.labels))
    metric, found = _choose_metric(settings, text, tables, profile, labels)
    check_labels(tables, labels, None if profile.label_column else metric.name)
    slug = _slug(folder.name, settings)
    filled = {
        "title": _title(text) or folder.name,
        "tags": [],
        **settings,
        "slug": slug,
        "metric": metric.name,
        "higher_is_better": metric.higher_is_better,
        "id_column": profile.id_column,
        "target_columns": list(profile.target_columns),
        "modality": profile.modality,
        "board": "none",
    }
    return competition_from_settings(
        filled,
        folder / SETTINGS,
        slug=slug,
        description=text,
        data_dir=data,
        artifacts_dir=folder / ARTIFACTS if data != folder else None,
        metric_source=found,
        hidden=(description, folder / SETTINGS, *(data / name for name in _LABEL_FILES), *inside),
    )


def folders_of(folder: Path) -> tuple[Path, ...]:
    """The folder, and where its data lie when that is elsewhere: neither may be seen by agents' code."""
    return tuple(dict.fromkeys((folder.resolve(), _data_folder(folder, _settings(folder)))))


def _settings(folder: Path) -> dict[str, object]:
    return read_settings(folder / SETTINGS) if (folder / SETTINGS).is_file() else {}


def _data_folder(folder: Path, settings: dict[str, object]) -> Path:
    given = settings.get("data", ".")
    data = (folder / str(given)).resolve()
    if not data.is_dir():
        raise BadCompetition(
            f"{folder / SETTINGS}: `data` is {str(given)[:200]!r}, which is no folder",
            hint="name the folder with train.csv and test.csv, or remove that line",
        )
    return data


def _description(folder: Path) -> Path:
    for name in DESCRIPTIONS:
        if (folder / name).is_file():
            return folder / name
    raise BadCompetition(
        f"{folder} has no description",
        hint="write a few sentences on the task and its metric into description.md",
    )


def _check_targets(tables: Tables, profile: TableProfile) -> None:
    absent = [name for name in profile.labels if name not in tables.train.columns]
    if absent:
        only_in_train = [name for name in tables.train.columns if name not in tables.inputs]
        raise BadCompetition(
            f"{tables.train.path} has no column {absent[0]!r}, the target in sample_submission.csv",
            hint="columns that only train.csv has: " + (", ".join(only_in_train[:8]) or "none"),
        )


def _choose_metric(
    settings: dict[str, object], description: str, tables: Tables, profile: TableProfile, labels: pd.DataFrame
) -> tuple[Metric, str]:
    """The metric, and how it was found."""
    from mle_live.metrics import get_metric, recognise

    named = settings.get("metric")
    if named is not None:
        metric = get_metric(str(named))
        direction = settings.get("higher_is_better", metric.higher_is_better)
        if direction != metric.higher_is_better:
            word = "higher" if metric.higher_is_better else "lower"
            raise BadCompetition(
                f"{tables.folder}/{SETTINGS}: {metric.name} is a metric where {word} is better",
                hint="remove `higher_is_better`, or name another metric",
            )
        return metric, SETTINGS
    section = evaluation_section(description)
    recognised = recognise(section or description, plain=True)
    if recognised is not None:
        return recognised, f"the description names {recognised.title}"
    if profile.label_column:
        name, reason = "multiclass_log_loss", "the sample has one probability a class"
    else:
        name, reason = _guess_metric(labels, typed(tables.sample.read(profile.target_columns)))
    return get_metric(name), f"a guess: the description names no known metric, and {reason}"


def _guess_metric(labels: pd.DataFrame, sample: pd.DataFrame) -> tuple[str, str]:
    targets = list(labels)
    binary = all(set(labels[name].dropna().unique()) <= {0, 1} for name in targets)
    # A constant 0 or 1 in the sample says nothing; a fraction says that probabilities are wanted.
    fractions = all(
        sample[name].dtype.kind == "f" and sample[name].between(0, 1).all() and (sample[name] % 1 > 0).any()
        for name in targets
    )
    if binary and fractions:
        name = "roc_auc" if len(targets) == 1 else "mean_column_roc_auc"
        return name, "the target is 0 or 1 while the sample holds probabilities"
    if len(targets) == 1:
        column = labels[targets[0]].dropna()
        whole = column.dtype.kind in "iub" or (column.dtype.kind == "f" and (column % 1 == 0).all())
        if column.dtype.kind not in "iufb" or (whole and column.nunique() <= 20):
            return "accuracy", f"the target {targets[0]!r} has {column.nunique()} classes"
        return "rmse", f"the target {targets[0]!r} is a number"
    return "mean_column_rmse", "the targets are numbers"


def evaluation_section(description: str) -> str:
    """The text under the first heading that speaks of evaluation or of the metric; empty without one."""
    match = re.search(
        r"^(#{1,6})[ \t]*[^\n]*\b(?:evaluation|metric|scoring)\b[^\n]*\n(.*?)(?=^#{1,6}[ \t]|\Z)",
        description,
        re.IGNORECASE | re.MULTILINE | re.DOTALL,
    )
    return match.group(2).strip() if match else ""


def _title(description: str) -> str:
    match = re.search(r"^#\s+(.+)$", description, re.MULTILINE)
    return match.group(1).strip() if match else ""


def _slug(name: str, settings: dict[str, object]) -> str:
    """The name in the settings, which must be one (it becomes part of paths), or one made of the folder's."""
    given = settings.get("slug")
    if given is None:
        return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:100] or "my-competition"
    if not isinstance(given, str) or not SLUG.fullmatch(given):
        raise BadCompetition(
            f"{SETTINGS}: `slug` is {str(given)[:60]!r}, which cannot be a competition's name",
            hint="use lower-case letters, digits and hyphens, at most 100; or leave the line away",
        )
    return given
