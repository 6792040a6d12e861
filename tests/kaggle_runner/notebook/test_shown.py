"""What a live cell shows, in whatever way and amount it says it."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path

import pytest

from kaggle_runner.notebook import session
from kaggle_runner.notebook.session import CellLimits
from kaggle_runner.notebook.transcript import CellOutputs
from tests.kaggle_runner.notebook.notebooks import bench


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
