"""A run's copy of the competition's files: found by role, put in one shape, and how submissions go back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from comind.evaluator.secrecy.joins import training_of
from comind.evaluator.secrecy.withholding import withheld_files
from comind.state.runs import RunFolder
from kaggle_runner.errors import NoReadySplit
from kaggle_runner.files import write_whole
from kaggle_runner.rows import from_json, to_json
from mle_live.competitions.folder_tables import check_shape
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
    no_split: str = ""
    """Why no ready split fits, where a model is to write one."""


def arrange_files(
    folder: RunFolder, told: StatedFiles, tell: Callable[[str], None], *, split_is_written: bool = False
) -> None:
    """From `folder.download` to `folder.original`, without files that tell labels. Blocking.

    Raises BadCompetition with what is missing; where a model is to write the split, a sample is enough.
    """
    layout = lay_out(folder.download, folder.original, told=told)
    no_split = why_no_split(layout)
    if no_split and not split_is_written:
        raise no_split
    if no_split:
        tell(f"No ready split fits ({no_split.message}): the evaluator's model writes one")
        layout = lay_out(folder.download, folder.original, told=told, as_they_are=True)
    withheld = {} if no_split else withheld_beside(layout)
    for name in withheld:
        (folder.original / name).unlink()
    found = Arrangement(
        layout.id_columns, layout.id_column, layout.files, layout.remarks, withheld,
        no_split.message if no_split else "",
    )  # fmt: skip
    write_whole(folder.layout, to_json(found))
    for remark in found.remarks:
        tell(remark)
    for name, why in withheld.items():
        tell(f"{name} is withheld from agents: {why}")


def why_no_split(layout: Layout) -> NoReadySplit | None:
    """Why tables or files are of no shape that a ready split fits. Raises BadCompetition for other faults."""
    try:
        layout.insist()
        check_shape(layout.folder, Stated(id_column=layout.id_column))
    except NoReadySplit as error:
        return error
    return None


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
