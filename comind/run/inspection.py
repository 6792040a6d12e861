"""What a competition is, before anything is spent: files by role, target, metric with its sentence, hold-out.

A folder is only read; a shelf competition is prepared; of one at a Kaggle the data are fetched, as by a run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from comind.community.upstream import mle_live_root, settled, stated_files, upstream_kaggle
from comind.config import RunConfig
from comind.evaluator.metric_file import asked_metric
from comind.evaluator.profile import CompetitionProfile, profile_competition
from comind.run.arrangement import withheld_beside
from kaggle_runner.entry.kinds import ORDINARY, CompetitionKind, kind_of
from kaggle_runner.entry.rules import Rules, read_rules
from kaggle_runner.errors import BadCompetition, NoReadySplit
from kaggle_runner.kaggle.records import Competition
from kaggle_runner.moments import SYSTEM_CLOCK
from mle_live.competitions.competition import read_settings
from mle_live.competitions.folder import FolderLook, are_classes, look_at_folder
from mle_live.competitions.folder_tables import check_tables
from mle_live.competitions.metric_choice import MetricChoice, choose_metric, known_name
from mle_live.competitions.pages import description_pages
from mle_live.layout.arrange import TRAIN, Layout, lay_out
from mle_live.layout.roles import SETTINGS
from mle_live.layout.stated import StatedFiles
from mle_live.layout.tables import Stated

_Narrator = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    competition: str
    files: dict[str, tuple[str, ...]]
    """Role → names in the competition's own data."""
    id_columns: tuple[str, ...]
    targets: tuple[str, ...]
    kind: str
    """Modality: tabular, text, image or audio; empty while it is not known."""
    task: str
    choice: MetricChoice
    split: str
    """How validation rows are held out, in words."""
    withheld: dict[str, str] = field(default_factory=dict)
    """Files that agents never see → why."""
    missing: dict[str, str] = field(default_factory=dict)
    """What was not found → a sentence."""
    remarks: tuple[str, ...] = ()
    type: CompetitionKind = ORDINARY
    rules: Rules
    split_is_written: bool = False
    """All that is missing is a ready split: a run with a language model can begin."""

    @property
    def ready(self) -> bool:
        return not self.missing

    def document(self) -> dict[str, Any]:
        """As `inspect --json` has it."""
        names = {role: list(names) for role, names in self.files.items() if names}
        choice = self.choice
        return {
            "competition": self.competition,
            "type": self.type.document(),
            "files": {role: found[0] if len(found) == 1 else found for role, found in names.items()},
            "id": self.id_columns[0] if len(self.id_columns) == 1 else list(self.id_columns) or None,
            "targets": list(self.targets),
            "kind": self.kind or None,
            "task": self.task or None,
            "metric": {
                "name": choice.name,
                "higher_is_better": choice.higher_is_better if choice.name else None,
                "sentence": choice.sentence,
                "source": choice.source,
                "doubt": choice.doubt,
            },
            "split": self.split or None,
            "withheld": sorted(self.withheld),
            "missing": sorted(self.missing),
            "rules": self.rules.document(),
            "ready": self.ready,
            "remarks": [
                *self.missing.values(),
                *self.remarks,
                *(
                    ["a run with a language model can begin: its evaluator writes the split"]
                    * self.split_is_written
                ),
            ],
        }


def inspect(
    config: RunConfig,
    state: Path,
    environment: Mapping[str, str],
    *,
    tell: _Narrator = lambda line: None,
) -> Inspection:
    """Look at a competition. Raises ComindError where there is none, or where it cannot be read."""
    config = settled(config, environment)
    with TemporaryDirectory(prefix="comind-inspect-") as place:
        arranged = Path(place) / "arranged"
        if config.is_folder:
            local = Path(config.competition).expanduser().resolve()
            look = look_at_folder(
                local, arranged, hidden=(state.resolve(),), metric=asked_metric(config),
                stated=stated_files(config),
            )  # fmt: skip
            return _inspected(look.slug, look.layout, look.choice, look.text, look.settings)
        if upstream_kaggle(config, environment) is None:
            look = _on_the_shelf(config, state, arranged, tell)
            return _inspected(config.competition, look.layout, look.choice, look.text, look.settings)
        return _at_kaggle(config, environment, Path(place), tell)


def _on_the_shelf(config: RunConfig, state: Path, arranged: Path, tell: _Narrator) -> FolderLook:
    from mle_live.shelf.preparation import prepare

    folder = prepare(config.competition, mle_live_root(state), progress=tell)
    settings = read_settings(folder / SETTINGS)
    text = (folder / "description.md").read_text(encoding="utf-8")
    told = stated_files(config).over(StatedFiles.of(settings))
    layout = lay_out(folder / "data", arranged, told=told, by_reference=True)
    choice = asked_metric(config) or choose_metric(text, settings=settings, targets=layout.targets)
    return FolderLook(
        folder=folder, data=folder / "data", slug=config.competition, settings=settings, text=text,
        hidden=(), told=told, layout=layout, choice=choice,
    )  # fmt: skip


def _at_kaggle(config: RunConfig, environment: Mapping[str, str], place: Path, tell: _Narrator) -> Inspection:
    kaggle = upstream_kaggle(config, environment)
    assert kaggle is not None
    client = kaggle.client()

    async def head() -> tuple[Competition, dict[str, str], CompetitionKind]:
        competition = await client.competition(config.competition)
        pages = await client.pages(config.competition)
        now = SYSTEM_CLOCK.now() + timedelta(seconds=await client.clock_offset())
        return competition, pages, kind_of(competition, pages, now)

    async def fetched() -> dict[str, Any]:
        known = await client.extension_competition(config.competition)
        tell(f"Downloading the data of {config.competition} from {kaggle.name}")
        await client.download_all(config.competition, place / "download")
        return known or {}

    competition, pages, kind = asyncio.run(head())
    rules = read_rules(pages)
    if not kind.served:
        return _declined(config.competition, kind, rules)
    words, text = competition.metric, "\n\n".join(pages.values()) or competition.summary
    known = asyncio.run(fetched())
    told = stated_files(config).over(StatedFiles.of(known.get("told") or {}))
    layout = lay_out(place / "download", place / "arranged", told=told)
    told_there = MetricChoice.from_mapping(known) if known else None
    choice = asked_metric(config) or told_there or _chosen(words, text, layout)
    found = _inspected(config.competition, layout, choice, text, known)
    return replace(found, type=kind, rules=rules)


def _declined(slug: str, kind: CompetitionKind, rules: Rules) -> Inspection:
    """Of what nobody can predict for nothing is fetched."""
    return Inspection(
        competition=slug, files={}, id_columns=(), targets=(), kind="", task="", choice=MetricChoice(),
        split="", missing={"type": kind.sentence}, type=kind, rules=rules,
    )  # fmt: skip


def _chosen(words: str, text: str, layout: Layout) -> MetricChoice:
    classes = are_classes(layout.folder / TRAIN, layout.targets)
    return choose_metric(words, text, targets=layout.targets, classes=classes)


def _inspected(
    slug: str, layout: Layout, choice: MetricChoice, text: str, settings: Mapping[str, object]
) -> Inspection:
    missing = dict(layout.missing)
    profile: CompetitionProfile | None = None
    withheld: dict[str, str] = {}
    no_split = bool(missing) and layout.has_sample
    if not missing:
        try:
            profile = _profile(layout, choice, text, settings)
            withheld = withheld_beside(layout)
        except BadCompetition as error:
            missing["data"] = error.message
            no_split = isinstance(error, NoReadySplit)
    if choice.name is None:
        missing["metric"] = f"the metric is not certain: {choice.why}; name it: --metric NAME"
    return Inspection(
        competition=slug,
        files=layout.files,
        id_columns=layout.id_columns,
        targets=layout.targets,
        kind=profile.modality if profile else "",
        task=profile.task if profile else "",
        choice=choice,
        split=profile.held_out if profile else "",
        withheld=withheld,
        missing=missing,
        remarks=layout.remarks,
        rules=read_rules(description_pages(text)),
        split_is_written=no_split,
    )


def _profile(
    layout: Layout, choice: MetricChoice, text: str, settings: Mapping[str, object]
) -> CompetitionProfile:
    """Raises BadCompetition where tables or labels cannot be competed on."""
    stated = Stated(
        id_column=layout.id_column,
        group_column=str(settings.get("group_column") or ""),
        modality=str(settings.get("modality") or ""),
    )
    check_tables(layout.folder, stated, known_name(choice))
    return profile_competition(
        layout.folder,
        description=text,
        metric=choice.name or "",
        higher_is_better=choice.higher_is_better is not False,
        stated=stated,
    )
