"""A person's own metric: read without being run, kept with the run, and used like a model's."""

from __future__ import annotations

from pathlib import Path

import pytest

from comind.config import RunConfig, load_config
from comind.evaluator.metric_file import asked_metric, fault_of, keep_metric_file
from comind.state.runs import RunFolder
from kaggle_runner.errors import ConfigError, UsageError

GOOD = """HIGHER_IS_BETTER: bool = False


def score(truth, submission):
    return float((truth["y"] - submission["y"]).abs().median())
"""


def test_a_name_or_a_file_is_what_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "my_metric.py"
    file.write_text(GOOD)
    assert asked_metric(RunConfig(competition="c")) is None
    named = asked_metric(RunConfig(competition="c", metric="r2"))
    assert named is not None and (named.name, named.higher_is_better, named.source) == ("r2", True, "option")
    own = asked_metric(RunConfig(competition="c", metric_file=str(file)))
    assert own is not None
    assert (own.name, own.higher_is_better, own.source) == ("my_metric.py", False, "option")


def test_an_unknown_name_and_two_metrics_are_refused() -> None:
    with pytest.raises(UsageError) as refused:
        asked_metric(RunConfig(competition="c", metric="rmsel"))
    assert "rmse" in refused.value.hint
    with pytest.raises(ConfigError, match="exclude"):
        RunConfig(competition="c", metric="rmse", metric_file="x.py")


def test_what_is_typed_replaces_what_the_file_of_settings_names(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("metric_file: mine.py\n")
    config = load_config(settings, {"competition": "c", "metric": "rmse"})
    assert (config.metric, config.metric_file) == ("rmse", "")


def test_the_run_keeps_a_copy(tmp_path: Path) -> None:
    file, folder = tmp_path / "m.py", RunFolder(tmp_path / "state" / "runs" / "r")
    file.write_text(GOOD)
    folder.path.mkdir(parents=True)
    keep_metric_file(RunConfig(competition="c", metric_file=str(file)), folder)
    assert folder.metric_file.read_text() == GOOD


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (GOOD, ""),
        ("def score(:\n", "not valid Python"),
        ("HIGHER_IS_BETTER = True\n", "function `score"),
        ("def score(truth, submission):\n    return 0.0\n", "HIGHER_IS_BETTER"),
        (GOOD.replace("False", "some_name"), "HIGHER_IS_BETTER"),
        (GOOD + "HIGHER_IS_BETTER = True\n", "HIGHER_IS_BETTER"),
    ],
)
def test_what_a_file_lacks_is_told(source: str, fault: str) -> None:
    assert fault in fault_of(source) and bool(fault) == bool(fault_of(source))


def test_a_file_that_is_away_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        asked_metric(RunConfig(competition="c", metric_file=str(tmp_path / "none.py")))
    (tmp_path / "b.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        asked_metric(RunConfig(competition="c", metric_file=str(tmp_path / "b.py")))
