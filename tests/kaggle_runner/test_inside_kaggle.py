"""What a process knows of the Kaggle session that it runs in."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from kaggle_runner.errors import MachineError
from kaggle_runner.inside_kaggle import (
    LENGTH,
    MARK,
    attached,
    find_attached,
    is_session,
    read_secrets,
    seconds_left,
    session_seconds,
    with_secrets,
)

SESSION = {"KAGGLE_KERNEL_RUN_TYPE": "Batch", MARK: "1"}


@pytest.mark.parametrize("own", ["KAGGLE_DATA_PROXY_URL", "KAGGLE_USER_SECRETS_TOKEN", "KAGGLE_URL_BASE"])
def test_kaggles_own_variables_tell_a_session(own: str) -> None:
    assert is_session({"KAGGLE_KERNEL_RUN_TYPE": "Interactive", own: "x"})


def test_a_sandbox_that_looks_like_kaggle_is_none() -> None:
    assert not is_session({"KAGGLE_KERNEL_RUN_TYPE": "Batch"})
    assert not is_session({MARK: "1"})
    assert not is_session({"KAGGLE_API_TOKEN": "x", "KAGGLE_DATA_PROXY_URL": "x"})
    assert is_session(SESSION)


def test_a_session_with_an_accelerator_is_shorter(tmp_path: Path) -> None:
    assert session_seconds(SESSION, devices=tmp_path) == 12 * 3600
    (tmp_path / "nvidia0").touch()
    assert session_seconds(SESSION, devices=tmp_path) == 9 * 3600
    assert session_seconds({**SESSION, LENGTH: "600"}, devices=tmp_path) == 600
    with pytest.raises(MachineError, match="'nine hours'"):
        session_seconds({**SESSION, LENGTH: "nine hours"})


def test_time_is_kept_back_for_winding_down() -> None:
    whole = {**SESSION, LENGTH: "43200"}
    assert seconds_left(whole, age=0) == 43200 - 900
    assert seconds_left(whole, age=43000) == 0
    assert seconds_left({**SESSION, LENGTH: "600"}, age=100) == 600 - 60 - 100
    assert 0 <= seconds_left({**SESSION, LENGTH: "9999999"}) < 9999999 - 900, "the container's own age counts"


class KeptSecrets:
    """Stands for kaggle_secrets, which exists inside Kaggle only."""

    kept: dict[str, str] = {}  # noqa: RUF012
    fault: Exception | None = None

    def get_secret(self, label: str) -> str:
        if self.fault is not None:
            raise self.fault
        if label not in self.kept:
            raise LookupError(f"No user secrets exist for kernel id 1 and label {label}.")
        return self.kept[label]


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> type[KeptSecrets]:
    class Client(KeptSecrets):
        pass

    module = types.ModuleType("kaggle_secrets")
    module.UserSecretsClient = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kaggle_secrets", module)
    return Client


def test_secrets_add_to_the_environment_and_replace_nothing(secrets: type[KeptSecrets]) -> None:
    secrets.kept = {"OPENAI_API_KEY": "sk-canary ", "COMIND_MODEL": "gpt-x"}
    environment = {**SESSION, "COMIND_MODEL": "typed"}
    assert with_secrets(environment) == {**environment, "OPENAI_API_KEY": "sk-canary"}
    assert "OPENAI_API_KEY" not in environment
    assert "sk-canary" not in repr(read_secrets(SESSION))


def test_outside_a_session_no_secret_is_asked_for(secrets: type[KeptSecrets]) -> None:
    secrets.kept = {"OPENAI_API_KEY": "sk-canary"}
    assert with_secrets({"KAGGLE_KERNEL_RUN_TYPE": "Batch"}) == {"KAGGLE_KERNEL_RUN_TYPE": "Batch"}


def test_why_there_is_no_secret_is_told(secrets: type[KeptSecrets]) -> None:
    assert "hold no" in read_secrets(SESSION).fault
    secrets.fault = ConnectionError("Connection error trying to communicate with service.")
    assert "is Internet on?" in read_secrets(SESSION).fault
    sys.modules.pop("kaggle_secrets")
    assert read_secrets(SESSION).fault == "this session has no Kaggle Secrets"


def test_an_attached_competition_is_found_in_both_places(tmp_path: Path) -> None:
    assert attached("titanic", root=tmp_path) is None
    (tmp_path / "competitions" / "titanic").mkdir(parents=True)
    assert attached("titanic", root=tmp_path) == tmp_path / "competitions" / "titanic"
    (tmp_path / "titanic").mkdir()
    assert attached("titanic", root=tmp_path) == tmp_path / "titanic"
    for odd in ("../secret", "", ".", "a/b"):
        assert attached(odd, root=tmp_path) is None


def test_files_of_attached_sources_are_found_without_reading_the_whole_tree(tmp_path: Path) -> None:
    near, far = tmp_path / "notebooks" / "ann" / "run" / "state.json", tmp_path / "a/b/c/d/e/state.json"
    for path in (near, far):
        path.parent.mkdir(parents=True)
        path.touch()
    assert find_attached("state.json", root=tmp_path) == [near]
