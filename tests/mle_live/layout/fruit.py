"""The table of fruit that most small competitions of the tests are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

ROWS, TEST_ROWS = 240, 80


def table(rows: int = ROWS + TEST_ROWS, seed: int = 0, noise: float = 0.6) -> pd.DataFrame:
    """Two numbers and a colour decide `label`, and an `amount`; ids are in no order."""
    rng = np.random.default_rng(seed)
    made = pd.DataFrame(
        {
            "id": rng.permutation(rows) + 1,
            "height": rng.normal(size=rows).round(4),
            "weight": rng.normal(size=rows).round(4),
            "colour": rng.choice(["red", "green", "blue"], size=rows),
        }
    )
    signal = 2 * made["height"] - made["weight"] + (made["colour"] == "red")
    made["label"] = (signal + rng.normal(scale=noise, size=rows) > 0).astype(int)
    made["amount"] = (20 + 5 * signal + rng.normal(size=rows)).round(3)
    return made


def parts(target: str = "label", made: pd.DataFrame | None = None) -> tuple[pd.DataFrame, ...]:
    """Training rows, test rows without the target, and a sample submission."""
    made = table() if made is None else made
    made = made.drop(columns={"label", "amount"} - {target}, errors="ignore")
    train, test = made.iloc[:-TEST_ROWS], made.iloc[-TEST_ROWS:].drop(columns=target)
    return train, test, test[["id"]].assign(**{target: 0.5})


def write(folder: Path, train: pd.DataFrame, test: pd.DataFrame, sample: pd.DataFrame, **names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for role, made in (("train", train), ("test", test), ("sample_submission", sample)):
        made.to_csv(folder / names.get(role, f"{role}.csv"), index=False)
