"""The community of a real server: cached with ages, outputs and datasets within bounds, labels kept out."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from comind.community.cache import CommunityCache
from comind.community.downloads import CommunityDownload
from comind.community.offer import offer_downloads
from comind.community.snapshot import fetch_downloads, keep_pages, take_snapshot
from comind.evaluator.evaluator import Evaluator
from comind.state.records import Dataset, Discussion, Event, Kernel
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.records import KernelPush
from kaggle_runner.kaggle.transport import Retries
from tests.comind.evaluator.folders import houses, ready_evaluator
from tests.fakes.clocks import HandClock
from tests.fakes.kaggle_line import KaggleLine
from tests.tiny_kaggle import SLUG, TOKEN, RunningServer

OUTPUT = """\
# License: MIT
open('oof.csv', 'w').write('id,p\\nr1,0.5\\n')
open('model.pkl', 'wb').write(bytes(10))
"""


@pytest.fixture
def line(server: RunningServer) -> Iterator[KaggleLine]:
    with KaggleLine(server.url) as made:
        yield made


def cache_of(
    line: KaggleLine, state: Path, clock: HandClock, *, refresh: bool = False, told: list[str] | None = None
) -> CommunityCache:
    client = KaggleClient(line.url, TOKEN, retries=Retries(tries=2, first_wait=0.01))
    tell = (told if told is not None else []).append
    return CommunityCache(client, SLUG, state, clock=clock, hours=6, refresh=refresh, tell=tell)


async def snapshot(cache: CommunityCache, folder: Path) -> Store:
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder / "run.sqlite")
    await take_snapshot(cache, store, higher_is_better=False, top_kernels=9, top_discussions=9)
    return store


async def publish_kernel(client: KaggleClient) -> str:
    """A public kernel that reads a dataset and leaves two files."""
    pushed = await client.push_kernel(
        KernelPush(
            "useful-kernel", "useful kernel", OUTPUT, "script",
            competitions=(SLUG,), datasets=("alice/extra-rows",), private=False,
        )
    )  # fmt: skip
    while not (await client.kernel_status(pushed.ref, pushed.version)).ended:
        await asyncio.sleep(0.1)
    return pushed.ref


async def test_young_answers_are_used_again_and_old_ones_read_anew(line: KaggleLine, tmp_path: Path) -> None:
    clock = HandClock(datetime.now(UTC))
    with await snapshot(cache_of(line, tmp_path, clock), tmp_path / "one") as store:
        refs = {kernel.id for kernel in store.all(Kernel)}
        assert refs == {"ann/starter", "ann/strong", "ann/unscored"}  # the one from the future is not there
        assert [topic.id for topic in store.all(Discussion, order="id")] == ["topic-7", "topic-8"]
        assert "> bob: I agree." in store.all(Discussion, order="id")[0].body
    asked = line.passed.copy()
    with await snapshot(cache_of(line, tmp_path, clock), tmp_path / "two") as store:
        assert {kernel.id for kernel in store.all(Kernel)} == refs
    again = line.passed - asked
    assert set(again) <= {"security.OAuthService", "IntrospectToken"}  # the server's clock alone
    clock.advance(hours=7)
    with await snapshot(cache_of(line, tmp_path, clock), tmp_path / "three"):
        pass
    later = line.passed - asked
    assert later["ListKernels"] > 0 and later["GetKernel"] == 0  # sources belong to versions
    asked = line.passed.copy()
    clock.step(-86_400)  # our time is put back: what was read "tomorrow" is not young for a day
    with await snapshot(cache_of(line, tmp_path, clock), tmp_path / "put-back"):
        pass
    assert (line.passed - asked)["ListKernels"] > 0
    asked = line.passed.copy()
    with await snapshot(cache_of(line, tmp_path, clock, refresh=True), tmp_path / "four"):
        pass
    assert (line.passed - asked)["ListKernels"] > 0


async def test_without_a_network_the_old_community_is_used_and_its_age_said(
    line: KaggleLine, tmp_path: Path
) -> None:
    clock = HandClock(datetime.now(UTC))
    (await snapshot(cache_of(line, tmp_path, clock), tmp_path / "one")).close()
    clock.advance(days=3)
    line.down = True
    told: list[str] = []
    with await snapshot(cache_of(line, tmp_path, clock, told=told), tmp_path / "two") as store:
        assert store.count(Kernel) == 3
    assert any("3d 00h ago" in sentence for sentence in told)
    fresh = cache_of(line, tmp_path / "elsewhere", clock)
    with pytest.raises(KaggleError):
        await snapshot(fresh, tmp_path / "three")


async def test_outputs_and_datasets_come_once_and_within_the_limit(line: KaggleLine, tmp_path: Path) -> None:
    clock = HandClock(datetime.now(UTC))
    cache = cache_of(line, tmp_path / "state", clock)
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "more.csv").write_text("id,x\n1,2\n")
    await cache.client.create_dataset("extra-rows", "Extra rows", extra, license="CC-BY-4.0")
    ref = await publish_kernel(cache.client)
    folder = RunFolder(tmp_path / "state" / "runs" / "one")
    folder.path.mkdir(parents=True)
    with await snapshot(cache, folder.path) as store:
        kernel = store.get(Kernel, ref)
        assert kernel is not None and kernel.license == "MIT"
        found = {one.ref: one for one in await fetch_downloads(cache, folder, store, most_bytes=10**6)}
        skipped = [event.message for event in store.all(Event, "kind = 'community'")]
    assert found[ref].files == ("oof.csv",) and found[ref].license == "MIT"
    assert found["alice/extra-rows"].files == ("more.csv",)
    assert found["alice/extra-rows"].license == "CC-BY-4.0"
    assert any("ann/extra-rows was not fetched" in told for told in skipped)
    asked = line.passed.copy()
    second = RunFolder(tmp_path / "state" / "runs" / "two")
    second.path.mkdir()
    with await snapshot(cache, second.path) as store:
        again = await fetch_downloads(cache, second, store, most_bytes=10**6)
    assert {one.ref for one in again} == set(found)
    assert (line.passed - asked)["DownloadDataset"] == 0
    small = RunFolder(tmp_path / "state" / "runs" / "small")
    small.path.mkdir()
    with await snapshot(cache_of(line, tmp_path / "other", clock), small.path) as store:
        await fetch_downloads(cache_of(line, tmp_path / "other", clock), small, store, most_bytes=10)
        told = [event.message for event in store.all(Event, "kind = 'community'")]
    assert any("community_limit" in sentence for sentence in told)


async def test_the_pages_are_kept_beside_the_data(line: KaggleLine, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "state" / "runs" / "one")
    await keep_pages(cache_of(line, tmp_path / "state", HandClock(datetime.now(UTC))), folder)
    assert "root mean squared error" in folder.pages.read_text()


BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Offered:
    """Downloads of a houses competition, and what of them is offered."""

    def __init__(self, run: Path, evaluator: Evaluator) -> None:
        self.folder = RunFolder(run)
        self.evaluator = evaluator

    async def offer(
        self, files: dict[str, str], *, kind: str = "dataset", updated: datetime = BEGAN + timedelta(days=9)
    ) -> tuple[list[str], list[str]]:
        """Names of the files that agents may mount, and what is said of the others."""
        source = self.folder.path / "cache"
        source.mkdir()
        for name, text in files.items():
            (source / name).write_text(text)
        download = CommunityDownload(
            kind=kind, ref="ann/extra", title="Extra", license="CC0-1.0", url="u", version=1,  # type: ignore[arg-type]
            updated_at=updated.isoformat(), folder=str(source), files=tuple(files),
        )  # fmt: skip
        with Store(self.folder.database) as store:
            for _ in range(2):
                await offer_downloads([download], self.folder, store, self.evaluator, began=BEGAN)
            datasets = store.all(Dataset)
            told = [event.message for event in store.all(Event, "kind = 'not_offered'")]
        names = datasets[0].files if datasets else []
        if datasets:
            place = self.folder.path / datasets[0].path
            assert place.name == "extra" and sorted(path.name for path in place.iterdir()) == sorted(names)
            assert (datasets[0].origin, datasets[0].license) == ("upstream", "CC0-1.0")
        return names, told


@pytest.fixture
async def houses_run(tmp_path: Path) -> Offered:
    run = tmp_path / "runs" / "houses"
    made = await ready_evaluator(run, lambda folder: houses(folder, grouped=False), "mae", higher=False)
    return Offered(run, made)


def rows_with_answers(run: Offered, columns: list[str]) -> str:
    """The validation rows as other people have them: out of the competition's own train.csv."""
    table = pd.read_csv(run.folder.original / "train.csv")
    return str(table[columns].to_csv(index=False))


async def test_harmless_tables_are_offered(houses_run: Offered) -> None:
    files, told = await houses_run.offer(
        {"prices_of_wood.csv": "year,price\n1999,3\n2000,4\n", "readme.md": "x"}
    )
    assert files == ["prices_of_wood.csv", "readme.md"] and told == []


async def test_a_table_that_tells_validation_labels_by_id_is_not_offered(houses_run: Offered) -> None:
    leak = rows_with_answers(houses_run, ["id", "price"])
    for name in ("features.csv", "train.csv"):  # the host's own names excuse nothing
        files, told = await houses_run.offer({name: leak})
        assert files == [] and "validation labels" in told[-1]
        shutil.rmtree(houses_run.folder.path / "cache")


async def test_the_same_rows_without_ids_are_not_offered_either(houses_run: Offered) -> None:
    leak = rows_with_answers(houses_run, ["size", "note", "price"]).replace(".0,", ",")
    files, told = await houses_run.offer({"original.csv": leak})
    assert files == [] and "validation rows also stand in" in told[0]


async def test_what_cannot_be_looked_through_must_be_older_than_the_competition(houses_run: Offered) -> None:
    files, told = await houses_run.offer({"net.pt": "weights", "a.csv": "x,y\n1,2\n"})
    assert files == ["a.csv"] and "1 files are not offered, such as net.pt" in told[0]


async def test_an_older_dataset_is_offered_whole(houses_run: Offered) -> None:
    files, told = await houses_run.offer({"net.pt": "weights"}, updated=BEGAN - timedelta(days=1))
    assert files == ["net.pt"] and told == []


async def test_an_output_is_never_older_than_its_competition(houses_run: Offered) -> None:
    files, _ = await houses_run.offer({"net.pt": "weights"}, kind="output", updated=BEGAN - timedelta(days=1))
    assert files == []
