"""Whole writes, links, and reading what agent code wrote without being led elsewhere."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from kaggle_runner import files
from kaggle_runner.files import (
    UnsafeFile,
    link_or_copy,
    replace_folder,
    safe_copy,
    safe_read_bytes,
    whole_file,
    write_whole,
)


@pytest.mark.parametrize("durable", [False, True])
def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, durable: bool) -> None:
    kept = tmp_path / "kept.json"
    write_whole(kept, "first", durable=durable)
    with pytest.raises(ZeroDivisionError), whole_file(kept, durable=durable) as file:
        file.write(b"sec")
        file.flush()
        assert kept.read_text() == "first"
        raise ZeroDivisionError
    assert kept.read_text() == "first"
    assert list(tmp_path.iterdir()) == [kept]
    write_whole(kept, b"second", durable=durable)
    assert kept.read_bytes() == b"second"


def test_a_write_does_not_bring_back_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "gone" / "file", "text")
    assert not (tmp_path / "gone").exists()


def test_a_written_file_has_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "plain", "text")
        write_whole(tmp_path / "token", "secret", mode=0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "plain").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def test_half_characters_are_written_as_whole_ones(tmp_path: Path) -> None:
    write_whole(tmp_path / "text", "\ud83d\ude42 and \ud83d")
    assert (tmp_path / "text").read_text(encoding="utf-8") == "🙂 and \ufffd"


def test_a_folder_replaces_another_as_a_whole(tmp_path: Path) -> None:
    for name in ("place", "made"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"of {name}").touch()
    for _ in range(2):
        replace_folder(tmp_path / "made", tmp_path / "place")
        assert [path.name for path in tmp_path.rglob("*")] == ["place", "of made"]
        (tmp_path / "place").rename(tmp_path / "made")  # the second time nothing is there


def test_a_folder_is_linked_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "images" / "deep").mkdir(parents=True)
    (tmp_path / "images" / "deep" / "1.png").write_bytes(b"png")
    link_or_copy(tmp_path / "images", tmp_path / "view")
    linked = tmp_path / "view" / "deep" / "1.png"
    assert linked.samefile(tmp_path / "images" / "deep" / "1.png")


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no second file system")
def test_another_disk_gets_a_copy(tmp_path: Path) -> None:
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as elsewhere:
        elsewhere.write(b"far")
        elsewhere.flush()
        link_or_copy(Path(elsewhere.name), tmp_path / "near")
    assert (tmp_path / "near").read_bytes() == b"far"


@pytest.fixture(params=["openat2", "folder by folder"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace beside a secret, read with the system call and with the fallback."""
    if request.param != "openat2":

        def missing(folder: int, name: str) -> int:
            raise OSError(38, "Function not implemented")

        monkeypatch.setattr(files, "_openat2", missing)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "labels.csv").write_text("answer")
    workspace = tmp_path / "workspace"
    (workspace / "models").mkdir(parents=True)
    (workspace / "submission.csv").write_text("id,y\n")
    (workspace / "models" / "oof.csv").write_text("oof")
    (workspace / "link.csv").symlink_to(tmp_path / "secret" / "labels.csv")
    (workspace / "inner.csv").symlink_to("submission.csv")
    (workspace / "folder").symlink_to(tmp_path / "secret")
    os.mkfifo(workspace / "pipe.csv")
    return workspace


def test_plain_files_are_read(root: Path) -> None:
    assert safe_read_bytes(root, "submission.csv", 100) == b"id,y\n"
    assert safe_read_bytes(root, "models/oof.csv", 100) == b"oof"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("link.csv", "is a link"),
        ("inner.csv", "is a link"),
        ("folder/labels.csv", "is a link"),
        ("../secret/labels.csv", "not a file name inside"),
        ("/etc/passwd", "not a file name inside"),
        ("", "not a file name inside"),
        ("pipe.csv", "not a regular file"),
        ("models", "not a regular file"),
        ("missing.csv", "there is no file"),
    ],
)
def test_everything_else_is_refused(root: Path, tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(UnsafeFile, match=said):
        safe_read_bytes(root, name, 100)
    with pytest.raises(UnsafeFile, match=said):
        safe_copy(root, name, tmp_path / "copy", 100)
    assert not (tmp_path / "copy").exists()


def test_a_file_over_the_bound_is_refused_and_leaves_nothing(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsafeFile, match="larger"):
        safe_read_bytes(root, "submission.csv", 4)
    with pytest.raises(UnsafeFile, match="larger"):
        safe_copy(root, "submission.csv", tmp_path / "out" / "copy", 4)
    assert not (tmp_path / "out").exists()


def test_a_copy_is_whole(root: Path, tmp_path: Path) -> None:
    assert safe_copy(root, "submission.csv", tmp_path / "out" / "copy.csv", 5) == 5
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["copy.csv"]
    assert (tmp_path / "out" / "copy.csv").read_text() == "id,y\n"


def test_a_sparse_file_stays_sparse(root: Path, tmp_path: Path) -> None:
    with (root / "sparse").open("wb") as sparse:
        sparse.write(b"begin")
        sparse.seek(20_000_000)
        sparse.write(b"end\0")
        sparse.truncate(30_000_000)
    copy = tmp_path / "out" / "copy"
    assert safe_copy(root, "sparse", copy, 40_000_000) == 30_000_000
    assert copy.read_bytes() == (root / "sparse").read_bytes()
    assert copy.stat().st_blocks * 512 < 100_000
