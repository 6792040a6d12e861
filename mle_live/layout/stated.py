"""What a person says of a competition's files: in competition.yaml, by options, or through a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kaggle_runner.errors import BadCompetition
from mle_live.layout import NAMED_ROLES
from mle_live.layout.roles import SETTINGS


@dataclass(frozen=True, slots=True)
class StatedFiles:
    """What a person said of the files, by options or in competition.yaml; what is empty is found."""

    files: dict[str, str] = field(default_factory=dict)
    """Role (`sample`, `train`, `test`, `labels`) → name."""
    id_column: str = ""
    target: str = ""
    positive_class: str = ""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> StatedFiles:
        """From a competition.yaml, or from what the server that serves it says."""
        files = settings.get("files") or {}
        if not isinstance(files, Mapping) or not set(files) <= set(NAMED_ROLES):
            raise BadCompetition(
                f"{SETTINGS}: `files` is {files!r}", hint=f"name files by role: {', '.join(NAMED_ROLES)}"
            )
        texts = (str(settings.get(name) or "") for name in ("id_column", "target", "positive_class"))
        return cls({str(role): str(name) for role, name in files.items()}, *texts)

    def over(self, other: StatedFiles) -> StatedFiles:
        """The same, and what only `other` says."""
        return StatedFiles(
            {**other.files, **self.files},
            self.id_column or other.id_column,
            self.target or other.target,
            self.positive_class or other.positive_class,
        )

    def as_settings(self) -> dict[str, Any]:
        return asdict(self)
