"""Average precision of boxes as MLE-bench computes it, not by this package's rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mle_live.metrics.boxes import Boxes, intersection_over_union, parse_boxes
from mle_live.metrics.metric import Array

_RECALLS = np.linspace(0.0, 1.0, 101)
_MOST_DETECTIONS = 100
"""COCO looks at so many detections of a class in an image."""


def flat_map(
    expected: Sequence[Boxes],
    predicted: Sequence[Boxes],
    threshold: float,
    average_precision: Callable[[Array, Array], float],
) -> float:
    """Mean over classes of plain average precision of (label, confidence) pairs (siim-covid19).

    A missed box is a positive of confidence 0; an image without boxes of the class is a negative of 0.
    """
    scores = []
    for label in sorted({name for boxes in expected for name in boxes.labels}):
        pairs: list[tuple[float, float]] = []
        for true, given in zip(expected, predicted, strict=True):
            pairs += _image_pairs(true, given, label, threshold) or [(0.0, 0.0)]
        table = np.array(pairs)
        if table[:, 0].all():
            raise ValueError("average precision is undefined without a negative")
        scores.append(average_precision(table[:, :1], table[:, 1:]))
    return float(np.mean(scores))


def _image_pairs(true: Boxes, given: Boxes, label: str, threshold: float) -> list[tuple[float, float]]:
    """(1 or 0, confidence) of each detection, each taking the best box still free; then the missed boxes."""
    wanted = true.corners[[name == label for name in true.labels]]
    mine = np.array([name == label for name in given.labels], dtype=bool)
    confidences = given.confidences[mine]
    overlaps = intersection_over_union(given.corners[mine], wanted)
    pairs, free = [], np.ones(len(wanted), dtype=bool)
    for detection in np.argsort(-confidences, kind="stable"):
        open_overlaps = np.where(free, overlaps[detection], -1.0)
        hit = bool(len(wanted)) and open_overlaps.max() > threshold
        if hit:
            free[open_overlaps.argmax()] = False
        pairs.append((float(hit), float(confidences[detection])))
    return pairs + [(1.0, 0.0)] * int(free.sum())


def coco_map(expected: Sequence[Boxes], predicted: Sequence[Boxes], threshold: float) -> float:
    """Mean over classes of COCO's average precision at one threshold (pycocotools' COCOeval).

    Corners are taken for `x y width height`, as the grader of vinbigdata hands them over.
    """
    scores = []
    for label in sorted({name for boxes in expected for name in boxes.labels}):
        found: list[tuple[float, bool]] = []
        positives = 0
        for true, given in zip(expected, predicted, strict=True):
            wanted = _as_sizes(true, label)
            positives += len(wanted)
            mine = np.array([name == label for name in given.labels], dtype=bool)
            order = np.argsort(-given.confidences[mine], kind="stable")[:_MOST_DETECTIONS]
            overlaps = intersection_over_union(_as_sizes(given, label)[order], wanted)
            confidences = given.confidences[mine][order]
            found += zip(confidences.tolist(), _coco_hits(overlaps, threshold), strict=True)
        scores.append(_coco_precision(found, positives))
    return float(np.mean(scores))


def _as_sizes(boxes: Boxes, label: str) -> Array:
    """Corners of a class, the second one moved as if it were a width and a height."""
    corners = boxes.corners[[name == label for name in boxes.labels]]
    return np.hstack([corners[:, :2], corners[:, :2] + corners[:, 2:]])


def _coco_hits(overlaps: Array, threshold: float) -> list[bool]:
    """Detections in order, each taking the best free box of at least the threshold; the last of equals."""
    free, flags = np.ones(overlaps.shape[1], dtype=bool), []
    for row in overlaps:
        best, chosen = threshold, -1
        for box in np.flatnonzero(free):
            if row[box] >= best:
                best, chosen = row[box], int(box)
        if chosen >= 0:
            free[chosen] = False
        flags.append(chosen >= 0)
    return flags


def _coco_precision(found: list[tuple[float, bool]], positives: int) -> float:
    """Mean of the precision envelope at recalls 0, 0.01, …, 1."""
    if not found:
        return 0.0
    order = np.argsort([-confidence for confidence, _ in found], kind="stable")
    hits = np.cumsum(np.array([hit for _, hit in found], dtype=float)[order])
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(envelope[np.searchsorted(hits / positives, _RECALLS, side="left")].mean())


__all__ = ["coco_map", "flat_map", "parse_boxes"]
