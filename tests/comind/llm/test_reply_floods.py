"""Replies that are a flood of one thing: every reader ends soon, whatever it makes of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

_READERS = """
import sys
from comind.llm import formats
from comind.llm.tokens import estimate_tokens
from comind.roles import analyzer, coder, coordinator, proposer

def scored(text): return formats.scored_lines("novelty" + text), formats.scored_lines(text)
READERS = {
    "strip_thinking": formats.strip_thinking,
    "tag": lambda text: formats.tag(text, "code"),
    "strip_fences": formats.strip_fences,
    "check_python": formats.check_python,
    "sections": formats.sections,
    "separated_blocks": formats.separated_blocks,
    "list_of_strings": formats.list_of_strings,
    "bullets": formats.bullets,
    "scored_lines": scored,
    "parse_turn": coder.parse_turn,
    "parse_report": coder.parse_report,
    "parse_drafts": lambda text: coordinator.parse_drafts(text, 2),
    "parse_paths": proposer.parse_paths,
    "parse_ranking": proposer.parse_ranking,
    "parse_discussion": analyzer.parse_discussion,
    "estimate_tokens": estimate_tokens,
}
PIECES = (
    "\\n", " ", "\\t", "<", "[", "(", "{", "=", "`", "*", "#", "-", "_", ":", "a", "aB", "1", "9.", "%",
    "!x\\n", "[\\n", "- a\\n", "- ", "< ", "<think>", "<think>\\n", "</think>", "<code>", "<code>\\n",
    "[THINK]\\n", "<|channel|>final<|message|>", "<|end|>", "<|im_start|>user\\n", '{"a":',
    "<goal>\\n", "<code></code>", "```", "```\\n", "~~~\\n", "```x ", "=== a ", "=== a ===\\n", "==SEPARATOR",
    "title: a  ", "\\ntitle:", "===SOLUTION_PATH_1===\\n", "a: 1\\n", "x = ", "x=1\\n", "f'{", "-1+", "not ",
    "lambda:", "'",
)
HEADS = ("", "<code>", "- x", "=== ")
read = READERS[sys.argv[1]]
for piece in PIECES:
    flood = piece * (20_000 // len(piece))
    for head in HEADS:
        try:
            read(head + flood + "~x")
        except formats.MalformedReply:
            pass
print("done")
"""
READERS = [line.split('"')[1] for line in _READERS.splitlines() if line.startswith('    "') and '": ' in line]


@pytest.mark.parametrize("reader", READERS)
def test_a_flood_is_read_in_time_that_grows_with_its_length(reader: str) -> None:
    """What was quadratic took minutes a flood; the limit allows for a busy machine."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _READERS, reader], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr[-500:]
