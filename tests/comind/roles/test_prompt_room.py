"""Every role's prompt fits every window, whatever the material, and what is cut stays quoted."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comind.llm.tokens import estimate_prompt_tokens
from comind.roles.briefing import Room, prompt_tokens
from comind.roles.prompts import Prompts, fitted, prompts_folder, quote
from tests.comind.llm.token_texts import text

FOLLOW_UPS = ("system", "observation", "fault", "report", "kaggle")
"""Parts that do not open a conversation; `test_conversation.py` has those of the coder. `kaggle` is a value
of its opening, in our own words."""
OPENINGS = [
    (file.stem, part)
    for file in sorted(prompts_folder().glob("[!R]*.md"))
    for part in Prompts().parts(file.stem)
    if part not in FOLLOW_UPS
]
QUOTED = "### report-{n} (kernel)\n<<<\n" + text("csv", 1) + "\n>>>\n\n"
MATERIAL = {
    "prose": text("prose", 1) * 30,
    "numbers": text("csv", 2) * 20,
    "chinese": text("chinese", 1) * 50,
    "blocks": "".join(QUOTED.format(n=n) for n in range(20)),
}


def variables(role: str, part: str) -> set[str]:
    return set(re.findall(r"(?:\{\{|\{% if) (\w+)", Prompts().parts(role)[part]))


@pytest.mark.parametrize(
    ("window", "kind"),
    [*((4096, kind) for kind in MATERIAL), (8192, "blocks"), (128_000, "numbers"), (1_000_000, "prose")],
)
def test_every_opening_fits_with_more_material_than_there_is_room(window: int, kind: str) -> None:
    prompts = Prompts(most_tokens=prompt_tokens(window))
    for role, part in OPENINGS:
        values = dict.fromkeys(variables(role, part), MATERIAL[kind])
        values |= {"count": "4", "example_goal": "try C=2"}  # these two stand within a line
        messages = prompts.opening(role, part, values)
        assert estimate_prompt_tokens(messages) <= prompt_tokens(window), (role, part)
        assert messages[0]["content"] == prompts.render(role, "system")
        opened, closed = (len(re.findall(mark, messages[1]["content"], re.M)) for mark in ("^<<<$", "^>>>$"))
        assert opened == closed, (role, part)


def test_what_fits_is_not_touched() -> None:
    values = dict.fromkeys(variables("coordinator", "drafts"), text("prose", 1))
    free, bounded = Prompts(), Prompts(most_tokens=prompt_tokens(128_000))
    assert bounded.opening("coordinator", "drafts", values) == free.opening("coordinator", "drafts", values)


def test_short_values_are_whole_where_long_ones_are_cut() -> None:
    values = dict.fromkeys(variables("coordinator", "drafts"), MATERIAL["prose"])
    values |= {"metric": "name: auc", "count": "4"}
    messages = Prompts(most_tokens=prompt_tokens(8192)).opening("coordinator", "drafts", values)
    assert "\nname: auc\n" in messages[1]["content"]
    assert messages[1]["content"].count("characters left out") == len(values) - 2


@pytest.mark.parametrize("window", [4096, 8192, 128_000, 1_000_000])
def test_room_grows_with_the_window_up_to_a_bound(window: int) -> None:
    room, larger = Room.of(window), Room.of(2 * window)
    for name in Room.__slots__:
        assert 0 < getattr(room, name) <= getattr(larger, name) <= 24_000


@given(st.lists(st.text(max_size=80), max_size=8), st.integers(0, 900))
def test_a_cut_never_leaves_a_quoted_block_open(bodies: list[str], characters: int) -> None:
    whole = "\n".join(f"### one\n<<<\n{quote(body, 100)}\n>>>" for body in bodies)
    cut = fitted(whole, characters)
    assert cut.count("<<<") == cut.count(">>>")
    assert cut == whole or "characters left out" in cut
