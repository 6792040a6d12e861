"""A submission's file before it is sent: what is wrong with it, and whether it says the same as another."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaggle_runner.submissions.file import similarity
from kaggle_runner.submissions.records import SketchColumn
from tests.kaggle_runner.submissions.governors import inspect

SAMPLE = "id,a,label\n01,0.5,x\n02,0.5,x\n03,0.5,x\n"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample_submission.csv"
    path.write_text(SAMPLE)
    return path


def write(folder: Path, text: str, name: str = "submission.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "id,a\n01,1\n02,1\n03,1\n",
            "a required column is absent; copy the columns of the sample (column 'l",
        ),
        ("id,a,label\n01,1,x\n02,1,x\n", "write ids exactly as the sample does (1 of them: 03)"),
        ("id,a,label\n01,1,x\n02,1,x\n03,1,x\n4,1,x\n", "ids are not in the sample (1 of them: row 4)"),
        ("id,a,label\n01,1,x\n02,1,x\n02,1,x\n", "ids appear more than once (1 of them: 02)"),
        ("id,a,label\n01,1,x\n02,,x\n03,1,x\n", "predictions are missing (empty or NaN) (column 'a'; 1 of"),
        ("id,a,label\n01,1,x\n02,inf,x\n03,1,x\n", "infinite or beyond 1e+100 (column 'a'; 1 of them: 02)"),
        (
            "id,a,label\n01,1,x\n02,one,x\n03,1,x\n",
            "some predictions are no numbers (column 'a'; 1 of them: 02)",
        ),
        ("id,a,label\n01,1,x\n02,1,\n03,1,x\n", "missing (empty or NaN) (column 'label'; 1 of them: 02)"),
        ("", "the file is empty"),
        ("only one column\n1\n", "a required column is absent"),
    ],
)
def test_what_would_not_be_scored_is_said(text: str, why: str, sample: Path, tmp_path: Path) -> None:
    facts = inspect(write(tmp_path, text), sample)
    assert len(facts.problems) == 1 and why in facts.problems[0]
    assert len(facts.sha256) == 64


def test_missing_files_and_other_kinds_are_problems_too(sample: Path, tmp_path: Path) -> None:
    assert "cannot be read" in inspect(tmp_path / "none.csv", sample).problems[0]
    assert "not a .csv file" in inspect(write(tmp_path, SAMPLE, "sub.parquet"), sample).problems[0]
    assert "nothing can be checked" in inspect(write(tmp_path, SAMPLE), tmp_path / "none.csv").problems[0]


def test_order_and_spelling_of_numbers_make_no_difference(sample: Path, tmp_path: Path) -> None:
    one = inspect(write(tmp_path, "id,a,label\n01,0.25,x\n02,1,y\n03,2,z\n"), sample)
    other = inspect(write(tmp_path, "label,id,a\nz,03,2.0\nx,01,2.5e-1\ny,02,1.00\n"), sample)
    assert one.problems == other.problems == ()
    assert one.content == other.content and one.sha256 != other.sha256
    assert one.sketch == other.sketch == ((0.25, 1.0, 2.0), ("x", "y", "z"))
    changed = inspect(write(tmp_path, "id,a,label\n01,0.26,x\n02,1,y\n03,2,z\n"), sample)
    assert changed.content != one.content


def test_a_large_file_is_sketched_by_the_same_rows(tmp_path: Path) -> None:
    rows = range(30_000)
    head = "id,target\n"
    sample = write(tmp_path, head + "".join(f"{row},0.0\n" for row in rows), "sample.csv")
    one = inspect(write(tmp_path, head + "".join(f"{row},{row}.0\n" for row in rows)), sample)
    other = inspect(write(tmp_path, head + "".join(f"{row},{row + 10}\n" for row in reversed(rows))), sample)
    assert one.rows == 30_000 and len(one.sketch[0]) == 2000
    assert [b - a for a, b in zip(one.sketch[0], other.sketch[0], strict=True)] == [10.0] * 2000  # type: ignore[operator]
    agreement = similarity(one.sketch, other.sketch)
    assert agreement is not None and 0.9999 < agreement < 1


numbers = st.lists(st.floats(-1e6, 1e6).map(lambda value: float(f"{value:.6g}")), min_size=2, max_size=30)


@given(numbers)
def test_predictions_agree_with_themselves_and_not_with_their_opposite(column: list[float]) -> None:
    assert similarity([tuple(column)], [tuple(column)]) == pytest.approx(1.0)
    opposite = tuple(-value for value in column)
    agreement = similarity([tuple(column)], [opposite])
    assert agreement is not None and agreement <= 1 + 1e-9


@pytest.mark.parametrize(
    ("one", "other", "agreement"),
    [
        ((1.0, 2.0, 3.0), (1.0, 2.0, 3.0), 1.0),
        ((1.0, 2.0, 3.0), (2.0, 3.0, 4.0), 4 / 7),  # 2 · ⅔ / (⅔ + ⅔ + 1²)
        ((1.0, 2.0, 3.0), (2.0, 4.0, 6.0), 4 / 11),  # 2 · 4/3 / (⅔ + 8/3 + 2²)
        ((1.0, 2.0, 3.0), (3.0, 2.0, 1.0), -1.0),
        ((1.0, 2.0, 3.0), (2.0, 2.0, 2.0), 0.0),
        ((5.0, 5.0), (5.0, 5.0), 1.0),
        ((0.0, 0.0), (0.0, 0.0), 1.0),
        ((5.0, 5.0), (6.0, 6.0), 0.0),
        ((1e200, 2e200), (1e200, 2e200), 1.0),
        ((math.inf, 1.0, 2.0), (math.inf, 1.0, 3.0), 2 / 3),
        ((1.0, "a"), (1.0, "b"), 0.5),
        (("1",), (1.0,), 0.0),
    ],
)
def test_numbers_agree_by_lins_concordance(one: SketchColumn, other: SketchColumn, agreement: float) -> None:
    assert similarity([one], [other]) == pytest.approx(agreement)
    assert similarity([other], [one]) == pytest.approx(agreement)
    assert similarity([one, one], [one, other]) == pytest.approx((1 + agreement) / 2)


def test_labels_agree_by_their_share_and_other_shapes_not_at_all() -> None:
    assert similarity([("a", "b", "c", "d")], [("a", "b", "x", "d")]) == 0.75
    assert similarity([(1.0, 2.0)], [(1.0, 2.0, 3.0)]) is None
    assert similarity([(1.0,)], [(1.0,), (1.0,)]) is None
    assert similarity([(1.0,), (1.0,)], [(1.0,), (1.0, 2.0)]) is None
    assert similarity([], []) is similarity([()], [()]) is None


def test_what_a_file_says_has_the_same_name_in_every_version(sample: Path, tmp_path: Path) -> None:
    facts = inspect(write(tmp_path, "id,a,label\n01,0,x\n02,-1.25e-7,y\n03,123456789012,x\n"), sample)
    assert facts.content == "c9861123a061fa3ba176293663f016b5072752f0ef52c4c2277457c36019460b"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("9.99999999996", "10", True), ("9.99999999", "10", False), ("-999999999.6", "-1e9", True),
        ("0", "-0.0", True), ("1e-300", "0", True), ("1e-280", "0", False), ("1", "-1", False),
        ("1", "10", False), ("123456789.4", "123456789", True), ("123456788", "123456789", False),
    ],
)  # fmt: skip
def test_numbers_are_the_same_to_nine_digits(
    sample: Path, tmp_path: Path, one: str, other: str, same: bool
) -> None:
    first, second = (
        inspect(write(tmp_path, f"id,a,label\n01,{number},x\n02,1,x\n03,2,x\n"), sample)
        for number in (one, other)
    )
    assert (first.content == second.content) is same


@pytest.mark.parametrize(("columns", "rows"), [(1, 6), (1000, 4), (2500, 1), (5000, 1)])
def test_a_wide_file_is_sketched_by_fewer_rows(tmp_path: Path, columns: int, rows: int) -> None:
    names = ",".join(f"c{n}" for n in range(columns))
    text = f"id,{names}\n" + "".join(f"{row}{f',{row}' * columns}\n" for row in range(6))
    facts = inspect(write(tmp_path, text), write(tmp_path, text, "sample.csv"))
    assert len(facts.sketch) == min(columns, 4000)
    assert {len(column) for column in facts.sketch} == {rows}


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=3), st.sampled_from(["{!r}", "{:.12g}", "{:.15e}"])
)
def test_the_content_of_numbers_survives_any_way_of_writing_them(values: list[float], form: str) -> None:
    with TemporaryDirectory() as place:
        folder = Path(place)
        sample = write(folder, "id,a\n1,0.5\n2,0.5\n3,0.5\n", "sample.csv")
        rounded = [float(f"{value:.8g}") for value in values]
        texts = [
            "id,a\n" + "".join(f"{n},{way.format(v)}\n" for n, v in enumerate(rounded, 1))
            for way in ("{!r}", form)
        ]
        one, other = (inspect(write(folder, text), sample) for text in texts)
        moved = [rounded[0] * 1.001 if abs(rounded[0]) > 1e-200 else 1.0, *rounded[1:]]
        third = inspect(
            write(folder, "id,a\n" + "".join(f"{n},{v!r}\n" for n, v in enumerate(moved, 1))), sample
        )
    assert one.content == other.content != third.content
