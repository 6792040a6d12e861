"""Imperfect replies that can be read, and those that cannot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comind.llm.formats import (
    MalformedReply,
    bullets,
    check_python,
    list_of_strings,
    required_tag,
    scored_lines,
    sections,
    separated_blocks,
    strip_fences,
    strip_thinking,
    tag,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<goal>load</goal>", "load"),
        ("Sure!\n<Goal>\n load \n</GOAL>\nThat is all.", "load"),
        ("< goal >load< / goal >", "load"),
        ("<goal>draft</goal> no, better:\n<goal>final</goal>", "final"),
        ("<goal>whole</goal>\n<goal>cut off he", "whole"),
        ("<goal>cut off", "cut off"),
        ("<goal>load\n<code>x = 1</code>", "load"),
        ("<goal>outer <goal>inner</goal>", "inner"),
        ("<goal></goal>", ""),
        ("no tags at all", None),
        ("<goals>other</goals>", None),
    ],
)
def test_the_last_complete_tag_wins(text: str, value: str | None) -> None:
    assert tag(text, "goal") == value


def test_comparisons_in_code_are_not_taken_for_tags() -> None:
    code = "if a < code and b > code:\n    pass"
    assert tag(f"<code>\n{code}\n</code>", "code") == code


@pytest.mark.parametrize("text", ["<goal> </goal>", "nothing"])
def test_a_required_tag_complains_in_words(text: str) -> None:
    with pytest.raises(MalformedReply, match="<goal>"):
        required_tag(text, "goal")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<think>a\nb</think>answer", "answer"),
        ("a\nb</think>\n\nanswer", "answer"),
        ("<think>cut off", ""),
        ("<think></think><think>x</think>answer", "answer"),
        ("<thinking>a</thinking>answer", "answer"),
        ('print("<think>")', 'print("<think>")'),
        ("answer", "answer"),
    ],
)
def test_reasoning_blocks_are_removed(text: str, left: str) -> None:
    assert strip_thinking(text) == left


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1", "x = 1"),
        ("```python\nx = 1\n```", "x = 1"),
        ("```\nx = 1", "x = 1"),
        ("Here it is:\n```py\nx = 1\n```\nand then\n```py\ny = 2\n```\nDone.", "x = 1\n\ny = 2"),
        ("~~~python\nx = 1\n~~~", "x = 1"),
        ("`x = 1`", "x = 1"),
        ("    ```python\n    x = 1\n    ```", "    x = 1"),
        ('doc = """\n```\nnot a fence\n```\n"""', 'doc = """\n```\nnot a fence\n```\n"""'),
        ('```python\ndoc = """\n```\nx\n```\n"""\n```', 'doc = """\n```\nx\n```\n"""'),
    ],
)
def test_fences_are_stripped_from_code(text: str, code: str) -> None:
    assert strip_fences(text) == code


@pytest.mark.parametrize(
    "code",
    [
        "import pandas as pd\ndf = pd.DataFrame()",
        "!pip install -q lightgbm \\\n    xgboost\nx = 1",
        "%matplotlib inline\nx = 10 \\\n% 3",
        "for name in names:\n    !echo {name}",
        "files = !ls\nprint(files)",
        "t = %timeit -o f()",
        "await asyncio.sleep(0)",
        "df?",
        "%%bash\nls | head",
        "%%time\nx = 1",
        "x = 7\\\n% 4",
    ],
)
def test_a_notebook_cell_may_hold_magics_and_await(code: str) -> None:
    assert check_python(code) == ""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = (1,\n", "line 1"),
        ("x = 1\nprint 'a'", "line 2"),
        ("%%time\nx = = 1", "line 1"),
        ("!pip install x\ny = = 1", "line 2"),
        ("  ", "empty"),
        ("Here is the code you asked for.", "line 1"),
        ("x = '\0'", "null"),
    ],
)
def test_broken_code_is_described_by_line(code: str, words: str) -> None:
    assert words in check_python(code)


def test_sections_are_split_at_their_markers() -> None:
    text = "Intro\n=== Features ===\nnovelty: 3\n\n**=== Model ===**\nnovelty: 5"
    assert sections(text) == [("Features", "novelty: 3"), ("Model", "novelty: 5")]
    paths = sections(
        "preface\n### ===SOLUTION_PATH_1===\na\n===solution_path_2===\nb", r"===SOLUTION_PATH_\d+==="
    )
    assert [part.body for part in paths] == ["a", "b"]


def test_blocks_are_split_at_separators_and_empty_ones_dropped() -> None:
    text = "one\n===SEPARATOR===\n\n== Separator ==\ntwo\n**===SEPARATOR===**\n"
    assert separated_blocks(text) == ["one", "two"]


@pytest.mark.parametrize(
    "text",
    [
        '["a [x]", "b"]',
        "['a [x]', 'b']",
        'Here you are [as asked]:\n```json\n["a [x]",\n "b"]\n```\nGood luck',
        'As a list:\n["a [x]", "b",]\nDone.',
        "1. a [x]\n2. b",
        "Ideas:\n\n- a [x]\n- b",
        "* a [x]\n* b",
        "1) a [x]\n\n2) b",
    ],
)
def test_a_list_of_strings_is_read_in_any_usual_form(text: str) -> None:
    assert list_of_strings(text) == ["a [x]", "b"]


@pytest.mark.parametrize("text", ["[1, 2]", '["a", 1]', "[]", "[['a']]", '[{"idea": "a"}]'])
def test_a_list_of_something_else_is_a_complaint(text: str) -> None:
    with pytest.raises(MalformedReply):
        list_of_strings(text)


def test_no_list_is_a_complaint() -> None:
    with pytest.raises(MalformedReply, match="list"):
        list_of_strings("I have no ideas today.")


def test_bullets_keep_their_continuation_lines() -> None:
    assert bullets("- one\n  more\n  - nested\n- two\n\nThe end.") == ["one\nmore\n- nested", "two"]


@pytest.mark.parametrize(
    ("line", "score", "reason"),
    [
        ("novelty: 7 - new loss", 7, "new loss"),
        ("Novelty: 7/10 — new loss", 7, "new loss"),
        ("**Novelty**: 7/10 — new loss", 7, "new loss"),
        ("- **Novelty:** 7.5 (new loss)", 7.5, "new loss"),
        ("* Novelty (0-10): 7 - new loss", 7, "new loss"),
        ("1. novelty = 7; new loss", 7, "new loss"),
        ("| Novelty | 7 | new loss |", 7, "new loss"),
        ("novelty - 7: new loss", 7, "new loss"),
        ("novelty: 70/100, new loss", 7, "new loss"),
        ("novelty: 7 out of 10. new loss", 7, "new loss"),
        ("novelty: 7", 7, ""),
    ],
)
def test_scored_lines_are_read_in_any_usual_form(line: str, score: float, reason: str) -> None:
    assert scored_lines(f"text\n{line}\nmore") == {"novelty": (score, reason)}


@pytest.mark.parametrize("zero", ["0", "0.0", "0/10", "0 out of 5"])
@pytest.mark.parametrize("ten", ["10", "10.0", "10/10", "5 out of 5"])
def test_the_ends_of_the_scale_are_marks(zero: str, ten: str) -> None:
    read = scored_lines(f"novelty: {ten} - new\nrisk: {zero} - none")
    assert read == {"novelty": (10, "new"), "risk": (0, "none")}


@pytest.mark.parametrize(
    "line", ["novelty: 42 - off the scale", "novelty: high", "n_estimators: 500", "at 10:30"]
)
def test_lines_without_a_score_on_the_scale_are_left_out(line: str) -> None:
    assert "novelty" not in scored_lines(line)


@given(st.text(alphabet="<>/goal code`\n-=[]\"'%!?\\x1", max_size=120))
def test_no_text_breaks_a_reader(text: str) -> None:
    assert isinstance(check_python(strip_fences(strip_thinking(text))), str)
    assert tag(text, "goal") is None or "goal" in text.lower()
    assert all(isinstance(mark, float) for mark, _ in scored_lines(text).values())
    assert all(block for block in separated_blocks(text))
    assert len(sections(text)) <= text.count("=")
