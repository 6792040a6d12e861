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
        ("Scored by the mean column-wise Spearman's correlation coefficient.", "mean_column_spearman"),
        ("Scored by a weighted AUC that favours low false positive rates.", "weighted_roc_auc_tpr_bands"),
        ("The metric joins the overall AUC with three bias AUCs.", "jigsaw_bias_auc"),
        ("Evaluated by Mean Average Precision @ 5 (MAP@5).", "map_at_5"),
        ("Evaluated by MAP@12 over all customers.", "map_at_12"),
        ("Scored by mean average precision of 3D bounding volumes.", "map_3d_iou_50_95"),
        ("Scored by PASCAL VOC 2010 mean Average Precision (mAP) at IoU > 0.4.", "voc_map_iou_40"),
        ("Scored by PASCAL VOC 2010 mean Average Precision (mAP) at IoU > 0.5.", "voc_map_iou_50"),
        ("Scored by the mean average precision at several IoU thresholds.", "mean_precision_iou_thresholds"),
        ("The metric is lwlrap.", "lwlrap"),
        ("Evaluated by the Dice coefficient and the 3D Hausdorff distance.", "dice_plus_3d_hausdorff"),
        ("Scored by a Dice coefficient in its F0.5 form.", "fbeta_half_pixels"),
        ("Evaluated by the **global** Dice coefficient of all pixels.", "global_dice_rle"),
        ("Evaluated by the mean Dice coefficient.", "mean_dice_rle"),
        ("Evaluated by the probabilistic F1 score (pF1).", "probabilistic_f1"),
        ("Scored by a modified version of the F1 score of points.", "f1_point_in_box_detection"),
        ("Scored by micro F1 over long and short answers.", "micro_f1_qa_spans"),
        ("Evaluated by the micro averaged F1 score.", "micro_f1_multilabel"),
        ("The evaluation metric is Mean F1-Score.", "mean_f1_multilabel"),
        ("Scored by the normalised Levenshtein distance.", "normalised_levenshtein"),
        ("Evaluated by the mean Levenshtein distance.", "mean_levenshtein"),
        ("The metric is the word-level Jaccard score.", "word_jaccard"),
        ("Evaluated by the Kendall tau correlation of the orders.", "kendall_tau_orderings"),
        ("Evaluated by the Kullback-Leibler divergence.", "kl_divergence"),
        ("Scored by a modified Laplace Log Likelihood.", "laplace_log_likelihood"),
        ("Evaluated by the mean angular error.", "mean_angular_error"),
        ("Scored by the mean of the 50th and 95th percentile distance errors.", "haversine_p50_p95_mean"),
        ("Evaluated by the log of the mean absolute error of each type.", "group_mean_log_mae"),
        ("Scored by a weighted multi-label logarithmic loss.", "weighted_multilabel_log_loss"),
        ("The metric is the top-1 classification error.", "top1_error"),
        ("Submissions are evaluated on accuracy. It is a multi-class problem of nine species.", "accuracy"),
        ("Scored by macro F1. Predict a probability for each class.", "macro_f1"),
        ("Evaluated on RMSE. Years ago it was the average of the individual AUCs.", "rmse"),
        ("Scored on the log loss. Predict a set of predicted probabilities.", "multiclass_log_loss"),
        ("Evaluated on the mean absolute error of short answers.", "mae"),
    ],
)  # fmt: skip
def test_recognises_the_usual_sentences(text: str, name: str) -> None:
    metric = recognise(text).metric
    assert metric is not None
    assert metric.name == name


def test_the_evaluation_section_outweighs_mentions_elsewhere() -> None:
    text = """# Bikes
Last year's winners were ranked by accuracy and loved AUC.

## Evaluation
Some people prefer MAE. Submissions are evaluated by RMSLE; RMSE is shown for comparison only.

## Data
`rmse.csv` holds accuracy figures.
"""
    metric = recognise(text).metric
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
def test_denied_and_loose_mentions_do_not_count(text: str, name: str) -> None:
    metric = recognise(text).metric
    assert metric is not None
    assert metric.name == name


def test_says_nothing_when_no_evaluation_is_spoken_of() -> None:
    story = "Our hospital data come from many places. " * 8
    assert recognise(story + "A colleague once mentioned accuracy in passing. " + story).metric is None
    assert recognise("").metric is None
    assert recognise("Submissions are evaluated by our jury.").metric is None


def test_a_metric_that_wants_its_own_form_of_truth_is_not_plain() -> None:
    boxes = "Scored by PASCAL VOC 2010 mean Average Precision (mAP) at IoU > 0.5."
    assert recognise(boxes).metric is not None and recognise(boxes, plain=True).metric is None
    metric = recognise("Evaluated by MAP@5.", plain=True).metric
    assert metric is not None and metric.name == "map_at_5"
