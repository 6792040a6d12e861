"""From a recipe to its notebook: the steps in order, scaled to the time there is."""

from __future__ import annotations

from dataclasses import replace

from comind.offline.recipes import image, network, pairs, tabular, text
from comind.offline.recipes.blend import blend_cells
from comind.offline.recipes.frame import (
    SECOND_PAIR,
    lines,
    load_cell,
    predict_cell,
    validate_cell,
    write_code,
)
from comind.offline.recipes.models import refine_code
from comind.offline.recipes.problem import Problem, RecipeCell
from comind.offline.shelf import Recipe

_MANY_ROWS = 20_000
_SHORT, _LONG = 45.0, 600.0
"""Seconds of one agent below which recipes shrink, and above which they grow."""
_FEW_FOLDS = 150.0
"""Below this a network learns more from longer fits than its score gains from a third fold."""


def cells(problem: Problem, recipe: Recipe, *, validated: bool = True) -> list[RecipeCell]:
    """load, features, validate, predict, refine; a blend has no refinement."""
    load = (pairs.load_cell if recipe.modality == "image-to-image" else load_cell)(problem, recipe.source)
    if recipe.family == "blend":
        return _blend(problem, load)
    features = RecipeCell(
        "features", f"Build the features and the model ({recipe.family}).", _features(problem, recipe)
    )
    validate = validate_cell(problem, problem.seconds * 0.4)
    # of pixels there are millions: whoever blends them takes the submissions
    with_oof = recipe.modality != "image-to-image"
    predict = predict_cell(validated=validated, with_oof=with_oof)
    return [load, features, validate, predict, *_refine(recipe, with_oof)]


def scaled(recipe: Recipe, seconds: float, rows: int) -> Recipe:
    """Fewer folds and iterations for a short agent, more for a long one; smaller forests on many rows.

    `seconds` are one agent's.
    """
    if rows > _MANY_ROWS and "n_estimators" in recipe.params:
        leaf = recipe.params.get("min_samples_leaf", 1)
        grown_leaf = leaf * 4 if isinstance(leaf, int) else leaf
        smaller = {name: max(40, value // 3) for name, value in _counts(recipe).items()}
        recipe = replace(recipe, params={**recipe.params, **smaller, "min_samples_leaf": grown_leaf})
    if seconds < _FEW_FOLDS and recipe.family.startswith("torch_"):
        recipe = replace(recipe, folds=2)
    if seconds > _LONG:
        grown = {name: int(value * 1.5) for name, value in _counts(recipe).items()}
        return replace(recipe, folds=5, params={**recipe.params, **grown})
    if seconds >= _SHORT:
        return recipe
    shrunk: dict[str, object] = {name: max(10, int(value * 0.5)) for name, value in _counts(recipe).items()}
    if "bags" in recipe.params:
        shrunk["bags"] = 1
    return replace(recipe, folds=2, params={**recipe.params, **shrunk})


def simpler(recipe: Recipe) -> Recipe:
    """A cheaper recipe on plainer features, for when the first one failed."""
    if recipe.modality == "text":
        return replace(
            recipe, family="tfidf_linear", features=("words",), params={"max_features": 15_000}, folds=2
        )
    if recipe.modality in ("image", "audio"):
        return replace(
            recipe, family="image_linear", features=("pooled",), params={"strength": 0.05}, folds=2
        )
    if recipe.modality == "image-to-image":
        return replace(recipe, family="image_linear", features=("background",), params={}, folds=2)
    params = {"learning_rate": 0.15, "max_iter": 80, "max_leaf_nodes": 15}
    return replace(recipe, family="boosting", features=(), params=params, folds=2)


def _counts(recipe: Recipe) -> dict[str, int]:
    names = ("max_iter", "n_estimators", "topics", "epochs")
    return {name: value for name in names if isinstance(value := recipe.params.get(name), int)}


def _features(problem: Problem, recipe: Recipe) -> str:
    room = {"text": text, "image": image, "audio": image, "tabular": tabular, "image-to-image": pairs}[
        recipe.modality
    ]
    is_network = recipe.family.startswith("torch_")
    models = network.model_code(problem, recipe) if is_network else room.models(problem, recipe)
    return lines(room.feature_code(problem, recipe), models)


def _refine(recipe: Recipe, with_oof: bool) -> list[RecipeCell]:
    known = {**tabular.REFINEMENTS, **text.REFINEMENTS, **image.REFINEMENTS, **network.REFINEMENTS}
    change = known.get(recipe.family)
    if change is None:
        return []
    code = lines(refine_code(change), write_code("oof", "P_valid", "P_test", SECOND_PAIR, with_oof=with_oof))
    goal = "Try one variation and keep what the out-of-fold score prefers."
    return [RecipeCell("refine", goal, code, SECOND_PAIR)]


def _blend(problem: Problem, load: RecipeCell) -> list[RecipeCell]:
    members = [one for one in problem.files.resources if "oof.csv" in one.files]
    others = [one for one in problem.files.resources if "validation_submission.csv" in one.files]
    chosen = members or others
    return blend_cells(
        [one.name for one in chosen],
        load,
        metric=problem.score_name,
        labels=problem.wants_labels,
        with_oof=bool(members),
    )
