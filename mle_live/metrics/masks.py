"""Metrics of segmentation masks in run-length encoding: `start length start length …`, counted from 1.

Runs are handled as intervals, so the size of an image costs nothing. Dice, F-beta and IoU do not depend on
the direction in which pixels are counted; the Hausdorff distance counts down the columns, as Kaggle does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mle_live.metrics import texts
from mle_live.metrics.metric import AnyArray, Array, Columns, Frame
from mle_live.metrics.readers import refuse

Runs = npt.NDArray[np.int64]
"""Shape (runs, 2): 0-based first pixel and the pixel after the last one; sorted and apart."""

SALT_PIXELS = 101 * 101
"""Pixels of an image of tgs-salt-identification-challenge, whose truth names no sizes."""
_HEIGHTS = ("height", "image_height", "height_pixels")
_WIDTHS = ("width", "image_width", "width_pixels")
_BETA_SQUARED = 0.25
_DICE_WEIGHT = 0.4
_IOU_THRESHOLDS = np.arange(10, 20) / 20.0
"""0.50, 0.55, …, 0.95, exact to the last digit."""


def parse_runs(text: str) -> Runs:
    """The runs of a mask; an empty text or `-` is a mask without pixels. Raises ValueError."""
    items = text.split()
    if not items or items == ["-"]:
        return np.zeros((0, 2), dtype=np.int64)
    try:
        pairs = np.array(items, dtype=np.int64).reshape(-1, 2)
    except (ValueError, OverflowError):
        raise ValueError("masks must be pairs `start length` of whole numbers") from None
    starts, ends = pairs[:, 0] - 1, pairs[:, 0] - 1 + pairs[:, 1]
    if (starts < 0).any() or (pairs[:, 1] < 1).any():
        raise ValueError("starts and lengths of masks must be positive")
    if (starts[1:] < ends[:-1]).any():
        raise ValueError("runs of masks must be sorted and must not overlap")
    return np.column_stack([starts, ends])


def area(runs: Runs) -> int:
    """Pixels in a mask."""
    return int((runs[:, 1] - runs[:, 0]).sum())


def overlap(first: Runs, second: Runs) -> int:
    """Pixels that two masks share."""
    if not len(first) or not len(second):
        return 0
    edges = first.ravel()
    covered = np.insert(np.cumsum((np.arange(len(edges)) % 2 == 0)[:-1] * np.diff(edges)), 0, 0)
    before = np.interp(second.ravel(), edges, covered).reshape(-1, 2)
    return round(float((before[:, 1] - before[:, 0]).sum()))


def read_areas(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Pixels of the true mask; pixels of the predicted one and of both.

    Images' sizes come from the truth's columns `height` and `width`, where it has them, as bounds.
    """
    expected, predicted = texts.parse_both(truth, prediction, columns, parse_runs)
    _refuse_outside(predicted, _pixels(truth), columns[0])
    return _areas(expected, predicted)


def read_salt_areas(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """As `read_areas`, for images of 101 × 101 pixels."""
    expected, predicted = texts.parse_both(truth, prediction, columns, parse_runs)
    _refuse_outside(predicted, [SALT_PIXELS] * len(predicted), columns[0])
    return _areas(expected, predicted)


def _areas(expected: Sequence[Runs], predicted: Sequence[Runs]) -> tuple[Array, Array]:
    shared = [overlap(a, b) for a, b in zip(expected, predicted, strict=True)]
    return _column(area(runs) for runs in expected), np.hstack(
        [_column(area(runs) for runs in predicted), _column(shared)]
    )


def _pixels(truth: Frame) -> list[int] | None:
    if not any(name in truth.columns for name in _HEIGHTS):
        return None
    heights, widths = texts.truth_column(truth, *_HEIGHTS), texts.truth_column(truth, *_WIDTHS)
    return [int(h) * int(w) for h, w in zip(heights, widths, strict=True)]


def _refuse_outside(masks: Sequence[Runs], pixels: Sequence[int] | None, column: str) -> None:
    if pixels is None:
        return
    bad = [len(runs) > 0 and runs[-1, 1] > size for runs, size in zip(masks, pixels, strict=True)]
    refuse(np.array(bad)[:, None], "out_of_range", "masks must lie inside their images", [column])


def _dice(true_areas: Array, areas_and_shared: Array, both_empty: float) -> Array:
    total = true_areas[:, 0] + areas_and_shared[:, 0]
    return np.where(total > 0, 2 * areas_and_shared[:, 1] / np.maximum(total, 1), both_empty)


def mean_dice_rle(true_areas: Array, areas_and_shared: Array) -> float:
    """Mean Dice coefficient of the images, 1 where both masks are empty (hubmap-kidney-segmentation)."""
    return float(_dice(true_areas, areas_and_shared, 1.0).mean())


def global_dice_rle(true_areas: Array, areas_and_shared: Array) -> float:
    """Dice coefficient of all pixels pooled (google-research-identify-contrails)."""
    total = true_areas.sum() + areas_and_shared[:, 0].sum()
    return float(2 * areas_and_shared[:, 1].sum() / total) if total else float("nan")


def fbeta_half_pixels(true_areas: Array, areas_and_shared: Array) -> float:
    """Mean F0.5 of the images' pixels (sklearn.metrics.fbeta_score; vesuvius-challenge-ink-detection)."""
    total = _BETA_SQUARED * true_areas[:, 0] + areas_and_shared[:, 0]
    scores = (1 + _BETA_SQUARED) * areas_and_shared[:, 1] / np.maximum(total, _BETA_SQUARED)
    return float(np.where(total > 0, scores, 1.0).mean())


def mean_precision_iou_thresholds(true_areas: Array, areas_and_shared: Array) -> float:
    """Mean share of the thresholds 0.50, 0.55, …, 0.95 that a mask's IoU exceeds (tgs-salt-identification).

    One mask an image: an empty one is right only where the true one is empty, and then at every threshold.
    """
    union = true_areas[:, 0] + areas_and_shared.sum(axis=1) - 2 * areas_and_shared[:, 1]
    iou = areas_and_shared[:, 1] / np.maximum(union, 1)
    # A hair below, because (a / b) may fall on a threshold that it exceeds by nothing.
    passed = (iou[:, None] > _IOU_THRESHOLDS + 1e-12).mean(axis=1)
    return float(np.where(union > 0, passed, 1.0).mean())


def read_volumes(truth: Frame, prediction: Frame, columns: Columns) -> tuple[AnyArray, AnyArray]:
    """One true and one predicted slice a row, for `dice_plus_3d_hausdorff`.

    The truth names `image_height` and `image_width`, and its ids read `CASE_DAY_slice_NUMBER`, with the class
    after them. True side: scan, slice, height, width, area; predicted side: runs of both, area, shared area.
    """
    expected, predicted = texts.parse_both(truth, prediction, columns, parse_runs)
    sizes = np.column_stack(
        [texts.truth_column(truth, *_HEIGHTS).astype(int), texts.truth_column(truth, *_WIDTHS).astype(int)]
    )
    _refuse_outside(predicted, sizes.prod(axis=1).tolist(), columns[0])
    scans, slices = zip(*(_scan_and_slice(row) for row in texts.row_ids(truth)), strict=True)
    codes, _ = pd.factorize(np.array(scans, dtype=object))
    true_areas, areas_and_shared = _areas(expected, predicted)
    places = np.column_stack([codes, np.array(slices), sizes, true_areas])
    runs = np.hstack([texts.one_column(expected), texts.one_column(predicted)])
    return places, np.hstack([runs, areas_and_shared.astype(object)])


def _scan_and_slice(row_id: str) -> tuple[str, int]:
    scan, found, rest = row_id.partition("_slice_")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    if not found or not digits:
        raise ValueError("ids of the truth must read CASE_DAY_slice_NUMBER")
    return scan, int(digits)


def dice_plus_3d_hausdorff(places: Array, masks: AnyArray) -> float:
    """0.4 × mean Dice + 0.6 × (1 - mean 3D Hausdorff distance) (uw-madison-gi-tract-image-segmentation).

    Rows whose masks are both empty are left out of both means. A scan's volume is the union of its classes'
    masks, slice by slice; coordinates are divided by the volume's shape, the distance by √3, so it lies in
    [0, 1]; it is 1 where one volume is empty or the predicted one is more than ten times the true one.
    """
    return weighted_dice_and_hausdorff(
        mean_filled_dice(places[:, 4:], masks[:, 2:].astype(float)), mean_hausdorff(places, masks)
    )


def weighted_dice_and_hausdorff(dice: float, hausdorff: float) -> float:
    """0.4 of the one and 0.6 of what the other lacks to 1."""
    return _DICE_WEIGHT * dice + (1 - _DICE_WEIGHT) * (1 - hausdorff)


def mean_filled_dice(true_areas: Array, areas_and_shared: Array) -> float:
    """Mean Dice coefficient of the rows in which either mask has pixels; NaN without one."""
    filled = true_areas[:, 0] + areas_and_shared[:, 0] > 0
    return float(_dice(true_areas, areas_and_shared, 0.0)[filled].mean()) if filled.any() else float("nan")


def mean_hausdorff(places: Array, masks: AnyArray) -> float:
    """Mean 3D Hausdorff distance of the scans in which either volume has voxels; NaN without one."""
    filled = places[:, 4] + masks[:, 2].astype(float) > 0
    distances = []
    for scan in np.unique(places[filled, 0]):
        rows = places[:, 0] == scan
        distances.append(_hausdorff(places[rows, 1:4].astype(int), masks[rows, 0], masks[rows, 1]))
    return float(np.mean(distances)) if distances else float("nan")


def _hausdorff(places: npt.NDArray[np.int64], expected: AnyArray, predicted: AnyArray) -> float:
    """Symmetric Hausdorff distance of two volumes; `places`: slice, height and width of each row."""
    slices, depth = np.unique(places[:, 0], return_inverse=True)
    shape = np.array([len(slices), places[0, 1], places[0, 2]], dtype=float)
    true_points = _points(depth, places[:, 1], expected)
    predicted_points = _points(depth, places[:, 1], predicted)
    if not len(true_points) or not len(predicted_points) or len(predicted_points) > 10 * len(true_points):
        return 1.0
    from scipy.spatial import cKDTree  # it takes half a second to import, and one metric needs it

    a, b = true_points / shape, predicted_points / shape
    there, back = cKDTree(b).query(a)[0].max(), cKDTree(a).query(b)[0].max()
    return float(max(there, back) / np.sqrt(3))


def _points(depth: npt.NDArray[np.int64], heights: npt.NDArray[np.int64], masks: AnyArray) -> Array:
    """Voxels (slice, row, column) of a volume, each once."""
    found = [np.zeros((0, 3), dtype=np.int64)]
    for level, height, runs in zip(depth, heights, masks, strict=True):
        pixels = np.concatenate([np.arange(0), *(np.arange(first, end) for first, end in runs)])
        found.append(np.column_stack([np.full(len(pixels), level), pixels % height, pixels // height]))
    return np.unique(np.concatenate(found), axis=0).astype(float)


def _column(values: Iterable[float]) -> Array:
    return np.array(list(values), dtype=float)[:, None]
