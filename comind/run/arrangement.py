"""A run's copy of the competition's files: found by role, put in one shape, and how submissions go back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from comind.evaluator.joins import training_of
from comind.evaluator.withholding import withheld_files
from comind.state.runs import RunFolder
from kaggle_runner.files import write_whole
from kaggle_runner.rows import from_json, to_json
from mle_live.layout.arrange import JOINT, SAMPLE, TEST, TRAIN, Layout, lay_out
from mle_live.layout.formats import read_text
from mle_live.layout.stated import StatedFiles
from mle_live.layout.tables import Stated


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What was found out about the files; see `mle_live.layout.arrange.Layout`."""

    id_columns: tuple[str, ...]
    id_column: str
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    withheld: dict[str, str] = field(default_factory=dict)
    """Files that agents never see → why."""


def arrange_files(folder: RunFolder, told: StatedFiles, tell: Callable[[str], None]) -> None:
    """From `folder.download` to `folder.original`, without files that tell labels. Blocking.

    Raises BadCompetition with what is missing.
    """
    layout = lay_out(folder.download, folder.original, told=told)
    layout.insist()
    withheld = withheld_beside(layout)
    for name in withheld:
        (folder.original / name).unlink()
    found = Arrangement(layout.id_columns, layout.id_column, layout.files, layout.remarks, withheld)
    write_whole(folder.layout, to_json(found))
    for remark in found.remarks:
        tell(remark)
    for name, why in withheld.items():
        tell(f"{name} is withheld from agents: {why}")


def withheld_beside(layout: Layout) -> dict[str, str]:
    """Files beside the arranged tables that may not be offered → why. Blocking."""
    own = {TRAIN, TEST, SAMPLE, *layout.own}
    training = training_of(layout.folder, Stated(id_column=layout.id_column))
    return withheld_files(layout.folder, training, offered=sorted(own))


def arrangement_of(folder: RunFolder) -> Arrangement | None:
    """None for runs that were made before files were arranged: theirs lay in that shape."""
    if not folder.layout.is_file():
        return None
    return from_json(Arrangement, folder.layout.read_bytes(), folder.layout)


def as_the_host_wants(folder: RunFolder, path: Path) -> Path:
    """A submission with the host's own id columns, written beside `path` where ids were joined from several.

    The rows and the columns stand in the order of the host's sample submission.
    """
    found = arrangement_of(folder)
    if found is None or len(found.id_columns) < 2:
        return path
    table = read_text(path)
    parts = table[found.id_column].str.split(JOINT, expand=True)
    for number, name in enumerate(found.id_columns):
        table.insert(number, name, parts[number])
    place = path.with_name(f"{path.stem}.host.csv")
    write_whole(place, table.drop(columns=found.id_column).to_csv(index=False))
    return place
