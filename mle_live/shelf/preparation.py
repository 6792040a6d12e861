"""Writes one competition of the shelf to disk: public folder, private labels, community and board.

Nothing half-written is ever visible: everything is made in a scratch folder and moved into place under a file
lock. Prepared folders carry a stamp, so preparing again is free until our content or the pinned data change.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kaggle_runner.errors import StateUnwritable
from kaggle_runner.files import replace_folder
from mle_live.shelf.archive import fetch
from mle_live.shelf.entry import DEADLINE, ENABLED, ShelfEntry, find_entry

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mle_live.shelf.tables import ShelfTables

CONTENT = Path(__file__).parent / "content"
DATA_VERSION = 1
"""Raised when a builder changes what it writes."""
SEED = 20260112
PUBLIC_FRACTION = 0.4
STAMP = "shelf.json"


def prepare(slug: str, root: Path, *, progress: Callable[[str], None] = print) -> Path:
    """Make `<root>/competitions/<slug>` and `<root>/private/<slug>`; return the former.

    Does nothing when both are there and current. Raises UnknownCompetition, MachineError (no pip),
    ServiceError (no registry), StateUnwritable.
    """
    entry = find_entry(slug)
    folder, private = root / "competitions" / slug, root / "private" / slug
    stamp = _stamp(entry)
    with _locked(root):
        if folder.is_dir() and _read_stamp(private) == stamp:
            return folder
        for leftover in root.glob(f".preparing-{slug}-*"):
            shutil.rmtree(leftover)
        package = fetch(entry.package, root / "cache", progress=progress)
        progress(f"preparing {slug}")
        with tempfile.TemporaryDirectory(prefix=f".preparing-{slug}-", dir=root) as scratch:
            public_new, private_new = Path(scratch) / "public", Path(scratch) / "private"
            _write(entry, package, public_new, private_new)
            (private_new / STAMP).write_text(json.dumps(stamp))
            private_new.chmod(0o700)
            # The stamp moves last: a crash in between leaves a folder that is prepared again, never a mix.
            for made, place in ((public_new, folder), (private_new, private)):
                place.parent.mkdir(parents=True, exist_ok=True)
                replace_folder(made, place)
    progress(f"{slug} is ready in {folder}")
    return folder


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / ".shelf.lock").open("w")
    except OSError as error:
        raise StateUnwritable(
            f"cannot write to {root}: {error.strerror}", hint="choose another folder with --root"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stamp(entry: ShelfEntry) -> dict[str, object]:
    digest = hashlib.sha256(repr(entry).encode())
    for path in sorted((CONTENT / entry.slug).rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(CONTENT).as_posix().encode() + path.read_bytes())
    return {"slug": entry.slug, "data_version": DATA_VERSION, "content": digest.hexdigest()}


def _read_stamp(private: Path) -> object:
    try:
        return json.loads((private / STAMP).read_text())
    except (OSError, ValueError):
        return None


def _write(entry: ShelfEntry, package: Path, public: Path, private: Path) -> None:
    import numpy as np

    builder = importlib.import_module(f"mle_live.shelf.{entry.slug.replace('-', '_')}")
    generator = np.random.default_rng(SEED)
    tables: ShelfTables = builder.build(package, generator)
    (public / "data").mkdir(parents=True)
    private.mkdir(parents=True)
    _write_data(entry, tables, public / "data", private, generator)
    _write_spec(entry, public / "competition.yaml")
    content = CONTENT / entry.slug
    for name in ("description.md", "leaderboard.csv"):
        if (content / name).is_file():
            shutil.copyfile(content / name, public / name)
    _copy_community(content, public / "artifacts")


def _write_data(
    entry: ShelfEntry, tables: ShelfTables, data: Path, private: Path, generator: np.random.Generator
) -> None:
    """Ids count through the shuffled rows, first the training part, then the test part."""
    import pandas as pd

    train_rows, test_rows = len(tables.train), len(tables.test)
    train, test = tables.train.copy(), tables.test.copy()
    train.insert(0, "id", range(train_rows))
    test.insert(0, "id", range(train_rows, train_rows + test_rows))
    solution = test[["id", entry.target]].copy()
    solution["Usage"] = _usage(test, entry.group_column, generator)
    train.to_csv(data / "train.csv", index=False)
    test.drop(columns=entry.target).to_csv(data / "test.csv", index=False)
    pd.DataFrame({"id": test["id"].to_numpy(), entry.target: tables.sample}).to_csv(
        data / "sample_submission.csv", index=False
    )
    solution.to_csv(private / "solution.csv", index=False)
    if tables.train_images is not None and tables.test_images is not None:
        _write_images(data / "train_images", train["id"], tables.train_images)
        _write_images(data / "test_images", test["id"], tables.test_images)


def _usage(
    test: pd.DataFrame, group_column: str, generator: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """`Public` for 40 % of the rows (of the groups, where rows belong together), `Private` for the rest."""
    import numpy as np

    unit = test[group_column if group_column else "id"].to_numpy()
    units = np.unique(unit)
    public = generator.permutation(units)[: round(len(units) * PUBLIC_FRACTION)]
    return np.where(np.isin(unit, public), "Public", "Private")


def _write_images(
    directory: Path, ids: pd.Series[int], images: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
) -> None:
    from PIL import Image

    directory.mkdir()
    for name, pixels in zip(ids, images, strict=True):
        Image.fromarray(pixels).save(directory / f"{name}.png")


def _write_spec(entry: ShelfEntry, path: Path) -> None:
    import yaml

    spec: dict[str, object] = {
        "slug": entry.slug,
        "title": entry.title,
        "metric": entry.metric,
        "higher_is_better": entry.higher_is_better,
        "id_column": "id",
        "target_columns": [entry.target],
        "enabled_date": ENABLED,
        "deadline": DEADLINE,
        "modality": entry.modality,
        "tags": list(entry.tags),
        "license": entry.license,
        "board": "synthetic",
        "max_daily_submissions": 5,
        "source": f"{entry.package.name} {entry.package.version}: {entry.source_note}",
        "public_fraction": PUBLIC_FRACTION,
    }
    if entry.group_column:
        spec["group_column"] = entry.group_column
    path.write_text(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True))


def _copy_community(content: Path, artifacts: Path) -> None:
    artifacts.mkdir()
    for name in ("kernels.jsonl", "discussions.jsonl"):
        if (content / name).is_file():
            shutil.copyfile(content / name, artifacts / name)
        else:
            (artifacts / name).touch()
    for name in ("code", "posts"):
        (artifacts / name).mkdir()
        for path in sorted((content / name).glob("*.*")):
            shutil.copyfile(path, artifacts / name / path.name)
