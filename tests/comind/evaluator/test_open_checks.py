"""A split that a model wrote for unusual files: each check is made to fail on purpose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from comind.evaluator.checks import require
from comind.evaluator.open_checks import check_open_split
from comind.evaluator.open_profile import profile_open
from kaggle_runner.errors import EvaluatorRejected

ROWS = 60


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A sound split: scans of a volume a row, the truth apart."""
    original, public, private = (tmp_path / name for name in ("original", "public", "private"))
    rng = np.random.default_rng(0)
    for place in (original, public / "scans", private):
        place.mkdir(parents=True)
    sample = pd.DataFrame({"scan": [f"t{n}" for n in range(30)], "volume": 0.0})
    for place in (original, public):
        sample.to_csv(place / "sample_submission.csv", index=False)
    truth = pd.DataFrame({"scan": [f"v{n}" for n in range(ROWS)], "volume": rng.normal(size=ROWS).round(3)})
    truth.to_csv(private / "validation.csv", index=False)
    truth.assign(volume=0.0).to_csv(public / "sample_validation_submission.csv", index=False)
    for name in truth["scan"]:
        (public / "scans" / f"{name}.mat").write_bytes(b"\x01" + rng.bytes(8))
    return original, public, private


def judge(places: tuple[Path, Path, Path]) -> list[str]:
    """The names of the checks; EvaluatorRejected where one failed."""
    original, public, private = places
    profile = profile_open(original, description="", metric="mae", higher_is_better=False, id_column="scan")
    checks = check_open_split(profile, original=original, public=public, private=private)
    require(checks)
    return [check.name for check in checks]


def truth_of(private: Path) -> pd.DataFrame:
    return pd.read_csv(private / "validation.csv")


Fault = Callable[[Path, Path], object]


def truth_becomes(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Fault:
    return lambda public, private: change(truth_of(private)).to_csv(private / "validation.csv", index=False)


def without_scans(public: Path, private: Path) -> None:
    for path in (public / "scans").iterdir():
        path.unlink()


FAULTS: dict[str, tuple[Fault, str]] = {
    "no labels": (
        lambda public, private: (private / "validation.csv").unlink(),
        "files.*private/validation.csv",
    ),
    "another sample": (
        lambda public, private: (public / "sample_submission.csv").write_text("scan,volume\nt0,1\n"),
        "shape.*differs from the original",
    ),
    "other ids": (truth_becomes(lambda truth: truth.iloc[1:]), "shape.*other ids"),
    "an id twice": (truth_becomes(lambda truth: pd.concat([truth, truth])), "shape.*repeated ids"),
    "empty labels": (truth_becomes(lambda truth: truth.assign(volume="")), "shape.*empty labels"),
    "truth as the sample": (
        lambda public, private: (public / "sample_validation_submission.csv").write_bytes(
            (private / "validation.csv").read_bytes()
        ),
        "no label in public: sample_validation_submission",
    ),
    "truth in Parquet, under other names": (
        lambda public, private: (
            truth_of(private).rename(columns={"scan": "a", "volume": "b"}).to_parquet(public / "x.parquet")
        ),
        "no label in public: x.parquet.*'b'",
    ),
    "truth in order, without ids": (
        lambda public, private: np.save(public / "x.npy", truth_of(private)["volume"].to_numpy()),
        "no label in public: x.npy",
    ),
    "a pickle": (
        lambda public, private: (public / "x.pkl").write_bytes(b"\x80"),
        "x.pkl: it cannot be read here",
    ),
    "sorted by label": (truth_becomes(lambda truth: truth.sort_values("volume")), "order says nothing"),
    "samples only": (without_scans, "training data: public has"),
}


def test_a_sound_split_passes(places: tuple[Path, Path, Path]) -> None:
    names = ["files", "shape", "size", "training data", "no label in public", "order says nothing"]
    assert judge(places) == names


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_written_split_is_named(places: tuple[Path, Path, Path], name: str) -> None:
    change, complaint = FAULTS[name]
    change(places[1], places[2])
    with pytest.raises(EvaluatorRejected, match=rf"(?s){complaint}"):
        judge(places)


def test_a_profile_of_unusual_files_tells_what_lies_where(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    for number in range(20):
        (tmp_path / "scans" / f"s{number}.csv").write_text(f"time,value\n0,{number}\n")
    (tmp_path / "wide.csv").write_text(
        ",".join(f"d_{n}" for n in range(50)) + "\n" + ",".join("0" * 50) + "\n"
    )
    (tmp_path / "sample_submission.csv").write_text("scan,volume\ns0,0\ns1,0\n")
    text = profile_open(tmp_path, description="", metric="", higher_is_better=True, id_column="scan").text
    assert "Rows to predict: 2" in text
    assert "- scans/: 20 .csv, e.g. s0.csv, s1.csv, s10.csv" in text
    assert text.count("scans/s") == 1, "one table stands for a series"
    assert "d_0, d_1" in text and "and 20 more, to d_49" in text
    assert "metric:" not in text
