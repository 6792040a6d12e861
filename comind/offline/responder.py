"""One reply to one conversation: finds the role and the task and hands over to the part that answers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from comind.llm.tokens import Messages
from comind.offline.analysis import discussion_reply, kernel_reply
from comind.offline.coder import next_turn
from comind.offline.drafts import drafts_reply
from comind.offline.evaluation import layout_reply, metric_reply, split_reply
from comind.offline.ideas import brainstorm_reply, filter_reply
from comind.offline.monitor import watch_reply
from comind.offline.prompts import role_of, task_message
from comind.offline.report import report_reply
from comind.offline.scripter import change_reply
from comind.offline.short import draft_short_reply, filter_short_reply, kernel_short_reply, report_short_reply

_BY_MESSAGE: Final[Mapping[tuple[str, str], Callable[[str], str]]] = {
    ("analyzer", "kernel"): kernel_reply,
    ("analyzer", "kernel_short"): kernel_short_reply,
    ("analyzer", "discussion"): discussion_reply,
    ("proposer", "brainstorm"): brainstorm_reply,
    ("proposer", "filter"): filter_reply,
    ("proposer", "filter_short"): filter_short_reply,
    ("coordinator", "drafts"): drafts_reply,
    ("coordinator", "draft_short"): draft_short_reply,
    ("monitor", "watch"): watch_reply,
    ("scripter", "change"): change_reply,
    ("evaluator", "split"): split_reply,
    ("evaluator", "layout"): layout_reply,
    ("evaluator", "metric"): metric_reply,
}
_BY_CONVERSATION: Final[Mapping[tuple[str, str], Callable[[Messages], str]]] = {
    ("coder", "implement"): next_turn,
    ("coder", "report"): report_reply,
    ("coder", "report_short"): report_short_reply,
}


def respond(messages: Messages) -> str:
    """The reply to a conversation; the same messages always give the same reply."""
    role = role_of(messages)
    task, text = task_message(messages)
    if answer := _BY_MESSAGE.get((role, task)):
        return answer(text)
    if converse := _BY_CONVERSATION.get((role, task)):
        return converse(messages)
    return (
        "There is no language model here, only recipes for known prompts. "
        f"The role {role or 'of this conversation'!r} with the task {task or 'in it'!r} is not one of them."
    )
