"""Which Kaggle is meant, and that credentials never go to the wrong one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kaggle_runner.errors import ConfigError
from kaggle_runner.kaggle.addresses import chosen, configured, kaggle_credentials
from kaggle_runner.kaggle.records import KAGGLE_URL

LOCAL = "http://127.0.0.1:8787"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".kaggle").mkdir()
    return tmp_path


def test_without_credentials_the_message_says_where_a_token_is_made(home: Path) -> None:
    with pytest.raises(ConfigError) as error:
        chosen({"HOME": str(home)})
    assert "kaggle.com/settings" in error.value.hint and "KAGGLE_API_TOKEN" in error.value.hint
    assert configured({"HOME": str(home)}) == []


def test_kaggle_com_in_any_spelling_is_its_api(home: Path) -> None:
    environment = {"HOME": str(home), "KAGGLE_API_TOKEN": "KGAT_1"}
    for url in ("", "kaggle.com", "https://www.kaggle.com", "http://kaggle.com/", KAGGLE_URL):
        kaggle = chosen(environment, url)
        assert (kaggle.name, kaggle.url, kaggle.credentials) == ("kaggle.com", KAGGLE_URL, "KGAT_1")


@pytest.mark.parametrize("url", [LOCAL, "127.0.0.1:8787", "https://kaggle.example.com", "https://kagle.com"])
def test_another_host_never_gets_credentials_of_kaggle_com(home: Path, url: str) -> None:
    (home / ".kaggle" / "access_token").write_text("KGAT_2")
    environment = {
        "HOME": str(home),
        "KAGGLE_API_TOKEN": "KGAT_1",
        "KAGGLE_USERNAME": "me",
        "KAGGLE_KEY": "key",
    }
    with pytest.raises(ConfigError) as error:
        chosen(environment, url)
    assert "COMIND_KAGGLE_TOKEN" in error.value.hint
    kaggle = chosen({**environment, "COMIND_KAGGLE_TOKEN": "local"}, url)
    assert kaggle.credentials == "local" and not kaggle.is_kaggle_com
    assert "local" not in repr(kaggle)


@pytest.mark.parametrize("token", ["/nowhere/access_token", "~/nowhere", "./nowhere"])
def test_a_path_that_is_no_file_is_not_taken_for_a_token(home: Path, token: str) -> None:
    with pytest.raises(ConfigError, match="no file"):
        chosen({"HOME": str(home), "COMIND_KAGGLE_TOKEN": token}, LOCAL)


def test_kaggle_com_never_gets_the_token_of_another_host(home: Path) -> None:
    with pytest.raises(ConfigError):
        chosen({"HOME": str(home), "COMIND_KAGGLE_TOKEN": "local"}, "https://www.kaggle.com")


@pytest.mark.parametrize(
    "url", ["http://kaggle.example.com", "ftp://127.0.0.1", "http://", "https://me:pw@host", "https://a/?x=1"]
)
def test_addresses_that_cannot_be_meant_are_refused(home: Path, url: str) -> None:
    with pytest.raises(ConfigError) as error:
        chosen({"HOME": str(home), "COMIND_KAGGLE_TOKEN": "local"}, url)
    assert "--kaggle-url" in error.value.message


def test_the_named_one_stands_beside_kaggle_com(home: Path) -> None:
    environment = {"HOME": str(home), "COMIND_KAGGLE_URL": LOCAL, "COMIND_KAGGLE_TOKEN": "local"}
    assert [kaggle.name for kaggle in configured(environment)] == ["127.0.0.1:8787"]
    environment["KAGGLE_API_TOKEN"] = "KGAT_1"
    assert [kaggle.name for kaggle in configured(environment)] == ["kaggle.com", "127.0.0.1:8787"]
    assert chosen(environment).name == "127.0.0.1:8787"
    assert chosen(environment, "kaggle.com").name == "kaggle.com"
    environment["COMIND_KAGGLE_URL"] = "https://www.kaggle.com"
    assert [kaggle.name for kaggle in configured(environment)] == ["kaggle.com"]


def test_credentials_are_found_in_the_official_clients_order(home: Path, tmp_path: Path) -> None:
    environment = {"HOME": str(home)}
    folder = home / ".kaggle"
    (folder / "credentials.json").write_text(json.dumps({"access_token": "hours", "refresh_token": "r"}))
    found = kaggle_credentials(environment)
    assert found is not None and found[0] == "hours" and "auth login" in found[1]
    (folder / "kaggle.json").write_text(json.dumps({"username": "file", "key": "k"}))
    assert kaggle_credentials(environment) == (("file", "k"), str(folder / "kaggle.json"))
    environment |= {"KAGGLE_USERNAME": "variable", "KAGGLE_KEY": "v"}
    assert kaggle_credentials(environment) == (("variable", "v"), "KAGGLE_USERNAME and KAGGLE_KEY")
    (folder / "access_token.txt").write_text("KGAT_file\n")
    assert kaggle_credentials(environment) == ("KGAT_file", str(folder / "access_token.txt"))
    (tmp_path / "token").write_text("KGAT_named\n")
    environment["KAGGLE_API_TOKEN"] = str(tmp_path / "token")
    assert kaggle_credentials(environment) == ("KGAT_named", "KAGGLE_API_TOKEN")
    assert chosen(environment).kind == "API token"
    (tmp_path / "session").write_text("of the session")
    environment |= {"KAGGLE_API_V1_TOKEN": str(tmp_path / "session"), "KAGGLE_DATA_PROXY_URL": "http://proxy"}
    assert kaggle_credentials(environment) == ("of the session", "the Kaggle session")


def test_a_damaged_key_file_is_named(home: Path) -> None:
    (home / ".kaggle" / "kaggle.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"kaggle\.json"):
        chosen({"HOME": str(home)})
    (home / "elsewhere").mkdir()
    (home / "elsewhere" / "kaggle.json").write_text(json.dumps({"username": "me", "key": "k"}))
    found = chosen({"HOME": str(home), "KAGGLE_CONFIG_DIR": str(home / "elsewhere")})
    assert found.credentials == ("me", "k") and found.kind == "legacy key"
