"""Descriptions in the many ways that people write them, and the metric that is meant."""

import pytest

from mle_live.metrics import recognise


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Submissions are evaluated on area under the ROC curve of your probabilities.", "roc_auc"),
        ("Submissions are scored by the Area Under the Receiver Operating Characteristic Curve.", "roc_auc"),
        ("The metric is AUC.", "roc_auc"),
        ("Submissions are evaluated on the mean column-wise ROC AUC.", "mean_column_roc_auc"),
        ("The score is the average of the individual AUCs of each column.", "mean_column_roc_auc"),
        ("Submissions are evaluated using the Root Mean Squared Logarithmic Error (RMSLE).", "rmsle"),
        ("Evaluated on Root-Mean-Squared-Error (RMSE) between the logarithm of both prices.", "rmsle"),
        ("Submissions are scored on the root mean squared error.", "rmse"),
        ("Evaluated on MCRMSE, mean columnwise root mean squared error.", "mean_column_rmse"),
        ("Scored with the quadratic weighted kappa, which measures agreement.", "quadratic_weighted_kappa"),
        ("Submissions are evaluated on the Pearson correlation coefficient.", "pearson_r"),
        ("We evaluate with Spearman's rank correlation.", "spearman_r"),
        ("Scored by the multi-class logarithmic loss. Each row has one true class.", "multiclass_log_loss"),
        ("Submissions are scored on the log loss.", "binary_log_loss"),
        ("The evaluation metric is macro F1-score.", "macro_f1"),
        ("The evaluation metric is F1 score (macro).", "macro_f1"),
        ("Submissions are evaluated on the Matthews correlation coefficient (MCC).", "matthews_corrcoef"),
        ("Submissions are evaluated on classification accuracy.", "accuracy"),
        ("Scored by mean absolute error", "mae"),
        ("RMSLE", "rmsle"),
        ("Evaluated on R² (coefficient of determination).", "r2"),
        ("Submissions are evaluated by area under the precision-recall curve.", "average_precision"),
    ],
)  # fmt: skip
def test_recognises_the_usual_sentences(text, name):
    metric = recognise(text)
    assert metric is not None
    assert metric.name == name


def test_the_evaluation_section_outweighs_mentions_elsewhere():
    text = """# Bikes
Last year's winners were ranked by accuracy and loved AUC.

## Evaluation
Some people prefer MAE. Submissions are evaluated by RMSLE; RMSE is shown for comparison only.

## Data
`rmse.csv` holds accuracy figures.
"""
    metric = recognise(text)
    assert metric is not None
    assert metric.name == "rmsle"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Submissions are evaluated on MAE, not RMSE.", "mae"),
        ("Unlike RMSE, submissions here are evaluated on the mean absolute error.", "mae"),
        ("Submissions are evaluated on macro F1 rather than accuracy.", "macro_f1"),
        ("Submissions are evaluated on accuracy; macro F1 breaks ties.", "accuracy"),
        ("We evaluate the accuracy of your forecasts, measured by RMSE.", "rmse"),
        ("You are judged not by accuracy but by log loss.", "binary_log_loss"),
    ],
)
def test_denied_and_loose_mentions_do_not_count(text, name):
    metric = recognise(text)
    assert metric is not None
    assert metric.name == name


def test_says_nothing_when_no_evaluation_is_spoken_of():
    story = "Our hospital data come from many places. " * 8
    assert recognise(story + "A colleague once mentioned accuracy in passing. " + story) is None
    assert recognise("") is None
    assert recognise("Submissions are evaluated by our jury.") is None
