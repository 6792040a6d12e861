"""A run whose kernels attach the competition, where its rules forbid to upload the data again.

What is uploaded is which rows are validation rows; a cell of the notebook makes the split of the attached
files (`comind.at_kaggle.attached_split`). Agents' code can read the labels there: the run is marked.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from comind.at_kaggle import attached_split
from comind.at_kaggle.attached_split import FACTS, SAMPLES, rebuild
from comind.state.runs import RunFolder
from kaggle_runner.errors import BadCompetition
from kaggle_runner.files import replace_folder
from mle_live.layout.folders import IMAGE_SUFFIXES
from mle_live.layout.formats import read_text

MADE_UNDER = "/tmp/comind"
"""Where kernels make the split; /kaggle/input takes no files."""
LABELS_READABLE = (
    "The competition is attached to the kernels: the validation labels can be read by agents' code, "
    "and the scores of this run cannot be compared with other runs'"
)
_MADE = ("train.csv", "validation.csv", *SAMPLES)


def write_ids(folder: RunFolder, id_column: str) -> Path:
    """The folder that is uploaded instead of the split; made already is left alone. Blocking.

    Raises BadCompetition where the attached files do not give this run's split again.
    """
    target = folder.path / "data" / "split_ids"
    if (target / FACTS).is_file():
        return target
    if any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.public.rglob("*")):
        raise _unfit("it has images")
    ids = read_text(folder.public / "validation.csv")
    if id_column not in ids.columns:
        raise _unfit(f"its validation inputs have no column {id_column!r}")
    rest = sorted(path.name for path in folder.public.iterdir() if path.name not in _MADE)
    facts = {"id": id_column, "validation": list(ids[id_column]), "files": rest}
    with tempfile.TemporaryDirectory(prefix="split-ids-", dir=folder.path / "data") as temporary:
        made, again = Path(temporary) / "ids", Path(temporary) / "again"
        made.mkdir()
        for sample in SAMPLES:
            shutil.copyfile(folder.public / sample, made / sample)
        (made / FACTS).write_text(json.dumps(facts), encoding="utf-8")
        _check(folder, made, again)
        replace_folder(made, target)
    return target


def _check(folder: RunFolder, made: Path, again: Path) -> None:
    """The split that a kernel will make is this run's own."""
    host = folder.download if folder.download.is_dir() else folder.original
    for name in json.loads((made / FACTS).read_text(encoding="utf-8"))["files"]:
        if not (host / name).exists():
            raise _unfit(f"{name} is not among the competition's files")
    try:
        rebuild(host, made, again)
    except (OSError, KeyError, ValueError) as error:
        raise _unfit(f"its split cannot be made of its files ({error})") from error
    for name in ("train.csv", "validation.csv"):
        if not read_text(again / name).equals(read_text(folder.public / name)):
            raise _unfit(f"{name} of its split is not a plain choice of rows")


def setup_cells(competition: str, ids: str, data_name: str) -> tuple[str, str]:
    """Cells that make the split in a kernel, and have later ones find it as /kaggle/input/<data_name>."""
    source = Path(attached_split.__file__).read_text(encoding="utf-8")
    call = (
        "# CoMind: make the split of the attached competition's files.\n"
        "from pathlib import Path as _ComindPath\n\n"
        "import comind_split as _comind_split\n\n"
        "_comind_data.name_it(\n"
        f"    _comind_data.INPUT / {data_name!r},\n"
        "    _comind_split.rebuild(\n"
        f"        _comind_data.find({competition!r}),\n"
        f"        _comind_data.find({ids!r}),\n"
        f"        _ComindPath({MADE_UNDER!r}) / {data_name!r},\n"
        "    ),\n"
        ");"
    )
    return f"%%writefile comind_split.py\n{source}", call


def _unfit(why: str) -> BadCompetition:
    return BadCompetition(
        f"The competition cannot be attached instead of uploaded: {why}.",
        hint="Where its rules allow a private copy of the data, leave --attach-competition away; "
        "or run on this machine, without --kaggle-push.",
    )
