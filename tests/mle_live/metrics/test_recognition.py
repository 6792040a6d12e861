"""Descriptions in the many ways that people write them: the metric that is meant, or a question."""

from __future__ import annotations

import pytest

from mle_live.competitions.metric_choice import read_metric
from mle_live.metrics.recognition import recognise
from tests.mle_live.metrics.sentences import ASKED, DENIED, PLAIN, VARIANTS

MEANT = PLAIN | VARIANTS | DENIED


@pytest.mark.parametrize(("text", "name"), MEANT.items())
def test_what_is_meant_is_read_with_its_sentence(text: str, name: str) -> None:
    reading = recognise(text, plain=True)
    assert reading.metric is not None, reading.doubt
    assert (reading.metric.name, reading.doubt) == (name, None)
    assert reading.sentence and reading.sentence.rstrip(".") in text.replace("$", "")


@pytest.mark.parametrize("text", ASKED)
def test_a_near_miss_is_a_question_and_never_the_plain_metric(text: str) -> None:
    reading = recognise(text, plain=True)
    assert reading.metric is None
    assert reading.doubt and reading.sentence and reading.sentence in text


PLAIN_FORMS = (
    "Your predictions will be scored using {}.",
    "The evaluation metric for this challenge is the {}.",
    "Metric: {}",
    "# Prices\n\nPredict the price.\n\n## How submissions are scored\n\nWe compute the {} of your file.",
    "{} is used to evaluate submissions.",
    "Ranking is based on the {} achieved on the private test set.",
)
CHANGED_FORMS = (
    "Submissions are evaluated on the fuzzy {}.",
    "Scored by class-weighted {}.",
    "We average the {} over the regions.",
    "The score is 1 - {}.",
    "The final score is 100 * {}.",
    "Scored by log({}).",
    "The metric is the mean of {} and coverage.",
    "The score is the improvement in {} over the baseline.",
    "Submissions are evaluated on {} with sample weights.",
    "Submissions are evaluated on {}. Errors of urgent cases count three times.",
    "Submissions are evaluated on {}. The final score is the average over the five subpopulations.",
    "Submissions are evaluated on the {}, excluding the first week.",
    "The metric is the {} of daily totals.",
    "The metric is {} on the tail.",
    "The metric is {} for values above 100 only.",
    "The metric is similar to {}.",
    "The metric is based on {}, with some changes.",
    "The metric is a function of {} and size.",
    "The metric is {} (see below for our changes).",
    "Submissions are evaluated on {}. We then subtract the score of the sample submission.",
    "Submissions are evaluated on {}. The metric is computed for every city, and the mean is reported.",
    "Submissions are evaluated on {}. Finally, the logarithm is taken.",
    "Submissions are evaluated on {}. The second half of the score is coverage.",
)
NAMES = {
    "RMSE": "rmse", "mean absolute error (MAE)": "mae", "area under the ROC curve": "roc_auc",
    "accuracy": "accuracy", "F1 score": "f1", "log loss": "binary_log_loss", "MAP@3": "map_at_3",
    "quadratic weighted kappa": "quadratic_weighted_kappa", "RMSLE": "rmsle", "macro F1": "macro_f1",
}  # fmt: skip


@pytest.mark.parametrize("words", NAMES)
def test_every_name_is_read_in_every_plain_form_and_in_no_changed_one(words: str) -> None:
    for form in PLAIN_FORMS:
        reading = recognise(form.format(words), plain=True)
        assert reading.metric is not None and reading.metric.name == NAMES[words], (form, reading.doubt)
    for form in CHANGED_FORMS:
        assert recognise(form.format(words), plain=True).metric is None, form


BIKES = """# Bikes
Last year's winners were ranked by accuracy and loved AUC.

## Evaluation
Some people prefer MAE. Submissions are evaluated by RMSLE; RMSE is shown for comparison only.

## Data
`rmse.csv` holds accuracy figures.
{}
"""


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ("", "rmsle"),
        ("Submissions are scored by RMSLE on the leaderboard too.", "rmsle"),
        ("Submissions are ranked by MAE on the private leaderboard.", None),
        ("```python\ndef score(t, p):\n    return np.average(t - p, weights=w)\n```", "rmsle"),
        ("## Scoring\nThe score is averaged over cities.", None),
        ("## Scoring\n```python\ndef score(t, p, weights):\n    return rmsle(t, p) @ weights\n```", None),
    ],
)
def test_the_whole_text_settles_contradicts_or_raises_a_doubt(more: str, name: str | None) -> None:
    metric = recognise(BIKES.format(more)).metric
    assert (metric.name if metric else None) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("# Cats\nGuess the kind of each picture.\n## Data\nTeams are ranked by accuracy.\n", "accuracy"),
        ("# A\n## Evaluation\nSee the rules.\n## Rules\nSubmissions are scored with the MAE.\n", "mae"),
        ("# A\n## Evaluation\nWe use the log loss.\n## Data\nThe target has four classes: one "
         "probability for each class.\n", "multiclass_log_loss"),
        ("# A\n### Metric\n$$\\sqrt{\\frac{1}{n}\\sum (\\log p_i - \\log a_i)^2}$$\nRMSE decides.\n", None),
        ("# A\n### Metric\n$$\\sum w_i |p_i - a_i|$$\nThe metric is MAE.\n", None),
        ("# A\n### Metric\n#### Root Mean Squared Error\nSubmissions are scored on it.\n", "rmse"),
    ],
)  # fmt: skip
def test_sections_formulas_and_headings_are_read(text: str, name: str | None) -> None:
    metric = recognise(text, plain=True).metric
    assert (metric.name if metric else None) == name


def test_says_nothing_when_no_evaluation_is_spoken_of() -> None:
    story = "Our hospital data come from many places. " * 8
    assert recognise(story + "A colleague once mentioned accuracy in passing. " + story).metric is None
    assert recognise("") == (None, None, None)
    assert recognise("Our jury looks at submissions.") == (None, None, None)


@pytest.mark.parametrize(
    "text",
    [
        "Submissions are evaluated on " + "very " * 20_000 + "RMSE.",
        "## Evaluation\n" + "the RMSE of x, " * 2_000,
        "## Evaluation\n" + "[(" * 20_000,
        "Submissions are scored by RMSE. " * 10_000,
    ],
    ids=["a sentence without end", "names without end", "brackets", "a text without end"],
)
def test_hostile_texts_are_read_in_bounded_pieces(text: str) -> None:
    assert recognise(text, plain=True).metric is None


def test_a_metric_that_wants_its_own_form_of_truth_is_not_plain() -> None:
    boxes = "Scored by PASCAL VOC 2010 mean Average Precision (mAP) at IoU > 0.5."
    assert recognise(boxes).metric is not None
    reading = recognise(boxes, plain=True)
    assert reading.metric is None and reading.doubt is not None and "voc_map_iou_50" in reading.doubt


@pytest.mark.parametrize(
    ("texts", "targets", "classes", "name"),
    [
        (["Log Loss"], 1, False, "binary_log_loss"),
        (["Log Loss"], 3, True, "multiclass_log_loss"),
        (["multi-class log loss"], 1, False, "binary_log_loss"),
        (["AUC"], 1, False, "roc_auc"),
        (["AUC"], 3, False, None),
        (["micro F1"], 3, False, "f1"),
        (["Root Mean Squared Error", "Submissions are evaluated on the RMSE."], 1, False, "rmse"),
        (["Mean Absolute Error", "Submissions are evaluated on the RMSE."], 1, False, None),
        (["AUC", "Submissions are evaluated on a weighted AUC."], 1, False, None),
        (["Custom metric", "Submissions are evaluated on the RMSE."], 1, False, "rmse"),
        (["", "No word on it."], 1, False, None),
    ],
)
def test_short_names_pages_and_columns_must_agree(
    texts: list[str], targets: int, classes: bool, name: str | None
) -> None:
    choice = read_metric(*texts, targets=[f"t{n}" for n in range(targets)], classes=classes)
    assert choice.name == name
    assert (choice.source, choice.doubt is None) == (("description", True) if name else ("none", False))
