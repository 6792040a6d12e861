"""Words that make another metric of a name: "weighted", "averaged over stores", "errors count twice".

They are looked for in the deciding sentence, and in those around it, where plain statements on the score
count.
"""

from __future__ import annotations

import re

from mle_live.metrics.metric import Metric
from mle_live.metrics.recognition.names import Mention

_CHANGES: tuple[tuple[str, str], ...] = (
    ("weight", r"\b(?:un)?weight\w*|\bpond[ée]r\w+|\bgewichtet\w*|\bgewogen\b|\bpesat[ao]\b"),
    ("columns", r"\b(?:column|class|label|target|row|sample|group|pixel)[\s\-]?wise\b"),
    ("averaging", r"\baverag\w+\s+(?:it\s+|them\s+|the \w+ )?(?:over|across|by|per|between)\b"
     r"|\b(?:then|and|is|are) averaged\b"
     r"|\b(?:mean|median|sum|product|maximum|minimum|average|worst|best|difference|ratio) of"
      r" (?:the )?(?:\w+ )?(?:scores?|metrics?|values|errors|results|two|three|both|all)\b"),
    ("parts", r"\b(?:per|each|every)[\s\-](?!row|id\b|line|record|record|image|sample|observation|instance"
     r"|example|prediction|submission|team|test|pair|item|case|house|passenger|customer|user id|one|day's"
      r"|document|sentence|of your|of the)\w*[\s\-]?(?:type|group|class|store|fold|series|column|category"
       r"|user|customer(?!s)|query|day|week|month|product|horizon|region|city|country|subject|patient"
        r"|cluster|segment|target|label|language|species|station|sensor|hour|sku|task|identity)\w*"
         r"|\b(?:group|cluster|strat|segment)\w*\b|\bseparately\b|\bindividually\b|\bper[\s\-]\w+"
         r"|\bone[\s\-](?:vs\.?|versus|against)[\s\-](?:rest|all|one)\b|\bov[ro]\b"),
    ("combination", r"\bcombin\w+|\b(?:plus|minus|multipl\w+|subtract\w+|divid\w+)\b|\btimes\b"
     r"|\bharmonic\b|\bgeometric\b|\bblend\w*|\bmix(?:ed|ture)\b|\bcomposite\b|\bproduct of\b|(?<!the"
      r" )\bsum of\b|\bis the sum of\b|\btogether with\b|\bas well as\b"
     r"|\b\d+\s?%\s+(?:of(?! (?:the |our |all )?(?:\w+ )?(?:test|data|rows|hidden))|from|by|rmse|mae"
       r"|auc)\b"),
    ("logarithm", r"\blog(?:s|arithms?|arithmic|ged|-transformed|-scale[d]?|1p|10|2)?\b|\bln\b"
     r"|\bexponential\w*"),
    ("base of the logarithm", r"\bbase[\s\-](?:10|ten|2|two)\b|\blog_?(?:10|2)\b|\bdecadic\b"),
    ("part of the curve", r"\bpartial\b(?! credit)|\bpartially\b|\btruncat\w+|\bup to (?:a |an )?(?:fpr"
     r"|false|\d)"),
    ("cut-off", r"\btop[\s\-](?:\d|k\b|one|two|three|five|ten)|@\s*\w|\bat k\b|\bat (?:\d+|0?\.\d+)\b"),
    ("scale", r"\bnormali[sz]\w+|\bstandardi[sz]ed by|\brescal\w+|\bscaled\b|\bdivided by\b|\brelative"
     r" to\b|\bpercentage of (?:the )?(?:mean|range|max)"),
    ("balance", r"\bbalanced\b|\bbalancing\b"),
    ("beta", r"\bbeta\b|β"),
    ("tolerance", r"\bwithin\s+(?:a |an |±|\+/-|plus)?\s*[\d±]|\bwithin (?:a |the |an )?(?:tolerance"
     r"|margin|range|error|factor)|\btoleran\w+|\bmargin\b|\bto the nearest\b"),
    ("what it is taken of", r"\b(?:ranks|differences|cumulative|cumulated|aggregat\w+|sums|totals"
     r"|increments|ratios)\b"
     r"|\bof the log\w*"),
    ("transformation", r"\btransform\w*|\bstandardi[sz]ed\b|\bde-?trended\b|\bz[\s\-]?scored?\b"
     r"|\bdifferenced\b|\bfrequency domain\b|\bfourier\b|\bresiduals\b|\bpercentiles? of\b"),
    ("unequal rows", r"\bcost[\s\-]sensitive\b|\b(?:count|counts|cost|costs|weigh|weighs)\s+(?:more|less"
     r"|twice|double|triple|half|\w+ times|only|as)\b|\b(?:do|does|did|will|would) not count\b|\b(?:twice"
      r"|three times|double|triple) (?:as|the)\b"),
    ("sign", r"\bnegativ\w+ (?:of|rmse|mae|mse|log)|\bnegated\b|\binver\w+\b|\breciprocal\b|\bcomplement\b"
     r"|\bone minus\b|\b1\s?[-−–]\s?(?:the|rmse|mae|auc|accuracy|score|error)"),
    ("threshold", r"\bthreshold\w*|\bbinari[sz]\w+|\bcut[\s\-]?off\b"),
    ("limits", r"\bset to\b|\breplaced\b|\bcapp?(?:ed|ing)\b|\bclipp?\w*|\bfloored\b|\bceil\w*"
     r"|\bbounded\b|\blimited to\b|\bat"
     r" most\b"),
    ("smoothing", r"\bsmooth\w*|\brolling\b|\bmoving average\b"),
    ("symmetry", r"\bsymmetr\w+|\basymmetr\w+"),
    ("another version", r"\b(?:our|some|few|small|minor|slight|these|following) (?:changes|twists?"
     r"|differences)\b|\bmodif\w+|\bcustom(?:i[sz]ed|ly|[\s\-]made)?\b|\bvariant\w*|\bvariation\b"
     r"|\badapt(?:ed|ation)\b|\badjusted\b|\bversion of\b|\bgenerali[sz]\w+|\bextended\b|\bextension of\b"
      r"|\bspecial\b|\bproprietary\b|\bown version\b|\btweak\w*|\baltered\b|\brobust\b|\bsoft\b"),
    ("steps or penalties", r"\bmulti[\s\-]?step|\bpenal\w+|\bbonus\w*|\breward\w*|\bdecay\w*|\bdiscount\w*"
     r"|\bhorizons?\b"),
    ("rounding", r"\bround(?:ed|ing)\b"),
    ("ranks", r"\branks? of\b|\brank[\s\-]transformed\b"),
    ("selection of rows", r"\b(?:tails?|deciles?|quartiles?|quintiles?|percentiles?|top \d\S*|bottom)\b"
     r"|\bonly for\b|(?<!comparison )(?<!information )(?<!reference )\bonly\W*$"
     r"|\b(?:values|rows|cases|samples) (?:above|below|over|under|with|where)\b"
      r"|\b(?:only|just) (?:the )?(?:rows|those|positive|non|last|first|top|\d)"
     r"|\bexclud\w+|\bignor\w+|\bexcept\b|\b(?:is|are) not (?:scored|counted|included|considered"
      r"|evaluated)\b|\bouter\b|\btrimmed\b|\bsubset\w*"),
    ("powers", r"\bsquared? roots?\b|\bsquares? of\b|\bsquares\b|\bcubed?\b|\bpower of\b|\braised to\b"),
    ("units", r"\bin (?:per ?cent|%|hundreds|thousands|millions|bits)(?!\w)|\bmin[\s\-]?max\b"),
    ("best of several", r"\b(?:lowest|highest|best|worst) of (?:the )?(?:your|two|three|four|five|\d+)\b"
     r"|\b(?:median|minimum|maximum|worst|best) (?:over|across)\b|\bensemble of\b"),
    ("points", r"\bhalf (?:a |of a )?points?\b|\bworth\b|\bcounts? if\b|\boff by\b|\bwinsori\w+"
     r"|\bwhole (?:sequences?|sets?|series)\b"),
    ("more than predictions", r"\brun[\s\-]?times?\b|\binference times?\b|\blatency\b|\bmodel sizes?\b"),
    ("words of other languages", r"\b(?:nur|apenas|s[oó]lo|somente|seulement|uniquement|solamente)\b"
     r"|\b(?:moyen\w*|m[eé]dia|durchschnitt\w*|gemittelt) (?:par|por|pro|je|nach|über)\b"),
    ("words of other scripts", r"[\u0400-\u04ff\u0590-\u06ff\u0900-\u0dff\u3040-\u30ff\u4e00-\u9fff"
     r"\uac00-\ud7af]+"),
    ("comparison with a baseline", r"\b(?:improvement|gain|lift|skill|excess) (?:over|score|of|above)"
     r"|\brelative (?:rmse|mae|error|improvement)|\bcompared (?:to|with) (?:a |the )?(?:baseline|benchmark"
      r"|naive)"),
)  # fmt: skip

_LATER_CHANGES = re.compile(
    r"\b(?:scores?|metric|errors?|loss(?:es)?|it|they|results?|values?|rmse|mae|auc|accuracy|f1|submission"
    r"|row|rows|observation|outliers?|extremes|"
    r"prediction|predictions|column|columns|sample|samples|class|classes|we|you|each)\b[^.;]*\b(?:(?:is"
    r"|are|were|will be|be|being|then|we|gets?)\s+"
    r"(?:then |also |first |further |finally |additionally |not |all )*(?:weighted|multiplied|divided"
    r"|averaged|"
    r"capped|clipped|penali[sz]ed|normali[sz]ed|scaled|rescaled|thresholded|rounded|subtracted|transformed"
    r"|log-transformed|squared|"
    r"negated|inverted|dropped|discarded|trimmed|winsori[sz]ed|adjusted"
    r"|combined|discounted|doubled|smoothed|summed over|binari[sz]ed"
    r"|set to|replaced (?:by|with)|counted as|treated as))"
    r"|\b(?:is|are|will be|were) (?:ignored|excluded|left out|omitted|not (?:counted|considered"
    r"|included))\b[^.;]*"
    r"\b(?:scor|evaluat|metric|leaderboard)\w*|\b(?:is|are|will be|were) not (?:scored|evaluated)\b"
    r"|\b(?:scor|evaluat|metric|leaderboard)\w*\b[^.;]*\b(?:ignores?|excludes?|ignored|excluded|left out"
    r"|omitted)\b"
    r"|\b(?:take|takes|taking|apply|applies|applying) the (?:log|logarithm|square|root|negative|mean"
    r"|average|median|maximum|minimum)\b"
    r"|\bweights? (?:of|is|are|for|given|assigned|proportional)\b|\bweighted by\b|\b(?:counts?|costs?)"
    r" (?:twice|double|half|triple|more|less|\w+ times)\b|\b(?:do|does|will) not count\b"
    r"|\b(?:final |overall )?score (?:is|=|equals)\s+(?:then )?(?:1|one|100)\s?(?:[-−–]|minus)"
    r"|\b(?:final|overall) score (?:is|equals|will be)\b[^.;]*\b(?:mean|average|sum|median|weighted"
    r"|product|minus|maximum|minimum)\b"
    r"|\bonly (?:the )?(?:rows|following|those|first|last|positive|some|a part|\w+"
    r" columns?)\b[^.;]*\b(?:scored|counted|evaluated|count|considered)\b"
    r"|\bhalf (?:a |of a )?points?\b|\boff by (?:one|1)\b|\b(?:scaled|transformed|rounded|clipped"
    r"|normali[sz]ed) (?:\w+ )?before (?:scoring|evaluation|grading|the (?:score|metric))\b"
    r"|\b(?:penalty|penalties|bonus|handicap)\b|\bcosts? extra\b"
    r"|\bwe\b[^.;]{0,25}\b(?:subtract|multiply|divide|average|weight|clip|cap|normali[sz]e|scale|round"
    r"|smooth|penali[sz]e|square|transform|take the)\b"
    r"|\b(?:computed|calculated|evaluated|measured) (?:for|per|within|by|in) (?:each|every)\b"
    r"|\b(?:logarithm|log|root|square|mean|average|median|sum|maximum|minimum) is (?:then |finally )?"
    r"(?:taken|reported|used|computed|the (?:final )?score)\b"
    r"|\branked by the (?:mean|average|sum|median)\b"
    r"|\b(?:half|part|third|quarter|rest|remainder|components?) of the (?:final |total |overall )?score\b",
    re.IGNORECASE,
)

_MAY: tuple[tuple[str, str], ...] = (
    (r"weighted_.*|wmape", r"weight|scale|averaging|parts"),
    (r"mean_column_.*|binary_log_loss|mae|mse|hamming_loss|brier", r"columns"),
    (r"rmsle|msle|rmse_of_logs|mean_column_rmsle|.*log_loss|kl_divergence", r"logarithm"),
    (r"macro_f1|mean_f1_multilabel", r"columns"),
    (r"fbeta.*", r"beta"),
    (r"map_at_.*|ndcg_.*|top_.*|pinball_.*", r"cut-off|threshold"),
    (r"map_at_12|pinball_.*", r"selection of rows"),
    (r"ndcg_.*", r"scale|steps or penalties"),
    (r"partial_.*", r"threshold|cut-off|part of the curve|comparison with a baseline"),
    (r"normalised_gini", r"scale"),
    (r"smape.*", r"symmetry"),
    (r"balanced_accuracy", r"balance"),
    (r"top1_error", r"averaging|parts|cut-off"),
    (r"mean_precision_iou_thresholds|mean_dice_rle|global_dice_rle|fbeta_half_pixels|lwlrap",
     r"threshold|averaging|parts|cut-off|combination|weight|another version|ranks"),
    (r"kendall_tau_orderings", r"combination|ranks"),
    (r"normalised_levenshtein", r"scale|combination"),
    (r"probabilistic_f1", r"another version|combination"),
)  # fmt: skip
"""Which changes belong to the metric itself, by its name."""


_EXPLAINED: tuple[tuple[str, str], ...] = (
    (r".*f1.*|fbeta.*", r"\bprecision\b.*\brecall\b|\brecall\b.*\bprecision\b"),
    (
        r"mean_column_.*",
        r"\b(?:columns|targets|labels|variables|each (?:of the )?(?:\w+ )?(?:column|target|label"
        r"|variable))\b",
    ),
    (
        r".*auc.*|average_precision|partial_.*|.*gini",
        r"\b(?:all|various|every|different|possible)\b.*\bthresholds?\b",
    ),
    (
        r".*log_loss",
        r"probabilit\w+ (?:are|is|will be) (?:replaced|clipped|bounded|rescaled)|row sum|sum to (?:one|1)"
        r"|extremes of the log|\b10\W{0,3}-?15|1e-15",
    ),
    (r"smape.*", r"both (?:\w+ )*(?:0|zero)"),
    (r"lwlrap", r"\blabel"),
    (r"ndcg_.*|top_.*|map_at_.*", r"\bup to \w+|space[\s\-](?:delimited|separated)"),
    (r".*kappa", r"\bmatri(?:x|ces)\b|\bhistogram\b|\braters?\b|\bchance\b"),
    (
        r"macro_.*|balanced_accuracy",
        r"\b(?:each|per|every|all|across) (?:\w+ ){0,2}class(?:es)?\b|\bseparate f1\b|\bunweighted mean\b",
    ),
    (r"rmse|mean_column_rmse", r"square root of (?:the )?(?:mean|average|variance|mse)"),
    (r"matthews_corrcoef", r"true (?:and false )?positives"),
)
"""How hosts explain a metric: such a sentence changes nothing of it."""


_IN_EXPLANATIONS = frozenset(
    ("combination", "averaging", "weight", "scale", "limits", "parts", "columns", "powers", "threshold")
)


def explains(sentence: str, metric: str) -> bool:
    return any(
        re.fullmatch(names, metric) and re.search(words, sentence, re.IGNORECASE)
        for names, words in _EXPLAINED
    )


def _allowed(metric: str) -> frozenset[str]:
    kinds: set[str] = set()
    for names, changes in _MAY:
        if re.fullmatch(names, metric):
            kinds.update(changes.split("|"))
    return frozenset(kinds)


def doubt_in(sentence: str, metric: str, said: list[Mention]) -> str:
    """A word in the deciding sentence that is known to make another metric of it; empty without one."""
    rest = sentence
    for mention in reversed(said):
        rest = rest[: mention.start] + " · " + rest[mention.end :]
    near = doubt_near(rest, metric)
    if near:
        return near
    allowed = _allowed(metric)
    if explains(rest, metric):
        allowed |= _IN_EXPLANATIONS
    for kind, pattern in _CHANGES:
        if kind not in allowed and (found := re.search(pattern, rest, re.IGNORECASE)):
            return f"“{found[0].strip()}” may make another metric of it"
    return ""


def doubt_near(sentence: str, metric: str) -> str:
    """The same in a sentence around it, where only plain statements on the score count."""
    sentence = re.sub(
        r"\b(?:no|never an?|without an?|not an?) (?:penalty|bonus)", "", sentence, flags=re.IGNORECASE
    )
    found = _LATER_CHANGES.search(sentence)
    if found is None or explains(sentence, metric):
        return ""
    allowed = _allowed(metric)
    words = found[0]
    kinds = {kind for kind, pattern in _CHANGES if re.search(pattern, words, re.IGNORECASE)}
    if re.search(r"\b(?:mean|average)", words, re.IGNORECASE):
        kinds.add("averaging")
    if kinds and kinds <= allowed - {"logarithm"}:
        return ""
    return f"“{' '.join(words.split()[-8:])}” may change it"


def doubt_in_direction(sentence: str, metric: Metric) -> str:
    """Where a sentence says that the other direction is better, the metric is not the plain one."""
    for word, higher in (("higher|larger|bigger|greater", True), ("lower|smaller", False)):
        said = rf"\b(?:{word})(?: (?:scores?|values?|numbers?|results?))? (?:is|are|means?) better\b"
        found = re.search(rf"{said}|\bthe (?:{word})\b[^.;]{{0,9}}\bthe better\b", sentence, re.IGNORECASE)
        if found and higher != metric.higher_is_better:
            return f"“{found[0]}” is not so of {metric.name}"
    return ""


def doubt_in_formula(formula: str, metric: str) -> str:
    """A logarithm or weights in the formula or code of a metric that has none; empty otherwise."""
    allowed = _allowed(metric)
    if "logarithm" not in allowed and re.search(r"\\(?:log|ln)\b|\blog\w*\s*[\({]", formula):
        return "the formula takes logarithms"
    weights = r"(?<![a-zA-Z\\])w\s*_|(?<![a-zA-Z\\])w\s*\{|\bweights?\b|sample_weight"
    if "weight" not in allowed and not metric.endswith("kappa") and re.search(weights, formula):
        return "the formula has weights"
    return ""
