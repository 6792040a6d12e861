"""A prepared competition on disk: `competition.yaml` read into a record, and where its parts lie.

It does not read labels or community artifacts; those have modules of their own. Of the data it looks for the
sample submission where that has a name of the host's own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, cast, get_args

import yaml

from kaggle_runner.errors import BadCompetition, UnknownCompetition
from kaggle_runner.moments import parse_moment
from mle_live.competitions.metric_choice import MetricChoice
from mle_live.layout.listing import list_data
from mle_live.layout.roles import find_roles
from mle_live.layout.stated import StatedFiles
from mle_live.layout.tables import Modality

BoardOrigin = Literal["synthetic", "real", "none"]

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}")
_DEFAULT_ENABLED = parse_moment("2020-01-01")
_NO_DEADLINE = parse_moment("2100-01-01")
"""Kaggle's protocol wants a date also where a competition names none."""


@dataclass(frozen=True, slots=True)
class HostedCompetition:
    """What one competition is, and the paths of its parts.

    `target_columns` are the columns of a submission besides `id_column`. `solution_path` is None where no
    labels are known (a user's own folder): submissions are then checked, not scored.
    """

    slug: str
    title: str
    metric: str
    """Empty where it is not certain: nothing is scored then."""
    higher_is_better: bool
    id_column: str
    target_columns: tuple[str, ...]
    description: str
    data_dir: Path
    modality: Modality = "tabular"
    board: BoardOrigin = "none"
    deadline: datetime = _NO_DEADLINE
    enabled_date: datetime = _DEFAULT_ENABLED
    max_daily_submissions: int = 5
    public_fraction: float = 0.0
    tags: tuple[str, ...] = ()
    license: str = ""
    source: str = ""
    group_column: str | None = None
    metric_choice: MetricChoice = field(default_factory=lambda: MetricChoice(source="settings"))
    """Where `metric` was read; of a user's folder also why none is certain."""
    metric_options: Mapping[str, Any] = field(default_factory=dict)
    leaderboard_path: Path | None = None
    artifacts_dir: Path | None = None
    solution_path: Path | None = None
    told: StatedFiles = field(default_factory=StatedFiles)
    """What its settings say of its files."""
    sample_path: Path | None = None
    """The sample submission in the one shape of `mle_live.layout`; None where it lies in `data_dir` so."""
    hidden: tuple[Path, ...] = ()
    """Paths under `data_dir` that are not part of the data (a description, a state folder)."""

    @property
    def sample_submission(self) -> Path:
        return self.sample_path or self.data_dir / "sample_submission.csv"


def load_competition(root: Path, slug: str) -> HostedCompetition:
    """The prepared competition `slug` under an MLE-Live root.

    Raises UnknownCompetition when it was not prepared there, BadCompetition when its files are damaged.
    """
    if not SLUG.fullmatch(slug):
        raise UnknownCompetition(
            f"{slug!r} is not a competition's name",
            hint="a name has letters, digits and hyphens; `mle-live competitions` lists them",
        )
    folder = root / "competitions" / slug
    settings_path = folder / "competition.yaml"
    if not settings_path.is_file():
        raise UnknownCompetition(
            f"no competition {slug!r} is prepared under {root}", hint=_how_to_prepare(slug)
        )
    settings = read_settings(settings_path)
    data_dir = folder / "data"
    sample = data_dir / "sample_submission.csv"
    sample_path = None if sample.is_file() else find_sample(data_dir)
    if sample_path is None and not sample.is_file():
        raise BadCompetition(
            f"{data_dir} has no sample submission",
            hint=f"put one there, sample_submission.csv for instance; {_how_to_prepare(slug)}",
        )
    description = folder / "description.md"
    board = folder / "leaderboard.csv"
    solution = root / "private" / slug / "solution.csv"
    return competition_from_settings(
        settings,
        settings_path,
        slug=slug,
        description=description.read_text(encoding="utf-8") if description.is_file() else "",
        data_dir=data_dir,
        leaderboard_path=board if board.is_file() else None,
        artifacts_dir=folder / "artifacts",
        solution_path=solution if solution.is_file() else None,
        sample_path=sample_path,
    )


def find_sample(data_dir: Path) -> Path | None:
    """The sample submission under a name of the host's own, `gender_submission.csv` say, if it is a CSV."""
    with TemporaryDirectory(prefix="mle-live-look-") as place:
        sample = find_roles(list_data(data_dir, Path(place)).files).sample
    if sample is None or sample.entry.archive or sample.entry.path.suffix.lower() != ".csv":
        return None
    return sample.entry.path


def _how_to_prepare(slug: str) -> str:
    from mle_live.shelf.entry import list_shelf

    names = [entry.slug for entry in list_shelf()]
    if slug in names:
        return f"`mle-live prepare {slug}` prepares it; `mle-live competitions` lists what there is"
    near = difflib.get_close_matches(slug, names, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + "`mle-live competitions` lists what there is"


def prepared_slugs(root: Path) -> list[str]:
    """Names of the competitions that are prepared under `root`, sorted."""
    return sorted(path.parent.name for path in (root / "competitions").glob("*/competition.yaml"))


def read_settings(path: Path) -> dict[str, Any]:
    """The mapping in a competition.yaml; BadCompetition when it is not one."""
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadCompetition(f"{path} is not readable YAML: {error}", hint="correct the file") from error
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise BadCompetition(f"{path} holds no settings (a mapping was expected)", hint="write `key: value`")
    return settings


def competition_from_settings(settings: Mapping[str, Any], path: Path, **places: Any) -> HostedCompetition:
    """Check the values of a competition.yaml and join them with the paths of the parts (`places`)."""
    read = _Settings(settings, path)
    slug = places["slug"]
    if settings.get("slug", slug) != slug:
        raise read.refusal("slug", f"the folder's name, {slug!r},")
    return HostedCompetition(
        title=read.text("title", slug),
        metric=read.text("metric", "" if "metric_choice" in places else None),
        higher_is_better=read.truth("higher_is_better"),
        id_column=read.text("id_column"),
        target_columns=read.texts("target_columns", required=True),
        modality=cast(Modality, read.one_of("modality", get_args(Modality), "tabular")),
        board=cast(BoardOrigin, read.one_of("board", ("synthetic", "real", "none"), "none")),
        deadline=read.moment("deadline", _NO_DEADLINE),
        enabled_date=read.moment("enabled_date", _DEFAULT_ENABLED),
        max_daily_submissions=int(read.number("max_daily_submissions", 5, 1, 100_000)),
        public_fraction=read.number("public_fraction", 0.0, 0.0, 1.0),
        tags=read.texts("tags"),
        license=read.text("license", ""),
        source=source_note(settings.get("source", "")),
        group_column=read.text("group_column", "") or None,
        metric_options=read.mapping("metric_options"),
        **places,
    )


class _Settings:
    """Typed reads from a competition.yaml; each names the key, the value and what was expected."""

    def __init__(self, values: Mapping[str, Any], path: Path) -> None:
        self._values = values
        self._path = path

    def refusal(self, key: str, expected: str) -> BadCompetition:
        given = self._values.get(key)
        return BadCompetition(
            f"{self._path}: `{key}` is {given!r}, but {expected} is needed", hint="correct that line"
        )

    def text(self, key: str, default: str | None = None) -> str:
        value = self._values.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.refusal(key, "some text")
        return value.strip()

    def truth(self, key: str) -> bool:
        value = self._values.get(key)
        if not isinstance(value, bool):
            raise self.refusal(key, "true or false")
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        value = self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise self.refusal(key, f"a number from {low:g} to {high:g}")
        return value

    def texts(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.refusal(key, "a list of texts")
        if required and not value:
            raise self.refusal(key, "at least one name")
        return tuple(value)

    def one_of(self, key: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(key, default)
        if value not in choices:
            raise self.refusal(key, " or ".join(choices))
        return value

    def moment(self, key: str, default: datetime) -> datetime:
        try:
            return parse_moment(self._values.get(key, default))
        except ValueError as error:
            raise self.refusal(key, "a date such as 2026-01-31T23:59:00Z") from error

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self._values.get(key) or {}
        if not isinstance(value, dict):
            raise self.refusal(key, "a mapping")
        return value


def source_note(value: object) -> str:
    """Where the data come from as one line; a mapping (package, note, …) is joined."""
    if isinstance(value, dict):
        return "; ".join(f"{key}: {item}" for key, item in value.items())
    return str(value)
