"""The scripter's turns: each a whole script from the shelf, in the shelf's order, of a recipe's cells."""

from __future__ import annotations

from zlib import crc32

from comind.offline.prompts import sections
from comind.offline.recipes.notebook import cells, scaled
from comind.offline.recipes.problem import Problem
from comind.offline.variants import variants_for

_STEPS = ("load", "features", "predict")


def change_reply(text: str) -> str:
    """The first variant that was not tried yet; when all were, the first again with another seed."""
    parts = sections(text)
    problem = Problem.of(parts)
    tried = parts.get("Tried", "") + parts.get("Last try", "")
    variants = variants_for(problem.data.modality, problem.data.train_rows, problem.packages)
    start = crc32(parts.get("Script", "").encode()) % len(variants)  # agents begin at different places
    variants = variants[start:] + variants[:start]
    fresh = [one for one in variants if one.title not in tried]
    variant = (fresh or variants)[0]
    recipe = scaled(variant.recipe(problem.data.modality), problem.seconds / 4, problem.data.train_rows)
    plan = [cell for cell in cells(problem, recipe, validated=False) if cell.step in _STEPS]
    code = "\n\n".join(cell.code for cell in plan)
    if not fresh:
        code = code.replace("seed=0", f"seed={tried.count(variant.title)}")
    return f"<goal>{variant.title}</goal>\n<code>\n{code}\n</code>"
