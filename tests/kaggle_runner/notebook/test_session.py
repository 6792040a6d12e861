"""Live notebooks: real kernels in real sandboxes, their ends among them."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import tempfile
from pathlib import Path

import pytest

from kaggle_runner.notebook import session
from kaggle_runner.notebook.session import CellLimits
from kaggle_runner.sandbox import processes, sockets
from kaggle_runner.sandbox.sandbox import Sandbox
from tests.kaggle_runner.leftovers import cancelled_after, nothing_left
from tests.kaggle_runner.notebook.notebooks import bench


async def test_variables_live_and_bare_expressions_are_shown(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        await lab.run("import pandas as pd\ntable = pd.DataFrame({'price': [1, 2]})")
        result = await lab.run("table.head()")
    assert result.status == "ok"
    assert "price" in result.text
    assert result.outputs[0]["output_type"] == "execute_result"
    assert "<table" in result.outputs[0]["data"]["text/html"]
    assert (result.kernel_generation, result.state_lost, result.execution_count) == (1, False, 2)


async def test_a_cell_over_its_time_is_interrupted_and_the_notebook_goes_on(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        late = await lab.run("import time\nkept = 7\ntime.sleep(600)", CellLimits(seconds=1))
        after = await lab.run("kept")
    assert (late.status, late.error_name, late.state_lost) == ("timeout", "KeyboardInterrupt", False)
    assert "limit of 1 s" in late.detail
    assert (after.status, after.text) == ("ok", "7")


async def test_a_stop_from_another_task_ends_a_waiting_subprocess_too(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        cell = asyncio.create_task(
            lab.run("import subprocess\nprint('on', flush=True)\nsubprocess.run(['sleep', '600'])")
        )
        while not ((now := lab.notebook.progress()) and "on" in now.tail):
            await asyncio.sleep(0.05)
        assert now.memory_bytes > 10_000_000 and now.elapsed > 0
        await lab.notebook.interrupt("the loss is not a number")
        result = await cell
        assert lab.notebook.progress() is None
        await lab.notebook.interrupt("nothing runs: nothing happens")
        assert (await lab.run("1")).text == "1"
    assert result.status == "stopped" and not result.state_lost
    assert "the loss is not a number" in result.detail


async def test_code_that_swallows_interrupts_loses_its_kernel_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "GRACE_SECONDS", 0.5)
    stubborn = (
        "import time\nstubborn = 1\nwhile True:\n    try: time.sleep(600)\n    except KeyboardInterrupt: pass"
    )
    async with bench(tmp_path) as lab:
        result = await lab.run(stubborn, CellLimits(seconds=0.5))
        assert not lab.notebook.alive
        after = await lab.run("stubborn")
    assert (result.status, result.state_lost, result.kernel_generation) == ("timeout", True, 1)
    assert "did not obey" in result.detail and "did not obey" in result.text
    assert (after.error_name, after.kernel_generation, after.state_lost) == ("NameError", 2, True)
    assert "fresh kernel" in after.detail


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os._exit(3)", "exit code 3"),
        ("quit()", "quit()"),
        ("import ctypes; ctypes.string_at(0)", "Segmentation fault"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "out of memory"),
    ],
)
async def test_a_death_is_noticed_explained_and_survived(tmp_path: Path, code: str, said: str) -> None:
    async with bench(tmp_path) as lab:
        result = await lab.run(code)
        after = await lab.run("1 + 1")
    assert (result.status, result.state_lost) == ("died", True)
    assert said in result.detail
    assert after.status == "ok" and after.kernel_generation == 2


@pytest.mark.parametrize(
    "code",
    [
        "hog = []\nwhile True: hog.append(bytearray(10_000_000))",
        "import time\nfile = open('/dev/shm/hog', 'wb')\nfor _ in range(200): file.write(bytes(5_000_000))\n"
        "time.sleep(60)",
    ],
    ids=["heap", "RAM disk"],
)
async def test_a_memory_hog_is_ended_by_the_watchdog(tmp_path: Path, code: str) -> None:
    async with bench(tmp_path) as lab:
        result = await lab.run(code, CellLimits(seconds=60, memory_bytes=400_000_000))
    assert result.status == "died" and result.state_lost
    assert "the limit is 0.4 GiB" in result.detail


async def test_input_fails_at_once_instead_of_waiting(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        result = await lab.run("input('name? ')")
    assert (result.status, result.error_name) == ("error", "StdinNotImplementedError")


async def tree_with(word: str) -> list[int]:
    """This process's descendants, once one of them runs `word`; a started process needs a moment for it."""
    for _ in range(2000):
        members = processes.tree(os.getpid())[1:]
        lines = [path.read_text() for pid in members if (path := Path(f"/proc/{pid}/cmdline")).exists()]
        if any(word in line for line in lines):
            return members
        await asyncio.sleep(0.05)
    raise AssertionError(f"{word!r} never ran")


async def test_closing_leaves_no_process_and_no_socket(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        assert lab.notebook._kernel is not None
        held = Path(lab.notebook._kernel._manager.connection_file).parent
        detached = (
            "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '600'], start_new_session=True).pid"
        )
        await lab.run(detached)
        members = await tree_with("sleep")
    assert await processes.gone(members, seconds=60)
    assert not held.exists()


async def test_closing_under_a_running_cell_ends_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        cell = asyncio.create_task(lab.run("import time\nprint('on', flush=True)\ntime.sleep(600)"))
        while not ((now := lab.notebook.progress()) and "on" in now.tail):
            await asyncio.sleep(0.05)
        await lab.notebook.close()
        result = await cell
    assert result.status == "died" and "closed" in result.detail


def test_sockets_of_dead_engines_are_swept_and_those_of_living_ones_stay() -> None:
    dead, alive = (Path(tempfile.mkdtemp(prefix="comind-kernel-", dir="/tmp")) for _ in range(2))
    lock = os.open(alive, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        for folder in (dead, alive):
            os.utime(folder, (0, 0))
        with sockets.socket_folder() as own:
            assert not dead.exists() and alive.exists() and own.exists()
        assert not own.exists()
    finally:
        os.close(lock)
        alive.rmdir()


async def test_nothing_in_the_sandbox_outlives_a_killed_engine(tmp_path: Path) -> None:
    program = """
import asyncio, pathlib, sys
from tests.kaggle_runner.notebook.notebooks import bench
async def main():
    async with bench(pathlib.Path(sys.argv[1])) as lab:
        await lab.run("import subprocess; subprocess.Popen(['setsid', 'sleep', '600'])")
        print('ready', flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""
    before = set(Path("/tmp").glob("comind-kernel-*"))
    engine = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert engine.stdout is not None and await engine.stdout.readline() == b"ready\n"
    members = processes.tree(engine.pid)
    engine.kill()
    await engine.wait()
    assert len(members) >= 4
    assert await processes.gone(members, seconds=60)
    for left in set(Path("/tmp").glob("comind-kernel-*")) - before:
        os.utime(left, (0, 0))
        sockets._sweep(left)  # as a later engine would; folders of other living engines stay


async def test_a_kernel_ends_with_the_engines_end_of_its_lifeline(tmp_path: Path) -> None:
    """Also where the sandbox was not told of the engine's death: it died between two of bwrap's forks."""
    async with bench(tmp_path) as lab:
        await lab.run("x = 1")
        kernel = lab.notebook._kernel
        assert kernel is not None and kernel.exit_code() is None
        os.close(kernel._lifeline)
        kernel._lifeline = -1
        assert await processes.gone(processes.tree(kernel.pid), seconds=60)


async def test_a_cancelled_cell_ends_its_kernel(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        cell = asyncio.create_task(lab.run("print('on', flush=True)\nwhile True: pass"))
        while not ((now := lab.notebook.progress()) and "on" in now.tail):
            await asyncio.sleep(0.05)
        cell.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cell
        assert not lab.notebook.alive
        assert (await lab.run("2")).text.startswith("2")


async def test_a_kernel_whose_start_is_cancelled_at_any_moment_leaves_nothing(tmp_path: Path) -> None:
    for seconds in (0.0, 0.001, 0.005, 0.01, 0.02, 0.1):
        async with nothing_left() as mark:
            workspace = tmp_path / mark
            workspace.mkdir()
            notebook = session.NotebookSession(
                Sandbox({}, workspace), log_dir=tmp_path / "logs", name="agent"
            )
            await cancelled_after(seconds, notebook.start())


async def test_a_restart_forgets_variables(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        await lab.run("kept = 1")
        assert await lab.notebook.restart() > 0
        result = await lab.run("kept")
    assert (lab.notebook.generation, result.error_name, result.state_lost) == (2, "NameError", False)


async def test_files_and_modules_of_the_workspace_are_found(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        (lab.workspace / "features.py").write_text("WIDTH = 3\n")
        result = await lab.run(
            "import features, os\nopen('submission.csv', 'w').write('id')\nfeatures.WIDTH, os.getcwd()"
        )
        assert (lab.workspace / "submission.csv").read_text() == "id"
    assert result.text == "(3, '/kaggle/working')"
