"""Blending what earlier agents published: weights from their out-of-fold rows, or plain averages without them."""

from __future__ import annotations

from collections.abc import Sequence

from comind.offline.recipes.frame import FIRST_PAIR, lines, write_code
from comind.offline.recipes.problem import Cell

_READ = """
from pathlib import Path

PUBLISHED = {folders!r}


def aligned(table, part, ids):
    rows = table[table["part"] == part].drop_duplicates("id").set_index("id")
    return rows.reindex(ids.astype(str)).drop(columns="part").to_numpy(float)


members, weak = {{}}, []
for folder in PUBLISHED:
    path = next(iter(sorted(Path(folder).rglob("oof.csv"))), None)
    if path is None:
        weak.append(folder)
        continue
    table = pd.read_csv(path, dtype={{"id": str}})
    parts = [aligned(table, name, frame[ID]) for name, frame in
             (("train", train), ("validation", valid), ("test", test))]
    if np.isnan(parts[1]).any() or np.isnan(parts[2]).any() or np.isnan(parts[0]).all():
        weak.append(folder)
        continue
    members[Path(folder).name] = parts
print("members with out-of-fold predictions:", list(members), "without:", weak)
"""

_CLIMB = """
known = ~np.any([np.isnan(parts[0]).any(axis=1) for parts in members.values()], axis=0)
single = {{name: score(y[known], parts[0][known]) for name, parts in members.items()}}
for name, value in sorted(single.items(), key=lambda item: -SIGN * item[1]):
    print(f"{{value:.5f}}  {{name}}")

# greedy selection with replacement: each pick may only raise the out-of-fold score of the average
picked = [max(single, key=lambda name: SIGN * single[name])]
total = members[picked[0]][0][known].copy()
best = single[picked[0]]
for _ in range(30):
    trial = {{n: score(y[known], (total + p[0][known]) / (len(picked) + 1)) for n, p in members.items()}}
    name = max(trial, key=lambda n: SIGN * trial[n])
    if SIGN * (trial[name] - best) < 1e-6:
        break
    picked.append(name)
    total += members[name][0][known]
    best = trial[name]
weights = {{name: picked.count(name) / len(picked) for name in members}}
oof_score = best
print(f"OOF {metric}: {{oof_score:.5f}} on {{known.sum()}} rows, weights", weights)
"""

_PREDICT = """
oof, P_valid, P_test = (
    sum(weights[name] * parts[i] for name, parts in members.items() if weights[name] > 0) for i in range(3)
)
"""

_AVERAGE = """
def average(name, shape):
    \"\"\"Mean of numbers, vote over labels, of the submissions found, in the sample's order.\"\"\"
    found = [pd.read_csv(p).set_index(ID).loc[shape[ID]] for f in PUBLISHED for p in sorted(Path(f).rglob(name))]
    stacked = pd.concat(found, keys=range(len(found)))
    result = shape.set_index(ID).copy()
    for column in result.columns:
        wide = stacked[column].unstack(level=0).loc[shape[ID]]
        result[column] = {combine}
    return result.reset_index()[list(shape.columns)]
"""


def blend_cells(
    folders: Sequence[str], load: Cell, *, metric: str, labels: bool, with_oof: bool
) -> list[Cell]:
    """The notebook of a blend over the mounted `folders`."""
    read = Cell("features", "Read the published predictions.", lines(_READ.format(folders=list(folders))))
    if not with_oof:
        combine = "wide.mode(axis=1)[0].to_numpy()" if labels else "wide.mean(axis=1).to_numpy()"
        code = lines(
            _AVERAGE.format(combine=combine),
            f'average("validation_submission.csv", sample_valid).to_csv({FIRST_PAIR[0]!r}, index=False)\n'
            f'average("submission.csv", sample_test).to_csv({FIRST_PAIR[1]!r}, index=False)\n'
            'print("wrote the plain average of", len(PUBLISHED), "members")',
        )
        return [load, read, Cell("predict", "Average the published predictions.", code, FIRST_PAIR)]
    climb = Cell("validate", "Find blend weights on out-of-fold rows.", lines(_CLIMB.format(metric=metric)))
    code = lines(
        _PREDICT,
        write_code("oof", "P_valid", "P_test", FIRST_PAIR),
        """
        meta = {"recipe": RECIPE, "oof_score": oof_score, "weights": weights}
        with open("meta.json", "w") as file:
            json.dump(meta, file, indent=2, default=str)
        print("wrote the blend of", sum(weight > 0 for weight in weights.values()), "members")
        """,
    )
    return [load, read, climb, Cell("predict", "Write the weighted blend.", code, FIRST_PAIR)]
