"""Datasets with the client, against a real MLE-Live."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.transport import Retries
from tests.tiny_kaggle import TOKEN, RunningServer


@pytest.fixture
def client(server: RunningServer) -> KaggleClient:
    return KaggleClient(server.url, TOKEN, retries=Retries(tries=1))


@pytest.fixture
def split(tmp_path: Path) -> Path:
    folder = tmp_path / "split"
    (folder / "images" / "test").mkdir(parents=True)
    (folder / "train.csv").write_text("id,x\n1,2\n")
    (folder / "empty.txt").write_text("")
    (folder / "images" / "test" / "1.png").write_bytes(bytes(range(256)) * 300)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


async def test_a_folder_becomes_a_private_dataset_and_comes_back_the_same(
    client: KaggleClient, split: Path, tmp_path: Path
) -> None:
    assert await client.dataset_status("alice/my-split") == "missing"
    seen: list[tuple[int, int | None]] = []
    ref = await client.create_dataset(
        "my-split", "My split", split, license="CC0-1.0", progress=lambda done, all: seen.append((done, all))
    )
    assert ref == "alice/my-split" and await client.dataset_status(ref) == "ready"
    assert seen == sorted(seen) and seen[-1][0] == seen[-1][1] != 0
    facts = await client.dataset(ref)
    assert (facts.title, facts.license, facts.version) == ("My split", "CC0-1.0", 1)
    await client.download_dataset(ref, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(split)

    (split / "train.csv").write_text("id,x\n3,4\n")
    await client.new_dataset_version(ref, split, "other rows")
    await client.download_dataset(ref, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(split)

    await client.delete_dataset(ref)
    assert await client.dataset_status(ref) == "missing"


async def test_others_cannot_see_it(client: KaggleClient, server: RunningServer, split: Path) -> None:
    server.service.state.ensure_user("bob", "token-of-bob")
    ref = await client.create_dataset("my-split", "My split", split)
    bob = KaggleClient(server.url, "token-of-bob", retries=Retries(tries=1))
    assert await bob.dataset_status(ref) == "missing"
    with pytest.raises(KaggleError) as refusal:
        await bob.new_dataset_version(ref, split, "mine now")
    assert refusal.value.status == 403 and not refusal.value.maybe_done


async def test_what_cannot_become_a_dataset_is_said_before_anything_is_sent(
    client: KaggleClient, split: Path, tmp_path: Path
) -> None:
    await client.create_dataset("my-split", "My split", split)
    with pytest.raises(KaggleError, match="already"):
        await client.create_dataset("my-split", "My split", split)
    (tmp_path / "empty").mkdir()
    with pytest.raises(KaggleError, match="is empty"):
        await client.create_dataset("no-files", "No files", tmp_path / "empty")
    (split / "images.zip").write_text("not an archive")
    with pytest.raises(KaggleError, match=r"images\.zip"):
        await client.create_dataset("two-images", "Two images", split)
    (split / "images.zip").unlink()
    (split / "images" / "link").symlink_to("/etc/passwd")
    with pytest.raises(KaggleError, match="is a link"):
        await client.create_dataset("with-link", "With link", split)
    assert await client.dataset_status("alice/with-link") == "missing"


async def test_kaggles_refusal_is_its_sentence(client: KaggleClient, split: Path) -> None:
    with pytest.raises(KaggleError, match="between 6 and 50") as refusal:
        await client.create_dataset("my-split", "Short", split)
    assert not refusal.value.maybe_done


async def test_a_download_larger_than_its_limit_changes_nothing(
    client: KaggleClient, split: Path, tmp_path: Path
) -> None:
    ref = await client.create_dataset("my-split", "My split", split)
    with pytest.raises(KaggleError, match="more than 1000 bytes"):
        await client.download_dataset(ref, tmp_path / "back", most_bytes=1000)
    assert not (tmp_path / "back").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
