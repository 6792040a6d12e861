"""The dependency graph, asked: what builds on what, which kernels are copies, which only blend."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from comind.analysis.graph import build_graph, fork_groups, is_blend, similarity_links
from comind.analysis.likeness import code_sketch, likeness, shared_words
from comind.state.records import Kernel, Link


def uses(source: str, target: str) -> Link:
    return Link(id=f"{source} uses {target}", source=source, target=target)


def pipeline(seed: int, lines: int = 40) -> str:
    rng = random.Random(seed)
    return "\n".join(
        f"column_{rng.randrange(10**6)} = frame['a{n}'] * {rng.random():.4f}" for n in range(lines)
    )


def kernel(name: str, source: str, **more: Any) -> Kernel:
    return Kernel(id=f"someone/{name}", title=name, author="someone", source=source, **more)


def test_lineage_and_influence_follow_edges_to_their_ends() -> None:
    graph = build_graph(
        [
            uses("d", "c"),
            uses("c", "b"),
            Link(id="p", source="a", target="b", kind="publishes"),
            Link(id="self", source="b", target="b", kind="publishes"),
        ]
    )
    assert graph.lineage("d") == ["c", "b", "a"]
    assert graph.descendants("a") == ["b", "c", "d"]
    assert [graph.influence(id) for id in "abcd"] == [3, 2, 1, 0]
    assert graph.lineage("nobody") == []


def test_a_cycle_ends() -> None:
    graph = build_graph([uses("a", "b"), uses("b", "a"), uses("b", "c")])
    assert graph.lineage("a") == ["b", "c"]


def test_near_copies_are_one_group_led_by_the_earliest() -> None:
    original = kernel("original", pipeline(1), created_at="2026-01-01T00:00:00Z")
    retitled = "# My kernel\n" + pipeline(1).replace("0.5", "0.51") + "\nprint('upvote')"
    copy = kernel("copy", retitled, created_at="2026-02-01T00:00:00Z", votes=900)
    other = kernel("other", pipeline(2))
    found = fork_groups([copy, other, original])
    assert [[one.title for one in group] for group in found] == [["original", "copy"], ["other"]]
    assert [(link.source, link.target, link.kind) for link in similarity_links([copy, other, original])] == [
        ("someone/copy", "someone/original", "forks")
    ]


def test_a_copy_that_works_leads_an_original_that_does_not() -> None:
    original = kernel("original", pipeline(1), created_at="2026-01-01T00:00:00Z", verified="failed")
    copy = replace(original, id="x/copy", created_at="2026-02-01T00:00:00Z", verified="ok")
    assert fork_groups([original, copy])[0][0].id == "x/copy"


def test_short_sources_are_alike_by_chance_and_stay_apart() -> None:
    short = "import pandas as pd\ntrain = pd.read_csv('train.csv')"
    assert len(fork_groups([kernel("a", short), kernel("b", short)])) == 2


def test_likeness_is_near_the_exact_share_and_the_same_everywhere() -> None:
    def runs(text: str) -> set[tuple[str, ...]]:
        tokens = text.replace("\n", " ").split()
        return {tuple(tokens[n : n + 5]) for n in range(len(tokens) - 4)}

    one = " ".join(f"w{n}" for n in range(4000))
    half = " ".join(f"w{n}" for n in range(2000, 6000))
    exact = len(runs(one) & runs(half)) / len(runs(one) | runs(half))
    assert abs(likeness(code_sketch(one), code_sketch(half)) - exact) < 0.06
    assert likeness(code_sketch(half), code_sketch(half + "\n# the end")) == 1.0
    assert likeness(code_sketch(""), code_sketch("")) == 0.0
    assert shared_words("Average the ranks", "average ranks today") == 2 / 3


def test_a_blend_reads_more_predictions_than_it_fits_models() -> None:
    reads = "\n".join(f"m{n} = pd.read_csv('/kaggle/input/model-{n}/submission.csv')" for n in range(3))
    assert is_blend(reads, "comp")
    assert is_blend(reads.replace("/kaggle/input/model", "/kaggle/input/notebooks/ann/model"), "comp")
    assert not is_blend(reads + "\nmodel.fit(x, y)" * 4, "comp")
    own = "a = pd.read_csv('/kaggle/input/comp/sample_submission.csv')\n" * 3
    assert not is_blend(own, "comp")
    assert not is_blend(own.replace("input/comp", "input/competitions/comp"), "comp")
    assert is_blend("for name in ['r1-a1', 'r1-a2']:\n    read(name)", "comp", ["r1-a1", "r1-a2", "r1-a3"])
