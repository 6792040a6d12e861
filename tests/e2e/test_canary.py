"""A coding agent that looks for labels, keys and neighbours finds none: proven from a cell of a whole run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comind.offline.responder import respond
from comind.state.reader import reading
from comind.state.records import Cell
from comind.state.runs import list_runs
from tests.e2e.commands import AMPLE, SECRET, comind
from tests.e2e.small_competition import write_small_competition
from tests.fakes.scripted_llm import ScriptedModel

pytestmark = pytest.mark.e2e

SEARCH = """
import os, socket, stat
needles = [SECRET_PARTS[0] + SECRET_PARTS[1]]
roots = ["/kaggle", "/tmp", "/proc", "/etc", "/dev", "/run", "/root", "/home", "/var", STATE]
seen, hits = 0, []
for root in roots:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in ("sys", "task")]
        for name in files:
            path = os.path.join(folder, name)
            try:
                if not stat.S_ISREG(os.stat(path).st_mode) or name in ("kmsg", "clear_refs", "pagemap"):
                    continue  # a pipe or a terminal would wait for ever
                with open(path, "rb") as file:
                    text = file.read(200_000)
            except OSError:
                continue
            seen += 1
            if any(needle.encode() in text for needle in needles):
                hits.append(path)
            if name == "validation.csv" and b"ripe" in text.split(b"\\n")[0]:
                hits.append(path)
            if name in ("run.sqlite", "solution.csv", "engine.log"):
                hits.append(path)
print("SEEN", seen > 50, "HITS", hits)
print("STATE", os.path.exists(STATE), "ENV", [k for k in os.environ if "KEY" in k or "TOKEN" in k])
for host, port in (("127.0.0.1", PORT), ("192.0.2.1", 80)):
    try:
        socket.create_connection((host, port), timeout=2).close()
        print("NETWORK reached", host)
    except OSError:
        print("NETWORK closed", host)
try:
    open("/kaggle/input/fruit/train.csv", "a").close()
    print("INPUT writable")
except OSError:
    print("INPUT read-only")
"""


def test_a_searching_agent_finds_no_label_no_key_no_network(tmp_path: Path) -> None:
    folder = write_small_competition(tmp_path / "fruit")
    state = tmp_path / "state"
    port: list[int] = []

    def answers(request: dict[str, Any], number: int) -> str:
        messages = request["messages"]
        if (
            not messages[0]["content"].startswith("# Role: coder")
            or "# Task: report" in messages[-1]["content"]
        ):
            return respond(messages)
        if any(message["role"] == "assistant" for message in messages):
            return "<goal>done</goal><code></code>"
        half = len(SECRET) // 2
        head = (
            f"SECRET_PARTS = {(SECRET[:half], SECRET[half:])!r}\nSTATE = {str(state)!r}\nPORT = {port[0]}\n"
        )
        return (
            f"<goal>search</goal>\n<code>\n{head}{SEARCH}\n</code>\n"
            "<validation_submission>None</validation_submission>\n<submission>None</submission>"
        )

    with ScriptedModel(answers) as server:
        port.append(int(server.url.split(":")[2].split("/")[0]))
        comind(
            "run", f"{folder}/", "--model", "scripted", "--base-url", server.url, "--coders", "1",
            "--rounds", "1", "--time-limit", AMPLE, "--json",
            state=state,
        )  # fmt: skip
    [run] = list_runs(state)
    with reading(run.database) as reader:
        [cell] = reader.all(Cell)
    assert cell.status == "ok", cell.output
    assert "SEEN True HITS []" in cell.output
    assert "STATE False ENV []" in cell.output
    assert "NETWORK reached" not in cell.output
    assert cell.output.count("NETWORK closed") == 2
    assert "INPUT read-only" in cell.output
