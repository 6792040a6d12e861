"""Cells that work when a recipe did not: one self-contained model, then predictions without a model."""

from __future__ import annotations

from zlib import crc32

from comind.offline.recipes import pairs
from comind.offline.recipes.frame import FIRST_PAIR, lines, load_cell
from comind.offline.recipes.image import reader
from comind.offline.recipes.problem import Problem, RecipeCell
from comind.offline.shelf import Recipe

_TABLE = """
def simple_features(frame):
    X = pd.DataFrame(index=range(len(frame)))
    for column in INPUTS:
        values = frame[column].reset_index(drop=True)
        if pd.api.types.is_numeric_dtype(values):
            X[column] = values.astype(float)
        else:
            codes = {level: i for i, level in enumerate(train[column].astype(str).value_counts().index[:500])}
            X[column] = values.astype(str).map(codes).astype(float)
    return X.fillna(-1).clip(-1e30, 1e30).to_numpy(np.float32)
"""

_TEXT = """
from sklearn.feature_extraction.text import HashingVectorizer

words = [c for c in INPUTS if not pd.api.types.is_numeric_dtype(train[c])]


def simple_features(frame):
    joined = frame[words].fillna("").astype(str).agg(" ".join, axis=1)
    return HashingVectorizer(n_features=2**15).transform(joined)
"""

_IMAGE = """
from pathlib import Path

SIDE = 16

# READ

files = {{}}
for path in sorted(Path({root!r}).rglob("*")):
    if path.suffix.lower() in SUFFIXES:
        files[path.name] = files[path.stem] = path


def simple_features(frame):
    X = np.zeros((len(frame), 256), np.float32)
    for row, name in enumerate(frame[ID].astype(str)):
        path = files.get(name.rpartition("/")[2])
        if path is not None:
            X[row] = read_one(path).ravel()
    return X
"""

_MODEL = """
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer
from sklearn.{module} import {name}

def simple_model():
    return {built}
"""
_TREES = "60, max_depth=14, min_samples_leaf=2, n_jobs=-1, random_state=0"
_FOREST = ("ensemble", "RandomForest{}", _TREES)
_BY_FAMILY = {
    "boosting": ("ensemble", "HistGradientBoosting{}", "max_iter=60, random_state=0"),
    "extra_trees": ("ensemble", "ExtraTrees{}", _TREES),
    "mlp": ("neural_network", "MLP{}", "(32,), max_iter=20, random_state=0"),
    "torch_table": ("neural_network", "MLP{}", "(64,), max_iter=20, random_state=0"),
    "neighbours": ("neighbors", "KNeighbors{}", "15"),
}
_SCALED = {"mlp", "torch_table", "neighbours", "linear"}
"""Families whose model wants inputs of one size."""

_RUN = """
# a sample is enough for a fallback, and quick; each draft has its own, so that no two are one solution
rows = np.random.default_rng({seed}).permutation(len(train))[: min(20_000, 9 * len(train) // 10)]
X_simple = simple_features(train.iloc[rows])
others = [simple_features(valid), simple_features(test)]
"""

_CLASSES = """
model = simple_model().fit(X_simple, y[rows])
P_valid, P_test = (np.zeros((o.shape[0], len(CLASSES))) for o in others)
P_valid[:, model.classes_], P_test[:, model.classes_] = (model.predict_proba(o) for o in others)
"""
_FLAGS = """
models = [simple_model().fit(X_simple, y[rows, j]) for j in range(y.shape[1])]
P_valid, P_test = (
    np.column_stack([m.predict_proba(o)[:, -1] * (1.0 in m.classes_) for m in models]) for o in others
)
"""
_NUMBERS = """
models = [simple_model().fit(X_simple, y[rows, j]) for j in range(y.shape[1])]
P_valid, P_test = (np.column_stack([m.predict(o) for m in models]) for o in others)
"""

_WRITE = f"""
write(P_valid, valid, sample_valid, {FIRST_PAIR[0]!r})
write(P_test, test, sample_test, {FIRST_PAIR[1]!r})
print("fallback written in", round(time.monotonic() - started, 1), "s")
"""


def simple_cell(problem: Problem, recipe: Recipe) -> RecipeCell:
    """Loads, fits and predicts in one cell that shares nothing with the recipe that failed."""
    modality = problem.data.modality
    if modality == "image-to-image":
        return pairs.simple_cell(problem, recipe)
    pictures = _IMAGE.format(root=problem.files.competition).replace("# READ", reader(modality))
    features = {"tabular": _TABLE, "text": _TEXT, "image": pictures, "audio": pictures}[modality]
    code = lines(
        load_cell(problem, recipe.source).code,
        "started = time.monotonic()",
        features,
        _model(problem, recipe),
        _RUN.format(seed=crc32(recipe.source.encode())),
        {"classes": _CLASSES, "flags": _FLAGS, "numbers": _NUMBERS}[problem.kind],
        _WRITE,
    )
    return RecipeCell("simple", "Fall back to one simple model in one cell.", code, FIRST_PAIR)


def _model(problem: Problem, recipe: Recipe) -> str:
    """One of the recipe's own family, so that what is left is still what the draft's title says."""
    classify = problem.kind != "numbers"
    linear = ("linear_model", *(("LogisticRegression", "max_iter=60") if classify else ("Ridge", "")))
    found = linear if problem.data.modality == "text" else _BY_FAMILY.get(recipe.family, _FOREST)
    if recipe.family == "linear":
        found = linear
    module, name, settings = found
    name = name.format("Classifier" if classify else "Regressor")
    built = f"{name}({settings})"
    if recipe.family in _SCALED and problem.data.modality != "text":
        built = f"make_pipeline(QuantileTransformer(n_quantiles=50), {built})"
    return _MODEL.format(module=module, name=name, built=built)


def constant_cell(problem: Problem) -> RecipeCell:
    """The samples with the training part's most frequent class, class shares or centre filled in."""
    files, data = problem.files, problem.data
    # a class may be called None
    classes = problem.kind == "classes" and (problem.wants_labels or data.label_column)
    names = ", dtype=str, na_filter=False" if classes else ""
    code = lines(
        f"""
        import numpy as np
        import pandas as pd

        train = pd.read_csv({files.train!r}{names})
        label_column = {data.label_column!r}
        id_column = {data.id_column!r}
        pairs = {{
            {FIRST_PAIR[0]!r}: {files.sample_validation!r},
            {FIRST_PAIR[1]!r}: {files.sample!r},
        }}
        for name, source in pairs.items():
            sample = pd.read_csv(source, dtype=str, na_filter=False)
            for column in sample.columns.drop(id_column or sample.columns[0]):
                if label_column in train.columns:
                    sample[column] = (train[label_column].astype(str) == str(column)).mean()
                elif column in train.columns:
        """
    )
    if problem.kind == "classes" and problem.wants_labels:
        value = "train[column].mode()[0]"
    elif problem.votes:
        value = "train[column].sum() / train[sample.columns.drop(id_column)].to_numpy().sum()"
    elif problem.log_target:
        value = "np.expm1(np.log1p(train[column]).mean())"
    elif problem.wants_labels:
        value = "int(train[column].median())"
    elif problem.metric.name in ("pearson_r", "spearman_r"):
        # a correlation with a constant is undefined
        value = "train[column].mean() + 1e-6 * np.random.default_rng(0).normal(size=len(sample))"
    else:
        value = "train[column].mean()"
    rest = (
        f"            sample[column] = {value}\n"
        "    sample.to_csv(name, index=False)\n"
        '    print(name, sample.shape, "without a model")'
    )
    return RecipeCell(
        "constant",
        "Leave predictions without a model, as nothing else worked.",
        f"{code}\n{rest}",
        FIRST_PAIR,
    )
