"""The evaluator of one run: makes the split, installs the metric, checks both, grades what agents hand in.

Scripts run in a sandbox that sees the labels and no network; agents get codes, public ids and the feedback
score. The wording of prompts and the dialogue with the model that writes the scripts are not here.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from comind.evaluator.checks import Check, check_metric, check_split, find_answers, require
from comind.evaluator.messages import failure_message, known_code, public_ids, success_message
from comind.evaluator.open_checks import check_open_split
from comind.evaluator.profile import CompetitionProfile
from comind.evaluator.scripts import Case, ScriptAnswer, run_grader, run_split
from comind.evaluator.trials import write_trials
from comind.state.grades import BASELINE, PartGrade, score_from
from comind.state.records import Evaluation
from comind.state.runs import RunFolder
from kaggle_runner.errors import EvaluatorRejected, MachineError, Unusable
from kaggle_runner.files import UnsafeFile, safe_copy, sha256_of, write_whole
from kaggle_runner.moments import Clock, stamp
from kaggle_runner.rows import from_json, to_json
from mle_live.layout.formats import read_text

_VALIDATION, _TEST = "validation_submission.csv", "submission.csv"
_BYTES_BESIDE = 1_000_000
_TIMES_THE_SAMPLE = 40
"""A prediction file may be so much larger than its sample: samples hold `0` where models write 18 digits."""
_AT_ONCE = 2
_MEMORY = 8 << 30


def most_bytes(sample: Path) -> int:
    """Of a prediction file with this sample."""
    return _BYTES_BESIDE + _TIMES_THE_SAMPLE * sample.stat().st_size


@dataclass(frozen=True, slots=True)
class _Graded:
    """What is kept of a grading (result.json), apart from who asked and when."""

    code: str
    file: str
    ids: list[str]
    feedback: PartGrade
    selection: PartGrade
    key: str = ""
    """Of the files that it is about, and of the metric's script."""


class Evaluator:
    """Holds the labels of one run; `split`, `install` and `check` come before `baseline` and `evaluate`."""

    def __init__(
        self,
        *,
        folder: RunFolder,
        profile: CompetitionProfile,
        seed: int,
        clock: Clock,
        memory_bytes: int | None = _MEMORY,
    ) -> None:
        self.folder = folder
        self.profile = profile
        self.seed = seed
        self._clock = clock
        self._memory = memory_bytes
        self._split_checks: tuple[Check, ...] = ()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._graded: dict[str, _Graded] | None = None

    @property
    def ready(self) -> bool:
        """Whether a split and a metric are in place (a resumed run need not make them again)."""
        placed = (
            self.folder.public / "sample_submission.csv",
            self.labels,
            self.folder.private / "evaluate.py",
        )
        return all(path.is_file() for path in placed)

    @property
    def labels(self) -> Path:
        return self.folder.labels

    def leaks_in(self, offered: Path) -> list[str]:
        """Where files that agents might be given beside the split tell its labels (`find_answers`)."""
        return find_answers(self.profile, offered, public=self.folder.public, private=self.folder.private)

    async def split(self, source: str, *, fraction: float) -> None:
        """Run a split_dataset.py on the original files and put the result in place if it passes its checks.

        EvaluatorRejected says what is wrong, for its author; nothing is put in place then.
        """
        staging = self.folder.path / "data" / "staging"
        shutil.rmtree(staging, ignore_errors=True)
        script, public, private = (staging / name for name in ("script", "public", "private"))
        for place in (script, public, private):
            place.mkdir(parents=True)
        try:
            (script / "split_dataset.py").write_text(source, encoding="utf-8")
            await run_split(
                script, original=self.folder.original, public=public, private=private,
                fraction=fraction, seed=self.seed, memory_bytes=self._memory, hidden=(self.folder.state,),
            )  # fmt: skip
            checks = await self._check_split(public, private)
            require(checks)
            self._place(script, public, private)
            self._split_checks = checks
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    async def _check_split(self, public: Path, private: Path) -> tuple[Check, ...]:
        judge = check_split if self.profile.has_ready_split else check_open_split
        return await asyncio.to_thread(
            judge, self.profile, original=self.folder.original, public=public, private=private
        )

    def _place(self, script: Path, public: Path, private: Path) -> None:
        self._make_private()
        shutil.rmtree(self.folder.public, ignore_errors=True)
        self.folder.public.parent.mkdir(parents=True, exist_ok=True)
        (script / "split_dataset.py").replace(self.folder.private / "split_dataset.py")
        (private / "validation.csv").replace(self.labels)
        public.replace(self.folder.public)

    def _make_private(self) -> Path:
        self.folder.private.mkdir(parents=True, exist_ok=True)
        self.folder.private.chmod(0o700)
        return self.folder.private

    def install(self, evaluate_source: str) -> None:
        """Put an evaluate.py in place: `score(truth, submission)` and `HIGHER_IS_BETTER`."""
        write_whole(self._make_private() / "evaluate.py", evaluate_source, durable=True)

    async def check(self) -> tuple[Check, ...]:
        """Every check of split and metric; EvaluatorRejected names those that failed, for their author."""
        if not self._split_checks:
            self._split_checks = await self._check_split(self.folder.public, self.folder.private)
        require(self._split_checks)
        trials = self.folder.private / "trials"
        try:
            cases = await asyncio.to_thread(
                write_trials, trials, self.profile,
                public=self.folder.public, private=self.folder.private, seed=self.seed,
            )  # fmt: skip
            try:
                answers = await self._run(cases, trials, whole=True, answers=2)
            except MachineError as error:
                raise EvaluatorRejected(f"The metric could not be tried: {error.message}") from error
        finally:
            shutil.rmtree(trials, ignore_errors=True)
        checks = (*self._split_checks, *check_metric(self.profile, *answers))
        require(checks)
        await asyncio.to_thread(self._remember_baseline, answers[0].results[BASELINE])
        return checks

    def _remember_baseline(self, result: dict[str, Any]) -> None:
        """The checks graded the samples as well; what they were refused for is found out once more."""
        verdict = self._read_verdict(result)
        samples = (
            self.folder.public / name
            for name in ("sample_validation_submission.csv", "sample_submission.csv")
        )
        if verdict.code == "ok":
            self._remembered()[self._key(_digest(*samples))] = verdict

    async def evaluate(
        self,
        id: str,
        *,
        workspace: Path,
        validation_name: str,
        submission_name: str,
        agent: str,
        round: int,
        step: int,
    ) -> Evaluation:
        """Grade a pair of prediction files of an agent's workspace; names are relative to it.

        Never raises for what an agent did: `success` is False and `message` says why. A fault of the machine
        is tried twice and then has the code `infrastructure`.
        """
        started = self._clock.monotonic()
        place = self.folder.evaluation(id)
        refused = await asyncio.to_thread(self._take, place, workspace, validation_name, submission_name)
        verdict = refused or await self._verdict(place)
        seconds = self._clock.monotonic() - started
        digest = "" if refused else _digest_in(place)
        return self._record(id, verdict, agent=agent, round=round, step=step, digest=digest, seconds=seconds)

    async def baseline(self) -> Evaluation:
        """The sample submission, graded like any agent's files."""
        started = self._clock.monotonic()
        place = self.folder.evaluation(BASELINE)
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.folder.public / "sample_validation_submission.csv", place / _VALIDATION)
        shutil.copyfile(self.folder.public / "sample_submission.csv", place / _TEST)
        verdict = await self._verdict(place)
        seconds = self._clock.monotonic() - started
        return self._record(
            BASELINE, verdict, agent="", round=0, step=0, digest=_digest_in(place), seconds=seconds
        )

    def _take(
        self, place: Path, workspace: Path, validation_name: str, submission_name: str
    ) -> _Graded | None:
        """Copy both files out of the workspace without following links; a verdict says why it cannot be."""
        if not validation_name or not submission_name:
            return _refusal("both_files")
        place.mkdir(parents=True, exist_ok=True)
        for name, target, sample, file in (
            (validation_name, _VALIDATION, "sample_validation_submission.csv", "validation"),
            (submission_name, _TEST, "sample_submission.csv", "test"),
        ):
            limit = most_bytes(self.folder.public / sample)
            try:
                size = (workspace / name).lstat().st_size
            except (OSError, ValueError):
                return _refusal("missing_file", file)
            if size > limit:
                return _refusal("too_large", file)
            try:
                safe_copy(workspace, name, place / target, limit)
            except UnsafeFile:
                return _refusal("unsafe_file", file)
        return None

    async def _verdict(self, place: Path) -> _Graded:
        """The verdict on the files in `place`: remembered for equal files, else graded, and written down."""
        key = self._key(_digest_in(place))
        graded = self._remembered()
        if key not in graded:
            verdict = await self._grade(place)
            if verdict.code == "infrastructure":
                return verdict  # not remembered: the next try may succeed
            graded[key] = verdict
        write_whole(place / "result.json", to_json(replace(graded[key], key=key)), durable=True)
        return graded[key]

    def _key(self, digest: str) -> str:
        return f"{digest} {sha256_of(self.folder.private / 'evaluate.py')}"

    async def _grade(self, place: Path) -> _Graded:
        case = Case("files", _VALIDATION, _TEST)
        for _ in range(2):
            try:
                [answer] = await self._run([case], place, whole=False, answers=1)
            except (MachineError, OSError):
                continue  # the sandbox or the grader died; once more
            if answer.ready and "files" in answer.results:
                return await asyncio.to_thread(self._read_verdict, answer.results["files"])
        return _refusal("infrastructure")

    async def _run(
        self, cases: list[Case], predictions: Path, *, whole: bool, answers: int
    ) -> list[ScriptAnswer]:
        async with self._slots:
            return await run_grader(
                cases, folder=self.folder, predictions=predictions, profile=self.profile, seed=self.seed,
                whole=whole, answers=answers, memory_bytes=self._memory,
            )  # fmt: skip

    def _read_verdict(self, result: dict[str, Any]) -> _Graded:
        """The grader's words as a verdict: known codes, public ids and finite numbers only."""
        parts = [_score_part(result.get(name)) for name in ("feedback", "selection")]
        if result.get("success") is True and all(parts):
            return _Graded("ok", "", [], parts[0], parts[1])
        code = known_code(result.get("code"))
        file = result.get("file")
        ids = result.get("ids")
        asked = {one for one in ids if isinstance(one, str)} if isinstance(ids, list) else set()
        shown = public_ids(ids, self._public_among(asked))
        return _refusal(code, file if file in ("validation", "test") else "", shown)

    def _public_among(self, ids: set[str]) -> set[str]:
        """Those of `ids` that a sample submission shows anyway."""
        column, found = self.profile.id_column, set[str]()
        for name in ("sample_validation_submission.csv", "sample_submission.csv") if ids else ():
            found |= ids.intersection(read_text(self.folder.public / name, columns=[column])[column])
        return found

    def _remembered(self) -> dict[str, _Graded]:
        """Verdicts by content, read once from the result files of earlier gradings."""
        if self._graded is None:
            self._graded = {}
            for path in sorted((self.folder.path / "evaluations").glob("*/result.json")):
                with suppress(Unusable):  # a file cut short by a crash: its evaluation is graded again
                    kept = from_json(_Graded, path.read_bytes(), path)
                    self._graded[kept.key] = kept
        return self._graded

    def _record(
        self, id: str, verdict: _Graded, *, agent: str, round: int, step: int, digest: str, seconds: float
    ) -> Evaluation:
        higher = self.profile.higher_is_better
        score = score_from(verdict.feedback, higher)
        place = self.folder.evaluation(id)
        columns = (self.profile.id_column, *self.profile.target_columns)
        message = (
            success_message(score)
            if score
            else failure_message(verdict.code, file=verdict.file, ids=verdict.ids, columns=columns[:10])
        )
        return Evaluation(
            id=id, agent=agent, round=round, step=step,
            success=verdict.code == "ok", message=message, code=verdict.code,
            feedback=verdict.feedback, selection=verdict.selection, higher_is_better=higher,
            submission=self.folder.relative(place / _TEST) if digest else "",
            validation_submission=self.folder.relative(place / _VALIDATION) if digest else "",
            sha256=digest, seconds=seconds, at=stamp(self._clock.now()),
        )  # fmt: skip


def known_metric_source(metric: str) -> str:
    """An evaluate.py for a metric of mle_live; UsageError with near names for an unknown one."""
    from mle_live.metrics import get_metric

    known = get_metric(metric)
    return (
        f'"""{known.title}, as mle_live.metrics defines it."""\n\n'
        "from mle_live.metrics import get_metric\n\n"
        f"METRIC = get_metric({known.name!r})\n"
        "HIGHER_IS_BETTER = METRIC.higher_is_better\n\n\n"
        "def score(truth, submission):\n"
        "    return METRIC.score(truth, submission, list(submission.columns))\n"
    )


def _refusal(code: str, file: str = "", ids: list[str] | None = None) -> _Graded:
    return _Graded(code, file, ids or [], {}, {})


def _score_part(part: object) -> PartGrade:
    """{score, interval, rows} with finite numbers, or {} for anything else."""
    try:
        low, high = part["interval"]  # type: ignore[index]
        value, rows = float(part["score"]), int(part["rows"])  # type: ignore[index]
        numbers = (value, float(low), float(high))
    except (TypeError, KeyError, ValueError):
        return {}
    if not all(math.isfinite(number) for number in numbers):
        return {}
    return {"score": value, "interval": (numbers[1], numbers[2]), "rows": rows}


def _digest(validation: Path, test: Path) -> str:
    """One digest for the pair of files: SHA-256 over the digests of both."""
    return hashlib.sha256(f"{sha256_of(validation)}{sha256_of(test)}".encode()).hexdigest()


def _digest_in(place: Path) -> str:
    return _digest(place / _VALIDATION, place / _TEST)
