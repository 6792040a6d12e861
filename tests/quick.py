"""`pytest --quick`: a test that asks for a process or a port is skipped where it asks; all others run.

Which tests these are is nowhere written down: the interpreter's audit events tell. So a test that gets a
kernel, a server or a sandbox tomorrow leaves `make quick` by itself, and one that lost them is in it.
Hypothesis shows fewer examples where a test does not say how many.
"""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest
from hypothesis import settings

_ASKING = {
    "subprocess.Popen": "starts a process",
    "os.posix_spawn": "starts a process",
    "os.fork": "starts a process",
    "socket.bind": "listens on a port",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="skip tests where they ask for a process or a port")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        settings.register_profile("quick", settings.get_profile("any machine"), max_examples=10)
        settings.load_profile("quick")
        config.pluginmanager.register(QuickTests())


class QuickTests:
    def __init__(self) -> None:
        self._is_running = False
        self._asked = ""
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: object) -> None:
        if self._is_running and event in _ASKING:
            self._asked = _ASKING[event]
            pytest.skip(f"--quick: it {self._asked}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        self._is_running, self._asked = True, ""
        try:
            return (yield)
        finally:
            self._is_running = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """What fails because it did not get its process has not failed."""
        report = yield
        if self._asked and report.failed:
            report.outcome = "skipped"
            report.longrepr = (item.location[0], item.location[1] or 0, f"--quick: {self._asked}")
        return report
