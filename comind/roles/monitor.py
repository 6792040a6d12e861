"""Monitor's question about a running cell. When it is asked, and cheap rules, are `comind.agents.watch`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from comind.llm.client import CallKey
from comind.llm.formats import MalformedReply, tag
from comind.llm.question import ask_parsed
from comind.roles.desk import Desk
from comind.roles.prompts import quote


@dataclass(frozen=True, slots=True)
class MonitorVerdict:
    action: Literal["CONTINUE", "STOP"]
    explanation: str


async def watch(desk: Desk, key: CallKey, *, goal: str, code: str, time: str, output: str) -> MonitorVerdict:
    values = {"goal": goal, "code": quote(code, 4000), "time": time, "output": quote(output, 4000)}
    messages = desk.prompts.opening("monitor", "watch", values)
    return (await ask_parsed(desk.client, "monitor", key, messages, parse_verdict, attempts=2)).value


def parse_verdict(text: str) -> MonitorVerdict:
    action = (tag(text, "action") or "").strip().upper()
    explanation = re.sub(r"\s+", " ", tag(text, "explanation") or "").strip()
    match action:
        case "STOP":
            return MonitorVerdict("STOP", explanation or "no reason given")
        case "CONTINUE":
            return MonitorVerdict("CONTINUE", explanation or "no reason given")
        case _:
            raise MalformedReply(
                "Reply <action>CONTINUE</action> or <action>STOP</action>, and an explanation."
            )
