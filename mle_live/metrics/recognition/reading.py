"""From a description to one metric with its sentence, or to a doubt.

The whole text is read. Sentences that say what submissions are scored by decide; where none does, what is
named under a heading on scoring. Two metrics, a word that is not understood beside the name, or a later
sentence that changes the score make a question of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from mle_live.metrics.metric import Metric
from mle_live.metrics.recognition.beside import doubt_beside
from mle_live.metrics.recognition.changes import (
    doubt_in,
    doubt_in_direction,
    doubt_in_formula,
    doubt_near,
    explains,
)
from mle_live.metrics.recognition.names import Mention, mentions
from mle_live.metrics.recognition.sentences import Sentence, split
from mle_live.metrics.recognition.words import doubt_in_words
from mle_live.metrics.registry import get_metric

_SHORT = 160
"""A text no longer than this is taken for the name of a metric even without a word of evaluation."""
_MOST_CLAIMS = 60
_MOST_CHARACTERS = 200_000
_AROUND = 3
"""Sentences before and after a deciding one in which the score may be changed, where there is no heading."""


class MetricReading(NamedTuple):
    """What a text says of its metric: the metric with the sentence it was read from, or why not."""

    metric: Metric | None = None
    sentence: str | None = None
    """Also of a doubt: the sentence that was not understood."""
    doubt: str | None = None
    """Why `metric` is None; None where the text says nothing of one."""


class _Claim(NamedTuple):
    place: int
    """Of the sentence."""
    name: str
    mention: Mention
    declared: bool


_VERB = (
    r"\b(?:evaluat(?:e|ed|es|ion)|scor(?:e|ed|es|ing)|judge?(?:d|ment)?|rank(?:s|ed|ing)?|grad(?:e|ed|ing)"
    r"|measured?"
    r"|assess(?:ed|ment)?|determined|quantified|calculated|computed|compared|optimi[sz]e[ds]?"
    r"|minimi[sz]e[ds]?|maximi[sz]e[ds]?)\b"
)
_DECLARED_BEFORE = re.compile(
    rf"(?:{_VERB}[^;]*|\b(?:we|hosts?)\b[^;.]{{0,20}}\b(?:uses?|apply|take)\b[^;]*"
    r"|\b(?:metrics?|measure|criteri\w+|score|scoring|evaluation|leaderboard|loss"
    r"|objective)\b[^;]*?"
    r"(?:\b(?:is|are|be|was|being|uses?|used|will|by|on|as)\b|[:=–—-])[^;]*)$",
    re.IGNORECASE,
)
_DECLARED_AFTER = re.compile(
    r"^[^;.]*\b(?:is|are|will be|as|serves?)\b[^;.]{0,30}\b(?:metrics?\b|measure\b|criterion\b|score\b"
    r"|used (?:to|for) "
    r"(?:score|evaluat|rank|judg)\w*)|^[^;.]{0,25}\b(?:decides|determines|will (?:decide|determine))\b",
    re.IGNORECASE,
)
_TIED = re.compile(
    rf"{_VERB}\W+(?:\w+\W+){{0,3}}?(?:on|by|using|uses?|with|to|via|through|in terms"
    rf" of)\W+(?:(?!for\b)[\w’'-]+\W+){{0,5}}$"
    r"|\b(?:metric|measure|criterion|score)\b[^;.]{0,40}(?:\b(?:is|be|was)\b"
    r"|[:=–—-])\W+(?:[\w’'-]+\W+){0,5}$",
    re.IGNORECASE,
)
"""Outside of what speaks of scoring, the name must follow its verb closely."""
_SPEAKS = re.compile(
    rf"(?:{_VERB})\s+(?:on|by|using|with|according|based|via)\b|\bmetric\b.*(?:\b(?:is|be)\b|:)"
    r"|\b(?:is|be) the (?:\w+ )?metric\b|\bfor scoring\b|\bthe score (?:below|is)\b",
    re.IGNORECASE,
)
"""That a sentence speaks of what submissions are scored by."""
_SUBJECT = re.compile(
    r"\b(?:submissions?|entr(?:y|ies)|predictions?|solutions?|participants?|teams?|competitors?"
    r"|competition|challenge"
    r"|leaderboard|score[ds]?|metric|ranking|forecasts?|winners?|evaluation|you|your|we|files?)\b",
    re.IGNORECASE,
)
_HISTORY = re.compile(
    r"\blast year|\bprevious\w*|\bearlier\b|\bformer\w*|\bin the past\b|\bpast\b|\boriginal(?:ly)?\b"
    r"|\bused to be\b"
    r"|\b(?:19|20)\d\d\b|\byears ago\b|\bliterature\b|\bbaseline\b|\bbenchmark\b"
    r"|\bstate[\s\-]of[\s\-]the[\s\-]art\b"
    r"|\bcolleague|\bpaper\b|\bfor example\b|\bfor instance\b|\bour (?:own )?model\b|\bauthors\b|\bstarter\b"
    r"|\bcross[\s\-]validat|\bin practice\b|\bother competitions\b|\bsome people\b|\bresearch\w*\b",
    re.IGNORECASE,
)
_PAST = re.compile(
    r"\blast year|\bin the past\b|\bformerly\b|\bpreviously\b|\byears ago\b|\bused to be\b"
    r"|\b(?:previous|earlier|past|last) (?:edition|competition|version|year|challenge|round)s?\b",
    re.IGNORECASE,
)
"""Also where scoring is spoken of such a sentence says nothing of today."""
_ASIDE = re.compile(
    r"\bties?\b|\btie[\s\-]?break\w*|\bfor (?:comparison|information|reference|interest|orientation)\b"
    r"|\b(?:shown|displayed|reported|listed|published) (?:as well|too|only|also|additionally)\b|\b(?:also"
    r"|additionally) (?:shown|reported|displayed|show|report|display)\b"
    r"|\bsecondary\b|\bunofficial\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:\b(?:not(?! only)|n't|no longer|unlike|rather than|instead of|as opposed to|in contrast to"
    r"|different from|differs from"
    r"|replac(?:es|ing|ed)|neither|nor|never|without|previously|formerly)\b|n't)"
    r"(?:\s+(?:be|being|is|are|use|uses|used|using|evaluated|scored|judged|ranked|graded|measured|simply"
    r"|just|the|a|an|plain"
    r"|simple|usual|standard|ordinary|on|by|with|to|in terms of|of))*\s*$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"^\W*(?:(?:score|metric|it)\s+)?(?:will|is|was|are|were|does|do|has|have|would|can)\s*"
    r"(?:not|n't|no longer)\b|^\W*(?:is no longer|was (?:the|used|our)|were used|had been)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r";|,?\s+(?:but|while|whereas|although|though|however)\s+|\.\s", re.IGNORECASE)
_MEASURED_BY = re.compile(
    r"\b(?:measured|computed|calculated|quantified|using|by|via|in terms of|evaluated|scored|with|is)\b",
    re.IGNORECASE,
)

_COVERS: tuple[tuple[str, str], ...] = (
    (r"(?:macro|micro|weighted|mean|probabilistic)_?f1.*|fbeta.*|micro_f1_.*", r"f1|precision|recall"),
    (r"f1", r"precision|recall"),
    (r"mean_f1_multilabel|micro_f1_multilabel", r"macro_f1|accuracy"),
    (r"multiclass_log_loss", r"binary_log_loss"),
    (r"multiclass_brier", r"brier|mse"),
    (r"brier", r"mse"),
    (r"mean_column_roc_auc|partial_.*|weighted_roc.*|jigsaw.*|normalised_gini", r"roc_auc|gini|\?.*AUC.*"),
    (r"mean_column_rmse", r"rmse"),
    (r"mean_column_rmsle", r"rmsle|rmse|rmse_of_logs"),
    (r"rmsle|rmse_of_logs|rmspe", r"rmse|mse|msle"),
    (r"rmse", r"mse"),
    (r"mean_column_spearman", r"spearman_r"),
    (r"spearman_r", r"pearson_r"),
    (r"(?:quadratic|linear)_weighted_kappa", r"cohen_kappa|\?.*kappa.*"),
    (r"map_at_\d+", r"average_precision|precision|recall|\?(?:mean average|MAP|precision).*"),
    (r"lwlrap|mean_precision_.*|voc_.*|map_3d.*", r"average_precision|precision|recall|accuracy|\?.*"),
    (r"average_precision|pr_auc", r"precision|recall|pr_auc|\?(?:mean average).*"),
    (r"balanced_accuracy|macro_recall", r"accuracy|recall|macro_recall"),
    (r"top1_error|top_\d+_.*|hamming_loss", r"accuracy|top1_error"),
    (r"smape.*|wmape", r"mape|mae"),
    (r"mape", r"mae"),
    (r"weighted_mae", r"mae"),
    (r"weighted_rmsse", r"rmse|\?.*"),
    (r"mean_dice_rle|global_dice_rle|fbeta_half_pixels|dice_.*", r"f1|mean_dice_rle|precision|recall"
     r"|fbeta.*|\?.*(?:Dice|Jaccard|known metrics).*"),
    (r"word_jaccard|mean_levenshtein|normalised_levenshtein", r"accuracy|mean_levenshtein|\?.*Jaccard.*"),
    (r"matthews_corrcoef", r"accuracy|pearson_r"),
    (r"kendall_tau_orderings", r"\?.*Kendall.*"),
    (r"weighted_multilabel_log_loss", r"binary_log_loss|multiclass_log_loss"),
    (r"group_mean_log_mae", r"mae"),
    (r"accuracy", r"precision"),
)  # fmt: skip
"""A metric, and what its own description may call it in short, or explain it by."""
_REFINES: tuple[tuple[str, str], ...] = (
    (r"f1", r"(?:macro|micro|weighted|mean)_f1.*"),
    (r"binary_log_loss", r"multiclass_log_loss"),
    (r"roc_auc", r"mean_column_roc_auc|jigsaw_bias_auc"),
    (r"cohen_kappa", r"(?:quadratic|linear)_weighted_kappa"),
    (r"pr_auc", r"average_precision"),
    (r"\?mean average.*|\?MAP.*|average_precision", r"map_at_\d+"),
)
"""A short name, and what a later sentence may make of it."""


def recognise(text: str, *, plain: bool = False) -> MetricReading:
    """The metric that the text says is used, with its sentence, or why none is certain.

    With `plain`, a metric that wants its truth in a form of its own is not answered: a table with the target
    columns alone cannot be scored by it.
    """
    if len(text) > _MOST_CHARACTERS:
        return MetricReading(None, None, "the text is too long to be read with certainty")
    sentences, formulas = split(text)
    claims = _claims(sentences, text)
    if not claims:
        return _nothing_named(sentences)
    if len(claims) > _MOST_CLAIMS:
        return _doubt("metrics are named too often for one to be certain", sentences[claims[0].place].text)
    chosen = _settle(claims)
    first = chosen[0]
    sentence = sentences[first.place].text
    if len({claim.name for claim in chosen}) > 1:
        return _doubt(_two(chosen), sentence)
    if first.mention.question:
        return _doubt(f"“{first.mention.words}”: {first.mention.question}", sentence)
    metric = get_metric(first.name)
    if plain and metric.own_form:
        why = f"it reads like {metric.name}, which needs more of the truth than the target columns"
        return _doubt(why, sentence)
    doubtful = _changed(claims, first.name, sentences, text)
    if doubtful is not None:
        return doubtful
    for formula in formulas:
        if formula.scoring and (why := doubt_in_formula(formula.text, first.name)):
            return _doubt(f"{why}, which {first.name} does not", sentence)
    return MetricReading(metric, sentence)


def _doubt(why: str, sentence: str) -> MetricReading:
    return MetricReading(None, sentence, why)


def _two(claims: Sequence[_Claim]) -> str:
    words = list(dict.fromkeys(claim.mention.words for claim in claims))
    return f"two metrics are named for scoring, {words[0]} and {words[-1]}"


def _nothing_named(sentences: Sequence[Sentence]) -> MetricReading:
    """Where no metric is named: the sentence that speaks of scoring, if one does, is not understood."""
    for sentence in sentences:
        if sentence.scoring and not sentence.heading and _SPEAKS.search(sentence.text):
            return _doubt("no metric that is known is named", sentence.text)
    return MetricReading()


def _claims(sentences: Sequence[Sentence], text: str) -> list[_Claim]:
    """What is declared to be the metric, anywhere; without that, what is named where scoring is spoken of."""
    found: list[_Claim] = []
    for place, sentence in enumerate(sentences):
        said = _said(sentence.text, text)
        strong = bool(_SUBJECT.search(sentence.text))
        for mention in said:
            declared = _is_declared(mention, sentence.text) and not sentence.heading
            before = sentence.text[: mention.start]
            if not sentence.scoring:
                declared = (
                    declared and strong and bool(_TIED.search(before)) and not _HISTORY.search(sentence.text)
                )
            elif _PAST.search(sentence.text):
                continue
            weighs = sentence.scoring or declared
            if weighs:
                found.append(_Claim(place, mention.name, mention, declared))
    declared_ones = [claim for claim in found if claim.declared]
    if declared_ones:
        return declared_ones
    if found or len(text.strip()) > _SHORT:
        return found
    return [
        _Claim(place, mention.name, mention, True)
        for place, sentence in enumerate(sentences)
        if not _PAST.search(sentence.text)
        for mention in _said(sentence.text, text)
    ]


def _said(sentence: str, text: str) -> list[Mention]:
    """Mentions that are neither denied nor said aside; `accuracy` for quality in general is left out."""
    found = []
    clauses = [0, *(match.end() for match in _CLAUSE.finditer(sentence)), len(sentence) + 1]
    for mention in mentions(sentence, text):
        start = max(place for place in clauses if place <= mention.start)
        end = min(place for place in clauses if place > mention.start)
        before, after = sentence[start : mention.start], sentence[mention.end :]
        denied = _DENIED.search(before) or _DENIED_AFTER.search(after)
        if not denied and not _ASIDE.search(sentence[start:end]):
            found.append(mention)
    return _without_loose(found, sentence)


def _without_loose(found: list[Mention], sentence: str) -> list[Mention]:
    """ "the accuracy of the forecasts, measured by RMSE": the word stands for quality, not for the metric."""
    others = [one for one in found if one.name not in ("accuracy", "precision", "recall")]
    if not others:
        return found
    kept = []
    for one in found:
        loose = one.name in ("precision", "recall")
        if one.name == "accuracy":
            after = sentence[one.end :]
            later = [other for other in others if other.start > one.end]
            between = sentence[one.end : later[0].start] if later else ""
            loose = bool(
                re.match(r"\s+of\b", after) or re.search(r"\bmeasures?\s+(?:the\s+)?$", sentence[: one.start])
            )
            loose = loose or bool(later and _MEASURED_BY.search(between) and "," not in between[:1])
        if not loose:
            kept.append(one)
    return kept


def _is_declared(mention: Mention, sentence: str) -> bool:
    before, after = sentence[: mention.start], sentence[mention.end :]
    return bool(_DECLARED_BEFORE.search(before) or _DECLARED_AFTER.search(after))


def _settle(claims: Sequence[_Claim]) -> list[_Claim]:
    """The claims without those that only explain, shorten or open another one."""
    kept = list(claims)
    for claim in claims:
        for other in claims:
            if claim.name == other.name or claim not in kept:
                continue
            first = (other.place, other.mention.start) <= (claim.place, claim.mention.start)
            same = other.place == claim.place
            covered = _related(_COVERS, other.name, claim.name) and (first or same)
            refined = _related(_REFINES, claim.name, other.name)
            if covered or refined:
                kept.remove(claim)
    return kept or list(claims)


def _related(pairs: Sequence[tuple[str, str]], one: str, other: str) -> bool:
    return any(re.fullmatch(left, one) and re.fullmatch(right, other) for left, right in pairs)


def _without_asides(sentence: str) -> str:
    """The clauses that speak of the score itself: not of ties, nor of what is shown besides."""
    ends = [0, *(match.end() for match in _CLAUSE.finditer(sentence)), len(sentence)]
    clauses = (sentence[start:end] for start, end in pairwise(ends))
    return "".join(clause for clause in clauses if not _ASIDE.search(clause))


def _changed(
    claims: Sequence[_Claim], name: str, sentences: Sequence[Sentence], text: str
) -> MetricReading | None:
    """A doubt where words beside the name, in its sentence or around it make another metric of it."""
    for claim in claims:
        sentence = sentences[claim.place].text
        if claim.name != name:
            continue
        said = mentions(sentence, text)
        why = doubt_beside(claim.mention, sentence) or doubt_in(sentence, name, said)
        why = why or doubt_in_direction(sentence, get_metric(name))
        if not explains(sentence, name):
            why = why or doubt_in_words(_without_asides(sentence), text)
        if why:
            return _doubt(why, sentence)
    deciding = {claim.place for claim in claims}
    for place, one in enumerate(sentences):
        near = any(abs(place - other) <= _AROUND for other in deciding)
        if place in deciding or one.heading or not (one.scoring or near):
            continue
        if why := doubt_near(one.text, name) or doubt_in_direction(one.text, get_metric(name)):
            return _doubt(why, one.text)
    return None
