"""Truths and imperfect predictions for the metrics that belong to single competitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

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
