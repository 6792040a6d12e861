"""Written into gathered notebooks: notes what finished and keeps it for the next push. It stands alone.

Around each cell of the author it writes what became of it into comind_progress.json. Variables and files are
kept in comind_state.bin, as they were between two cells, when they cost long enough; a later notebook takes
them up and leaves out the cells behind them. A cell that fails ends the work and not the notebook, and
a session ends its work before Kaggle would cut it: only notebooks that succeed hand their output on.

Not kept: settings inside libraries, open files, running threads. The state is read in notebooks only.
"""

import hashlib
import importlib
import io
import json
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

try:
    import cloudpickle  # type: ignore[import-untyped]
except ImportError:  # joblib up to 1.5 brings its own
    from joblib.externals import cloudpickle  # type: ignore[import-untyped]

PROGRESS = "comind_progress.json"
STATE = "comind_state.bin"
_OURS = ("comind_", "__notebook__", "__pycache__", ".")
_MOST_LOST = 20
_TEXT = 6000
_AGAIN_SECONDS = 20.0


class Work:
    """The author's cells of one session. `plan` is what `gathered.py` knows of them:

    mark, hashes (one a cell), chain (one a cell, of everything up to it), seconds (0: no limit), worth
    (seconds of work that are worth keeping), most_bytes, and carried (source, number of cells) or None.
    `find` gives the folder of a source.
    """

    def __init__(self, shell: Any, plan: dict[str, Any], find: Callable[[str], Path]) -> None:
        self.shell, self.plan, self.find = shell, plan, find
        self.position = self.carried = 0
        self.state = ""
        self.began = 0.0
        self.over = self.in_cell = False
        self.unkept_seconds = self.keeping_seconds = 0.0
        self.traceback = ""
        self.note: dict[str, Any] = {
            "mark": plan["mark"], "machine": _machine(), "cells": [], "failed": None, "out_of_time": False,
            "kept": None, "not_kept": "", "finished": False,
        }  # fmt: skip
        print("[comind] " + json.dumps({"push": plan["mark"], "machine": self.note["machine"]}))
        self.known, self.environment, self.path = dict(shell.user_ns), dict(os.environ), list(sys.path)
        if plan["carried"] is not None:
            self.take_up(*plan["carried"])
        shell._showtraceback = self.show_error
        shell.input_transformers_cleanup.insert(0, self.leave_out)
        shell.events.register("pre_run_cell", self.before)
        shell.events.register("post_run_cell", self.after)
        if plan["seconds"]:
            signal.signal(signal.SIGALRM, self.end_of_time)
            signal.setitimer(signal.ITIMER_REAL, plan["seconds"], _AGAIN_SECONDS)
        self.write_note()

    # -- around cells --------------------------------------------------------------------------------------

    def is_next(self, source: str) -> bool:
        """Whether `source` is the author's next cell, and not one of ours."""
        hashes = self.plan["hashes"]
        return self.position < len(hashes) and hashes[self.position] == cell_hash(source)

    def without_running(self) -> str:
        """What the next cell becomes without being run; empty when it is run."""
        if self.position < self.carried:
            return "carried"
        return "not run" if self.note["failed"] or self.over else ""

    def leave_out(self, lines: list[str]) -> list[str]:
        return ["pass\n"] if self.without_running() and self.is_next("".join(lines)) else lines

    def before(self, info: Any) -> None:
        if self.is_next(info.raw_cell):
            self.state = self.without_running()
            self.in_cell = not self.state
            self.began = time.monotonic()
            print(f"[comind] cell {self.position + 1} " + (self.state or "begins"), flush=True)

    def after(self, result: Any) -> None:
        if result is None or not self.is_next(result.info.raw_cell):
            return
        self.in_cell = False
        state = self.state or ("ok" if result.success else "error")
        seconds = 0.0 if self.state else round(time.monotonic() - self.began, 3)
        if state == "error":
            state = self.failure(result)
        elif state == "ok":
            self.unkept_seconds += seconds
            if result.result is not None:
                print(f"[comind] Out: {_short(result.result)}")
        if not self.state:
            print(f"[comind] cell {self.position + 1} {state} after {seconds} s", flush=True)
        self.note["cells"].append({"state": state, "seconds": seconds})
        self.position += 1
        if state == "ok" and self.is_worth_keeping():
            self.keep()
        self.write_note()

    def is_worth_keeping(self) -> bool:
        """Whether running again would take much longer than keeping; `worth` 0 keeps after every cell."""
        worth: float = self.plan["worth"]
        return not worth or self.unkept_seconds >= max(worth, 10 * self.keeping_seconds)

    def failure(self, result: Any) -> str:
        """Note the failed cell, and let the notebook go on to its end."""
        error = result.error_before_exec or result.error_in_exec
        result.error_before_exec = result.error_in_exec = None
        if self.over:
            self.note["out_of_time"] = True
            return "out of time"
        self.note["failed"] = {
            "number": self.position + 1,
            "error": f"{type(error).__name__}: {error}"[:_TEXT],
            "traceback": self.traceback[-_TEXT:],
        }
        return "error"

    def show_error(self, kind: type[BaseException], error: BaseException, lines: list[str]) -> None:
        """Print a traceback: sent as an error it would end the notebook."""
        self.traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines))
        sys.stdout.flush()
        print(self.traceback, file=sys.stderr, flush=True)

    def end_of_time(self, *_: object) -> None:
        self.over = True
        if self.in_cell:
            raise KeyboardInterrupt("the session's time is over")

    def finish(self) -> None:
        """After the last cell: keep what is not kept yet, and close the note."""
        if self.plan["seconds"]:
            signal.setitimer(signal.ITIMER_REAL, 0)
        complete = not (self.note["failed"] or self.over) and self.position == len(self.plan["hashes"])
        if complete and self.unkept_seconds > 0:
            self.keep()
        self.note["out_of_time"] = self.over
        self.note["finished"] = True
        self.write_note()
        failed = self.note["failed"]
        print(f"[comind] failed in cell {failed['number']}" if failed else "[comind] finished")

    def write_note(self) -> None:
        partial = Path(f"{PROGRESS}.partial")
        partial.write_text(json.dumps(self.note), encoding="utf-8", errors="replace")
        partial.replace(PROGRESS)

    # -- keeping -------------------------------------------------------------------------------------------

    def keep(self) -> None:
        """Write variables and files as they are now; what an earlier cell left stands when that fails."""
        began, partial = time.monotonic(), Path(f"{STATE}.partial")
        lost: dict[str, str] = {}
        try:
            while (name := self.write_state(partial, lost)) is not None:
                if len(lost) > _MOST_LOST:
                    raise _TooMuch(f"more than {_MOST_LOST} variables cannot be kept: {name} and others")
        except Exception as error:  # whatever libraries raise here must not end the author's work
            self.note["not_kept"] = f"after cell {self.position}: {error or type(error).__name__}"[:_TEXT]
            partial.unlink(missing_ok=True)
        else:
            partial.replace(STATE)
            self.note["kept"] = {
                "cells": self.position, "chain": self.plan["chain"][self.position - 1], "lost": lost,
                "bytes": Path(STATE).stat().st_size,
            }  # fmt: skip
            self.note["not_kept"] = ""
            self.unkept_seconds = 0.0
        self.keeping_seconds = time.monotonic() - began

    def write_state(self, path: Path, lost: dict[str, str]) -> str | None:
        """Write it all but `lost`. The name of a variable that could not be written, now among `lost`."""
        files = _files()
        room = self.plan["most_bytes"] - sum(file.stat().st_size for file in files)
        if room < 0:
            raise _TooMuch(f"the files are larger than {self.plan['most_bytes']} bytes")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("chain", self.plan["chain"][self.position - 1])
            for file in files:
                archive.write(file, f"files/{file.as_posix()}")
            with archive.open("variables", "w", force_zip64=True) as raw:
                pickler = _Pickler(_Bounded(raw, room), self.shell)
                for name, value in self.variables():
                    if name in lost:
                        continue
                    try:
                        pickler.dump((name, value))
                    except _TooMuch:
                        raise _TooMuch(
                            f"more than {self.plan['most_bytes']} bytes, {name} among them"
                        ) from None
                    except (
                        Exception
                    ) as error:  # pickling runs the objects' own code, which may raise anything
                        lost[name] = f"{type(value).__name__}: {error}"[:300]
                        return name
                pickler.dump(("", self.surroundings()))
        return None

    def variables(self) -> list[tuple[str, Any]]:
        """What the author's cells have made, small things first: they show early what cannot be kept."""
        known = self.known
        found = [
            (name, value)
            for name, value in self.shell.user_ns.items()
            if not (name in known and known[name] is value)
            and not re.fullmatch(r"_+|_i+|_i?\d+|_exit_code", name)
        ]
        return sorted(found, key=lambda item: sys.getsizeof(item[1], 0))

    def surroundings(self) -> dict[str, Any]:
        """Random generators and what the process was given beside its variables."""
        found: dict[str, Any] = {
            "environment": {k: v for k, v in os.environ.items() if self.environment.get(k) != v},
            "path": [place for place in sys.path if place not in self.path],
            "random": random.getstate(),
        }
        if "numpy" in sys.modules:
            found["numpy"] = sys.modules["numpy"].random.get_state()
        if "torch" in sys.modules:
            torch: Any = sys.modules["torch"]
            cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
            found["torch"] = (torch.get_rng_state(), cuda)
        return found

    # -- taking up -----------------------------------------------------------------------------------------

    def take_up(self, source: str, cells: int) -> None:
        """Make variables and files of an earlier session ours; on any failure all cells are run again."""
        files: list[Path] = []
        try:
            with zipfile.ZipFile(self.find(source) / STATE) as archive:
                if archive.read("chain").decode() != self.plan["chain"][cells - 1]:
                    raise ValueError("it was kept by other cells")
                for name in archive.namelist():
                    if name.startswith("files/"):
                        files.append(Path(name.removeprefix("files/")))
                        _extract(archive, name, files[-1])
                with archive.open("variables") as raw:
                    self.load(_Unpickler(raw, self.shell))
        except Exception as error:  # unpickling runs the objects' own code, which may raise anything
            print(f"[comind] the carried work cannot be used, all cells run: {type(error).__name__}: {error}")
            for file in files:
                file.unlink(missing_ok=True)
            for name in [name for name in self.shell.user_ns if name not in self.known]:
                del self.shell.user_ns[name]
        else:
            self.carried = cells
            print(f"[comind] cells 1 to {cells} are carried from {source}")

    def load(self, unpickler: Any) -> None:
        found: dict[str, Any] = {}
        name, value = unpickler.load()
        while name:
            found[name] = value
            name, value = unpickler.load()
        self.shell.user_ns.update(found)
        os.environ.update(value["environment"])
        sys.path += value["path"]
        random.setstate(value["random"])
        if "numpy" in value:
            import numpy as np

            np.random.set_state(value["numpy"])
        if "torch" in value:
            torch: Any = importlib.import_module("torch")
            torch.set_rng_state(value["torch"][0])
            if value["torch"][1]:
                torch.cuda.set_rng_state_all(value["torch"][1])


def cell_hash(source: str) -> str:
    """What a cell is known by; `gathered.py` uses the same."""
    return hashlib.sha256(source.strip().encode()).hexdigest()[:16]


class _TooMuch(Exception):
    pass


class _Bounded:
    """A file that takes `room` bytes at most."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data: Any) -> int:
        self.room -= memoryview(data).nbytes
        if self.room < 0:
            raise _TooMuch
        return int(self.file.write(data))


class _Pickler(cloudpickle.CloudPickler):  # type: ignore[misc]
    """The notebook's functions keep the notebook's own variables as their globals."""

    def __init__(self, file: Any, shell: Any) -> None:
        super().__init__(file)
        variables = shell.user_ns
        self.globals_ref[id(variables)] = variables
        self.named = {id(variables): "variables", id(shell): "shell", id(sys.stdout): "stdout",
                      id(sys.stderr): "stderr"}  # fmt: skip

    def persistent_id(self, thing: Any) -> str | None:
        return self.named.get(id(thing))

    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, io.IOBase) and thing.closed:  # `with open(…) as file` leaves one behind
            return _closed_file, ()
        return super().reducer_override(thing)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, shell: Any) -> None:
        super().__init__(file)
        self.named = {"variables": shell.user_ns, "shell": shell, "stdout": sys.stdout, "stderr": sys.stderr}

    def persistent_load(self, name: str) -> Any:
        return self.named[name]


def _closed_file() -> io.StringIO:
    file = io.StringIO()
    file.close()
    return file


def _files() -> list[Path]:
    """Plain files of the working folder that are the author's."""
    found = []
    for folder, folders, names in os.walk("."):
        folders[:] = [name for name in folders if not name.startswith(_OURS)]
        found += [Path(folder, name) for name in names if not name.startswith(_OURS)]
    return sorted(file for file in found if file.is_file() and not file.is_symlink())


def _extract(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(name) as source, target.open("wb") as file:
        while piece := source.read(1 << 20):
            file.write(piece)


def _short(value: Any) -> str:
    try:
        return repr(value)[:_TEXT]
    except Exception as error:  # the object's own code
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"


def _machine() -> dict[str, Any]:
    """The machine that was really given."""
    gpus = ""
    try:
        asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        gpus = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        pass  # no GPU, or none that answers
    return {
        "gpus": [line.strip() for line in gpus.splitlines() if line.strip()],
        "tpu": os.environ.get("TPU_ACCELERATOR_TYPE", "") or os.environ.get("TPU_NAME", ""),
        "cpus": os.cpu_count() or 0,
    }
