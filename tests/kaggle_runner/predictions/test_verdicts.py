"""One table of prediction files and verdicts, held by all four that judge them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from comind.at_kaggle.rehearsal import prediction_fault
from comind.evaluator.evaluator import known_metric_source
from comind.evaluator.grader import Grader
from kaggle_runner.predictions.judge import PROBLEMS, Form
from kaggle_runner.submissions.file import Sample
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
                {"name": "one", "validation": str(self.folder / "truth.csv"), part: str(file), "samples": 2}
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
            "group": None, "seed": 7, "seconds": 5, "cases": [],
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
