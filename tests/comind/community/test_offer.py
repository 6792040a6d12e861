"""Which files of others are offered, beside an evaluator whose findings are given here."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from comind.community.downloads import CommunityDownload
from comind.community.offer import offer_downloads
from comind.evaluator.evaluator import Evaluator
from comind.state.records import Dataset, Event
from comind.state.runs import RunFolder, create_run
from comind.state.store import Store
from kaggle_runner.moments import stamp

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
OLD, YOUNG = "2026-02-28T23:59:59Z", stamp(BEGAN)
FILES = ("data/a.csv", "b.PNG", "model.pkl")


class Findings:
    """Stands for the evaluator: says what it was made with of any folder."""

    def __init__(self, *said: str) -> None:
        self.said = said
        self.seen: list[list[str]] = []

    def leaks_in(self, offered: Path) -> list[str]:
        self.seen.append(sorted(path.relative_to(offered).as_posix() for path in offered.rglob("*.*")))
        return [*self.said]


def download(folder: Path, *files: str, updated_at: str = YOUNG, size: int = 4) -> CommunityDownload:
    for name in files or FILES:
        path = folder / "cache" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size)
    return CommunityDownload(
        "dataset", "ann/extra", "Extra", "CC0-1.0", "https://k/ann/extra", 1, updated_at,
        str(folder / "cache"), files or FILES,
    )  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return create_run(tmp_path / "state", "tiny-comp-20261122-060000")


async def offered(
    run: RunFolder, one: CommunityDownload, found: Findings, *, began: datetime | None = BEGAN
) -> tuple[list[str], list[str]]:
    """The files that agents may mount, and what is told."""
    with Store(run.database) as store:
        await offer_downloads([one], run, store, cast(Evaluator, found), began=began)
        told = [event.message for event in store.all(Event, "kind LIKE '%offered'", order="seq")]
        datasets = store.all(Dataset)
    for dataset in datasets:
        place = run.path / dataset.path
        there = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
        assert there == sorted(dataset.files) and place.name == "extra"
    return [name for dataset in datasets for name in dataset.files], told


NOT_READ = (
    "ann/extra: 1 files are not offered, such as model.pkl: what is in them cannot be looked through, "
    "and they are younger than the competition"
)


async def test_what_can_be_looked_through_is_and_the_rest_is_left_out(run: RunFolder, tmp_path: Path) -> None:
    found = Findings()
    files, told = await offered(run, download(tmp_path), found)
    assert files == ["data/a.csv", "b.PNG"]
    assert told == [NOT_READ, "ann/extra can be mounted (2 files, CC0-1.0)"]
    assert found.seen == [["extra/b.PNG", "extra/data/a.csv"]]
    assert await offered(run, download(tmp_path), found) == (files, told), "a resumed run does it once"
    with Store(run.database) as store:
        (dataset,) = store.all(Dataset)
    assert (dataset.id, dataset.title, dataset.origin) == ("ann/extra", "Extra", "upstream")
    assert (dataset.license, dataset.url) == ("CC0-1.0", "https://k/ann/extra")


@pytest.mark.parametrize(
    ("kind", "updated_at", "began", "all_of_it"),
    [
        ("dataset", OLD, BEGAN, True),
        ("dataset", YOUNG, BEGAN, False),
        ("dataset", "", BEGAN, False),
        ("dataset", OLD, None, False),
        ("output", OLD, BEGAN, False),  # a kernel's output is made from the competition's rows
    ],
)
async def test_only_a_dataset_older_than_the_competition_is_offered_unread(
    run: RunFolder, tmp_path: Path, kind: str, updated_at: str, began: datetime | None, all_of_it: bool
) -> None:
    found = Findings("a leak")
    one = replace(download(tmp_path, updated_at=updated_at), kind=kind)  # type: ignore[arg-type]
    files, _ = await offered(run, one, found, began=began)
    assert files == (list(FILES) if all_of_it else [])
    assert len(found.seen) == (not all_of_it)


async def test_files_that_tell_labels_are_taken_away_again(run: RunFolder, tmp_path: Path) -> None:
    files, told = await offered(
        run, download(tmp_path, "a.csv", "b.pkl"), Findings("one", "two", "three", "four")
    )
    assert (files, told) == (
        [], [NOT_READ.replace("model", "b"), "ann/extra: it is not offered: one; two; three"]
    )  # fmt: skip
    assert not run.offered("ann~extra").exists()


async def test_nothing_readable_is_nothing_offered(run: RunFolder, tmp_path: Path) -> None:
    found = Findings()
    assert await offered(run, download(tmp_path, "model.pkl"), found) == ([], [NOT_READ])
    assert found.seen == []


@pytest.mark.parametrize(("name", "size", "kept"), [
    ("a.csv", 64_000_000, True), ("a.csv", 64_000_001, False), ("a.png", 64_000_001, True),
    ("x" * 196 + ".csv", 4, True), ("x" * 197 + ".csv", 4, False), ("a\n.csv", 4, False),
    ("a", 4, False), ("a.zip", 4, False), ("a.JSON", 4, True),
])  # fmt: skip
async def test_large_texts_and_odd_names_are_left_out(
    run: RunFolder, tmp_path: Path, name: str, size: int, kept: bool
) -> None:
    files, _ = await offered(run, download(tmp_path, name, size=size), Findings())
    assert files == ([name] if kept else [])


async def test_what_a_run_left_that_ended_in_the_middle_is_cleared(run: RunFolder, tmp_path: Path) -> None:
    left = run.offered("ann~extra") / "extra" / "left.csv"
    left.parent.mkdir(parents=True)
    left.write_text("of a run that was killed")
    files, _ = await offered(run, download(tmp_path), Findings())
    assert files == ["data/a.csv", "b.PNG"] and not left.exists()
