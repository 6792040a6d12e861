"""What fenced agent code cannot do. Each way of fencing is tried that this machine offers."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kaggle_runner.errors import SandboxUnavailable
from kaggle_runner.inside_kaggle import MARK
from kaggle_runner.notebook.cell import CellLimits, CellResult
from kaggle_runner.notebook.session import NotebookSession
from kaggle_runner.sandbox import fence, processes
from kaggle_runner.sandbox.batch import BatchLimits
from kaggle_runner.sandbox.fence import Abilities
from kaggle_runner.sandbox.sandbox import Sandbox, needs_fence, probe, require_sandbox, run_script
from tests.kaggle_runner.leftovers import SCATTERING, cancelled_after, nothing_left

SYSTEM_PYTHON = Path("/usr/bin/python3")
OFFERED = fence.abilities()
needs_landlock = pytest.mark.skipif(not OFFERED.landlock, reason="this kernel has no Landlock")
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not SYSTEM_PYTHON.exists(), reason="only root can become another user"
)
SECRET = "CANARY-key-71c4"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A Kaggle session in a container that forbids namespaces: bwrap is there and says so."""
    refusing = tmp_path / "bin" / "bwrap"
    refusing.parent.mkdir()
    refusing.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "bubblewrap 0.11.0" && exit 0\n'
        'echo "bwrap: No permissions to create new namespace" >&2; exit 1\n'
    )
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{refusing.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    monkeypatch.setenv(MARK, "1")
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    mask = os.umask(0)
    os.umask(mask)
    yield
    os.umask(mask)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with labels, a database, and two agents' workspaces, as an engine leaves it."""
    state = tmp_path / "state"
    for name in ("private", "public/images", "agents/a1/working", "agents/a2/working", "original"):
        (state / name).mkdir(parents=True)
    (state / "private" / "labels.csv").write_text("CANARY-label")
    (state / "original" / "train.csv").write_text("CANARY-label")
    (state / "run.sqlite").write_text("CANARY-run")
    (state / "agents/a2/working" / "notes.txt").write_text("CANARY-other")
    (state / "public" / "train.csv").write_text("id,y\n1,2\n")
    (state / "public" / "images" / "one.txt").write_text("pixels")
    return state


HIDDEN = ("private/labels.csv", "original/train.csv", "run.sqlite", "agents/a2/working/notes.txt")


def sandbox(state: Path, agent: str = "a1") -> Sandbox:
    return Sandbox({"titanic": state / "public"}, state / "agents" / agent / "working", hidden=(state,))


class Lab:
    """A notebook in the fence."""

    def __init__(self, state: Path) -> None:
        self.sandbox = sandbox(state)
        self.notebook = NotebookSession(self.sandbox, log_dir=state / "logs", name="lab")
        self._log = state / "cell.log"

    async def run(self, code: str, *, seconds: float = 90.0) -> CellResult:
        limits = CellLimits(seconds, 8 << 30, 1 << 30, log_bytes=1 << 20)
        return await self.notebook.execute(code, log_path=self._log, limits=limits)

    async def say(self, code: str) -> str:
        return (await self.run(code)).text


@pytest.fixture
async def lab(session: None, state: Path) -> AsyncIterator[Lab]:
    fence.close_to_others(state)
    made = Lab(state)
    async with made.notebook:
        yield made


@needs_landlock
async def test_labels_the_run_and_other_agents_are_out_of_reach(lab: Lab, state: Path) -> None:
    for name in HIDDEN:
        assert "PermissionError" in await lab.say(f"open({str(state / name)!r}).read()")
    assert "PermissionError" in await lab.say(f"import os; os.listdir({str(state)!r})")
    assert "PermissionError" in await lab.say("open('/etc/shadow').read()")


@needs_landlock
async def test_the_engines_key_and_memory_are_out_of_reach(lab: Lab) -> None:
    assert await lab.say("import os; os.environ.get('OPENAI_API_KEY', 'no key')") == "'no key'"
    for name in ("environ", "mem", "maps"):
        assert "PermissionError" in await lab.say(f"open('/proc/{os.getpid()}/{name}', 'rb').read(1)")
    assert "PermissionError" in await lab.say(f"import os; os.listdir('/proc/{os.getpid()}/root')")
    assert "PermissionError" in await lab.say(f"os.kill({os.getpid()}, 0)")


@needs_landlock
async def test_inputs_are_read_and_only_the_working_folder_is_written(lab: Lab, state: Path) -> None:
    assert await lab.say("print(open('/kaggle/input/titanic/train.csv').read())") == "id,y\n1,2"
    assert await lab.say("print(open('../input/titanic/images/one.txt').read())") == "pixels"
    assert await lab.say("import os; os.listdir('/kaggle/input')") == "['titanic']"
    for path in ("/kaggle/input/titanic/train.csv", "/usr/planted", "/tmp/planted", str(state / "planted")):
        assert "PermissionError" in await lab.say(f"open({path!r}, 'w')")
    await lab.run("open('/kaggle/working/submission.csv', 'w').write('id,y')")
    assert (state / "agents/a1/working/submission.csv").read_text() == "id,y"
    assert "'submission.csv'" in await lab.say("import tempfile; tempfile.mkdtemp(); os.listdir()")


@needs_landlock
async def test_there_is_no_socket_but_local_ones(lab: Lab) -> None:
    code = "import socket; socket.create_connection(('1.1.1.1', 443), timeout=3)"
    assert "PermissionError" in await lab.say(code)
    assert "PermissionError" in await lab.say("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)")
    assert "PermissionError" in await lab.say("socket.socket(socket.AF_INET6)")
    assert await lab.say("print(len(socket.socketpair()))") == "2"


@needs_landlock
async def test_no_privilege_is_left(lab: Lab) -> None:
    status = await lab.say("print(*open('/proc/self/status').read().split())")
    assert "CapEff: 0000000000000000" in status and "NoNewPrivs: 1" in status
    assert "PermissionError" in await lab.say("open('/proc/sys/kernel/core_pattern', 'w')")
    assert await lab.say("open('/proc/self/comm', 'w').write('named')") == "5"
    assert "PermissionError" in await lab.say("import os; os.mknod('disk', 0o60660, os.makedev(8, 0))")


@needs_landlock
async def test_ordinary_parallel_work_is_possible(lab: Lab) -> None:
    code = """
import multiprocessing as mp, subprocess
from multiprocessing import shared_memory
from sklearn.ensemble import RandomForestClassifier
block = shared_memory.SharedMemory(create=True, size=1000); block.close(); block.unlink()
with mp.get_context('fork').Pool(2) as pool: print(pool.map(abs, [-1, 2]))
print(RandomForestClassifier(n_jobs=2).fit([[0], [1]] * 20, [0, 1] * 20).predict([[1]]))
print(subprocess.check_output(['echo', 'shell'], text=True).strip())
"""
    assert await lab.say(code) == "[1, 2]\n[1]\nshell"


def test_the_systems_own_disks_are_not_taken_for_a_process_s_memory() -> None:
    assert processes._ram_disks([os.getpid()]) == 0


@needs_landlock
async def test_cells_are_interrupted_and_a_lost_kernel_is_replaced(lab: Lab) -> None:
    running = asyncio.create_task(lab.run("import time\nprint('began', flush=True)\ntime.sleep(600)"))
    while (progress := lab.notebook.progress()) is None or "began" not in progress.tail:
        await asyncio.sleep(0.05)
    await lab.notebook.interrupt("enough")
    assert (await running).status == "stopped"
    assert (await lab.run("import os; os._exit(3)")).status == "died"
    assert await lab.say("1 + 1") == "2\n[A fresh kernel was started: variables and imports of earlier " + (
        "cells are gone.]"
    )


@needs_landlock
async def test_nothing_outlives_the_notebook(session: None, state: Path) -> None:
    lab = Lab(state)
    async with lab.notebook:
        code = """
import os, subprocess
child = subprocess.Popen(['sleep', '600'], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp('sleep', ['sleep', '600'])
    os._exit(0)
os.wait()
"""
        await lab.run(code)
        members = processes.tree(lab.notebook.pid)
        assert len(members) >= 5, "the starter, its keeper, the kernel, a child and an orphan"
    assert await processes.gone(members, 30)


_ENGINE = """
import asyncio, sys
from pathlib import Path
from kaggle_runner.sandbox import fence, processes

async def main():
    state = Path(sys.argv[1])
    command = fence.command(
        [sys.executable, "-c", "import os, time; os.fork() or os.setsid(); time.sleep(600)"],
        box=fence.new_box((state,)), mounts={}, writable={}, cwd="/tmp", environment={},
        python=Path(sys.executable), gpus=(), hidden=(state,),
    )
    process = await asyncio.create_subprocess_exec(*command)
    while len(processes.tree(process.pid)) < 4:
        await asyncio.sleep(0.05)
    print(*processes.tree(process.pid), flush=True)
    await process.wait()

asyncio.run(main())
"""


@needs_landlock
async def test_nothing_outlives_an_engine_that_is_killed(state: Path) -> None:
    engine = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _ENGINE, str(state), stdout=asyncio.subprocess.PIPE
    )
    assert engine.stdout is not None
    members = [int(pid) for pid in (await engine.stdout.readline()).split()]
    assert len(members) == 4
    engine.kill()
    await engine.wait()
    assert await processes.gone(members, 60)


@needs_landlock
async def test_a_script_and_the_links_that_it_makes(session: None, state: Path) -> None:
    made = state / "made"
    made.mkdir()
    code = (
        "import os, sys\n"
        "print(sorted(os.listdir('/original')), sys.argv[1])\n"
        "os.symlink('/original/train.csv', '/public/train.csv')\n"
        "open('/public/other.csv', 'w').write(open('/public/train.csv').read())\n"
    )
    done = await run_script(
        ["python", "-c", code, '{"at": "/original/train.csv"}'],
        mounts={"/original": state / "original"},
        writable={"/public": made},
        limits=BatchLimits(90, 8 << 30),
        cwd="/tmp",
        hidden=(state,),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("['train.csv'] ") and "/original/train.csv" in done.stdout
    assert str((made / "train.csv").readlink()) == "/original/train.csv"
    assert (made / "other.csv").read_text() == "CANARY-label"
    assert not list((state / "boxes").iterdir())


@needs_landlock
async def test_a_failing_or_endless_script_ends_as_in_any_sandbox(session: None, state: Path) -> None:
    async def ended(code: str, timeout: float) -> tuple[int, bool]:
        done = await run_script(
            ["python", "-c", code], mounts={}, writable={}, limits=BatchLimits(timeout), cwd="/tmp",
            hidden=(state,),
        )  # fmt: skip
        return done.returncode, "ran longer" in done.fault

    assert await ended("raise SystemExit(7)", 90) == (7, False)
    assert await ended("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 90) == (137, False)
    assert await ended("import time; time.sleep(600)", 1) == (137, True)


@needs_landlock
async def test_a_script_cancelled_at_any_moment_ends_and_leaves_nothing(session: None, state: Path) -> None:
    for seconds in (0.0, 0.01, 0.03, 0.06, 0.1, 0.2, 0.4, 1.0):
        async with nothing_left() as mark:
            argv = ["python", "-c", SCATTERING, mark]
            call = run_script(
                argv, mounts={}, writable={}, cwd="/tmp", limits=BatchLimits(600), hidden=(state,)
            )  # fmt: skip
            await cancelled_after(seconds, call)
    assert not list((state / "boxes").glob("*"))


@needs_landlock
async def test_a_state_folder_within_the_system_is_refused(session: None) -> None:
    with pytest.raises(SandboxUnavailable, match="would be readable by agent code"):
        fence.command(
            ["true"], box=Path("/tmp/none"), mounts={}, writable={}, cwd="/tmp", environment={},
            python=Path(sys.executable), gpus=(), hidden=(Path("/usr/share/state"),),
        )  # fmt: skip


@needs_root
@pytest.mark.parametrize("landlock", [0, *([OFFERED.landlock] if OFFERED.landlock else [])])
def test_another_user_cannot_read_what_belongs_to_the_engine(state: Path, landlock: int) -> None:
    """Without Landlock too: what is the engine's is closed, and what is anybody's is said to be open."""
    offered = Abilities(landlock, other_user=True, filter=True)
    fence.close_to_others(state)
    for later in ("original", "private"):  # an archive's own permissions, unpacked after that
        (state / later).chmod(0o755)
        next((state / later).iterdir()).chmod(0o644)
    try:
        told = asyncio.run(as_other_user(state, offered))
    finally:
        os.umask(0o022)
    for name in HIDDEN:
        assert f"{state / name} PermissionError" in told
    assert f"/proc/{os.getpid()}/environ PermissionError" in told
    assert "input id,y" in told and "wrote" in told
    assert "user 0" not in told
    assert (state / "agents/a1/working/out.txt").read_text() == "x"


async def as_other_user(state: Path, offered: Abilities) -> str:
    code = f"""
import os
print("user", os.getuid(), os.getgid(), os.getgroups())
for path in {[str(state / name) for name in HIDDEN] + [f"/proc/{os.getpid()}/environ"]!r}:
    try:
        print(path, open(path).read(20))
    except OSError as error:
        print(path, type(error).__name__)
print("input", open("/kaggle/input/titanic/train.csv").read())
open("/kaggle/working/out.txt", "w").write("x")
print("wrote")
"""
    box = fence.box_of(state / "agents/a1/working", (state,))
    command = fence.command(
        [str(SYSTEM_PYTHON), "-c", fence.localized(code, box)], box=box,
        mounts={"/kaggle/input/titanic": state / "public"},
        writable={"/kaggle/working": state / "agents/a1/working"},
        cwd="/kaggle/working", environment={"PATH": "/usr/bin:/bin"}, python=Path(sys.executable), gpus=(),
        hidden=(state,), offered=offered,
    )  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode()


@needs_landlock
async def test_the_fence_is_for_kaggle_sessions_only(session: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert needs_fence()
    assert (await require_sandbox()).tier == "fence"
    monkeypatch.delenv(MARK)
    assert not needs_fence()
    report = await probe()
    assert (report.ok, report.tier) == (False, "none")
    with pytest.raises(SandboxUnavailable, match="cannot make a sandbox"):
        await require_sandbox()


def test_where_namespaces_work_they_are_used_inside_kaggle_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    monkeypatch.setenv(MARK, "1")
    assert not needs_fence()


def test_the_state_is_closed_to_others_and_links_are_left_alone(state: Path) -> None:
    outside = state.parent / "outside.txt"
    outside.write_text("mine")
    outside.chmod(0o644)
    (state / "link").symlink_to(outside)
    mask = os.umask(0o022)
    try:
        fence.close_to_others(state)
        (state / "new").write_text("x")
    finally:
        os.umask(mask)
    assert all(not path.lstat().st_mode & 0o077 for path in state.rglob("*") if not path.is_symlink())
    assert outside.stat().st_mode & 0o777 == 0o644
    shutil.rmtree(state)
