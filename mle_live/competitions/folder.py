"""A user's own folder in ordinary Kaggle shape becomes a competition without labels or board.

The folder is read and never written to; its data are served from where they lie. `data: FOLDER` in its
competition.yaml says that they lie elsewhere, as a competition's do that is attached to a Kaggle notebook.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kaggle_runner.errors import BadCompetition
from mle_live.competitions.competition import (
    SLUG,
    HostedCompetition,
    Modality,
    competition_from_settings,
    read_settings,
)
from mle_live.competitions.folder_tables import (
    check_groups,
    check_ids,
    check_labels,
    read_columns,
    read_header,
)

DESCRIPTIONS = ("description.md", "README.md", "overview.md", "description.txt", "README.txt", "overview.txt")
SETTINGS = "competition.yaml"
ARTIFACTS = "artifacts"
"""Of a folder whose data lie elsewhere: the community, as mle_live.competitions.community reads it."""
_LABEL_FILES = ("solution.csv",)  # a host's answers: never served
_SAMPLED_ROWS = 10_000
_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class MetricChoice:
    """A metric's name, its direction, and how it was found."""

    name: str
    higher_is_better: bool
    found: str


def load_folder(folder: Path, *, hidden: tuple[Path, ...] = ()) -> HostedCompetition:
    """The competition that `folder` describes.

    `hidden` are paths inside it that are not data (a state folder). Raises BadCompetition with one sentence
    that names what is missing or does not fit.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise BadCompetition(f"{folder} is not a folder", hint="give a folder with train.csv and test.csv")
    description = _description(folder)
    settings_path = folder / SETTINGS
    settings = read_settings(settings_path) if settings_path.is_file() else {}
    data = _data_folder(folder, settings)
    for name in ("train.csv", "test.csv", "sample_submission.csv"):
        if not (data / name).is_file():
            raise BadCompetition(
                f"{data} has no {name}",
                hint="a competition folder holds train, test, sample_submission (.csv) and a description",
            )
    train, test, sample = (
        read_header(data / name) for name in ("train.csv", "test.csv", "sample_submission.csv")
    )
    id_column = str(settings.get("id_column") or sample[0])
    targets = [name for name in sample if name != id_column]
    if not targets:
        raise BadCompetition(
            f"{data}/sample_submission.csv has one column only", hint="it needs an id and a target"
        )
    check_ids(data, id_column, train, test)
    label = _label_column(data, train, test, targets)
    text = description.read_text(encoding="utf-8", errors="replace")
    metric = _choose_metric(data, settings, text, targets, label)
    check_labels(data, [label] if label else targets, test, None if label else metric.name)
    check_groups(data, settings.get("group_column"), train)
    slug = _slug(folder.name, settings)
    # What lies around the folder hides nothing in it; only what lies inside can.
    inside = [path.resolve() for path in hidden if data in path.resolve().parents]
    filled = {
        "title": _title(text) or folder.name,
        "tags": [],
        **settings,
        "slug": slug,
        "metric": metric.name,
        "higher_is_better": metric.higher_is_better,
        "id_column": id_column,
        "target_columns": targets,
        "modality": settings.get("modality") or _modality(data, train),
        "board": "none",
    }
    return competition_from_settings(
        filled,
        settings_path,
        slug=slug,
        description=text,
        data_dir=data,
        artifacts_dir=folder / ARTIFACTS if data != folder else None,
        metric_source=metric.found,
        hidden=(description, settings_path, *(data / name for name in _LABEL_FILES), *inside),
    )


def folders_of(folder: Path) -> tuple[Path, ...]:
    """The folder, and where its data lie when that is elsewhere: neither may be seen by agents' code."""
    settings_path = folder / SETTINGS
    settings = read_settings(settings_path) if settings_path.is_file() else {}
    return tuple(dict.fromkeys((folder.resolve(), _data_folder(folder, settings))))


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


def _label_column(folder: Path, train: list[str], test: list[str], targets: list[str]) -> str | None:
    """The column of train.csv that holds class names when the targets are one probability a class.

    None when the targets themselves are columns of train.csv, which is the usual case.
    """
    absent = [name for name in targets if name not in train]
    if not absent:
        return None
    only_in_train = [name for name in train if name not in test]
    if len(absent) == len(targets) > 1 and only_in_train:
        rows = read_columns(folder / "train.csv", usecols=only_in_train, dtype=str)
        for name in only_in_train:
            if set(rows[name].dropna().unique()) == set(targets):
                return name
    raise BadCompetition(
        f"{folder}/train.csv has no column {absent[0]!r}, the target in sample_submission.csv",
        hint="columns that only train.csv has: " + (", ".join(only_in_train[:8]) or "none"),
    )


def _choose_metric(
    folder: Path, settings: dict[str, object], description: str, targets: list[str], label: str | None
) -> MetricChoice:
    from mle_live.metrics import get_metric, recognise

    named = settings.get("metric")
    if named is not None:
        metric = get_metric(str(named))
        direction = settings.get("higher_is_better", metric.higher_is_better)
        if direction != metric.higher_is_better:
            word = "higher" if metric.higher_is_better else "lower"
            raise BadCompetition(
                f"{folder}/{SETTINGS}: {metric.name} is a metric where {word} is better",
                hint="remove `higher_is_better`, or name another metric",
            )
        return MetricChoice(metric.name, metric.higher_is_better, SETTINGS)
    section = evaluation_section(description)
    recognised = recognise(section or description, plain=True)
    if recognised is not None:
        found = f"the description names {recognised.title}"
        return MetricChoice(recognised.name, recognised.higher_is_better, found)
    name, reason = _guess_metric(folder, targets, label)
    guess = get_metric(name)
    found = f"a guess: the description names no known metric, and {reason}"
    return MetricChoice(guess.name, guess.higher_is_better, found)


def _guess_metric(folder: Path, targets: list[str], label: str | None) -> tuple[str, str]:
    if label is not None:
        return "multiclass_log_loss", "the sample has one probability a class"
    target = read_columns(folder / "train.csv", usecols=targets, nrows=_SAMPLED_ROWS)
    sample = read_columns(folder / "sample_submission.csv", usecols=targets, nrows=_SAMPLED_ROWS)
    binary = all(set(target[name].dropna().unique()) <= {0, 1} for name in targets)
    # A constant 0 or 1 in the sample says nothing; a fraction says that probabilities are wanted.
    fractions = all(
        sample[name].dtype.kind == "f" and sample[name].between(0, 1).all() and (sample[name] % 1 > 0).any()
        for name in targets
    )
    if binary and fractions:
        name = "roc_auc" if len(targets) == 1 else "mean_column_roc_auc"
        return name, "the target is 0 or 1 while the sample holds probabilities"
    if len(targets) == 1:
        column = target[targets[0]].dropna()
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


def _modality(folder: Path, train: list[str]) -> Modality:
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.name.startswith("."):
            first = next((entry for entry in child.iterdir() if entry.is_file()), None)
            if first is not None and first.suffix.lower() in _IMAGES:
                return "image"
    rows = read_columns(folder / "train.csv", nrows=200)
    for name in train:
        words = rows[name].dropna()
        if (
            len(words)
            and words.map(lambda value: isinstance(value, str)).all()
            and words.str.len().mean() > 60
        ):
            return "text"
    return "tabular"


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
