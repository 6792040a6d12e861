"""The official command, unmodified, against a server on any port: its variables, what the proxy refuses."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from kaggle_runner.errors import ServiceError, UsageError
from mle_live.environment import (
    checked_username,
    client_environment,
    client_home,
    client_variables,
    keep_token,
    kept_token,
    new_token,
    serving_url,
    shell_lines,
    write_serving,
)
from tests.tiny_kaggle import SLUG, TOKEN, RunningServer, make_root, tiny_server

MLE_LIVE = [sys.executable, "-m", "mle_live"]


@contextmanager
def serving(root: Path, *options: str) -> Iterator[str]:
    """The address of a real `mle-live serve` process over `root`."""
    log = root / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*MLE_LIVE, "serve", "--root", str(root), "--exit-with-stdin", *options],
            stdin=subprocess.PIPE,
            stderr=out,
        )
    try:
        while not (root / "serving.json").is_file():
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        yield serving_url(root)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)
    assert not (root / "serving.json").exists()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = make_root(tmp_path_factory.mktemp("proxy") / "root")
    with serving(folder, "--at", "2026-06-01"):
        yield folder


def mle_live(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KAGGLE_KEY": "real-key", "KAGGLE_USERNAME": "somebody", **more}
    return subprocess.run(
        [*MLE_LIVE, *arguments], env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_official_command_lists_and_downloads_through_the_proxy(root: Path, tmp_path: Path) -> None:
    listed = mle_live("kaggle", "--root", str(root), "competitions", "list", "--csv")
    assert listed.returncode == 0 and SLUG in listed.stdout, listed.stdout + listed.stderr
    target = tmp_path / "here"
    saved = mle_live(
        "kaggle", "--root", str(root), "competitions", "download", SLUG, "-f", "train.csv", "-p", str(target)
    )
    assert saved.returncode == 0, saved.stdout + saved.stderr
    original = root / "competitions" / SLUG / "data" / "train.csv"
    assert (target / "train.csv").read_bytes() == original.read_bytes()


def test_options_of_the_official_command_reach_it_and_so_does_its_exit_code(root: Path) -> None:
    version = mle_live("kaggle", "--root", str(root), "--", "--version")
    assert version.returncode == 0 and "Kaggle CLI" in version.stdout
    missing = mle_live("kaggle", "--root", str(root), "competitions", "files", "no-such-comp")
    assert missing.returncode == 1 and "no-such-comp" in missing.stdout + missing.stderr


def test_printed_variables_work_in_a_shell_and_hide_a_real_key(root: Path) -> None:
    printed = mle_live("env", "--root", str(root), "--username", "bob")
    assert printed.returncode == 0, printed.stderr
    assert "unset KAGGLE_KEY KAGGLE_USERNAME" in printed.stdout
    kaggle = Path(sys.executable).with_name("kaggle")
    script = f"{printed.stdout}\n{kaggle} config view && {kaggle} competitions files {SLUG} --csv"
    ran = subprocess.run(
        ["sh", "-c", script],
        env={**os.environ, "KAGGLE_KEY": "real-key", "KAGGLE_USERNAME": "somebody"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "username: bob" in ran.stdout and "train.csv" in ran.stdout and "real-key" not in ran.stdout


def test_each_user_has_a_home_and_a_token_that_only_the_owner_can_read(root: Path) -> None:
    for name in ("carol", "dave"):
        assert mle_live("env", "--root", str(root), "--username", name).returncode == 0
    tokens = {name: root / "clients" / name / ".kaggle" / "access_token" for name in ("carol", "dave")}
    assert tokens["carol"].read_text() != tokens["dave"].read_text()
    assert all(path.stat().st_mode & 0o077 == 0 for path in tokens.values())
    again = mle_live("env", "--root", str(root), "--username", "carol")
    assert tokens["carol"].read_text().strip() not in again.stdout  # a path is printed, not the secret


def test_nothing_leaves_for_the_real_host(root: Path) -> None:
    url = serving_url(root)
    through = {"http": url, "https": url}
    with pytest.raises(requests.exceptions.ProxyError, match=r"forwards nothing to api\.kaggle\.com:443"):
        requests.post("https://api.kaggle.com/v1/x/y", json={}, proxies=through, timeout=60)
    plain = requests.get("http://api.kaggle.com/v1/x/y", proxies=through, timeout=60)
    assert plain.status_code == 421 and "forwards nothing to api.kaggle.com" in plain.json()["message"]
    production = mle_live_as_production(root, url)
    assert production.returncode != 0 and "forwards nothing" in production.stdout + production.stderr


def mle_live_as_production(root: Path, url: str) -> subprocess.CompletedProcess[str]:
    """The command with the one variable lost that names the environment: it then wants the real host."""
    environment = client_environment(url, client_home(root, "carol"), os.environ)
    del environment["KAGGLE_API_ENVIRONMENT"]
    return subprocess.run(
        [str(Path(sys.executable).with_name("kaggle")), "competitions", "list"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("target", [b"api.kaggle.com:443", b"127.0.0.1:22", b"", b"\xff\r\n"])
def test_connect_is_refused_with_a_sentence(root: Path, target: bytes) -> None:
    port = int(serving_url(root).rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"CONNECT " + target + b" HTTP/1.1\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 403 This is MLE-Live") and b"forwards nothing to" in answer


def test_an_upload_that_begins_like_a_connect_is_an_upload(tmp_path: Path) -> None:
    with tiny_server(tmp_path) as server:
        answer = _split_put(server, b"CONNECT this,1\n")
    assert b"200 OK" in answer


def _split_put(server: RunningServer, body: bytes) -> bytes:
    """A PUT whose body arrives in a packet of its own."""
    start = requests.post(
        f"{server.url}/api/v1/competitions.CompetitionApiService/StartSubmissionUpload",
        json={"competitionName": SLUG, "contentLength": len(body), "fileName": "s.csv"},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=60,
    ).json()
    host, path = start["createUrl"].removeprefix("http://").split("/", 1)
    name, port = host.split(":")
    with socket.create_connection((name, int(port)), timeout=60) as connection:
        head = f"PUT /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        time.sleep(0.2)
        connection.sendall(body)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_the_environment_keeps_nothing_of_kaggles_and_sets_both_cases(tmp_path: Path) -> None:
    inherited = {
        "PATH": "/bin",
        "KAGGLE_KEY": "real",
        "KAGGLE_API_TOKEN": "real",
        "MLE_LIVE_TOKEN": "t",
        "no_proxy": "localhost",
    }
    home = client_home(tmp_path, "ann")
    made = client_environment("http://127.0.0.1:5", home, inherited)
    assert made["PATH"] == "/bin" and made["HOME"] == str(home) != os.environ.get("HOME")
    assert "real" not in made.values() and "MLE_LIVE_TOKEN" not in made
    assert made["NO_PROXY"] == made["no_proxy"] == ""
    assert made["https_proxy"] == made["HTTPS_PROXY"] == made["http_proxy"] == "http://127.0.0.1:5"
    lines = shell_lines("http://127.0.0.1:5", home, inherited)
    assert lines[0] == "unset KAGGLE_KEY MLE_LIVE_TOKEN"
    assert set(client_variables("u", home)) == {line.split()[1].split("=")[0] for line in lines[1:]}


def test_a_server_that_is_gone_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="no MLE-Live is serving"):
        serving_url(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        write_serving(tmp_path, f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(ServiceError, match="does not answer"):
        serving_url(tmp_path)
    assert mle_live("kaggle", "--root", str(tmp_path), "competitions", "list").returncode == 3


def test_a_competition_is_lived_through(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    with serving(root, "--live", "864000") as url:  # ten days a second, from the day the competition opened
        token = kept_token(client_home(root, "comind"))
        seen = 0
        while seen < 20:  # teams enter from the 1st to the 20th of February
            answer = requests.post(
                f"{url}/api/v1/competitions.CompetitionApiService/GetLeaderboard",
                json={"competitionName": SLUG, "pageSize": 200},
                headers={"Authorization": f"Bearer {token}"},
                timeout=60,
            )
            teams = len(answer.json().get("submissions", []))
            assert teams >= seen
            seen = teams
            time.sleep(0.1)
    reached = json.loads((root / "clock.json").read_text())
    assert reached["start"].startswith("2026-01-01") and reached["reached"] >= "2026-02-20"


@pytest.mark.parametrize(
    "wrong",
    [
        ("--at", "tomorrow"),
        ("--live", "0"),
        ("--live", "-1"),
        ("--calls-per-minute", "0"),
        ("--username", "../x"),
    ],
)
def test_settings_of_the_server_that_make_no_sense_are_refused(
    tmp_path: Path, wrong: tuple[str, str]
) -> None:
    refused = mle_live("serve", "--root", str(make_root(tmp_path / "root")), *wrong)
    assert refused.returncode == 2 and wrong[1] in refused.stderr and "Traceback" not in refused.stderr


def test_user_names_that_lead_elsewhere_are_refused_and_tokens_are_replaced(tmp_path: Path) -> None:
    for name in ("../x", "", "a/b", ".hidden", "a" * 51):
        with pytest.raises(UsageError):
            checked_username(name)
    home = client_home(tmp_path, "ann")
    assert kept_token(home) is None
    first = new_token(home)
    assert kept_token(home) == first
    keep_token(home, "another")
    assert kept_token(home) == "another"
