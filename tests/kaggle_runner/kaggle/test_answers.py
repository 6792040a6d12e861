"""A server that answers without measure: little of it is read, and the disk is not filled."""

from __future__ import annotations

import gzip
import itertools
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle import answers
from kaggle_runner.kaggle.answers import MOST_PAGES
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.downloads import unpack
from kaggle_runner.kaggle.transport import Retries, Timeouts
from kaggle_runner.kaggle.wire import flattened
from tests.fakes.clocks import HandClock
from tests.fakes.hostile_kaggle import HostileKaggle, Said

PIECE = b" " * 2**20
BUFFERS = 2**25
"""What the two sockets hold on the way."""
TOKEN = "KGAT_0123456789abcdef"
JSON = {"Content-Type": "application/json"}


@contextmanager
def kaggle(
    answer: Said | Callable[[str, int], Said], **options: Any
) -> Iterator[tuple[KaggleClient, HostileKaggle]]:
    """A client of a server that says the same for ever, or what a function of path and call says."""
    with HostileKaggle(answer if callable(answer) else lambda path, number: answer) as server:
        yield KaggleClient(server.url, TOKEN, retries=Retries(3, 0.01), **options), server


def packed(name: str, body: bytes) -> Said:
    return Said([body], headers={**JSON, "Content-Encoding": name})


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bounds, smaller, so that a test moves megabytes and not gigabytes."""
    monkeypatch.setattr(answers, "_MOST_BYTES", 2**22)


@pytest.mark.parametrize(
    ("status", "headers"),
    [(200, JSON), (200, {"Content-Type": "text/html"}), (307, {"Location": "/elsewhere"})],
)
async def test_an_answer_without_an_end_is_read_up_to_the_bound(status: int, headers: dict[str, str]) -> None:
    with kaggle(Said(itertools.repeat(PIECE), status, headers)) as (client, server):
        with pytest.raises(KaggleError, match=f"more than {2**22} bytes"):
            await client.competition("tiny")
        assert server.calls <= 3 and server.sent <= 3 * (2**22 + BUFFERS)


async def test_of_an_error_without_an_end_the_status_is_told() -> None:
    with kaggle(Said(itertools.repeat(PIECE), 403)) as (client, server):
        with pytest.raises(KaggleError) as refused:
            await client.competition("tiny")
        assert refused.value.status == 403 and len(str(refused.value)) < 2000
        assert server.sent <= 2**20 + BUFFERS


async def test_a_word_of_a_server_is_a_line_and_never_repeats_the_token() -> None:
    said = json.dumps({"code": 403, "message": f"no right for {TOKEN}\n" + "x" * 100_000}).encode()
    with (
        kaggle(Said([said], 403)) as (client, _),
        pytest.raises(KaggleError, match=r"no right for \[key\]") as refused,
    ):
        await client.competition("tiny")
    error = refused.value
    assert "no right for [key]" in error.message
    assert TOKEN not in f"{error} {error.hint}" and len(error.message) < 1200 and "\n" not in error.message
    assert error.__cause__ is None and error.__suppress_context__


@pytest.mark.parametrize("name", ["gzip", "deflate"])
async def test_a_few_packed_bytes_may_not_become_gigabytes(name: str) -> None:
    squeezed = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16 if name == "gzip" else zlib.MAX_WBITS)
    bomb = b"".join(squeezed.compress(PIECE) for _ in range(100)) + squeezed.flush()
    with (
        kaggle(packed(name, bomb)) as (client, _),
        pytest.raises(KaggleError, match=f"more than {2**22} bytes"),
    ):
        await client.competition("tiny")


@pytest.mark.parametrize(
    ("name", "body"),
    [("br", b"{}"), ("gzip", b"{}"), ("gzip", gzip.compress(b'{"slug": "tiny"}')[:-9])],
    ids=["not asked for", "not packed", "cut"],
)
async def test_what_is_not_packed_as_it_says_cannot_be_read(name: str, body: bytes) -> None:
    with kaggle(packed(name, body)) as (client, _), pytest.raises(KaggleError, match="cannot be read"):
        await client.competition("tiny")


async def test_a_packed_answer_is_read() -> None:
    body = gzip.compress(json.dumps({"ref": "https://www.kaggle.com/tiny", "title": "ä" * 10_000}).encode())
    with kaggle(packed("gzip", body)) as (client, _):
        assert (await client.competition("tiny")).title == "ä" * 10_000


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "100000"}], ids=["in chunks", "of a told length"])
async def test_an_answer_that_drips_ends_after_its_time(headers: dict[str, str]) -> None:
    slow = Timeouts(connect=5, read=5, whole=0.3)
    drip = Said(itertools.repeat(b" "), headers=headers, pause=0.02)
    with kaggle(drip, timeouts=slow) as (client, server):
        with pytest.raises(KaggleError, match="not whole after"):
            await client.competition("tiny")
        assert server.calls <= 3


async def test_a_head_that_drips_ends_after_its_time() -> None:
    slow = Timeouts(connect=5, read=5, whole=0.3)
    with kaggle(Said(head_pause=0.02), timeouts=slow) as (client, server):
        with pytest.raises(KaggleError, match="no connection"):
            await client.competition("tiny")
        assert server.calls == 3


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"code":'])
@pytest.mark.parametrize("status", [200, 400])
async def test_json_nested_beyond_measure_is_an_error(opening: bytes, status: int) -> None:
    with kaggle(Said([opening * 100_000], status)) as (client, _), pytest.raises(KaggleError):
        await client.competition("tiny")


def test_a_discussion_nested_beyond_measure_is_read() -> None:
    post = None
    for number in range(5000, 0, -1):
        post = SimpleNamespace(
            id=number, is_deleted=False, raw_markdown=str(number), author_name="a", votes=0, post_date=None,
            replies=[post] if post else [],
        )  # fmt: skip
    posts = flattened([post, post])
    assert [one.depth for one in posts[:5000]] == list(range(5000)) and len(posts) == 10_000


async def test_a_list_with_ever_new_pages_ends() -> None:
    def page(path: str, number: int) -> Said:
        return Said([json.dumps({"submissions": [], "nextPageToken": str(number)}).encode()])

    with kaggle(page) as (client, server):
        with pytest.raises(KaggleError, match="does not end"):
            await client.leaderboard("tiny")
        assert server.calls == MOST_PAGES


async def test_the_output_of_a_kernel_with_ever_new_pages_ends(tmp_path: Path) -> None:
    def page(path: str, number: int) -> Said:
        return Said([json.dumps({"files": [], "nextPageToken": str(number)}).encode()])

    with kaggle(page) as (client, server):
        with pytest.raises(KaggleError, match="does not end"):
            await client.kernel_output("ann/x", 1, tmp_path, most_bytes=10)
        assert server.calls == MOST_PAGES


async def test_a_list_of_pages_that_are_full_ends_by_its_bytes() -> None:
    def page(path: str, number: int) -> Said:
        token = json.dumps({"submissions": [], "nextPageToken": str(number)}).encode()
        return Said([token, PIECE, PIECE, PIECE])

    with kaggle(page) as (client, server):
        with pytest.raises(KaggleError, match="does not end"):
            await client.leaderboard("tiny")
        assert server.calls <= 1 + answers.MOST_OF_A_LIST // (3 * 2**20)


async def test_a_list_ends_by_its_time() -> None:
    clock = HandClock()

    def page(path: str, number: int) -> Said:
        clock.advance(500)
        return Said([json.dumps({"submissions": [], "nextPageToken": str(number)}).encode()])

    with kaggle(page, clock=clock) as (client, server):
        with pytest.raises(KaggleError, match="does not end"):
            await client.leaderboard("tiny")
        assert server.calls == 4


async def test_a_download_without_an_end_stops_where_the_disk_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "free_bytes", lambda folder: 2**26 + 5 * 2**20)
    endless = Said(itertools.repeat(PIECE), headers={"Content-Type": "application/zip"})
    with kaggle(endless) as (client, server):
        with pytest.raises(KaggleError, match=f"more than {5 * 2**20} bytes") as full:
            await client.download_all("tiny", tmp_path / "data")
        assert "make room" in full.value.hint and server.calls == 1 and server.sent <= 5 * 2**20 + BUFFERS
    assert list(tmp_path.iterdir()) == []


async def test_a_download_that_drips_is_given_up(tmp_path: Path) -> None:
    clock = HandClock()

    def drip() -> Iterator[bytes]:
        while True:
            clock.advance(30)
            yield b"x"

    with kaggle(Said(drip(), headers={}, pause=0.01), clock=clock) as (client, server):
        with pytest.raises(KaggleError, match="no connection"):
            await client.download_all("tiny", tmp_path / "data")
        assert server.calls == 3


async def test_a_live_log_without_lines_or_end_is_read_for_its_time_and_size() -> None:
    events = {"Content-Type": "text/event-stream"}
    with kaggle(Said(itertools.repeat(PIECE), headers=events)) as (client, server):
        assert await client.live_log("ann/x", 1, quiet=5, longest=60) == []
        assert server.calls == 1 and server.sent <= 20_000_000 + 2**20 + BUFFERS
    drip = Said(itertools.repeat(b"data: x" * 100), headers=events, pause=0.01)
    with kaggle(drip) as (client, server):
        assert len(await client.live_log("ann/x", 1, quiet=5, longest=0.5)) == 1
        assert server.calls == 1


async def test_a_live_log_ends_with_the_word_for_it() -> None:
    def pieces() -> Iterator[bytes]:
        yield b'data: {"stream_name": "stdout", "time": 1, "data": "END_OF_LOG data: END_OF_LOG"}\n\n'
        yield b"data: END_"
        yield b"OF_LOG\n\n"
        yield from itertools.repeat(b"data: {}\n\n")

    said = Said(pieces(), headers={"Content-Type": "text/event-stream"}, pause=0.01)
    with kaggle(said) as (client, _):
        [line] = await client.live_log("ann/x", 1, quiet=5, longest=60)
    assert line.data == "END_OF_LOG data: END_OF_LOG"


def test_an_archive_unpacks_to_no_more_than_the_disk_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "free_bytes", lambda folder: 2**26 + 1000)
    with zipfile.ZipFile(tmp_path / "data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.csv", "0" * 1001)
    with pytest.raises(KaggleError, match="more than 1000 bytes"):
        unpack(tmp_path / "data.zip", tmp_path / "data", most_bytes=10**12)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["d/" * 41 + "x.csv", "a/" * 30_000 + "x"])
def test_an_archive_of_folders_beyond_measure_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr(name, "1")
    with pytest.raises(KaggleError, match="unsafe entry"):
        unpack(tmp_path / "data.zip", tmp_path / "data", most_bytes=10**6)


def test_an_archive_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kaggle_runner.kaggle.downloads.MOST_ENTRIES", 100)
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for number in range(101):
            archive.writestr(f"{number}.csv", "")
    with pytest.raises(KaggleError, match="101 entries"):
        unpack(tmp_path / "data.zip", tmp_path / "data", most_bytes=10**6)
