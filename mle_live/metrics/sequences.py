"""Metrics of texts and lists: edit distance, word overlap, rankings, tag sets, spans and orders of cells.

A reader turns each row into a few numbers (a distance, counts of hits), the formula averages them: a
bootstrap never parses again. Formulas take arrays (rows, columns) that their reader made.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Hashable, Sequence

import numpy as np

from mle_live.metrics import texts
from mle_live.metrics.metric import Array, Columns, Frame, TableReader


def edit_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """Levenshtein's distance: fewest insertions, deletions and replacements of items.

    One column of the table of distances at a time, in the bits of one integer (Myers 1999, in Hyyrö's form of
    2003); the common beginning and end are cut off first.
    """
    start, end_first, end_second = 0, len(first), len(second)
    while start < min(end_first, end_second) and first[start] == second[start]:
        start += 1
    while min(end_first, end_second) > start and first[end_first - 1] == second[end_second - 1]:
        end_first, end_second = end_first - 1, end_second - 1
    pattern, text = first[start:end_first], second[start:end_second]
    if not pattern or not text:
        return len(pattern) + len(text)
    places: dict[Hashable, int] = {}
    for position, item in enumerate(pattern):
        places[item] = places.get(item, 0) | (1 << position)
    every, last = (1 << len(pattern)) - 1, 1 << (len(pattern) - 1)
    rises, falls, distance = every, 0, len(pattern)
    for item in text:
        equal = places.get(item, 0)
        diagonal = (((equal & rises) + rises) ^ rises) | equal | falls
        across_rise, across_fall = falls | (every & ~(diagonal | rises)), rises & diagonal
        distance += bool(across_rise & last) - bool(across_fall & last)
        across_rise, across_fall = (across_rise << 1) | 1, across_fall << 1
        rises, falls = (across_fall | ~(diagonal | across_rise)) & every, across_rise & diagonal
    return distance


def read_distances(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Characters of the true text; edit distance to the predicted one."""
    return _distances(*texts.parse_both(truth, prediction, columns, str))


def read_word_distances(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Items between blanks (words, phonemes) of the true text; edit distance, in items, to the predicted."""
    return _distances(*texts.parse_both(truth, prediction, columns, texts.words))


def read_gesture_distances(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Items of the true list of whole numbers; edit distance, in items, to the predicted list."""
    return _distances(*texts.parse_both(truth, prediction, columns, texts.whole_numbers))


def _distances(
    expected: Sequence[Sequence[Hashable]], predicted: Sequence[Sequence[Hashable]]
) -> tuple[Array, Array]:
    found = [edit_distance(a, b) for a, b in zip(expected, predicted, strict=True)]
    return _column([len(row) for row in expected]), _column(found)


def mean_levenshtein(lengths: Array, distances: Array) -> float:
    """Mean edit distance in characters (Kaggle's "Levenshtein Mean": bms-molecular-translation)."""
    return float(distances.mean())


def mean_levenshtein_words(lengths: Array, distances: Array) -> float:
    """Mean edit distance in items between blanks: words, phonemes, tokens."""
    return float(distances.mean())


def word_error_rate(lengths: Array, distances: Array) -> float:
    """All edits in words (or phonemes) over all true words; may exceed 1 (NIST's WER, jiwer.wer)."""
    return normalised_levenshtein(lengths, distances)


def character_error_rate(lengths: Array, distances: Array) -> float:
    """All edits in characters over all true characters; may exceed 1 (jiwer.cer)."""
    return normalised_levenshtein(lengths, distances)


def normalised_levenshtein(lengths: Array, distances: Array) -> float:
    """All edit distances over all true items; may exceed 1 (rule of multi-modal-gesture-recognition)."""
    return float(distances.sum() / lengths.sum()) if lengths.sum() else float("nan")


def read_word_overlap(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Sizes of union and intersection of the lower-case words of each row."""
    expected, predicted = texts.parse_both(truth, prediction, columns, lambda text: set(text.lower().split()))
    common = [len(a & b) for a, b in zip(expected, predicted, strict=True)]
    return _column([len(a | b) for a, b in zip(expected, predicted, strict=True)]), _column(common)


def word_jaccard(unions: Array, intersections: Array) -> float:
    """Mean share of common words; two empty texts agree (rule of tweet-sentiment-extraction and chaii)."""
    return float(np.where(unions > 0, intersections / np.maximum(unions, 1), 1.0).mean())


def read_tag_counts(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """True tags of each row; predicted tags and hits. A tag that no row of the truth has is still a miss."""
    expected, predicted = texts.parse_both(truth, prediction, columns, lambda text: set(text.split()))
    hits = [len(a & b) for a, b in zip(expected, predicted, strict=True)]
    return _column([len(row) for row in expected]), np.column_stack(
        [np.array([len(row) for row in predicted], dtype=float), np.array(hits, dtype=float)]
    )


def micro_f1_multilabel(true_counts: Array, predicted_counts_and_hits: Array) -> float:
    """F1 of all (row, tag) pairs pooled (sklearn.metrics.f1_score with average="micro" on a label matrix)."""
    predicted, hits = predicted_counts_and_hits.sum(axis=0)
    total = true_counts.sum() + predicted
    return float(2 * hits / total) if total else 0.0


def mean_f1_multilabel(true_counts: Array, predicted_counts_and_hits: Array) -> float:
    """Mean of the rows' F1, Kaggle's "Mean F1-Score" (f1_score with average="samples", zero_division=1)."""
    total = true_counts[:, 0] + predicted_counts_and_hits[:, 0]
    hits = predicted_counts_and_hits[:, 1]
    return float(np.where(total > 0, 2 * hits / np.maximum(total, 1), 1.0).mean())


def ranked_hits(places: int) -> TableReader:
    """A reader of ranked lists: true items of each row; average precision of its first `places` guesses."""

    def read(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
        expected, predicted = texts.parse_both(truth, prediction, columns, texts.words)
        kept = [list(dict.fromkeys(row)) for row in expected]
        values = [_average_precision(set(a), b, places) for a, b in zip(kept, predicted, strict=True)]
        return _column([len(row) for row in kept]), _column(values)

    return read


def _average_precision(actual: set[str], guesses: Sequence[str], places: int) -> float:
    """Precision at each first hit, over min(items, places); a repeated guess hits once."""
    left, hits, total = set(actual), 0, 0.0
    for place, guess in enumerate(guesses[:places], start=1):
        if guess in left:
            left.remove(guess)
            hits += 1
            total += hits / place
    return total / min(len(actual), places) if actual else 0.0


def mean_over_rows(items: Array, values: Array) -> float:
    """Mean of a number for each row."""
    return float(values.mean())


def first_hits(places: int) -> TableReader:
    """A reader of ranked lists with one true item a row: 1 where it is among the first `places` guesses."""

    def read(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
        expected, predicted = texts.parse_both(truth, prediction, columns, str.strip, texts.words)
        hits = [float(a in b[:places]) for a, b in zip(expected, predicted, strict=True)]
        return _column([1.0] * len(hits)), _column(hits)

    return read


def ranked_gains(places: int) -> TableReader:
    """A reader of ranked lists: true items of each row; normalised discounted gain of the first guesses."""

    def read(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
        expected, predicted = texts.parse_both(truth, prediction, columns, texts.words)
        gains = [_gain(set(a), b, places) for a, b in zip(expected, predicted, strict=True)]
        return _column([len(row) for row in expected]), _column(gains)

    return read


def _gain(actual: set[str], guesses: Sequence[str], places: int) -> float:
    """Σ 1 / log2(place + 1) of the hits, over that of the best order; a repeated guess hits once."""
    left, total = set(actual), 0.0
    for place, guess in enumerate(guesses[:places], start=1):
        if guess in left:
            left.remove(guess)
            total += 1 / math.log2(place + 1)
    best = sum(1 / math.log2(place + 1) for place in range(1, min(len(actual), places) + 1))
    return total / best if best else 0.0


def map_at_5(items: Array, precisions: Array) -> float:
    """Mean average precision of the first five guesses (ml_metrics' mapk; whale and hotel competitions)."""
    return float(precisions.mean())


def map_at_12(items: Array, precisions: Array) -> float:
    """Mean average precision of the first twelve guesses over the customers who bought (H&M's rule)."""
    bought = items[:, 0] > 0
    return float(precisions[bought].mean()) if bought.any() else float("nan")


def read_inversions(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """n (n - 1) of each true order; inversions of the predicted one, which must hold the same items."""
    expected, predicted = texts.parse_both(truth, prediction, columns, texts.words)
    odd = [sorted(a) != sorted(b) for a, b in zip(expected, predicted, strict=True)]
    texts.refuse_rows(odd, "predictions must order exactly the row's items, each once", columns[0])
    found = [_inversions(a, b) for a, b in zip(expected, predicted, strict=True)]
    return _column([len(row) * (len(row) - 1) for row in expected]), _column(found)


def _inversions(expected: Sequence[str], predicted: Sequence[str]) -> int:
    places = {item: place for place, item in enumerate(expected)}
    before: list[int] = []
    inversions = 0
    for item in predicted:
        inversions += len(before) - bisect_right(before, places[item])
        insort(before, places[item])
    return inversions


def kendall_tau_orderings(pairs: Array, inversions: Array) -> float:
    """1 - 4 Σ inversions / Σ n(n-1): Kendall's tau pooled over lists (AI4Code's rule)."""
    return float(1 - 4 * inversions.sum() / pairs.sum()) if pairs.sum() else float("nan")


def read_spans(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """1 where the truth has an answer; (1 where one is predicted, 1 where it is one of the true ones).

    The truth lists the accepted answers of a row with blanks between; an answer is `start:end`, YES or NO.
    """
    expected, predicted = texts.parse_both(truth, prediction, columns, _answers, _answer)
    answered = np.array([bool(row) for row in predicted], dtype=float)
    right = np.array([row in known for known, row in zip(expected, predicted, strict=True)], dtype=float)
    return _column([bool(row) for row in expected]), np.column_stack([answered, right * answered])


def _answers(text: str) -> set[str]:
    return {_answer(item) for item in text.split()}


def _answer(text: str) -> str:
    answer = text.strip()
    if answer in ("", "YES", "NO"):
        return answer
    start, _, end = answer.partition(":")
    try:
        return f"{int(start)}:{int(end)}"
    except ValueError:
        raise ValueError("predictions must be `start:end`, YES, NO or empty") from None


def micro_f1_qa_spans(has_answer: Array, answered_and_right: Array) -> float:
    """F1 of answers: TP right, FP wrong or uncalled for, FN left blank (tensorflow2-question-answering).

    A wrong answer where a true one exists is one FP and no FN, as that competition's page defines them.
    """
    answered, right = answered_and_right[:, 0], answered_and_right[:, 1]
    hits = right.sum()
    missed = ((answered == 0) & (has_answer[:, 0] == 1)).sum()
    total = 2 * hits + (answered.sum() - hits) + missed
    return float(2 * hits / total) if total else 0.0


def _column(values: Sequence[float]) -> Array:
    return np.array(values, dtype=float)[:, None]
