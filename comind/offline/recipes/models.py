"""The scikit-learn model of a family as code, and the `fit_predict` that every cell calls."""

from __future__ import annotations

from typing import NamedTuple

from comind.offline.recipes.frame import lines
from comind.offline.recipes.problem import Problem


class Model(NamedTuple):
    module: str
    """Of sklearn."""
    name: str
    """`{}` stands for Classifier or Regressor."""
    settings: str
    """Arguments over `params` and `seed`; `{features}` stands for the usual share of columns."""


_BOOSTING = """
        learning_rate=params.get("learning_rate", 0.1),
        max_iter=params.get("max_iter", 200),
        max_leaf_nodes=params.get("max_leaf_nodes", 31),
        l2_regularization=params.get("l2_regularization", 0.0),
        max_features=params.get("max_features", 1.0),
        early_stopping=True, n_iter_no_change=15, validation_fraction=0.1,
        categorical_features=CATEGORICAL, random_state=seed,
    """
_TREES = """
        n_estimators=params.get("n_estimators", 200),
        min_samples_leaf=params.get("min_samples_leaf", 1),
        max_features=params.get("max_features", {features}),
        n_jobs=-1, random_state=seed,
    """
_NETWORK = """
        hidden_layer_sizes=params.get("hidden", (64,)),
        alpha=params.get("alpha", 1e-3),
        max_iter=params.get("max_iter", 25),
        batch_size=256, learning_rate_init=0.002,
        early_stopping=True, n_iter_no_change=4, random_state=seed,
    """
_NEIGHBOURS = 'params.get("n_neighbors", 15), weights="distance", n_jobs=-1'
_KERNEL = 'C=params.get("strength", 1.0), cache_size=500'


def model_of(family: str, classify: bool) -> Model:
    """The model of a family; an unknown family is the linear one, which fits everything."""
    match family:
        case "boosting" | "topics_boosting":
            return Model("ensemble", "HistGradientBoosting{}", _BOOSTING)
        case "extra_trees" | "image_forest":
            return Model("ensemble", "ExtraTrees{}", _TREES)
        case "mlp" | "topics_mlp" | "image_mlp":
            return Model("neural_network", "MLP{}", _NETWORK)
        case "neighbours" | "image_neighbours":
            return Model("neighbors", "KNeighbors{}", _NEIGHBOURS)
        case "image_kernel":
            return Model("svm", "SVC" if classify else "SVR", _KERNEL)
        case "tfidf_margin" if classify:
            return Model("svm", "LinearSVC", 'C=params.get("strength", 0.1)')
        case "tfidf_margin":
            return Model("svm", "LinearSVR", 'C=params.get("strength", 0.1), epsilon=0.1, random_state=seed')
        case _ if classify:
            return Model("linear_model", "LogisticRegression", 'C=params.get("strength", 1.0), max_iter=150')
        case _:
            return Model("linear_model", "Ridge", 'alpha=1.0 / params.get("strength", 1.0)')


def model_code(problem: Problem, family: str, *, prepare: str = "") -> str:
    """Definitions of `build`, `fit_predict` and `take`.

    `prepare` is an expression over `model` and `params`, for instance a pipeline that scales before it.
    """
    classify = problem.kind != "numbers"
    model = model_of(family, classify)
    name = model.name.format("Classifier" if classify else "Regressor")
    settings = model.settings.replace("{features}", '"sqrt"' if classify else "0.5")
    final = prepare.format(model="model") if prepare else "model"
    return lines(
        f"from sklearn.{model.module} import {name}",
        "import warnings\n\nfrom sklearn.exceptions import ConvergenceWarning\n\n"
        'warnings.filterwarnings("ignore", category=ConvergenceWarning)  # few iterations are on purpose',
        f"def build(params, seed):\n    model = {name}({settings})\n    return {final}",
        _TAKE,
        _PROBABILITIES if classify else "",
        {"classes": _FIT_CLASSES, "flags": _FIT_FLAGS, "numbers": _FIT_NUMBERS}[problem.kind],
        _FIT_PREDICT,
        'PARAMS = RECIPE["params"]',
    )


_TAKE = """
def take(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]
"""

_PROBABILITIES = """
def probabilities(model, X, count):
    if hasattr(model, "predict_proba"):
        P = model.predict_proba(X)
    else:  # a margin as a probability: the order is the model's own
        margin = model.decision_function(X)
        margin = np.column_stack([-margin, margin]) if margin.ndim == 1 else margin * 2
        P = np.exp(margin - margin.max(axis=1, keepdims=True))
        P /= P.sum(axis=1, keepdims=True)
    full = np.zeros((P.shape[0], count))  # a class may be absent from a fold
    full[:, model.classes_.astype(int)] = P
    return full
"""

_FIT_CLASSES = """
def fit_once(X, target, others, params, seed):
    model = build(params, seed).fit(X, target)
    return [probabilities(model, other, len(CLASSES)) for other in others]
"""

_FIT_FLAGS = """
def fit_once(X, target, others, params, seed):
    models = [build(params, seed).fit(X, target[:, j]) for j in range(target.shape[1])]
    return [np.column_stack([probabilities(m, other, 2)[:, 1] for m in models]) for other in others]
"""

_FIT_NUMBERS = """
def fit_once(X, target, others, params, seed):
    centre, scale = target.mean(axis=0), target.std(axis=0) + 1e-9
    target = (target - centre) / scale
    models = [build(params, seed).fit(X, target[:, j]) for j in range(target.shape[1])]
    return [np.column_stack([m.predict(other) for m in models]) * scale + centre for other in others]
"""

_FIT_PREDICT = '''
def fit_predict(fit_rows, *others, params=None):
    """Predictions for each of `others`: one column a class or a target, averaged over the bags."""
    params = params or PARAMS
    X, target = take(X_train, fit_rows), y[fit_rows]
    bags = [
        fit_once(X, target, others, params, RECIPE["seed"] + bag) for bag in range(params.get("bags", 1))
    ]
    return [np.mean(parts, axis=0) for parts in zip(*bags)]
'''


def refine_code(change: str) -> str:
    """Cross-validates `params_2`, keeps it or the average only where the out-of-fold score gains."""
    return lines(
        f"""
        params_2 = dict(PARAMS, {change})
        oof_2 = np.full_like(oof, np.nan)
        for fit_rows, held_rows in split_rows(np.arange(len(train)), RECIPE["folds"]):
            if np.isnan(oof[held_rows]).any():
                continue  # this fold was not predicted the first time either
            oof_2[held_rows] = fit_predict(fit_rows, take(X_train, held_rows), params=params_2)[0]
        choices = {{"first": oof, "second": oof_2, "average": (oof + oof_2) / 2}}
        done = ~np.isnan(oof + oof_2).any(axis=1)
        scores = {{name: score(y[done], P[done]) for name, P in choices.items()}}
        print({{name: round(value, 5) for name, value in scores.items()}})
        chosen = max(scores, key=lambda name: SIGN * scores[name])
        """,
        """
        if chosen != "first":
            Q_valid, Q_test = fit_predict(np.arange(len(train)), X_valid, X_test, params=params_2)
            if chosen == "average":
                Q_valid, Q_test = (P_valid + Q_valid) / 2, (P_test + Q_test) / 2
            P_valid, P_test, oof = Q_valid, Q_test, choices[chosen]
        meta.update(oof_score=scores[chosen], chosen=chosen, second_params=params_2)
        with open("meta.json", "w") as file:
            json.dump(meta, file, indent=2, default=str)
        print("kept:", chosen)
        """,
    )
