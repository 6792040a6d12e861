"""The proposer: solution paths from the shelf, minus the memory; and the filter that merges and ranks."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from comind.offline import evidence
from comind.offline.prompts import read_data, read_metric, read_packages, sections
from comind.offline.shelf import Variant
from comind.offline.variants import variants_for

_SAME = 0.6
"""Share of common words above which two ideas say nearly the same."""
_PATHS = 4

_GENERAL = (
    "Average the earlier agents' predictions with weights found on their out-of-fold rows.",
    "Average the ranks rather than the values of models whose scales differ.",
    "Fit a ridge model on the out-of-fold predictions of all earlier agents.",
    "Repeat the best model with three other seeds and average.",
    "Use five folds rather than three and average the fold models.",
    "Drop the features whose permutation lowers the out-of-fold score by nothing.",
    "Clip predictions to the range of the training target.",
    "Tune the decision threshold on out-of-fold rows.",
    "Train on a tenth of the rows first, to compare families cheaply.",
    "Weigh the training rows by how much they look like the test rows.",
    "Compare the folds' spread with the gain before an idea is kept.",
    "Add the residuals of a linear model as a target for the trees.",
)

_VARIATIONS = (
    ("Steady {title!r} by repetition.",
     "Repeat {title!r} with {n} as its seed and average it with the first.",
     "Fit {title!r} on {n} bootstrap samples instead of every row."),
    ("Enlarge {title!r}.",
     "Double the size of {title!r} and halve its learning rate or strength, variation {n}.",
     "Let {title!r} train until three checks in a row bring nothing, variation {n}."),
    ("Show {title!r} less of the inputs.",
     "Give {title!r} a random half of the columns drawn with {n}.",
     "Hide the strongest feature from {title!r} so that it learns from others, variation {n}."),
    ("Chain {title!r} behind other solutions.",
     "Let {title!r} predict the residuals of whoever leads the board, variation {n}."),
)  # fmt: skip
"""Description and ideas of a path that varies one recipe: what is left when the memory holds the shelf."""


def brainstorm_reply(message: str) -> str:
    parts = sections(message)
    data = read_data(parts.get("Data", ""))
    higher = read_metric(parts.get("Metric", "")).higher_is_better
    told = evidence.reports(parts.get("Reports", ""))
    board = evidence.standings(parts.get("Leaderboard of this run", ""))
    memory = listed(parts.get("Idea memory", ""))
    shelf = variants_for(data.modality, data.train_rows, read_packages(parts.get("Machine", "")))
    known = [text for _, text in memory]
    paths = _paths(shelf, board, known)
    head = _preface(board, told, shelf, higher)
    body = "\n\n".join(
        f"===SOLUTION_PATH_{number}===\n{description}\n" + "\n".join(f"- {idea}" for idea in ideas)
        for number, (description, ideas) in enumerate(paths, start=1)
    )
    return f"{head}\n\n{body}"


def filter_reply(message: str) -> str:
    """A JSON list, best first; near-duplicates become one string that names all their ids."""
    parts = sections(message)
    reports = parts.get("Reports", "")
    verdicts = evidence.verdicts(parts.get("Evidence", ""))
    groups: list[tuple[list[str], str]] = []
    for id, text in listed(parts.get("New ideas", "")):
        twin = next((group for group in groups if overlap(group[1], text) > _SAME), None)
        if twin is None:
            groups.append(([id], text))
        else:
            twin[0].append(id)
    measured = {"helps": 1.0, "hurts": -1.0}

    def order(pair: tuple[int, tuple[list[str], str]]) -> tuple[float, int]:
        place, (ids, text) = pair
        known = sum(measured.get(verdicts.get(id, ""), 0.0) for id in ids)
        return -_promise(text, reports) - known, place

    ranked = sorted(enumerate(groups), key=order)
    strings = [
        f"[{', '.join(id for id in ids if id)}] {text}".removeprefix("[] ") for _, (ids, text) in ranked
    ]
    return json.dumps(strings, indent=1, ensure_ascii=False)


def overlap(one: str, other: str) -> float:
    """Jaccard similarity of the words of four letters and more."""
    a, b = _words(one), _words(other)
    return len(a & b) / len(a | b) if a | b else 1.0


def _paths(
    shelf: Sequence[Variant], board: Sequence[evidence.VariantStanding], known: Sequence[str]
) -> list[tuple[str, list[str]]]:
    tried = {one.title for one in board}
    place = {one.title: number for number, one in enumerate(board)}
    better = sorted((v for v in shelf if v.after), key=lambda v: place.get(v.after, len(place)))
    general = _new(_GENERAL, known)
    paths = [
        ("Improve what scored best so far, one change at a time.",
         _new([v.idea for v in better if v.title not in tried], known)),
        ("Add families that err differently, as members of a blend.",
         _new([v.idea for v in shelf if not v.after and v.title not in tried], known)),
        ("Combine what exists: averages and stacking over published predictions.", general[:4]),
        ("Make the measurement firmer and the training steadier.", general[4:8]),
        ("Small corrections after the model.", general[8:]),
    ]  # fmt: skip
    filled = [(description, ideas) for description, ideas in paths if ideas]
    again = iter(sorted(shelf, key=lambda v: place.get(v.title, len(place))))
    while len(filled) < _PATHS:  # the memory holds nearly all of the shelf: repeat with another size and seed
        variant = next(again, shelf[0])
        description, *ideas = _VARIATIONS[len(filled) % len(_VARIATIONS)]
        named = [text.format(title=variant.title, n=len(known)) for text in ideas]
        filled.append((description.format(title=variant.title), named))
    return filled


def _new(ideas: Sequence[str], known: Sequence[str]) -> list[str]:
    return [idea for idea in ideas if all(overlap(idea, other) <= _SAME for other in known)]


def _preface(
    board: Sequence[evidence.VariantStanding],
    told: Sequence[evidence.Told],
    shelf: Sequence[Variant],
    higher: bool,
) -> str:
    if board:
        best = board[0]
        lead = f"So far {best.title!r} by {best.agent} leads with {best.score:g}"
        return f"{lead}; {len(board)} solutions were measured."
    backed = [v for v in shelf if evidence.support(v, told, higher) > 0]
    if backed:
        top = max(backed, key=lambda v: evidence.support(v, told, higher))
        return f"No agent was measured yet. The best public kernels point to: {top.title}."
    return "No agent was measured yet, and the public kernels name no model of the shelf."


def _promise(text: str, reports: str) -> float:
    """Agreement with the reports, plus what usually moves a score."""
    words = _words(text)
    agreed = len(words & _words(reports)) / max(len(words), 1)
    gain = 0.5 if re.search(r"averag|blend|boost|gradient|stack|encod|n-gram|kernel", text, re.I) else 0.0
    return agreed + gain


def listed(text: str) -> list[tuple[str, str]]:
    """(id, text) of each idea; ids may be missing."""
    found = re.findall(r"^\s*(?:-|\d+\.)\s+(?:\[(idea-\d+)\]\s*)?(.+)$", text, re.M)
    return [(id, idea.strip()) for id, idea in found if idea.strip().lower() != "none"]


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{4,}", text.lower()))
