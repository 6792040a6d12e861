"""The disk that agent code may fill: the working folder, files without a name, the crash report."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from kaggle_runner.notebook.crash_report import LOG_BYTES
from kaggle_runner.notebook.session import CellLimits
from kaggle_runner.sandbox import disk
from tests.kaggle_runner.notebook.notebooks import bench

MEGABYTE = 1 << 20


def write(path: Path, megabytes: int) -> None:
    path.write_bytes(os.urandom(MEGABYTE) * megabytes)


def held(folder: Path) -> int:
    """What `folder` and this process hold, without what other tests of this process have open."""
    empty = folder.parent / "empty"
    empty.mkdir(exist_ok=True)
    return disk.held_bytes(folder, os.getpid()) - disk.held_bytes(empty, os.getpid())


def test_real_blocks_are_counted_once_and_links_are_not_followed(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    deep = workspace.joinpath(*["deep" * 40] * 20)
    deep.mkdir(parents=True)
    write(tmp_path / "outside", 8)
    (workspace / "link").symlink_to(tmp_path / "outside")
    (workspace / "folder").symlink_to(tmp_path)
    write(workspace / "a", 2)
    os.link(workspace / "a", workspace / "same")
    folder = os.open(deep, os.O_RDONLY)
    handle = os.open("b", os.O_CREAT | os.O_WRONLY, dir_fd=folder)
    os.write(handle, os.urandom(MEGABYTE))
    os.close(handle)
    os.close(folder)
    with (workspace / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 40)
    assert 3 * MEGABYTE <= held(workspace) < 4 * MEGABYTE
    assert disk.held_bytes(tmp_path / "gone", os.getpid()) == 0


def test_an_open_file_without_a_name_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    folder.mkdir()
    others = disk.held_bytes(folder, os.getpid())
    with (folder / "ghost").open("wb") as ghost:
        ghost.write(os.urandom(MEGABYTE))
        ghost.flush()
        with_name = disk.held_bytes(folder, os.getpid())
        (folder / "ghost").unlink()
        assert disk.held_bytes(folder, os.getpid()) == pytest.approx(with_name, abs=10_000)
    assert disk.held_bytes(folder, os.getpid()) - others < 100_000


async def test_a_cell_that_fills_its_folder_is_ended_and_the_next_may_clean_up(tmp_path: Path) -> None:
    limits = CellLimits(seconds=60, workspace_bytes=50_000_000)
    fill = "import os, time\nwith open('big', 'wb') as f:\n    for _ in range(100): f.write(bytes(1 << 20))"
    async with bench(tmp_path) as lab:
        full = await lab.run(f"{fill}\ntime.sleep(600)", limits)
        clean = await lab.run(
            "import time; time.sleep(2); import os; os.remove('big'); time.sleep(1)", limits
        )
        ghost = await lab.run(f"{fill}\n    f.flush(); os.remove('big'); time.sleep(600)", limits)
    assert (full.status, full.state_lost) == ("died", True)
    assert "The cell put more than its limit of 0.1 GB into the working folder" in full.detail
    assert clean.status == "ok"
    assert ghost.status == "died" and "working folder" in ghost.detail


async def test_what_a_cell_leaves_running_keeps_its_limits(tmp_path: Path) -> None:
    grow = """
import threading, time
def grow():
    time.sleep(1)
    with open('big', 'wb') as file:
        for _ in range(100): file.write(bytes(1 << 20)); file.flush()
        time.sleep(600)
threading.Thread(target=grow).start()
"""
    async with bench(tmp_path) as lab:
        started = await lab.run(grow, CellLimits(seconds=60, workspace_bytes=50_000_000))
        while lab.notebook.alive:
            await asyncio.sleep(0.05)
        after = await lab.run("1 + 1")
    assert started.status == "ok"
    assert (after.status, after.state_lost) == ("ok", True)
    assert "left running put more than its limit" in after.detail


async def test_a_cell_may_not_write_more_than_it_leaves_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 20_000_000)
    async with bench(tmp_path) as lab:
        small = await lab.run("open('a', 'wb').write(bytes(8 << 20))\nimport time; time.sleep(1.5)")
        large = await lab.run("open('b', 'wb').write(bytes(32 << 20))\ntime.sleep(600)")
    assert small.status == "ok"
    assert large.status == "died" and "left 0.0 GB of the disk" in large.detail


async def test_the_crash_report_does_not_grow_with_what_a_cell_writes_there(tmp_path: Path) -> None:
    flood = """
import os
pipes = [fd for fd in map(int, os.listdir('/proc/self/fd')) if fd > 2 and fd < 100]
written = 0
for fd in pipes:
    try:
        if os.readlink(f'/proc/self/fd/{fd}') == os.readlink('/proc/1/fd/2'):
            for _ in range(40): written += os.write(fd, b'x' * 65536)
    except OSError: pass
print(written)
"""
    async with bench(tmp_path) as lab:
        result = await lab.run(flood)
        dead = await lab.run("import ctypes; ctypes.string_at(0)")
        size = (tmp_path / "logs" / "agent.kernel.log").stat().st_size
    assert int(result.text) > LOG_BYTES
    assert size <= LOG_BYTES
    assert "Segmentation fault" in dead.detail
