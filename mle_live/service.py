"""What the API modules share: the competitions that are served, the state, the clock, the settings.

One `Service` is made when the server starts and closed when it ends; it holds no request of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from kaggle_runner.errors import ComindError, MachineError, UsageError
from kaggle_runner.moments import SYSTEM_CLOCK, Clock
from mle_live.competitions.board import Team, load_board
from mle_live.competitions.community import Community, load_community
from mle_live.competitions.competition import HostedCompetition
from mle_live.competitions.grading import InvalidSubmission, grade_file
from mle_live.kernels.inputs import KernelInputs
from mle_live.kernels.runs import KernelLimits, KernelRuns, version_files
from mle_live.rates import RateLimit
from mle_live.stores.blobs import BlobStore
from mle_live.stores.datasets import DatasetBounds, DatasetStore
from mle_live.stores.kernels import KernelStore
from mle_live.stores.posts import PostStore
from mle_live.stores.rules import RulesStore
from mle_live.stores.state import ServerState, StoredSubmission, User
from mle_live.wire import RpcError

logger = logging.getLogger("mle_live")

NOBODY = User(0, "")
"""The user of calls that need no credentials."""

GRADER_FAULT = (
    "The grader failed; this is not the submission's fault and does not count. Please submit again."
)


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Sizes in bytes that the server accepts, calls a user may make, accelerator hours a week it tells of."""

    submission_bytes: int = 500 * 2**20
    open_uploads: int = 100
    """Uploads of a user that wait to be submitted."""
    request_bytes: int = 2**20
    blob_bytes: int = 20 * 2**30
    """All unfinished uploads of a user together."""
    datasets: DatasetBounds = field(default_factory=DatasetBounds)
    calls_per_minute: float | None = None
    rules_required: bool = False
    """Whether rules must be accepted before data are downloaded or predictions sent."""
    gpu_hours: float = 30.0
    tpu_hours: float = 20.0


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, when, and under which address (scheme and host) the caller reached the server."""

    user: User
    now: datetime
    address: str


class Service:
    """The server's parts. `state_dir` receives state.sqlite, submissions, uploads and outputs."""

    def __init__(
        self,
        competitions: Sequence[HostedCompetition],
        state_dir: Path,
        *,
        clock: Clock = SYSTEM_CLOCK,
        reveal_private: bool = False,
        limits: ServerLimits | None = None,
        kernel_limits: KernelLimits | None = None,
    ) -> None:
        self.competitions = competitions
        self.by_slug = {competition.slug: competition for competition in competitions}
        self._by_name = {slug.casefold(): competition for slug, competition in self.by_slug.items()}
        for slug, count in Counter(competition.slug for competition in competitions).items():
            if count > 1:
                raise UsageError(
                    f"two competitions are called {slug!r}", hint="serve one of them, or rename it"
                )
        self.state_dir = state_dir
        self.clock = clock
        self.reveal_private = reveal_private
        self.limits = limits or ServerLimits()
        self._communities = {c.slug: load_community(c.artifacts_dir) for c in self.competitions}
        self._boards = {c.slug: load_board(c) for c in self.competitions}
        self.state = ServerState(self.state_dir / "state.sqlite")
        self.blobs = BlobStore(self.state, self.state_dir / "blobs", self.limits.blob_bytes, SYSTEM_CLOCK)
        self.datasets = DatasetStore(self.state, self.state_dir / "datasets", self.limits.datasets)
        self.posts = PostStore(self.state)
        self.rules = RulesStore(self.state, required=self.limits.rules_required)
        self.rates = RateLimit(self.limits.calls_per_minute)
        self._secret = secrets.token_bytes(32)
        # One worker: a metric may need much memory, and grading in order keeps the day's count simple.
        self._grader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="grader")
        for row in self.state.pending():
            if row.competition in self.by_slug:
                self.grade_later(row.ref)
        self.kernels = self._kernel_runs(kernel_limits or KernelLimits())
        self.kernels.resume()

    def _kernel_runs(self, limits: KernelLimits) -> KernelRuns:
        folder = (self.state_dir / "kernels").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        cache = self.state_dir.resolve() / "kernel-inputs"
        shutil.rmtree(cache, ignore_errors=True)  # made again when needed, of the data as it is now
        store = KernelStore(self.state)
        inputs = KernelInputs(
            self.by_slug,
            store,
            lambda kernel, version: version_files(folder, kernel.id, version),
            cache,
            self.dataset_folder,
            self.rules.accepted,
        )
        labels = {c.solution_path.resolve().parent for c in self.competitions if c.solution_path}
        hidden = (self.state_dir.resolve(), *sorted(labels))
        return KernelRuns(store, inputs, folder, self.clock, limits, hidden)

    def dataset_folder(self, user: User, ref: str) -> Path | None:
        """The files of the dataset `owner/slug` at its newest version, None where `user` may not read it."""
        owner, _, slug = ref.partition("/")
        dataset = self.datasets.readable(user, owner, slug.split("/")[0])
        return None if dataset is None else self.datasets.folder(dataset, dataset.newest).resolve()

    def close(self) -> None:
        self.kernels.close()
        self._grader.shutdown(wait=True, cancel_futures=True)
        self.state.close()

    def competition(self, slug: str) -> HostedCompetition:
        """The competition `slug`. RpcError 404 when it is not served."""
        if not slug:
            raise RpcError(400, "Missing competition name")
        found = self.by_slug.get(slug) or self._by_name.get(slug.casefold())
        if found is None:
            raise RpcError(404, f"Competition not found: {slug!r}. Served here: {', '.join(self.by_slug)}")
        return found

    def community(self, competition: HostedCompetition, call: Call) -> Community:
        """What its community had published at the time of the call, users of this server included."""
        return self.posts.joined(competition.slug, self._communities[competition.slug].at(call.now), call.now)

    def communities(self, call: Call) -> Iterator[tuple[HostedCompetition, Community]]:
        """Every competition with its community as of the call."""
        return ((competition, self.community(competition, call)) for competition in self.competitions)

    def votes_are_dated(self, competition: HostedCompetition) -> bool:
        """True when recorded votes are counted as of the call's time; else they are the export's."""
        return self._communities[competition.slug].votes_are_dated

    def board(self, competition: HostedCompetition, moment: datetime) -> list[Team]:
        """The snapshot's teams that had submitted by `moment`, and one team for each user with a scored
        submission in time."""
        rows = self.state.submissions(competition.slug)
        in_time = [row for row in rows if row.created_at <= min(moment, competition.deadline)]
        teams = [team for team in self.snapshot(competition) if team.submitted_at <= moment]
        return [*teams, *best_of_users(in_time, competition.higher_is_better)]

    def snapshot(self, competition: HostedCompetition) -> tuple[Team, ...]:
        return self._boards[competition.slug]

    def private_is_open(self, competition: HostedCompetition, moment: datetime) -> bool:
        """True when the extension may tell private scores: after the deadline, or when told to."""
        return self.reveal_private or moment > competition.deadline

    # -- links that authorise themselves, as Kaggle's do -------------------------------------------------

    def signed_address(self, call: Call, kind: str, path: str) -> str:
        """Where `path` is read without credentials: the handler of these `signed` files finds it."""
        return f"{call.address}/{kind}/{self._signature(f'{kind}/{path}')}/{quote(path)}"

    def is_signed(self, kind: str, path: str, signature: str) -> bool:
        return hmac.compare_digest(self._signature(f"{kind}/{path}").encode(), signature.encode())

    def _signature(self, path: str) -> str:
        return hmac.new(self._secret, path.encode(), hashlib.sha256).hexdigest()[:32]

    # -- submissions ------------------------------------------------------------------------------------

    def submission_path(self, ref: int) -> Path:
        return self.state_dir / "submissions" / f"{ref}.csv"

    def grade_kept(self, ref: int, keep: Callable[[Path], object]) -> None:
        """Let `keep` put a recorded submission's file into its place, and grade it.

        Where that is impossible (a full disk), the submission ends as the server's fault, and the error
        goes on.
        """
        path = self.submission_path(ref)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            keep(path)
        except OSError:
            self.state.fail(ref, GRADER_FAULT)
            raise
        self.grade_later(ref)

    def grade_later(self, ref: int) -> None:
        self._grader.submit(self._grade, ref)

    def _grade(self, ref: int) -> None:
        row = self.state.submission(ref)
        if row is None:
            return
        try:
            if not self.submission_path(ref).is_file():
                raise MachineError(f"the file of submission {ref} is gone")
            grade = grade_file(self.by_slug[row.competition], self.submission_path(ref))
        except InvalidSubmission as error:
            self.state.fail(ref, str(error))
        except ComindError as error:
            logger.error("grading submission %d: %s", ref, error, exc_info=error)
            self.state.fail(ref, GRADER_FAULT)
        except Exception:  # whatever breaks here, a submission must not stay pending for ever
            logger.exception("grading submission %d", ref)
            self.state.fail(ref, GRADER_FAULT)
        else:
            self.state.complete(ref, grade.public_score, grade.private_score)


class Api:
    """A part of the protocol: its methods are handlers (`wire.Contract`)."""

    def __init__(self, service: Service) -> None:
        self._service = service


def best_of_users(submissions: Iterable[StoredSubmission], higher_is_better: bool) -> list[Team]:
    """One team a user: the submission that is best on the public part, the earlier one when two tie."""
    best: dict[int, Team] = {}
    sign = 1.0 if higher_is_better else -1.0
    for row in sorted(submissions, key=lambda submission: submission.ref):
        if row.status != "COMPLETE" or row.public_score is None:
            continue
        private = math.nan if row.private_score is None else row.private_score
        team = Team(row.user_id, row.username, row.public_score, private, row.created_at)
        if row.user_id not in best or sign * row.public_score > sign * best[row.user_id].public_score:
            best[row.user_id] = team
    return list(best.values())
