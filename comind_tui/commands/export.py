"""`comind-tui export RUN --kaggle-notebook`: a run as a notebook for Kaggle; `--push` sends it there."""

from __future__ import annotations

import asyncio
import os
from argparse import Namespace
from pathlib import Path

from comind.config import parse_duration, shape_named
from comind.in_kaggle.export import NOBODY, Export, export_run
from comind.state.runs import find_run
from comind_tui.text.invocation import from_here
from kaggle_runner.console import put_json, put_lines, say
from kaggle_runner.errors import KaggleError, KernelRefused, UsageError
from kaggle_runner.kaggle.addresses import chosen
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.records import KernelPush, PushedVersion

_READY_SECONDS = 900.0
_POLL_SECONDS = 2.0


def export(arguments: Namespace) -> int:
    """Write both folders, push them when that was typed, and say what to do next."""
    if not arguments.kaggle_notebook:
        raise UsageError(
            "What is to be exported?", hint="comind-tui export RUN --kaggle-notebook [--out DIR] [--push]"
        )
    folder = find_run(arguments.state, arguments.run_id)
    out = Path(arguments.out or f"{folder.id}-kaggle")
    client = chosen(os.environ, getattr(arguments, "kaggle_url", "")).client() if arguments.push else None
    owner = arguments.user or (asyncio.run(client.username()) if client else "")
    seconds = int(parse_duration(arguments.session_time)) if arguments.session_time else None
    shape = shape_named(arguments.accelerator) if arguments.accelerator else None
    written = export_run(
        folder, out, owner=owner, accelerator=shape, after=arguments.after,
        python=arguments.with_dependencies or "", session_seconds=seconds,
    )  # fmt: skip
    pushed = asyncio.run(push(client, written, seconds)) if client else None
    _tell(written, pushed, as_json=arguments.json)
    return 0


async def push(client: KaggleClient, written: Export, seconds: int | None) -> PushedVersion:
    """The dataset first, as a new version where there is one; when it is ready, the kernel, which starts it.

    Raises KernelRefused and KaggleError.
    """
    ref = f"{await client.username()}/{written.dataset_slug}"
    if await client.dataset_status(ref) == "missing":
        ref = await client.create_dataset(
            written.dataset_slug, written.dataset_title, written.dataset, license="other"
        )
    else:
        await client.new_dataset_version(ref, written.dataset, "CoMind and the settings of a run")
    await _ready(client, ref)
    return await client.push_kernel(
        KernelPush(
            slug=written.kernel_slug, title=written.kernel_title, text=written.code, datasets=(ref,),
            kernels=written.kernels, competitions=(written.competition,), accelerator=written.accelerator,
            internet=written.internet, seconds=seconds,
        )
    )  # fmt: skip


async def _ready(client: KaggleClient, ref: str) -> None:
    waited = 0.0
    while (state := await client.dataset_status(ref)) != "ready":
        if state == "failed" or waited >= _READY_SECONDS:
            raise KaggleError(
                f"The dataset {ref} is not ready ({state}).", hint="Look at its page, and push again later."
            )
        await asyncio.sleep(_POLL_SECONDS)
        waited += _POLL_SECONDS


def _tell(written: Export, pushed: PushedVersion | None, *, as_json: bool) -> None:
    if pushed is not None and pushed.refused_sources:
        raise KernelRefused(
            f"Pushed as {pushed.ref}, but without {', '.join(pushed.refused_sources)}.",
            hint="Accept the competition's rules on its page, and push again.",
        )
    if as_json:
        put_json(
            {
                "dataset": str(written.dataset),
                "notebook": str(written.notebook),
                "upload_bytes": written.upload_bytes,
                "kernel": pushed.ref if pushed else "",
                "version": pushed.version if pushed else 0,
                "url": pushed.url if pushed else "",
            }
        )
        return
    put_lines(str(from_here(written.dataset)), str(from_here(written.notebook)))
    size = f"{written.upload_bytes / 1e6:.1f} MB"
    if pushed is not None:
        where = f", {pushed.url}" if pushed.url else ""
        say(f"Pushed ({size}): version {pushed.version} of {pushed.ref}{where}")
        return
    lines = [f"To upload: {size}. Nothing was pushed; with Kaggle's own command:"]
    lines.append(f"  kaggle datasets create -p {from_here(written.dataset)}")
    lines.append(f"  kaggle kernels push -p {from_here(written.notebook)}")
    metadata = (written.notebook / "kernel-metadata.json").read_text(encoding="utf-8")
    if NOBODY in metadata:
        lines.append(f"First put your user name in place of {NOBODY} in both metadata files (or use --user).")
    if not written.internet and len(list(written.dataset.rglob("*.whl"))) == 1:
        lines.append("The session has no internet, so pip finds no packages there: add --with-dependencies.")
    say(*lines)
