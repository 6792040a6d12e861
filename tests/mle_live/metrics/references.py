"""Slow references for the metrics that belong to single competitions.

They are literal loops, or calls into scikit-learn and scipy; none shares code with the package.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection
from scipy.spatial.distance import directed_hausdorff
from scipy.special import rel_entr
from sklearn import metrics as sk
from sklearn.preprocessing import MultiLabelBinarizer

from tests.mle_live.metrics.examples import IDENTITIES, decode


def edit_distance(a: Any, b: Any) -> int:
    @cache
    def at(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + int(a[i - 1] != b[j - 1]))

    return at(len(a), len(b))


def _exam_loss(t: pd.DataFrame, p: pd.DataFrame) -> float:
    exams: dict[str, list[tuple[float, float]]] = {}
    for row, label, chance in zip(t.index, t["y"], p["y"], strict=True):
        exam, level = row.split("_", 1)
        weight = (7 if level == "patient_overall" else 1) * (2 if label else 1)
        loss = -math.log(chance if label else 1 - chance)
        exams.setdefault(exam, []).append((weight, weight * loss))
    return float(np.mean([sum(b for _, b in rows) / sum(a for a, _ in rows) for rows in exams.values()]))


def _alaska(t: pd.DataFrame, p: pd.DataFrame) -> float:
    false_rate, rate, _ = sk.roc_curve(t["y"], p["y"], drop_intermediate=False)
    fine = np.linspace(0, 1, 400_001)
    width = 1 - np.interp(fine, rate + np.arange(len(rate)) * 1e-13, false_rate)
    weights = np.where(fine < 0.4, 2.0, 1.0)
    return float((width * weights).sum() / weights.sum())


def _jigsaw(t: pd.DataFrame, p: pd.DataFrame) -> float:
    toxic, scores = t["y"] >= 0.5, p["y"]
    kinds: list[list[float]] = [[], [], []]
    for name in IDENTITIES:
        mine = t[name] >= 0.5
        chosen = (mine, (mine & ~toxic) | (~mine & toxic), (mine & toxic) | (~mine & ~toxic))
        for areas, rows in zip(kinds, chosen, strict=True):
            areas.append(sk.roc_auc_score(toxic[rows], scores[rows]))
    power_means = [stats.pmean(areas, -5) for areas in kinds]
    return float(0.25 * sk.roc_auc_score(toxic, scores) + 0.25 * sum(power_means))


def _laplace(t: pd.DataFrame, p: pd.DataFrame) -> float:
    total = 0.0
    for true, guess, sigma in zip(t["FVC"], p["FVC"], p["Confidence"], strict=True):
        sigma = max(sigma, 70)
        total += -math.sqrt(2) * min(abs(true - guess), 1000) / sigma - math.log(math.sqrt(2) * sigma)
    return total / len(t)


def _angle(t: pd.DataFrame, p: pd.DataFrame) -> float:
    def vector(azimuth: float, zenith: float) -> np.ndarray:
        return np.array(
            [math.cos(azimuth) * math.sin(zenith), math.sin(azimuth) * math.sin(zenith), math.cos(zenith)]
        )

    pairs = zip(t.to_numpy(), p.to_numpy(), strict=True)
    return float(np.mean([math.acos(vector(*a) @ vector(*b)) for a, b in pairs]))


def _haversine(t: pd.DataFrame, p: pd.DataFrame) -> float:
    scores = []
    for trip in t["tripId"].unique():
        distances = []
        for (la, lo), (lb, lp) in zip(
            np.radians(t[t.tripId == trip][["LatitudeDegrees", "LongitudeDegrees"]].to_numpy()),
            np.radians(p[t.tripId == trip].to_numpy()),
            strict=True,
        ):
            h = math.sin((lb - la) / 2) ** 2 + math.cos(la) * math.cos(lb) * math.sin((lp - lo) / 2) ** 2
            distances.append(2 * 6_371_000 * math.asin(math.sqrt(h)))
        scores.append((np.quantile(distances, 0.5) + np.quantile(distances, 0.95)) / 2)
    return float(np.mean(scores))


def _tag_f1(average: str) -> Callable[[pd.DataFrame, pd.DataFrame], float]:
    def reference(t: pd.DataFrame, p: pd.DataFrame) -> float:
        binarizer = MultiLabelBinarizer().fit([*t["y"].str.split(), *p["y"].str.split()])
        sides = [binarizer.transform(frame["y"].str.split()) for frame in (t, p)]
        return float(sk.f1_score(*sides, average=average, zero_division=1))

    return reference


def _mean_precision(places: int) -> Callable[[pd.DataFrame, pd.DataFrame], float]:
    def reference(t: pd.DataFrame, p: pd.DataFrame) -> float:
        scores = []
        for actual, guesses in zip(t["y"].str.split(), p["y"].str.split(), strict=True):
            total, hits = 0.0, 0
            for k, guess in enumerate(guesses[:places]):
                if guess in actual and guess not in guesses[:k]:
                    hits += 1
                    total += hits / (k + 1)
            scores.append(total / min(len(actual), places))
        return float(np.mean(scores))

    return reference


def _kendall(t: pd.DataFrame, p: pd.DataFrame) -> float:
    swaps = pairs = 0
    for actual, guess in zip(t["y"].str.split(), p["y"].str.split(), strict=True):
        ranks = [actual.index(cell) for cell in guess]
        swaps += sum(ranks[i] > ranks[j] for i in range(len(ranks)) for j in range(i + 1, len(ranks)))
        pairs += len(ranks) * (len(ranks) - 1)
    return 1 - 4 * swaps / pairs


def _span_f1(t: pd.DataFrame, p: pd.DataFrame) -> float:
    hits = wrong = missed = 0
    for accepted, guess in zip(t["y"], p["y"], strict=True):
        if guess:
            hits += guess in accepted.split()
            wrong += guess not in accepted.split()
        else:
            missed += bool(accepted)
    precision, recall = hits / (hits + wrong), hits / (hits + missed)
    return 2 * precision * recall / (precision + recall)


def _decoded(
    t: pd.DataFrame, p: pd.DataFrame, height: int, width: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(decode(a, height, width), decode(b, height, width)) for a, b in zip(t["y"], p["y"], strict=True)]


def _dice(t: pd.DataFrame, p: pd.DataFrame) -> float:
    scores = [
        2 * (a & b).sum() / (a.sum() + b.sum()) if (a | b).any() else 1.0 for a, b in _decoded(t, p, 20, 14)
    ]
    return float(np.mean(scores))


def _global_dice(t: pd.DataFrame, p: pd.DataFrame) -> float:
    sides = np.array(_decoded(t, p, 20, 14))
    return float(sk.f1_score(sides[:, 0].ravel(), sides[:, 1].ravel()))


def _fbeta(t: pd.DataFrame, p: pd.DataFrame) -> float:
    return float(
        np.mean([
            sk.fbeta_score(a.ravel(), b.ravel(), beta=0.5, zero_division=1) if (a | b).any() else 1.0
            for a, b in _decoded(t, p, 20, 14)
        ])
    )  # fmt: skip


def _salt_precision(t: pd.DataFrame, p: pd.DataFrame) -> float:
    scores = []
    for a, b in _decoded(t, p, 101, 101):
        iou = (a & b).sum() / (a | b).sum() if (a | b).any() else 1.0
        scores.append(np.mean([iou > (50 + 5 * step) / 100 for step in range(10)]))
    return float(np.mean(scores))


def _dice_hausdorff(t: pd.DataFrame, p: pd.DataFrame) -> float:
    masks = _decoded(t, p, 12, 9)
    dice = [2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in masks if (a | b).any()]
    far = []
    for scan in ("case0", "case1"):
        rows = [i for i, row in enumerate(t.index) if row.startswith(scan)]
        volumes = [
            np.stack([masks[rows[k]][side] | masks[rows[k + 1]][side] for k in range(0, len(rows), 2)])
            for side in (0, 1)
        ]
        a, b = (np.argwhere(volume) / np.array([6, 12, 9]) for volume in volumes)
        far.append(max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0]) / math.sqrt(3))
    return float(0.4 * np.mean(dice) + 0.6 * (1 - np.mean(far)))


def _rectangle_iou(a: list[float], b: list[float]) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(w, 0) * max(h, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def _envelope_area(flags: list[bool], positives: int) -> float:
    """Area under the precision envelope, one recall step at a time."""
    precision = [sum(flags[: k + 1]) / (k + 1) for k in range(len(flags))]
    return sum(max(precision[k:]) / positives for k in range(len(flags)) if flags[k])


def _flags(
    guesses: list[tuple[float, int, Any]],
    actual: list[list[Any]],
    iou: Callable[[Any, Any], float],
    least: float,
) -> list[bool]:
    """Hits of detections (confidence, image, box), best first."""
    used: set[tuple[int, int]] = set()
    flags = []
    for _, image, box in sorted(guesses, key=lambda guess: -guess[0]):
        overlaps = [iou(box, other) for other in actual[image]]
        best = int(np.argmax(overlaps)) if overlaps else -1
        flags.append(best >= 0 and overlaps[best] > least and (image, best) not in used)
        if flags[-1]:
            used.add((image, best))
    return flags


def _voc(least: float) -> Callable[[pd.DataFrame, pd.DataFrame], float]:
    def boxes(text: str, label: str) -> list[tuple[float, list[float]]]:
        items = text.split()
        groups = [items[k : k + 6] for k in range(0, len(items), 6)]
        return [(float(g[1]), [float(v) for v in g[2:]]) for g in groups if g[0] == label]

    def reference(t: pd.DataFrame, p: pd.DataFrame) -> float:
        scores = []
        for label in ("a", "b"):
            actual = [[box for _, box in boxes(text, label)] for text in t["y"]]
            guesses = [(c, i, box) for i, text in enumerate(p["y"]) for c, box in boxes(text, label)]
            flags = _flags(guesses, actual, _rectangle_iou, least)
            scores.append(_envelope_area(flags, sum(map(len, actual))))
        return float(np.mean(scores))

    return reference


def _point_f1(t: pd.DataFrame, p: pd.DataFrame) -> float:
    hits = total = 0
    for actual, guess in zip(t["y"].str.split(), p["y"].str.split(), strict=True):
        points = [guess[k : k + 3] for k in range(0, len(guess), 3)]
        boxes = [actual[k : k + 5] for k in range(0, len(actual), 5)]
        total += len(points) + len(boxes)
        for label, *numbers in boxes:
            x, y, w, h = map(float, numbers)
            for point in points:
                if point[0] == label and x < float(point[1]) < x + w and y < float(point[2]) < y + h:
                    points.remove(point)
                    hits += 1
                    break
    return 2 * hits / total


def volume_iou(a: np.ndarray, b: np.ndarray) -> float:
    """IoU of two upright boxes by the half-spaces of their bases and scipy's hull."""

    def sides(box: np.ndarray) -> list[list[float]]:
        x, y, yaw = box[0], box[1], box[6]
        return [
            [s * c, s * d, -s * (c * x + d * y) - reach / 2]
            for (c, d), reach in (
                ((math.cos(yaw), math.sin(yaw)), box[4]), ((-math.sin(yaw), math.cos(yaw)), box[3])
            )
            for s in (1, -1)
        ]  # fmt: skip

    low, high = max(a[2] - a[5] / 2, b[2] - b[5] / 2), min(a[2] + a[5] / 2, b[2] + b[5] / 2)
    halves = np.array(sides(a) + sides(b))
    if high <= low or math.dist(a[:2], b[:2]) > 20:
        return 0.0
    # The centre of the largest circle in all half-planes; its radius is negative where they share nothing.
    centre = linprog(
        [0, 0, -1], A_ub=np.insert(halves[:, :2], 2, 1, axis=1), b_ub=-halves[:, 2], bounds=(-99, 99)
    ).x
    if centre[2] <= 1e-9:
        return 0.0
    area = ConvexHull(HalfspaceIntersection(halves, centre[:2]).intersections).volume
    shared = area * (high - low)
    return float(shared / (np.prod(a[3:6]) + np.prod(b[3:6]) - shared))


def _scene_map(t: pd.DataFrame, p: pd.DataFrame) -> float:
    def boxes(text: str, label: str) -> list[tuple[float, np.ndarray]]:
        items = text.split()
        groups = [items[k : k + 9] for k in range(0, len(items), 9)]
        return [(float(g[0]), np.array(g[1:8], dtype=float)) for g in groups if g[8] == label]

    scenes = []
    for actual, guess in zip(t["y"], p["y"], strict=True):
        scores = []
        for label in sorted(set(actual.split()[8::9])):
            wanted = [box for _, box in boxes(actual, label)]
            guesses = [(c, 0, box) for c, box in boxes(guess, label)]
            for step in range(10):
                flags = _flags(guesses, [wanted], volume_iou, 0.5 + 0.05 * step)
                scores.append(_envelope_area(flags, len(wanted)))
        if scores:
            scenes.append(np.mean(scores))
    return float(np.mean(scenes))


def _pair_mean(function: Callable[[Any, Any], float]) -> Callable[[pd.DataFrame, pd.DataFrame], float]:
    return lambda t, p: float(np.mean([function(a, b) for a, b in zip(t["y"], p["y"], strict=True)]))


def _jaccard(a: str, b: str) -> float:
    one_side, other = set(a.lower().split()), set(b.lower().split())
    return len(one_side & other) / len(one_side | other)


def _gesture_error(t: pd.DataFrame, p: pd.DataFrame) -> float:
    pairs = list(zip(t["y"].str.split(), p["y"].str.split(), strict=True))
    return sum(edit_distance(a, b) for a, b in pairs) / sum(len(a) for a, _ in pairs)


def _error_rate(items: Callable[[str], list[str]]) -> Callable[[pd.DataFrame, pd.DataFrame], float]:
    def rate(truth: pd.DataFrame, prediction: pd.DataFrame) -> float:
        pairs = [(items(a), items(b)) for a, b in zip(truth.iloc[:, 0], prediction.iloc[:, 0], strict=True)]
        return sum(edit_distance(a, b) for a, b in pairs) / sum(len(a) for a, _ in pairs)

    return rate


REFERENCES: dict[str, Callable[[pd.DataFrame, pd.DataFrame], float]] = {
    "mean_column_spearman": lambda t, p: float(np.mean([stats.spearmanr(t[c], p[c]).statistic for c in t])),
    "top1_error": lambda t, p: float(sk.zero_one_loss(t, p)),
    "probabilistic_f1": lambda t, p: float(
        stats.hmean([(t.y * p.y).sum() / p.y.sum(), (t.y * p.y).sum() / t.y.sum()])
    ),
    "kl_divergence": lambda t, p: float(rel_entr(t.div(t.sum(axis=1), axis=0), p).sum(axis=1).mean()),
    "weighted_multilabel_log_loss": _exam_loss,
    "lwlrap": lambda t, p: float(
        sk.label_ranking_average_precision_score(
            t[t.any(axis=1)], p[t.any(axis=1)], sample_weight=t[t.any(axis=1)].sum(axis=1).to_numpy()
        )
    ),
    "weighted_roc_auc_tpr_bands": _alaska,
    "jigsaw_bias_auc": _jigsaw,
    "group_mean_log_mae": lambda t, p: float(
        np.mean([math.log(sk.mean_absolute_error(t.y[t.type == k], p.y[t.type == k])) for k in "ABC"])
    ),
    "laplace_log_likelihood": _laplace,
    "mean_angular_error": _angle,
    "haversine_p50_p95_mean": _haversine,
    "mean_levenshtein": _pair_mean(edit_distance),
    "normalised_levenshtein": _gesture_error,
    "mean_levenshtein_words": _pair_mean(lambda a, b: edit_distance(a.split(), b.split())),
    "word_error_rate": _error_rate(str.split),
    "character_error_rate": _error_rate(list),
    "word_jaccard": _pair_mean(_jaccard),
    "micro_f1_multilabel": _tag_f1("micro"),
    "mean_f1_multilabel": _tag_f1("samples"),
    "map_at_5": _mean_precision(5),
    "map_at_12": _mean_precision(12),
    "kendall_tau_orderings": _kendall,
    "micro_f1_qa_spans": _span_f1,
    "mean_dice_rle": _dice,
    "global_dice_rle": _global_dice,
    "fbeta_half_pixels": _fbeta,
    "mean_precision_iou_thresholds": _salt_precision,
    "dice_plus_3d_hausdorff": _dice_hausdorff,
    "voc_map_iou_50": _voc(0.5),
    "voc_map_iou_40": _voc(0.4),
    "f1_point_in_box_detection": _point_f1,
    "map_3d_iou_50_95": _scene_map,
}
