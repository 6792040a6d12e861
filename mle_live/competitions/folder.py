"""A user's own folder becomes a competition without labels or board, whatever its files are called.

The folder is read and never written to; its data are served from where they lie. `data: FOLDER` in its
competition.yaml says that they lie elsewhere, as a competition's do that is attached to a Kaggle notebook.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaggle_runner.errors import BadCompetition, NoReadySplit
from mle_live.competitions.competition import (
    SLUG,
    HostedCompetition,
    competition_from_settings,
    read_settings,
)
from mle_live.competitions.folder_tables import check_tables
from mle_live.competitions.metric_choice import MetricChoice, choose_metric, known_name
from mle_live.layout.arrange import SAMPLE, TRAIN, Layout, lay_out
from mle_live.layout.roles import SETTINGS
from mle_live.layout.stated import StatedFiles
from mle_live.layout.tables import Stated, TableProfile, Tables, profile_sample

DESCRIPTIONS = ("description.md", "README.md", "overview.md", "description.txt", "README.txt", "overview.txt")
ARTIFACTS = "artifacts"
"""Of a folder whose data lie elsewhere: the community, as mle_live.competitions.community reads it."""
_LABEL_FILES = ("solution.csv",)  # a host's answers: never served


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderLook:
    """What a folder holds, before anything is demanded of it."""

    folder: Path
    data: Path
    slug: str
    settings: dict[str, object]
    text: str
    """The description; empty without one."""
    hidden: tuple[Path, ...]
    told: StatedFiles
    layout: Layout
    choice: MetricChoice

    def tables(self) -> tuple[Tables, TableProfile]:
        """The three tables and their profile. Raises BadCompetition where something is missing or unfit."""
        self.layout.insist()
        stated = Stated(
            id_column=self.layout.id_column,
            group_column=str(self.settings.get("group_column") or ""),
            modality=str(self.settings.get("modality") or ""),
        )
        return check_tables(self.layout.folder, stated, known_name(self.choice))

    def hosted(self, *, split_is_written: bool = False) -> HostedCompetition:
        """The competition to be served. Raises BadCompetition with one sentence on what is missing.

        With `split_is_written` a sample submission is enough, since a model is to write the split.
        """
        try:
            profile = self.tables()[1]
        except NoReadySplit:
            if not split_is_written:
                raise
            profile = profile_sample(self.layout.folder, self.layout.id_column)
        filled: dict[str, Any] = {
            "title": _title(self.text) or self.folder.name,
            "tags": [],
            **self.settings,
            "slug": self.slug,
            "metric": self.choice.name or "",
            "higher_is_better": self.choice.higher_is_better is not False,
            "id_column": profile.id_column,
            "target_columns": list(profile.target_columns),
            "modality": profile.modality,
            "board": "none",
        }
        return competition_from_settings(
            filled,
            self.folder / SETTINGS,
            slug=self.slug,
            description=self.text,
            data_dir=self.data,
            sample_path=self.layout.folder / SAMPLE,
            told=self.told,
            artifacts_dir=self.folder / ARTIFACTS if self.data != self.folder else None,
            metric_choice=self.choice,
            hidden=self.hidden,
        )


def look_at_folder(
    folder: Path,
    arranged: Path,
    *,
    hidden: tuple[Path, ...] = (),
    metric: MetricChoice | None = None,
    stated: StatedFiles | None = None,
) -> FolderLook:
    """What `folder` holds; its tables in one shape go to `arranged`, made anew.

    `hidden` are paths inside it that are not data (a state folder); `metric` and `stated` are what a person
    named, which wins over what the folder says. Raises BadCompetition only for what cannot be read at all.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        hint = "give a folder with a competition's files"
        if folder.is_file():
            hint += "; an archive as it was downloaded may lie in it"
        raise BadCompetition(f"{folder} is not a folder", hint=hint)
    settings = _settings(folder)
    data = _data_folder(folder, settings)
    description = _description(folder)
    text = description.read_text(encoding="utf-8", errors="replace") if description else ""
    # What lies around the folder hides nothing in it; only what lies inside can.
    inside = tuple(path.resolve() for path in hidden if data in path.resolve().parents)
    own = (*([description] if description else []), folder / SETTINGS)
    apart = (*own, *(data / name for name in _LABEL_FILES), *inside)
    told = (stated or StatedFiles()).over(StatedFiles.of(settings))
    layout = lay_out(data, arranged, told=told, hidden=apart, by_reference=True)
    choice = metric or choose_metric(
        text,
        settings=settings,
        where=str(folder / SETTINGS),
        targets=layout.targets,
        classes=are_classes(arranged / TRAIN, layout.targets),
    )
    return FolderLook(
        folder=folder, data=data, slug=_slug(folder.name, settings), settings=settings, text=text,
        hidden=apart, told=told, layout=layout, choice=choice,
    )  # fmt: skip


def are_classes(train: Path, targets: Sequence[str]) -> bool:
    """Whether the columns of a submission are classes of one label: the training table has none of them."""
    if len(targets) < 2 or not train.is_file():
        return False
    with train.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        header = next(csv.reader(lines), [])
    return not set(targets) & set(header)


def slug_of(folder: Path) -> str:
    """The name under which `folder` is served."""
    folder = folder.resolve()
    return _slug(folder.name, _settings(folder))


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
            hint="name the folder that holds the data, or remove that line",
        )
    return data


def _description(folder: Path) -> Path | None:
    return next((folder / name for name in DESCRIPTIONS if (folder / name).is_file()), None)


def _title(description: str) -> str:
    match = re.search(r"^#\s+(.+)$", description, re.MULTILINE)
    return match.group(1).strip() if match else ""


def _slug(name: str, settings: dict[str, object]) -> str:
    """The name in the settings, which must be one (it becomes part of paths), or one made of the folder's."""
    given = settings.get("slug")
    if given is None and SLUG.fullmatch(name):
        return name  # Kaggle's own may have capitals: AI4Code
    if given is None:
        return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:100] or "my-competition"
    if not isinstance(given, str) or not SLUG.fullmatch(given):
        raise BadCompetition(
            f"{SETTINGS}: `slug` is {str(given)[:60]!r}, which cannot be a competition's name",
            hint="use letters, digits and hyphens, at most 100; or leave the line away",
        )
    return given
