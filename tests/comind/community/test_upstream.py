"""Which Kaggle a run goes to, decided once and written into its settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comind.community.upstream import check_upstream, resolve_slug, settled, upstream_kaggle
from comind.config import RunConfig
from kaggle_runner.errors import BadCompetition, ConfigError, KaggleError, UnknownCompetition
from kaggle_runner.kaggle.records import KAGGLE_URL
from mle_live.service import ServerLimits
from tests.tiny_kaggle import SLUG, TOKEN, tiny_server

SERVED = {"COMIND_KAGGLE_URL": "http://127.0.0.1:8787", "COMIND_KAGGLE_TOKEN": "t"}
REAL = {"KAGGLE_API_TOKEN": "KGAT_1"}


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def goes_to(competition: str, environment: dict[str, str], **settings: Any) -> str:
    """The address, `child` for the run's own MLE-Live."""
    config = settled(RunConfig(competition=competition, **settings), environment)
    kaggle = upstream_kaggle(config, environment)
    return kaggle.url if kaggle else "child"


def test_the_shelf_is_served_by_the_run_itself(nowhere: dict[str, str]) -> None:
    assert goes_to("digits-5k", nowhere) == "child"
    assert goes_to("digits-5k", nowhere | REAL) == "child"


def test_a_named_kaggle_takes_every_slug(nowhere: dict[str, str]) -> None:
    for slug in ("digits-5k", "titanic"):
        assert goes_to(slug, nowhere | SERVED | REAL) == "http://127.0.0.1:8787"
        assert goes_to(slug, nowhere | REAL | SERVED, kaggle_url="kaggle.com") == KAGGLE_URL


def test_other_slugs_are_kaggle_coms(nowhere: dict[str, str]) -> None:
    assert goes_to("titanic", nowhere | REAL) == KAGGLE_URL
    assert settled(RunConfig(competition="titanic"), nowhere | REAL).kaggle_url == KAGGLE_URL
    with pytest.raises(UnknownCompetition, match="titanic"):
        goes_to("titanic", nowhere)


def test_a_resumed_run_goes_where_it_began(nowhere: dict[str, str]) -> None:
    begun = settled(RunConfig(competition="digits-5k"), nowhere | SERVED)
    assert begun.kaggle_url == "http://127.0.0.1:8787"
    later = upstream_kaggle(begun, nowhere | {"COMIND_KAGGLE_TOKEN": "t"})
    assert later is not None and later.url == begun.kaggle_url


def test_a_folder_is_never_sent_to_a_kaggle(nowhere: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        settled(RunConfig(competition="./mine", kaggle_url="kaggle.com"), nowhere | REAL)
    assert settled(RunConfig(competition="./mine"), nowhere | SERVED).kaggle_url == ""


def test_a_bare_name_is_a_folder_where_nothing_else_can_be_meant(
    nowhere: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert settled(RunConfig(competition="mine"), nowhere).is_folder
    with pytest.raises(BadCompetition):
        resolve_slug(RunConfig(competition="mine"), tmp_path / "state", nowhere)
    assert not settled(RunConfig(competition="mine"), nowhere | REAL).is_folder


def test_a_missing_token_of_the_named_one_is_said_before_anything(nowhere: dict[str, str]) -> None:
    config = RunConfig(competition="titanic", kaggle_url="http://127.0.0.1:8787")
    with pytest.raises(ConfigError) as error:
        resolve_slug(config, Path("state"), nowhere | REAL)
    assert "COMIND_KAGGLE_TOKEN" in error.value.hint


@pytest.fixture
def served(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment in which a Kaggle is named that asks for its rules to be accepted."""
    limits = ServerLimits(rules_required=True)
    with tiny_server(tmp_path, limits=limits) as server:
        yield {"HOME": str(tmp_path), "COMIND_KAGGLE_URL": server.url, "COMIND_KAGGLE_TOKEN": TOKEN}


@pytest.mark.parametrize(
    ("changed", "competition", "message", "way_out"),
    [
        ({}, SLUG, "rules: not accepted yet", f"competitions/{SLUG}/rules"),
        ({}, "tiny-cmop", "has no competition 'tiny-cmop'", f"Did you mean {SLUG}?"),
        ({"COMIND_KAGGLE_TOKEN": "wrong"}, SLUG, "the API token is not valid", "COMIND_KAGGLE_TOKEN"),
        ({"COMIND_KAGGLE_URL": "http://127.0.0.1:9"}, SLUG, "no connection", "MLE-Live running"),
    ],
)
async def test_what_stands_in_the_way_is_one_message_before_anything_is_spent(
    served: dict[str, str],
    tmp_path: Path,
    changed: dict[str, str],
    competition: str,
    message: str,
    way_out: str,
) -> None:
    with pytest.raises(KaggleError) as error:
        await check_upstream(RunConfig(competition=competition), served | changed, tmp_path / "state")
    assert message in error.value.message and way_out in error.value.hint


async def test_the_shelf_needs_nobody(nowhere: dict[str, str], tmp_path: Path) -> None:
    """The same competition asks a Kaggle as soon as one is named; these credentials are nobody's."""
    shelf, silent = RunConfig(competition="digits-5k"), {"COMIND_KAGGLE_URL": "http://127.0.0.1:9"}
    with pytest.raises(KaggleError, match="no connection"):
        await check_upstream(shelf, nowhere | SERVED | silent, tmp_path / "asked")
    await check_upstream(shelf, nowhere | REAL, tmp_path / "state")
    assert not (tmp_path / "state").exists()
