"""The standard split: source text of a split_dataset.py for competitions in Kaggle's usual shape.

The text is stand-alone (pandas and NumPy only), so that a person can read and run it, and is what a language
model would be asked to write. This module writes the text; `comind.evaluator.evaluator` runs it in a sandbox.
"""

from __future__ import annotations

from pprint import pformat

from comind.evaluator.pixels.split import pixel_split_source
from comind.evaluator.profile import SplitFacts

_ENOUGH_ROWS = 1000
_LEAST, _MOST = 0.10, 0.25


def validation_fraction(rows: int) -> float:
    """Share of `rows` training rows to hold out: a tenth, more where that is under 1000 rows, at most a
    quarter."""
    return min(_MOST, max(_LEAST, _ENOUGH_ROWS / max(rows, 1)))


def standard_split_source(facts: SplitFacts) -> str:
    """The whole split_dataset.py for a competition whose labels are columns of train.csv.

    Classes keep their shares, numbers their quantiles, and groups stay whole. Folders and other files are
    linked by symlinks to the original; the evaluator turns those into hard links (or copies, on another
    file system), because a symlink would point nowhere once the public folder is mounted alone.
    """
    if facts.pixels:
        return pixel_split_source(facts.pixels, facts.id_column, facts.target_columns[0])
    constants = {
        "ID": facts.id_column,
        "TARGETS": list(facts.target_columns),
        "LABEL": facts.label_column,
        "GROUP": facts.group_column,
        "TIME": facts.time_column,
        "NUMERIC": facts.task == "regression",
    }
    lines = [f"{name} = {pformat(value, width=100, compact=True)}" for name, value in constants.items()]
    return _TEMPLATE.replace("# CONSTANTS", "\n".join(lines))


_TEMPLATE = '''"""Hold out validation rows of train.csv: public files for agents, labels apart.

ID names the rows. TARGETS are the columns of a submission. LABEL is the column of train.csv with class
names where TARGETS has one column per class, else None. Rows with the same GROUP stay together. Where there
is a TIME, the latest rows by it are held out. NUMERIC: the targets are quantities, to be stratified by
quantile rather than by class.
"""

from pathlib import Path

import numpy as np
import pandas as pd

# CONSTANTS
LABELLED = {"train", "labels", "train_labels", "solution"}  # files of these names, archives too, hold labels
ANSWERS = ("mask", "label", "annotation", "clean", "target", "truth", "segmentation")  # folders with answers


def split(original: Path, public: Path, private: Path, *, fraction: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    train = read(original / "train.csv")
    sample = read(original / "sample_submission.csv")
    if ID not in train.columns:
        train.insert(0, ID, [str(row) for row in range(len(train))])
    if TIME:
        held_out = choose_latest(train, fraction)
    else:
        held_out = choose_groups(train, fraction, rng) if GROUP else choose_rows(train, fraction, rng)
    validation = train[held_out].sample(frac=1.0, random_state=seed)  # no order may carry the label

    train[~held_out].to_csv(public / "train.csv", index=False)
    inputs_like_test(original, validation).to_csv(public / "validation.csv", index=False)
    sample_like(sample, validation).to_csv(public / "sample_validation_submission.csv", index=False)
    labels(validation).to_csv(private / "validation.csv", index=False)
    link_the_rest(original, public, set(validation[ID]))


def read(path: Path) -> pd.DataFrame:
    """Every value as the text in the file, so that writing it again changes nothing."""
    return pd.read_csv(path, dtype=str, na_filter=False)


def choose_rows(train: pd.DataFrame, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Held-out rows as a mask, stratified."""
    if NUMERIC:
        values = pd.to_numeric(train[LABEL or TARGETS[0]], errors="coerce").to_numpy()
        return systematic(values, fraction, rng)
    classes = train[[LABEL] if LABEL else TARGETS].agg("|".join, axis=1)
    chosen = np.zeros(len(train), dtype=bool)
    few = classes.nunique() <= 20
    for _, rows in pd.Series(np.arange(len(train))).groupby(classes.to_numpy()):  # sorted by class
        wanted = int(len(rows) * fraction + rng.random())  # rounds up as often as the remainder says
        if few:
            wanted = max(wanted, min(2, len(rows) // 2))  # every class can be scored
        wanted = min(wanted, len(rows) - 1)  # and every class can be learnt
        chosen[rng.permutation(rows.to_numpy())[:wanted]] = True
    return chosen


def choose_latest(train: pd.DataFrame, fraction: float) -> np.ndarray:
    """Held-out rows as a mask: whole moments from the end, until they are about that many rows."""
    times = pd.to_numeric(train[TIME], errors="coerce")
    if times.isna().all():
        times = pd.to_datetime(train[TIME], errors="coerce", format="mixed", utc=True).astype("int64")
    later = times.value_counts().sort_index(ascending=False).cumsum()
    enough = later.index[later >= fraction * len(train)]
    first = enough[0] if later[enough[0]] <= len(train) / 2 else later.index[0]
    return (times >= first).to_numpy()


def choose_groups(train: pd.DataFrame, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Held-out rows as a mask: whole groups, spread over the range of the groups' mean label."""
    column = train[LABEL or TARGETS[0]]
    values = pd.to_numeric(column, errors="coerce")
    if values.isna().all():
        values = pd.Series(pd.factorize(column, sort=True)[0], index=train.index)
    means = values.groupby(train[GROUP]).mean()
    chosen = systematic(means.to_numpy(), fraction, rng)
    return train[GROUP].isin(means.index[chosen]).to_numpy()


def systematic(values: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Mask of about `fraction` of the values: in their order, one from each stretch of equal length."""
    order = np.lexsort((rng.random(len(values)), values))
    edges = np.linspace(0, len(values), max(1, round(len(values) * fraction)) + 1)
    chosen = np.zeros(len(values), dtype=bool)
    chosen[order[rng.uniform(edges[:-1], edges[1:]).astype(int)]] = True
    return chosen


def inputs_like_test(original: Path, validation: pd.DataFrame) -> pd.DataFrame:
    """The held-out rows with the columns of test.csv, or with the id alone where there is no test.csv."""
    test = original / "test.csv"
    columns = list(pd.read_csv(test, dtype=str, nrows=0).columns) if test.is_file() else [ID]
    return validation.reindex(columns=columns, fill_value="")


def sample_like(sample: pd.DataFrame, validation: pd.DataFrame) -> pd.DataFrame:
    """The sample submission's values, repeated as often as needed, under the validation ids."""
    rows = np.arange(len(validation)) % len(sample)
    values = sample[TARGETS].iloc[rows].reset_index(drop=True)
    values.insert(0, ID, validation[ID].to_numpy())
    return values


def labels(validation: pd.DataFrame) -> pd.DataFrame:
    """The secret: id, targets, and the group where there is one."""
    truth = validation[[ID]].copy()
    for target in TARGETS:
        truth[target] = (validation[LABEL] == target).astype(int) if LABEL else validation[target]
    if GROUP and GROUP not in truth:
        truth[GROUP] = validation[GROUP]
    return truth


def link_the_rest(original: Path, public: Path, held_out: set[str]) -> None:
    """Links to test.csv, sample_submission.csv, image folders and so on; not to archives of the labels, nor
    to files of held-out rows in folders of answers, such as masks."""
    for entry in sorted(original.iterdir()):
        copy_of_labels = entry.is_file() and entry.name.lower().split(".")[0] in LABELLED
        if copy_of_labels or entry.name.startswith(".") or (public / entry.name).exists():
            continue
        if not entry.is_dir() or not any(is_answer(path) for path in [entry, *folders_in(entry)]):
            (public / entry.name).symlink_to(entry)
            continue
        for path in (one for one in entry.rglob("*") if one.is_file()):
            place = path.relative_to(original)
            if path.stem in held_out and any(is_answer(part) for part in place.parents):
                continue
            (public / place).parent.mkdir(parents=True, exist_ok=True)
            (public / place).symlink_to(path)


def folders_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_dir()]


def is_answer(folder: Path) -> bool:
    return any(word in folder.name.lower() for word in ANSWERS)
'''
