"""What goes into a Kaggle session, and what comes out for the next one."""

from __future__ import annotations

import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from comind.config import RunConfig
from comind.in_kaggle.notebook import (
    STATE_NOTE,
    STATE_PACK,
    Plan,
    keep,
    place_competition,
    read_plan,
    restore,
    session_config,
    session_settings,
    with_attached,
)
from comind.state.runs import default_state
from kaggle_runner.errors import BadCompetition, ConfigError, UnknownCompetition
from kaggle_runner.inside_kaggle import LENGTH, MARK, STATE
from mle_live.competitions.community import load_community
from mle_live.competitions.files import data_files
from mle_live.competitions.folder import folders_of, look_at_folder
from tests.e2e.small_competition import write_small_competition

NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
SESSION = {"KAGGLE_KERNEL_RUN_TYPE": "Batch", MARK: "1"}


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """/kaggle/input with an attached competition, which comes without its text."""
    folder = write_small_competition(tmp_path / "input" / "ripe-fruit")
    (folder / "description.md").unlink()
    return folder.parent


KERNEL = {
    "ref": "ann/starter", "title": "Starter", "author": "ann", "created_at": "2026-01-02T00:00:00.000Z",
    "votes": 7, "public_score": 0.9, "datasets": [], "competitions": ["ripe-fruit"],
    "source": "# %%\nprint('ripe')\n",
}  # fmt: skip
TOPIC = {
    "title": "Mind the colour", "author": "bob", "created_at": "2026-01-03T00:00:00.000Z", "votes": 2,
    "body": "Red is ripe.\n\n> ann: I agree.",
}  # fmt: skip
PLAN = Plan(
    "ripe-fruit",
    {"coders": 2},
    {"metric": "binary_log_loss"},
    "# Ripe fruit\n\nTell which is ripe.\n",
    {"kernels": [KERNEL], "discussions": [TOPIC]},
)


def test_the_attached_files_become_a_competition_without_a_copy(inputs: Path, tmp_path: Path) -> None:
    folder = place_competition("ripe-fruit", tmp_path / "state", PLAN, root=inputs)
    assert folder is not None and not list(folder.rglob("*.csv"))
    competition = look_at_folder(folder, folder.parent / "arranged").hosted()
    assert (competition.slug, competition.metric, competition.title) == (
        "ripe-fruit",
        "binary_log_loss",
        "Ripe fruit",
    )
    names = [file.name for file in data_files(competition)]
    assert names == ["sample_submission.csv", "test.csv", "train.csv"]
    assert folders_of(folder) == (folder, inputs / "ripe-fruit"), "both are hidden from agents"


def test_the_community_comes_along(inputs: Path, tmp_path: Path) -> None:
    folder = place_competition("ripe-fruit", tmp_path / "state", PLAN, root=inputs)
    assert folder is not None
    community = load_community(look_at_folder(folder, folder.parent / "arranged").hosted().artifacts_dir)
    (kernel,), (topic,) = community.kernels, community.topics
    assert (kernel.ref, kernel.votes, kernel.public_score) == ("ann/starter", 7, 0.9)
    assert kernel.code_path.read_text() == KERNEL["source"]
    assert (topic.title, topic.text) == ("Mind the colour", TOPIC["body"])


def test_in_the_next_session_the_files_may_lie_elsewhere(inputs: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    place_competition("ripe-fruit", state, PLAN, root=inputs)
    (inputs / "competitions").mkdir()
    (inputs / "ripe-fruit").rename(inputs / "competitions" / "ripe-fruit")
    folder = place_competition("ripe-fruit", state, Plan("ripe-fruit"), root=inputs)
    assert folder is not None
    competition = look_at_folder(folder, folder.parent / "arranged").hosted()
    assert competition.data_dir == inputs / "competitions" / "ripe-fruit"
    assert competition.metric == "binary_log_loss", "what an exported run brought along stays"


def test_attached_files_without_a_text_are_refused_with_the_place_to_write_it(
    inputs: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadCompetition, match="without the text") as error:
        place_competition("ripe-fruit", tmp_path / "state", Plan("ripe-fruit"), root=inputs)
    assert str(tmp_path / "state" / "competitions" / "ripe-fruit" / "description.md") in error.value.hint


def test_a_data_folder_that_is_none_is_named(tmp_path: Path) -> None:
    folder = write_small_competition(tmp_path / "mine")
    (folder / "competition.yaml").write_text("data: nowhere\n")
    with pytest.raises(BadCompetition, match="`data` is 'nowhere', which is no folder"):
        look_at_folder(folder, folder.parent / "arranged").hosted()


def test_the_exported_settings_meet_the_attached_competition(inputs: Path, tmp_path: Path) -> None:
    config = session_config(PLAN, tmp_path / "state", root=inputs)
    assert config == {"coders": 2, "competition": f"{tmp_path / 'state'}/competitions/ripe-fruit/"}
    assert session_config(Plan("census-income"), tmp_path, root=inputs) == {"competition": "census-income"}
    with pytest.raises(UnknownCompetition, match="not attached to this notebook"):
        session_config(Plan("titanic"), tmp_path, root=inputs)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    PLAN.write(tmp_path)
    assert read_plan(tmp_path) == PLAN
    (tmp_path / "comind-run.yaml").write_text("- damaged")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_plan(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_plan(tmp_path / "nowhere")


def test_a_session_decides_time_and_model_and_only_a_session() -> None:
    assert session_settings({}) == {}
    settings = session_settings({**SESSION, LENGTH: "99999999".removesuffix("9"), "COMIND_MODEL": "m"})
    assert settings["model"] == "m"
    assert 60 <= settings["time_limit"] < 9_999_999 - 900
    assert session_settings({**SESSION, LENGTH: "1"})["time_limit"] == 60


def test_a_slug_means_the_attached_files_where_there_are_any(inputs: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    place_competition("ripe-fruit", state, PLAN, root=inputs)
    ripe = with_attached(RunConfig(competition="ripe-fruit"), state, root=inputs)
    assert ripe.competition == f"{state}/competitions/ripe-fruit/"
    for other in (RunConfig(competition="titanic"), RunConfig(competition="./ripe-fruit")):
        assert with_attached(other, state, root=inputs) is other


def test_the_state_of_a_session_is_in_the_folder_that_kaggle_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMIND_STATE", raising=False)
    for name, value in SESSION.items():
        monkeypatch.setenv(name, value)
    assert default_state() == STATE
    monkeypatch.setenv("COMIND_STATE", "elsewhere")
    assert default_state() == Path("elsewhere")


# --- state from one session to the next


def make_state(state: Path) -> Path:
    run = state / "runs" / "r1"
    (run / "agents" / "a1" / "working").mkdir(parents=True)
    (run / "run.sqlite").write_text("rows")
    (run / "agents" / "a1" / "working" / "model.bin").write_bytes(b"weights")
    (run / "agents" / "a1" / "working" / "model.bin").chmod(0o755)
    for left_out in ("boxes/1/tmp", "mle_live/private", "runs/r1/mle_live/downloads"):
        (state / left_out).mkdir(parents=True)
        (state / left_out / "file").touch()
    return state


def pack_into(inputs: Path, state: Path, *, run: str, now: datetime = NOW) -> None:
    inputs.mkdir(parents=True)
    keep(state, inputs, run=run, status="stopped", now=now)


def test_a_state_survives_the_session(tmp_path: Path) -> None:
    state, output = make_state(tmp_path / "state"), tmp_path / "input" / "comind-titanic"
    pack_into(output, state, run="r1")
    assert sorted(path.name for path in output.iterdir()) == [STATE_NOTE, STATE_PACK]
    assert json.loads((output / STATE_NOTE).read_text()) == {
        "run": "r1", "status": "stopped", "saved_at": "2026-11-22T06:00:00.000Z"
    }  # fmt: skip
    fresh = tmp_path / "next" / "state"
    assert restore(fresh, root=tmp_path / "input") == f"The state of r1 was found in {output}."
    assert (fresh / "runs/r1/run.sqlite").read_text() == "rows"
    assert (fresh / "runs/r1/agents/a1/working/model.bin").read_bytes() == b"weights"
    assert sorted(path.name for path in fresh.iterdir()) == ["runs"]
    assert not list((fresh / "runs" / "r1" / "mle_live").iterdir())
    files = [path for path in fresh.rglob("*") if path.is_file()]
    assert all(not path.stat().st_mode & 0o077 for path in files), "open to the engine's user only"


def test_of_several_sessions_the_last_one_goes_on(tmp_path: Path) -> None:
    inputs = tmp_path / "input"
    pack_into(inputs / "b", make_state(tmp_path / "old"), run="old", now=NOW.replace(hour=1))
    new = make_state(tmp_path / "new")
    (new / "runs" / "r1" / "run.sqlite").write_text("more rows")
    pack_into(inputs / "a", new, run="new")
    assert "state of new" in restore(tmp_path / "state", root=inputs)
    assert (tmp_path / "state/runs/r1/run.sqlite").read_text() == "more rows"


def test_a_state_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    pack_into(tmp_path / "input" / "a", make_state(tmp_path / "old"), run="old")
    state = make_state(tmp_path / "state")
    (state / "runs" / "r1" / "run.sqlite").write_text("newer")
    assert "goes on" in restore(state, root=tmp_path / "input")
    assert (state / "runs/r1/run.sqlite").read_text() == "newer"


def test_without_an_earlier_session_a_new_run_begins(tmp_path: Path) -> None:
    assert "a new run begins" in restore(tmp_path / "state", root=tmp_path)
    assert not (tmp_path / "state").exists()


def test_links_that_an_agent_planted_are_not_carried_along(tmp_path: Path) -> None:
    state = make_state(tmp_path / "state")
    working = state / "runs/r1/agents/a1/working"
    (working / "escape").symlink_to("/etc")
    (working / "labels.csv").symlink_to("../../../private/labels.csv")
    pack_into(tmp_path / "input" / "a", state, run="r1")
    restore(tmp_path / "next", root=tmp_path / "input")
    carried = {path.name for path in (tmp_path / "next/runs/r1/agents/a1/working").iterdir()}
    assert carried == {"model.bin"}


def test_a_damaged_pack_leaves_no_half_state(tmp_path: Path) -> None:
    pack_into(tmp_path / "input" / "a", make_state(tmp_path / "old"), run="r1")
    pack = tmp_path / "input" / "a" / STATE_PACK
    pack.write_bytes(pack.read_bytes()[:60])
    with pytest.raises(ConfigError, match="cannot be unpacked"):
        restore(tmp_path / "state", root=tmp_path / "input")
    assert not (tmp_path / "state").exists()


def test_a_pack_with_a_path_that_leads_out_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "input" / "a"
    folder.mkdir(parents=True)
    with tarfile.open(folder / STATE_PACK, "w:gz") as pack:
        pack.addfile(tarfile.TarInfo("../planted"))
    (folder / STATE_NOTE).write_text("{}")
    with pytest.raises(ConfigError, match="cannot be unpacked"):
        restore(tmp_path / "state", root=tmp_path / "input")
    assert not (tmp_path / "planted").exists()


def test_the_settings_file_holds_plain_yaml(tmp_path: Path) -> None:
    PLAN.write(tmp_path)
    assert yaml.safe_load((tmp_path / "comind-run.yaml").read_text())["settings"] == {"coders": 2}
