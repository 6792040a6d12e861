"""Labels without a table: folders named after classes, or names of files that tell their class."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from mle_live.layout.folders import AUDIO_SUFFIXES, IMAGE_SUFFIXES
from mle_live.layout.listing import FoundFile

_FEWEST_A_CLASS = 2
_MOST_CLASSES = 2000
_NEARLY_ALL = 0.9
MEDIA = IMAGE_SUFFIXES | AUDIO_SUFFIXES | {".txt", ".npy", ".json"}
_FIRST = re.compile(r"^([A-Za-z]+)[._-]?\d+")
_LAST = re.compile(r"_([A-Za-z]+|\d)$")


class FileLabels(NamedTuple):
    """A row a file: its path, and what the path says of its class."""

    paths: list[str]
    labels: list[str]
    how: str


def find_file_labels(entries: Sequence[FoundFile], classes: Sequence[str]) -> FileLabels | None:
    """`classes` are those that the sample submission names, where it does; empty otherwise."""
    media = [entry for entry in entries if entry.suffix in MEDIA and "test" not in entry.folder.lower()]
    return _by_folder(media, classes) or _by_name(media)


def _by_folder(media: Sequence[FoundFile], classes: Sequence[str]) -> FileLabels | None:
    """The level of folders that names classes: those of the sample, else the last one below `train`."""
    by_parent: dict[str, Counter[str]] = {}
    for entry in media:
        place = PurePosixPath(entry.folder)
        if place.name and not place.name.startswith("_"):  # no class: `_background_noise_`
            by_parent.setdefault(str(place.parent), Counter())[place.name] += 1
    best = None
    for parent, found in by_parent.items():
        fits = len(found) >= 2 and len(found) <= _MOST_CLASSES and min(found.values()) >= _FEWEST_A_CLASS
        named = set(classes) and set(found) <= set(classes)
        if (fits and (named or "train" in parent.lower())) and (
            best is None or found.total() > best[1].total()
        ):
            best = (parent, found)
    if best is None:
        return None
    parent, _ = best
    chosen = [
        entry for entry in media
        if (place := PurePosixPath(entry.folder)).name in best[1] and str(place.parent) == parent
    ]  # fmt: skip
    labels = [PurePosixPath(entry.folder).name for entry in chosen]
    return FileLabels(
        [entry.name for entry in chosen], labels, f"folders of {parent or 'the data'} name classes"
    )


def _by_name(media: Sequence[FoundFile]) -> FileLabels | None:
    """`cat.17.jpg`, `clip_1.wav`: a part of every file's name that has few values."""
    training = [entry for entry in media if "train" in entry.folder.lower()]
    for pattern in (_FIRST, _LAST):
        matches = [pattern.search(PurePosixPath(entry.name).stem) for entry in training]
        if not training or not all(matches):
            continue
        labels = [match.group(1) for match in matches if match]
        counts = Counter(labels)
        if 2 <= len(counts) <= 50 and min(counts.values()) >= _FEWEST_A_CLASS:
            return FileLabels([entry.name for entry in training], labels, "names of files tell classes")
    return None


def names_rows(entries: Sequence[FoundFile], ids: Iterable[str]) -> bool:
    """Whether there are files of the rows to predict: called as they are, or at least media."""
    names = {name for one in entries if one.folder for name in (one.stem, PurePosixPath(one.name).name)}
    return any(entry.suffix in MEDIA for entry in entries) or not names.isdisjoint(ids)


def stems_tell(paths: Sequence[str], labels: Sequence[str]) -> bool:
    """Whether names of files give the classes of their folders away: `cats/cat.17.jpg`."""
    stems = [PurePosixPath(path).stem for path in paths]
    found = [[one.group(1) if one else "" for one in map(how.search, stems)] for how in (_FIRST, _LAST)]
    return any(go_with(words, labels) for words in found)


def go_with(words: Sequence[str], labels: Sequence[str]) -> bool:
    """Whether each word stands with one label, nearly always; not where hardly any word comes twice."""
    pairs = Counter(pair for pair in zip(words, labels, strict=True) if pair[0])
    usual: dict[str, int] = {}
    for (word, _), count in pairs.items():
        usual[word] = max(count, usual.get(word, 0))
    total = pairs.total()
    return (
        total >= len(words) * _NEARLY_ALL
        and 2 <= len(usual) <= min(_MOST_CLASSES, total / _FEWEST_A_CLASS)
        and sum(usual.values()) >= total * _NEARLY_ALL
    )
