"""Metrics of detection: average precision of boxes in images, F1 of points in boxes.

A box is `label confidence xmin ymin xmax ymax`, on both sides (the truth's confidence is not read). What a
detection hits depends on its own image alone, so the reader settles it, and the formula pools and sorts.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mle_live.metrics import texts
from mle_live.metrics.metric import AnyArray, Array, Columns, Frame, TableReader

BOX = "label confidence xmin ymin xmax ymax"


class Boxes(NamedTuple):
    """Boxes of one image: labels, confidences (boxes,) and corners (boxes, 4)."""

    labels: list[str]
    confidences: Array
    corners: Array


def parse_boxes(text: str) -> Boxes:
    """Boxes of a text; none for an empty one. Raises ValueError."""
    groups = texts.records(text, BOX)
    numbers = texts.finite([item for group in groups for item in group[1:]], "confidences and corners")
    values = numbers.reshape(-1, 5)
    if (values[:, 3] < values[:, 1]).any() or (values[:, 4] < values[:, 2]).any():
        raise ValueError("boxes must have xmin <= xmax and ymin <= ymax")
    return Boxes([group[0] for group in groups], values[:, 0], values[:, 1:])


def intersection_over_union(first: Array, second: Array) -> Array:
    """IoU of every box of `first` (n, 4) with every box of `second` (m, 4): shape (n, m)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    sizes = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    union = sizes[0][:, None] + sizes[1][None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def hits(overlaps: Array, order: npt.NDArray[np.intp], threshold: float) -> npt.NDArray[np.bool_]:
    """Which detections (rows of `overlaps`) hit, taken in `order`, as PASCAL VOC counts.

    Each goes to the true box that it overlaps most: it hits where the overlap exceeds `threshold` and no
    detection before it hit that box.
    """
    found = np.zeros(len(overlaps), dtype=bool)
    if not overlaps.size:
        return found
    best, taken = overlaps.argmax(axis=1), set()
    for detection in order:
        box = int(best[detection])
        if overlaps[detection, box] > threshold and box not in taken:
            taken.add(box)
            found[detection] = True
    return found


def average_precision(confidences: Array, hit: npt.NDArray[Any], positives: float) -> float:
    """Area under precision's envelope over recall, at every point (PASCAL VOC 2010's devkit)."""
    order = np.argsort(-confidences, kind="stable")
    true_positives = np.cumsum(hit[order])
    precision = true_positives / np.arange(1, len(order) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(true_positives, prepend=0.0) * envelope).sum() / positives)


def read_detections(threshold: float) -> TableReader:
    """A reader for `voc_map`: true boxes of each class; detections as (confidence, hit, class) rows."""

    def read(truth: Frame, prediction: Frame, columns: Columns) -> tuple[AnyArray, AnyArray]:
        expected, predicted = texts.parse_both(truth, prediction, columns, parse_boxes)
        classes = sorted({label for boxes in expected for label in boxes.labels})
        codes = {label: code for code, label in enumerate(classes)}
        counts = np.zeros((len(expected), len(classes)))
        for row, boxes in enumerate(expected):
            for label, number in Counter(boxes.labels).items():
                counts[row, codes[label]] = number
        pairs = zip(expected, predicted, strict=True)
        return counts, texts.one_column([_settle(true, given, codes, threshold) for true, given in pairs])

    return read


def _settle(expected: Boxes, predicted: Boxes, codes: dict[str, int], threshold: float) -> Array:
    """Detections of one image, classes that the truth has: confidence, hit, class; shape (detections, 3)."""
    true_labels, labels = np.array(expected.labels, dtype=object), np.array(predicted.labels, dtype=object)
    rows = []
    for label in sorted(set(predicted.labels) & codes.keys()):
        given = np.flatnonzero(labels == label)
        overlaps = intersection_over_union(predicted.corners[given], expected.corners[true_labels == label])
        confidences = predicted.confidences[given]
        hit = hits(overlaps, np.argsort(-confidences, kind="stable"), threshold)
        rows.append(np.column_stack([confidences, hit, np.full(len(given), codes[label])]))
    return np.concatenate(rows) if rows else np.zeros((0, 3))


def _voc_map(counts: Array, detections: AnyArray) -> float:
    """Mean over the true classes of average precision, detections of all images pooled."""
    pooled = np.concatenate(list(detections[:, 0]))
    scores = []
    for code in np.flatnonzero(counts.sum(axis=0)):
        mine = pooled[pooled[:, 2] == code]
        scores.append(average_precision(mine[:, 0], mine[:, 1], counts[:, code].sum()))
    return float(np.mean(scores)) if scores else float("nan")


def voc_map_iou_50(counts: Array, detections: AnyArray) -> float:
    """PASCAL VOC 2010's mean average precision at IoU > 0.5 (siim-covid19-detection's rule)."""
    return _voc_map(counts, detections)


def voc_map_iou_40(counts: Array, detections: AnyArray) -> float:
    """PASCAL VOC 2010's mean average precision at IoU > 0.4 (vinbigdata-chest-xray's rule)."""
    return _voc_map(counts, detections)


def read_points(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """True characters of each page; predicted characters and hits.

    The truth is `label x y width height …`, a prediction `label x y …` of centres.
    """
    expected, predicted = texts.parse_both(truth, prediction, columns, _characters, _points)
    found = [_points_in_boxes(a, b) for a, b in zip(expected, predicted, strict=True)]
    counts = np.array([[len(a[0]), len(b[0])] for a, b in zip(expected, predicted, strict=True)], dtype=float)
    return counts[:, :1], np.column_stack([counts[:, 1], np.array(found, dtype=float)])


def _characters(text: str) -> tuple[list[str], Array]:
    return _labelled(text, "label x y width height")


def _points(text: str) -> tuple[list[str], Array]:
    return _labelled(text, "label x y")


def _labelled(text: str, names: str) -> tuple[list[str], Array]:
    groups = texts.records(text, names)
    values = texts.finite([item for group in groups for item in group[1:]], "coordinates")
    return [group[0] for group in groups], values.reshape(len(groups), len(names.split()) - 1)


def _points_in_boxes(boxes: tuple[list[str], Array], points: tuple[list[str], Array]) -> int:
    """Boxes, in their order, that find an unused point of their label strictly inside."""
    labels, unused, found = np.array(points[0], dtype=object), np.ones(len(points[0]), dtype=bool), 0
    for label, (x, y, width, height) in zip(*boxes, strict=True):
        at_x, at_y = points[1][:, 0], points[1][:, 1]
        inside = (x < at_x) & (at_x < x + width) & (y < at_y) & (at_y < y + height)
        matching = np.flatnonzero(inside & unused & (labels == label))
        if len(matching):
            unused[matching[0]] = False
            found += 1
    return found


def f1_point_in_box_detection(characters: Array, points_and_hits: Array) -> float:
    """F1 of all pages pooled; a point hits inside a true box of its label (kuzushiji-recognition's rule)."""
    points, found = points_and_hits.sum(axis=0)
    total = characters.sum() + points
    return float(2 * found / total) if total else 0.0
