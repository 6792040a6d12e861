"""A bad line between the client and a real server: nothing is lost, nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.records import KernelPush
from kaggle_runner.kaggle.transport import Retries, Timeouts
from tests.fakes.kaggle_line import Fault, KaggleLine
from tests.tiny_kaggle import ROWS, SLUG, TOKEN, RunningServer, submission_text

PATIENT = Retries(tries=6, first_wait=0.01)
PUSH = KernelPush("my-kernel", "my kernel", "print(1)", "script")


@pytest.fixture
def line(server: RunningServer) -> Iterator[KaggleLine]:
    with KaggleLine(server.url) as made:
        yield made


@pytest.fixture
def client(line: KaggleLine) -> KaggleClient:
    return KaggleClient(line.url, TOKEN, retries=PATIENT)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "submission.csv"
    path.write_text(submission_text([1.0] * ROWS))
    return path


@pytest.mark.parametrize("fault", ["500", "429", "never arrived", "answer lost"])
async def test_reads_are_repeated_until_the_line_is_good(
    client: KaggleClient, line: KaggleLine, fault: Fault
) -> None:
    line.spoil("GetCompetition", fault, fault)
    assert (await client.competition(SLUG)).slug == SLUG
    line.spoil("ListKernels", fault, fault, fault)
    assert [kernel.ref for kernel in await client.kernels(SLUG, "votes", 1)] == ["ann/starter"]


async def test_a_login_page_is_no_answer_and_is_asked_past_twice(
    client: KaggleClient, line: KaggleLine
) -> None:
    line.spoil("GetCompetition", "html", "html")
    assert (await client.competition(SLUG)).slug == SLUG
    line.passed.clear()
    line.spoil("GetCompetition", "html", "html", "html")
    with pytest.raises(KaggleError, match="cannot be read") as error:
        await client.competition(SLUG)
    assert "login page" in error.value.hint and line.passed["GetCompetition"] == 0


@pytest.mark.parametrize("fault", ["500", "never arrived", "cut half-way"])
async def test_an_upload_that_is_cut_off_is_repeated_and_submitted_once(
    client: KaggleClient, line: KaggleLine, file: Path, fault: Fault
) -> None:
    line.spoil("/_blob/", fault, fault)
    line.spoil("StartSubmissionUpload", fault)
    ref = await client.submit(SLUG, file, "once")
    assert [one.ref for one in await client.submissions(SLUG)] == [ref]
    assert line.passed["CreateSubmission"] == 1


@pytest.mark.parametrize(("fault", "there"), [("answer lost", 1), ("500", 0), ("never arrived", 0)])
async def test_a_submission_without_an_answer_is_not_repeated_but_said(
    client: KaggleClient, line: KaggleLine, file: Path, fault: Fault, there: int
) -> None:
    line.spoil("CreateSubmission", fault)
    with pytest.raises(KaggleError) as error:
        await client.submit(SLUG, file, "perhaps")
    assert error.value.maybe_done and "look there" in error.value.hint
    assert len(await client.submissions(SLUG)) == there


@pytest.mark.parametrize("fault", ["429", "refused"])
async def test_a_submission_that_was_refused_is_known_not_to_be_made(
    client: KaggleClient, line: KaggleLine, file: Path, fault: Fault
) -> None:
    line.spoil("CreateSubmission", fault)
    with pytest.raises(KaggleError) as error:
        await client.submit(SLUG, file, "no")
    assert not error.value.maybe_done


async def test_nobody_listening_means_that_nothing_was_done(file: Path) -> None:
    stranger = KaggleClient("http://127.0.0.1:9", TOKEN, retries=Retries(1))
    with pytest.raises(KaggleError) as error:
        await stranger.delete_kernel("alice/my-kernel")
    assert not error.value.maybe_done and "no connection" in error.value.message


async def test_a_push_without_an_answer_is_found_by_looking(client: KaggleClient, line: KaggleLine) -> None:
    line.spoil("SaveKernel", "answer lost")
    with pytest.raises(KaggleError) as error:
        await client.push_kernel(PUSH)
    assert error.value.maybe_done
    assert await client.kernel_version("alice/my-kernel") == 1 and line.passed["SaveKernel"] == 1


async def test_a_hung_server_ends_a_call(line: KaggleLine) -> None:
    client = KaggleClient(line.url, TOKEN, timeouts=Timeouts(connect=5, read=0.3), retries=Retries(1))
    line.spoil("GetCompetition", "held")
    with pytest.raises(KaggleError, match="no answer in time") as read:
        await client.competition(SLUG)
    assert not read.value.maybe_done
    line.spoil("DeleteKernel", "held")
    with pytest.raises(KaggleError, match="no answer in time") as write:
        await client.delete_kernel("alice/none")
    assert write.value.maybe_done


async def test_an_upload_goes_on_where_it_was_cut(
    client: KaggleClient, line: KaggleLine, server: RunningServer, tmp_path: Path
) -> None:
    folder = tmp_path / "split"
    folder.mkdir()
    content = bytes(range(256)) * 8000
    (folder / "big.bin").write_bytes(content)
    line.spoil("/_blob/", "half passed on", "never arrived", "500", "half passed on")
    seen: list[int] = []
    ref = await client.create_dataset(
        "my-split", "My split", folder, progress=lambda done, total: seen.append(done)
    )
    await client.download_dataset(ref, tmp_path / "back")
    assert (tmp_path / "back" / "big.bin").read_bytes() == content
    assert line.passed["CreateDataset"] == 1 and seen[-1] == len(content)


async def test_a_dataset_without_an_answer_is_found_by_looking(
    client: KaggleClient, line: KaggleLine, tmp_path: Path
) -> None:
    folder = tmp_path / "split"
    folder.mkdir()
    (folder / "a.csv").write_text("id\n")
    line.spoil("CreateDataset", "answer lost")
    with pytest.raises(KaggleError) as error:
        await client.create_dataset("my-split", "My split", folder)
    assert error.value.maybe_done and await client.dataset_status("alice/my-split") == "ready"


async def test_downloads_that_break_off_end_whole(
    client: KaggleClient, line: KaggleLine, server: RunningServer, tmp_path: Path
) -> None:
    line.spoil("/_download/", "body cut", "never arrived", "body cut")
    await client.download_all(SLUG, tmp_path / "data")
    there = server.competition.data_dir / "train.csv"
    assert (tmp_path / "data" / "train.csv").read_bytes() == there.read_bytes()


async def test_a_large_download_goes_on_where_it_was_cut(
    client: KaggleClient, line: KaggleLine, tmp_path: Path
) -> None:
    import random

    folder = tmp_path / "large"
    folder.mkdir()
    content = random.Random(0).randbytes(6_000_000)
    (folder / "big.bin").write_bytes(content)
    ref = await client.create_dataset("my-split", "My split", folder)
    line.spoil("/_dataset/", "body cut", "html", "never arrived", "body cut", "body cut")
    seen: list[int] = []
    await client.download_dataset(ref, tmp_path / "back", progress=lambda done, total: seen.append(done))
    assert (tmp_path / "back" / "big.bin").read_bytes() == content
    starts = [later for earlier, later in zip([0, *seen], seen, strict=False) if later < earlier]
    assert not starts  # it never began anew


async def test_kernel_outputs_are_fetched_again_piece_by_piece(
    client: KaggleClient, line: KaggleLine, tmp_path: Path
) -> None:
    import asyncio

    text = "for n in range(30): open(f'part_{n:02}.bin', 'wb').write(bytes([n]) * 1000)"
    pushed = await client.push_kernel(KernelPush("my-kernel", "my kernel", text, "script"))
    while not (await client.kernel_status(pushed.ref, 1)).ended:
        await asyncio.sleep(0.1)
    line.spoil("ListKernelSessionOutput", "500", "never arrived")
    line.spoil("/_kernel/", "body cut", "500", "never arrived", "refused")
    output = await client.kernel_output(pushed.ref, 1, tmp_path / "out", most_bytes=10**6)
    assert len(output.saved) == 30 and output.left_out == {}
    assert all(path.read_bytes() == bytes([n]) * 1000 for n, path in enumerate(sorted(output.saved.values())))
    before = line.passed.copy()
    again = await client.kernel_output(pushed.ref, 1, tmp_path / "out", most_bytes=10**6)
    assert again.saved == output.saved and line.passed.total() > before.total()
