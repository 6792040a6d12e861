"""What several tests of the agents open."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.comind.llm.desk import OpenDesk, desk_opener


@pytest.fixture
def desk(tmp_path: Path) -> OpenDesk:
    """Opens a model client at a scripted server; see tests/comind/llm/desk.py."""
    return desk_opener(tmp_path)
