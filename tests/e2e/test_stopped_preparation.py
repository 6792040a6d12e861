"""SIGTERM while a run's data are being split: the run ends, says so, and leaves no sandbox."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comind.state.reader import reading
from comind.state.runs import list_runs
from tests.e2e.commands import COMMAND, environment
from tests.e2e.small_competition import write_small_competition
from tests.fakes.scripted_llm import ScriptedModel

pytestmark = pytest.mark.e2e

ENDLESS = """<code>
import subprocess, sys

def split(original, public, private, *, fraction, seed):
    subprocess.run([sys.executable, "-c", "import time; time.sleep(600)", "ENDLESS-SPLIT"])
</code>"""


def endless(request: dict[str, Any], number: int) -> str:
    """A split that never ends, for every question but the check before the run."""
    return ENDLESS if request["messages"][0]["content"].startswith("# Role") else "ready"


def command_lines() -> list[str]:
    return [line for path in Path("/proc").glob("[0-9]*/cmdline") if (line := _read(path))]


def _read(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""  # it ended while we looked


def wait_until(holds: Callable[[], bool], engine: subprocess.Popen[bytes]) -> None:
    while not holds():
        assert engine.poll() is None, "the run ended before it was stopped"
        time.sleep(0.005)


@pytest.mark.parametrize("moment", ["--die-with-parent", "ENDLESS-SPLIT"], ids=["its start", "its middle"])
def test_a_stop_during_the_split_ends_the_run_and_leaves_no_sandbox(moment: str, tmp_path: Path) -> None:
    data, state = write_small_competition(tmp_path / "fruit"), tmp_path / "state"

    def sandboxes() -> list[str]:
        return [line for line in command_lines() if f"{state}/" in line and "--die-with-parent" in line]

    def reached() -> bool:
        return bool(sandboxes()) and any(moment in line for line in command_lines())

    with ScriptedModel(endless) as server:
        engine = subprocess.Popen(
            [COMMAND, "run", f"{data}/", "--model", "scripted", "--base-url", server.url, "--headless",
             "--coders", "1", "--rounds", "1", "--time-limit", "20m", "--state", str(state)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        try:
            wait_until(reached, engine)
            engine.send_signal(signal.SIGTERM)
            _, said = engine.communicate()
        finally:
            engine.kill()
            engine.wait()
    assert engine.returncode == 130, said
    assert sandboxes() == []
    [run_folder] = list_runs(state)
    with reading(run_folder.database) as reader:
        run = reader.run()
    assert run is not None and run.finished_at, said
