"""Reports on what was sampled keep every mark with its reason; nothing is read twice."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from comind.community.cache import CommunityCache
from comind.community.snapshot import take_snapshot
from comind.llm.formats import scored_lines
from comind.round.study import analyze_sample, draw_sample
from comind.state.records import Discussion, Event, Idea, Kernel, Link, Report
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.records import KernelInfo, KernelSource
from kaggle_runner.moments import SYSTEM_CLOCK
from tests.comind.analysis.test_graph import pipeline
from tests.comind.round.planning import knowledge
from tests.fakes.models import InstantModel, Question

MARKS = (
    "novelty: 3 - widely known\nfeasibility: 9/10 - runs in a minute\neffectiveness: 6 - score 0.91\n"
    "efficiency: 8 - one fit\npatterns:\n- folds\npitfalls:\n- none"
)


def answer(question: Question) -> str:
    body = (
        "- Use folds.\n- Clip."
        if question.key.kind.startswith("discussion")
        else "A ridge.\n```python\nfit()\n```"
    )
    return f"{body}\n===SEPARATOR===\n{MARKS}"


async def test_the_four_marks_are_kept_with_their_reasons(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    folder, model = RunFolder(tmp_path / "run"), InstantModel(answer)
    with Store(folder.database) as store:
        store.save(
            Kernel(id="ann/k", title="Ridge", author="ann", source="fit()", votes=3),
            Discussion(id="topic-1", title="Folds", author="bob", body="Use folds.", votes=2),
        )
        known = knowledge(store, model)
        await analyze_sample(known, 1, draw_sample(known, 1))
        reports = store.all(Report)
        assert sorted(report.kind for report in reports) == ["discussion", "kernel"]
        for report in reports:
            assert report.scores == {"novelty": 3, "feasibility": 9, "effectiveness": 6, "efficiency": 8}
            assert scored_lines(report.summary)["feasibility"] == (9, "runs in a minute")
        assert [idea.text for idea in store.all(Idea, order="id")] == ["Use folds.", "Clip."]
        again = draw_sample(known, 1)
        assert [one.times_sampled for one in again.kernels] == [1]
        await analyze_sample(known, 2, draw_sample(known, 2))
        assert len(model.shown) == 2
        assert len(store.all(Event, "kind = 'sample'")) == 2


SOURCES: dict[str, tuple[str, tuple[str, ...], datetime]] = {
    "ann/original": (pipeline(1), (), datetime(2026, 1, 1, tzinfo=UTC)),
    "bob/copy": (pipeline(1) + "\nprint(1)", ("bob/weights",), datetime(2026, 2, 1, tzinfo=UTC)),
    "cat/blend": (
        "a = pd.read_csv('/kaggle/input/original/submission.csv')\n"
        "b = pd.read_csv('/kaggle/input/copy/submission.csv')",
        (),
        datetime(2026, 3, 1, tzinfo=UTC),
    ),
}


class Upstream:
    """A community of three kernels: an original, its copy, and a blend of both."""

    def _info(self, ref: str) -> KernelInfo:
        author, _, name = ref.partition("/")
        return KernelInfo(ref, name, author, 1, SOURCES[ref][2], "python", "script", "")

    async def clock_offset(self) -> float:
        return 0.0

    async def kernels(self, slug: str, *_: Any, **__: Any) -> list[KernelInfo]:
        return [self._info(ref) for ref in SOURCES]

    async def kernel_source(self, ref: str) -> KernelSource:
        text, datasets, _ = SOURCES[ref]
        used = ("ann/original", "bob/copy") if ref == "cat/blend" else ()
        return KernelSource(self._info(ref), text, datasets, used, ("comp",))

    async def extension_kernel_scores(self, slug: str) -> dict[str, float]:
        return {"ann/original": 0.9}

    async def topics(self, slug: str, **_: Any) -> list[SimpleNamespace]:
        return []


async def test_a_snapshot_knows_copies_and_blends(tmp_path: Path) -> None:
    told: list[str] = []
    with Store(tmp_path / "run.sqlite") as store:
        kaggle = cast(KaggleClient, Upstream())
        cache = CommunityCache(kaggle, "comp", None, clock=SYSTEM_CLOCK, hours=1, tell=told.append)
        for _ in range(2):
            await take_snapshot(cache, store, higher_is_better=True, top_kernels=9, top_discussions=0)
        links = {(link.source, link.kind, link.target) for link in store.all(Link)}
        assert links == {
            ("bob/copy", "forks", "ann/original"),
            ("bob/copy", "uses", "bob/weights"),
            ("cat/blend", "blends", "ann/original"),
            ("cat/blend", "blends", "bob/copy"),
        }
        known = knowledge(store, InstantModel(answer), sample_kernels=3)
        sampled = [kernel.id for kernel in draw_sample(known, 1).kernels]
        assert len(sampled) == 2 and "cat/blend" in sampled
