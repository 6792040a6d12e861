"""Evaluator's two files as replies. What runs and checks them is `comind.evaluator`."""

from __future__ import annotations

from comind.evaluator.metric_file import direction_of
from comind.llm.client import CallKey
from comind.llm.formats import MalformedReply, check_python, required_tag, strip_fences, tag
from comind.llm.question import ask_parsed
from comind.roles.desk import Brief, Desk
from comind.roles.prompts import quote
from comind.roles.untagged import untagged_code


async def write_split(
    desk: Desk, brief: Brief, key: CallKey, *, fraction: float, seed: int, fault: str, reference: str = ""
) -> str:
    """The source of split_dataset.py; `fault` says why the last version was rejected, if there was one.

    A model that answers `unchanged` gets the reference file, and pays for one word instead of a page. Without
    a reference it writes all of it, for files that no ready split fits.
    """
    values = {
        "competition": brief.competition,
        "metric": brief.metric,
        "data": brief.data,
        "fraction": f"{fraction:.4g}",
        "seed": seed,
        "reference": quote(reference, 20_000),
        "fault": fault,
    }
    messages = desk.prompts.opening("evaluator", "split" if reference else "layout", values)
    reader = _FileReader("split", reference)
    return (await ask_parsed(desk.client, "evaluator", key, messages, reader)).value


async def write_metric(desk: Desk, brief: Brief, key: CallKey, *, fault: str) -> str:
    """The source of evaluate.py with its direction, for a metric that mle_live.metrics does not know."""
    values = {"competition": brief.competition, "metric": brief.metric, "data": brief.data, "fault": fault}
    messages = desk.prompts.opening("evaluator", "metric", values)

    def parse(text: str) -> str:
        source = _FileReader("score")(text)
        declared_direction(source)
        return source

    return (await ask_parsed(desk.client, "evaluator", key, messages, parse)).value


def declared_direction(source: str) -> bool:
    """The file's HIGHER_IS_BETTER; MalformedReply when it does not say."""
    declared = direction_of(source)
    if declared is None:
        raise MalformedReply(
            "The file does not set `HIGHER_IS_BETTER = True` or `= False` on a line of its own."
        )
    return declared


class _FileReader:
    """Reads a whole file that must define `function`; the word `unchanged` stands for `reference`."""

    def __init__(self, function: str, reference: str = "") -> None:
        self._function = function
        self._reference = reference

    def __call__(self, text: str) -> str:
        code = (untagged_code(text) if tag(text, "code") is None else None) or required_tag(text, "code")
        code = strip_fences(code) + "\n"
        if self._reference and code.strip(" \n.`'\"#").lower() == "unchanged":
            return self._reference
        fault = check_python(code)
        if fault:
            raise MalformedReply(f"The file is not valid Python: {fault}")
        if f"def {self._function}(" not in code:
            raise MalformedReply(f"The file does not define `{self._function}`.")
        return code
