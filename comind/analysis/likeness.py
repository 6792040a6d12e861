"""How alike two texts are: shared runs of tokens for code, shared words for prose. It judges nothing.

Jaccard similarity of shingles, estimated from the smallest hashes of each text (bottom-k sketches, Broder
1997), so that a long notebook costs no more than a short one.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_COMMENT = re.compile(r"#[^\n]*")
_TOKEN = re.compile(r"[A-Za-z_]\w*|\d+(?:\.\d+)?|[^\s\w]")
_WORD = re.compile(r"[^\W\d_]{4,}")
_RUN = 5
_SKETCH = 512


@dataclass(frozen=True, slots=True)
class Sketch:
    """The smallest hashes of a text's shingles; exact where there are no more than 512 of them."""

    hashes: frozenset[int]
    total: int
    """Distinct shingles of the whole text."""


def code_sketch(source: str) -> Sketch:
    """Runs of five tokens. Comments, spacing and so the markdown of a notebook do not count."""
    tokens = _TOKEN.findall(_COMMENT.sub("", source))
    runs = (" ".join(tokens[n : n + _RUN]) for n in range(len(tokens) - _RUN + 1))
    return _sketch(runs)


def likeness(one: Sketch, other: Sketch) -> float:
    """Estimated Jaccard similarity, 0 to 1; 0 when either text is too short to say."""
    if not one.total or not other.total:
        return 0.0
    both = sorted(one.hashes | other.hashes)[:_SKETCH]
    return sum(hash in one.hashes and hash in other.hashes for hash in both) / len(both)


def words(text: str) -> frozenset[str]:
    """Words of four letters and more, in lower case."""
    return frozenset(_WORD.findall(text.lower()))


def shared_words(one: str, other: str) -> float:
    """Jaccard similarity of two texts' words, 0 to 1; 0 when either has none."""
    a, b = words(one), words(other)
    return len(a & b) / len(a | b) if a and b else 0.0


def groups(likenesses: Iterable[tuple[str, str]], members: Sequence[str]) -> list[list[str]]:
    """Connected members, in the order of `members`; those that nothing is like stand alone."""
    leader = {member: member for member in members}

    def find(member: str) -> str:
        while leader[member] != member:
            member = leader[member]
        return member

    for one, other in likenesses:
        leader[find(other)] = find(one)
    found: dict[str, list[str]] = {}
    for member in members:
        found.setdefault(find(member), []).append(member)
    return list(found.values())


def _sketch(shingles: Iterable[str]) -> Sketch:
    # crc32 rather than hash(): the same text must give the same sketch in every process
    hashes = {zlib.crc32(shingle.encode()) for shingle in shingles}
    return Sketch(frozenset(sorted(hashes)[:_SKETCH]), len(hashes))
