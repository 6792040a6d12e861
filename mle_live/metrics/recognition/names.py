"""Ways of writing metrics: what stands in a sentence, and the name in docs/metrics.md that it means.

What is known by name but cannot be told for certain (mean average precision of what?) means no metric; a
`Mention` then carries the question in place of a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_GAP = r"[\s\-–_]+"
_MAYBE = r"[\s\-–_]*"
_ROOT_MEAN = rf"root{_GAP}(?:of{_GAP}the{_GAP})?mean{_GAP}squared?{_GAP}"
_ROC = (
    r"(?:au[\s\-]?roc|roc[\s\-_]*auc|auc[\s\-_]*(?:of[\s\-_]the[\s\-_])?roc|\bauc\b"
    rf"|area{_GAP}(?:under|below){_GAP}(?:the{_GAP})?"
    rf"(?:(?:roc|receiver{_GAP}operating?{_GAP}(?:characteristics?)?)(?:{_MAYBE}\((?:roc|auc)\))?"
    rf"(?:{_MAYBE}curve)?|curve(?:{_GAP}of{_GAP}the{_GAP}roc)?)|roc{_GAP}curve"
    rf"|receiver{_GAP}operating{_GAP}characteristics?)"
)
_PR = (
    rf"(?:pr[\s\-_]*auc|auc[\s\-_]*pr\b|au[\s\-]?prc?\b|precision{_GAP}recall{_GAP}auc"
    rf"|area{_GAP}under{_GAP}(?:the{_GAP})?(?:precision{_MAYBE}[/\-–]?{_MAYBE}recall|pr)(?:{_GAP}curve)?)"
)
_COLUMNS = rf"(?:(?:mean|averaged?){_GAP})?(?:column|target|label){_MAYBE}wise(?:{_GAP}(?:mean|averaged?))?"
_F = rf"f(?:{_MAYBE}1)?{_GAP}?(?:score|measure)|\bf{_MAYBE}1\b"
_F1 = rf"f{_MAYBE}1"
_LOG_LOSS = rf"(?:log(?:arithmic)?{_MAYBE}loss|(?:cross|x){_MAYBE}entropy(?:{_GAP}loss)?)"
_MEAN_AP = rf"mean{_GAP}average{_GAP}precision"
_MAE = rf"(?:\bmae\b|(?:mean|average){_GAP}absolute{_GAP}(?:error|difference|deviation))"
_PERCENT = rf"percent(?:age)?{_GAP}error"
_AT = r"[\s(]*(?:@|\bat\b)[\s\-{(]*(?:k\s*=\s*|top[\s\-]?)?"
_IOU = r"(?:\biou\b|intersection[\s\-]over[\s\-]union)"

Meaning = Callable[["re.Match[str]", str, str], str]
"""From the match, its sentence and the whole text to a metric's name, or to a question that begins with"
 " `?`."""


class Mention(NamedTuple):
    """A metric's name in a sentence."""

    start: int
    end: int
    name: str
    """In docs/metrics.md; a question where that cannot be told."""
    words: str

    @property
    def question(self) -> str:
        """Why the words mean no metric for certain; empty where they do."""
        return self.name[1:] if self.name.startswith("?") else ""


def mentions(sentence: str, text: str) -> list[Mention]:
    """All names in order of place; where names overlap, the one listed first in the table."""
    found: list[Mention] = []
    for pattern, meaning in _COMPILED:
        for match in pattern.finditer(sentence):
            start, end = match.span()
            if all(end <= other.start or start >= other.end for other in found):
                name = meaning if isinstance(meaning, str) else meaning(match, sentence, text)
                found.append(Mention(start, end, name, match[0]))
    return sorted(found)


def _says(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def _if(pattern: str, name: str, otherwise: str) -> Meaning:
    """The name where the text holds the pattern, else another name or a question."""
    return lambda match, sentence, text: name if _says(pattern, text) else otherwise


_CLASSES = (
    r"multi[\s\-]?class|multinomial|(?:each|all|every|other)(?: one)? (?:of the |possible |target )*"
    r"(?:\w+ )?class(?:es)?\b|set of predicted probabilities|number of (?:\w+ )?class|probabilit\w+ (?:for"
    r"|of) "
    r"(?:each|every|all)|one (?:column|probability) (?:for|per) (?:each|every|class)"
)
_IN_WORDS = (
    r"(?:word|token|phoneme|phone)s?[\s\-]level|phonemes?\b"
    r"|\b(?:in|of|over|between) (?:the )?(?:words|tokens)\b"
)
"""What an edit distance counts where it does not count characters."""
_COUNTS = {"one": 1, "two": 2, "three": 3, "five": 5, "ten": 10}


def _of_classes(one: str, many: str) -> Meaning:
    return lambda match, sentence, text: many if _says(_CLASSES, text) else one


def _at(form: str, unknown: str) -> Meaning:
    """A name with the number of the match; a question for a letter in its place."""
    return lambda match, sentence, text: form.format(cut) if (cut := _cut(match["k"], text)) else unknown


def _cut(given: str | None, text: str) -> str:
    """The number that a cut-off is; for the letter k what the text sets it to, if it does so once."""
    if given and given.isdigit():
        return given
    set_to = set(re.findall(r"\bk\s*(?:=|is|equals)\s*(\d+)", text, re.IGNORECASE))
    return set_to.pop() if len(set_to) == 1 else ""


def _top(match: re.Match[str], sentence: str, text: str) -> str:
    number = _COUNTS.get(match["k"].lower(), match["k"])
    error = match["what"].lower().startswith("err")
    if str(number) == "1":
        return "top1_error" if error else "accuracy"
    if not str(number).isdigit():
        return "?top-k is named without its k"
    return f"top_{number}_{'error' if error else 'accuracy'}"


def _beta(match: re.Match[str], sentence: str, text: str) -> str:
    found = match["beta"] or next(
        iter(re.findall(r"(?:beta|β)\W{0,3}(?:=|is|of|equal to|set to)\s*(\d+(?:\.\d+)?)", text, re.I)), None
    )
    if found is None:
        return "?F-beta is named without its β"
    number = f"{float(found):g}"
    if match["kind"]:
        return f"?{match['kind'].strip()} F{number} is averaged in a way that is not known here"
    if number == "0.5" and _says(r"run[\s\-]?length", text):
        return "fbeta_half_pixels"
    return "f1" if number == "1" else f"fbeta_{number}"


def _mean_f1(match: re.Match[str], sentence: str, text: str) -> str:
    """Kaggle's "Mean F1-Score" is over rows; over anything else, or as an "average F1", it is another."""
    after = sentence[match.end() :]
    rows = (
        r"(?:over|across|of|for)\s+(?:(?:all|the|test|each|every)\s+)*"
        r"(?:row|sample|image|instance|id|observation|document|quer|user)"
    )
    if re.search(rf"^\W*{rows}", after, re.IGNORECASE):
        return "mean_f1_multilabel"
    if match["kind"].lower() == "average" or re.search(r"\b(?:over|across|per)\b", after, re.IGNORECASE):
        return "?what the F1 is averaged over is not told for certain"
    return "mean_f1_multilabel"


def _pinball(match: re.Match[str], sentence: str, text: str) -> str:
    sentence = sentence[: match.start()] + " " + sentence[match.end() :]
    named = re.findall(r"(?<![\d.])(0?\.\d+)\b|\b(\d{1,2})(?:th|st|nd|rd|\s*%)", sentence)
    levels = {float(fraction) if fraction else int(percent) / 100 for fraction, percent in named}
    if len(levels) != 1:
        return "?the quantile loss is not of one quantile" if levels else "?the quantile is not named"
    return f"pinball_{levels.pop():g}"


def _partial(match: re.Match[str], sentence: str, text: str) -> str:
    number = r"(?P<n>0?\.\d+|\d{1,2}\s*%)"
    above = re.search(
        rf"(?:above|over|at least)\D{{0,30}}{number}\W*(?:tpr|true positive|sensitiv)", text, re.I
    )
    above = above or re.search(
        rf"(?:tpr|true positive rates?|sensitivit\w+)\D{{0,20}}(?:above|over|of at least|>=?|≥)\s*{number}",
        text,
        re.I,
    )
    below = re.search(
        rf"(?:fpr|false[\s\-]positive rates?)\D{{0,25}}{number}|max_fpr\s*=\s*(?P<m>0?\.\d+)", text, re.I
    )
    if bool(above) == bool(below):
        return "?the part of the ROC curve that counts is not told for certain"
    found = above or below
    assert found is not None
    value = next(group for group in found.groups() if group)
    level = float(value.rstrip("% ")) / 100 if "%" in value else float(value)
    return f"partial_roc_auc_above_{level:g}" if above else f"partial_roc_auc_{level:g}"


def _gains(match: re.Match[str], sentence: str, text: str) -> str:
    cut = _cut(match["k"], text)
    if not cut:
        return "?NDCG is named without its cut-off"
    if _says(r"\bquer(?:y|ies)\b|\bsearch|relevance|grade", text) or not _says(_LISTED, text):
        return "?whether each row is a ranked list, or each query has graded rows, is not told for certain"
    return f"ndcg_at_{cut}"


_PARTS = r"\bspans?\b|character ind|\bbounding\b|\bpixels?\b|\bentit(?:y|ies)\b|intersection over"
_LISTED = (
    r"up to \w+ (?:\w+ )?(?:guess|predict|label|countr|item|product|answer)"
    r"|space[\s\-](?:delimited|separated)"
)


def _log_distance(match: re.Match[str], sentence: str, text: str) -> str:
    return (
        "rmsle"
        if _says(r"log\w*\s*\(?\s*(?:1\s*\+|\w+\s*\+\s*1|of one plus)|log1p|plus one", text)
        else "rmse_of_logs"
    )


def _symmetric(match: re.Match[str], sentence: str, text: str) -> str:
    unit = r"(?:\b0|zero)\s*%?\s*(?:to|and|–|-|…)\s*(?:100\s*%|1\b|one\b|100\b)"
    return "smape_unit" if _says(unit, text) else "smape"


_NAMES: tuple[tuple[str, str | Meaning], ...] = (
    # --- columns, groups and weights that are part of a name
    (rf"{_COLUMNS}{_GAP}spearman(?:'s|s)?(?:{_GAP}rank)?", "mean_column_spearman"),
    (rf"{_COLUMNS}{_GAP}{_ROC}|\bmcauc\b", "mean_column_roc_auc"),
    (rf"(?:mean|average){_GAP}of{_GAP}the{_GAP}individual{_GAP}aucs", "mean_column_roc_auc"),
    (rf"{_ROC}[^.;]{{0,60}}\b(?:for|of){_GAP}each[^.;]{{0,25}}\b(?:label|column"
     rf"|target)s?\b[^.;]{{0,40}}averaged?", "mean_column_roc_auc"),
    (rf"(?:mean|average){_GAP}of{_GAP}the{_GAP}rmsles?{_GAP}(?:over|across){_GAP}(?:all{_GAP}"
     rf"|the{_GAP})*columns", "mean_column_rmsle"),
    (rf"(?:mean|average){_GAP}of{_GAP}the{_GAP}rmses?{_GAP}(?:over|across){_GAP}(?:all{_GAP}"
     rf"|the{_GAP})*columns", "mean_column_rmse"),
    (rf"{_COLUMNS}{_GAP}(?:rmsle|{_ROOT_MEAN}log\w*{_GAP}error)|\bmcrmsle\b", "mean_column_rmsle"),
    (rf"{_COLUMNS}{_GAP}(?:rmse|{_ROOT_MEAN}error)|\bmcrmse\b", "mean_column_rmse"),
    (rf"{_COLUMNS}{_GAP}{_LOG_LOSS}", "binary_log_loss"),
    (rf"{_COLUMNS}{_GAP}{_MAE}|\bmcmae\b", "mae"),
    (rf"weighted{_GAP}{_ROC}",
     _if(r"tpr_thresholds|rates? (?:of|between) 0 and 0?\.4", "weighted_roc_auc_tpr_bands",
                                   "?the weights of the AUC are not known here")),
    (rf"unintended{_GAP}bias|bias{_GAP}aucs?\b", "jigsaw_bias_auc"),
    (rf"weighted{_GAP}multi[\s\-]?label{_GAP}{_LOG_LOSS}", "weighted_multilabel_log_loss"),
    (rf"log{_GAP}of{_GAP}the{_GAP}{_MAE}", "group_mean_log_mae"),
    (rf"50th{_GAP}and{_GAP}95th{_GAP}percentile", "haversine_p50_p95_mean"),
    (rf"(?:modified{_GAP}(?:version{_GAP}of{_GAP})?(?:the{_GAP})?)?laplace{_GAP}log{_GAP}likelihood",
     _if(r"confidence", "laplace_log_likelihood", "?the Laplace log likelihood of what is not told")),
    (rf"modified{_GAP}version{_GAP}of{_GAP}the{_GAP}{_F1}{_GAP}?(?:score)?",
     _if(r"bounding box", "f1_point_in_box_detection", "?a modified F1 is not known here")),
 
       (rf"modified{_GAP}version{_GAP}of{_GAP}the{_GAP}s\w+{_MAYBE}dice{_GAP}coefficient[^.]*f0\.5{_GAP}?(?:score)?",
     _if(r"run[\s\-]?length", "fbeta_half_pixels", "?a modified Dice coefficient is not known here")),
    # --- ranked lists and detections
    (rf"(?:\bmap|{_MEAN_AP}(?:\s*\(map\))?){_AT}(?P<k>\d+|k\b)", _at("map_at_{}", "?MAP is named without"
     " its cut-off")),
    (rf"(?:average{_GAP})?(?P<what>precision|recall|hit{_MAYBE}rate|mrr){_AT}(?P<k>\d+|k\b)",
     "?precision, recall or hits at k are not known here"),
    (rf"voc\b[^.\n]{{0,40}}(?:{_MEAN_AP}|\bmap\b)[^\n]{{0,120}}?{_IOU}\D{{0,12}}0?\.4\b", "voc_map_iou_40"),
    (rf"voc\b[^.\n]{{0,40}}(?:{_MEAN_AP}|\bmap\b)[^\n]{{0,120}}?{_IOU}\D{{0,12}}0?\.5\b", "voc_map_iou_50"),
    (rf"3d{_GAP}(?:map\b|{_MEAN_AP})|{_MEAN_AP}[^.\n]{{0,90}}(?:3d|bounding{_GAP}vol)", "map_3d_iou_50_95"),
    (rf"{_MEAN_AP}(?:\s*\(map\))?[^.\n]{{0,40}}{_IOU}(?:{_GAP}\(iou\))?(?:{_GAP}thresholds?)?",
     lambda m, s, text: "map_3d_iou_50_95" if _says(r"3d bounding|bounding volumes", text)
     else "mean_precision_iou_thresholds" if _says(r"run[\s\-]?length", text) and _says(r"0?\.95", text)
     else "?mean average precision over IoU thresholds is known for run-length masks only"),
    (rf"\blwlrap\b|(?:label{_GAP}weighted{_GAP})?label{_GAP}ranking{_GAP}average{_GAP}precision",
     _if(r"lwlrap|label[\s\-]weighted", "lwlrap", "?label ranking average precision is known with label"
      " weights only")),
    (rf"{_MEAN_AP}|\bmap\b", "?mean average precision is named without its cut-off, or for detections"),
    (rf"(?:normali[sz]ed{_GAP})?discounted{_GAP}cumulative{_GAP}gain(?:\s*\(?ndcg)?(?:{_AT}(?P<k>\d+|k\b))?",
     _gains),
    (rf"\bndcg(?:{_AT}(?P<k>\d+|k\b))?", _gains),
    (rf"top{_MAYBE}(?P<k>\d+|one|two|three|five|ten|k|n){_GAP}(?:(?:classification|categori[sz]ation){_GAP})?"
     rf"(?P<what>errors?(?:{_GAP}rate)?|accuracy)", _top),
    # --- masks
    (r"dice[^.\n]{0,40}hausdorff(?:\s+distance)?", "dice_plus_3d_hausdorff"),
    (rf"global\W{{0,3}}{_GAP}dice(?:{_GAP}(?:coefficient|score))?",
     _if(r"run[\s\-]?length", "global_dice_rle", "?the Dice coefficient is known for run-length masks only")),
 
       (rf"(?:mean{_GAP}(?:of{_GAP}the{_GAP})?)?(?:s\w+{_MAYBE})?\bdice\b(?:{_GAP}(?:similarity{_GAP})?(?:coefficients?|scores?))?",
     _if(r"run[\s\-]?length|\brle\b", "mean_dice_rle", "?the Dice coefficient is known for run-length"
      " masks only")),
    # --- F and its kin
    (rf"probabilistic{_GAP}{_F1}(?:{_GAP}score)?|\bpf1\b", "probabilistic_f1"),
    (rf"micro{_MAYBE}(?:averaged?{_GAP})?(?:{_F})|(?:{_F})\s*\(?[\s,]*(?:micro)\b\)?(?:{_MAYBE}averaged?)?",
     lambda m, s, text: "micro_f1_qa_spans" if _says(r"token[\s\-]ind|short[\s\-]answers?", text)
     else "?the F1 of what is not told for certain" if _says(_PARTS, text) else "micro_f1_multilabel"),
    (rf"(?:macro{_MAYBE}(?:averaged?{_GAP})?|macro{_GAP})(?:{_F})"
     rf"|(?:{_F})\s*\(?[\s,]*macro\b\)?(?:{_MAYBE}averaged?)?",
     "macro_f1"),
    (rf"(?:weighted{_MAYBE}(?:averaged?{_GAP})?)(?:{_F})|(?:{_F})\s*\([\s,]*weighted\b\s*\)",
     _if(r"weights? (?:of|for|are|given|file|column)|weighted by (?!the (?:number|support|class freq))",
         "?the weights of the F1 are not told for certain", "weighted_f1")),
    (rf"(?P<kind>mean|average){_GAP}(?:{_F})(?!\s*beta)", _mean_f1),
    (rf"(?P<kind>(?:mean|average|macro|micro|weighted|sample\w*){_GAP})?\bf{_MAYBE}(?:beta"
     rf"|β)(?:{_GAP}(?:score|measure))?"
     rf"(?:[^.\n]{{0,30}}?(?:beta|β)\W{{0,3}}(?:=|is|of|equal to|set to)\s*(?P<beta>\d+(?:\.\d+)?))?", _beta),
    (rf"(?P<kind>(?:mean|average|macro|micro|weighted|sample\w*){_GAP})?\bf{_MAYBE}[_{{]*"
     rf"(?P<beta>0?\.\d+|[2-9]|1\.\d+)\}}*\b(?:{_GAP}(?:score|measure))?", _beta),
    (rf"\bf{_MAYBE}1\b(?:{_GAP}(?:score|measure|metric))?|\bf{_GAP}?(?:score|measure)\b", "f1"),
    # --- texts and orders
    (rf"normali[sz]ed{_GAP}(?:levenshtein|edit){_GAP}distance"
     rf"|sum{_GAP}of{_GAP}the{_GAP}levenshtein{_GAP}distances?",
     _if(r"sum of the levenshtein", "normalised_levenshtein", "?how the edit distance is normalised is not"
      " told for certain")),
    (rf"(?:levenshtein|edit){_GAP}(?:ratio|similarity)|(?:word|character){_GAP}error{_GAP}rate|\b[wc]er\b",
     "?this measure of texts is not known here"),
    (rf"(?:(?:mean|average){_GAP})?(?:levenshtein(?:{_GAP}(?:edit{_GAP})?distance)?|edit{_GAP}distance)",
     lambda match, sentence, text: "mean_levenshtein_words" if _says(_IN_WORDS, sentence)
     else "mean_levenshtein"),
    (rf"word{_GAP}level{_GAP}jaccard(?:{_GAP}(?:score|similarity|index))?", "word_jaccard"),
    (r"jaccard", "?the Jaccard index is known for the words of texts only"),
    (rf"kendall(?:'s|s)?(?:{_GAP}tau)?(?:{_GAP}(?:rank{_GAP})?correlation)?",
     _if(r"swaps?\b|\border(?:s|ed|ing)?\b", "kendall_tau_orderings", "?Kendall's tau is known for orders"
      " of lists only")),
    (r"kullback[\s\-–]+l(?:ie|ei)bler(?:\s+divergence)?|\bkl[\s\-]+divergence", "kl_divergence"),
    (rf"mean{_GAP}angular{_GAP}error|angular{_GAP}distance",
     _if(r"azimuth", "mean_angular_error", "?the angular error is known for azimuth and zenith only")),
    # --- areas
    (rf"partial{_GAP}{_ROC}|\bpauc\b", _partial),
    (_PR, _if(r"average[\s\-_]precision", "average_precision", "pr_auc")),
    (rf"average{_GAP}precision(?:{_GAP}score)?", "average_precision"),
    (rf"normali[sz]ed{_GAP}gini(?:{_GAP}(?:coefficient|index|score))?", "normalised_gini"),
    (rf"\bgini(?:{_GAP}(?:coefficient|index|score))?\b",
     _if(r"2\s*[*×x·]?\s*(?:roc[\s\-_]?)?auc\s*[-−–]\s*1", "normalised_gini",
         "?whether the Gini index is normalised is not told (`gini` or `normalised_gini`)")),
    (rf"(?:harrell'?s?{_GAP})?(?:\bc{_GAP}index\b|concordance{_GAP}index|c{_GAP}statistic)", "c_index"),
    # --- agreement
    (rf"quadratic(?:ally)?{_GAP}weighted{_GAP}(?:cohen'?s?{_GAP})?kappa|\bqwk\b"
     rf"|kappa{_GAP}with{_GAP}quadratic{_GAP}weights?",
     "quadratic_weighted_kappa"),
    (rf"linear(?:ly)?{_GAP}weighted{_GAP}(?:cohen'?s?{_GAP})?kappa|kappa{_GAP}with{_GAP}linear{_GAP}weights?",
     "linear_weighted_kappa"),
    (rf"weighted{_GAP}(?:cohen'?s?{_GAP})?kappa",
     _if(r"quadratic", "quadratic_weighted_kappa", "?the weights of the kappa are not told (linear or"
      " quadratic)")),
    (rf"(?:cohen'?s?{_GAP})?kappa(?:{_GAP}(?:score|statistic|coefficient))?\b",
     _if(r"quadratic", "quadratic_weighted_kappa", "cohen_kappa")),
    (rf"matthews'?s?{_GAP}corr\w*(?:{_GAP}coefficient)?|\bmcc\b", "matthews_corrcoef"),
    (rf"spearman(?:'s|s|’s)?(?:{_GAP}(?:rho|rank))?(?:{_GAP}(?:order{_GAP})?correlation)?", "spearman_r"),
    (rf"pearson(?:'s|s|’s)?(?:{_GAP}(?:product{_GAP}moment{_GAP})?correlation)?", "pearson_r"),
    (rf"\br(?:2|²|\^2)\b|\br²|\br{_GAP}squared\b|coefficient{_GAP}of{_GAP}determination", "r2"),
    (rf"(?:(?:mean|average){_GAP})?cosine{_GAP}similarity", "mean_cosine_similarity"),
    # --- errors
    (rf"\bwrmsse\b|weighted{_GAP}{_ROOT_MEAN}scaled{_GAP}error", "weighted_rmsse"),
    (rf"\bwmape\b|\bwape\b|weighted{_GAP}(?:mean{_GAP})?absolute{_GAP}{_PERCENT}|weighted{_GAP}mape",
     _if(r"\bweights? (?:of|for|are|is|given|file|column)|weighted by (?!(?:the )?(?:actual|true|truth"
      r"|sales|observed))",
         "?the weights of the percentage error are not told for certain", "wmape")),
    (rf"\bwmae\b|weighted{_GAP}{_MAE}", "weighted_mae"),
    (rf"\bsmape\b|symmetric(?:al)?{_GAP}(?:mean{_GAP})?(?:absolute{_GAP}{_PERCENT}|mape)", _symmetric),
    (rf"\brmspe\b|{_ROOT_MEAN}{_PERCENT}", "rmspe"),
    (rf"\brmsle\b|{_ROOT_MEAN}log\w*{_GAP}error|root{_GAP}mean{_GAP}log\w*{_GAP}squared?{_GAP}error",
     "rmsle"),
    (rf"(?:\brmse\b|{_ROOT_MEAN}error)(?:\s*\(\s*rmse\s*\))?[^.\n]{{0,40}}(?:between|of"
     rf"|on){_GAP}(?:the{_GAP})?"
     rf"(?:natural{_GAP})?log\w*|log{_MAYBE}(?:scale{_GAP})?rmse\b|rmse{_GAP}(?:in"
      rf"|on){_GAP}(?:the{_GAP})?log{_MAYBE}(?:scale|space)",
     _log_distance),
    (rf"\bmsle\b|mean{_GAP}squared?{_GAP}log\w*{_GAP}error", "msle"),
    (rf"\bmedae\b|median{_GAP}absolute{_GAP}error", "median_absolute_error"),
    (rf"\brmse\b|\brmsd\b|{_ROOT_MEAN}(?:error|deviation)", "rmse"),
    (rf"\bmape\b|mean{_GAP}absolute{_GAP}{_PERCENT}", "mape"),
    (_MAE, "mae"),
    (rf"\bmse\b|mean{_GAP}squared?{_GAP}error|average{_GAP}squared?{_GAP}error", "mse"),
    (rf"\bcrps\b|continuous(?:ly)?{_GAP}ranked{_GAP}probability{_GAP}score", "crps"),
    (rf"pinball(?:{_GAP}loss)?|quantile{_GAP}(?:regression{_GAP})?loss", _pinball),
    # --- probabilities
    (rf"(?:multi{_MAYBE}class|multinomial|categorical){_GAP}{_LOG_LOSS}|multi{_MAYBE}class{_GAP}loss",
     "multiclass_log_loss"),
    (rf"binary{_GAP}{_LOG_LOSS}", "binary_log_loss"),
    (_LOG_LOSS, _of_classes("binary_log_loss", "multiclass_log_loss")),
    (rf"(?:multi{_MAYBE}class{_GAP})?brier(?:{_GAP}(?:score|loss))*",
     _of_classes("brier", "multiclass_brier")),
    (rf"(?:multi{_MAYBE}class|one{_GAP}vs?\.?{_GAP}(?:the{_GAP})?rest|ov[ro]|macro(?:{_GAP}averaged?)?"
     rf"|micro(?:{_GAP}averaged?)?){_GAP}{_ROC}",
     "?how the AUC is averaged over classes is not told for certain"),
    (_ROC, "roc_auc"),
    # --- classes
    (rf"balanced{_GAP}(?:\w+{_GAP})?accuracy|(?:mean|average){_GAP}(?:per{_GAP}class"
     rf"|class{_GAP}?wise){_GAP}accuracy", "balanced_accuracy"),
    (rf"macro{_MAYBE}(?:averaged?{_GAP})?recall|recall\s*\(?[\s,]*macro\b\)?(?:{_MAYBE}averaged?)?"
     rf"|unweighted{_GAP}average{_GAP}recall|\buar\b", "macro_recall"),
    (rf"macro{_MAYBE}(?:averaged?{_GAP})?precision", "macro_precision"),
    (rf"(?:mis)?classification{_GAP}error(?:{_GAP}rate)?|misclassification{_GAP}rate|\berror{_GAP}rate\b",
     "top1_error"),
    (rf"hamming{_GAP}loss", "hamming_loss"),
    (rf"(?:percentage|share|proportion|fraction|percent"
     rf"|number){_GAP}of{_GAP}(?:[\w']+{_GAP}){{0,4}}?(?:(?:that|which|you)\s+(?:\w+\s+){{0,3}})?"
     rf"(?:correct(?:ly)?{_GAP}(?:\w*predict\w*|\w*classif\w*|label\w*|identif\w*)"
      rf"|predict\w*{_GAP}correctly|(?:get|got){_GAP}correct)", "accuracy"),
    (rf"(?:(?:simple|overall){_GAP})?(?:(?:multi{_MAYBE}class|multi{_MAYBE}label){_GAP})?"
     rf"(?:(?:classification|categori[sz]ation|prediction|predictive"
      rf"|label){_GAP})?\baccuracy\b(?:{_GAP}(?:score|rate))?", "accuracy"),
    (rf"\bprecision\b(?!{_MAYBE}[/\-–&]?{_MAYBE}(?:and{_GAP})?recall)", "precision"),
    (r"\brecall\b", "recall"),
    # --- known by name, and not in the table
    (rf"\b(?:bleu|rouge|meteor|perplexity|mean{_GAP}reciprocal{_GAP}rank|mrr|eer"
     rf"|equal{_GAP}error{_GAP}rate|ssim|psnr"
     rf"|rmsse|mase|huber(?:{_GAP}loss)?|hinge{_GAP}loss|focal{_GAP}loss|sharpe(?:{_GAP}ratio)?"
      rf"|\w+{_GAP}deviance|explained{_GAP}variance"
     rf"|max(?:imum)?{_GAP}error|cosine{_GAP}distance|hausdorff|sensitivity|specificity|youden\S*"
      rf"|negative{_GAP}log{_GAP}likelihood"
     rf"|mahalanobis|wasserstein|earth{_GAP}mover\S*|fid\b|word2vec{_GAP}score|frechet\S*|{_IOU}"
      rf"|mean{_GAP}iou|miou|exact{_GAP}match|lddt|gdt|tm{_GAP}score)\b",
     "?it is not one of the known metrics"),
)  # fmt: skip

_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), meaning) for pattern, meaning in _NAMES)
