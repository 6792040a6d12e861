"""What agent code cannot do: each test is a leak that must stay closed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

from kaggle_runner.errors import SandboxUnavailable
from kaggle_runner.files import UnsafeFile, safe_read_bytes
from kaggle_runner.sandbox import bubblewrap
from kaggle_runner.sandbox.batch import BatchLimits
from kaggle_runner.sandbox.sandbox import Sandbox, probe, run_script
from tests.kaggle_runner.notebook.notebooks import Bench, bench

SECRETS = {"label": "CANARY-label-1f7b", "key": "CANARY-key-93ab", "other": "CANARY-other-agent-55d1"}

SCAN = """
import os, pathlib, subprocess
wanted = [b'CANARY' + b'-label-1f7b', b'CANARY' + b'-key-93ab', b'CANARY' + b'-other-agent-55d1']
found, seen = [], 0
for top in ('/proc', '/etc', '/dev', '/run', '/tmp', '/kaggle', '/home', '/root', '/var', '/mnt'):
    for folder, subfolders, files in os.walk(top):
        if any(part in folder for part in ('site-packages', '/lib/python', '/task/', '/net/', '/map_files')):
            subfolders.clear(); continue
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.isfile(path) or name.startswith(('km', 'kc', 'kp', 'clear_refs', 'mem', 'pagem')):
                continue
            try:
                with open(path, 'rb') as file: content = file.read(200_000)
            except OSError:
                continue
            seen += 1
            found += [path for secret in wanted if secret in content]
print(seen > 100, found)
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine with a key in its environment, labels, and another agent's workspace, all on this disk."""
    monkeypatch.setenv("OPENAI_API_KEY", SECRETS["key"])
    for name in ("private", "other", "input"):
        (tmp_path / name).mkdir()
    (tmp_path / "private" / "labels.csv").write_text(SECRETS["label"])
    (tmp_path / "other" / "notes.txt").write_text(SECRETS["other"])
    (tmp_path / "input" / "train.csv").write_text("id,y\n1,2\n")
    return tmp_path


async def say(lab: Bench, code: str) -> str:
    result = await lab.run(code)
    return result.text


async def test_labels_keys_and_other_agents_are_out_of_reach(world: Path) -> None:
    async with bench(world, {"titanic": world / "input"}) as lab:
        for hidden in (world / "private" / "labels.csv", world / "other" / "notes.txt"):
            assert "FileNotFoundError" in await say(lab, f"open({str(hidden)!r}).read()")
        assert await say(lab, "import os; os.environ.get('OPENAI_API_KEY', 'no key')") == "'no key'"
        assert "PATH=" in await say(lab, "open('/proc/1/environ').read()")
        assert await say(lab, SCAN) == "True []"


async def test_other_processes_are_invisible(world: Path) -> None:
    async with bench(world) as lab:
        pids = "import os; sorted(int(name) for name in os.listdir('/proc') if name.isdigit())"
        assert await say(lab, pids) == "[1, 2]"
        assert "ProcessLookupError" in await say(lab, f"os.kill({os.getpid()}, 0)")


async def test_the_input_is_read_only_and_the_system_too(world: Path) -> None:
    async with bench(world, {"titanic": world / "input"}) as lab:
        assert await say(lab, "print(open('../input/titanic/train.csv').read())") == "id,y\n1,2"
        for path in (
            "/kaggle/input/titanic/train.csv",
            "/usr/planted",
            "/planted",
            "/proc/sys/kernel/core_pattern",
        ):
            assert "OSError" in await say(lab, f"open({path!r}, 'w')")
        assert "OSError" in await say(lab, "import numpy; open(numpy.__file__, 'a')")


async def test_there_is_no_network(world: Path) -> None:
    async with bench(world) as lab:
        code = "import socket; socket.create_connection(('1.1.1.1', 443), timeout=3)"
        assert "Network is unreachable" in await say(lab, code)
        assert await say(lab, "print(*sorted(n for _, n in socket.if_nameindex()))") == "lo"
        told = await say(lab, "%pip install a-package-that-is-not-here")
        assert "Packages cannot be installed here: this notebook reaches no package index." in told
        assert "already satisfied: pip" in await say(lab, "!pip install pip")


async def test_no_privilege_and_no_nested_namespace(world: Path) -> None:
    async with bench(world) as lab:
        status = await say(lab, "print(*open('/proc/self/status').read().split())")
        assert "CapEff: 0000000000000000" in status and "NoNewPrivs: 1" in status
        assert (
            await say(lab, "import subprocess; subprocess.call(['unshare', '-U', 'true'], stderr=-3) != 0")
            == "True"
        )


async def test_a_planted_link_or_pipe_is_refused_by_the_reader(world: Path) -> None:
    labels = world / "private" / "labels.csv"
    async with bench(world) as lab:
        await lab.run(f"import os\nos.symlink({str(labels)!r}, 'submission.csv')\nos.mkfifo('pipe.csv')")
        for name in ("submission.csv", "pipe.csv"):
            with pytest.raises(UnsafeFile):
                safe_read_bytes(lab.workspace, name, 1000)


async def test_ordinary_parallel_work_is_possible(world: Path) -> None:
    code = """
import multiprocessing as mp, threading
from multiprocessing import shared_memory
block = shared_memory.SharedMemory(create=True, size=1000); block.close(); block.unlink()
with mp.get_context('fork').Pool(2) as pool:
    print(pool.map(abs, [-1, -2]))
"""
    async with bench(world) as lab:
        assert await say(lab, code) == "[1, 2]"


async def test_a_script_sees_its_mounts_and_writes_where_it_may(world: Path) -> None:
    out = world / "out"
    out.mkdir()
    done = await run_script(
        ["python", "-c", "open('/out/score', 'w').write(open('/labels/labels.csv').read()); print('done')"],
        mounts={"/labels": world / "private"},
        writable={"/out": out},
        limits=BatchLimits(30),
        cwd="/out",
    )
    assert (done.returncode, done.stdout, done.fault) == (0, "done\n", "")
    assert (out / "score").read_text() == SECRETS["label"]


@pytest.mark.parametrize(
    ("code", "seconds", "fault"),
    [
        ("while True: print('x' * 1000)", 3, "longer than its limit of 3 s"),
        ("hog = b'x' * 800_000_000\nwhile True: pass", 300, "GiB of memory; the limit is 0.4 GiB"),
    ],
    ids=["endless output", "memory"],
)
async def test_a_script_is_ended_at_its_limits(code: str, seconds: float, fault: str) -> None:
    done = await run_script(
        ["python", "-c", code], mounts={}, writable={}, limits=BatchLimits(seconds, 400_000_000), cwd="/"
    )
    assert done.returncode == 137 and fault in done.fault
    assert len(done.stdout) < 1_200_000


async def test_a_script_that_fills_the_disk_is_ended_and_says_why(tmp_path: Path) -> None:
    code = "import time\nfile = open('hog', 'wb')\nwhile True: file.write(bytes(1_000_000)); time.sleep(0.01)"
    done = await run_script(
        ["python", "-c", code], mounts={}, writable={"/out": tmp_path},
        cwd="/out", limits=BatchLimits(60, workspace_bytes=20_000_000),
    )  # fmt: skip
    assert done.returncode == 137
    assert "more than its limit of 0.0 GB" in done.fault


async def test_a_script_that_fails_reports_its_error() -> None:
    done = await run_script(
        ["python", "-c", "raise SystemExit('broken')"],
        mounts={},
        writable={},
        limits=BatchLimits(30),
        cwd="/",
    )
    assert (done.returncode, done.stderr) == (1, "broken\n")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder that is its own virtual environment, with the state and the data in it."""
    project = tmp_path / "project"
    (project / "bin").mkdir(parents=True)
    (project / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    (project / "pyvenv.cfg").write_text(f"home = {Path(os.path.realpath(sys.executable)).parent}\n")
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (project / "lib" / own).mkdir(parents=True)
    (project / "lib" / own / "site-packages").symlink_to(sysconfig.get_paths()["purelib"])
    for place in ("state", "lib/state", "data"):
        (project / place).mkdir()
        (project / place / "labels.csv").write_text(SECRETS["label"])
    return project


def seen_by(sandbox: Sandbox, python: Path, *code: str) -> subprocess.CompletedProcess[str]:
    command = replace(sandbox, python=python).command([str(python), "-c", *code])
    return subprocess.run(command, env=bubblewrap.MINIMAL_ENVIRONMENT, capture_output=True, text=True)


FIND_LABELS = "import os, sys; print([p for p in sys.argv[1:] if os.path.exists(p)], sys.prefix)"


def test_of_a_project_that_is_a_virtual_environment_only_python_is_seen(project: Path) -> None:
    labels = [str(project / place / "labels.csv") for place in ("state", "lib/state", "data")]
    (project / "work").mkdir()
    sandbox = Sandbox({}, project / "work", hidden=(project / "lib" / "state",))
    done = seen_by(sandbox, project / "bin" / "python", FIND_LABELS, *labels)
    assert (done.stdout, done.stderr) == (f"[] {project}\n", "")


@pytest.mark.parametrize("linked", [False, True], ids=["itself", "through a link"])
async def test_what_is_hidden_below_a_mount_is_an_empty_folder_that_nobody_fills(
    world: Path, linked: bool
) -> None:
    hidden = world / "private"
    if linked:
        hidden = world / "state"
        hidden.symlink_to("private")
    code = "import os; print(os.listdir('/all/private')); open('/all/private/x', 'w')"
    done = await run_script(
        ["python", "-c", code],
        mounts={"/all": world},
        writable={"/all/other": world / "other"},
        limits=BatchLimits(30),
        cwd="/",
        hidden=(hidden,),
    )
    assert done.stdout == "[]\n"
    assert "Read-only file system" in done.stderr


def test_a_hidden_file_cannot_be_read(world: Path) -> None:
    sandbox = Sandbox({"all": world}, world / "other", hidden=(world / "private" / "labels.csv",))
    done = seen_by(
        sandbox, Path(sys.executable), "print(open('/kaggle/input/all/private/labels.csv').read())"
    )
    assert done.stdout == "" and "PermissionError" in done.stderr


@pytest.mark.parametrize("hidden", ["/usr", "/usr/a-folder-that-is-not-there"])
def test_what_cannot_be_hidden_is_refused(tmp_path: Path, hidden: str) -> None:
    with pytest.raises(SandboxUnavailable, match="readable by agent code"):
        Sandbox({}, tmp_path, hidden=(Path(hidden),)).command(["true"])


async def test_private_keys_of_the_system_are_not_mounted(world: Path) -> None:
    async with bench(world) as lab:
        listed = await say(
            lab, "import os; [os.path.exists(f'/etc/ssl/{name}') for name in ('certs', 'private')]"
        )
    assert listed in ("[True, False]", "[False, False]")


async def test_this_machine_can_confine_and_says_so() -> None:
    report = await probe()
    assert (report.ok, report.tier, report.hint) == (True, "bubblewrap", "")


@pytest.mark.parametrize(
    ("complaint", "way_out"),
    [
        ("bwrap: setting up uid map: Permission denied", "AppArmor"),
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", "AppArmor"),
        ("bwrap: No permissions to create new namespace", "Docker"),
        ("bwrap: Can't mount proc on /newroot/proc: Permission denied", "systempaths"),
        ("bwrap: Creating new namespace failed: No space left on device", "max_user_namespaces"),
    ],
)
def test_each_known_refusal_names_its_way_out(complaint: str, way_out: str) -> None:
    assert way_out in bubblewrap.explain(complaint)


def test_inputs_that_are_missing_or_ill_named_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="does not exist"):
        Sandbox({"gone": tmp_path / "gone"}, tmp_path).command(["true"])
    with pytest.raises(SandboxUnavailable, match="cannot be a folder"):
        Sandbox({"../up": tmp_path}, tmp_path).command(["true"])
