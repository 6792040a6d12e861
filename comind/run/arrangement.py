"""A run's copy of the competition's files: found by role, put in one shape, and how submissions go back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from comind.state.runs import RunFolder
from kaggle_runner.files import write_whole
from kaggle_runner.rows import from_json, to_json
from mle_live.layout.arrange import StatedFiles, lay_out


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What was found out about the files; see `mle_live.layout.arrange.Layout`."""

    id_columns: tuple[str, ...]
    id_column: str
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def arrange_files(folder: RunFolder, told: StatedFiles, tell: Callable[[str], None]) -> None:
    """From `folder.download` to `folder.original`. Raises BadCompetition with what is missing. Blocking."""
    layout = lay_out(folder.download, folder.original, told=told)
    layout.insist()
    found = Arrangement(layout.id_columns, layout.id_column, layout.files, layout.remarks)
    write_whole(folder.layout, to_json(found))
    for remark in found.remarks:
        tell(remark)


def arrangement_of(folder: RunFolder) -> Arrangement | None:
    """None for runs that were made before files were arranged: theirs lay in that shape."""
    if not folder.layout.is_file():
        return None
    return from_json(Arrangement, folder.layout.read_bytes(), folder.layout)
