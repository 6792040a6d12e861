"""Settings: precedence, durations, and one clear message for each mistake."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from comind.config import RunConfig, Settings, from_mapping, kept_settings, load_config, parse_duration
from kaggle_runner.errors import ConfigError


def yaml_file(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text)
    return path


def test_typed_beats_file_beats_preset_beats_default(tmp_path: Path) -> None:
    file = yaml_file(tmp_path, "preset: small-model\nsteps: 9\ncoders: 3\n")
    config = load_config(file, {"competition": "c", "coders": 7})
    assert (config.coders, config.steps, config.sample_kernels) == (7, 9, 4)
    assert config.rounds == RunConfig(competition="c").rounds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1h30m", 5400), ("1.5d", 129600)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "2 weeks", "-5m", "1h and a bit"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("coderz: 4", "unknown setting 'coderz'. Did you mean 'coders'"),
        ("coders: many", "coders is 'many'"),
        ("coders: true", "coders is True"),
        ("coders: 0", "between 1 and 64"),
        ("preset: huge", "no preset 'huge'"),
        ("role_models: {critic: m}", "no role 'critic'"),
        ("max_cost: -1", "cannot be negative"),
        ("max_cost: .nan", "cannot be negative"),
        ("validation_fraction: 0.9", "0.01"),
        ("executor: cloud", "no executor 'cloud'"),
        ("executor: kaggle\nallow_packages: true", "--internet is needed"),
        ("fallback_models: m@http://127.0.0.1:1/v1", "must be of type list"),
        ("fallback_models: [7]", "must be of type list[str]"),
        ("role_models: {coder: 7}", "role_models is {'coder': 7}, but it must be of type dict[str, str]"),
        ("role_models: {7: m}", "role_models is {7: 'm'}, but it must be of type dict[str, str]"),
        ("temperature: hot", "temperature is 'hot'"),
        ("coding: 7", "coding is 7"),
        ("time_limit: [1]", "time_limit is [1]"),
        ("time_limit: null", "time_limit is None"),
        ("agent_time_limit: {a: 1}", "agent_time_limit is"),
        ("max_tokens: -5", "between 0 and"),
        ("seed: -1", "between 0 and"),
        ("community_hours: -1", "community_hours is -1.0; it must lie between 0 and"),
        ("community_limit: -0.5", "community_limit is -0.5; it must lie between 0 and"),
        ("prices: [m]", "must be of type dict"),
        ("plateau_rounds: -1", "between 0 and"),
        ("cpu_threads: -3", "between 0 and"),
        ("memory_limit: 1", "between 100000000 and"),
        ("- a\n- b", "setting: value"),
        ("a: [", "not valid YAML"),
    ],
)
def test_each_mistake_in_a_file_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint.replace("[", r"\[").replace("(", r"\(")):
        load_config(yaml_file(tmp_path, text), {"competition": "c"})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml"):
        load_config(tmp_path / "nothing.yaml", {"competition": "c"})


def test_no_competition_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="No competition"):
        load_config(None, {})


def test_a_path_is_a_folder_and_a_bare_name_is_not() -> None:
    assert RunConfig(competition="./data").is_folder
    assert RunConfig(competition=".").is_folder
    assert not RunConfig(competition="census-income").is_folder


def test_none_is_no_limit_on_dollars_and_nothing_is_the_default(tmp_path: Path) -> None:
    given = {"competition": "c"}
    assert load_config(yaml_file(tmp_path, "max_cost: none"), given).max_cost == math.inf
    assert load_config(yaml_file(tmp_path, "max_cost: null"), given).max_cost is None
    kept = load_config(None, {**given, "max_cost": math.inf}).as_dict()
    assert from_mapping(json.loads(json.dumps(kept)), where="the run's row").max_cost == math.inf


def test_a_folder_is_kept_by_its_whole_path_and_a_slug_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert RunConfig(competition="./fruit").anchored().competition == f"{tmp_path.resolve() / 'fruit'}/"
    assert RunConfig(competition="census-income").anchored().competition == "census-income"


@pytest.mark.parametrize(
    ("kept", "settings"),
    [
        ({}, {}),
        ({"coders": 7, "warp": 9, "state": "/somewhere"}, {"coders": 7}),
        ({"steps": "many", "seed": None, "max_tokens": None, "competition": 5}, {"competition": ""}),
        ({"max_cost": "none", "time_limit": "2h"}, {"max_cost": math.inf, "time_limit": 7200.0}),
        ({"role_models": {"coder": 3}, "fallback_models": ["m"]}, {"fallback_models": ["m"]}),
        ({"coders": 900, "executor": "ray"}, {"coders": 900, "executor": "ray"}),
    ],
)
def test_settings_of_runs_of_any_version_can_be_read(kept: dict[str, Any], settings: dict[str, Any]) -> None:
    read = kept_settings({"competition": "c", **kept})
    assert read == Settings(**{"competition": "c", **settings})
