"""Pushed kernels through the official `kaggle` command, unmodified, in proxy mode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mle_live.api.official_command import Kaggle
from tests.mle_live.api.pushing import Pusher, notebook_text
from tests.tiny_kaggle import SLUG, RunningServer, tiny_server, wait_until_graded


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server")
    with tiny_server(folder) as running:
        yield running


def write_kernel(folder: Path, code: str, **metadata: Any) -> Path:
    """A folder that `kaggle kernels push -p` takes."""
    settings = {
        "id": "alice/first-script",
        "title": "First script",
        "code_file": "code.py",
        "language": "python",
        "kernel_type": "script",
        "is_private": "true",
        "enable_internet": "false",
        "competition_sources": [SLUG],
        **metadata,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "code.py").write_text(code)
    (folder / "kernel-metadata.json").write_text(json.dumps(settings))
    return folder


def test_a_script_is_pushed_followed_and_its_output_downloaded(kaggle: Kaggle, tmp_path: Path) -> None:
    code = f"""
import os, shutil
print("rows:", len(open("/kaggle/input/{SLUG}/train.csv").readlines()))
os.makedirs("models")
open("models/weights.txt", "w").write("1 2 3")
shutil.copy("/kaggle/input/{SLUG}/sample_submission.csv", "submission.csv")
"""
    pushed = kaggle("kernels", "push", "-p", str(write_kernel(tmp_path / "k", code)))
    assert "Kernel version 1 successfully pushed" in pushed.stdout, pushed.stdout + pushed.stderr
    followed = kaggle("kernels", "logs", "-f", "alice/first-script")
    assert "rows: 61" in followed.stdout, followed.stdout + followed.stderr
    status = kaggle("kernels", "status", "alice/first-script")
    assert "KernelWorkerStatus.COMPLETE" in status.stdout, status.stdout + status.stderr
    fetched = kaggle("kernels", "output", "alice/first-script", "-p", "out")
    assert fetched.returncode == 0, fetched.stdout + fetched.stderr
    assert (tmp_path / "out" / "models" / "weights.txt").read_text() == "1 2 3"
    assert (tmp_path / "out" / "submission.csv").read_text().startswith("id,target")
    log = json.loads((tmp_path / "out" / "first-script.log").read_text())
    assert {"stream_name", "time", "data"} == set(log[0])
    assert any(event["stream_name"] == "stdout" and "rows: 61" in event["data"] for event in log)


def test_a_notebook_is_pushed_listed_pulled_submitted_and_deleted(
    kaggle: Kaggle, server: RunningServer, tmp_path: Path
) -> None:
    folder = write_kernel(
        tmp_path / "n",
        notebook_text(
            f"import shutil; shutil.copy('/kaggle/input/{SLUG}/sample_submission.csv', 'submission.csv')"
        ),
        id="alice/first-notebook",
        title="First notebook",
        kernel_type="notebook",
    )
    assert "successfully pushed" in kaggle("kernels", "push", "-p", str(folder), "-t", "600").stdout
    assert Pusher(server).wait("first-notebook") == ("COMPLETE", "")
    listed = kaggle("kernels", "list", "-m", "--csv")
    assert "alice/first-notebook" in listed.stdout, listed.stdout + listed.stderr
    files = kaggle("kernels", "files", "alice/first-notebook", "--csv")
    assert {line.split(",")[0] for line in files.stdout.splitlines()[1:]} >= {
        "__notebook__.ipynb",
        "submission.csv",
    }
    pulled = kaggle("kernels", "pull", "alice/first-notebook/1", "-p", "pulled", "-m")
    assert pulled.returncode == 0, pulled.stdout + pulled.stderr
    assert json.loads((tmp_path / "pulled" / "first-notebook.ipynb").read_text())["cells"]
    metadata = json.loads((tmp_path / "pulled" / "kernel-metadata.json").read_text())
    assert metadata["competition_sources"] == [SLUG] and metadata["is_private"] is True
    version = ("-k", "alice/first-notebook", "-v", "1", "-f", "submission.csv")
    sent = kaggle("competitions", "submit", SLUG, *version, "-m", "code")
    assert "Successfully submitted" in sent.stdout, sent.stdout + sent.stderr
    wait_until_graded(server)
    gone = kaggle("kernels", "delete", "alice/first-notebook", "-y")
    assert "deleted successfully" in gone.stdout, gone.stdout + gone.stderr
    missing = kaggle("kernels", "status", "alice/first-notebook")
    assert missing.returncode == 1 and "Cannot access kernel" in missing.stdout + missing.stderr


def test_the_command_tells_why_a_push_was_refused(kaggle: Kaggle, tmp_path: Path) -> None:
    folder = write_kernel(
        tmp_path / "r", "print(1)", id="alice/wants-a-tpu", title="Wants a TPU", enable_tpu=True
    )
    assert "Kernel push error: This server has no TPU" in kaggle("kernels", "push", "-p", str(folder)).stdout
    folder = write_kernel(
        tmp_path / "s",
        "print(1)",
        id="alice/odd-source",
        title="Odd source",
        kernel_sources=["bob/nothing-here"],
    )
    told = kaggle("kernels", "push", "-p", str(folder)).stdout
    assert "not valid kernel sources" in told and "bob/nothing-here" in told
