"""Metrics of numbers with a rule of their own: errors by group, likelihoods, angles, distances on the ground.

The plain ones are in `regression`. Readers check values; formulas take arrays (rows, columns).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from mle_live.metrics import readers as read
from mle_live.metrics import texts
from mle_live.metrics.metric import Array, Columns, Frame

SMALLEST_GROUP_ERROR = 1e-9
"""Floor of a group's mean absolute error in `group_mean_log_mae`."""
SMALLEST_CONFIDENCE, LARGEST_ERROR = 70.0, 1000.0
"""Millilitres at which `laplace_log_likelihood` cuts standard deviations and errors."""
EARTH_RADIUS = 6_371_000.0
"""Metres."""


def read_by_type(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Value and group (the truth's column `type`, or `group`); a number."""
    expected, predicted = read.numbers(truth, prediction, columns)
    codes, _ = pd.factorize(texts.truth_column(truth, "type", "group"))
    return np.column_stack([expected[:, 0], codes]), predicted


def group_mean_log_mae(truth: Array, prediction: Array) -> float:
    """Mean over groups of the log of their mean absolute error, at least 1e-9 (champs-scalar-coupling)."""
    codes = truth[:, 1].astype(np.intp)
    rows = np.bincount(codes)
    errors = np.bincount(codes, np.abs(truth[:, 0] - prediction[:, 0]))
    mean_errors = errors[rows > 0] / rows[rows > 0]
    return float(np.log(np.maximum(mean_errors, SMALLEST_GROUP_ERROR)).mean())


def read_measure_and_confidence(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """The value of the first column; predictions of it and, in the second, of its standard deviation."""
    if len(columns) != 2:
        raise ValueError("two target columns are needed: a value and its confidence")
    return read.true_numbers(truth, columns[:1]), read.predicted_numbers(prediction, columns)


def laplace_log_likelihood(truth: Array, prediction: Array) -> float:
    """Mean modified Laplace log likelihood (osic-pulmonary-fibrosis-progression).

    Standard deviations are at least 70, errors at most 1000, so the best value is -log(70 √2) = -4.595.
    """
    spread = np.maximum(prediction[:, 1], SMALLEST_CONFIDENCE)
    error = np.minimum(np.abs(truth[:, 0] - prediction[:, 0]), LARGEST_ERROR)
    return float((-np.sqrt(2) * error / spread - np.log(np.sqrt(2) * spread)).mean())


def mean_angular_error(truth: Array, prediction: Array) -> float:
    """Mean angle, in radians, of directions given as (azimuth, zenith) (icecube-neutrinos-in-deep-ice)."""
    a, b = _unit_vectors(truth), _unit_vectors(prediction)
    return float(np.arccos(np.clip((a * b).sum(axis=0), -1.0, 1.0)).mean())


def _unit_vectors(angles: Array) -> Array:
    """Shape (3, rows)."""
    azimuth, zenith = angles.T
    across = np.sin(zenith)
    return np.stack([across * np.cos(azimuth), across * np.sin(azimuth), np.cos(zenith)])


def read_places(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Latitude, longitude and trip (the truth's column `tripId`, or `phone`); latitude and longitude."""
    expected, predicted = read.numbers(truth, prediction, columns)
    outside = np.abs(predicted) > np.array([90.0, 180.0])
    read.refuse(outside, "out_of_range", "latitudes must lie in ±90°, longitudes in ±180°", columns)
    codes, _ = pd.factorize(texts.truth_column(truth, "tripId", "phone"))
    return np.column_stack([expected, codes]), predicted


def haversine(first: Array, second: Array) -> Array:
    """Great-circle distances in metres of rows (latitude, longitude) in degrees, on a sphere."""
    (lat_a, lon_a), (lat_b, lon_b) = np.radians(first).T, np.radians(second).T
    half = np.sin((lat_b - lat_a) / 2) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin((lon_b - lon_a) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.minimum(half, 1.0))))


def haversine_p50_p95_mean(truth: Array, prediction: Array) -> float:
    """Mean over trips of (median + 95th percentile) / 2 of the distances in metres (smartphone-decimeter)."""
    distances = haversine(truth[:, :2], prediction)
    trips = truth[:, 2].astype(np.intp)
    order = np.lexsort((distances, trips))
    sizes = np.bincount(trips)
    sizes = sizes[sizes > 0]
    starts = np.cumsum(sizes) - sizes
    sorted_distances = distances[order]
    both = [_sorted_quantile(sorted_distances, starts, sizes, level) for level in (0.50, 0.95)]
    return float(np.mean(both))


def _sorted_quantile(
    values: Array, starts: npt.NDArray[np.intp], sizes: npt.NDArray[np.intp], level: float
) -> Array:
    """Each group's quantile with linear interpolation (numpy.quantile); groups lie one after another."""
    place = (sizes - 1) * level
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, sizes - 1)
    below, above = values[starts + low], values[starts + high]
    return np.asarray(below + (above - below) * (place - low))
