"""Replies of models that keep to no tags: code in fences, and JSON."""

from __future__ import annotations

import json

import pytest

from comind.llm.formats import MalformedReply
from comind.roles.analyzer import parse_kernel
from comind.roles.coder import parse_turn
from comind.roles.coordinator import parse_drafts
from comind.roles.edits import Edit, parse_edits
from comind.roles.evaluator import _FileReader
from comind.roles.monitor import parse_verdict
from comind.roles.scripter import parse_change

WRITES = 'a.to_csv("validation_submission.csv", index=False)\nb.to_csv("/kaggle/working/submission.csv")'


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("```python\nx = 1\n```", "x = 1"),
        ("First I load the data:\n```python\nx = 1\n```\nThis gives x.", "x = 1"),
        ("```\nx = 1\n```", "x = 1"),
        ("~~~py\nx = 1\n~~~", "x = 1"),
        ("1. Load\n   ```python\n   x = 1\n   ```", "x = 1"),
        ("```python\nx = 1", "x = 1"),
        ("<answer>```python\nx = 1\n```</answer>", "x = 1"),
        ("```python\nx = 1\n```\nBetter:\n```python\nx = 2\nprint(x)\n```", "x = 2\nprint(x)"),
        ("```python\nx = 1\n```\nthen\n```python\nprint(x)\n```", "x = 1\n\nprint(x)"),
        ("```python\nx = 1\n```\nIt prints\n```\n0.93\n```", "x = 1"),
        ("```bash\npip install a\n```\n```python\nx = 1\n```", "x = 1"),
        ("```python\nx = 1\n```\n```python\nx = (\n```", "x = 1"),
        ('```json\n{"a": 1}\n```\n```python\nx = 1\n```', "x = 1"),
        ('```python\ntext = """\n```\nno end\n```\n"""\n```', 'text = """\n```\nno end\n```\n"""'),
    ],
)
def test_fenced_code_without_tags_is_the_cell(reply: str, code: str) -> None:
    assert parse_turn(reply).code == code


def test_its_goal_is_the_prose_before_and_its_files_are_those_it_writes() -> None:
    turn = parse_turn(f"**Write both files:**\n```python\n{WRITES}\n```")
    assert (turn.goal, turn.validation_submission, turn.submission) == (
        "Write both files", "validation_submission.csv", "submission.csv",
    )  # fmt: skip
    named = parse_turn(f"```python\n{WRITES}\n```\n<validation_submission>v.csv</validation_submission>"
                       "\n<submission>s.csv</submission>")  # fmt: skip
    assert (named.validation_submission, named.submission) == ("v.csv", "s.csv")
    assert not parse_turn("```python\na.to_csv('submission.csv')\n```").submits


@pytest.mark.parametrize(
    "reply", ["no code", "```\nno code at all\n```", '```json\n{"a": 1}\n```', '{"a": 1}']
)
def test_a_reply_without_code_asks_for_it(reply: str) -> None:
    with pytest.raises(MalformedReply, match="The <code> part is missing"):
        parse_turn(reply)


@pytest.mark.parametrize("form", ["{}", "```json\n{}\n```", "Here you are:\n```json\n{}\n```\nGood luck!"])
def test_json_whose_keys_are_the_parts_is_read(form: str) -> None:
    said = {"goal": "fit", "code": "x = 1\nprint(x)", "validation_submission": "v.csv", "submission": "s.csv"}
    for value in (said, {"reply": said}, said | {"code": ["x = 1", "print(x)"]}):
        turn = parse_turn(form.format(json.dumps(value)) if form != "{}" else json.dumps(value))
        assert (turn.goal, turn.code) == ("fit", "x = 1\nprint(x)")
        assert (turn.validation_submission, turn.submission) == ("v.csv", "s.csv")
    assert not parse_turn(json.dumps(said | {"submission": None, "validation_submission": "None"})).submits
    assert parse_verdict('{"action": "stop", "explanation": "it diverges"}').action == "STOP"
    assert parse_edits('[{"old": "a = 1", "new": "a = 2"}]') == [Edit("a = 1", "a = 2")]


def test_drafts_and_analyses_in_json_are_read() -> None:
    drafts = [{"title": "Trees", "baseline": True, "ideas": ["idea-1", "idea-2"], "description": "Trees."},
              {"title": "Nets", "baseline": False, "needs": "10 min", "code": "x = 1"}]  # fmt: skip
    for reply in (drafts, {"drafts": drafts}):
        trees, nets = parse_drafts(json.dumps(reply), 2)
        assert (trees.title, trees.baseline, trees.ideas) == ("Trees", True, ["idea-1", "idea-2"])
        assert (nets.title, nets.seconds, nets.code, nets.baseline) == ("Nets", 600, "x = 1", False)
    marks = {"novelty": 7, "feasibility": {"score": 8, "reason": "fast"}, "effectiveness": "6 - fair",
             "efficiency": 5}  # fmt: skip
    for said in ({"pipeline": "It fits trees.", "summary": marks}, {"pipeline": "It fits trees.", **marks}):
        found = parse_kernel(json.dumps(said))
        assert found.pipeline == "It fits trees." and found.marks["feasibility"] == 8


def test_whole_files_and_scripts_may_stand_in_fences() -> None:
    assert _FileReader("split")("Sure:\n```python\ndef split(a):\n    return a\n```").startswith("def split(")
    script = 'print("submission.csv")'
    assert parse_change(f"A first try.\n```python\n{script}\n```", "").script.strip() == script
