"""Pushed kernels on the wire: versions, names, refusals, notebooks, logs, outputs, privacy, submission."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import nbformat
import pytest
import requests

from kaggle_runner.sandbox.bubblewrap import gpu_mounts
from mle_live.kernels.runs import KernelLimits
from tests.mle_live.api.pushing import KERNELS, Pusher, add_bob, notebook_text
from tests.tiny_kaggle import (
    CANARY,
    SLUG,
    TOKEN,
    RunningServer,
    submission_text,
    tiny_server,
    wait_until_graded,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server")
    with tiny_server(folder) as running:
        yield running


@pytest.fixture
def alice(server: RunningServer) -> Pusher:
    return Pusher(server)


@pytest.fixture
def bob(server: RunningServer) -> Pusher:
    return add_bob(server)


def test_each_push_is_a_version_with_its_own_source_state_and_output(alice: Pusher) -> None:
    assert alice.push("Two versions", "open('a.txt', 'w').write('1')")["versionNumber"] == 1
    assert alice.wait("two-versions") == ("COMPLETE", "")
    assert alice.run("Two versions", "raise SystemExit(3)")[0] == "ERROR"
    assert alice.status("two-versions", versionLabel="v1")[0] == "COMPLETE"
    assert alice.status("two-versions/1")[0] == "COMPLETE"
    assert alice.output_names("two-versions") == []
    first = alice.at("two-versions/1", "ListKernelSessionOutput")
    assert [file["fileName"] for file in first["files"]] == ["a.txt"]
    pulled = alice.at("two-versions/1", "GetKernel")
    assert "a.txt" in pulled["blob"]["source"] and pulled["metadata"]["currentVersionNumber"] == 1
    assert "SystemExit" in alice.at("two-versions", "GetKernel")["blob"]["source"]
    assert alice.at("two-versions", "GetKernelSessionStatus", versionLabel="v9")["code"] == 404


def test_a_new_title_renames_the_kernel(alice: Pusher) -> None:
    first = alice.push("Before renaming", "print(1)")
    second = alice.push("Before renaming", "print(2)", newTitle="After: renaming!")
    assert second["kernelId"] == first["kernelId"] and second["versionNumber"] == 2
    assert second["url"].endswith("/code/alice/after-renaming")
    assert alice.at("before-renaming", "GetKernel")["code"] == 403
    assert alice.at("after-renaming", "GetKernel")["metadata"]["title"] == "After: renaming!"
    third = alice.push("By number", "print(3)", slug="", id=first["kernelId"], newTitle="")
    assert (third["versionNumber"], third["kernelId"]) == (3, first["kernelId"])
    alice.wait("after-renaming")


def test_a_title_that_another_own_kernel_has_is_refused(alice: Pusher) -> None:
    alice.push("Taken title", "print(1)")
    refused = alice.push("Other title", "print(1)", newTitle="Taken  title")
    assert "already in use by a notebook" in refused["error"]
    alice.wait("taken-title")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"newTitle": "four"}, "5 to 50 characters"),
        ({"newTitle": "?!?!?!?!"}, "makes no name"),
        ({"newTitle": ""}, "needs a title"),
        ({"text": "  "}, "no source code"),
        ({"language": "r"}, "Python only"),
        ({"kernelType": "dashboard"}, "script or notebook"),
        ({"kernelType": "notebook"}, "not a notebook"),
        ({"kernelType": "notebook", "text": '{"cells": 3}'}, "no list of cells"),
        ({"kernelType": "notebook", "text": "[" * 100_000}, "not a notebook"),
        ({"slug": "bob/refused-push"}, "not your user name"),
        ({"slug": "../../etc/refused-push"}, "not your user name"),
        ({"id": 987654}, "none with the id"),
        ({"enableTpu": True}, "no TPU"),
        ({"sessionTimeoutSeconds": -1}, "session timeout"),
        ({"datasetDataSources": ["a/b"] * 60}, "data sources"),
    ],
)
def test_a_wrong_push_is_refused_in_an_answer_with_status_200(
    alice: Pusher, change: dict[str, object], reason: str
) -> None:
    assert reason in alice.push("Refused push", "print(1)", **change)["error"]
    assert alice.at("refused-push", "GetKernel")["code"] == 403


def test_a_gpu_is_refused_where_there_is_none(alice: Pusher) -> None:
    if gpu_mounts(None):
        pytest.skip("this machine has a GPU")
    assert "no GPU" in alice.push("Wants a GPU", "print(1)", enableGpu=True)["error"]
    assert "no GPU" in alice.push("Wants a GPU", "print(1)", machineShape="NvidiaTeslaT4")["error"]


def test_what_wants_a_gpu_may_run_on_the_cpu_and_says_so(tmp_path: Path) -> None:
    with tiny_server(tmp_path, kernel_limits=KernelLimits(gpu_kernels="cpu")) as server:
        alice = Pusher(server)
        status, told = alice.run("Wants a GPU", "print('ran')", enableGpu=True, machineShape="NvidiaTeslaT4")
        assert status == "COMPLETE" and "asked for a GPU (NvidiaTeslaT4)" in told and "on the CPU" in told
        assert "ran" in alice.log("wants-a-gpu") and "on the CPU" in alice.log("wants-a-gpu")
        assert "a TPU (TpuV5E8)" in alice.run("Wants a TPU", "raise ValueError", machineShape="TpuV5E8")[1]
        assert alice.run("Wants none", "print('ran')") == ("COMPLETE", "")


def test_a_huge_source_is_refused(alice: Pusher) -> None:
    request = {"slug": "alice/huge-source", "newTitle": "Huge source", "text": "#" * (2 << 20)}
    assert alice.call("SaveKernel", **request).status_code == 413


def test_sources_that_are_not_here_are_told_and_left_out(alice: Pusher) -> None:
    pushed = alice.push(
        "Odd sources",
        "import os; print(sorted(os.listdir('/kaggle/input')))",
        competitionDataSources=[SLUG, "no-such-comp", "../tiny-comp"],
        datasetDataSources=["bob/secret-data"],
        kernelDataSources=["ann/starter", "bob/nothing"],
        modelDataSources=["google/gemma/keras/base/1"],
    )
    assert pushed["invalidCompetitionSources"] == ["no-such-comp", "../tiny-comp"]
    assert pushed["invalidDatasetSources"] == ["bob/secret-data"]
    assert pushed["invalidKernelSources"] == ["ann/starter", "bob/nothing"]
    assert pushed["invalidModelSources"] == ["google/gemma/keras/base/1"]
    assert alice.wait("odd-sources") == ("COMPLETE", "")
    assert f"['competitions', '{SLUG}']" in alice.log("odd-sources")


def test_a_quick_save_does_not_run(alice: Pusher) -> None:
    alice.push("Quick save", "print(1)", kernelExecutionType="QUICK_SAVE")
    assert alice.status("quick-save") == ("NEW_SCRIPT", "")
    assert alice.log("quick-save") == ""


def test_the_log_has_lines_of_both_streams_in_their_order(alice: Pusher) -> None:
    code = """
        import sys, time
        for number in range(5):
            print("out", number)
            time.sleep(0.02)
            print("err", number, file=sys.stderr)
            time.sleep(0.02)
        print("half a line ", end="", flush=True)
        time.sleep(1)
        print("and its end")
        """
    alice.run("Both streams", code)
    events = json.loads(alice.at("both-streams", "ListKernelSessionOutput")["log"])
    said = [event["data"] for event in events]
    assert "half a line " in said and "and its end\n" in said
    of_stream = {
        name: "".join(e["data"] for e in events[1:] if e["stream_name"] == name)
        for name in ("stdout", "stderr")
    }
    assert of_stream["stderr"] == "".join(f"err {n}\n" for n in range(5))
    assert of_stream["stdout"].startswith("".join(f"out {n}\n" for n in range(5)))
    assert alice.log("both-streams").index("out 0") < alice.log("both-streams").index("err 0")


def test_a_failing_script_tells_why_and_keeps_what_it_wrote(alice: Pusher) -> None:
    code = "open('half.txt', 'w').write('half')\nundefined_name"
    status, why = alice.run("Failing script", code)
    assert status == "ERROR" and "exit code 1" in why and "NameError" in why
    assert 'File "/kaggle/src/script.py", line 2' in alice.log("failing-script")
    assert alice.output("failing-script", "half.txt") == b"half"


def test_a_notebook_runs_cell_after_cell_into_an_executed_notebook(alice: Pusher) -> None:
    alice.push_notebook(
        "My notebook",
        "# A title",
        f"n = len(open('/kaggle/input/{SLUG}/test.csv').readlines())",
        "print('rows', n)\nn + 1",
        competitionDataSources=[SLUG],
    )
    assert alice.wait("my-notebook") == ("COMPLETE", "")
    executed = nbformat.reads(alice.output("my-notebook", "__notebook__.ipynb").decode(), as_version=4)
    printed, value = executed.cells[2].outputs
    assert printed.text == "rows 41\n" and value.data["text/plain"] == "42"
    assert executed.cells[0].source == "# A title"
    assert "rows 41" in alice.log("my-notebook")
    pulled = json.loads(alice.at("my-notebook", "GetKernel")["blob"]["source"])
    assert pulled["cells"][2]["outputs"] == []


def test_a_notebook_stops_at_its_first_error(alice: Pusher) -> None:
    alice.push_notebook("Broken notebook", "print('before')", "1 / 0", "open('after.txt', 'w')")
    status, why = alice.wait("broken-notebook")
    assert status == "ERROR" and why == "Cell 2 failed. ZeroDivisionError: division by zero"
    assert alice.output_names("broken-notebook") == ["__notebook__.ipynb"]
    executed = json.loads(alice.output("broken-notebook", "__notebook__.ipynb"))
    assert executed["cells"][1]["outputs"][0]["ename"] == "ZeroDivisionError"


def test_a_log_is_streamed_while_its_kernel_runs_and_whole_afterwards(alice: Pusher) -> None:
    alice.push("Slow talker", "import time\nprint('one', flush=True)\ntime.sleep(1)\nprint('two')")
    address = f"{alice.server.url}/api/v1/kernels/logs/stream/alice/slow-talker"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    said = []
    with requests.get(address, headers=headers, stream=True, timeout=60) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            said.append(line)
            if b"one" in line:
                assert alice.status("slow-talker")[0] == "RUNNING"
    assert said[-2] == b"data: END_OF_LOG" and any(b"two" in line for line in said)
    again = requests.get(address, headers=headers, timeout=60)
    assert again.headers["Content-Type"].startswith("text/plain")
    assert "".join(event["data"] for event in again.json()).endswith("one\ntwo\n")


def test_outputs_come_in_pages_and_one_by_one(alice: Pusher) -> None:
    alice.run("Many files", "for i in range(27):\n    open(f'part {i:02}.txt', 'w').write(str(i))")
    first = alice.at("many-files", "ListKernelFiles")
    assert len(first["files"]) == 20 and first["files"][0]["name"] == "part 00.txt"
    second = alice.at("many-files", "ListKernelFiles", pageToken=first["nextPageToken"])
    assert len(second["files"]) == 7 and not second.get("nextPageToken")
    body = {"ownerSlug": "alice", "kernelSlug": "many-files", "filePath": "part 03.txt", "versionNumber": 1}
    assert alice.call("DownloadKernelOutput", **body).content == b"3"
    for name in ("part 99.txt", "../source.py", "/etc/passwd"):
        assert alice.call("DownloadKernelOutput", **{**body, "filePath": name}).status_code == 404
    whole = alice.call("DownloadKernelOutput", **{**body, "filePath": ""})
    assert len(ZipFile(BytesIO(whole.content)).namelist()) == 27


def test_an_output_address_holds_for_its_file_only(alice: Pusher, server: RunningServer) -> None:
    alice.run("Own address", "open('mine.txt', 'w').write('mine')")
    (file,) = alice.at("own-address", "ListKernelSessionOutput")["files"]
    for changed in ("../source.py", "..%2fsource.py", "log.jsonl"):
        assert requests.get(file["url"].replace("mine.txt", changed), timeout=30).status_code in (403, 404)


def test_private_kernels_of_others_do_not_exist(alice: Pusher, bob: Pusher) -> None:
    alice.run("Private work", "open('secret.txt', 'w').write('s3cret')")
    runs = ("GetKernelSessionStatus", "ListKernelSessionOutput", "ListKernelFiles")
    for method in ("GetKernel", *runs, "DeleteKernel"):
        answer = bob.call(method, userName="alice", kernelSlug="private-work")
        assert answer.status_code == 403 and "denied" in answer.json()["message"], method
    download = {"ownerSlug": "alice", "kernelSlug": "private-work", "filePath": "secret.txt"}
    assert bob.call("DownloadKernelOutput", **download).status_code == 403
    assert bob.call("CancelKernelSession", kernelSessionId=1).status_code == 403
    stream = f"{bob.server.url}/v1/kernels/logs/stream/alice/private-work"
    headers = {"Authorization": f"Bearer {bob.token}"}
    assert requests.get(stream, headers=headers, timeout=30).status_code == 403
    assert requests.get(stream, timeout=30).status_code == 401
    for view in ("EVERYONE", "PROFILE", "PUBLIC_AND_USERS_PRIVATE"):
        for user in ("", "alice"):
            listed = bob.call("ListKernels", group=view, user=user, pageSize=200).text
            assert "private-work" not in listed
    stolen = bob.push("Stolen source", "print(1)", kernelDataSources=["alice/private-work"])
    assert stolen["invalidKernelSources"] == ["alice/private-work"]
    bob.wait("stolen-source")


def test_own_kernels_are_listed_and_public_ones_for_everybody(alice: Pusher, bob: Pusher) -> None:
    alice.run("Public work", "open('shared.txt', 'w').write('for all')", isPrivate=False)
    alice.run("Hidden work", "print(1)", competitionDataSources=[SLUG])

    def refs(who: Pusher, **body: object) -> set[str]:
        listed = who.call("ListKernels", pageSize=200, **body).json()["kernels"]
        return {kernel["ref"] for kernel in listed}

    assert refs(alice, group="PROFILE") >= {"alice/public-work", "alice/hidden-work"}
    assert "alice/hidden-work" in refs(alice, user="alice")
    assert "alice/hidden-work" not in refs(alice, group="EVERYONE")
    assert "alice/hidden-work" in refs(alice, group="PROFILE", competition=SLUG)
    assert refs(bob) >= {"alice/public-work", "ann/starter"}
    assert refs(bob, search="public WORK") == {"alice/public-work"}
    bob.run(
        "Uses output",
        "print(open('/kaggle/input/public-work/shared.txt').read())",
        kernelDataSources=["alice/public-work"],
    )
    assert "for all" in bob.log("uses-output")


def test_a_deleted_kernel_is_gone_with_its_files(alice: Pusher, server: RunningServer) -> None:
    alice.run("Short lived", "open('out.txt', 'w').write('x')")
    folder = server.service.kernels.state_dir
    kept = {path.name for path in folder.iterdir()}
    assert "code" not in alice.at("short-lived", "DeleteKernel")
    assert len(kept - {path.name for path in folder.iterdir()}) == 1
    assert alice.at("short-lived", "GetKernelSessionStatus")["code"] == 403
    assert alice.push("Short lived", "print(1)")["versionNumber"] == 1
    alice.wait("short-lived")


def test_kernels_of_the_recorded_community_answer_as_finished(alice: Pusher) -> None:
    body = {"userName": "ann", "kernelSlug": "starter"}
    assert alice.call("GetKernelSessionStatus", **body).json() == {"status": "COMPLETE"}
    assert alice.call("ListKernelSessionOutput", **body).json().get("files", []) == []
    assert alice.call("DeleteKernel", **body).status_code == 403


def test_the_output_of_a_finished_version_is_submitted(
    alice: Pusher, bob: Pusher, server: RunningServer
) -> None:
    good = submission_text([value + 25.0 for value in CANARY])
    alice.run(
        "Code submission",
        f"open('submission.csv', 'w').write({good!r})",
        competitionDataSources=[SLUG],
        isPrivate=False,
    )

    def submit(who: Pusher, **change: Any) -> requests.Response:
        body = {"competitionName": SLUG, "kernelOwner": "alice", "kernelSlug": "code-submission"}
        return requests.post(
            f"{server.url}/api/v1/competitions.CompetitionApiService/CreateCodeSubmission",
            json={**body, "kernelVersion": 1, "fileName": "submission.csv", **change},
            headers={"Authorization": f"Bearer {who.token}"},
            timeout=30,
        )

    accepted = submit(alice)
    assert accepted.status_code == 200, accepted.text
    wait_until_graded(server)
    row = server.service.state.submission(accepted.json()["ref"])
    assert row is not None and (row.status, row.public_score) == ("COMPLETE", 25.0)
    order = {"competition": SLUG, "sortBy": "SCORE_ASCENDING"}
    listed = bob.call("ListKernels", **order).json()["kernels"]
    assert [k["ref"] for k in listed][:3] == ["ann/strong", "alice/code-submission", "ann/starter"]
    assert submit(alice, kernelVersion=2).status_code == 404
    assert submit(alice, fileName="other.csv").status_code == 404
    assert submit(alice, fileName="../source.py").status_code == 404
    assert submit(bob).status_code == 403
    alice.run("Code submission", "raise SystemExit(1)")
    assert "only a version that ran to its end" in submit(alice, kernelVersion=2).json()["message"]


def test_pushes_at_the_same_time_are_versions_of_one_kernel(alice: Pusher) -> None:
    with ThreadPoolExecutor(12) as pool:
        pushed = list(pool.map(lambda n: alice.push("Same moment", f"print('push', {n})"), range(12)))
    assert sorted(answer.get("versionNumber", 0) for answer in pushed) == list(range(1, 13))
    assert len({answer["kernelId"] for answer in pushed}) == 1
    alice.wait("same-moment")
    for version in range(1, 13):
        while (state := alice.status("same-moment", versionLabel=f"v{version}")[0]) in ("QUEUED", "RUNNING"):
            time.sleep(0.1)
        assert state == "COMPLETE"


def test_a_run_is_told_that_it_is_a_batch_and_an_error_that_is_meant_does_not_end_it(alice: Pusher) -> None:
    told = "import os; print('type', os.environ['KAGGLE_KERNEL_RUN_TYPE'], os.getcwd())"
    alice.run("Batch script", told)
    notebook = json.loads(notebook_text("1 / 0", told))
    notebook["cells"][0]["metadata"] = {"tags": ["raises-exception"]}
    alice.push("Batch notebook", json.dumps(notebook), kernelType="notebook")
    assert alice.wait("batch-notebook") == ("COMPLETE", "")
    for slug in ("batch-script", "batch-notebook"):
        assert "type Batch /kaggle/working" in alice.log(slug)


def test_a_kernel_that_dies_ends_its_notebook_also_in_a_cell_that_may_fail(alice: Pusher) -> None:
    notebook = json.loads(notebook_text("import os; os._exit(3)", "open('late.txt', 'w')"))
    notebook["cells"][0]["metadata"] = {"tags": ["raises-exception"]}
    alice.push("Dying notebook", json.dumps(notebook), kernelType="notebook")
    status, why = alice.wait("dying-notebook")
    assert status == "ERROR" and why.startswith("Cell 1 failed.") and "exit code 3" in why


def test_a_notebook_whose_text_is_source_lists_runs_too(alice: Pusher) -> None:
    notebook = json.loads(notebook_text("print('x')"))
    notebook["cells"][0]["source"] = ["print('from', \n", "      'a list')"]
    alice.push("List sources", json.dumps(notebook), kernelType="notebook")
    assert alice.wait("list-sources") == ("COMPLETE", "")
    assert "from a list" in alice.log("list-sources")


def test_unknown_methods_of_the_service_are_not_offered(alice: Pusher) -> None:
    assert alice.call("CreateKernelSession").status_code == 501, KERNELS
