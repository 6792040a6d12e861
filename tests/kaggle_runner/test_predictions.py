"""One table of prediction files and verdicts, held by all four that judge them; and what a good file says."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comind.at_kaggle.rehearsal import prediction_fault
from comind.evaluator import messages
from comind.evaluator.evaluator import known_metric_source
from comind.evaluator.grader import Grader
from kaggle_runner.errors import BadCompetition
from kaggle_runner.prediction_columns import ValueFault
from kaggle_runner.predictions import PROBLEMS, Code, Flaw, Form, Predictions, judge, judge_file, respelt
from kaggle_runner.spellings import find_ids
from kaggle_runner.submissions.file import Sample, as_spelt
from mle_live.competitions.competition import HostedCompetition
from mle_live.competitions.grading import InvalidSubmission, grade_file
from mle_live.metrics import get_metric, reads_texts


@dataclass(frozen=True)
class World:
    """A competition as each of the four places knows it."""

    folder: Path
    metric: str
    form: Form
    governor: Sample
    grader: Grader
    competition: HostedCompetition

    def verdicts(self, file: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Code and first rows by place; "ok" for a file that can be scored."""
        answers = {
            part: self.grader.grade(
                {"name": "one", "validation": str(self.folder / "truth.csv"), part: str(file)}
            )
            for part in ("validation", "test")
        }
        try:
            grade_file(self.competition, file)
            live: tuple[str, tuple[str, ...]] = ("ok", ())
        except InvalidSubmission as error:
            live = (error.code, tuple(error.ids))
        problems = self.governor.inspect(file).problems
        return {
            "rehearsal": told(prediction_fault(file.parent, file.name, self.form, limit=10**6)),
            "governor": told(problems[0] if problems else ""),
            "evaluator, validation": (answers["validation"]["code"], tuple(answers["validation"]["ids"])),
            "evaluator, test": (answers["test"]["code"], tuple(answers["test"]["ids"])),
            "MLE-Live": live,
        }


def told(sentence: str) -> tuple[str, tuple[str, ...]]:
    """Code and rows of a sentence about a file."""
    code = next((code for code, words in PROBLEMS.items() if words in sentence), "?") if sentence else "ok"
    _, found, rows = sentence.partition(" of them")
    return code, tuple(rows.rpartition("first ")[2].strip(": )").split(", ")) if found else ()


def world(folder: Path, metric: str, sample: str, truth: str, id_column: str = "id") -> World:
    folder.mkdir(parents=True, exist_ok=True)
    places = {name: folder / f"{name}.csv" for name in ("sample_submission", "truth", "solution")}
    places["sample_submission"].write_text(sample)
    places["truth"].write_text(truth)
    header, *rows = truth.splitlines()
    places["solution"].write_text("\n".join([f"{header},Usage", *(f"{row},Private" for row in rows)]) + "\n")
    (folder / "evaluate.py").write_text(known_metric_source(metric))
    targets = [name for name in header.split(",") if name != id_column]
    grader = Grader(
        {
            "truth": places["truth"], "evaluate": folder / "evaluate.py",
            "sample_submission": places["sample_submission"], "id_column": id_column, "targets": targets,
            "group": None, "seed": 7, "samples": 2, "seconds": 5, "cases": [],
        }
    )  # fmt: skip
    competition = HostedCompetition(
        slug="c", title="C", metric=metric, higher_is_better=get_metric(metric).higher_is_better,
        id_column=id_column, target_columns=tuple(targets), description="", data_dir=folder,
        solution_path=places["solution"],
    )  # fmt: skip
    known = (places["sample_submission"], places["truth"])
    texts = reads_texts(metric)
    form = Form.of_sample(*known, id_column=id_column, texts=texts)
    looked = Sample(*known, id_column=id_column, texts=texts)
    return World(folder, metric, form, looked, grader, competition)


WORLDS: dict[str, tuple[str, str, str]] = {
    "numbers": ("mae", "id,a,b\n" + "".join(f"{n},0,0\n" for n in range(7, 15)),
                "id,a,b\n" + "".join(f"{n},{n * 1.5},{n}\n" for n in range(7, 15))),
    "padded": ("mae", "id,a\n" + "".join(f"{n:05},0.5\n" for n in range(8)),
               "id,a\n" + "".join(f"{n:05},{n}.25\n" for n in range(8))),
    "classes": ("accuracy", "id,kind\n" + "".join(f"f{n},cat\n" for n in range(8)),
                "id,kind\n" + "".join(f"f{n},{'cat' if n % 3 else 'dog'}\n" for n in range(8))),
    "placeholder": ("accuracy", "id,kind\n" + "".join(f"f{n},0\n" for n in range(8)),
                    "id,kind\n" + "".join(f"f{n},{'cat' if n % 3 else 'NA'}\n" for n in range(8))),
    "booleans": ("accuracy", "id,there\n" + "".join(f"f{n},False\n" for n in range(8)),
                 "id,there\n" + "".join(f"f{n},{n % 3 == 0}\n" for n in range(8))),
    "id last": ("mae", "a,id\n" + "".join(f"0,{n}\n" for n in range(8)),
                "a,id\n" + "".join(f"{n % 2},{n}\n" for n in range(8))),
    "long": ("mae", "id,a\n" + "".join(f"{10**18 + n * 10**6 + 1},0\n" for n in range(8)),
             "id,a\n" + "".join(f"{10**18 + n * 10**6 + 1},{n}.5\n" for n in range(8))),
    "zeros": ("mae", "id,a\n" + "".join(f"{id},0\n" for id in ("7", "007", "0010", *range(20, 25))),
              "id,a\n" + "".join(f"{id},1.5\n" for id in ("7", "007", "0010", *range(20, 25)))),
    "mixed": ("mae", "id,a\n" + "".join(f"{id},0\n" for id in ("x", "NA", *(f"00{n}" for n in range(8)))),
              "id,a\n" + "".join(f"{id},1.5\n" for id in ("x", "NA", *(f"00{n}" for n in range(8))))),
    "nothings": ("accuracy", "id,kind\n" + "".join(f"f{n},x\n" for n in range(8)),
                 "id,kind\n" + "".join(f"f{n},{('None', 'null', 'x')[n % 3]}\n" for n in range(8))),
    "census": ("accuracy", "id,pay\n" + "".join(f"f{n},0\n" for n in range(9)),
               "id,pay\n" + "".join(f"f{n},{(' <=50K', ' >50K', '5')[n % 3]}\n" for n in range(9))),
    "words": ("word_jaccard", "id,said\n" + "".join(f"f{n},\n" for n in range(8)),
              "id,said\n" + "".join(f"f{n},word {n}\n" for n in range(8))),
}  # fmt: skip


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], World]:
    made: dict[str, World] = {}

    def give(name: str) -> World:
        if name not in made:
            made[name] = world(tmp_path_factory.mktemp(name), *WORLDS[name])
        return made[name]

    return give


Table = pd.DataFrame


def numbers(**changes: str) -> str:
    """A good file of the world of numbers, with the row of an id (`r9`) or the header (`head`) changed."""
    rows = {f"r{n}": f"{n},{n}.5,{n}" for n in range(7, 15)} | changes
    head = rows.pop("head", "id,a,b")
    return "\n".join([head, *(row for row in rows.values() if row)]) + "\n"


def table(**columns: Any) -> Table:
    return pd.DataFrame({"id": range(7, 15), "a": np.arange(8) / 3, "b": 1.0}).assign(**columns)


def padded() -> Table:
    return pd.read_csv(io.StringIO(WORLDS["padded"][1]))


LONG = pd.read_csv(io.StringIO(WORLDS["long"][2]))

FILES: dict[str, tuple[str, str | bytes, str, tuple[str, ...]]] = {
    "good": ("numbers", numbers(), "ok", ()),
    "written with its index": ("numbers", table().to_csv(), "ok", ()),
    "written with its index twice": ("numbers", table().reset_index(names="Unnamed: 0").to_csv(), "ok", ()),
    "commas at the ends of lines": ("numbers", numbers().replace("\n", ",\n"), "ok", ()),
    "an extra column": ("numbers", table(note="x").to_csv(index=False), "extra_column", ()),
    "a column twice": ("numbers", numbers().replace("id,a,b", "id,a,a"), "missing_column", ()),
    "a column once more": ("numbers", table(c=1).to_csv(index=False, header=["id", "a", "b", "b"]),
                           "extra_column", ()),
    "columns swapped": ("numbers", table()[["b", "id", "a"]].to_csv(index=False), "ok", ()),
    "a column less": ("numbers", table()[["id", "b"]].to_csv(index=False), "missing_column", ()),
    "another name": ("numbers", numbers(head="id,A,b"), "missing_column", ()),
    "blanks around names": ("numbers", numbers(head=" id, a,b "), "ok", ()),
    "the id in capitals": ("numbers", numbers(head="ID,a,b"), "ok", ()),
    "an index with a name": ("numbers", table().reset_index().to_csv(index=False), "extra_column", ()),
    "names in quotes": ("numbers", numbers(head='"id","a","b"'), "ok", ()),
    "no header": ("numbers", numbers(head=""), "missing_column", ()),
    "semicolons": ("numbers", numbers().replace(",", ";"), "separator", ()),
    "tabs": ("numbers", numbers().replace(",", "\t"), "separator", ()),
    "rows shuffled": ("numbers", table().sample(frac=1, random_state=1).to_csv(index=False), "ok", ()),
    "ids written 7.0": ("numbers", table(id=np.arange(7.0, 15)).to_csv(index=False), "ok", ()),
    "ids with zeros that the sample lacks": ("numbers", numbers(r9="009,1,1"), "ok", ()),
    "long ids as floats": ("long", LONG.astype({"id": float}).to_csv(index=False), "ok", ()),
    "ids in powers of ten": ("numbers", numbers(r10="1e1,1,1", r12="1.2E+01,1,1"), "ok", ()),
    "two ids that differ by zeros alone": ("zeros", WORLDS["zeros"][2], "ok", ()),
    "and other ids without their zeros": ("zeros", WORLDS["zeros"][2].replace("0010", "10.0"), "ok", ()),
    "and both without": ("zeros", WORLDS["zeros"][2].replace("\n007", "\n7"), "duplicate_ids", ("7",)),
    "words among ids without their zeros": ("mixed", WORLDS["mixed"][2].replace("\n0", "\n"), "ok", ()),
    "blanks around a word": ("classes", WORLDS["classes"][2].replace("f3,", " f3 ,"), "ok", ()),
    "an id that pandas takes for nothing": ("mixed", WORLDS["mixed"][2].replace("\nNA", "\n"), "ok", ()),
    "ids with a fraction": ("numbers", numbers(r9="9.5,1,1"), "missing_ids", ("9",)),
    "blanks around an id": ("numbers", numbers(r9=" 9 ,1,1"), "ok", ()),
    "an id in two spellings": ("numbers", numbers(r10="9.0,1,1"), "duplicate_ids", ("9",)),
    "zero-padded ids": ("padded", WORLDS["padded"][1], "ok", ()),
    "zero-padded ids read by pandas and written back": ("padded", padded().to_csv(index=False), "ok", ()),
    "and once more as floats": ("padded", padded().astype(float).to_csv(index=False), "ok", ()),
    "text ids with a zero more": ("classes", WORLDS["classes"][2].replace("f3", "f03"), "missing_ids",
                                  ("f3",)),
    "ids missing": ("numbers", numbers(r8="", r14=""), "missing_ids", ("8", "14")),
    "ids missing and unknown": ("numbers", numbers(r8="99,1,1"), "missing_ids", ("8",)),
    "ids unknown": ("numbers", numbers(r99="99,1,1", r98="secret,1,1"), "unknown_ids", ("row 9", "row 10")),
    "ids twice": ("numbers", numbers(more="8,1,1"), "duplicate_ids", ("8",)),
    "unknown ids twice": ("numbers", numbers(r8="99,1,1", r9="99,1,1"), "duplicate_ids", ("row 2", "row 3")),
    "an id that is blank": ("numbers", numbers(more=",1,1"), "blank_id", ("row 9",)),
    "1_000": ("numbers", numbers(r9="9,1_000,1"), "not_a_number", ("9",)),
    "1,000 in quotes": ("numbers", numbers(r9='9,"1,000",1'), "not_a_number", ("9",)),
    "a word": ("numbers", numbers(r9="9,many,1"), "not_a_number", ("9",)),
    "a share": ("numbers", numbers(r9="9,12 %,1"), "not_a_number", ("9",)),
    "hexadecimal": ("numbers", numbers(r9="9,0x1F,1"), "not_a_number", ("9",)),
    "digits of another script": ("numbers", numbers(r9="9,٣,1"), "not_a_number", ("9",)),
    "a list": ("numbers", numbers(r9="9,[0.5],1"), "not_a_number", ("9",)),
    "ways of writing numbers": ("numbers", numbers(r9="9, 1e-3 ,+2", r10='10,"5.",.5', r11="11,-0,1E5"),
                                "ok", ()),
    "1e200": ("numbers", numbers(r9="9,1e200,1"), "infinite", ("9",)),
    "beyond any float": ("numbers", numbers(r9="9,1,1e999", r10="10,1,-1e999"), "infinite", ("9", "10")),
    "hundreds of digits": ("numbers", numbers(r9="9," + "9" * 400 + ",1"), "infinite", ("9",)),
    "infinite": ("numbers", numbers(r9="9,inf,1", r8="8,-Infinity,1"), "infinite", ("8", "9")),
    "NaN": ("numbers", numbers(r9="9,NaN,1"), "nan", ("9",)),
    "None": ("numbers", numbers(r9="9,1,None"), "nan", ("9",)),
    "an empty value": ("numbers", numbers(r9="9,,1"), "nan", ("9",)),
    "empty and no number": ("numbers", numbers(r8="8,x,1", r9="9,,1"), "nan", ("9",)),
    "more faults than are shown": ("numbers", table(a="x").to_csv(index=False), "not_a_number",
                                   ("7", "8", "9", "10", "11")),
    "True and False": ("numbers", table(a=np.arange(8) % 2 == 0).to_csv(index=False), "ok", ()),
    "CRLF": ("numbers", numbers().replace("\n", "\r\n"), "ok", ()),
    "a mark of UTF-8": ("numbers", b"\xef\xbb\xbf" + numbers().encode(), "ok", ()),
    "blank lines": ("numbers", numbers().replace("\n", "\n\n"), "ok", ()),
    "no end of the last line": ("numbers", numbers().rstrip(), "ok", ()),
    "a quoted newline": ("words", WORLDS["words"][1].replace("f2,", 'f2,"two\nlines"'), "ok", ()),
    "a quoted newline in an id": ("numbers", numbers(more='"99\n",1,1'), "unknown_ids", ("row 9",)),
    "a quote that never ends": ("numbers", numbers(r9='9,"1,1'), "unreadable", ()),
    "a row too long": ("numbers", numbers(r9="9,1,1,1"), "unreadable", ("row 3",)),
    "a row too short": ("numbers", numbers(r9="9,1"), "unreadable", ("row 3",)),
    "an index without a name": ("numbers", table().to_csv(header=["id", "a", "b"]).replace(",id", "id", 1),
                                "unreadable", ("row 1",)),
    "an empty file": ("numbers", b"", "empty_file", ()),
    "blank lines alone": ("numbers", b"\n\r\n\n", "empty_file", ()),
    "a header alone": ("numbers", b"id,a,b\n", "missing_ids", ("7", "8", "9", "10", "11")),
    "no text": ("numbers", bytes(range(256)) * 40, "unreadable", ()),
    "Latin-1": ("words", WORLDS["words"][1].replace("f2,", "f2,caf\xe9").encode("latin-1"), "unreadable", ()),
    "UTF-16": ("numbers", numbers().encode("utf-16"), "unreadable", ()),
    "classes": ("classes", WORLDS["classes"][2], "ok", ()),
    "a class that is empty": ("classes", WORLDS["classes"][2].replace("f3,dog", "f3,"), "nan", ("f3",)),
    "classes where the sample has numbers": ("placeholder", WORLDS["placeholder"][2], "ok", ()),
    "a class like nothing": ("placeholder", WORLDS["placeholder"][2].replace("NA", ""), "ok", ()),
    "or writes nan": ("placeholder", WORLDS["placeholder"][2].replace("NA", "nan"), "ok", ()),
    "two such classes": ("nothings", WORLDS["nothings"][2], "ok", ()),
    "and an empty field": ("nothings", WORLDS["nothings"][2].replace("f0,None", "f0,"), "nan", ("f0",)),
    "blanks around classes": ("classes", WORLDS["classes"][2].replace("dog", " dog "), "ok", ()),
    "classes without the host's blanks": ("census", WORLDS["census"][2].replace(" ", ""), "ok", ()),
    "logical labels": ("booleans", WORLDS["booleans"][2], "ok", ()),
    "logical labels as 0 and 1": ("booleans", "id,there\n" + "".join(f"f{n},{n % 2}\n" for n in range(8)),
                                  "ok", ()),
    "words for logical labels": ("booleans", WORLDS["booleans"][2].replace("True", "yes"), "not_a_number",
                                 ("f0", "f3", "f6")),
    "an id that is not the first column": ("id last", WORLDS["id last"][2], "ok", ()),
    "a repeated id that is not the first column": ("id last", WORLDS["id last"][2].replace(",3", ",4"),
                                                   "duplicate_ids", ("4",)),
    "texts": ("words", WORLDS["words"][2], "ok", ()),
    "an empty text": ("words", WORLDS["words"][2].replace("word 3", ""), "ok", ()),
    "a text that looks like a number": ("words", WORLDS["words"][2].replace("word 3", "0012"), "ok", ()),
    "a mask longer than Python's own limit": ("words", WORLDS["words"][2].replace("word 3", "1 2 " * 50_000),
                                              "ok", ()),
}  # fmt: skip


@pytest.mark.parametrize("file", FILES)
def test_all_four_give_the_same_verdict(file: str, worlds: Callable[[str], World], tmp_path: Path) -> None:
    name, content, code, rows = FILES[file]
    path = tmp_path / "submission.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = worlds(name).verdicts(path)
    assert found == dict.fromkeys(found, (code, rows))


def test_pythons_own_limit_of_a_field_is_as_before(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    for text in (f"id,x,y,z\na,1,{'l' * 2 * limit},\n", 'id,x,y,z\na,"'):
        judge(io.BytesIO(text.encode()), FORM)
        assert csv.field_size_limit() == limit


@pytest.mark.parametrize("file", ["missing", "a folder"])
def test_what_is_no_file_is_refused_too(file: str, worlds: Callable[[str], World], tmp_path: Path) -> None:
    if file == "a folder":
        (tmp_path / "submission.csv").mkdir()
    found = judge_file(tmp_path / "submission.csv", worlds("numbers").form)
    assert found == Flaw("missing_file" if file == "missing" else "unreadable")


FORM = Form("id", ("b", "a", "c"), {"x": "number", "y": "label", "z": "text"})


def said(text: str, form: Form) -> Predictions:
    found = judge(io.BytesIO(text.encode()), form)
    assert isinstance(found, Predictions)
    return found


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


@pytest.mark.parametrize(
    ("ids", "expected", "places"),
    [
        (["1", "02", "3.0", "x"], ["1", "2", "3"], [0, 1, 2, None]),
        (["1e3", ".5", "-0"], ["1000", "0.50", "0"], [0, 1, 2]),
        (["a+1.0", "a+02", "a"], ["a+1", "a+2"], [0, 1, None]),
        (["1.2345678901234568e+19"], ["12345678901234567890", "3"], [0]),
        (["1.2345678901234568e+19"], ["12345678901234567890", "12345678901234567891"], [None]),
        (["1_0", "٣", "0x3"], ["10", "3"], [None, None, None]),
        (["", " "], ["NA", "7"], [0, 0]),
        (["nan"], ["NA", "None"], [None]),
        (["007"], ["7", "07"], [None]),  # which of the two is meant cannot be known
        (["01"], ["a", "1"], [1]),
        (["1", "a"], ["a", "1"], [1, 0]),
    ],
)
def test_an_id_in_another_spelling_is_found_where_only_one_can_be_meant(
    ids: list[str], expected: list[str], places: list[int | None]
) -> None:
    assert find_ids(ids, expected) == places
