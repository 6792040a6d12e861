"""Where runs live on disk: the layout of `state/runs/<run>/`, finding runs, and the lock of their engine."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from comind.state.reader import is_absent, reading
from comind.state.records import Run
from kaggle_runner.command_line import did_you_mean
from kaggle_runner.errors import RunBusy, RunNotFound, StateUnwritable, Unusable
from kaggle_runner.inside_kaggle import STATE, is_session

CODING_AGENT = re.compile(r"r\d+-a\d+")
"""Ids of coding agents; other agents run community kernels."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The paths of one run. Making one touches nothing on disk."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def state(self) -> Path:
        """The state folder, of which no sandbox may see more than it was given."""
        return self.path.resolve().parent.parent

    @property
    def database(self) -> Path:
        return self.path / "run.sqlite"

    @property
    def inbox(self) -> Path:
        """Commands of people, one small JSON file each (see comind.state.inbox)."""
        return self.path / "inbox"

    @property
    def engine_log(self) -> Path:
        return self.path / "engine.log"

    @property
    def recording(self) -> Path:
        """The replies that this run is answered from, when it is a replay (comind.run.recording)."""
        return self.path / "recording.jsonl.gz"

    @property
    def download(self) -> Path:
        """The competition's files as they came."""
        return self.path / "data" / "download"

    @property
    def original(self) -> Path:
        """The same in one shape (mle_live.layout): train.csv, test.csv, sample_submission.csv and others."""
        return self.path / "data" / "original"

    @property
    def layout(self) -> Path:
        """What was found out about the files (JSON)."""
        return self.path / "data" / "layout.json"

    @property
    def description(self) -> Path:
        """The text of the competition's pages."""
        return self.path / "data" / "description.md"

    @property
    def public(self) -> Path:
        """What agents see as /kaggle/input/<slug>: training part, validation inputs, test, samples."""
        return self.path / "data" / "public"

    @property
    def view(self) -> Path:
        """What a whole script sees instead: the validation inputs are among the test rows."""
        return self.path / "data" / "view"

    @property
    def view_ids(self) -> Path:
        """Which id of the view is which validation row; never mounted."""
        return self.path / "data" / "view_ids.json"

    @property
    def pages(self) -> Path:
        """The competition's pages by name, the rules among them, as they were when the run began (JSON)."""
        return self.path / "data" / "pages.json"

    @property
    def downloads(self) -> Path:
        """What was fetched of the community for this run (comind.community.downloads, JSON)."""
        return self.path / "data" / "downloads.json"

    def offered(self, name: str) -> Path:
        """A public dataset, or a public kernel's output, that agents may mount."""
        return self.path / "community" / name

    @property
    def rehearsal(self) -> Path:
        """A sample of the public files, for notebooks that do their real work at Kaggle."""
        return self.path / "data" / "rehearsal"

    @property
    def metric_file(self) -> Path:
        """A person's own metric, copied when the run was made (comind.evaluator.metric_file)."""
        return self.path / "metric.py"

    @property
    def private(self) -> Path:
        """Validation labels and the evaluator's scripts. Never mounted where agent code runs."""
        return self.path / "private"

    @property
    def labels(self) -> Path:
        """The validation labels, as they are scored."""
        return self.private / "validation.csv"

    def workspace(self, agent: str) -> Path:
        """The agent's /kaggle/working."""
        return self.path / "agents" / agent / "working"

    def divided(self, agent: str, step: int) -> Path:
        """The two prediction files that one script's submission holds."""
        return self.path / "agents" / agent / "divided" / f"{step:02d}"

    def pushed(self, agent: str, step: int) -> Path:
        """What a kernel that was pushed to Kaggle came home with: `output/`, its notebook and its log."""
        return self.path / "agents" / agent / "pushed" / f"{step:02d}"

    def notebook(self, agent: str) -> Path:
        return self.path / "agents" / agent / "agent.ipynb"

    def cell_log(self, agent: str, step: int) -> Path:
        """The full output of one cell, appended while it runs."""
        return self.path / "agents" / agent / "logs" / f"cell-{step:02d}.log"

    def evaluation(self, id: str) -> Path:
        """Graded prediction files and the grader's result."""
        return self.path / "evaluations" / id

    def dataset(self, slug: str) -> Path:
        """A dataset that this run published."""
        return self.path / "datasets" / slug

    @property
    def best(self) -> Path:
        """submission.csv, solution.ipynb and solution.py of the best evaluation."""
        return self.path / "best"

    @property
    def requirements(self) -> Path:
        """What the best solution's agent installed, for pip; there is no such file where that was nothing."""
        return self.best / "requirements.txt"

    @property
    def report(self) -> Path:
        return self.path / "report.md"

    def relative(self, path: Path) -> str:
        return str(path.relative_to(self.path))


def default_state() -> Path:
    """`state/` where the command was started, unless COMIND_STATE says otherwise.

    In a Kaggle session it is in the folder that Kaggle keeps.
    """
    return Path(os.environ.get("COMIND_STATE", STATE if is_session(os.environ) else "state"))


def runs_folder(state: Path) -> Path:
    return state / "runs"


def new_run_id(state: Path, name: str, now: datetime) -> str:
    """`<name>-<date>-<time>`, with a counter when two runs start in one second."""
    base = f"{name}-{now:%Y%m%d-%H%M%S}"
    candidates = [base, *(f"{base}-{n}" for n in range(2, 100))]
    return next(one for one in candidates if not (runs_folder(state) / one).exists())


def create_run(state: Path, run_id: str) -> RunFolder:
    """Make the run's folder; StateUnwritable says why it cannot be."""
    folder = RunFolder(runs_folder(state) / run_id)
    try:
        folder.inbox.mkdir(parents=True)
    except OSError as error:
        raise StateUnwritable(
            f"The state folder {state} cannot be written: {error.strerror or error}.",
            hint="Choose another with --state DIR, or mend its permissions.",
        ) from error
    return folder


def run_folders(state: Path) -> list[RunFolder]:
    """Everything that looks like a run, by name; nothing is opened."""
    try:
        paths = sorted(runs_folder(state).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [RunFolder(path) for path in paths if not is_absent(path / "run.sqlite")]


def list_runs(state: Path) -> list[RunFolder]:
    """The runs that can be read and have begun, newest first."""
    return [folder for folder, _ in _begun(state)]


def find_run(state: Path, run_id: str | None) -> RunFolder:
    """The run of that id (a unique beginning is enough), or the newest when none is named."""
    if run_id is None:
        for folder in list_runs(state):
            return folder
        raise RunNotFound(
            f"There is no run in {state}.", hint="Start one: comind-tui run COMPETITION --offline"
        )
    folders = run_folders(state)
    exact = [folder for folder in folders if folder.id == run_id]
    near = exact or [folder for folder in folders if folder.id.startswith(run_id)]
    if len(near) == 1:
        return near[0]
    problem = "There is no run" if not near else "More than one run begins with"
    hint = "`comind-tui runs` lists the runs there are."
    beginnings = {folder.id[: len(run_id)]: folder.id for folder in folders}
    meant = "" if near else did_you_mean(run_id, beginnings)
    for beginning, id in beginnings.items():
        meant = meant.replace(f" {beginning}?", f" {id}?")
    raise RunNotFound(f"{problem} {run_id!r} in {state}.", hint=f"{meant} {hint}" if meant else hint)


def find_resumable(state: Path, run_id: str | None) -> RunFolder:
    """The named run, or the newest that has not ended by itself and has no engine."""
    if run_id is not None:
        return find_run(state, run_id)
    for folder, run in _begun(state):
        if run.status != "finished" and not engine_alive(folder):
            return folder
    raise RunNotFound(
        f"No run in {state} waits to be resumed.", hint="`comind-tui runs` lists the runs there are."
    )


def read_run(folder: RunFolder) -> Run:
    """The run's own row. Raises RunNotFound where there is none yet, Unusable where it is no good."""
    with reading(folder.database) as reader:
        if (run := reader.run()) is not None:
            return run
    raise RunNotFound(f"Run {folder.id} has not begun.", hint="Wait for it, or start it again.")


def _begun(state: Path) -> list[tuple[RunFolder, Run]]:
    """Newest first. A run that cannot be read must not hide the others; whoever opens it is told why."""
    runs = []
    for folder in run_folders(state):
        with suppress(RunNotFound, Unusable), reading(folder.database) as reader:
            if (run := reader.run()) is not None:
                runs.append((folder, run))
    return sorted(runs, key=lambda one: one[1].started_at, reverse=True)


@contextmanager
def engine_lock(folder: RunFolder) -> Iterator[None]:
    """Held by the engine for its whole life, so that no two engines write one run."""
    with _opened(folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunBusy(
                f"Run {folder.id} already has an engine.", hint=f"Watch it: comind-tui attach {folder.id}"
            ) from error
        yield


def engine_alive(folder: RunFolder) -> bool:
    """Whether an engine holds the run now (its status may be a killed engine's last word)."""
    try:
        with _opened(folder) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


@contextmanager
def _opened(folder: RunFolder) -> Iterator[int]:
    """The folder itself is what is locked: a file in it could be removed and made anew."""
    descriptor = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def signature(folder: RunFolder) -> tuple[int, ...]:
    """Changes whenever the run does, on disk or in that an engine works on it; cheap enough to ask often."""
    values = [int(engine_alive(folder))]
    for suffix in ("", "-wal"):
        try:
            found = folder.database.with_name(folder.database.name + suffix).lstat()
            values += [found.st_ino, found.st_mtime_ns, found.st_size]
        except OSError:
            values += [0, 0, 0]
    return tuple(values)
