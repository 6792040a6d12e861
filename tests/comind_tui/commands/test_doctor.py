"""`doctor` and the way to a Kaggle: every link of the chain, on a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comind_tui.cli import main
from tests.tiny_kaggle import SLUG, TOKEN, RunningServer, tiny_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("kaggle")
    with tiny_server(folder) as running:
        yield running


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KAGGLE_CONFIG_DIR", raising=False)


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main(["doctor", "--json", "--state", "state", *words])
    answer = json.loads(capsys.readouterr().out)
    return code, {one["name"]: one for one in answer["kaggle"]}


def test_the_whole_chain_to_a_competition(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMIND_KAGGLE_TOKEN", TOKEN)
    code, found = ask(capsys, "--competition", SLUG, "--kaggle-url", server.url)
    assert list(found) == [
        "credentials", "kaggle", "clock", "competition", "kind", "deadline", "rules", "submissions", "quota",
        "data", "external data", "automated tools", "paid tools", "private sharing", "team limits",
        "environment",
    ]  # fmt: skip
    assert "torchvision" in found["environment"]["detail"]  # it has a picture, and nothing here can read many
    assert "COMIND_KAGGLE_TOKEN" in found["credentials"]["detail"]
    assert found["team limits"]["detail"] == "not said: there is no rules page"
    assert code in (0, 4) and all(one["verdict"] != "missing" for one in found.values())


def test_the_text_says_whether_it_is_ready(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMIND_KAGGLE_TOKEN", TOKEN)
    monkeypatch.setenv("COMIND_KAGGLE_URL", server.url)
    main(["doctor", "--state", "state", "--competition", "no-such-comp"])
    out = capsys.readouterr().out
    assert "no-such-comp cannot be used yet; see MISSING above." in out and TOKEN not in out
    main(["doctor", "--state", "state", "--competition", SLUG])
    assert f"{SLUG} is ready to be used." in capsys.readouterr().out


def test_a_missing_token_is_one_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = ask(capsys, "--competition", SLUG)
    assert list(found) == ["credentials"] and "KAGGLE_API_TOKEN" in found["credentials"]["hint"]
    assert code in (3, 4)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_real")
    _, found = ask(capsys, "--kaggle-url", "http://127.0.0.1:9")
    assert list(found) == ["credentials"] and "COMIND_KAGGLE_TOKEN" in found["credentials"]["hint"]
