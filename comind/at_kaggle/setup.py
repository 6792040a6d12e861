"""What pushed notebooks need before the first round: the sample, the split at Kaggle, the account's book."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from comind.at_kaggle.attachment import LABELS_READABLE, write_ids
from comind.at_kaggle.backend import KaggleBackend
from comind.at_kaggle.sample import sample_public
from comind.at_kaggle.split_dataset import describe_split, ensure_dataset
from comind.at_kaggle.words import NO_CANCEL
from comind.community.upstream import upstream_kaggle
from comind.config import RunConfig
from comind.evaluator.profile import SplitFacts
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.account import AccountBook, account_name
from kaggle_runner.entry.preflight import insist, preflight
from kaggle_runner.errors import ConfigError
from kaggle_runner.jobs.book import AttemptBook
from kaggle_runner.jobs.queue import Place, SessionQueue
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.moments import Clock
from kaggle_runner.sandbox.bubblewrap import gpu_mounts


async def check_push(config: RunConfig, environment: Mapping[str, str], state: Path) -> list[str]:
    """What pushing to a Kaggle needs, before anything is spent. Raises ConfigError or KaggleError.

    Returns what does not forbid a push but should be known before one, such as a competition that has closed.
    The run's own MLE-Live needs no more than the machine that was asked for.
    """
    kaggle = upstream_kaggle(config, environment)
    if kaggle is None:
        _check_own_machine(config)
        return []
    gpu = bool(config.machine_shape)
    findings = await preflight(kaggle.client(), config.competition, purpose="push", gpu=gpu, folder=state)
    insist(findings)
    return [f"{one.name}: {one.detail}. {one.hint}".strip() for one in findings if one.verdict == "optional"]


def _check_own_machine(config: RunConfig) -> None:
    shape = config.machine_shape
    has_one = not config.gpu_kernels and not shape.lower().startswith("tpu") and bool(gpu_mounts(None))
    if shape and config.gpu_kernels != "cpu" and not has_one:
        raise ConfigError(
            f"This run's own Kaggle has no {shape}, and kernels are to ask for it.",
            hint="Push with --accelerator none, or have them run on the CPU, marked so: --gpu-kernels cpu.",
        )


async def open_backend(
    *,
    client: KaggleClient,
    simulated: bool,
    competition: str,
    facts: SplitFacts,
    folder: RunFolder,
    store: Store,
    config: RunConfig,
    clock: Clock,
) -> KaggleBackend:
    """Draw the sample, have the split at Kaggle as a private dataset, and tell what stopping means there.

    Raises ConfigError where the split is larger than the limit, KaggleError where Kaggle cannot take it.
    """
    sizes = await asyncio.to_thread(sample_public, folder.public, folder.rehearsal, facts, seed=config.seed)
    store.event("rehearsal", f"Rehearsals use {sizes.sentence()}")
    root, name = folder.public, ""
    if config.attach_competition:
        root = await asyncio.to_thread(write_ids, folder, facts.id_column)
        name = f"{competition}-split"
        store.event("sandbox", f"{LABELS_READABLE}.", data={"labels_readable": True})
    split = await asyncio.to_thread(
        describe_split, folder, competition, limit_gigabytes=config.kaggle_dataset_limit, root=root, name=name
    )
    owner = await client.username()
    await ensure_dataset(client, split.slug, root, store)
    store.event("kaggle", f"{NO_CANCEL}. The time limit counts on while kernels wait and run.")
    # the run's own server has another port each time, and its account is this run's alone
    account = f"{owner}@{folder.id}" if simulated else account_name(owner, client.base_url)
    book = AccountBook(folder.state / "kaggle.sqlite", account)
    attempts = AttemptBook(book, clock)
    limits: dict[Place, int] = {
        "kaggle-cpu": config.kaggle_cpu_sessions, "kaggle-gpu": config.kaggle_gpu_sessions
    }  # fmt: skip
    backend = KaggleBackend(
        client=client,
        queue=SessionQueue(attempts, client, limits=limits, run=folder.id),
        folder=folder,
        store=store,
        config=config,
        owner=owner,
        competition=competition,
        split=split,
        id_column=facts.id_column,
        sizes=sizes,
        simulated=simulated,
    )
    quota = await backend.quota()
    if config.accelerator == "auto" and quota is not None and not quota.gpu.allowed:
        backend.without_gpu = True
        store.event("kaggle", "There is no GPU for kernels here: notebooks ask for none.")
    return backend
