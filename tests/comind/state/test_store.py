"""The store on real SQLite: records come back as they went in, and search takes text literally."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comind.state.reader import reading
from comind.state.records import Evaluation, Event, Idea, Kernel, LlmCall, ReplyFault, Run
from comind.state.store import Store
from kaggle_runner.errors import RunNotFound, Unusable


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run.sqlite")


def test_a_record_comes_back_as_it_was_saved(store: Store) -> None:
    run = Run(id="r", competition="c", config={"coders": 4, "models": ["a"]}, higher_is_better=False)
    store.save(run)
    assert store.run() == run


def test_saving_the_same_id_again_replaces_the_row(store: Store) -> None:
    store.save(Idea(id="idea-1", round=1, text="first"))
    store.save(Idea(id="idea-1", round=1, text="second"))
    assert [idea.text for idea in store.all(Idea)] == ["second"]


def test_a_reader_in_another_connection_sees_what_was_committed(store: Store) -> None:
    store.save(Idea(id="idea-1", round=1, text="stack the models"))
    with reading(store.path) as reader:
        store.save(Idea(id="idea-2", round=1, text="blend the models"))
        assert [idea.id for idea in reader.all(Idea)] == ["idea-1", "idea-2"]


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(Unusable, match="readonly"), reading(store.path) as reader:
        reader._connection.execute("UPDATE run SET title = 1")


def test_search_finds_by_word_stem_and_by_unfinished_last_word(store: Store) -> None:
    store.save(
        Idea(id="idea-1", round=1, text="gradient boosting with early stopping"),
        Idea(id="idea-2", round=1, text="a linear model"),
    )
    assert [idea.id for idea in store.search(Idea, "boost")] == ["idea-1"]
    assert [idea.id for idea in store.search(Idea, "models line")] == ["idea-2"]


def test_search_forgets_the_old_text_of_a_changed_row(store: Store) -> None:
    store.save(Idea(id="idea-1", round=1, text="gradient"))
    store.save(Idea(id="idea-1", round=1, text="linear"))
    assert store.search(Idea, "gradient") == []


@given(text=st.text(max_size=40))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_search_text_is_a_query_language(store: Store, text: str) -> None:
    store.save(Kernel(id="a/b", title="title", author="a", source="x"))
    assert isinstance(store.search(Kernel, text.replace("\x00", "")), list)


def test_events_are_numbered_and_can_be_followed(store: Store) -> None:
    for n in range(5):
        store.event("step", f"event {n}", data={"n": n})
    assert [event.data["n"] for event in store.events(after=3)] == [3, 4]
    assert [event.message for event in store.last_events(2)] == ["event 3", "event 4"]


def test_one_unpriced_call_makes_the_cost_unknown_rather_than_zero(store: Store) -> None:
    paid = LlmCall(
        id="1", role="coder", agent="a", step=1, kind="turn", attempt=1, model="m", base_url="u",
        dollars=0.5, prompt_tokens=10,
    )  # fmt: skip
    store.save(paid)
    assert store.totals()["dollars"] == 0.5
    store.save(replace(paid, id="2", dollars=None))
    assert store.totals()["dollars"] is None
    assert store.totals()["prompt_tokens"] == 20


def test_opening_an_older_database_adds_what_is_missing_and_keeps_the_rest(tmp_path: Path) -> None:
    with Store(tmp_path / "run.sqlite") as store:
        store.save(Idea(id="idea-1", round=1, text="kept"))
    with Store(tmp_path / "run.sqlite") as store:
        assert store.get(Idea, "idea-1") is not None


def test_a_missing_database_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match=r"run\.sqlite"), reading(tmp_path / "run.sqlite"):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "no").write_text("in the way")
    with pytest.raises(Unusable, match="no/such"):
        Store(tmp_path / "no" / "such" / "run.sqlite")


def test_an_evaluation_without_a_part_has_no_score() -> None:
    evaluation = Evaluation(id="e", agent="a", round=1, step=1, success=False, message="bad")
    assert evaluation.score("feedback") is None


def test_events_keep_brackets_and_escape_codes_as_text(store: Store) -> None:
    store.event("x", "[/red] \x1b[31m")
    assert store.all(Event)[0].message == "[/red] \x1b[31m"


def test_half_an_emoji_is_stored_as_the_mark_of_a_lost_character(store: Store) -> None:
    store.event("x", "half \ud800", data={"deep": ["\udfff"]})
    store.save(Idea(id="idea-1", round=1, text="\ud83d"))
    assert store.all(Event)[0].message == "half �"
    assert store.all(Idea)[0].text == "�"


def test_a_run_of_an_earlier_version_has_none_of_what_came_later(store: Store, tmp_path: Path) -> None:
    store.save(Run(id="r", competition="c"))
    store.close()
    with sqlite3.connect(tmp_path / "run.sqlite") as older:
        older.execute("DROP TABLE reply_faults")
    with reading(tmp_path / "run.sqlite") as reader:
        assert reader.all(ReplyFault) == []
        assert reader.count(ReplyFault) == 0


def test_a_database_without_its_tables_yet_is_not_an_empty_run(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "run.sqlite").close()
    (tmp_path / "run.sqlite").touch()
    with reading(tmp_path / "run.sqlite") as reader:
        assert reader.run() is None
        with pytest.raises(Unusable, match="holds no run"):
            reader.all(Idea)
