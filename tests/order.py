"""Files that take long come first, so that no worker is left with one at the end; `--measure` says which.

The seconds stand in `slow_files.txt` by the file's path, for those of more than a few; what is not there is
quick. They only order the work: a number that is old costs a little time and nothing else.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
FILE = FOLDER / "slow_files.txt"
WORTH_SECONDS = 5


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--measure", action="store_true", help=f"write the seconds of slow files to {FILE.name}")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--measure"):
        config.pluginmanager.register(Measure())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lines = (line.split() for line in FILE.read_text(encoding="utf-8").splitlines())
    seconds = {FOLDER / name: int(number) for number, name in lines}
    items.sort(key=lambda item: -seconds.get(item.path, 0))


class Measure:
    """Adds up what the tests of each file took, whichever worker ran them."""

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = report.nodeid.partition("::")[0].removeprefix(f"{FOLDER.name}/")
        self._seconds[file] += report.duration  # type: ignore[assignment]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workerinput"):
            return  # the one who started the workers hears of every test
        slow = [(round(took), file) for file, took in self._seconds.items() if took >= WORTH_SECONDS]
        lines = (f"{took:4} {file}" for took, file in sorted(slow, key=lambda one: (-one[0], one[1])))
        FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
