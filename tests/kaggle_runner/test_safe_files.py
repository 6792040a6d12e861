"""Reading what agent code wrote, without being led elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kaggle_runner import safe_files
from kaggle_runner.safe_files import UnsafeFile, safe_copy, safe_read_bytes


@pytest.fixture(params=["openat2", "folder by folder"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace beside a secret, read with the system call and with the fallback."""
    if request.param != "openat2":

        def missing(folder: int, name: str) -> int:
            raise OSError(38, "Function not implemented")

        monkeypatch.setattr(safe_files, "_openat2", missing)
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
