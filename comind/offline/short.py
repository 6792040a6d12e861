"""The smaller questions of the ladder (comind.llm.question): the whole ones' answers, cut short."""

from __future__ import annotations

import re

from comind.llm.formats import scored_lines, separated_blocks, tag
from comind.llm.tokens import Messages
from comind.offline.analysis import kernel_reply
from comind.offline.drafts import drafts_reply
from comind.offline.ideas import filter_reply
from comind.offline.report import report_reply

_FENCED = re.compile(r"^```.*?^```[ \t]*$", re.M | re.S)


def kernel_short_reply(task: str) -> str:
    whole = kernel_reply(task)
    prose = _FENCED.sub("", separated_blocks(whole)[0]).strip()
    marks = [line for line in whole.splitlines() if "effectiveness" in scored_lines(line)]
    return "\n".join([prose, *marks[:1]])


def filter_short_reply(task: str) -> str:
    return ", ".join(dict.fromkeys(re.findall(r"idea-\d+", filter_reply(task)))) or "none"


def draft_short_reply(task: str) -> str:
    """The draft that would come after those taken."""
    head, _, rest = task.partition("## Drafts taken")
    taken = len(re.findall(r"^- ", rest.partition("## ")[0], re.M))
    return separated_blocks(drafts_reply(f"{head}## Number of drafts\n{taken + 1}\n"))[-1]


def report_short_reply(messages: Messages) -> str:
    return f"<pipeline>\n{tag(report_reply(messages), 'pipeline')}\n</pipeline>"
