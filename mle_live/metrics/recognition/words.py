"""Every word of a deciding sentence: those that are known to say nothing of the metric, and names of things.

A list of words that change a metric is never complete (`winsorized`, `unsure answers`); a word that is on no
list makes a question of the sentence. What is predicted may have any name where a noun is due.
"""

from __future__ import annotations

import re

from mle_live.metrics.recognition.beside import AFTER, LINKS_BEFORE, PLAIN_BEFORE
from mle_live.metrics.recognition.names import mentions

_FILLING = """
    able about above according after again against all allow allows also although always any anyone
    anything as at based because been before being below beneath best better beyond but by can can't case
    cases cent check could describe described did do does doesn't don't done down during each either else
    end even every everyone exactly find first follow followed follows fully further given goes good
    greater had he hence her here herein high his how human humans i if into isn't itself just know known
    last let let's lie like lol looking low made make makes many may me might more most much must my n't
    near need needs next no not nothing now off okay once one ones or order other out own per please
    possible rather really right same say says second see shall she should show shown side since small
    smaller so some such than thank thanks their them themselves then there therefore they third those
    though three through throughout thus till to today together too two under until upon us very view want
    was way well were what whatever when whenever where whereas whereby wherein whether which while who
    whole whom whose why without won't would wrong yes yet
"""
_OF_SCORING = """
    accumulated accuracy actual agreement aim algorithm algorithms answer answers area assess auc auto
    best board called case categorization cell cells certain challenge class classes classification
    classify cleaned code coefficient collection column columns columnwise compare compared compares
    competition competitions competitor competitors contact correct correctly correlation credit criterion
    curve data dataset deadline decided defined description detection determination determine determined
    develop difference digit digits distance e elicits emphasis empty ended ending ends entire entries
    entry eps error errors evaluate evaluated evaluation event events exact exactly expected explain
    explanation f1 false-alarm file files final focus forecast forecasts formula forward fraction give
    gives goal goals grayscale ground ground-truth groundtruth group groups half held-out here hidden
    holdout http https i image images implementation implemented including individual intensities
    intensity judge judged kernel label label-ranking label-weighted labels leaderboard learn library link
    list log logarithm logarithmic lower matches mean mean-squared measure measured measurement measures
    median metric metrics model models multiclass n natural notebook notebooks number numbers objective
    objectives observation observations observed operating optimum orders origin original origins outcome
    outcomes output outputs over package page parsed part partial participant participants pascal percent
    percentage performance period phrase phrases pixel pixels points predict predicted predicted's
    predicting prediction predictions present price prices primary private prize prizes probabilistic
    probabilities probability produced pronounced provided public python quality r range rank ranked
    ranking rankings rate rated rating ratings real receiver reference reliable represents request respect
    response result results root root-mean-squared-logarithmic-error root-squared rounds row rows sample
    samples scale scikit-learn score scored scores scoring section sentence sentences sequence sequences
    set sets share shares similar similarity simple simply smaller solution solutions specified split
    squared stage standard step stepped steps string strings submission submission's submissions submit
    submits submitted table target target's targets task team teams term terms test testing text threshold
    thresholds time token tokens total train training tree true truth unseen unweighted use used user
    users uses using usual valid validation value values vector vectors versus weighs weighted wiki
    wikipedia win winner winners won word words wrap wrapped www x x_i y y_i
"""
_KNOWN = frozenset((_FILLING + _OF_SCORING).split()) | PLAIN_BEFORE | LINKS_BEFORE | AFTER
_BEFORE_NOUNS = """
    the a an each every any all your their its this that these those our no whose between of and or
    predicted actual observed true real forecast forecasted expected measured target ground next
    correct hidden test future recorded submitted given
"""
_NOUN_DUE = frozenset(_BEFORE_NOUNS.split())
"""After these a word that is not known is taken for the name of what is predicted, or for a part of it."""
_OF_A_VERB = re.compile(r"(?:ed|ing|ly|ised|ized|wise|est|less)$")
"""A word that ends so says how, not what, unless it ends a name (`the true pressure reading`)."""
_WORD = re.compile(r"[A-Za-zÀ-ÿ][\w'’-]*|[.,;:()\[\]—–]")
_ADDRESS = re.compile(r"\bhttps?://\S+|\bwww\.\S+|\[[^\]]*\]\([^)]*\)|`[^`]*`")


def doubt_in_words(sentence: str, text: str) -> str:
    """The first word of the sentence that is not understood, besides metrics' names; empty without one.

    `text` is the whole that it stands in.
    """
    rest = sentence
    for mention in reversed(mentions(sentence, text)):
        rest = f"{rest[: mention.start]} metric {rest[mention.end :]}"
    before, noun = "", False
    for word in _WORD.findall(_ADDRESS.sub(" link ", rest)):
        low = word.lower().strip("'’-_").removesuffix("'s").removesuffix("’s")
        if low in _KNOWN or not low[:1].isalpha() or len(low) == 1:
            before, noun = low or word, False
            continue
        due = before in _NOUN_DUE or noun or before in ("", ".")
        names = word[0].isupper() or "_" in word or any(letter.isdigit() for letter in word)
        if not names and (not due or (not noun and _OF_A_VERB.search(low))):
            return f"“{word}” is not understood"
        before, noun = low, True
    return ""
