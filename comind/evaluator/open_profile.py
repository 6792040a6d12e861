"""What is told of a competition that no ready split fits: its sample, and every file as it lies there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from itertools import islice
from pathlib import Path

from comind.evaluator.profile import CompetitionProfile, head_of, infer_task
from kaggle_runner.errors import BadCompetition
from kaggle_runner.texts import one_line, shortened
from mle_live.layout.formats import read_text, table_format
from mle_live.layout.tables import profile_sample

_FILES_LOOKED = 200_000
_TABLES_SHOWN = 20
_COLUMNS_SHOWN = 30
_FOLDERS_SHOWN = 40
_HEAD_ROWS = 3
_ALIKE = 12
"""Tables in one folder from which on they are a series: one is shown for all."""


def profile_open(
    folder: Path, *, description: str, metric: str, higher_is_better: bool, id_column: str
) -> CompetitionProfile:
    """`folder` has a sample_submission.csv, and all other files under the host's names. BadCompetition."""
    known = profile_sample(folder, id_column)
    sample = folder / "sample_submission.csv"
    return CompetitionProfile(
        **{one.name: getattr(known, one.name) for one in fields(known)},
        task=infer_task(None, metric, description),
        metric=metric,
        higher_is_better=higher_is_better,
        train_rows=0,
        test_rows=len(read_text(sample, columns=[known.id_column])),
        columns=(),
        sample_head=head_of(sample),
        has_ready_split=False,
        notes=tuple(_about(folder)),
    )


def _about(folder: Path) -> Iterator[str]:
    places: dict[str, list[Path]] = {}
    for path in _files(folder):
        places.setdefault(path.parent.relative_to(folder).as_posix(), []).append(path)
    shown = 0
    for place, paths in sorted(places.items())[:_FOLDERS_SHOWN]:
        kinds = Counter(path.suffix.lower() for path in paths)
        names = ", ".join(path.name for path in paths[:3])
        many = "; ".join(f"{count} {kind or 'without ending'}" for kind, count in kinds.most_common(5))
        yield f"- {'' if place == '.' else place}/: {many}, e.g. {names}"
        series = {kind for kind, count in kinds.items() if count > _ALIKE}
        for path in paths:
            kind = path.suffix.lower()
            if not table_format(path.name) or kind in (".txt", ".md") or shown == _TABLES_SHOWN:
                continue
            if kind in series and path is not next(one for one in paths if one.suffix.lower() == kind):
                continue
            shown += 1
            yield from _about_table(path, path.relative_to(folder).as_posix())
    if len(places) > _FOLDERS_SHOWN:
        yield f"- and {len(places) - _FOLDERS_SHOWN} folders more"


def _files(folder: Path) -> list[Path]:
    found = (
        Path(place) / name for place, _, names in os.walk(folder, followlinks=True) for name in sorted(names)
    )
    inside = (
        path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    return list(islice(inside, _FILES_LOOKED))


def _about_table(path: Path, name: str) -> Iterator[str]:
    try:
        head = read_text(path, rows=_HEAD_ROWS)
    except BadCompetition:
        return
    columns = [str(column) for column in head.columns]
    more = (
        f" and {len(columns) - _COLUMNS_SHOWN} more, to {columns[-1]}"
        if len(columns) > _COLUMNS_SHOWN
        else ""
    )
    size = f"{path.stat().st_size / 1e6:.2f} MB"
    yield f"  {name} ({size}), columns: {', '.join(columns[:_COLUMNS_SHOWN])}{more}"
    for row in head.itertuples(index=False):
        yield f"    {shortened(one_line(','.join(map(str, row[:_COLUMNS_SHOWN]))), 200)}"
