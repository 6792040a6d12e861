"""Words right beside a metric's name: only those that are known to change nothing are let pass."""

from __future__ import annotations

import re

from mle_live.metrics.recognition.names import Mention, mentions


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PLAIN_BEFORE = _words(
    """
    the a an standard simple plain usual ordinary common regular classic traditional well-known popular
    famous official final overall total main sole single chosen resulting familiar so-called good old
    following same classification categorization categorisation prediction predictive predicted
    multiclass multi-class multi-label multilabel binary regression sample-level test public private
    leaderboard lb competition evaluation metric metrics score scoring criterion measure loss error
    calculated computed then now pascal cohen's cohens achieved obtained best highest
    lowest smallest minimal minimum maximal maximum average-case sklearn scikit-learn kaggle kaggle's
    your their our its his this that these which such only just simply
    lower higher larger smaller
    """
)
"""Words beside a name that leave it what it is (`highest AUC`: who wins; `average AUC` is not among them)."""
LINKS_BEFORE = _words(
    """
    on by using use uses used with via through is are was be being as to for in and or called namely
    named considering measures reports against per minimise minimize minimizes maximise maximize
    optimise optimize compute computes calculate calculates under than evaluation: have has get gets at
    it i.e. e.g. e.g ie known applies apply applied adopt adopts adopted take takes choose chose chosen
    employ employs considers consider report where when if into will you we submissions scored evaluated
    achieve achieves reach reaches
    """
)
_OF = re.compile(
    r"\b(?:basis|terms|measure|metric|value|score|means|use|calculation|computation|help|goal|performance"
    r"|evaluation|result|case|choice|light|order|name)s? of\s+(?:the\s+|a\s+|an\s+)?(?:\w+\s+)?$",
    re.IGNORECASE,
)
"""`in terms of RMSE`; any other noun before `of RMSE` makes something else of it."""
_CHANGED_OF = re.compile(
    r"\b(?:absolute|average|mean|median|maximum|minimum|squared|negative|inverse|expected|worst)\s+\w+ of"
    r"\s+(?:the\s+|a\s+|an\s+)?(?:\w+\s+)?$",
    re.IGNORECASE,
)
"""`the absolute value of the correlation`."""
_NAME_ENDS = re.compile(
    r"^(?:[\s-]+(?:score|metric|measure|value|coefficient|correlation|statistic|index|function|criterion"
    r"|error|loss|curve|"
    r"distance|evaluation|scores|values|method|formula|scoring|rule))*",
    re.IGNORECASE,
)
AFTER = _words(
    """
    between of for on over across from in with where which that and or is are was will computed
    calculated decides decide determines up at evaluated measured defined given against to as by when if
    so because since while but using based used obtained achieved it this these they submissions only
    must should can may has have here below above there then also described applied produced shown
    displayed we you among between, vs versus should implemented metric takes ranges varies lies i.e e.g
    such during before itself both not rather instead lower higher best
    possible
    """
)
_APPLIED = re.compile(
    r"(?:\b(?:1|one|100|\d[\d.]*)\s*(?:[-−–]|minus)\s*|[/^×*+]\s*|\w\(\s*-?|(?:^|[=(:\s])[-−–]"
    r"|=\s*[-−–]\s*"
    r"|\b(?:improvements?|gains?|reductions?|increases?|decreases?|changes?|differences?|drops?|lifts?)"
    r" (?:in|of) (?:the )?"
    r"|\b(?:inspired by|similar to|akin to|close to|like|resembl\w+|related to|comparable to|derived from)"
    r"\s+(?:the\s+|an?\s+)?)$",
    re.IGNORECASE,
)
"""What is done to a value right before its name: `1 -`, `sqrt(`, `100 *`, `improvement in`."""


def doubt_beside(mention: Mention, sentence: str) -> str:
    """What stands right before or after the name and is not understood; empty where nothing does."""
    before, after = sentence[: mention.start], sentence[mention.end :]
    if found := _APPLIED.search(before):
        return f"“{found[0].strip()} {mention.words}” is not the plain metric"
    odd = _odd_before(before)
    if odd and not (" of " in mention.words and odd in ("average", "total", "mean")):
        return f"“{odd}” before “{mention.words}” is not understood"
    odd = _odd_after(after, mention)
    if odd:
        return f"“{odd}” after “{mention.words}” is not understood"
    return ""


def _odd_before(before: str) -> str:
    """The nearest word before a name that is neither plain nor a link to the rest of the sentence."""
    if re.search(r"\w[-–]$", before):
        return before.split()[-1].lower()
    rest = before
    while True:
        rest = rest.rstrip()
        if not rest or rest[-1] in ",;:(\"“'‘[=>|–—-":
            return ""
        word = rest.split()[-1]
        bare = word.lower().strip("\"“”'‘’(*_")
        if bare == "of":
            plain = _OF.search(rest + " ") and not _CHANGED_OF.search(rest + " ")
            return "" if plain else " ".join(rest.split()[-3 if plain is False else -2 :]).lower()
        if bare in LINKS_BEFORE or not bare:
            return ""
        if bare not in PLAIN_BEFORE:
            return bare
        if word[0] in '("“[':
            return ""
        rest = rest[: len(rest) - len(word)]


def _odd_after(after: str, mention: Mention) -> str:
    """The word after a name, its own endings and what is in parentheses, unless it is known to be"
    " harmless."""
    while True:
        ended = _NAME_ENDS.match(after)
        after = after[ended.end() :] if ended else after
        bracket = re.match(r"\s*[\(\[]([^\)\]]*)[\)\]]", after)
        if bracket is None:
            break
        if odd := _odd_inside(re.sub(r",\s*pronounced.*", "", bracket[1]), mention):
            return odd
        after = after[bracket.end() :]
    follows = re.match(r"\s*([-–/+*×^@]?\s*[\w.%]+)", after)
    if follows is None or re.match(r"\s*[,.;:!?—\"”)\]|=]|\s+[-–]\s", after):
        return ""
    word = follows[1].lower().strip()
    if word[0] in "/+*×^@-" or (word not in AFTER and word.rstrip(".,") not in AFTER):
        return word
    return ""


def _odd_inside(words: str, mention: Mention) -> str:
    """Parentheses hold a short name of the same, or an explanation without words that change it."""
    inside = mentions(words, words)
    if inside or len(words.split()) <= 1:
        if not inside and not re.fullmatch(r"[\s\"'“”]*[A-Za-z][\w\-²^]*[\s\"'“”]*", words.strip()):
            return words.strip()
        rest = words
        for one in reversed(inside):
            rest = rest[: one.start] + rest[one.end :]
        odd = [
            word
            for word in re.findall(r"[A-Za-z]+", rest)
            if word.lower() not in PLAIN_BEFORE | AFTER | {"s"}
        ]
        return (
            " ".join(odd)
            if inside and odd
            else ""
            if inside or words.isupper() or _abbreviates(words)
            else words
        )
    return ""


def _abbreviates(word: str) -> bool:
    """Whether a single word in parentheses may be a short name: capitals in it, as in `pAUC`."""
    return bool(re.search(r"[A-Z]{2}|[A-Z]\d", word))
