"""The files of a competition by role, under the names by which people see them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from mle_live.layout.file_labels import FileLabels
from mle_live.layout.file_pairs import FilePairs
from mle_live.layout.folders import AUDIO_SUFFIXES, IMAGE_SUFFIXES
from mle_live.layout.formats import table_format
from mle_live.layout.listing import FoundFile
from mle_live.layout.roles import DESCRIPTIONS, SETTINGS, Roles, Seen, letters

_SEEN = IMAGE_SUFFIXES | AUDIO_SUFFIXES


def files_by_role(
    entries: Sequence[FoundFile], roles: Roles, in_files: FileLabels | FilePairs | None
) -> dict[str, tuple[str, ...]]:
    def names(*found: Seen | None) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.entry.shown for one in found if one))

    files = {
        "sample": names(roles.sample),
        "train": names(*roles.train),
        "test": names(*roles.test),
        "labels": names(roles.labels),
        "description": tuple(
            one.shown for one in entries if one.folder == "" and letters(one).startswith(DESCRIPTIONS)
            and one.suffix in (".md", ".txt", ".html")
        ),
    }  # fmt: skip
    media = tuple(dict.fromkeys(_top(one) for one in entries if one.suffix in _SEEN and one.folder))
    if isinstance(in_files, FilePairs):
        files["train"], files["labels"], files["test"] = ((f"{name}/",) for name in in_files.folders)
    elif in_files:
        files["train"] = (str(PurePosixPath(in_files.paths[0]).parts[0]) + "/",)
    if not roles.test and not files["test"]:
        files["test"] = tuple(dict.fromkeys(filter(None, map(_test_folder, entries))))
    taken = {name for found in files.values() for name in found}
    files["media"] = tuple(name for name in media if name not in taken)
    sides = dict.fromkeys(
        _top(one) if one.folder and not one.is_single else one.shown
        for one in entries
        if one.name != SETTINGS
    )
    taken |= {*files["media"], *(one.entry.shown for one in _all(roles))}
    tops = {_top(one.entry) for one in _all(roles) if one.entry.folder}
    return {**files, "side": tuple(name for name in sides if name not in taken and name not in tops)}


def _test_folder(entry: FoundFile) -> str:
    """The folder called after tests that holds it; empty without one."""
    parts = PurePosixPath(entry.folder).parts
    depth = next((number for number, part in enumerate(parts, 1) if "test" in part.lower()), 0)
    return "/".join(parts[:depth]) + "/" * bool(depth)


def without_training(entries: Sequence[FoundFile], roles: Roles) -> str:
    """What to say where no training data were found."""
    known = {one.entry for one in _all(roles)}
    unread = tuple(said.split(" ")[0] for said in roles.unreadable)
    left = [one for one in entries if one not in known and not one.name.startswith(unread)]
    tables = [one.shown for one in left if table_format(one.name) and one.suffix != ".txt"]
    if not tables:
        return "no training data were found: no table, no folders named after classes"
    some = ", ".join(tables[:5]) + (" …" if len(tables) > 5 else "")
    return f"none of the tables ({some}) is seen to be the training table; name it: --file train=NAME"


def _top(entry: FoundFile) -> str:
    """The folder at the top that holds it."""
    return f"{PurePosixPath(entry.name).parts[0]}/"


def _all(roles: Roles) -> list[Seen]:
    return [one for one in (roles.sample, *roles.train, *roles.test, roles.labels) if one]
