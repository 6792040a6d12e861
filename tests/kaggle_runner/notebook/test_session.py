"""Live notebooks: real kernels in real sandboxes."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import pytest

from kaggle_runner.notebook import session
from kaggle_runner.notebook.session import CellLimits
from kaggle_runner.notebook.transcript import CellOutputs
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


async def test_a_traceback_is_whole_and_without_escape_codes(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        result = await lab.run("print('before')\ndef f(x):\n    return 1 / x\nf(0)")
    assert (result.status, result.error_name, result.error_value) == (
        "error",
        "ZeroDivisionError",
        "division by zero",
    )
    assert result.text.startswith("before")
    assert "return 1 / x" in result.text and "\x1b" not in result.text
    assert result.text.endswith("ZeroDivisionError: division by zero")


async def test_the_name_of_an_error_is_one_line_without_escape_codes(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        result = await lab.run(r"raise type('Odd\n## Score\x1b[31m', (Exception,), {})")
    assert result.error_name == "Odd ## Score"
    assert "\x1b" not in result.text


async def test_a_huge_error_message_is_cut_and_does_not_hang_the_cell(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        result = await lab.run("raise ValueError('x' * 100_000_000)")
    assert (result.status, result.error_name) == ("error", "ValueError")
    assert len(result.text) < 5000


async def test_images_are_kept_for_the_notebook(tmp_path: Path) -> None:
    code = """
from PIL import Image
from IPython.display import display
display(Image.new('RGB', (40, 30), 'red'))
Image.new('RGB', (10, 10))
"""
    async with bench(tmp_path) as lab:
        result = await lab.run(code)
    assert result.images == 2
    assert all("image/png" in output["data"] for output in result.outputs)
    assert "png image" in result.text


async def test_a_display_that_updates_and_one_that_clears(tmp_path: Path) -> None:
    code = """
from IPython.display import display, clear_output
print('gone')
clear_output()
handle = display('epoch 0', display_id='bar')
for epoch in range(1, 4):
    handle.update(f'epoch {epoch}')
"""
    async with bench(tmp_path) as lab:
        result = await lab.run(code)
    assert result.text == "'epoch 3'"
    assert [output["data"]["text/plain"] for output in result.outputs] == ["'epoch 3'"]


async def test_progress_bars_fold_to_their_last_state(tmp_path: Path) -> None:
    code = """
import sys
for i in range(2001):
    sys.stderr.write(f'\\r{i}/2000 it'); sys.stderr.flush()
    if i % 1000 == 0: print('epoch', i // 1000, flush=True)
"""
    async with bench(tmp_path) as lab:
        result = await lab.run(code)
    assert sorted(result.text.splitlines()) == ["2000/2000 it", "epoch 0", "epoch 1", "epoch 2"]


async def test_a_print_of_200_mb_costs_the_driver_little_memory(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with bench(tmp_path) as lab:
        printed = await lab.run("print('x' * 200_000_000); print('the end')")
        shown = await lab.run("'y' * 100_000_000")
    assert printed.status == shown.status == "ok"
    assert printed.text.startswith("x") and "the end" in printed.text
    assert len(printed.text) < 20_000 and len(shown.text) < 20_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB


async def test_a_hundred_thousand_flushed_lines_lose_neither_begin_nor_end(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        result = await lab.run("for i in range(100_000): print('row', i, flush=True)")
        log = lab.log.read_text()
    assert result.status == "ok"
    assert result.text.startswith("row 0\nrow 1\n")
    assert "row 99999" in result.text and lab.log.name in result.text
    assert log.count("\n") > 99_000


async def test_a_flood_is_read_to_its_end_however_long_that_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "OUTPUT_SECONDS", 0.05)  # as if reading were that much slower than printing
    flood = "for n in range(0, 1_000_000, 100): print('\\n'.join(f'row {m}' for m in range(n, n + 100)))"
    async with bench(tmp_path) as lab:
        result = await lab.run(flood)
    assert result.status == "ok" and "row 999999" in result.text


async def test_an_end_mark_that_is_lost_costs_neither_output_nor_the_cells_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_ASKED_IN_VAIN", 10**6)  # not by giving up
    async with bench(tmp_path) as lab:
        result = await lab.run(
            "kernel = get_ipython().kernel\nsend = kernel.session.send\n"
            "def lossy(stream, kind, *more, **named):\n"
            "    content = more[0] if more else named.get('content')\n"
            "    if kind == 'status' and content == {'execution_state': 'idle'}:\n"
            "        kernel.session.send = send\n"
            "        return None\n"
            "    return send(stream, kind, *more, **named)\n"
            "kernel.session.send = lossy\nprint('all of it')",
            CellLimits(seconds=500),
        )
        after = await lab.run("print('as ever')")
    assert (result.status, result.text) == ("ok", "all of it")
    assert (after.status, after.text) == ("ok", "as ever")


async def test_the_log_stops_at_its_bound_and_the_end_is_still_seen(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        result = await lab.run(
            "for i in range(2000): print('row', i)", CellLimits(seconds=60, log_bytes=10_000)
        )
        size = lab.log.stat().st_size
    assert result.status == "ok" and "row 1999" in result.text
    assert size < 10_200


async def test_output_of_shell_commands_is_seen_in_order(tmp_path: Path) -> None:
    async with bench(tmp_path) as lab:
        result = await lab.run(
            "print('a')\n!echo b; echo c >&2\nprint('d', _exit_code)\nlines = !echo e\nlines"
        )
        flood = await lab.run("!yes | head -c 20000000")
    assert result.text.splitlines()[:4] == ["a", "b", "c", "d 0"]
    assert "'e'" in result.text
    assert flood.status == "ok" and len(flood.text) < 20_000


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


async def test_what_a_kernel_said_before_it_died_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = CellOutputs.take

    def late(self: CellOutputs, kind: str, content: dict[str, object]) -> None:
        """The engine was busy until the kernel was gone, and is slow afterwards."""
        while lab.notebook.alive:
            time.sleep(0.01)
        time.sleep(0.05)
        take(self, kind, content)

    monkeypatch.setattr(CellOutputs, "take", late)
    said = "import os, time\nfor row in range(15): print('row', row, flush=True)\ntime.sleep(1)\nos._exit(3)"
    async with bench(tmp_path) as lab:
        result = await lab.run(said)
    assert result.status == "died" and "exit code 3" in result.detail
    assert "row 0\n" in result.text and "row 14\n" in result.text


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


async def test_forged_messages_do_not_disturb_the_session(tmp_path: Path) -> None:
    forge = """
import zmq
from ipykernel.kernelapp import IPKernelApp
socket = IPKernelApp.instance().iopub_thread
for signature in (b'', b'0' * 64):
    socket.send_multipart([b'topic', b'<IDS|MSG>', signature, b'{', b'[]', b'[]', b'[]'])
socket.send_multipart([b'junk'])
print('still here')
"""
    async with bench(tmp_path) as lab:
        result = await lab.run(forge)
        after = await lab.run("1")
    assert (result.status, result.text) == ("ok", "still here")
    assert (after.status, after.text) == ("ok", "1")


async def test_half_a_character_pair_in_a_message_becomes_a_question_mark(tmp_path: Path) -> None:
    forge = r"""
import json
kernel = get_ipython().kernel
def send(kind, content):
    header = {"msg_id": "x", "username": "u", "session": kernel.session.session, "msg_type": kind,
              "date": "2026-01-01T00:00:00Z", "version": "5.3"}
    parent = json.dumps(kernel.get_parent()["header"], default=str)
    parts = [json.dumps(header).encode(), parent.encode(), b"{}", content]
    signed = [b"topic", b"<IDS|MSG>", kernel.session.sign(parts), *parts]
    kernel.iopub_socket.send_multipart(signed)
send("stream", rb'{"name": "stdout", "text": "half \ud800 \ud83d\ude00\n"}')
send("display_data", rb'{"data": {"text/plain": "\udcff", "text/html": "\ud800"}}')
send("error", rb'{"ename": "E\udcff", "evalue": "\ud800", "traceback": ["\ud800"]}')
"""
    async with bench(tmp_path) as lab:
        result = await lab.run(forge)
    assert result.text.startswith("half � 😀\n�")
    assert (result.error_name, result.error_value) == ("E�", "�")
    assert json.dumps([result.text, result.outputs], ensure_ascii=False).encode()


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
