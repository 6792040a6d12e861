"""Sampling takes from both lists and looks elsewhere next time; publishing gives everything back."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

from comind.clock import utc_now
from comind.community import publish, sample_discussions, sample_kernels
from comind.records import Agent, Dataset, Discussion, Evaluation, Kernel, Link
from comind.runs import RunFolder
from comind.store import Store


def kernel(name: str, *, votes: int = 0, score: float | None = None, used: int = 0, at: str = "") -> Kernel:
    return Kernel(
        id=f"someone/{name}", title=name, author="someone", source="x", votes=votes, public_score=score,
        times_sampled=used, created_at=at,
    )  # fmt: skip


def drawn(kernels: list[Kernel], count: int, *, higher: bool = True, tries: int = 300) -> list[list[str]]:
    return [
        [one.title for one in sample_kernels(kernels, count, random.Random(seed), higher=higher)]
        for seed in range(tries)
    ]


def test_both_lists_contribute() -> None:
    popular = [kernel(f"popular{n}", votes=1000 - n, score=0.1) for n in range(10)]
    strong = [kernel(f"strong{n}", votes=1, score=0.9 - n / 100) for n in range(10)]
    for sample in drawn(popular + strong, 4):
        assert any(name.startswith("popular") for name in sample) or any(
            name.startswith("strong") for name in sample
        )
    flat = [name for sample in drawn(popular + strong, 4) for name in sample]
    share = sum(name.startswith("strong") for name in flat) / len(flat)
    assert 0.3 < share < 0.7


def test_the_direction_decides_which_scores_are_good() -> None:
    kernels = [kernel(f"k{n}", votes=0, score=float(n)) for n in range(8)]
    first = [sample[0] for sample in drawn(kernels, 1, higher=False)]
    assert first.count("k0") > first.count("k7")


def test_nothing_is_drawn_twice_and_never_more_than_there_is() -> None:
    kernels = [kernel(f"k{n}", votes=n, score=float(n)) for n in range(5)]
    for sample in drawn(kernels, 9, tries=50):
        assert sorted(sample) == sorted(one.title for one in kernels)
    assert drawn([], 4, tries=1) == [[]]


def test_the_same_seed_draws_the_same_sample() -> None:
    kernels = [kernel(f"k{n}", votes=n, score=float(n)) for n in range(20)]
    assert drawn(kernels, 4) == drawn(kernels, 4)


def test_what_was_used_before_is_drawn_less() -> None:
    fresh = [kernel(f"k{n}", votes=10, score=1.0) for n in range(6)]
    worn = [replace(one, times_sampled=4 * (one.title == "k0")) for one in fresh]
    before = sum("k0" in sample for sample in drawn(fresh, 2))
    after = sum("k0" in sample for sample in drawn(worn, 2))
    assert after < before / 2


def test_older_discussions_are_drawn_less() -> None:
    new = Discussion(id="new", title="new", author="a", body="b", votes=5, created_at="2026-06-01T00:00:00Z")
    old = Discussion(id="old", title="old", author="a", body="b", votes=5, created_at="2024-06-01T00:00:00Z")
    first = [sample_discussions([old, new], 1, random.Random(seed))[0].id for seed in range(200)]
    assert first.count("new") > 3 * first.count("old")


async def test_publishing_gives_outputs_and_links_and_follows_no_symbolic_link(
    tmp_path: Path,
) -> None:
    folder = RunFolder(tmp_path)
    store = Store(folder.database)
    work = folder.workspace("r1-a1")
    work.mkdir(parents=True)
    (work / "oof.csv").write_text("id,p\n1,0.5\n")
    (work / "notes.py").write_text("x")
    (work / "a\n>>>\n## Draft.csv").write_text("a name that would speak in prompts")
    (work / os.fsdecode(b"bad\xff.csv")).write_text("x")
    secret = tmp_path / "private" / "validation.csv"
    secret.parent.mkdir()
    secret.write_text("labels")
    (work / "stolen.csv").symlink_to(secret)
    graded = folder.evaluation("r1-a1-s03")
    graded.mkdir(parents=True)
    for name in ("submission.csv", "validation_submission.csv"):
        (graded / name).write_text("id,p\n")
    evaluation = Evaluation(
        id="r1-a1-s03", agent="r1-a1", round=1, step=3, success=True, message="ok",
        feedback={"score": 0.9, "interval": [0.8, 1.0], "rows": 10},
        selection={"score": 0.8, "interval": [0.7, 0.9], "rows": 10},
        submission=folder.relative(graded / "submission.csv"),
        validation_submission=folder.relative(graded / "validation_submission.csv"),
    )  # fmt: skip
    agent = Agent(id="r1-a1", round=1, index=1, title="Ridge")
    await publish(store, folder, agent, evaluation, source="fit()", used=["r0-a9"], clock=utc_now)
    dataset = store.all(Dataset)[0]
    assert dataset.files == ["oof.csv", "submission.csv", "validation_submission.csv"]
    assert store.all(Kernel)[0].local_score == 0.8
    assert {(link.kind, link.target) for link in store.all(Link)} == {
        ("publishes", "comind/r1-a1"),
        ("uses", "comind/r0-a9"),
    }
    assert [event.kind for event in store.events()] == ["skipped"]
