"""Archives in a competition's data: nested ones, and those that nobody should trust."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from kaggle_runner.errors import BadCompetition
from mle_live.layout.listing import list_data
from mle_live.layout.unpacking import unpack


def zip_of(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return path


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ["../out.csv", "/etc/out.csv", "a/../../out.csv", "a\\..\\out.csv"])
def test_no_entry_leads_out(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        packed.writestr(name, b"x")
    with pytest.raises(BadCompetition, match="leads out"):
        unpack(tmp_path / "bad.zip", tmp_path / "place" / "data")
    assert not list(tmp_path.rglob("out.csv"))


def test_links_are_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "links.tar", "w") as packed:
        link = tarfile.TarInfo("passwd")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
        entry = tarfile.TarInfo("a.csv")
        entry.size = 4
        packed.addfile(entry, io.BytesIO(b"id\n1"))
    unpack(tmp_path / "links.tar", tmp_path / "data")
    assert files(tmp_path / "data") == ["a.csv"]


def test_no_more_is_written_than_is_allowed(tmp_path: Path) -> None:
    bomb = zip_of(tmp_path / "bomb.zip", a=b"0" * 10_000_000)
    with pytest.raises(BadCompetition, match="more than there is room for"):
        unpack(bomb, tmp_path / "data", most_bytes=1_000_000)
    inner = zip_of(tmp_path / "inner.zip", a=b"0" * 10_000_000).read_bytes()
    outer = zip_of(tmp_path / "outer.zip", inner_dot_zip=inner, other=b"x")
    with pytest.raises(BadCompetition, match="more than there is room for"):
        unpack(outer, tmp_path / "data", most_bytes=1_000_000)


@pytest.mark.parametrize("name", ["half.zip", "half.7z", "half.tar.gz"])
def test_a_damaged_archive_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 not much more")
    with pytest.raises(BadCompetition, match=name):
        unpack(tmp_path / name, tmp_path / "data")


def test_names_are_those_that_a_person_would_give(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    one = zip_of(tmp_path / "one.zip", train_dot_csv=b"id,x\n1,2\n").read_bytes()
    zip_of(data / "train.csv.zip", train_dot_csv=b"id,x\n1,2\n")
    zip_of(data / "images.zip", images__a_dot_png=b"a", images__b_dot_png=b"b")
    with zipfile.ZipFile(data / "images.zip", "a") as packed:
        packed.writestr("__MACOSX/images/._a.png", b"")
    zip_of(data / "notes.zip", a_dot_txt=b"a", b_dot_txt=b"b")
    zip_of(data / "all.zip", x_dot_csv=b"id\n", deep__train_dot_zip=one)
    (data / "titles.csv:Zone.Identifier").write_text("[ZoneTransfer]")
    names = [entry.name for entry in list_data(data, tmp_path / "unpacked").files]
    assert names == [
        "all/deep/train.csv", "all/x.csv", "images/a.png", "images/b.png", "notes/a.txt", "notes/b.txt",
        "train.csv",
    ]  # fmt: skip


def test_an_archive_that_cannot_be_unpacked_stays_a_file_and_is_told(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "backup.zip").write_bytes(b"no archive")
    (data / "train.csv").write_text("id,x\n1,2\n")
    listed = list_data(data, tmp_path / "unpacked")
    assert [entry.name for entry in listed.files] == ["backup.zip", "train.csv"]
    assert len(listed.packed) == 1 and listed.packed[0].startswith("backup.zip cannot be unpacked")
