"""A run inside a Kaggle notebook session: where its data come from, and how its state gets into the next one.

The engine is the same as everywhere. `export.py` writes what is read here; the session itself is known by
`kaggle_runner.inside_kaggle`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from comind.config import RunConfig
from comind.in_kaggle.community import FILE, lay_out_community
from kaggle_runner.errors import BadCompetition, ConfigError, UnknownCompetition
from kaggle_runner.files import replace_folder, whole_file, write_whole
from kaggle_runner.inside_kaggle import INPUT, attached, find_attached, is_session, read_secrets, seconds_left
from kaggle_runner.moments import stamp
from mle_live.shelf.entry import is_on_shelf

PLAN = "comind-run.yaml"
DESCRIPTION = "description.md"
STATE_PACK = "comind-state.tar.gz"
STATE_NOTE = "comind-state.json"
_LEFT_OUT = ("boxes", "mle_live")
"""Of the state folder: what is made anew from packages or from inputs."""
_REMADE = re.compile(r"runs/[^/]+/mle_live/downloads")
"""The competition's data once more, as one archive."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an exported run is to do in a session."""

    competition: str
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the run, by name, without the competition."""
    about: dict[str, Any] = field(default_factory=dict)
    """Of the competition, as in a folder's competition.yaml."""
    description: str = ""
    community: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """As `comind.in_kaggle.community` gathers it; empty where there is none."""

    def write(self, folder: Path) -> None:
        import yaml

        plan = {"competition": self.competition, "settings": self.settings, "about": self.about}
        text = yaml.safe_dump(plan, sort_keys=False, allow_unicode=True)
        write_whole(folder / PLAN, text)
        write_whole(folder / DESCRIPTION, self.description)
        write_whole(folder / FILE, json.dumps(self.community))


def read_plan(folder: Path) -> Plan:
    """What `Plan.write` wrote. Raises ConfigError when it is not there or damaged."""
    import yaml

    try:
        plan = yaml.safe_load((folder / PLAN).read_text(encoding="utf-8"))
        description = (folder / DESCRIPTION).read_text(encoding="utf-8")
        community = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Plan(plan["competition"], dict(plan["settings"]), dict(plan["about"]), description, community)
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(
            f"{folder / PLAN} cannot be read: {error}",
            hint="Attach the dataset that `comind-tui export RUN --kaggle-notebook` wrote.",
        ) from error


def session_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Settings that a session decides where nobody said anything: the time, and the model of the Secrets."""
    if not is_session(environment):
        return {}
    settings: dict[str, Any] = {"time_limit": max(60.0, seconds_left(environment))}
    model = environment.get("COMIND_MODEL") or read_secrets(environment).values.get("COMIND_MODEL")
    return {**settings, "model": model} if model else settings


def with_attached(config: RunConfig, state: Path, *, root: Path = INPUT) -> RunConfig:
    """In a session, a slug whose competition is attached to the notebook means those files."""
    if config.is_folder or config.kaggle_url:
        return config
    folder = place_competition(config.competition, state, Plan(config.competition), root=root)
    return config if folder is None else replace(config, competition=f"{folder}/")


def place_competition(slug: str, state: Path, plan: Plan, *, root: Path = INPUT) -> Path | None:
    """A folder competition over the attached files of `slug`, in the state; None when they are not attached.

    Nothing is copied: its competition.yaml says where the data lie in this session. A description that is
    there already stays where the plan has none. Raises BadCompetition where there is none at all.
    """
    import yaml

    data = attached(slug, root=root)
    if data is None:
        return None
    folder = (state / "competitions" / slug).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if plan.description:
        write_whole(folder / DESCRIPTION, plan.description)
    if not (folder / DESCRIPTION).is_file():
        raise BadCompetition(
            f"The attached files of {slug} come without the text of the competition.",
            hint=f"Write its task and its metric into {folder / DESCRIPTION}; exported runs bring it along.",
        )
    if plan.community:
        from mle_live.competitions.folder import ARTIFACTS

        lay_out_community(plan.community, folder / ARTIFACTS)
    settings_path = folder / "competition.yaml"
    known = yaml.safe_load(settings_path.read_text(encoding="utf-8")) if settings_path.is_file() else {}
    settings = {**known, **plan.about, "slug": slug, "data": str(data)}
    write_whole(settings_path, yaml.safe_dump(settings, sort_keys=False))
    return folder


def session_config(plan: Plan, state: Path, *, root: Path = INPUT) -> dict[str, Any]:
    """The settings of the exported run with its competition as it is to be had here.

    Raises UnknownCompetition where it is neither attached nor on the shelf.
    """
    folder = place_competition(plan.competition, state, plan, root=root)
    if folder is not None:
        return {**plan.settings, "competition": f"{folder}/"}
    if is_on_shelf(plan.competition):
        return {**plan.settings, "competition": plan.competition}
    raise UnknownCompetition(
        f"The competition {plan.competition} is not attached to this notebook.",
        hint="Accept its rules on its page, then Add Input → Competitions, and run the notebook again.",
    )


def restore(state: Path, *, root: Path = INPUT) -> str:
    """Unpack the newest state among the attached outputs to `state`; one sentence on what was found.

    A state folder that exists is left as it is: it is newer than anything attached.
    """
    if (state / "runs").is_dir():
        return f"The state in {state} goes on."
    packs = [path for path in find_attached(STATE_PACK, root=root) if path.with_name(STATE_NOTE).is_file()]
    if not packs:
        return "No earlier session's output is attached: a new run begins."
    newest = max(packs, key=lambda path: str(_note(path).get("saved_at", "")))
    partial = state.with_name(f"{state.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with tarfile.open(newest) as pack:
            pack.extractall(partial, filter="data")
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise ConfigError(
            f"The state in {newest} cannot be unpacked: {error}", hint="Attach another version's output."
        ) from error
    replace_folder(partial, state)
    return f"The state of {_note(newest).get('run', 'an earlier session')} was found in {newest.parent}."


def _note(pack: Path) -> dict[str, Any]:
    try:
        note: Any = json.loads(pack.with_name(STATE_NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def keep(state: Path, target: Path, *, run: str, status: str, now: datetime) -> Path:
    """Pack the state folder into one file of the session's output: many small ones would be cut off at 500.

    Links are left out, and so is what the next session makes anew. The pack appears whole or not at all.
    """
    note = {"run": run, "status": status, "saved_at": stamp(now)}
    with whole_file(target / STATE_PACK) as whole:
        with tarfile.open(fileobj=whole, mode="w:gz", compresslevel=1) as pack:
            for path in sorted(state.iterdir()):
                if path.name not in _LEFT_OUT:
                    pack.add(path, path.name, filter=_kept)
        write_whole(target / STATE_NOTE, json.dumps(note) + "\n")
    return target / STATE_PACK


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Plain files and folders, owned by whoever unpacks them and open to nobody else."""
    if not (member.isreg() or member.isdir() or member.islnk()) or _REMADE.fullmatch(member.name):
        return None
    member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
    member.mode = 0o700 if member.isdir() else 0o600
    return member
