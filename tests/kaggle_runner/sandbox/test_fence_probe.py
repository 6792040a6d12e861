"""What is found out about a fence before it is used: ways that there are, what stays open, its box."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from kaggle_runner.sandbox import fence
from kaggle_runner.sandbox.fence import Abilities

SYSTEM_PYTHON = Path("/usr/bin/python3")


@pytest.mark.skipif(
    os.geteuid() != 0 or not SYSTEM_PYTHON.exists(), reason="only root can become another user"
)
async def test_the_probe_says_what_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(SYSTEM_PYTHON))
    report = await fence.probe(Abilities(0, other_user=True, filter=False))
    assert report.ok and report.labels_readable
    assert "the network and files that every user may read" in report.detail
    report = await fence.probe(Abilities(0, other_user=True, filter=True))
    assert "the network" not in report.detail


async def test_the_probe_finds_out_that_a_fence_does_not_hold() -> None:
    """Nothing but the filter: every file is open, and the report refuses."""
    report = fence._report({"own": True, "common": True, "network": False}, Abilities(1, False, True))
    assert not report.ok and report.tier == "none"


async def test_without_any_way_it_is_refused() -> None:
    report = await fence.probe(Abilities(0, other_user=False, filter=True))
    assert not report.ok
    assert "no namespaces, no Landlock, no other user" in report.detail
    assert "--kaggle-push" in report.hint


def test_paths_of_kaggle_in_code_are_rewritten_and_others_stay() -> None:
    box = Path("/state/boxes/1")
    for written, meant in (
        ("open('/kaggle/input/x')", "open('/state/boxes/1/kaggle/input/x')"),
        ('read("../input/y")', 'read("/state/boxes/1/kaggle/input/y")'),
        ("!ls /kaggle/working", "!ls /state/boxes/1/kaggle/working"),
        ("'my/kaggle/input'", "'my/kaggle/input'"),
        ("'/kaggle/inputs'", "'/kaggle/inputs'"),
    ):
        assert fence.localized(written, box) == meant


def test_the_box_is_the_same_for_a_workspace_and_never_for_two(tmp_path: Path) -> None:
    one, other = tmp_path / "a1", tmp_path / "a2"
    assert (
        fence.box_of(one, (tmp_path,)) == fence.box_of(one, (tmp_path,)) != fence.box_of(other, (tmp_path,))
    )
    assert fence.new_box((tmp_path,)) != fence.new_box((tmp_path,))


@pytest.mark.parametrize("capabilities", ["0000000000000000", "00000000000000c0"])
def test_root_without_its_privileges_is_not_taken_for_root(capabilities: str) -> None:
    assert not fence.abilities(f"Name:\tx\nCapEff:\t{capabilities}\n").other_user
