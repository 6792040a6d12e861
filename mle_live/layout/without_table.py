"""Training data that are files without a table; what is said where they or rows to predict are not found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from mle_live.layout.columns import FoundColumns
from mle_live.layout.file_labels import MEDIA, FileLabels, find_file_labels, names_rows
from mle_live.layout.file_pairs import FilePairs, find_file_pairs
from mle_live.layout.listing import FoundFile
from mle_live.layout.naming import without_training
from mle_live.layout.roles import Roles


def find_in_files(
    entries: Sequence[FoundFile], roles: Roles, columns: FoundColumns, named: Mapping[str, str]
) -> FileLabels | FilePairs | str:
    """Training data that are files without a table; a sentence where there are none."""
    pairs = find_file_pairs(entries, roles.sample, named)
    if isinstance(pairs, FilePairs):
        return pairs
    labels = find_file_labels(entries, columns.targets if len(columns.targets) > 1 else ())
    return labels or pairs or without_training(entries, roles)


def files_to_predict(entries: Sequence[FoundFile]) -> list[str]:
    """Names, without their endings, of files in a folder that is called test; none where two share one."""
    found = [
        PurePosixPath(one.name).stem
        for one in entries
        if one.suffix in MEDIA and "test" in one.folder.lower()
    ]
    return found if len(set(found)) == len(found) else []


def note_missing(
    columns: FoundColumns,
    roles: Roles,
    found: FileLabels | FilePairs | str | None,
    entries: Sequence[FoundFile],
    packed: Sequence[str],
) -> None:
    """Add to what `columns` misses: training data and rows to predict, where there are none."""
    missing, why = columns.missing, "; ".join((*packed, *roles.unreadable))
    why = f" ({why})" if why else ""
    if isinstance(found, str):
        missing.setdefault("train", found + why)
    if roles.test:
        return
    if roles.sample is None and isinstance(found, FileLabels) and files_to_predict(entries):
        columns.ids, columns.targets = ("id",), ("label",)
        columns.remarks.append("the rows to predict are the files of the test folder, by their names")
        return
    if roles.sample is None:
        missing.setdefault(
            "test", f"nothing says which rows to predict: no test table, no sample submission{why}"
        )
    elif not names_rows(entries, roles.sample.values(columns.ids[0])):
        missing.setdefault("test", f"no test table was found, nor files of the rows to predict{why}")
