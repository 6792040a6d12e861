"""The joined view: what a public kernel sees, and cutting its submission in two again."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from comind.evaluator.view import build_view, divide
from kaggle_runner.errors import BadCompetition


def public_folder(folder: Path, *, test_ids: list[object], validation_ids: list[object]) -> Path:
    folder.mkdir()
    pd.DataFrame({"id": test_ids, "x": range(len(test_ids))}).to_csv(folder / "test.csv", index=False)
    inputs = pd.DataFrame({"id": validation_ids, "x": [f"0{n}" for n in range(len(validation_ids))]})
    inputs.to_csv(folder / "validation.csv", index=False)
    pd.DataFrame({"id": test_ids, "y": 0}).to_csv(folder / "sample_submission.csv", index=False)
    sample = pd.DataFrame({"id": validation_ids, "y": 0})
    sample.to_csv(folder / "sample_validation_submission.csv", index=False)
    pd.DataFrame({"id": [900, 901], "x": [1, 2], "y": [0, 1]}).to_csv(folder / "train.csv", index=False)
    return folder


def test_validation_rows_follow_the_test_rows_with_every_character_kept(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public", test_ids=[7, 5], validation_ids=[3, 1])
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    assert (tmp_path / "view" / "test.csv").read_text() == "id,x\n7,0\n5,1\n3,00\n1,01\n"
    assert list(pd.read_csv(tmp_path / "view" / "sample_submission.csv")["id"]) == [7, 5, 3, 1]
    assert (tmp_path / "view" / "train.csv").samefile(public / "train.csv")


def test_a_submission_over_the_view_is_divided_by_id_whatever_its_order(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public", test_ids=[7, 5], validation_ids=[3, 1])
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    pd.DataFrame({"id": [1, 5, 3, 7], "y": [0.1, 0.5, 0.3, 0.7]}).to_csv(tmp_path / "s.csv", index=False)
    divide(tmp_path / "s.csv", tmp_path / "ids.json", tmp_path / "out", "id")
    assert (tmp_path / "out" / "validation_submission.csv").read_text() == "id,y\n1,0.1\n3,0.3\n"
    assert (tmp_path / "out" / "submission.csv").read_text() == "id,y\n5,0.5\n7,0.7\n"


@pytest.mark.parametrize(
    ("test_ids", "validation_ids"), [([1, 2, 3], [2, 9]), (["a", "b"], ["b", "validation-b"])]
)
def test_ids_that_both_kinds_of_rows_have_are_told_apart_and_given_back(
    tmp_path: Path, test_ids: list[object], validation_ids: list[object]
) -> None:
    public = public_folder(tmp_path / "public", test_ids=test_ids, validation_ids=validation_ids)
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    shown = pd.read_csv(tmp_path / "view" / "test.csv", dtype=str)
    assert shown["id"].is_unique and len(shown) == len(test_ids) + len(validation_ids)
    shown.assign(y=shown["x"])[["id", "y"]].to_csv(tmp_path / "s.csv", index=False)
    divide(tmp_path / "s.csv", tmp_path / "ids.json", tmp_path / "out", "id")
    validation = pd.read_csv(tmp_path / "out" / "validation_submission.csv", dtype=str)
    assert list(validation["id"]) == [str(id) for id in validation_ids]
    assert list(validation["y"]) == [f"0{n}" for n in range(len(validation_ids))]
    test = pd.read_csv(tmp_path / "out" / "submission.csv", dtype=str)
    assert list(test["id"]) == [str(id) for id in test_ids]


def test_images_of_validation_rows_lie_where_test_images_lie(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public", test_ids=[7, 5], validation_ids=[3, 1])
    for name, ids in (("train_images", [900, 901, 3, 1]), ("test_images", [7, 5])):
        (public / name).mkdir()
        for id in ids:
            (public / name / f"{id}.png").write_text(f"pixels of {id}")
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    shown = tmp_path / "view" / "test_images"
    assert {path.name for path in shown.iterdir()} == {"7.png", "5.png", "3.png", "1.png"}
    assert (shown / "3.png").read_text() == "pixels of 3"


def test_images_of_equal_ids_are_not_mixed_up(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public", test_ids=[1, 2], validation_ids=[1])
    for name, ids in (("train_images", [1]), ("test_images", [1, 2])):
        (public / name).mkdir()
        for id in ids:
            (public / name / f"{id}.png").write_text(f"{name} {id}")
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    other = json.loads((tmp_path / "ids.json").read_text())["1"]
    assert other not in ("1", "2")
    assert (tmp_path / "view" / "test_images" / f"{other}.png").read_text() == "train_images 1"
    assert (tmp_path / "view" / "test_images" / "1.png").read_text() == "test_images 1"


def test_where_all_ids_are_those_of_both_kinds_of_rows_the_folders_tell_them_apart(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public", test_ids=[1, 2], validation_ids=[2, 1])
    for place in ("images/learn", "images/Test", "notes/test"):
        (public / place).mkdir(parents=True)
        for id in (1, 2):
            (public / place / f"{id}.{'txt' if place == 'notes/test' else 'png'}").write_text(place)
    (public / "images" / "Test" / "1.jpg").write_text("more files lie there than among the notes")
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    shown = {path.name: path.read_text() for path in (tmp_path / "view" / "images" / "Test").glob("*.png")}
    assert shown == {
        "1.png": "images/Test",
        "2.png": "images/Test",
        "3.png": "images/learn",
        "4.png": "images/learn",
    }
    assert {path.name for path in (tmp_path / "view" / "notes" / "test").iterdir()} == {"1.txt", "2.txt"}


def test_files_without_an_end_of_their_own_and_those_of_no_row_stay_as_they_are(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public", test_ids=["a.b", "c"], validation_ids=["d.e", "f"])
    for place, names in (("learn", ("d.e", "f", "other")), ("asked", ("a.b", "c"))):
        (public / place).mkdir()
        for name in names:
            (public / place / name).write_text(f"{place} {name}")
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    assert {path.name for path in (tmp_path / "view" / "asked").iterdir()} == {"a.b", "c", "d.e", "f"}
    assert (tmp_path / "view" / "asked" / "d.e").read_text() == "learn d.e"


@pytest.mark.parametrize(
    ("test_ids", "validation_ids", "shown"),
    [
        (["5", "9"], ["9", "2"], ["10", "11"]),
        (["5", "9"], ["12", "9"], ["13", "14"]),
        (["5", "9"], ["2", "1"], ["2", "1"]),
        (["5", "x"], ["5", "6"], ["validation-5", "validation-6"]),
        (["a", "validation-a"], ["a"], ["validation--a"]),
        (["a"], ["a", "validation-b"], ["validation--a", "validation--validation-b"]),
        (["a", "validation--a"], ["a"], ["validation---a"]),
        (["1" * 18], ["1" * 18], ["1" * 17 + "2"]),
        (["1" * 19], ["1" * 19], ["validation-" + "1" * 19]),
    ],
)
def test_validation_rows_get_ids_of_their_kind_that_no_row_has(
    tmp_path: Path, test_ids: list[object], validation_ids: list[object], shown: list[str]
) -> None:
    public = public_folder(tmp_path / "public", test_ids=test_ids, validation_ids=validation_ids)
    build_view(public, tmp_path / "far" / "view", tmp_path / "ids.json", "id")
    for name in ("test.csv", "sample_submission.csv"):
        table = pd.read_csv(tmp_path / "far" / "view" / name, dtype=str)
        assert list(table["id"]) == [*test_ids, *shown]
    assert json.loads((tmp_path / "ids.json").read_text()) == dict(zip(validation_ids, shown, strict=True))


def test_a_view_that_was_made_is_left_alone_and_one_half_made_is_made_anew(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public", test_ids=[7], validation_ids=[3])
    (tmp_path / "view").mkdir()
    (tmp_path / "view" / "left.csv").write_text("by an engine that was killed")
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    assert not (tmp_path / "view" / "left.csv").exists()
    (tmp_path / "view" / "test.csv").unlink()
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    assert not (tmp_path / "view" / "test.csv").exists()


def test_a_competition_may_have_no_table_of_test_rows_and_one_without_ids(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public", test_ids=[7], validation_ids=[3])
    (public / "test.csv").unlink()
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    assert not (tmp_path / "view" / "test.csv").exists()
    assert (tmp_path / "view" / "sample_submission.csv").read_text() == "id,y\n7,0\n3,0\n"
    for name in ("test", "validation"):
        (public / f"{name}.csv").write_text(f"x,said\n1,{name}\n")
    build_view(public, tmp_path / "more", tmp_path / "others.json", "id")
    assert (tmp_path / "more" / "test.csv").read_text() == "x,said\n1,test\n1,validation\n"


def test_what_is_no_table_is_left_to_the_evaluator(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public", test_ids=[7], validation_ids=[3])
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    for number, content in enumerate((b"", b"\xff\xfe\x00", b"name\nx\n", b'id,y\n"1')):
        (tmp_path / "s.csv").write_bytes(content)
        for _ in range(2):  # a second time too
            divide(tmp_path / "s.csv", tmp_path / "ids.json", tmp_path / "far" / str(number), "id")
        for name in ("submission.csv", "validation_submission.csv"):
            assert (tmp_path / "far" / str(number) / name).read_bytes() == content


def test_rows_without_an_id_cannot_be_told_apart(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public", test_ids=[7], validation_ids=[3])
    with pytest.raises(BadCompetition, match="no column"):
        build_view(public, tmp_path / "view", tmp_path / "ids.json", "row")


def test_rows_whose_ids_a_kernel_wrote_as_floats_go_where_they_belong(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public", test_ids=[7, 5], validation_ids=[3, 1])
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    (tmp_path / "s.csv").write_text("id,y\n7.0,7\n5.0,5\n3.0,3\n1.0,1\n")
    divide(tmp_path / "s.csv", tmp_path / "ids.json", tmp_path / "out", "id")
    assert (tmp_path / "out" / "validation_submission.csv").read_text() == "id,y\n3,3\n1,1\n"
    assert (tmp_path / "out" / "submission.csv").read_text() == "id,y\n7.0,7\n5.0,5\n"


def test_ids_that_lost_their_zeros_on_the_way_are_found_again(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public", test_ids=["007", "010"], validation_ids=["003", "001"])
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    pd.read_csv(tmp_path / "view" / "sample_submission.csv").to_csv(tmp_path / "s.csv", index=False)
    divide(tmp_path / "s.csv", tmp_path / "ids.json", tmp_path / "out", "id")
    assert (tmp_path / "out" / "validation_submission.csv").read_text() == "id,y\n003,0\n001,0\n"
    assert (tmp_path / "out" / "submission.csv").read_text() == "id,y\n7,0\n10,0\n"


def test_ids_that_end_like_floats_are_left_as_they_are(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public", test_ids=["7.0", "5.0"], validation_ids=["3.0", "1.0"])
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    divide(tmp_path / "view" / "sample_submission.csv", tmp_path / "ids.json", tmp_path / "out", "id")
    assert (tmp_path / "out" / "validation_submission.csv").read_text() == "id,y\n3.0,0\n1.0,0\n"
    assert (tmp_path / "out" / "submission.csv").read_text() == "id,y\n7.0,0\n5.0,0\n"


@pytest.mark.parametrize("odd", ["²", "9" * 5000])
def test_digits_that_are_no_numbers_do_not_end_the_run(tmp_path: Path, odd: str) -> None:
    public = public_folder(tmp_path / "public", test_ids=[odd, "1"], validation_ids=["1"])
    build_view(public, tmp_path / "view", tmp_path / "ids.json", "id")
    shown = pd.read_csv(tmp_path / "view" / "test.csv", dtype=str)
    assert list(shown["id"]) == [odd, "1", "validation-1"]
