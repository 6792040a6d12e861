"""The command line: contracts of its data, one message for each mistake, exit codes."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

from comind.run.results import write_report
from comind.state.runs import RunFolder
from comind.state.store import Store
from comind_tui.cli import main
from comind_tui.commands import doctor, listing
from comind_tui.commands.arguments import build_parser
from comind_tui.commands.run import config_from
from kaggle_runner.errors import UsageError
from tests.comind_tui import sample_run
from tests.comind_tui.bad_runs import changed

HEAVY = (
    "pandas", "numpy", "openai", "pydantic", "yaml", "jupyter_client", "starlette", "requests", "kagglesdk",
)  # fmt: skip
"""What the home screen, the run screen and commands that read have no use for."""


def loaded_by(code: str, names: Sequence[str] = (*HEAVY, "textual")) -> list[str]:
    """The heavy libraries that a fresh interpreter has loaded after some code."""
    code += f"\nimport sys; print([name for name in {names!r} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stderr.strip().splitlines()[-1].replace("'", '"'))
    return found


def test_help_tells_commands_and_exit_codes_and_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "comind_tui", "--help"], capture_output=True, text=True, check=True
    )
    for word in ("run", "attach", "resume", "competitions", "doctor", "--kaggle-push", "exit codes", "130"):
        assert word in done.stdout
    for words in (["--help"], ["run", "--help"]):
        code = f"from comind_tui.cli import main\ntry: main({words})\nexcept SystemExit: pass"
        assert (
            loaded_by(code, (*HEAVY, "textual", "msgspec", "sqlite3", "asyncio", "importlib.metadata")) == []
        )


def test_the_version_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "comind_tui", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"comind-tui {version('comind')}\n"


@pytest.mark.parametrize("words", [["runs"], ["show", "--json"], ["ideas"], ["leaderboard"]])
def test_reading_runs_loads_nothing_heavy(words: list[str], live_run: RunFolder) -> None:
    state = str(live_run.path.parent.parent)
    assert loaded_by(f"from comind_tui.cli import main; main({[*words, '--state', state]})") == []


def test_the_screens_load_nothing_heavy_but_what_draws_them() -> None:
    screens = ("comind_tui.app", "comind_tui.screens.home", "comind_tui.screens.run")
    assert loaded_by(f"import {', '.join(screens)}", HEAVY) == []


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["frob"], 2, "invalid choice: 'frob'"),
        (["run"], 2, "No competition was named"),
        (["run", "x"], 2, "OPENAI_API_KEY is not set"),
        (["run", "x", "--offline", "--coders", "many"], 2, "invalid int value: 'many'"),
        (["run", "x", "--offline", "--coders", "0"], 2, "coders is 0"),
        (["run", "x", "--offline", "--offlin"], 2, "--offlin"),
        (["run", "x", "--offline", "--time-limit", "soon"], 2, "'soon' is not a duration"),
        (["run", "x", "--offline", "--max-cost", "lots"], 2, "not an amount of dollars"),
        (["run", "x", "--offline", "--preset", "huge"], 2, "There is no preset 'huge'"),
        (["run", "x", "--offline", "--model", "m"], 2, "--offline and --model exclude each other"),
        (["run", "x", "--model", "m", "--role-model", "coder"], 2, "is not ROLE=MODEL"),
        (["run", "x", "--base-url", "http://h", "--role-model", "cook=m"], 2, "There is no role 'cook'"),
        (["run", "x", "--offline", "--config", "absent.yaml"], 2, "absent.yaml cannot be read"),
        (["run", "x", "--offline", "--executor", "ray"], 2, "no executor 'ray'"),
        (["--kaggle-push", "titanic"], 2, "OPENAI_API_KEY is not set"),
        (["--kaggle-push", "x", "--offline", "--preset", "small-model"], 2, "scripts cannot be pushed"),
        (["--kaggle-push", "x", "--offline", "--accelerator", "abacus"], 2, "no accelerator 'abacus'"),
        (["run", "x", "--offline", "--attach-competition"], 2, "it needs --executor kaggle"),
        (["--kaggle-push"], 2, "needs a competition"),
        (["show", "nothing"], 2, "There is no run 'nothing'"),
        (["attach"], 2, "There is no run in"),
        ([], 2, "needs a terminal"),
    ],
)
def test_each_mistake_is_one_message_with_a_way_out_and_an_exit_code(
    words: list[str],
    code: int,
    part: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert part in err
    assert err.count("comind-tui: ") == 1
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_with_json_a_mistake_is_an_object_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--json", "--state", str(tmp_path)]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"error", "hint"}
    assert "comind-tui run" in answer["hint"]


def test_a_unique_beginning_names_a_run_and_an_ambiguous_one_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample_run.build(tmp_path, run_id="digits-one")
    sample_run.build(tmp_path, run_id="digits-two")
    assert main(["show", "digits-o", "--json", "--state", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == "digits-one"
    assert main(["show", "digits", "--state", str(tmp_path)]) == 2
    assert "More than one run" in capsys.readouterr().err


def test_only_typed_options_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("competition: bike-demand\noffline: true\ncoders: 3\nrounds: 7\ntime-limit: 2h\n")
    arguments = build_parser().parse_args(
        ["run", "--config", str(file), "--rounds", "2", "--max-cost", "none"]
    )
    config = config_from(arguments)
    assert (config.competition, config.coders, config.rounds) == ("bike-demand", 3, 2)
    assert (config.time_limit, config.max_cost) == (7200.0, math.inf)


def test_role_models_are_read_and_are_enough_without_a_key() -> None:
    roles = ("coordinator", "analyzer", "proposer", "coder", "monitor", "evaluator")
    words = ["run", "x", *(f"--role-model={role}=m@http://127.0.0.1:1/v1" for role in roles)]
    config = config_from(build_parser().parse_args(words))
    assert config.role_models["coder"] == "m@http://127.0.0.1:1/v1"


def test_a_misspelt_setting_in_the_file_names_its_neighbour(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("competition: x\noffline: true\ncoder: 3\n")
    with pytest.raises(UsageError, match="Did you mean 'coders'"):
        config_from(build_parser().parse_args(["run", "--config", str(file)]))


def test_runs_are_listed_newest_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = sample_run.START.replace(hour=15)
    sample_run.build(tmp_path, run_id="old", status="finished")
    sample_run.build(tmp_path, run_id="new", status="failed", started=later)
    assert main(["runs", "--json", "--state", str(tmp_path)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["run"], row["status"], row["rank"]) for row in rows] == [
        ("new", "failed", None),
        ("old", "finished", 14),
    ]
    assert main(["runs", "--state", str(tmp_path)]) == 0
    assert "14/212" in capsys.readouterr().out


def test_no_runs_is_an_empty_list_and_a_way_to_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--json", "--state", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["runs", "--state", str(tmp_path)]) == 0
    assert "comind-tui run" in capsys.readouterr().err


def test_competitions_can_be_entered_offline(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["competitions", "--json"]) == 0
    assert "digits-5k" in {entry["slug"] for entry in json.loads(capsys.readouterr().out)}
    assert main(["competitions"]) == 0
    assert "census-income" in capsys.readouterr().out


@pytest.mark.parametrize(("command", "count"), [("ideas", 2), ("reports", 0)])
def test_search_finds_words_and_their_beginnings(
    command: str, count: int, live_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [command, "--search", "blend unli", "--json", "--state", str(live_run.path.parent.parent)]
    assert main(words) == 0
    assert len(json.loads(capsys.readouterr().out)) == count


def test_the_leaderboard_is_sorted_and_says_what_beats_the_baseline(
    live_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    state = str(live_run.path.parent.parent)
    assert main(["leaderboard", "--json", "--state", state]) == 0
    entries = json.loads(capsys.readouterr().out)
    scores = [entry["score"] for entry in entries]
    assert scores == sorted(scores, reverse=True)
    assert all(entry["beats_baseline"] for entry in entries)
    assert main(["leaderboard", "--state", state]) == 0
    out = capsys.readouterr().out
    assert "0.94400 [0.92600, 0.96000]" in out and "✓ beats" in out


def test_a_rank_among_an_unknown_number_of_teams_is_a_rank_alone(
    finished_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    with changed(finished_run) as connection:
        connection.execute("UPDATE run SET test = json_set(test, '$.teams', json('null'))")
    state = str(finished_run.path.parent.parent)
    assert main(["show", "--state", state]) == main(["runs", "--state", state]) == 0
    out = capsys.readouterr().out
    assert "rank 14 on a synthetic board" in out and " 14 (synthetic)" in out
    with Store(finished_run.database) as store:
        report = write_report(store, finished_run).read_text()
    assert ", rank 14 on a synthetic board, silver medal" in report


def test_without_a_baseline_nothing_is_said_to_beat_it_or_not(
    live_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    state = str(live_run.path.parent.parent)
    with changed(live_run) as connection:
        connection.execute("UPDATE run SET baseline = '{}'")
    assert main(["leaderboard", "--json", "--state", state]) == 0
    assert {entry["beats_baseline"] for entry in json.loads(capsys.readouterr().out)} == {None}
    assert main(["leaderboard", "--state", state]) == 0
    out = capsys.readouterr().out
    assert "beats" not in out and "noise" not in out


@pytest.mark.parametrize("command", ["show", "ideas", "reports", "leaderboard", "runs"])
@pytest.mark.parametrize("form", ["people", "json"])
def test_nothing_an_agent_wrote_can_steer_the_terminal(
    command: str, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample_run.build(tmp_path, hostile=True)
    assert main([command, "--state", str(tmp_path), *(["--json"] if form == "json" else [])]) == 0
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()


def test_doctor_finds_this_machine_able_and_never_shows_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    code = main(["doctor", "--json", "--state", str(tmp_path / "state"), "--base-url", "http://127.0.0.1:9"])
    out = capsys.readouterr().out
    answer = json.loads(out)
    found = {one["name"]: one for one in answer["findings"]}
    assert "very-secret" not in out
    assert code == (0 if answer["ok"] else 4)
    assert found["python"]["verdict"] == found["packages"]["verdict"] == found["state"]["verdict"] == "ok"
    assert found["endpoint"]["verdict"] == "optional"
    assert "does not answer" in found["endpoint"]["detail"]
    assert {"sandbox", "gpu", "environment", "disk", "kaggle token", "terminal"} <= set(found)


def test_a_state_folder_that_cannot_be_made_is_what_doctor_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["doctor", "--state", str(tmp_path / "file" / "state")]) == 4
    assert "--state DIR" in capsys.readouterr().out


def test_resuming_a_run_that_has_an_engine_is_refused(
    live_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["resume", live_run.id, "--headless", "--state", str(live_run.path.parent.parent)]) == 2
    assert f"comind-tui attach {live_run.id}" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["runs", "show", "competitions", "doctor", "leaderboard"])
def test_on_80_columns_no_line_is_wider(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(listing, "terminal_width", lambda: 80)
    monkeypatch.setattr(doctor, "terminal_width", lambda: 80)
    sample_run.build(Path("state"), run_id="census-income-20261121-090000", status="finished")
    main([command])
    out = capsys.readouterr().out
    assert out
    assert [line for line in out.splitlines() if len(line) > 80] == []
