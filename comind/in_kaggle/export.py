"""A run as something to take to Kaggle: a dataset with CoMind itself, and a notebook that competes with it.

Two folders are written, as `kaggle datasets create -p` and `kaggle kernels push -p` take them. Nothing is
pushed here. What the notebook does in its session is `notebook.py`.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from comind.community.upstream import mle_live_root
from comind.config import RunConfig
from comind.in_kaggle.community import gather_community
from comind.in_kaggle.engine_wheel import build_wheel
from comind.in_kaggle.notebook import Plan
from comind.state.reader import reading
from comind.state.records import Run
from comind.state.runs import RunFolder, read_run
from kaggle_runner.errors import ConfigError, MachineError, UsageError
from kaggle_runner.files import write_whole
from kaggle_runner.notebook.text import notebook_cell, notebook_of

NOBODY = "YOUR-KAGGLE-NAME"
DEFAULT_ACCELERATOR = "NvidiaTeslaT4"
_MOST_TITLE = 50
_AT_HOME = (
    "competition", "replay", "executor", "submit", "kaggle_url", "accelerator", "kernel_time_limit",
    "internet", "docker_image", "kaggle_dataset_limit", "attach_competition", "kaggle_gpu_sessions",
    "kaggle_cpu_sessions", "refresh_community", "cpu_threads", "memory_limit", "python", "allow_packages",
)  # fmt: skip
"""Settings that mean something on the machine of the run only."""


@dataclass(frozen=True, slots=True)
class Export:
    """What was written, and what it will be called at Kaggle."""

    dataset: Path
    notebook: Path
    dataset_slug: str
    dataset_title: str
    kernel_slug: str
    kernel_title: str
    competition: str
    accelerator: str
    """Kaggle's machine shape; empty for the CPU."""
    internet: bool
    kernels: tuple[str, ...]
    upload_bytes: int
    """Of everything that is to be uploaded."""

    @property
    def code(self) -> str:
        return next(self.notebook.glob("*.ipynb")).read_text(encoding="utf-8")


def export_run(
    folder: RunFolder,
    out: Path,
    *,
    owner: str = "",
    accelerator: str | None = None,
    after: str = "",
    python: str = "",
    session_seconds: int | None = None,
) -> Export:
    """Write `out/dataset` and `out/notebook` for the run in `folder`.

    `accelerator` is a machine shape (None: a GPU unless the run is offline, empty: the CPU); `after` is the
    kernel `owner/slug` of the former session, whose output is attached; `python` is a version such as 3.12
    for which all dependencies are added as wheels. Raises ConfigError for a run that cannot go elsewhere.
    """
    run, community = _read(folder)
    plan = Plan(run.competition, _settings(run), *_competition(run, folder), community)
    offline = bool(plan.settings.get("offline"))
    names = _names(run, after)
    dataset, notebook = out / "dataset", out / "notebook"
    for place in (dataset, notebook):
        place.mkdir(parents=True, exist_ok=True)
    for old in dataset.glob("*.whl"):
        old.unlink()
    plan.write(dataset)
    wheel = build_wheel(dataset)
    if python:
        _download(wheel, python, dataset)
    shape = ("" if offline else DEFAULT_ACCELERATOR) if accelerator is None else accelerator
    export = Export(
        dataset, notebook, f"{names.root}-engine", f"{names.title} engine", names.slug, names.titled,
        run.competition, shape, not offline, (after,) if after else (), _size(dataset),
    )  # fmt: skip
    user = owner or NOBODY
    _write_json(dataset / "dataset-metadata.json", _dataset_metadata(export, user))
    text = notebook_text(export, plan, user, session_seconds)
    write_whole(notebook / f"{names.slug}.ipynb", text)
    _write_json(notebook / "kernel-metadata.json", _kernel_metadata(export, user))
    return export


def _read(folder: RunFolder) -> tuple[Run, dict[str, list[dict[str, Any]]]]:
    run = read_run(folder)
    with reading(folder.database) as reader:
        return run, gather_community(reader, run)


def _settings(run: Run) -> dict[str, Any]:
    """What the run was asked for, where that differs from the defaults."""
    defaults = RunConfig(competition="-").as_dict()
    known = {item.name for item in fields(RunConfig)} - set(_AT_HOME)
    asked = run.settings
    for address in (asked.base_url, *asked.role_models.values(), *asked.fallback_models):
        if re.search(r"//(localhost|127\.|\[::1\]|0\.0\.0\.0)", address):
            raise ConfigError(
                f"Run {run.id} asks a model at {address}, which only this machine can reach.",
                hint="Export a run whose model has a public address, or start one with --offline.",
            )
    return {n: value for n, value in asked.as_dict().items() if n in known and value != defaults[n]}


def _competition(run: Run, folder: RunFolder) -> tuple[dict[str, Any], str]:
    """Settings of a folder competition over the attached files, and its text."""
    from mle_live.competitions.competition import load_competition, read_settings
    from mle_live.layout.roles import SETTINGS
    from mle_live.metrics import get_metric

    try:
        get_metric(run.metric)
    except UsageError as error:
        own = "a file of your own, which is not taken along"
        told = own if run.settings.metric_file else f"known in words only ({run.metric[:80]})"
        raise ConfigError(
            f"The metric of {run.competition} is {told}.",
            hint="Inside Kaggle a run needs a metric that CoMind knows; --kaggle-push does not.",
        ) from error
    about: dict[str, Any] = {"title": run.title or run.competition, "metric": run.metric}
    text = folder.description.read_text(encoding="utf-8") if folder.description.is_file() else ""
    prepared = mle_live_root(folder.state) / "competitions" / run.competition / "competition.yaml"
    local = Path(run.settings.competition) / SETTINGS
    if prepared.is_file():
        shelf = load_competition(mle_live_root(folder.state), run.competition)
        about |= {"group_column": shelf.group_column} if shelf.group_column else {}
        text = text or shelf.description
    elif local.is_file():
        about = {**{k: v for k, v in read_settings(local).items() if k not in ("data", "slug")}, **about}
    if not text.strip():
        raise ConfigError(
            f"Run {run.id} has not kept the text of its competition.",
            hint="Resume or start it once with this version of CoMind, then export it.",
        )
    return about, text


@dataclass(frozen=True, slots=True)
class _Names:
    root: str
    title: str
    slug: str
    titled: str


def _names(run: Run, after: str) -> _Names:
    """Slugs are what Kaggle makes of titles: lower case, with hyphens for spaces."""
    tail = hashlib.sha256(run.id.encode()).hexdigest()[:6]
    room = _MOST_TITLE - len(f"CoMind  {tail} engine")
    title = f"CoMind {run.competition[:room].strip('-').replace('-', ' ')} {tail}"
    root = title.lower().replace(" ", "-")
    earlier = (
        re.search(r"-(\d+)$", after.removeprefix(f"{after.partition('/')[0]}/{root}")) if after else None
    )
    number = (int(earlier[1]) if earlier else 1) + 1 if after else 1
    return _Names(root, title, f"{root}-{number}" if after else root, f"{title} {number}" if after else title)


def _download(wheel: Path, python: str, folder: Path) -> None:
    """All dependencies as wheels for Kaggle's machines, with pip as this machine is set up for it."""
    platforms = [
        word
        for name in ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
        for word in ("--platform", name)
    ]
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder),
            "--python-version", python, "--only-binary=:all:", *platforms, str(wheel),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise MachineError(
            f"pip could not download CoMind's dependencies for Python {python}: {done.stderr.strip()[-600:]}",
            hint="Without --with-dependencies the notebook installs them by itself, with Internet on.",
        )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _dataset_metadata(export: Export, owner: str) -> dict[str, Any]:
    return {
        "title": export.dataset_title,
        "id": f"{owner}/{export.dataset_slug}",
        "licenses": [{"name": "other"}],
    }


def _kernel_metadata(export: Export, owner: str) -> dict[str, Any]:
    """Every switch is written down: what is left out differs between versions of Kaggle's command."""
    return {
        "id": f"{owner}/{export.kernel_slug}",
        "title": export.kernel_title,
        "code_file": f"{export.kernel_slug}.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": export.accelerator.startswith("Nvidia"),
        "enable_tpu": export.accelerator.startswith("Tpu"),
        "enable_internet": export.internet,
        **({"machine_shape": export.accelerator} if export.accelerator else {}),
        "dataset_sources": [f"{owner}/{export.dataset_slug}"],
        "competition_sources": [export.competition],
        "kernel_sources": list(export.kernels),
        "model_sources": [],
    }


def _write_json(path: Path, value: object) -> None:
    write_whole(path, json.dumps(value, indent=2) + "\n")


# --- the notebook


def notebook_text(export: Export, plan: Plan, owner: str, session_seconds: int | None) -> str:
    """The notebook (nbformat 4): what it needs, the places, the installation, the run, its report."""
    model = plan.settings.get("model", RunConfig(competition="-").model)
    needs = _OFFLINE if plan.settings.get("offline") else _SECRETS.format(model=model)
    intro = _INTRO.format(
        title=export.kernel_title, competition=plan.competition, needs=needs,
        dataset=f"{owner}/{export.dataset_slug}",
    )  # fmt: skip
    length = "" if session_seconds is None else _LENGTH.format(seconds=session_seconds)
    places = _PLACES.format(dataset=f"{owner}/{export.dataset_slug}", length=length)
    cells = [notebook_cell("markdown", "cell-0", intro.strip("\n"))]
    for number, code in enumerate((places, _INSTALL, _RUN, _REPORT), start=1):
        cells.append(notebook_cell("code", f"cell-{number}", code.strip("\n")))
    notebook = notebook_of(cells, language_info={"name": "python"})
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


_INTRO = """
# {title}

CoMind competes in **{competition}** inside this session: its agents write and run notebooks here, on this
session's processors. It stops by itself before the session ends.

What it needs:

* the competition's files: its rules accepted, and the competition attached under *Add Input*;
* the private dataset `{dataset}` attached, which holds CoMind and the settings of the run;
{needs}

What it leaves in the output: `submission.csv`, `report.md`, and `comind-state.tar.gz`. To go on in another
session, attach this notebook's output there (*Add Input → Your Work*), or export with `--after`.
"""
_SECRETS = """* *Add-ons → Secrets*: `OPENAI_API_KEY` attached, for the model `{model}` (where you need them
  `OPENAI_BASE_URL` and `COMIND_MODEL` too). A push cannot attach secrets: open it once, attach, save;
* *Settings → Internet on*, to reach the model."""
_OFFLINE = "* no model and no internet: this run works with recipes (`offline: true`)."

_PLACES = """
import os, subprocess, sys
from pathlib import Path

INPUT, WORKING, ENGINE = Path("/kaggle/input"), Path("/kaggle/working"), Path("/tmp/comind-engine")
found = [path for depth in ("*", "*/*", "*/*/*") for path in INPUT.glob(depth + "/comind-run.yaml")]
if not found:
    raise SystemExit("Attach the dataset {dataset}: Add Input, then Your Work.")
DATASET = found[0].parent
os.environ["COMIND_INSIDE_KAGGLE"] = "1"  # this container is thrown away after the session
{length}print("CoMind comes from", DATASET)
"""
_LENGTH = 'os.environ["COMIND_SESSION_SECONDS"] = "{seconds}"\n'

_INSTALL = """
# An environment of its own that sees this image's packages and changes none of them.
subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(ENGINE)], check=True)
packages = next(ENGINE.glob("lib/python3*/site-packages"))
image = [path for path in sys.path if path.endswith("-packages")]
(packages / "image.pth").write_text("".join(f"import site; site.addsitedir({path!r})\\n" for path in image))
PYTHON = str(ENGINE / "bin" / "python")
pip = [PYTHON, "-m", "pip", "install", "--quiet", "--no-warn-script-location"]
wheel = str(next(DATASET.glob("comind-*.whl")))
subprocess.run([*pip, "--no-index", "--no-deps", "--force-reinstall", wheel], check=True)
attached = subprocess.run([*pip, "--no-index", "--find-links", str(DATASET), wheel], capture_output=True)
if attached.returncode and subprocess.run([*pip, wheel]).returncode:
    raise SystemExit(
        "CoMind's dependencies cannot be installed: switch Internet on (Settings), "
        "or export the run again with --with-dependencies."
    )
"""

_RUN = """
# Resumes the run of an attached earlier session, or begins; everything it keeps is in /kaggle/working.
done = subprocess.run([PYTHON, "-m", "comind_tui.commands.in_session", str(DATASET)], check=True)
"""

_REPORT = """
from IPython.display import Markdown

report = WORKING / "report.md"
Markdown(report.read_text() if report.is_file() else "No report yet: the next session goes on with the run.")
"""
