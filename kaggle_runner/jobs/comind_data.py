"""Written into gathered notebooks: finds their data wherever Kaggle mounts it. It stands alone.

A source lies at /kaggle/input/NAME, or further down (datasets/OWNER/NAME), and sometimes only after a while.
The notebook's cells say /kaggle/input/NAME in any case.
"""

import time
from pathlib import Path

INPUT = Path("/kaggle/input")
NOT_MOUNTED = "data not mounted"
"""Begins the error of a session that began before its sources were there; a second push helps."""


def find(name: str, *, seconds: float = 180.0, top: Path = INPUT) -> Path:
    """The folder of the source `name`, which the cells after this one may call `top/name`.

    Raises FileNotFoundError when it is not there after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while (folder := _mounted(name, top)) is None:
        if time.monotonic() > deadline:
            there = sorted(entry.name for entry in top.iterdir()) if top.is_dir() else []
            raise FileNotFoundError(f"{NOT_MOUNTED}: {name} is not under {top}, which has {there}")
        time.sleep(2.0)
    expected = top / name
    if folder != expected:
        name_it(expected, folder)
        print(f"[comind] {expected} is {folder}")
    return folder


def _mounted(name: str, top: Path) -> Path | None:
    """The folder called `name` that has something in it; the highest when there are several."""
    for depth in range(4):
        for place in sorted(top.glob("/".join(["*"] * depth + [name]))):
            if place.is_dir() and any(place.iterdir()):
                return place
    return None


def name_it(expected: Path, folder: Path) -> None:
    """See that later cells that say `expected` mean `folder`."""
    try:
        expected.symlink_to(folder)
    except OSError:  # the folder above takes no links: later cells say the real place instead
        from IPython.core.getipython import get_ipython

        names = (str(expected), f"../input/{expected.name}")

        def say_the_place(lines: list[str]) -> list[str]:
            for name in names:
                lines = [line.replace(name, str(folder)) for line in lines]
            return lines

        shell = get_ipython()
        if shell is not None:
            shell.input_transformers_cleanup.append(say_the_place)
