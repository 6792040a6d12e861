"""Mean average precision of upright boxes in space (3d-object-detection-for-autonomous-vehicles).

A box is `confidence x y z width length height yaw label` on both sides; it stands upright and is turned
by `yaw` around the vertical axis, its length along the direction of `yaw`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mle_live.metrics import texts
from mle_live.metrics.boxes import average_precision, hits
from mle_live.metrics.metric import Array, Columns, Frame

BOX = "confidence x y z width length height yaw label"
THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


class Boxes3d(NamedTuple):
    """Boxes of one scene: labels, confidences (boxes,), and x y z width length height yaw (boxes, 7)."""

    labels: list[str]
    confidences: Array
    shapes: Array


def parse_boxes(text: str) -> Boxes3d:
    """Boxes of a text; none for an empty one. Raises ValueError."""
    groups = texts.records(text, BOX)
    values = texts.finite([item for group in groups for item in group[:8]], "numbers of a box").reshape(-1, 8)
    if (values[:, 4:7] <= 0).any():
        raise ValueError("width, length and height of boxes must be positive")
    return Boxes3d([group[8] for group in groups], values[:, 0], values[:, 1:])


def base(shape: Array) -> Array:
    """Corners of a box's base, counter-clockwise: shape (4, 2)."""
    width, length, yaw = shape[3], shape[4], shape[6]
    along = np.array([np.cos(yaw), np.sin(yaw)]) * length / 2
    across = np.array([-np.sin(yaw), np.cos(yaw)]) * width / 2
    corners: Array = np.stack([-along - across, along - across, along + across, -along + across])
    return corners + shape[:2]


def shared_area(first: Array, second: Array) -> float:
    """Area common to two convex polygons, corners counter-clockwise (Sutherland and Hodgman's clipping)."""
    corners = [tuple(corner) for corner in first]
    for (ax, ay), (bx, by) in zip(second, np.roll(second, -1, axis=0), strict=True):
        sides = [(bx - ax) * (y - ay) - (by - ay) * (x - ax) for x, y in corners]
        kept = []
        for i, (here, side) in enumerate(zip(corners, sides, strict=True)):
            before, side_before = corners[i - 1], sides[i - 1]
            if (side >= 0) != (side_before >= 0):
                part = side_before / (side_before - side)
                kept.append(tuple(p + part * (q - p) for p, q in zip(before, here, strict=True)))
            if side >= 0:
                kept.append(here)
        corners = kept
        if not corners:
            return 0.0
    points = np.array(corners)
    following = np.roll(points, -1, axis=0)
    return float(abs((points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum()) / 2)


def intersection_over_union(first: Array, second: Array) -> Array:
    """IoU of the volumes of every box of `first` (n, 7) with every box of `second` (m, 7): shape (n, m)."""
    overlaps = np.zeros((len(first), len(second)))
    reach = [np.hypot(boxes[:, 3], boxes[:, 4]) / 2 for boxes in (first, second)]
    apart = np.hypot(first[:, None, 0] - second[None, :, 0], first[:, None, 1] - second[None, :, 1])
    for i, j in zip(*np.nonzero(apart < reach[0][:, None] + reach[1][None, :]), strict=True):
        a, b = first[i], second[j]
        top, bottom = min(a[2] + a[5] / 2, b[2] + b[5] / 2), max(a[2] - a[5] / 2, b[2] - b[5] / 2)
        if top > bottom:
            shared = shared_area(base(a), base(b)) * (top - bottom)
            overlaps[i, j] = shared / (a[3:6].prod() + b[3:6].prod() - shared)
    return overlaps


def read_scenes(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """True boxes of each scene; average precision, mean over thresholds and true classes."""
    expected, predicted = texts.parse_both(truth, prediction, columns, parse_boxes)
    scores = [_scene_score(a, b) for a, b in zip(expected, predicted, strict=True)]
    counts = np.array([len(boxes.labels) for boxes in expected], dtype=float)
    return counts[:, None], np.array(scores, dtype=float)[:, None]


def _scene_score(expected: Boxes3d, predicted: Boxes3d) -> float:
    true_labels, labels = np.array(expected.labels, dtype=object), np.array(predicted.labels, dtype=object)
    scores = []
    for label in sorted(set(expected.labels)):
        given, wanted = np.flatnonzero(labels == label), np.flatnonzero(true_labels == label)
        if not len(given):
            scores.append(0.0)
            continue
        confidences = predicted.confidences[given]
        order = np.argsort(-confidences, kind="stable")
        overlaps = intersection_over_union(predicted.shapes[given], expected.shapes[wanted])
        found = [
            average_precision(confidences, hits(overlaps, order, threshold), len(wanted))
            for threshold in THRESHOLDS
        ]
        scores.append(float(np.mean(found)))
    return float(np.mean(scores)) if scores else 0.0


def map_3d_iou_50_95(true_boxes: Array, scores: Array) -> float:
    """Mean over the scenes of average precision at IoU > 0.50, 0.55, …, 0.95 (the competition's script).

    A scene without true boxes has no average precision and is left out.
    """
    occupied = true_boxes[:, 0] > 0
    return float(scores[occupied].mean()) if occupied.any() else float("nan")
