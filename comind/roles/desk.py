"""What every role needs to ask a question, and the competition's facts that every prompt repeats."""

from __future__ import annotations

from dataclasses import dataclass

from comind.llm.question import Asker
from comind.roles.prompts import Prompts


@dataclass(frozen=True, slots=True)
class Desk:
    """Whom to ask (any model client) and with which prompts."""

    client: Asker
    prompts: Prompts


@dataclass(frozen=True, slots=True)
class Brief:
    """The stable facts of a run as prompt text; placed first in prompts so that providers can cache them."""

    competition: str
    """Title and description, bounded."""
    metric: str
    machine: str
    data: str
    gpu: bool = False
    """Whether the machine has one."""
