"""Images in pairs as a table of pixels: what surrounds each in the image that comes in, and its brightness.

Some pixels of each training image are learnt from; of validation and test images all are predicted.
"""

from __future__ import annotations

from comind.offline.recipes.frame import FIRST_PAIR, lines, score_code
from comind.offline.recipes.models import model_code
from comind.offline.recipes.problem import Problem, RecipeCell
from comind.offline.shelf import Recipe
from mle_live.layout.pixels import INPUT, OUTPUT, PixelRows

_LEARNT = 60_000
"""Pixels of all training images together."""

_LOAD = '''
def read(path):
    return pd.read_csv(path, dtype={{ID: str, IMAGE: str}}, keep_default_na=False)


def brightness(name):
    with Image.open(ROOT / name) as image:
        return np.asarray(image.convert("L"), np.float32) / 255


pairs, files_valid, files_test = read({train!r}), read({validation!r}), read({test!r})
sample_valid, sample_test = read({sample_validation!r}), read({sample!r})

rng = np.random.default_rng(RECIPE["seed"])
each = max(50, {learnt} // len(pairs))
parts = []
for image, after in zip(pairs[IMAGE], pairs[{output!r}]):
    wanted = brightness(after)
    place = rng.choice(wanted.size, min(each, wanted.size), replace=False)
    row, column = np.divmod(place, wanted.shape[1])
    values = wanted.ravel()[place] * WHITE
    parts.append(pd.DataFrame({{IMAGE: image, "row": row, "column": column, TARGETS[0]: values}}))
train = pd.concat(parts, ignore_index=True)
numbers = (train[["row", "column"]] + FIRST).astype(str)
train[ID] = train[IMAGE] + JOINT + numbers["row"] + JOINT + numbers["column"]


def taken_apart(sample):
    """A row a pixel to predict: image, row, column."""
    images, rows, columns = zip(*(id.rsplit(JOINT, 2) for id in sample[ID].tolist()))
    numbers = {{"row": np.array(rows, int) - FIRST, "column": np.array(columns, int) - FIRST}}
    return pd.DataFrame({{ID: sample[ID], IMAGE: list(images), **numbers}})


valid, test = taken_apart(sample_valid), taken_apart(sample_test)
groups = train[IMAGE].to_numpy()
y = train[TARGETS].to_numpy(float)
'''

_WRITE = """
def write(P, part, shape, name):
    table = shape.copy()
    table[TARGETS] = np.clip(P, 0, WHITE).round(5)
    table.to_csv(name, index=False)
"""

_PLANES = {
    "background": """
def background(picture):
    \"\"\"The pixel, and how it differs from the median of wider and wider surroundings.\"\"\"
    far = [ndimage.median_filter(picture[::2, ::2], size) for size in (5, 13)]
    grown = [np.kron(one, np.ones((2, 2), np.float32))[: picture.shape[0], : picture.shape[1]] for one in far]
    return [picture, *grown, *(picture - one for one in grown)]
""",
    "neighbours": """
def neighbours(picture):
    edge = np.pad(picture, 2, mode="edge")
    height, width = picture.shape
    return [edge[y : y + height, x : x + width] for y in range(5) for x in range(5) if (y + x) % 2 == 0]
""",
    "local": """
def local(picture):
    \"\"\"Darkest, brightest, mean and spread nearby.\"\"\"
    found = []
    for size in (3, 9):
        mean = ndimage.uniform_filter(picture, size)
        spread = np.sqrt(np.maximum(ndimage.uniform_filter(picture**2, size) - mean**2, 0))
        found += [ndimage.minimum_filter(picture, size), ndimage.maximum_filter(picture, size), mean, spread]
    return found
""",
}

_FEATURES = """
def features(frame, files):
    \"\"\"A row a pixel of `frame`, image by image.\"\"\"
    ways = dict(zip(files[IMAGE], files[{input!r}]))
    stack = None
    for image, places in frame.groupby(IMAGE, sort=False).indices.items():
        planes = np.stack(surroundings(brightness(ways[image])), axis=-1)
        if stack is None:
            stack = np.empty((len(frame), planes.shape[-1]), np.float32)
        stack[places] = planes[frame["row"].to_numpy()[places], frame["column"].to_numpy()[places]]
    return stack


started = time.monotonic()
X_train, X_valid, X_test = features(train, pairs), features(valid, files_valid), features(test, files_test)
CATEGORICAL = None
print("features:", X_train.shape, X_valid.shape, X_test.shape, f"in {{time.monotonic() - started:.1f}} s")
"""

_SIMPLE = f"""
def before(frame, files):
    ways = dict(zip(files[IMAGE], files[{INPUT!r}]))
    found = np.empty(len(frame))
    for image, places in frame.groupby(IMAGE, sort=False).indices.items():
        found[places] = brightness(ways[image])[
            frame["row"].to_numpy()[places], frame["column"].to_numpy()[places]
        ]
    return found


# each pixel by its own brightness: a line through what was seen in pairs
slope, level = np.polyfit(before(train, pairs), y[:, 0], 1)
write((slope * before(valid, files_valid) + level)[:, None], valid, sample_valid, {FIRST_PAIR[0]!r})
write((slope * before(test, files_test) + level)[:, None], test, sample_test, {FIRST_PAIR[1]!r})
print("fallback written:", slope, level)
"""


def load_cell(problem: Problem, recipe_source: str) -> RecipeCell:
    pixels, files = problem.data.pixels or PixelRows("image", "_", 1, 1.0), problem.files
    code = lines(
        """
        import json
        import time
        from pathlib import Path

        import numpy as np
        import pandas as pd
        from PIL import Image
        from scipy import ndimage
        """,
        recipe_source,
        f"""
        ROOT = Path({files.competition!r})
        ID, TARGETS = {problem.data.id_column!r}, [{problem.data.target!r}]
        IMAGE, JOINT, FIRST, WHITE = {pixels.unit!r}, {pixels.joint!r}, {pixels.first}, {pixels.white}
        """,
        _LOAD.format(
            train=files.train, validation=files.validation, test=files.test, sample=files.sample,
            sample_validation=files.sample_validation, learnt=_LEARNT, output=OUTPUT,
        ),
        score_code(problem),
        _WRITE,
        'print("pairs", len(pairs), "pixels", len(train), len(valid), len(test), "mean", y.mean())',
    )  # fmt: skip
    return RecipeCell("load", "Load the tables, and some pixels of each pair.", code)


def feature_code(problem: Problem, recipe: Recipe) -> str:
    names = [name for name in recipe.features if name in _PLANES] or ["background"]
    joined = ", ".join(f"*{name}(picture)" for name in names)
    return lines(
        *(_PLANES[name] for name in names),
        f"def surroundings(picture):\n    return [{joined}]",
        _FEATURES.format(input=INPUT),
    )


def models(problem: Problem, recipe: Recipe) -> str:
    return model_code(problem, recipe.family)


def simple_cell(problem: Problem, recipe: Recipe) -> RecipeCell:
    code = lines(load_cell(problem, recipe.source).code, _SIMPLE)
    return RecipeCell("simple", "Fall back to each pixel's own brightness.", code, FIRST_PAIR)
