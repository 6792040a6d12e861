"""Finds the metric that a competition's description is scored by. It reads words, not data."""

from __future__ import annotations

import re
from typing import NamedTuple

from mle_live.metrics.metric import Metric
from mle_live.metrics.registry import get_metric

_GAP = r"[\s\-–_]+"
_ROOT_MEAN = rf"root{_GAP}mean{_GAP}squared?{_GAP}"
_AUC = (
    r"au[\s\-]?roc|roc[\s\-_]*auc|auc[\s\-_]*roc|(?<!pr )(?<!pr-)\bauc\b"
    rf"|area{_GAP}under{_GAP}(?:the{_GAP})?(?:roc|receiver|curve)|roc{_GAP}curve"
)
_COLUMNWISE = rf"(?:mean|average|averaged)?{_GAP}?(?:column|target|label){_GAP}?wise"
_F1 = r"f[\s\-]?1"
_LOG_LOSS = rf"log[\s\-]?loss|logarithmic{_GAP}loss|cross{_GAP}entropy"
_MEAN_AP = rf"mean{_GAP}average{_GAP}precision"
_MAP_AT = rf"(?:\bmap|{_MEAN_AP})[\s(]*(?:@|at)[\s\-]*"
_VOC = rf"(?:pascal{_GAP})?voc\b[^.\n]{{0,40}}(?:{_MEAN_AP}|\bmap\b)[^\n]{{0,120}}?iou"

_PATTERNS: tuple[tuple[str, str], ...] = (
    # Longer names stand before the names they contain: at one place in the text the first match wins.
    ("mean_column_spearman", rf"{_COLUMNWISE}{_GAP}\[?spearman"),
    ("weighted_roc_auc_tpr_bands", rf"weighted{_GAP}(?:{_AUC})"),
    ("jigsaw_bias_auc", rf"(?:unintended{_GAP}bias|bias{_GAP}aucs?\b)"),
    ("map_at_5", rf"{_MAP_AT}5\b"),
    ("map_at_12", rf"{_MAP_AT}12\b"),
    ("map_3d_iou_50_95", rf"3d{_GAP}(?:map\b|{_MEAN_AP})|{_MEAN_AP}[^.\n]{{0,90}}(?:3d|bounding{_GAP}vol)"),
    ("voc_map_iou_40", rf"{_VOC}\D{{0,12}}0?\.4\b"),
    ("voc_map_iou_50", rf"{_VOC}\D{{0,12}}0?\.5\b|{_VOC}"),
    ("mean_precision_iou_thresholds", rf"{_MEAN_AP}[^.\n]{{0,40}}(?:iou|intersection{_GAP}over)"),
    ("lwlrap", rf"\blwlrap\b|label[\s\-]ranking{_GAP}average{_GAP}precision"),
    ("dice_plus_3d_hausdorff", r"dice[^.\n]{0,40}hausdorff"),
    ("fbeta_half_pixels", r"\bf[\s\-_]?\{?0?\.5\b"),
    ("global_dice_rle", rf"global\W{{0,3}}{_GAP}\[?dice"),
    ("mean_dice_rle", rf"dice{_GAP}(?:coefficient|score)|\bdice\b"),
    ("probabilistic_f1", rf"probabilistic{_GAP}{_F1}|\bpf1\b"),
    ("f1_point_in_box_detection", rf"modified{_GAP}version{_GAP}of{_GAP}(?:the{_GAP})?\[?{_F1}"),
    ("micro_f1_multilabel", rf"micro{_GAP}?(?:averaged?{_GAP})?\[?{_F1}|{_F1}[^.\n]{{0,20}}\bmicro\b"),
    ("mean_f1_multilabel", rf"mean{_GAP}{_F1}"),
    ("normalised_levenshtein", rf"normali[sz]ed{_GAP}(?:levenshtein|edit{_GAP}distance)"),
    ("mean_levenshtein", rf"levenshtein|edit{_GAP}distance"),
    ("word_jaccard", rf"word[\s\-]level{_GAP}jaccard|jaccard"),
    ("kendall_tau_orderings", r"kendall(?:'s)?"),
    ("kl_divergence", rf"kullback[\s\-–]+l(?:ie|ei)bler|\bkl{_GAP}divergence"),
    ("laplace_log_likelihood", rf"laplace{_GAP}log{_GAP}likelihood"),
    ("mean_angular_error", rf"mean{_GAP}angular{_GAP}error|angular{_GAP}distance"),
    ("haversine_p50_p95_mean", rf"50th{_GAP}and{_GAP}95th{_GAP}percentile|haversine"),
    ("group_mean_log_mae", rf"log{_GAP}of{_GAP}the{_GAP}mean{_GAP}absolute{_GAP}error"),
    ("weighted_multilabel_log_loss", rf"weighted{_GAP}multi[\s\-]?label{_GAP}(?:{_LOG_LOSS})"),
    ("top1_error", rf"top[\s\-]?(?:1|one){_GAP}(?:classification{_GAP})?error"),
    ("mean_column_roc_auc", rf"{_COLUMNWISE}{_GAP}(?:mean{_GAP})?(?:{_AUC})"),
    ("mean_column_roc_auc", rf"(?:mean|average){_GAP}of{_GAP}the{_GAP}individual{_GAP}aucs"),
    ("mean_column_rmsle", rf"{_COLUMNWISE}{_GAP}\[?(?:rmsle|{_ROOT_MEAN}log\w*{_GAP}error)|\bmcrmsle\b"),
    ("mean_column_rmse", rf"{_COLUMNWISE}{_GAP}\[?(?:rmse|{_ROOT_MEAN}error)|\bmcrmse\b"),
    ("average_precision", rf"average{_GAP}precision(?!{_GAP}at)|pr[\s\-]?auc|auprc"),
    ("average_precision", rf"area{_GAP}under{_GAP}(?:the{_GAP})?precision"),
    ("quadratic_weighted_kappa", rf"quadratic(?:ally)?{_GAP}weighted{_GAP}(?:cohen'?s?{_GAP})?kappa|\bqwk\b"),
    ("quadratic_weighted_kappa", rf"kappa{_GAP}with{_GAP}quadratic"),
    ("rmsle", rf"\brmsle\b|{_ROOT_MEAN}log\w*{_GAP}error"),
    ("rmsle", rf"(?:\brmse\b|{_ROOT_MEAN}error)[^.\n]{{0,40}}(?:between|of){_GAP}(?:the{_GAP})?log"),
    ("rmse", rf"\brmsed?\b|{_ROOT_MEAN}(?:error|deviation)"),
    ("mape", rf"\bmape\b|mean{_GAP}absolute{_GAP}percent\w*{_GAP}error"),
    ("mae", rf"\bmae\b|mean{_GAP}absolute{_GAP}(?:error|deviation)"),
    ("mse", rf"\bmse\b|mean{_GAP}squared?{_GAP}error"),
    ("multiclass_log_loss", rf"multi[\s\-]?class{_GAP}(?:{_LOG_LOSS})|categorical{_GAP}cross{_GAP}entropy"),
    ("binary_log_loss", _LOG_LOSS),
    ("roc_auc", _AUC),
    ("balanced_accuracy", rf"balanced{_GAP}accuracy"),
    ("accuracy", r"\baccuracy\b"),
    ("macro_f1", rf"macro{_GAP}?(?:averaged?{_GAP})?{_F1}|{_F1}[^.\n]{{0,20}}\bmacro\b"),
    ("weighted_f1", rf"weighted{_GAP}?(?:averaged?{_GAP})?{_F1}|{_F1}[^.\n]{{0,20}}\bweighted\b"),
    ("f1", rf"\b{_F1}\b|\bf[\s\-]?score\b"),
    ("matthews_corrcoef", rf"matthews{_GAP}corr\w*|\bmcc\b"),
    ("spearman_r", r"spearman(?:'s)?"),
    ("pearson_r", r"pearson(?:'s)?"),
    ("r2", rf"\br(?:2|²|\^2)\b|\br²|\br{_GAP}squared\b|coefficient{_GAP}of{_GAP}determination"),
)
_COMPILED = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _PATTERNS)

_SETTLED = tuple(
    (short, meant, re.compile(words, re.IGNORECASE))
    for short, meant, words in (
        (
            "binary_log_loss",
            "multiclass_log_loss",
            r"multi[\s\-]?class|each (?:of the |target )?class|set of predicted probabilities",
        ),
        ("roc_auc", "jigsaw_bias_auc", rf"bias{_GAP}aucs"),
        ("roc_auc", "mean_column_roc_auc", rf"(?:mean|average){_GAP}of{_GAP}the{_GAP}individual{_GAP}aucs"),
        ("mean_precision_iou_thresholds", "map_3d_iou_50_95", rf"3d{_GAP}bounding|bounding{_GAP}volumes"),
        ("micro_f1_multilabel", "micro_f1_qa_spans", rf"token{_GAP}ind|short{_GAP}answers?"),
        ("mean_levenshtein", "normalised_levenshtein", rf"sum{_GAP}of{_GAP}the{_GAP}levenshtein"),
        ("mean_dice_rle", "fbeta_half_pixels", r"\bf0\.5\b"),
    )
)

_EVALUATING = re.compile(r"\b(?:evaluat|scor(?:ed|ing)|metric|judged|ranked|graded|measured)", re.IGNORECASE)
_DENIED = re.compile(
    r"(?:\bnot|\bunlike|\brather than|\binstead of|\bno longer|\bas opposed to)"
    r"(?:\s+(?:on|by|using|with|the|plain|simple))*\s*$",
    re.IGNORECASE,
)
_MEASURED_BY = re.compile(
    r"\b(?:measured|computed|calculated|quantified|using|by|via|in terms of)\b", re.IGNORECASE
)
_HEADING = re.compile(r"^(#{1,6})\s+(.*)$", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|\n\s*\n|\n(?=\s*[-*#])")
_SHORT = 160
"""A text no longer than this is taken for the name of a metric even without a word of evaluation."""


class MetricReading(NamedTuple):
    """What a text says of its metric: the metric with the sentence it was read from, or why not."""

    metric: Metric | None = None
    sentence: str | None = None
    doubt: str | None = None
    """Why `metric` is None; None where the text says nothing of one."""


class _Mention(NamedTuple):
    start: int
    end: int
    name: str


def recognise(text: str, *, plain: bool = False) -> MetricReading:
    """The metric that the text says is used, with its sentence, or why none is certain.

    Looks in the section headed "Evaluation" (or "Metric") first, then in the whole text; there, the first
    sentence that speaks of evaluating and names a metric decides, and in it the first name that is not
    denied ("not accuracy", "instead of RMSE"). With `plain`, a metric that wants its truth in a form of its
    own is not answered: a table with the target columns alone cannot be scored by it.
    """
    section = _evaluation_section(text)
    for part, certain in ((section, True), (text, len(text.strip()) <= _SHORT)):
        sentences = [sentence for sentence in _SENTENCE_END.split(part) if sentence]
        evaluating = [sentence for sentence in sentences if _EVALUATING.search(sentence)]
        for sentence in evaluating + (sentences if certain else []):
            name = _first_metric(sentence)
            if name:
                metric = get_metric(_settle(name, text))
                if plain and metric.own_form:
                    doubt = f"{metric.name} needs more than the target columns"
                    return MetricReading(None, sentence, doubt)
                return MetricReading(metric, sentence)
    return MetricReading()


def _evaluation_section(text: str) -> str:
    """Text under a heading about evaluation, up to the next heading of its level; empty without one."""
    headings = list(_HEADING.finditer(text))
    for index, heading in enumerate(headings):
        if not re.search(r"evaluat|metric|scoring", heading.group(2), re.IGNORECASE):
            continue
        deeper = len(heading.group(1))
        following = (later for later in headings[index + 1 :] if len(later.group(1)) <= deeper)
        end = next((later.start() for later in following), len(text))
        return heading.group(2) + "\n\n" + text[heading.end() : end]
    return ""


def _first_metric(sentence: str) -> str | None:
    mentions = [mention for mention in _mentions(sentence) if not _DENIED.search(sentence[: mention.start])]
    if not mentions:
        return None
    first = mentions[0]
    if first.name == "accuracy" and len(mentions) > 1:
        # "the accuracy of the forecasts, measured by RMSE": the word stands for quality, not for the metric.
        between = sentence[first.end : mentions[1].start]
        if _MEASURED_BY.search(between):
            return mentions[1].name
    return first.name


def _mentions(sentence: str) -> list[_Mention]:
    """All names in order of place; where names overlap, the one listed first in the table."""
    found: list[_Mention] = []
    for name, pattern in _COMPILED:
        for match in pattern.finditer(sentence):
            if all(match.end() <= other.start or match.start() >= other.end for other in found):
                found.append(_Mention(match.start(), match.end(), name))
    return sorted(found)


def _settle(name: str, text: str) -> str:
    """The metric that a short name stands for when the rest of the text says more."""
    for short, meant, words in _SETTLED:
        if name == short and words.search(text):
            return meant
    return name
