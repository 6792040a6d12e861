"""Blending what earlier agents published: weights from out-of-fold rows, or plain averages without them."""

from __future__ import annotations

from collections.abc import Sequence

from comind.offline.recipes.frame import FIRST_PAIR, lines, write_code
from comind.offline.recipes.problem import RecipeCell

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
    table = pd.read_csv(path, dtype={{"id": str}}, keep_default_na=False)
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

# start from the best member and mix in shares of others, as long as the out-of-fold score gains
first = max(single, key=lambda name: SIGN * single[name])
weights = {{name: float(name == first) for name in members}}
mixed, best = members[first][0][known], single[first]
for _ in range(12):
    trials = {{
        (name, share): score(y[known], (1 - share) * mixed + share * parts[0][known])
        for name, parts in members.items()
        for share in (0.05, 0.15, 0.3, 0.5)
    }}
    name, share = max(trials, key=lambda trial: SIGN * trials[trial])
    if SIGN * (trials[name, share] - best) < 1e-5:
        break
    mixed, best = (1 - share) * mixed + share * members[name][0][known], trials[name, share]
    weights = {{n: (1 - share) * w + share * (n == name) for n, w in weights.items()}}
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
    paths = [path for folder in PUBLISHED for path in sorted(Path(folder).rglob(name))]
    # a class may be called None
    as_they_are = {{"dtype": {{ID: str}}, "keep_default_na": False}}
    found = [pd.read_csv(path, **as_they_are).set_index(ID).loc[shape[ID]] for path in paths]
    stacked = pd.concat(found, keys=range(len(found)))
    result = shape.set_index(ID).copy()
    for column in result.columns:
        wide = stacked[column].unstack(level=0).loc[shape[ID]]
        result[column] = {combine}
    return result.reset_index()[list(shape.columns)]
"""


def blend_cells(
    folders: Sequence[str], load: RecipeCell, *, metric: str, labels: bool, with_oof: bool
) -> list[RecipeCell]:
    """The notebook of a blend over the mounted `folders`."""
    read = RecipeCell(
        "features", "Read the published predictions.", lines(_READ.format(folders=list(folders)))
    )
    if not with_oof:
        combine = "wide.mode(axis=1)[0].to_numpy()" if labels else "wide.mean(axis=1).to_numpy()"
        code = lines(
            _AVERAGE.format(combine=combine),
            f'average("validation_submission.csv", sample_valid).to_csv({FIRST_PAIR[0]!r}, index=False)\n'
            f'average("submission.csv", sample_test).to_csv({FIRST_PAIR[1]!r}, index=False)\n'
            'print("wrote the plain average of", len(PUBLISHED), "members")',
        )
        return [load, read, RecipeCell("predict", "Average the published predictions.", code, FIRST_PAIR)]
    climb = RecipeCell(
        "validate", "Find blend weights on out-of-fold rows.", lines(_CLIMB.format(metric=metric))
    )
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
    return [load, read, climb, RecipeCell("predict", "Write the weighted blend.", code, FIRST_PAIR)]
