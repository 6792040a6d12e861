"""What the judge reads in a good file, says of a bad one, and takes for the form of a sample."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comind.evaluator import messages
from kaggle_runner.errors import BadCompetition
from kaggle_runner.predictions.columns import ValueFault
from kaggle_runner.predictions.judge import (
    PROBLEMS,
    Code,
    Flaw,
    Form,
    Predictions,
    judge,
    judge_file,
    respelt,
)
from kaggle_runner.submissions.file import Sample, as_spelt

FORM = Form("id", ("b", "a", "c"), {"x": "number", "y": "label", "z": "text"})


def said(text: str, form: Form) -> Predictions:
    found = judge(io.BytesIO(text.encode()), form)
    assert isinstance(found, Predictions)
    return found


def test_pythons_own_limit_of_a_field_is_as_before(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    for text in (f"id,x,y,z\na,1,{'l' * 2 * limit},\n", 'id,x,y,z\na,"'):
        judge(io.BytesIO(text.encode()), FORM)
        assert csv.field_size_limit() == limit


@pytest.mark.parametrize("file", ["missing", "a folder"])
def test_what_is_no_file_is_refused_too(file: str, tmp_path: Path) -> None:
    if file == "a folder":
        (tmp_path / "submission.csv").mkdir()
    found = judge_file(tmp_path / "submission.csv", FORM)
    assert found == Flaw("missing_file" if file == "missing" else "unreadable")


def test_values_stand_in_the_order_of_the_form_and_as_the_file_has_them() -> None:
    frame = said("z,x,id,y\n,1,a,007\nword,2.5,c,NA\n 1 ,True,b,None\n", FORM).frame()
    assert frame.index.tolist() == ["b", "a", "c"]
    assert frame["x"].tolist() == [1.0, 1.0, 2.5] and frame["x"].dtype == float
    assert frame["y"].tolist() == ["None", "007", "NA"] and frame["z"].tolist() == [" 1 ", "", "word"]


def test_a_flaw_says_where_and_how_many() -> None:
    rows = "".join(f"{n},x\n" for n in range(9))
    found = judge(
        io.BytesIO(b"id,price\n" + rows.encode()), Form("id", tuple("012345678"), {"price": "number"})
    )
    assert isinstance(found, Flaw) and (found.count, found.column) == (9, "price")
    assert (
        found.sentence == "some predictions are no numbers (column 'price'; 9 of them, first 0, 1, 2, 3, 4)"
    )
    assert Flaw("missing_ids", ("7", "9"), 2).sentence.endswith("as the sample does (2 of them: 7, 9)")
    assert Flaw("empty_file").sentence == "the file is empty"


def test_every_code_has_words_and_agents_are_told_the_same() -> None:
    codes = {code for part in get_args(Code) for code in get_args(part) or (part,)}
    assert codes == set(PROBLEMS) and set(get_args(ValueFault)) < codes
    assert PROBLEMS.items() <= messages.PROBLEMS.items()


def test_the_labels_say_what_a_column_holds_where_they_are_known(tmp_path: Path) -> None:
    sample, labels = tmp_path / "sample.csv", tmp_path / "labels.csv"
    sample.write_text("id,mask,size,kind,empty\n1,0,,no,\n2,0,,no,\n")
    labels.write_text("id,size,mask\n5,1e3,3 4 7 1\n6,,0\n")
    alone = {"mask": "number", "size": "label", "kind": "label", "empty": "label"}
    assert Form.of_sample(sample).columns == alone
    known = {"mask": "label", "size": "number", "kind": "label", "empty": "label"}
    assert Form.of_sample(sample, labels).columns == known
    assert Form.of_sample(sample, tmp_path / "none.csv") == Form.of_sample(sample)
    assert set(Form.of_sample(sample, labels, texts=True).columns.values()) == {"text"}


def test_an_id_may_take_several_columns(tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    sample.write_text("trip,time,lat\na,1,0\na,2,0\nb,1,0\n")
    form = Form.of_sample(sample, id_column="trip+time")
    assert (form.id_column, form.ids, form.columns) == ("trip+time", ("a+1", "a+2", "b+1"), {"lat": "number"})
    assert said("lat,time,trip\n1,1,b\n2,2,a\n3,1,a\n", form).frame()["lat"].tolist() == [3, 2, 1]
    assert said("lat,trip+time\n1,b+1\n2,a+2\n3,a+1\n", form).frame()["lat"].tolist() == [3, 2, 1]
    assert judge(io.BytesIO(b"trip,time,lat\na,1,0\n,2,0\nb,1,0\n"), form) == Flaw("blank_id", ("row 2",), 1)
    assert judge(io.BytesIO(b"trip,time,lat\na,1,0\na,2,0\n"), form) == Flaw("missing_ids", ("b+1",), 1)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("id,x,y,z\nb,1,NA,\na, 2.50,no,w\n", None),
        ("z,y,x,id\n,NA,1,b\nw,no,2,a\n", None),
        (",ID, x,y,z\n0,b,1,,\n1, a ,2.50, no,w\n", "id,x,y,z\nb,1,NA,\na,2.50,no,w\n"),
    ],
)
def test_a_file_is_sent_as_the_sample_spells_it(given: str, sent: str | None, tmp_path: Path) -> None:
    form = Form("id", ("b", "a"), {"x": "number", "y": "label", "z": "text"}, {"y": ("NA", "no")})
    (tmp_path / "s.csv").write_text(given)
    assert respelt(tmp_path / "s.csv", form) == sent
    sample = Sample(tmp_path / "none.csv")
    sample._form = form
    sample.respell(tmp_path / "s.csv")
    assert as_spelt(tmp_path / "s.csv").read_text() == (sent or given)


def test_numbers_that_the_sample_tells_apart_as_texts_only_stay_texts() -> None:
    form = Form("id", ("7", "07", "x"), {"a": "number"})
    assert said("id,a\n07,1\n7,2\nx,3\n", form).frame()["a"].tolist() == [2, 1, 3]
    assert judge(io.BytesIO(b"id,a\n07,1\n7.0,2\nx,3\n"), form) == Flaw("missing_ids", ("7",), 1)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "no column of ids"), (b"id\n1\n", "no column of ids"), (b"id,a\n1,2\n1,2\n", "repeated ids"),
     (b"id,a\n1\n", "row 1 is not as long"), (b"\xff\xfe", "not a readable CSV")],
)  # fmt: skip
def test_a_sample_that_says_nothing_is_the_hosts_fault(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_bytes(content)
    with pytest.raises(BadCompetition, match=why):
        Form.of_sample(tmp_path / "sample.csv")
    with pytest.raises(BadCompetition, match=r"no column of ids|not a readable CSV"):
        Form.of_sample(tmp_path / "sample.csv", id_column="other")


@given(
    st.lists(st.floats(-1e99, 1e99), min_size=1, max_size=300),
    st.sampled_from(["{!r}", "{:.17g}", "{:.18e}", " {:+} "]),
    st.randoms(),
)
def test_numbers_survive_any_way_and_order_of_writing_them(
    values: list[float], form: str, random: object
) -> None:
    ids = [str(n) for n in range(len(values))]
    rows = [f"{id},{form.format(value)}" for id, value in zip(ids, values, strict=True)]
    random.shuffle(rows)  # type: ignore[attr-defined]
    found = said("\n".join(["id,a", *rows]), Form("id", tuple(ids), {"a": "number"}))
    assert found.frame()["a"].tolist() == values
