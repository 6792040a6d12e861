"""Pushing kernels with the client, against a real MLE-Live that runs them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kaggle_runner.errors import KaggleError, KernelRefused
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.outputs import read_log
from kaggle_runner.kaggle.records import KernelPush, KernelStatus
from kaggle_runner.kaggle.transport import Retries
from tests.tiny_kaggle import (
    CANARY,
    SLUG,
    TOKEN,
    RunningServer,
    make_root,
    running_server,
    submission_text,
    tiny_server,
)

WRITES = """\
import pathlib, sys
print("hello")
print("trouble", file=sys.stderr)
pathlib.Path("deep/er").mkdir(parents=True)
pathlib.Path("deep/er/one.txt").write_text("one")
pathlib.Path("submission.csv").write_text({text!r})
for number in range({files}):
    pathlib.Path(f"part_{{number:03}}.bin").write_bytes(bytes(10))
"""


@pytest.fixture
def client(server: RunningServer) -> KaggleClient:
    return KaggleClient(server.url, TOKEN, retries=Retries(tries=1))


def script(text: str, slug: str = "my-kernel", **settings: Any) -> KernelPush:
    return KernelPush(slug, slug.replace("-", " "), text, "script", **settings)


async def ended(client: KaggleClient, ref: str, version: int) -> KernelStatus:
    while not (status := await client.kernel_status(ref, version)).ended:
        await asyncio.sleep(0.1)
    return status


async def test_a_pushed_kernel_runs_and_comes_home(client: KaggleClient, tmp_path: Path) -> None:
    assert await client.kernel_version("alice/my-kernel") is None
    text = submission_text([value + 5.0 for value in CANARY])
    pushed = await client.push_kernel(
        script(WRITES.format(text=text, files=498), competitions=(SLUG,), kernels=("bob/none",), seconds=60)
    )
    assert (pushed.ref, pushed.version, pushed.refused_sources) == ("alice/my-kernel", 1, ("bob/none",))
    assert await ended(client, pushed.ref, 1) == KernelStatus("complete", "")
    facts = await client.kernel_facts(pushed.ref)
    assert facts is not None and (facts.version, facts.private, facts.internet) == (1, True, False)
    log = await client.kernel_log(pushed.ref, 1)
    assert ("stdout", "hello") in [(line.stream, line.data.strip()) for line in log]
    assert ("stderr", "trouble") in [(line.stream, line.data.strip()) for line in log]

    def wanted(name: str) -> bool:
        return not name.startswith("part_") or name == "part_497.bin"

    output = await client.kernel_output(pushed.ref, 1, tmp_path / "out", wanted=wanted, most_bytes=10_000)
    assert len(output.names) == 500 and output.left_out == {} and list(output.log) == log
    assert set(output.saved) == {"deep/er/one.txt", "submission.csv", "part_497.bin"}
    assert output.saved["deep/er/one.txt"].read_text() == "one"
    assert output.saved["submission.csv"].read_text() == text

    ref = await client.submit_kernel(SLUG, pushed.ref, 1, "submission.csv", "from a kernel")
    done = await client.wait_for_submission(ref, 60)
    assert (done.status, done.public_score, done.message) == ("complete", 5.0, "from a kernel")

    await client.delete_kernel(pushed.ref)
    assert await client.kernel_version(pushed.ref) is None


async def test_a_running_kernels_log_is_read_from_its_stream(client: KaggleClient) -> None:
    pushed = await client.push_kernel(script("print('begun', flush=True)\nimport time\ntime.sleep(600)"))
    lines: list[str] = []
    while "begun" not in "".join(lines):
        lines = [line.data for line in await client.live_log(pushed.ref, 1, quiet=0.3)]
    assert (await client.kernel_status(pushed.ref, 1)).state == "running"
    await client.delete_kernel(pushed.ref)
    assert await client.live_log(pushed.ref, 1) == []


async def test_a_kernel_that_never_stops_printing_does_not_hold_up_its_reader(client: KaggleClient) -> None:
    endless = "import time\nwhile True:\n    print('again', flush=True)\n    time.sleep(0.05)"
    pushed = await client.push_kernel(script(endless))
    lines: list[str] = []
    while "again" not in "".join(lines):
        lines = [line.data for line in await client.live_log(pushed.ref, 1, quiet=60.0, longest=0.5)]
    assert (await client.kernel_status(pushed.ref, 1)).state == "running"
    await client.delete_kernel(pushed.ref)


async def test_the_stream_of_an_ended_run_is_its_whole_log(client: KaggleClient) -> None:
    pushed = await client.push_kernel(script("print('a'); print('b')"))
    await ended(client, pushed.ref, 1)
    assert await client.live_log(pushed.ref, 1) == await client.kernel_log(pushed.ref, 1)


async def test_a_failed_run_says_so_and_a_second_version_is_its_own(client: KaggleClient) -> None:
    first = await client.push_kernel(script("raise ValueError('broken on purpose')"))
    assert (await ended(client, first.ref, 1)).state == "error"
    second = await client.push_kernel(script("print('well')", kernels=("alice/my-kernel",)))
    assert second.version == 2
    assert (await ended(client, second.ref, 2)).state == "complete"
    assert (await client.kernel_status(first.ref, 1)).state == "error"
    assert any("broken on purpose" in line.data for line in await client.kernel_log(first.ref, 1))
    with pytest.raises(KaggleError) as missing:
        await client.kernel_status(first.ref, 3)
    assert missing.value.status == 404


async def test_what_kaggle_does_not_take_is_a_refusal(client: KaggleClient) -> None:
    with pytest.raises(KernelRefused, match="has no TPU") as tpu:
        await client.push_kernel(script("1", accelerator="TpuV5E8"))
    assert not tpu.value.full and not tpu.value.maybe_done
    assert tpu.value.no_machine and "--accelerator none" in tpu.value.hint
    with pytest.raises(KernelRefused, match="no source code") as other:
        await client.push_kernel(script(" "))
    assert not other.value.no_machine


async def test_full_sessions_are_told_from_other_refusals(tmp_path: Path) -> None:
    from mle_live.kernels.runs import KernelLimits

    limits = KernelLimits(at_once=1, waiting_a_user=1)
    root = make_root(tmp_path / "root")
    with running_server(root, tmp_path / "state", kernel_limits=limits) as server:
        client = KaggleClient(server.url, TOKEN)
        first = await client.push_kernel(script("import time; time.sleep(600)", "slow-kernel"))
        with pytest.raises(KernelRefused, match="session count") as refusal:
            await client.push_kernel(script("print(1)", "other-kernel"))
        assert refusal.value.full and "session must end" in refusal.value.hint
        await client.delete_kernel(first.ref)


async def test_kernels_that_are_deleted_as_they_begin_are_gone(client: KaggleClient) -> None:
    for number in range(10):
        pushed = await client.push_kernel(script("import time; time.sleep(600)", f"kernel-{number:03}"))
        await asyncio.sleep(0.005 * number)  # at another moment of its start each time
        await client.delete_kernel(pushed.ref)
        assert await client.kernel_version(pushed.ref) is None


async def test_output_beyond_the_limit_is_left_out_by_name(client: KaggleClient, tmp_path: Path) -> None:
    text = "open('a.bin', 'wb').write(bytes(3000)); open('b.bin', 'wb').write(bytes(2000))"
    pushed = await client.push_kernel(script(text))
    await ended(client, pushed.ref, 1)
    output = await client.kernel_output(pushed.ref, 1, tmp_path / "out", most_bytes=2500)
    assert set(output.saved) == {"b.bin"} and "3000 bytes" in output.left_out["a.bin"]
    assert not list((tmp_path / "out").rglob("*.partial"))


async def test_quota_is_told_in_seconds(tmp_path: Path) -> None:
    from mle_live.kernels.runs import KernelLimits
    from mle_live.service import ServerLimits

    with tiny_server(
        tmp_path, limits=ServerLimits(gpu_hours=30), kernel_limits=KernelLimits(gpu_kernels="run")
    ) as server:
        quota = await KaggleClient(server.url, TOKEN).quota()
    assert quota is not None
    assert (quota.gpu.allowed, quota.gpu.used, quota.gpu.left) == (108_000, 0, 108_000)
    assert quota.refresh_at is not None


def test_a_log_that_was_cut_off_is_read_as_far_as_it_goes() -> None:
    whole = (
        '[{"stream_name":"stdout","time":1.5,"data":"a\\n"}\n,{"stream_name":"stderr","time":2,"data":"b"}\n]'
    )
    assert [(line.stream, line.time, line.data) for line in read_log(whole)] == [
        ("stdout", 1.5, "a\n"),
        ("stderr", 2.0, "b"),
    ]
    assert [line.data for line in read_log(whole[:70])] == ["a\n", '{"stream_name":"std\n']
    assert read_log("") == [] and read_log("null") == []
