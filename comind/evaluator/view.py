"""The competition as a Kaggle kernel expects it, with the validation rows among the test rows.

A public kernel reads train.csv and test.csv and writes submission.csv. In this view test.csv (and the sample
submission, and folders with a file an id) also holds the validation inputs, so one run of an unchanged kernel
predicts both, with one model trained on the training part. `divide` cuts its submission in two again.

Everything here is public to agents: no label is read.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kaggle_runner.errors import BadCompetition
from kaggle_runner.files import link_or_copy, write_whole
from kaggle_runner.predictions.spellings import find_ids
from kaggle_runner.rows import from_json, to_json
from mle_live.layout.formats import read_text
from mle_live.layout.pixels import INPUT, PixelRows

if TYPE_CHECKING:
    import pandas as pd

VALIDATION_FILE, TEST_FILE = "validation_submission.csv", "submission.csv"
_JOINED = {"test.csv", "sample_submission.csv"}


def build_view(
    public: Path, view: Path, ids_file: Path, id_column: str, pixels: PixelRows | None = None
) -> None:
    """Make `view` from an evaluator's `public` folder; made already is left alone. Blocking.

    `ids_file` keeps which id of the view is which validation row: validation ids that test rows have too get
    new ones. Raises BadCompetition where a kernel could not tell the rows apart.
    """
    if ids_file.exists():
        return
    shutil.rmtree(view, ignore_errors=True)
    view.mkdir(parents=True)
    sample, validation_sample = (
        read_text(public / "sample_submission.csv"),
        read_text(public / "sample_validation_submission.csv"),
    )
    if id_column not in sample.columns:
        raise BadCompetition(
            f"sample_submission.csv has no column {id_column!r} that tells validation from test rows.",
            hint="Set verify_kernels to false, and coding to notebook.",
        )
    names = _view_ids(validation_sample[id_column].tolist(), set(sample[id_column].tolist()))
    for entry in sorted(public.iterdir()):
        if entry.name not in _JOINED:
            link_or_copy(entry, view / entry.name)
    _joined(sample, validation_sample, names, id_column).to_csv(view / "sample_submission.csv", index=False)
    if (public / "test.csv").is_file():
        test, validation = read_text(public / "test.csv"), read_text(public / "validation.csv")
        if pixels:
            images = {
                id.rsplit(pixels.joint, 2)[0]: shown.rsplit(pixels.joint, 2)[0] for id, shown in names.items()
            }
            _join_images(public, view, test, validation, images, pixels.unit)
        else:
            _joined(test, validation, names, id_column).to_csv(view / "test.csv", index=False)
    if not pixels:
        _add_validation_files(public, view, names, set(sample[id_column].tolist()))
    write_whole(ids_file, to_json(names))


def divide(submission: Path, ids_file: Path, target: Path, id_column: str) -> None:
    """Cut a submission over the view's rows into the two files that the evaluator grades, under `target`.

    Rows are moved, never judged: what is missing, doubled or unknown is left for the evaluator to name.
    A file that is no table is handed on as it is. Blocking.
    """
    target.mkdir(parents=True, exist_ok=True)
    names = from_json(dict[str, str], ids_file.read_bytes(), ids_file)
    original = {shown: own for own, shown in names.items()}
    try:
        table = read_text(submission)
    except BadCompetition:
        table = None
    if table is None or id_column not in table.columns:
        for name in (VALIDATION_FILE, TEST_FILE):
            shutil.copyfile(submission, target / name)
        return
    own = list(original.values())
    places = find_ids(table[id_column].tolist(), list(original))
    validation = table[[place is not None for place in places]]
    validation = validation.assign(**{id_column: [own[place] for place in places if place is not None]})
    validation.to_csv(target / VALIDATION_FILE, index=False)
    table[[place is None for place in places]].to_csv(target / TEST_FILE, index=False)


def _view_ids(validation: list[str], test: set[str]) -> dict[str, str]:
    """Validation id → id in the view: the same, or another of its kind where test rows have it too."""
    if test.isdisjoint(validation):
        return {id: id for id in validation}
    taken = test | set(validation)
    if all(re.fullmatch(r"[0-9]{1,18}", id) for id in taken):
        first = max(map(int, taken)) + 1
        return {id: str(first + n) for n, id in enumerate(validation)}
    prefix = "validation-"
    while any(id.startswith(prefix) for id in taken):
        prefix += "-"
    return {id: prefix + id for id in validation}


def _joined(
    test: pd.DataFrame, validation: pd.DataFrame, names: Mapping[str, str], id_column: str
) -> pd.DataFrame:
    """Test rows, then validation rows under their ids of the view."""
    import pandas as pd

    if id_column in validation.columns:
        validation = validation.assign(**{id_column: validation[id_column].map(names)})
    return pd.concat([test, validation[list(test.columns)]])


def _join_images(
    public: Path,
    view: Path,
    test: pd.DataFrame,
    validation: pd.DataFrame,
    names: Mapping[str, str],
    unit: str,
) -> None:
    """Images to predict and held-out ones, in one table and in one folder."""
    import pandas as pd

    folder = Path(test[INPUT].iloc[0]).parent
    shown = validation[unit].map(names)
    ways = [
        str(folder / f"{name}{Path(way).suffix}") for name, way in zip(shown, validation[INPUT], strict=True)
    ]
    for way, own in zip(ways, validation[INPUT], strict=True):
        link_or_copy(public / own, view / way)
    added = validation.assign(**{unit: list(shown), INPUT: ways})
    pd.concat([test, added]).to_csv(view / "test.csv", index=False)


def _add_validation_files(public: Path, view: Path, names: Mapping[str, str], test_ids: set[str]) -> None:
    """Files that are named by a validation id (images, sounds) also go to where the test rows' files lie."""
    by_id: dict[str, Path] = {}
    test_places: Counter[tuple[Path, str]] = Counter()
    for path in sorted(one for one in public.rglob("*") if one.is_file() and one.parent != public):
        id = path.name if path.name in names or path.name in test_ids else path.stem
        if id in names and id not in test_ids:
            by_id[id] = path
        elif id in test_ids and id not in names:
            test_places[path.parent.relative_to(public), path.suffix] += 1
        elif id in names and "test" not in str(path.parent.relative_to(public)).lower():
            by_id[id] = path  # both kinds of rows have this id; the folder says whose file it is
        elif id in names:
            test_places[path.parent.relative_to(public), path.suffix] += 1
    if not by_id or not test_places:
        return
    (place, _), _count = test_places.most_common(1)[0]
    for id, path in by_id.items():
        suffix = path.suffix if path.stem == id else ""
        wanted = view / place / f"{names[id]}{suffix}"
        if not wanted.exists():
            link_or_copy(path, wanted)
