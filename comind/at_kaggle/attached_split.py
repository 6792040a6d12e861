"""Written into notebooks that attach the competition: makes the split out of its files. It stands alone.

The split's own dataset holds only which rows are validation rows, and samples of predictions. The
competition's train.csv has their labels; whoever runs cells after this could read them there.
"""

import json
import shutil
from pathlib import Path

import pandas as pd

FACTS = "split.json"
SAMPLES = ("sample_validation_submission.csv", "sample_submission.csv")
"""The host's own may have another name."""


def rebuild(competition: Path, split: Path, target: Path) -> Path:
    """Make `target` from the competition's files: train.csv without the validation rows, and their inputs.

    `split` holds split.json ({"id": column, "validation": [ids], "files": names of the rest}).
    """
    facts = json.loads((split / FACTS).read_text(encoding="utf-8"))
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    train = _read(competition / "train.csv")
    column = facts["id"]
    if column not in train.columns:
        train.insert(0, column, [str(row) for row in range(len(train))])
    held_out = set(facts["validation"])
    is_held_out = train[column].isin(held_out)
    train[~is_held_out].to_csv(target / "train.csv", index=False)
    inputs = train[is_held_out].set_index(column, drop=False).loc[facts["validation"]]
    columns = _columns(competition / "test.csv", column)
    inputs.reindex(columns=columns, fill_value="").to_csv(target / "validation.csv", index=False)
    for sample in SAMPLES:
        shutil.copyfile(split / sample, target / sample)
    for name in facts["files"]:
        (target / name).symlink_to(competition / name)
    return target


def _read(path: Path) -> pd.DataFrame:
    """Every value as the text in the file, so that writing it again changes nothing."""
    return pd.read_csv(path, dtype=str, na_filter=False)


def _columns(test: Path, column: str) -> list[str]:
    return (
        [str(name) for name in pd.read_csv(test, dtype=str, nrows=0).columns] if test.is_file() else [column]
    )
