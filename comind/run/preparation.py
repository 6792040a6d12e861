"""Everything before the first round: data, community, profile, and an evaluator that passed its checks.

Each step leaves a mark on disk or in the store, so a resumed run does none of them twice.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from comind.community.cache import CommunityCache
from comind.community.offer import offer_downloads
from comind.community.snapshot import fetch_downloads, keep_pages, read_downloads, take_snapshot
from comind.community.transfers import transfer_events
from comind.community.upstream import Upstream, stated_files
from comind.config import RunConfig
from comind.evaluator.evaluator import Evaluator, known_metric_source
from comind.evaluator.metric_file import asked_metric, read_metric_file
from comind.evaluator.open_profile import profile_open
from comind.evaluator.profile import CompetitionProfile, profile_competition
from comind.llm.client import CallKey
from comind.roles import evaluator as evaluator_role
from comind.roles.briefing import Room, competition_text, machine_text, metric_text, open_metric_text
from comind.roles.desk import Brief, Desk
from comind.run.arrangement import arrange_files, arrangement_of
from comind.run.confinement import can_install
from comind.run.splitting import ATTEMPTS, split_and_check, written_layout
from comind.state.grades import BASELINE
from comind.state.records import Evaluation
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.errors import EvaluatorRejected
from kaggle_runner.files import write_whole
from kaggle_runner.machine import describe_machine
from kaggle_runner.moments import Clock
from kaggle_runner.texts import one_line
from mle_live.competitions.metric_choice import (
    NAMED_NOWHERE,
    MetricChoice,
    fitted,
    known_name,
    read_metric,
    require_metric,
)
from mle_live.layout.stated import StatedFiles
from mle_live.layout.tables import Stated


@dataclass(frozen=True, slots=True)
class Facts:
    """What upstream says about the competition."""

    title: str
    description: str
    metric: MetricChoice
    """Without a name where none is certain: the evaluator's model writes it, with its direction."""
    words: str = ""
    """What Kaggle calls the metric."""
    began: datetime | None = None
    """When the competition opened; None where Kaggle does not say."""
    stated: Stated = field(default_factory=Stated)
    """What the competition.yaml says of its tables, where there is one."""

    @property
    def metric_name(self) -> str:
        """As people read it; of one that is written by a model, the host's words."""
        return self.metric.name or one_line(self.words) or "the description's own metric"

    @property
    def higher_is_better(self) -> bool:
        """Not to be relied on while no metric is certain."""
        return self.metric.higher_is_better is not False


@dataclass(frozen=True, slots=True)
class Prepared:
    brief: Brief
    evaluator: Evaluator
    baseline: Evaluation
    metric: MetricChoice


async def fetch_competition(
    upstream: Upstream, folder: RunFolder, store: Store, config: RunConfig, clock: Clock
) -> Facts:
    """Pages, metric, files and the community's snapshot.

    Raises BadCompetition, before files are fetched, where no metric is certain and no model can write one.
    """
    competition = await upstream.client.competition(upstream.slug)
    pages = await upstream.client.pages(upstream.slug)
    description = "\n\n".join(pages.values()) or competition.summary
    known = await upstream.client.extension_competition(upstream.slug)
    facts = Facts(
        competition.title, description, _choose(config, known, competition.metric, description),
        words=competition.metric, began=competition.enabled_date, stated=Stated.of(known or {}),
    )  # fmt: skip
    store.event("metric", f"The metric: {facts.metric.told}")
    if config.offline:
        require_metric(facts.metric, upstream.slug)
    folder.description.parent.mkdir(parents=True, exist_ok=True)
    write_whole(folder.description, description)
    marker = folder.path / "data" / "downloaded"
    if not marker.exists():
        store.event("download", f"Downloading the data of {upstream.slug}")
        folder.download.parent.mkdir(parents=True, exist_ok=True)
        progress = transfer_events(store, "download", "Downloaded", asyncio.get_running_loop())
        await upstream.client.download_all(upstream.slug, folder.download, progress)
        remarks: list[str] = []
        told = stated_files(config).over(StatedFiles.of((known or {}).get("told") or {}))
        await asyncio.to_thread(
            arrange_files, folder, told, remarks.append, split_is_written=_may_write(config)
        )
        for remark in remarks:
            store.event("files", remark)
        marker.touch()
    if arranged := arrangement_of(folder):
        facts = replace(facts, stated=replace(facts.stated, id_column=arranged.id_column))
    cache = CommunityCache(
        upstream.client,
        upstream.slug,
        None if upstream.simulated else folder.state,  # the run's own child costs nothing to ask
        clock=clock,
        hours=config.community_hours,
        refresh=config.refresh_community,
        tell=lambda told: store.event("community", told),
    )
    await keep_pages(cache, folder)
    await take_snapshot(
        cache,
        store,
        higher_is_better=facts.higher_is_better,
        top_kernels=config.top_kernels,
        top_discussions=config.top_discussions,
    )
    if not upstream.simulated:
        await fetch_downloads(cache, folder, store, most_bytes=int(config.community_limit * 1e9))
    return facts


def _may_write(config: RunConfig) -> bool:
    """Whether a model may write the split: there is one, and its agents find their files as it left them."""
    return not config.offline and config.executor == "local"


def _choose(config: RunConfig, known: dict[str, Any] | None, words: str, description: str) -> MetricChoice:
    """What was asked for, else what an MLE-Live server tells, else what Kaggle says, which is in words."""
    asked = asked_metric(config)
    if asked is not None:
        return asked
    return MetricChoice.from_mapping(known) if known else read_metric(words, description)


async def prepare_evaluation(
    facts: Facts, folder: RunFolder, store: Store, desk: Desk, config: RunConfig, clock: Clock
) -> Prepared:
    """Split the data, install the metric, check both, and score the sample submission.

    Raises EvaluatorRejected when no version passed the checks: nothing else has been spent then.
    """
    facts = _fitted(facts, folder, config)
    if facts.metric.name is None:
        brief, evaluator, choice = await _with_written_metric(facts, folder, store, desk, config, clock)
    else:
        own = config.metric_file
        source = read_metric_file(folder.metric_file) if own else known_metric_source(facts.metric.name)
        brief, evaluator, choice = await _with_metric(source, facts, folder, store, desk, config, clock)
    baseline = store.get(Evaluation, BASELINE)
    if baseline is None:
        baseline = replace(await evaluator.baseline(), agent="")
        store.save(baseline)
        store.event("baseline", f"The sample submission's feedback score is {baseline.score('feedback')}")
    if folder.downloads.exists():
        await offer_downloads(read_downloads(folder), folder, store, evaluator, began=facts.began)
    return Prepared(brief, evaluator, baseline, choice)


def _fitted(facts: Facts, folder: RunFolder, config: RunConfig) -> Facts:
    """With the metric that its words mean for these tables: of one column or several, of classes or not."""
    profile, _ = _describe(facts, folder, config)
    choice = fitted(facts.metric, len(profile.target_columns), bool(profile.label_column))
    if config.offline:
        require_metric(choice, facts.title)
    return replace(facts, metric=choice)


async def _with_written_metric(
    facts: Facts, folder: RunFolder, store: Store, desk: Desk, config: RunConfig, clock: Clock
) -> tuple[Brief, Evaluator, MetricChoice]:
    """The model writes the metric; a version that fails the checks goes back to it with the reason."""
    _, brief = _describe(facts, folder, config)
    fault = ""
    for attempt in range(ATTEMPTS):
        key = CallKey("evaluator", attempt, "metric")
        source = await evaluator_role.write_metric(desk, brief, key, fault=fault)
        direction = evaluator_role.declared_direction(source)
        written = replace(facts.metric, name=facts.metric_name, higher_is_better=direction, source="model")
        store.event("metric", f"The metric: {written.told}")
        try:
            known = replace(facts, metric=written)
            return await _with_metric(source, known, folder, store, desk, config, clock)
        except EvaluatorRejected as error:
            fault = error.message
            store.event("evaluator_rejected", f"Metric version {attempt + 1} was rejected: {fault}")
            if attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError("the last version is accepted or raises")


async def _with_metric(
    source: str, facts: Facts, folder: RunFolder, store: Store, desk: Desk, config: RunConfig, clock: Clock
) -> tuple[Brief, Evaluator, MetricChoice]:
    """An evaluator with this metric and a split, both checked."""
    profile, brief = _describe(facts, folder, config)
    evaluator = Evaluator(folder=folder, profile=profile, seed=config.seed, clock=clock)
    marker = folder.private / "checked"
    evaluator.install(source)
    if not marker.exists():
        await split_and_check(evaluator, profile, brief, store, desk, config)
        marker.touch()
    if not profile.has_ready_split:
        brief = replace(brief, data=f"{brief.data}\n{written_layout(folder)}")
    return brief, evaluator, facts.metric


def _describe(facts: Facts, folder: RunFolder, config: RunConfig) -> tuple[CompetitionProfile, Brief]:
    """The files' profile, and the stable facts of every prompt."""
    arranged = arrangement_of(folder)
    told: dict[str, Any] = {
        "description": facts.description,
        "metric": facts.metric.name or "",
        "higher_is_better": facts.higher_is_better,
    }
    if arranged and arranged.no_split:
        profile = profile_open(folder.original, id_column=arranged.id_column, **told)
    else:
        profile = profile_competition(folder.original, stated=facts.stated, **told)
    machine = describe_machine(config.notebook_python)
    brief = Brief(
        competition=competition_text(facts.title, facts.description, Room.of(config.context_tokens)),
        metric=_metric_text(facts.metric),
        machine=machine_text(
            machine, config.coders, config.threads(machine.cpus), installs=can_install(config)
        ),
        data=profile.text,
        gpu=bool(machine.gpus),
    )
    return profile, brief


def _metric_text(choice: MetricChoice) -> str:
    from mle_live.metrics import get_metric

    if choice.name is None:
        return open_metric_text(choice.doubt or NAMED_NOWHERE, choice.sentence)
    known = known_name(choice)
    title = get_metric(known).title if known else "as evaluate.py computes it"
    return metric_text(choice.name, title, choice.higher_is_better is not False, choice.sentence)
