"""Batch processes in the sandbox: however a call ends, nothing of it stays; what it said is kept."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from kaggle_runner.sandbox.batch import BatchLimits, Stream
from kaggle_runner.sandbox.sandbox import Sandbox, probe, run_script
from tests.kaggle_runner.leftovers import SCATTERING, cancelled_after, nothing_left

MOMENTS = [0.0, 0.0, 0.001, 0.002, 0.005, 0.005, 0.01, 0.01, 0.015, 0.02, 0.02, 0.03]
"""Seconds after a call: a sandbox is not there, then half there, then complete."""


class Lines:
    """A log that remembers."""

    def __init__(self) -> None:
        self.written: list[tuple[Stream, str]] = []

    def write(self, stream: Stream, text: str) -> None:
        self.written += [(stream, text)] if text else []


@pytest.mark.parametrize("seed", range(4))
async def test_a_script_cancelled_at_any_moment_ends_and_leaves_nothing(seed: int) -> None:
    draw = random.Random(seed)
    for seconds in (*draw.sample(MOMENTS, 6), *(draw.uniform(0.0, 1.0) for _ in range(4))):
        async with nothing_left() as mark:
            argv = ["python", "-c", SCATTERING, mark]
            call = run_script(argv, mounts={}, writable={}, cwd="/", limits=BatchLimits(600))
            await cancelled_after(seconds, call)


async def test_a_second_cancel_while_a_run_is_being_ended_leaves_nothing_either(tmp_path: Path) -> None:
    draw = random.Random(5)
    for seconds in (0.0, 0.005, 0.02, 0.5):
        async with nothing_left() as mark:
            sandbox = Sandbox(inputs={}, workspace=tmp_path, gpus=())
            call = sandbox.run(["python", "-c", SCATTERING, mark], limits=BatchLimits(600), log=Lines())
            await cancelled_after(seconds, call, again=draw.uniform(0.0001, 0.01))


async def test_a_probe_that_is_cancelled_is_over() -> None:
    for seconds in (0.0, 0.0, 0.0, 0.001):
        await cancelled_after(seconds, probe())
    assert (await probe()).ok


async def test_processes_are_limited() -> None:
    async with nothing_left() as mark:
        argv = ["python", "-c", SCATTERING, mark]
        done = await run_script(
            argv, mounts={}, writable={}, cwd="/", limits=BatchLimits(600, processes=5)
        )  # fmt: skip
    assert done.fault == "started more than 5 processes, or four times as many threads, and was ended."


async def test_a_log_is_written_as_it_comes_and_the_end_is_kept_too(tmp_path: Path) -> None:
    code = "import sys\nfor n in range(3): print('out', n)\nprint('läst', file=sys.stderr, end='')"
    log = Lines()
    sandbox = Sandbox(inputs={}, workspace=tmp_path, gpus=())
    done = await sandbox.run(["python", "-c", code], limits=BatchLimits(60), log=log)
    assert (done.returncode, done.stdout, done.stderr) == (0, "out 0\nout 1\nout 2\n", "läst")
    for stream, text in (("stdout", done.stdout), ("stderr", done.stderr)):
        assert "".join(part for name, part in log.written if name == stream) == text


async def test_of_a_long_output_the_middle_is_left_out() -> None:
    code = "import sys\nprint('begin')\nfor n in range(300): print('x' * 9999)\nprint('end')"
    done = await run_script(
        ["python", "-c", code], mounts={}, writable={}, cwd="/", limits=BatchLimits(60)
    )  # fmt: skip
    assert done.stdout.startswith("begin\nxxx") and done.stdout.endswith("xxx\nend\n")
    assert "characters left out" in done.stdout
    assert len(done.stdout) < 1_100_000
