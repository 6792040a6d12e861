"""What stands between aideml and the shelf: its prompts answered, its clock kept, its submissions counted.

aideml itself is not installed here; `make bench-aide` runs it.
"""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from benchmarks.aide_model import AideModel, PublicKernel, adapted, read_memory, slug_of
from benchmarks.race_table import Scored, Side, race_table
from benchmarks.slow_endpoint import Latency, serving

TASK = """Fruit: is it ripe?

## Metric
name: roc_auc
title: ROC AUC
direction: higher is better

## Machine
packages: python 3.11, pandas 3.1, scikit-learn 1.9

## Data
Modality: tabular; task: binary; metric: roc_auc (higher is better)
Rows: 120 in train.csv, 30 to predict
Id column: id; target columns: ripe
"""
REPORTS = (
    "### report-1001 (kernel a/trees, 3 votes, public score 0.91: Trees)\n<<<\nExtraTreesClassifier()\n>>>\n"
    "### report-1002 (kernel a/boost, 9 votes, public score 0.95: Boost)\n<<<\nHistGradientBoosting()\n>>>\n"
)
BOOSTING, TREES = "Histogram gradient boosting", "Extremely randomised trees"


def drafting(memory: str = "") -> str:
    head = f"# Introduction\n\nDraft.\n\n# Task description\n\n{TASK}"
    return f"{head}\n# Memory\n\n{memory}\n\n# Instructions\n\n## R\n"


def design(title: str, metric: float) -> str:
    return f"Design: {title}: in a few words.\nResults: It ran.\nValidation Metric: {metric}\n"


def model(**changes: Any) -> AideModel:
    return AideModel(**{"slug": "fruit", "reports": REPORTS, "seconds": 100.0, **changes})


def title_and_code(reply: str) -> tuple[str, str]:
    plan, _, rest = reply.partition("```python\n")
    return plan.partition(":")[0], rest.removesuffix("```")


def test_drafts_come_in_the_order_that_the_reports_speak_for() -> None:
    kind, first = model().write(drafting())
    _, second = model().write(drafting(design(BOOSTING, 0.9)))
    assert kind == "draft"
    assert [title_and_code(reply)[0] for reply in (first, second)] == [BOOSTING, TREES]


def test_kernels_are_drafted_first_where_aide_is_shown_them() -> None:
    shown = model(kernels=[PublicKernel("Best, by far", 'x = 1\nd.to_csv("submission.csv")')])
    title, code = title_and_code(shown.write(drafting())[1])
    assert title == "Best, by far"
    assert '"./working/submission.csv"' in code
    assert title_and_code(shown.write(drafting(design("Best, by far", 0.9)))[1])[0] == BOOSTING


def test_an_improvement_blends_what_the_good_nodes_left() -> None:
    memory = "\n-----\n".join(
        [
            design(BOOSTING, 0.93),
            design(TREES, 0.95),
            design("Linear model on one-hot features", 0.9),
            design("X", 0.8),
        ]
    )
    prompt = drafting(memory) + "\n# Previous solution\n\n## Code\n\n```python\nx = 1\n```\n"
    kind, reply = model().write(prompt)
    title, code = title_and_code(reply)
    assert kind == "improve" and title.startswith("Blend of published predictions")
    assert f"./working/members/{slug_of(TREES)}" in code and f"./working/members/{slug_of(BOOSTING)}" in code


def test_a_failed_script_is_answered_by_a_simple_one() -> None:
    prompt = (
        f"# Introduction\n\nFix.\n\n# Task description\n\n{TASK}\n# Previous (buggy) implementation\n\n"
        "```python\nboom\n```\n\n# Execution output\n\n```\nNameError: boom\n```\n\n# Instructions\n"
    )
    kind, reply = model().write(prompt)
    assert kind == "debug"
    ast.parse(title_and_code(reply)[1])


def test_memory_is_read_back_as_it_was_written() -> None:
    nodes = read_memory(design("A", 0.5) + "\n-------\n" + design("B", 0.25))
    assert [(node.title, node.metric) for node in nodes] == [("A", 0.5), ("B", 0.25)]


@pytest.mark.parametrize(
    ("output", "bug", "metric"),
    [
        ("fold 0: 0.8\nOOF roc_auc: 0.81250 on 120 rows", False, 0.8125),
        ("accuracy 0.9871", False, 0.9871),
        ("wrote both files", True, None),
        ("OOF roc_auc: 0.8 on 9 rows\nTraceback (most recent call last):\nValueError: no", True, None),
    ],
)
def test_a_review_reads_what_the_script_printed(output: str, bug: bool, metric: float | None) -> None:
    prompt = (
        f"# Introduction\n\nJudge.\n\n# Task description\n\n{TASK}\n# Implementation\n\n```python\nx\n```\n\n"
        f"# Execution output\n\n```\n{output}\n```\n"
    )
    review = model().review(prompt)
    assert (review["is_bug"], review["metric"], review["lower_is_better"]) == (bug, metric, False)


def test_a_kernel_reads_and_writes_in_aides_folders() -> None:
    source = "t = read(f'/kaggle/input/fruit/train.csv')\nt.to_csv('submission.csv')"
    assert (
        adapted(source, "fruit") == "t = read(f'./input/train.csv')\nt.to_csv(\"./working/submission.csv\")"
    )


def test_a_drafted_script_runs_in_aides_folders_and_submits(tmp_path: Path) -> None:
    rng = random.Random(0)
    rows = [(i, round(rng.random(), 3), rng.choice("ab")) for i in range(180)]
    tables = {"train": rows[:120], "validation": rows[120:150], "test": rows[150:]}
    (tmp_path / "input").mkdir()
    (tmp_path / "working").mkdir()
    for name, part in tables.items():
        known = name == "train"
        lines = [
            f"{i},{x},{c}" + (f",{int(x + rng.random() / 2 > 0.7)}" if known else "") for i, x, c in part
        ]
        head = "id,size,colour" + (",ripe" if known else "")
        (tmp_path / "input" / f"{name}.csv").write_text("\n".join([head, *lines]) + "\n")
    for name, of in (("sample_validation_submission", "validation"), ("sample_submission", "test")):
        sample = "\n".join(["id,ripe", *(f"{i},0.5" for i, _, _ in tables[of])])
        (tmp_path / "input" / f"{name}.csv").write_text(sample + "\n")
    _, code = title_and_code(model().write(drafting())[1])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "OOF roc_auc: " in done.stdout
    assert len((tmp_path / "working" / "submission.csv").read_text().splitlines()) == 31
    assert (tmp_path / "working" / "members" / slug_of(BOOSTING) / "oof.csv").is_file()


def ask(url: str, **body: Any) -> dict[str, object]:
    request = Request(
        f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=30) as reply:
        document: dict[str, object] = json.load(reply)
    return document


def test_both_sides_wait_for_each_token_and_are_counted_apart() -> None:
    latency = Latency(first=0.01, token=1e-5)
    with serving(latency) as endpoint:
        endpoint.aide = model()
        prompts = [("comind", "# Role: coder\n# Task: unknown"), ("aide", drafting())]
        with ThreadPoolExecutor(2) as pool:
            list(
                pool.map(
                    lambda one: ask(endpoint.url(one[0]), messages=[{"role": "user", "content": one[1]}]),
                    prompts,
                )
            )
        noted = {call.side: call for call in endpoint.calls}
    assert set(noted) == {"comind", "aide"} and noted["aide"].kind == "draft"
    for call in noted.values():
        assert call.seconds == latency.seconds(call.completion_tokens)


def test_a_review_is_answered_as_a_call_of_its_function() -> None:
    prompt = f"# Task description\n\n{TASK}\n# Execution output\n\n```\nOOF roc_auc: 0.5 on 1 rows\n```\n"
    with serving(Latency(0.0, 0.0)) as endpoint:
        endpoint.aide = model()
        reply = ask(
            endpoint.url("aide"),
            messages=[{"role": "system", "content": prompt}],
            tools=[{"type": "function"}],
        )
    called = reply["choices"][0]["message"]["tool_calls"][0]["function"]  # type: ignore[index]
    assert called["name"] == "submit_review"
    assert json.loads(called["arguments"])["metric"] == 0.5


def test_the_first_submission_that_reaches_the_target_counts_whatever_came_later() -> None:
    side = Side("x", [Scored(9, 0.9, 0, ""), Scored(3, 0.7, 0, ""), Scored(5, 0.8, 0, "")])
    reached, missed = side.first(0.8, True), side.first(0.95, True)
    assert reached is not None and reached.seconds == 5
    assert missed is None
    lowest = side.first(0.7, False)
    assert lowest is not None and lowest.seconds == 3


def test_the_table_says_how_many_times_ours_and_what_was_never_reached() -> None:
    ours = Side("CoMind", [Scored(40, 0.9, 0.8, "k01-s01"), Scored(100, 0.8, 0.8, "r1-a1-s04")], seconds=200)
    theirs = Side("AIDE", [Scored(120, 0.85, 0.8, "submission-01")], seconds=180)
    table = race_table("### x", {"easy": 0.8, "hard": 0.9}, [ours, theirs], True).splitlines()
    assert "| seconds to | easy (≥ 0.8) | hard (≥ 0.9) |" in table
    assert "| CoMind | 40 | 40 |" in table
    assert "| CoMind, own drafts alone | 100 | not reached |" in table
    assert "| AIDE | 120 (3.0 ×) | not reached (> 4.5 ×) |" in table
