"""Truths, imperfect predictions and slow references for the metrics that belong to single competitions.

The references are literal loops, or calls into scikit-learn and scipy; none shares code with the package.
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

ROWS = 60
Frames = tuple[pd.DataFrame, pd.DataFrame, list[str]]
IDENTITIES = [
    "male", "female", "homosexual_gay_or_lesbian", "christian", "jewish", "muslim", "black", "white",
    "psychiatric_or_mental_illness",
]  # fmt: skip


def example(name: str) -> Frames:
    """A truth and an imperfect prediction that suit the metric."""
    return EXAMPLES[name](np.random.default_rng(11))


def one(truth: list[Any], prediction: list[Any], **aside: Any) -> Frames:
    index = [f"row{i:03}" for i in range(len(truth))]
    return (
        pd.DataFrame({"y": truth, **aside}, index=index),
        pd.DataFrame({"y": prediction}, index=index),
        ["y"],
    )


def _signal(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    signal = rng.normal(size=ROWS)
    return (signal + rng.normal(size=ROWS) > 0.4).astype(int), 1 / (1 + np.exp(-np.round(signal, 1)))


def _columns(rng: np.random.Generator) -> Frames:
    truth = pd.DataFrame(rng.normal(size=(ROWS, 3)), columns=list("pqr")).round(1)
    return truth, truth + rng.normal(size=truth.shape), list("pqr")


def _classes(rng: np.random.Generator) -> Frames:
    truth = rng.integers(0, 4, ROWS)
    return one(truth.tolist(), np.where(rng.random(ROWS) < 0.6, truth, 0).tolist())


def _chances(rng: np.random.Generator) -> Frames:
    truth, prediction = _signal(rng)
    return one(truth.tolist(), prediction.tolist())


def _votes(rng: np.random.Generator) -> Frames:
    votes = rng.integers(0, 5, (ROWS, 3)) * np.array([1, 1, 2]) + np.array([0, 1, 0])
    mixed = 0.7 * votes / votes.sum(axis=1, keepdims=True) + 0.3 * rng.dirichlet([1, 1, 1], ROWS)
    return pd.DataFrame(votes, columns=list("pqr")), pd.DataFrame(mixed, columns=list("pqr")), list("pqr")


def _exams(rng: np.random.Generator) -> Frames:
    truth, prediction = _signal(rng)
    frames = one(truth.tolist(), prediction.tolist())
    levels = ["patient_overall", "C1", "C2", "C3"]
    ids = [f"1.2.{i // 4}_{levels[i % 4]}" for i in range(ROWS)]
    return frames[0].set_axis(ids), frames[1].set_axis(ids), ["y"]


def _labels(rng: np.random.Generator) -> Frames:
    truth = (rng.random((ROWS, 5)) < 0.4).astype(int)
    truth[0] = 0
    scores = np.round(truth + rng.normal(size=truth.shape), 1)
    return (
        pd.DataFrame(truth, columns=list("abcde")),
        pd.DataFrame(scores, columns=list("abcde")),
        list("abcde"),
    )


def _toxic(rng: np.random.Generator) -> Frames:
    rows = 400
    toxicity = rng.random(rows)
    identities = {name: np.where(rng.random(rows) < 0.3, rng.random(rows), 0) for name in IDENTITIES}
    scores = np.clip(toxicity + rng.normal(size=rows) * 0.3, 0, 1)
    return one(toxicity.tolist(), scores.tolist(), **identities)


def _types(rng: np.random.Generator) -> Frames:
    truth = rng.normal(size=ROWS)
    return one(truth.tolist(), (truth + rng.normal(size=ROWS)).tolist(), type=list("ABC") * (ROWS // 3))


def _lungs(rng: np.random.Generator) -> Frames:
    truth = pd.DataFrame({"FVC": rng.normal(2500, 500, ROWS), "Confidence": 70.0})
    near = pd.DataFrame(
        {"FVC": truth.FVC + rng.normal(0, 800, ROWS), "Confidence": rng.uniform(0, 400, ROWS)}
    )
    return truth, near, ["FVC", "Confidence"]


def _directions(rng: np.random.Generator) -> Frames:
    truth = pd.DataFrame(
        {"azimuth": rng.uniform(0, 2 * math.pi, ROWS), "zenith": rng.uniform(0, math.pi, ROWS)}
    )
    return truth, truth + rng.normal(size=truth.shape) * 0.3, ["azimuth", "zenith"]


def _trips(rng: np.random.Generator) -> Frames:
    names = ["LatitudeDegrees", "LongitudeDegrees"]
    truth = pd.DataFrame(rng.uniform([37, -122], [38, -121], (ROWS, 2)), columns=names)
    near = truth + rng.normal(size=truth.shape) * 1e-4
    return truth.assign(tripId=np.repeat(["x", "y"], [25, 35])), near, names


def _sentences(rng: np.random.Generator) -> Frames:
    vocabulary = np.array(["the", "cat", "sat", "On", "on", "mat", "été", ""])
    truth = [" ".join(rng.choice(vocabulary, 6)).strip() or "the" for _ in range(ROWS)]
    prediction = [" ".join(text.split()[1:]) + rng.choice(["", " dog", "s"]) for text in truth]
    return one(truth, prediction)


def _gestures(rng: np.random.Generator) -> Frames:
    truth = [rng.integers(1, 21, rng.integers(1, 12)).tolist() for _ in range(ROWS)]
    prediction = [[*row[::2], 7] for row in truth]
    return one([" ".join(map(str, row)) for row in truth], [" ".join(map(str, row)) for row in prediction])


def _tags(rng: np.random.Generator) -> Frames:
    names = np.array([f"t{i}" for i in range(6)])
    truth = [" ".join(rng.choice(names, rng.integers(1, 4), replace=False)) for _ in range(ROWS)]
    prediction = [
        " ".join({*rng.choice(names, rng.integers(0, 3)), *text.split()[:1], "zz"}) for text in truth
    ]
    prediction[3] = ""
    return one(truth, prediction)


def _rankings(rng: np.random.Generator) -> Frames:
    truth = [
        " ".join(f"{i:04}" for i in rng.choice(30, rng.integers(1, 8), replace=False)) for _ in range(ROWS)
    ]
    prediction = [" ".join(f"{i:04}" for i in rng.integers(0, 30, 14)) for _ in range(ROWS)]
    return one(truth, prediction)


def _orders(rng: np.random.Generator) -> Frames:
    truth, prediction = [], []
    for _ in range(ROWS):
        cells = np.array([f"{i:08x}" for i in rng.choice(999, rng.integers(1, 12), replace=False)])
        truth.append(" ".join(cells))
        prediction.append(
            " ".join(cells[np.argsort(np.arange(len(cells)) + rng.normal(size=len(cells)) * 2)])
        )
    return one(truth, prediction)


def _spans(rng: np.random.Generator) -> Frames:
    truths = ["", "6:18", "6:18 20:22", "YES", "NO"]
    truth = [truths[i % 5] for i in range(ROWS)]
    guesses = ["", "6:18", "20:22", "YES", "NO", "1:2"]
    prediction = [
        text.split()[0] if text and rng.random() < 0.5 else str(rng.choice(guesses)) for text in truth
    ]
    return one(truth, prediction)


def encode(mask: np.ndarray) -> str:
    """Run-length code of a mask, counted down the columns; pixel by pixel."""
    runs: list[list[int]] = []
    for place, pixel in enumerate(mask.T.ravel()):
        if not pixel:
            continue
        if runs and runs[-1][0] + runs[-1][1] == place + 1:
            runs[-1][1] += 1
        else:
            runs.append([place + 1, 1])
    return " ".join(f"{start} {length}" for start, length in runs)


def decode(text: str, height: int, width: int) -> np.ndarray:
    flat = np.zeros(height * width, dtype=bool)
    numbers = [int(item) for item in text.split()] if text != "-" else []
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        flat[start - 1 : start - 1 + length] = True
    return flat.reshape(width, height).T


def _pictures(rng: np.random.Generator, height: int, width: int, rows: int) -> tuple[list[str], list[str]]:
    truth, prediction = [], []
    for row in range(rows):
        mask = np.zeros((height, width), dtype=bool)
        if row % 4:
            y, x = rng.integers(0, height // 2), rng.integers(0, width // 2)
            mask[y : y + height // 3, x : x + width // 3] = True
        guess = np.roll(mask, rng.integers(0, 3), axis=1) ^ (rng.random(mask.shape) < 0.02)
        truth.append(encode(mask))
        prediction.append("" if row % 8 == 0 else encode(guess))
    return truth, prediction


def _masks(rng: np.random.Generator) -> Frames:
    return one(*_pictures(rng, 20, 14, ROWS), height=[20] * ROWS, width=[14] * ROWS)


def _salt(rng: np.random.Generator) -> Frames:
    return one(*_pictures(rng, 101, 101, 12))


def _volumes(rng: np.random.Generator) -> Frames:
    truth, prediction = _pictures(rng, 12, 9, 24)
    frames = one(truth, prediction, image_height=[12] * 24, image_width=[9] * 24)
    ids = [f"case{i // 12}_day1_slice_{i % 12 // 2:04}+{'ab'[i % 2]}" for i in range(24)]
    return frames[0].set_axis(ids), frames[1].set_axis(ids), ["y"]


def _box(rng: np.random.Generator) -> np.ndarray:
    low = rng.uniform(0, 60, 2)
    return np.concatenate([low, low + rng.uniform(10, 40, 2)])


def _detections(rng: np.random.Generator) -> Frames:
    truth, prediction = [], []
    for _ in range(ROWS // 2):
        boxes = [(rng.choice(["a", "b"]), _box(rng)) for _ in range(rng.integers(0, 4))]
        near = [(label, corners + rng.normal(size=4) * 4) for label, corners in boxes for _ in range(2)]
        near += [(rng.choice(["a", "b", "c"]), _box(rng))]
        truth.append(" ".join(f"{a} 1 {' '.join(map(str, b))}" for a, b in boxes))
        prediction.append(
            " ".join(
                f"{a} {rng.random():.6f} {' '.join(map(str, b))}" for a, b in near if (b[2:] > b[:2]).all()
            )
        )
    return one(truth, prediction)


def _characters(rng: np.random.Generator) -> Frames:
    truth, prediction = [], []
    for _ in range(ROWS // 2):
        boxes = [(rng.choice(["U+1", "U+2"]), rng.integers(0, 20, 2), 8) for _ in range(rng.integers(0, 5))]
        truth.append(" ".join(f"{a} {x} {y} {s} {s}" for a, (x, y), s in boxes))
        points = [(a, x + rng.uniform(-2, 9), y + rng.uniform(0, 8)) for a, (x, y), _ in boxes]
        prediction.append(" ".join(f"{a} {x} {y}" for a, x, y in points + points[:1]))
    return one(truth, prediction)


def _scenes(rng: np.random.Generator) -> Frames:
    truth, prediction = [], []
    for _ in range(12):
        boxes = [
            (
                rng.choice(["car", "bus"]),
                np.array([*rng.uniform(0, 30, 3), *rng.uniform(2, 5, 3), rng.uniform(-3, 3)]),
            )
            for _ in range(rng.integers(0, 4))
        ]
        near = [(a, b + rng.normal(size=7) * 0.15) for a, b in boxes for _ in range(2)]
        truth.append(" ".join(f"1 {' '.join(map(str, b))} {a}" for a, b in boxes))
        prediction.append(" ".join(f"{rng.random():.6f} {' '.join(map(str, b))} {a}" for a, b in near))
    return one(truth, prediction)


EXAMPLES: dict[str, Callable[[np.random.Generator], Frames]] = {
    "mean_column_spearman": _columns,
    "top1_error": _classes,
    "probabilistic_f1": _chances,
    "kl_divergence": _votes,
    "weighted_multilabel_log_loss": _exams,
    "lwlrap": _labels,
    "weighted_roc_auc_tpr_bands": _chances,
    "jigsaw_bias_auc": _toxic,
    "group_mean_log_mae": _types,
    "laplace_log_likelihood": _lungs,
    "mean_angular_error": _directions,
    "haversine_p50_p95_mean": _trips,
    "mean_levenshtein": _sentences,
    "normalised_levenshtein": _gestures,
    "mean_levenshtein_words": _sentences,
    "word_error_rate": _sentences,
    "character_error_rate": _sentences,
    "word_jaccard": _sentences,
    "micro_f1_multilabel": _tags,
    "mean_f1_multilabel": _tags,
    "map_at_5": _rankings,
    "map_at_12": _rankings,
    "kendall_tau_orderings": _orders,
    "micro_f1_qa_spans": _spans,
    "mean_dice_rle": _masks,
    "global_dice_rle": _masks,
    "fbeta_half_pixels": _masks,
    "mean_precision_iou_thresholds": _salt,
    "dice_plus_3d_hausdorff": _volumes,
    "voc_map_iou_50": _detections,
    "voc_map_iou_40": _detections,
    "f1_point_in_box_detection": _characters,
    "map_3d_iou_50_95": _scenes,
}


# --- references ---------------------------------------------------------------------------------------------


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
