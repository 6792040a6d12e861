"""Runs of pushed kernels: limits, hostile code, the queue, cancelling, restarts, and no label in sight."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kaggle_runner.sandbox import processes
from mle_live.cli import main
from mle_live.competitions.competition import load_competition
from mle_live.kernels.runs import KernelLimits
from mle_live.process import MleLiveProcess
from mle_live.service import ServerLimits
from tests.mle_live.api.pushing import Pusher, add_bob
from tests.tiny_kaggle import CANARY, NOW, SLUG, TOKEN, RunningServer, make_root, running_server, tiny_server

TIGHT = KernelLimits(
    at_once=1,
    seconds=90,
    memory_bytes=400 << 20,
    working_bytes=64_000_000,
    log_bytes=50_000,
    processes=60,
    output_files=5,
    waiting_a_user=3,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server")
    with tiny_server(folder, kernel_limits=TIGHT) as running:
        yield running


@pytest.fixture
def alice(server: RunningServer) -> Pusher:
    return Pusher(server)


def sandboxes() -> list[str]:
    """Command lines of what this process started: a server in a thread starts nothing but sandboxes."""
    return [
        line.replace(b"\0", b" ").decode(errors="replace")
        for pid in processes.tree(os.getpid())[1:]
        if (line := Path(f"/proc/{pid}/cmdline").read_bytes())  # empty for one that ended and was not reaped
    ]


def test_a_kernel_that_never_ends_is_ended_at_its_limit(alice: Pusher) -> None:
    code = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True:
            time.sleep(1)
        """
    status, why = alice.run("Never ends", code, sessionTimeoutSeconds=1)
    assert (status, why) == ("ERROR", "The kernel ran longer than its limit of 1 s and was ended.")
    assert sandboxes() == []


def test_a_notebook_that_never_ends_is_ended_at_its_limit(alice: Pusher) -> None:
    for limit in (3, 30, 80):  # which of them lets the notebook begin depends on the machine
        cells = "print('begun')", "while True: pass"
        alice.push_notebook("Endless notebook", *cells, sessionTimeoutSeconds=limit)
        status, why = alice.wait("endless-notebook")
        assert status == "ERROR" and f"longer than its limit of {limit} s" in why and sandboxes() == []
        if "begun" in alice.log("endless-notebook"):
            return
    pytest.fail("the notebook never began")


def test_the_limit_is_that_of_all_cells_together(alice: Pusher) -> None:
    cells = ["import time", *["time.sleep(0.8)"] * 10, "open('late.txt', 'w')"]
    alice.push_notebook("Many cells", *cells, sessionTimeoutSeconds=4)
    assert alice.wait("many-cells")[1] == "The kernel ran longer than its limit of 4 s and was ended."
    assert "late.txt" not in alice.output_names("many-cells")


def test_a_timeout_above_the_servers_is_cut(alice: Pusher, server: RunningServer) -> None:
    alice.run("Long wish", "print(1)", sessionTimeoutSeconds=10**9)
    store = server.service.kernels.store
    kernel = store.find("alice", "long-wish")
    assert kernel is not None
    version = store.version(kernel)
    assert version is not None and version.settings.seconds == TIGHT.seconds


def test_a_fork_bomb_is_ended_with_all_its_processes(alice: Pusher) -> None:
    code = "import os, time\nfor _ in range(200):\n    os.fork() or time.sleep(100)\ntime.sleep(100)"
    status, why = alice.run("Fork bomb", code)
    assert status == "ERROR" and "more than 60 processes" in why
    assert sandboxes() == []


def test_a_thread_bomb_is_ended(alice: Pusher) -> None:
    code = """
        import threading, time
        for _ in range(500):
            threading.Thread(target=time.sleep, args=(100,)).start()
        """
    status, why = alice.run("Thread bomb", code)
    assert status == "ERROR" and "four times as many threads" in why
    assert sandboxes() == []


def test_a_fork_bomb_in_a_notebook_is_ended_with_all_its_processes(alice: Pusher) -> None:
    cell = "import subprocess\nall = [subprocess.Popen(['sleep', '100']) for _ in range(100)]\nall[0].wait()"
    alice.push_notebook("Fork notebook", cell)
    status, why = alice.wait("fork-notebook")
    assert status == "ERROR" and "more than 60 processes" in why
    assert sandboxes() == []


def test_processes_left_behind_end_with_the_script(alice: Pusher) -> None:
    code = """
        import subprocess, sys
        subprocess.Popen(["setsid", "sleep", "300"], stdout=subprocess.DEVNULL)
        print("main is done")
        """
    assert alice.run("Leaves a daemon", code) == ("COMPLETE", "")
    assert sandboxes() == []


def test_memory_is_limited(alice: Pusher) -> None:
    status, why = alice.run("Eats memory", "import time\nx = bytearray(800 << 20)\ntime.sleep(60)")
    assert status == "ERROR" and "GiB of memory; the limit is 0.4 GiB" in why


def test_the_disk_is_limited(alice: Pusher) -> None:
    code = """
        import time
        with open("big.bin", "wb") as file:
            for _ in range(200):
                file.write(b"x" * 1_000_000)
        time.sleep(60)
        """
    status, why = alice.run("Fills the disk", code)
    assert status == "ERROR" and "more than its limit of 0.1 GB" in why


def test_a_flood_of_output_leaves_a_bounded_log(alice: Pusher) -> None:
    code = "for i in range(200_000):\n    print('line', i)\nprint('x' * 5_000_000)"
    assert alice.run("Talks a lot", code) == ("COMPLETE", "")
    log = alice.log("talks-a-lot")
    assert log.endswith("[the log is full; later output is not kept]\n") and len(log) < 60_000


def test_only_plain_files_are_kept_and_so_many(alice: Pusher, tmp_path: Path) -> None:
    code = f"""
        import os
        os.symlink("/etc/passwd", "a-link.txt")
        os.symlink("{tmp_path}", "b-folder")
        os.symlink("../../../state.sqlite", "c-link")
        os.mkfifo("d-pipe")
        open(b"e-\\xff.txt", "w").write("odd")
        open("f-line\\nend.txt", "w").write("odd")
        os.makedirs("g/closed"); open("g/closed/in.txt", "w").write("in")
        os.chmod("g/closed/in.txt", 0); os.chmod("g/closed", 0)
        for i in range(9):
            open(f"h{{i}}.txt", "w").write(str(i))
        here = "."
        for _ in range(100):
            here += "/deep"
            os.mkdir(here)
        open(here + "/x.txt", "w")
        """
    assert alice.run("Odd outputs", code) == ("COMPLETE", "")
    assert alice.output_names("odd-outputs") == ["g/closed/in.txt", "h0.txt", "h1.txt", "h2.txt", "h3.txt"]
    assert alice.output("odd-outputs", "g/closed/in.txt") == b"in"
    assert "files of the output are left out" in alice.log("odd-outputs")


def test_what_a_kernel_left_in_place_of_the_notebook_is_replaced(alice: Pusher) -> None:
    alice.push_notebook("Own notebook", "import os; os.makedirs('__notebook__.ipynb/x'); open('ok.txt', 'w')")
    assert alice.wait("own-notebook") == ("COMPLETE", "")
    assert json.loads(alice.output("own-notebook", "__notebook__.ipynb"))["cells"]


def test_there_is_no_network_and_the_log_says_so(alice: Pusher, server: RunningServer) -> None:
    port = server.url.rpartition(":")[2]
    code = f"""
        import socket
        for place in (("127.0.0.1", {port}), ("1.1.1.1", 53)):
            try:
                socket.create_connection(place, timeout=3)
                print("REACHED", place)
            except OSError as error:
                print("closed")
        """
    alice.run("Calls home", code, enableInternet=True)
    log = alice.log("calls-home")
    assert "Internet was asked for; kernels have none here." in log
    assert log.count("closed") == 2 and "REACHED" not in log


def test_kernels_wait_for_their_turn_and_only_so_many(alice: Pusher) -> None:
    slow = "import time\ntime.sleep(60)"
    for name in ("Queue one", "Queue two", "Queue three"):
        assert "error" not in alice.push(name, slow)
    alice.wait("queue-one", "RUNNING")
    assert alice.status("queue-two")[0] == "QUEUED"
    assert "session count of 3 reached" in alice.push("Queue four", slow)["error"]
    for slug in ("queue-three", "queue-two", "queue-one"):
        assert "code" not in alice.at(slug, "DeleteKernel")
    assert sandboxes() == []


def test_a_run_is_cancelled_by_its_session(alice: Pusher, server: RunningServer) -> None:
    alice.push("To be stopped", "import time\nprint('up', flush=True)\ntime.sleep(60)")
    while "up" not in (log := alice.log("to-be-stopped")):
        time.sleep(0.1)
    session = int(log.splitlines()[0].rpartition(" ")[2])
    bob = add_bob(server)
    assert bob.call("CancelKernelSession", kernelSessionId=session).status_code == 403
    assert alice.call("CancelKernelSession", kernelSessionId=session).json() == {}
    assert alice.status("to-be-stopped")[0] == "CANCEL_ACKNOWLEDGED"
    assert sandboxes() == []
    late = alice.call("CancelKernelSession", kernelSessionId=session).json()
    assert "ended already" in late["errorMessage"]


def test_after_a_restart_what_ran_is_an_error_and_what_waited_runs(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    with running_server(root, tmp_path / "state", kernel_limits=TIGHT) as server:
        alice = Pusher(server)
        alice.push("Was running", "import time\nopen('x', 'w')\ntime.sleep(60)")
        alice.push("Was waiting", "print('at last')")
        alice.wait("was-running", "RUNNING")
    assert sandboxes() == []
    with running_server(root, tmp_path / "state", kernel_limits=TIGHT) as server:
        alice = Pusher(server)
        status, why = alice.wait("was-running")
        assert status == "ERROR" and why.startswith("The server was restarted")
        assert alice.wait("was-waiting") == ("COMPLETE", "")
        assert "at last" in alice.log("was-waiting")


@pytest.mark.parametrize("option", ["--kernels=0", "--kernel-hours=-1", "--kernel-memory=0"])
def test_limits_that_let_no_kernel_run_are_refused(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--root", str(make_root(tmp_path)), option]) == 2
    assert "above 0" in capsys.readouterr().err


def test_datasets_are_mounted_by_name_and_another_of_that_name_with_its_owner(tmp_path: Path) -> None:
    files = tmp_path / "files"
    for owner in ("ann", "bob"):
        (files / owner / "rows").mkdir(parents=True)
        (files / owner / "rows" / "who.txt").write_text(owner)
    with tiny_server(tmp_path) as server:
        server.service.kernels.inputs.dataset_folder = lambda user, ref: (
            files / ref if user.username == "alice" and (files / ref).is_dir() else None
        )
        alice = Pusher(server)
        names = ("rows", "bob-rows", "datasets/ann/rows", "datasets/bob/rows")
        code = f"for n in {names}: print(n, open(f'/kaggle/input/{{n}}/who.txt').read())"
        pushed = alice.push("Uses data", code, datasetDataSources=["ann/rows", "bob/rows", "eve/rows"])
        assert pushed["invalidDatasetSources"] == ["eve/rows"]
        assert alice.wait("uses-data") == ("COMPLETE", "")
        log = alice.log("uses-data")
        assert "rows ann\nbob-rows bob\ndatasets/ann/rows ann\ndatasets/bob/rows bob" in log


async def test_nothing_of_a_kernel_is_left_when_its_server_is_killed(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    async with MleLiveProcess(
        root, slug=SLUG, log_path=tmp_path / "log", token=TOKEN, username="alice"
    ) as process:
        alice = Pusher(process)
        alice.push("Outlives nobody", "import time\nprint('up', flush=True)\ntime.sleep(100)")
        while "up" not in alice.log("outlives-nobody"):
            await asyncio.sleep(0.1)
        members = processes.tree(process.pid)
        assert len(members) > 1
        os.kill(process.pid, signal.SIGKILL)
        assert await processes.gone(members, 20)


def test_data_of_a_competition_whose_rules_are_not_accepted_are_not_mounted(tmp_path: Path) -> None:
    limits = ServerLimits(rules_required=True)
    with tiny_server(tmp_path, limits=limits) as server:
        alice = Pusher(server)
        code = "import os\nprint('inputs', os.listdir('/kaggle/input'))"
        told = alice.push("Not entered", code, competitionDataSources=[SLUG])
        assert told["invalidCompetitionSources"] == [SLUG]
        assert alice.wait("not-entered") == ("COMPLETE", "") and "inputs []" in alice.log("not-entered")
        user = server.service.state.user_of_token(TOKEN)
        assert user is not None
        server.service.rules.accept(user, SLUG, NOW)
        assert "invalidCompetitionSources" not in alice.push(
            "Not entered", code, competitionDataSources=[SLUG]
        )
        assert alice.wait("not-entered") == ("COMPLETE", "") and SLUG in alice.log("not-entered")


SEARCH = f"""
import os, re, sys
secrets = {[str(value).encode()[::-1] for value in CANARY]!r}
secret = re.compile(b"|".join(re.escape(one[::-1]) for one in secrets))
skipped = ("/proc", "/sys", "/usr", "/dev")
seen = found = 0
for folder, folders, names in os.walk("/"):
    if folder.startswith(skipped) or "site-packages" in folder:
        folders[:] = []
        continue
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            continue
        try:
            content = open(path, "rb").read()
        except OSError:
            continue
        seen += 1
        if secret.search(content) or b"solution" in name.encode():
            found += 1
            print("FOUND", path)
print("searched", seen > 3, "found", found)
print("MOUNTS", [line.split()[3:5] for line in open("/proc/self/mountinfo")])
"""


def test_no_label_is_in_any_file_that_a_kernel_can_open(server: RunningServer, alice: Pusher) -> None:
    solution = server.competition.solution_path
    assert solution is not None and str(CANARY[0]) in solution.read_text()
    assert alice.run("Label search", SEARCH, competitionDataSources=[SLUG]) == ("COMPLETE", "")
    log = alice.log("label-search")
    assert "searched True found 0" in log and "FOUND" not in log
    mounts = log[log.index("MOUNTS") :]
    assert f"/kaggle/input/{SLUG}" in mounts and "/kaggle/working" in mounts
    for secret in ("private", "solution", "state.sqlite", "/artifacts"):
        assert secret not in mounts
    alice.push_notebook("Label notebook", SEARCH, competitionDataSources=[SLUG])
    assert alice.wait("label-notebook") == ("COMPLETE", "")
    assert "searched True found 0" in alice.log("label-notebook")


def test_of_a_persons_own_folder_a_kernel_sees_what_is_served(tmp_path: Path) -> None:
    competition = load_competition(make_root(tmp_path / "root"), SLUG)
    data = competition.data_dir
    (data / ".answers.csv").write_text("hidden")
    (data / "notes").mkdir()
    (data / "notes" / "answers.csv").write_text("hidden too")
    (data / "outside.csv").symlink_to(tmp_path / "root" / "private" / SLUG / "solution.csv")
    served = replace(competition, hidden=(data / "notes",))
    with running_server([served], tmp_path / "state") as server:
        alice = Pusher(server)
        code = f"""
            import os
            for place in os.walk('/kaggle/input'): print(place)
            assert os.listdir('/kaggle/input/competitions/{SLUG}') == os.listdir('/kaggle/input/{SLUG}')
            """
        assert alice.run("Own folder", code, competitionDataSources=[SLUG]) == ("COMPLETE", "")
        log = alice.log("own-folder")
        assert log.count("train.csv") == 1 and "one.png" in log
        assert "answers" not in log and "notes" not in log and "outside" not in log
