"""Which files beside the tables may be offered: those that were shown not to tell labels of training rows.

Validation rows are drawn from the training rows, so what tells these tells those. A file is read in whatever
form it has (`contents.py`), joined to the training table (`joins.py`) and each of its columns is held against
the labels (`telling.py`). Names of files, and notes inside pictures, are held against them as well. What
cannot be read is withheld.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from comind.evaluator.secrecy.contents import (
    TEXTS,
    plain,
    table_of_names,
    table_of_notes,
    table_of_texts,
    tables_of,
)
from comind.evaluator.secrecy.joins import Keys, Training, answers_for_test, links_of, telling_column
from comind.evaluator.secrecy.telling import ENOUGH_ROWS
from mle_live.layout.folders import AUDIO_SUFFIXES, IMAGE_SUFFIXES
from mle_live.layout.formats import table_format

if TYPE_CHECKING:
    import pandas as pd

_MEDIA = IMAGE_SUFFIXES | AUDIO_SUFFIXES
_LINKS_FOLLOWED = 3
"""Files between one that tells labels and the training table."""
_SERIES = 200
"""So many files of one kind in one folder are inputs, a row each: some of them are looked through for all."""
_OF_A_SERIES = 25
_ODD_ONES = 400
"""Files of a series that no row is named after and that are looked through one by one."""
_FILES_COMPARED = 20_000
_FILES_OPENED = 300
_SMALL = 100_000
_DIGITS = re.compile(r"\d+")
UNREAD = "it cannot be read here, so nobody knows what it tells"
"""What is said of a file that no reader understands."""


def withheld_files(folder: Path, training: Training, *, offered: Sequence[str] = ()) -> dict[str, str]:
    """Name of each file under `folder` that may not be offered → why, for people; no label is named.

    `offered` are names of files that are looked at elsewhere (the arranged tables) or hold no rows' labels by
    their role (a sample submission, a test table under its own name).
    """
    kinds = _by_kind(folder, offered)
    found: dict[Path, str] = {}
    for files in _by_top(folder, chain.from_iterable(kinds.values())).values():
        found |= _told_by_names(folder, files, training)
    for paths in kinds.values():
        found |= _told_by_rows_files(paths, kinds, training)
    documents = [paths for (_, suffix), paths in kinds.items() if suffix not in _MEDIA]
    for _ in range(_LINKS_FOLLOWED):
        links: Keys = {}
        for paths in documents:
            found |= _told_by_contents([one for one in paths if one not in found], training, links)
        if not links:
            break
        training = training.linked(links)
    return {path.relative_to(folder).as_posix(): why for path, why in sorted(found.items())}


def _by_kind(folder: Path, offered: Sequence[str]) -> dict[tuple[Path, str], list[Path]]:
    """The files to look at, by folder and ending."""
    kinds: dict[tuple[Path, str], list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if not hidden and name.as_posix() not in offered and path.is_file():
            kinds.setdefault((path.parent, path.suffix.lower()), []).append(path)
    return kinds


def _by_top(folder: Path, paths: Iterator[Path]) -> dict[str, list[Path]]:
    """The files by the folder at the top that holds them; those at the top together."""
    tops: dict[str, list[Path]] = {}
    for path in paths:
        parts = path.relative_to(folder).parts
        tops.setdefault(parts[0] if len(parts) > 1 else "", []).append(path)
    return tops


def _told_by_names(folder: Path, paths: Sequence[Path], training: Training) -> dict[Path, str]:
    """Files of training rows whose paths tell these rows' labels."""
    if len(paths) < ENOUGH_ROWS:
        return {}
    some = paths[:: len(paths) // _FILES_COMPARED + 1]
    found = telling_column(table_of_names([one.relative_to(folder) for one in some]), training, ordered=False)
    if not found:
        return {}
    names = table_of_names([one.relative_to(folder) for one in paths])[found.key].map(plain)
    of_rows = names.isin(found.places.index).tolist()
    why = f"its name or folder tells {found.label} of a training row"
    return {path: why for path, known in zip(paths, of_rows, strict=True) if known}


def _told_by_rows_files(
    paths: Sequence[Path], kinds: dict[tuple[Path, str], list[Path]], training: Training
) -> dict[Path, str]:
    """Files of a training row each (a text, a picture with notes inside) that tell that row's label."""
    suffix = paths[0].suffix.lower()
    make = table_of_notes if suffix in IMAGE_SUFFIXES else table_of_texts
    if suffix not in IMAGE_SUFFIXES | TEXTS and not table_format(paths[0].name):
        return {}
    of_rows = [path for path in paths if plain(path.stem) in training.ids]
    if len(of_rows) < ENOUGH_ROWS:
        return {}
    alike = chain.from_iterable(other for (_, ending), other in kinds.items() if ending == suffix)
    of_test = [path for path in alike if plain(path.stem) in training.test_ids]
    some = [*_some(of_rows, _FILES_OPENED), *_some(of_test, _FILES_OPENED)]
    small = [path for path in some if suffix in IMAGE_SUFFIXES or path.stat().st_size <= _SMALL]
    found = telling_column(make(small), training, ordered=False)
    return dict.fromkeys(of_rows, f"what it says tells {found.label} of a training row") if found else {}


def _told_by_contents(paths: Sequence[Path], training: Training, links: Keys) -> dict[Path, str]:
    """Files that tell labels as a whole; of a long series each that is named otherwise, and some for all."""
    if len(paths) < _SERIES:
        return {path: why for path in paths if (why := _why_not(path, training, links))}
    of_rows = [
        path for path in paths if plain(path.stem) in training.ids or plain(path.stem) in training.test_ids
    ]
    known = set(of_rows)
    odd = [path for path in paths if path not in known]
    if len(odd) > _ODD_ONES:  # those whose names few others are like, and the largest
        like = Counter(kinds := [_DIGITS.sub("", path.stem) for path in odd])
        order = sorted(zip(odd, kinds, strict=True), key=lambda one: (like[one[1]], -one[0].stat().st_size))
        odd = [path for path, _ in order[:_ODD_ONES]]
        of_rows += [path for path, _ in order[_ODD_ONES:]]
    found = {path: why for path in odd if (why := _why_not(path, training, links))}
    reasons = [why for path in _some(of_rows, _OF_A_SERIES) if (why := _why_not(path, training, links))]
    return found | (dict.fromkeys(of_rows, reasons[0]) if reasons else {})


def _some(paths: Sequence[Path], count: int) -> Sequence[Path]:
    return paths if len(paths) <= count else paths[:: len(paths) // count]


def _why_not(path: Path, training: Training, links: Keys) -> str:
    try:
        for table in tables_of(path, training.ids):
            if why := _told_by(table, path, training, links):
                return why
    except ValueError as error:
        return str(error) if str(error).startswith("it ") else UNREAD
    except Exception:  # whatever a reader of somebody's file stumbles over: it is not offered
        return UNREAD
    return ""


def _told_by(table: pd.DataFrame, path: Path, training: Training, links: Keys) -> str:
    if answers := answers_for_test(table, training, path.stem):
        return f"its column {answers!r} holds answers for the rows to predict"
    found = telling_column(table, training)
    if found:
        return f"its column {found.column!r} tells {found.label} of training rows"
    links |= links_of(table, training, path.name)
    return ""
