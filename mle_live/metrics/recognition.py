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

_PATTERNS: tuple[tuple[str, str], ...] = (
    # Longer names stand before the names they contain: at one place in the text the first match wins.
    ("mean_column_roc_auc", rf"{_COLUMNWISE}{_GAP}(?:mean{_GAP})?(?:{_AUC})"),
    ("mean_column_roc_auc", rf"(?:mean|average){_GAP}of{_GAP}the{_GAP}individual{_GAP}aucs"),
    ("mean_column_rmsle", rf"{_COLUMNWISE}{_GAP}(?:rmsle|{_ROOT_MEAN}log\w*{_GAP}error)|\bmcrmsle\b"),
    ("mean_column_rmse", rf"{_COLUMNWISE}{_GAP}(?:rmse|{_ROOT_MEAN}error)|\bmcrmse\b"),
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
)  # fmt: skip
_COMPILED = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _PATTERNS)

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


class _Mention(NamedTuple):
    start: int
    end: int
    name: str


def recognise(text: str) -> Metric | None:
    """The metric that the text says is used, or None.

    Looks in the section headed "Evaluation" (or "Metric") first, then in the whole text; there, the first
    sentence that speaks of evaluating and names a metric decides, and in it the first name that is not
    denied ("not accuracy", "instead of RMSE").
    """
    section = _evaluation_section(text)
    for part, certain in ((section, True), (text, len(text.strip()) <= _SHORT)):
        sentences = [sentence for sentence in _SENTENCE_END.split(part) if sentence]
        evaluating = [sentence for sentence in sentences if _EVALUATING.search(sentence)]
        for sentence in evaluating + (sentences if certain else []):
            name = _first_metric(sentence)
            if name:
                return get_metric(_settle_log_loss(name, text))
    return None


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


def _settle_log_loss(name: str, text: str) -> str:
    """A bare "log loss" is the multi-class one when the text speaks of several classes."""
    several = re.search(
        r"multi[\s\-]?class|each (?:of the )?class|set of predicted probabilities", text, re.IGNORECASE
    )
    return "multiclass_log_loss" if name == "binary_log_loss" and several else name
