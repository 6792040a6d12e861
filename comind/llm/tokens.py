"""How many tokens a text will be, without a tokenizer: an estimate that errs upwards.

Calibrated on the largest of three vocabularies, o200k_base, Llama 3's and Qwen's, since a run may ask any
model. They differ most on numbers: some cut them into threes, some into single digits. Here each digit counts
as one, so that a table of numbers is overcounted by up to 150 % where they go by threes. Prose and code are
overcounted by 20 to 35 %. The usual "bytes / 4" undercounts such tables to a third, and those are what coding
agents send most. Only texts of rare characters are undercounted (a dictionary of Chinese, random letters in
upper and lower case).
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

Messages = Sequence[Mapping[str, str]]
"""A conversation as a model is sent it: `role` and `content` of each turn."""
TOKENS_A_MESSAGE: Final = 8
"""Role names and separators around one message of a conversation."""

_PIECES: Final = re.compile(
    r"(?P<dense>(?=[A-Za-z+/=_-]{0,24}\d)[A-Za-z0-9+/=_-]{24,})"  # hashes, base64, keys
    r"|(?P<mixed>(?<=\d)[A-Za-z]{2,}|(?<![A-Za-z])[A-Za-z]{2,}+(?=\d))"
    r"|(?P<word>[A-Z]?[a-z]+|[A-Z]+)"
    r"|(?P<digits>\d+)"
    r"|(?P<gap>[ \t]+)(?=\d)"
    r"|(?P<indent>(?<=[\r\n])[ \t]+|[ \t]{2,})"
    r"|(?P<space>[ \t])"
    r"|(?P<ending>(?<=[,:)\]}.;\"'])\n)"
    r"|(?P<lines>[\r\n]+)"
    r"|(?P<rule>(?P<mark>[=\-_*#~.])(?P=mark){3,})"
    r"|(?P<pair>\(\)|\):|\)\)|\),|\(\"|\('|\"\)|'\)|\[\"|\['|\"\]|'\]|\",|',|\],|=\"|='|[=!<>]=|->|\*\*|//)"
    r"|(?P<joined>[!-/:-@\[-`{-~](?=[A-Za-z]))"
    r"|(?P<sign>[!-~])"
    r"|(?P<other>[^\x00-\x7f]+)"
    r"|(?P<control>.)",
    re.DOTALL,
)

_FOLLOWERS: Final = {
    "a": "bcdgilmnprstuvy", "b": "aeilou", "c": "aehiklortu", "d": "aeiosu", "e": "acdefgilmnpqrstvx",
    "f": "aefioru", "g": "aehirs", "h": "aeio", "i": "abcdefglmnoprstvz", "j": "", "k": "eis",
    "l": "adeilostuy", "m": "aeimopsu", "n": "acdefgiknostuv", "o": "bcdgilmnoprstuvw", "p": "aeiloprtuy",
    "q": "u", "r": "acdegimnorstuy", "s": "acehikopstu", "t": "acehilorstuy", "u": "abcelmnprst",
    "v": "aei", "w": "aehio", "x": "pt", "y": "", "z": "e",
}  # fmt: skip
"""Letter → the letters that often follow it in English and in code. A word with other pairs is in pieces."""

_SCRIPTS: Final = (0x80, 0x300, 0x800, 0x2000, 0x3000, 0x3100, 0xA000, 0x10000, 0x1F000, 0x1FB00)
_PER_CHARACTER: Final = (1.7, 1.1, 1.6, 2.0, 1.3, 1.4, 2.3, 4.0, 3.0, 4.0)
"""From each character of `_SCRIPTS` on: Latin, Greek to Arabic, India's and Thai, signs, kana, Chinese,
Korean, old scripts, emoji, the rest."""


_FIXED: Final = {
    "space": 0.0,  # it joins the word after it
    "joined": 0.75,  # `.fit` and `_size` are often one token
    "ending": 0.4,  # and so are `:` or `,` with the end of their line
}


@lru_cache(maxsize=256)
def estimate_tokens(text: str) -> int:
    """Tokens of `text`, rounded up; what current vocabularies of 100k+ entries need, or more.

    The last texts are remembered: a conversation is estimated anew with each message that joins it.
    """
    return math.ceil(sum(_weight(match.lastgroup or "", match.group()) for match in _PIECES.finditer(text)))


def estimate_prompt_tokens(messages: Iterable[Mapping[str, str]]) -> int:
    """Tokens of a whole conversation with its framing."""
    return TOKENS_A_MESSAGE + sum(map(estimate_message_tokens, messages))


def estimate_message_tokens(message: Mapping[str, str]) -> int:
    """What one message adds to a conversation."""
    return TOKENS_A_MESSAGE + estimate_tokens(message.get("content", ""))


def _weight(kind: str, piece: str) -> float:
    match kind:
        case "word":
            return _word(piece)
        case "digits":
            return len(piece)
        case "mixed":
            return max(1.0, len(piece) / 1.6)
        case "gap":
            # A digit takes no space along: the last space before it is a token of its own.
            return 1.0 if len(piece) == 1 else 2 + len(piece) // 48
        case "indent":
            return 1 + len(piece) // 48
        case "lines":
            return 1 + (len(piece) - 1) / 12
        case "rule":
            return 1 + len(piece) / 8
        case "dense":
            digits = sum(map(str.isdigit, piece))
            return digits + (len(piece) - digits) / 1.3
        case "other":
            return sum(_PER_CHARACTER[bisect_right(_SCRIPTS, ord(one)) - 1] for one in piece)
        case _:
            return _FIXED.get(kind, 1.0)


@lru_cache(maxsize=1 << 14)
def _word(piece: str) -> float:
    length = len(piece)
    if piece.isupper() and length > 1:
        return max(1.0, length / 1.6)
    lower = piece.lower()
    odd_pairs = sum(second not in _FOLLOWERS[first] for first, second in pairwise(lower))
    match odd_pairs:
        case 0:
            return 1.0 if length <= 7 else 1.0 + (length - 7) / 10
        case 1:
            return max(1.1, min(2.0, length / 3.6))
        case 2:
            return max(1.5, length / 2.8)
        case _:
            return length / 1.6
