"""A user's folder in Kaggle's shape, small enough that a whole run takes seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def write_small_competition(folder: Path, *, rows: int = 600, seed: int = 0) -> Path:
    """Two numbers and a category decide a binary label, with some noise; 200 test rows without labels."""
    rng = np.random.default_rng(seed)
    total = rows + 200
    table = pd.DataFrame(
        {
            "id": rng.permutation(total) + 1,
            "height": rng.normal(size=total).round(4),
            "weight": rng.normal(size=total).round(4),
            "colour": rng.choice(["red", "green", "blue"], size=total),
        }
    )
    signal = 2 * table["height"] - table["weight"] + (table["colour"] == "red")
    table["ripe"] = (signal + rng.normal(scale=0.7, size=total) > 0).astype(int)
    folder.mkdir(parents=True, exist_ok=True)
    table.iloc[:rows].to_csv(folder / "train.csv", index=False)
    test = table.iloc[rows:].drop(columns="ripe")
    test.to_csv(folder / "test.csv", index=False)
    test[["id"]].assign(ripe=0.5).to_csv(folder / "sample_submission.csv", index=False)
    (folder / "description.md").write_text(
        "# Ripe fruit\n\nTell ripe fruit from unripe.\n\n## Evaluation\n\n"
        "Submissions are evaluated on the area under the ROC curve.\n"
    )
    return folder
