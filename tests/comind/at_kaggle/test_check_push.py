"""What is looked at, and told, before anything is pushed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from comind.at_kaggle.setup import check_push
from comind.config import RunConfig
from kaggle_runner.errors import KaggleError
from tests.tiny_kaggle import DEADLINE, NOW, SLUG, TOKEN, RunningServer, tiny_server


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[RunningServer]:
    now = DEADLINE + timedelta(days=1)
    with tiny_server(tmp_path, now=now) as server:
        yield server


def settings(server: RunningServer, slug: str = SLUG) -> tuple[RunConfig, dict[str, str]]:
    config = RunConfig(competition=slug, executor="kaggle", accelerator="none", kaggle_url=server.url)
    return config, {"COMIND_KAGGLE_TOKEN": TOKEN}


async def test_a_closed_competition_is_told_before_a_push(closed: RunningServer, tmp_path: Path) -> None:
    remarks = await check_push(*settings(closed), tmp_path)
    [told] = [remark for remark in remarks if remark.startswith("deadline")]
    assert "closed since" in told and "no submissions that count" in told


async def test_an_open_one_has_no_remark_about_its_deadline(tmp_path: Path) -> None:
    with tiny_server(tmp_path, now=NOW) as server:
        remarks = await check_push(*settings(server), tmp_path)
        assert [remark for remark in remarks if remark.startswith("deadline")] == []
        with pytest.raises(KaggleError):
            await check_push(*settings(server, "no-such-competition"), tmp_path)
