"""A user's own folder in ordinary Kaggle shape becomes a competition without labels or board.

The folder is read and never written to; its data are served from where they lie. `data: FOLDER` in its
competition.yaml says that they lie elsewhere, as a competition's do that is attached to a Kaggle notebook.
"""

from __future__ import annotations

import re
from pathlib import Path

from kaggle_runner.errors import BadCompetition
from mle_live.competitions.competition import (
    SLUG,
    HostedCompetition,
    competition_from_settings,
    read_settings,
)
from mle_live.competitions.folder_tables import check_header, check_ids, check_labels
from mle_live.competitions.metric_choice import MetricChoice, choose_metric, known_name
from mle_live.layout.tables import (
    Stated,
    TableProfile,
    Tables,
    profile_tables,
    read_tables,
    table_file,
    typed,
)

DESCRIPTIONS = ("description.md", "README.md", "overview.md", "description.txt", "README.txt", "overview.txt")
SETTINGS = "competition.yaml"
ARTIFACTS = "artifacts"
"""Of a folder whose data lie elsewhere: the community, as mle_live.competitions.community reads it."""
_LABEL_FILES = ("solution.csv",)  # a host's answers: never served


def load_folder(
    folder: Path, *, hidden: tuple[Path, ...] = (), metric: MetricChoice | None = None
) -> HostedCompetition:
    """The competition that `folder` describes.

    `hidden` are paths inside it that are not data (a state folder); `metric` is one that a person named,
    which wins over what the folder says. Raises BadCompetition with one sentence that names what is missing
    or does not fit.
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
    choice = metric or choose_metric(
        text, settings=settings, where=str(folder / SETTINGS), targets=profile.target_columns
    )
    check_labels(tables, labels, None if profile.label_column else known_name(choice))
    slug = _slug(folder.name, settings)
    filled = {
        "title": _title(text) or folder.name,
        "tags": [],
        **settings,
        "slug": slug,
        "metric": choice.name or "",
        "higher_is_better": choice.higher_is_better is not False,
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
        metric_choice=choice,
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
