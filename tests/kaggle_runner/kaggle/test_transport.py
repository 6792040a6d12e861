"""How the client meets trouble: retries, time-outs, foreign hosts, unsafe archives. Real HTTP on loopback."""

from __future__ import annotations

import asyncio
import json
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kaggle_runner.errors import ConfigError, KaggleError
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.downloads import unpack
from kaggle_runner.kaggle.records import KAGGLE_URL
from kaggle_runner.kaggle.transport import (
    KaggleTransport,
    Retries,
    Timeouts,
    Wire,
    _BoundAdapter,
    _BoundHttpClient,
)
from kaggle_runner.moments import SYSTEM_CLOCK

Answer = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/json"}
COMPETITION = json.dumps({"ref": "https://www.kaggle.com/competitions/tiny", "title": "Tiny"}).encode()


class Scripted:
    """A server that gives the listed answers in turn, the last one for ever, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                script.asked.append((f"{self.command} {self.path}", dict(self.headers)))
                status, headers, body = (
                    script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
                )
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            do_POST = do_GET = do_PUT = answer

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def error(status: int, message: str, **headers: str) -> Answer:
    body = json.dumps({"code": status, "message": message}).encode()
    return status, {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}, body


def get_competition(wire: Wire) -> str:
    from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

    request = ApiGetCompetitionRequest()
    request.competition_name = "tiny"
    return str(wire.competitions.get_competition(request).title)


def test_reads_are_tried_again_after_passing_trouble(scripted: Scripted) -> None:
    scripted.answers = [
        error(503, "away"),
        error(429, "slow down", Retry_After="7"),
        (502, {"Content-Type": "text/html"}, b"<html>bad gateway</html>"),
        (200, JSON, COMPETITION),
    ]
    waits: list[float] = []
    transport = KaggleTransport(scripted.url, "t", retries=Retries(5, 0.5), sleep=waits.append)
    assert transport.call("tiny", get_competition, write=False) == "Tiny"
    assert waits == [0.5, 7.0, 2.0]


def test_reads_give_up_with_the_servers_words(scripted: Scripted) -> None:
    scripted.answers = [error(500, "kaput")]
    transport = KaggleTransport(scripted.url, "t", retries=Retries(3, 0), sleep=lambda _: None)
    with pytest.raises(KaggleError, match="kaput") as failure:
        transport.call("tiny", get_competition, write=False)
    assert failure.value.status == 500 and len(scripted.asked) == 3


@pytest.mark.parametrize(
    ("status", "hint"), [(400, "message"), (401, "token"), (403, "rules"), (404, "name"), (501, "offer")]
)
def test_refusals_are_not_repeated(scripted: Scripted, status: int, hint: str) -> None:
    scripted.answers = [error(status, "no")]
    with pytest.raises(KaggleError) as failure:
        KaggleTransport(scripted.url, "t", sleep=lambda _: None).call("tiny", get_competition, write=False)
    assert failure.value.status == status and hint in failure.value.hint and len(scripted.asked) == 1


def test_a_token_without_the_right_is_told_from_rules_and_from_a_phone(scripted: Scripted) -> None:
    hints = []
    for message in (
        "Permission 'competitions.participate' was denied",
        "You must accept this competition's rules",
        "You must verify your phone number first",
    ):
        scripted.answers = [error(403, message)]
        with pytest.raises(KaggleError) as failure:
            KaggleTransport(scripted.url, "t").call("tiny", get_competition, write=False, competition="tiny")
        hints.append(failure.value.hint)
    assert "token lacks the right" in hints[0]
    assert "https://www.kaggle.com/competitions/tiny/rules" in hints[1]
    assert "by phone" in hints[2]


def test_an_error_under_status_200_is_an_error(scripted: Scripted) -> None:
    body = json.dumps({"code": 403, "message": "You must accept the rules"}).encode()
    scripted.answers = [(200, JSON, body)]
    with pytest.raises(KaggleError) as failure:
        KaggleTransport(scripted.url, "t").call("tiny", get_competition, write=False)
    assert failure.value.status == 403 and "rules" in failure.value.hint


def test_a_server_that_has_answered_once_is_waited_for_longer() -> None:
    waits: list[float] = []
    stranger = KaggleTransport("http://127.0.0.1:9", "t", retries=Retries(9, 0.5), sleep=waits.append)
    with pytest.raises(KaggleError, match="no connection"):
        stranger.call("tiny", get_competition, write=False)
    assert waits == [0.5, 1.0]
    stranger.clock_offset = 0.0
    waits.clear()
    with pytest.raises(KaggleError, match="no connection"):
        stranger.call("tiny", get_competition, write=False)
    assert sum(waits) > 60


def test_a_write_that_found_nobody_is_tried_again() -> None:
    waits: list[float] = []
    transport = KaggleTransport("http://127.0.0.1:9", "t", retries=Retries(4, 0.5), sleep=waits.append)
    transport.clock_offset = 0.0  # it has answered before
    with pytest.raises(KaggleError) as failure:
        transport.call("tiny", get_competition, write=True)
    assert waits == [0.5, 1.0, 2.0] and not failure.value.maybe_done


async def test_nobody_waits_for_a_call_that_was_cancelled() -> None:
    client = KaggleClient("http://127.0.0.1:9", "t", retries=Retries(9, 3600.0))
    asking = asyncio.create_task(client.competition("tiny"))
    await asyncio.sleep(0.1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.get_running_loop().shutdown_default_executor()  # would hang on a thread that still tries


def test_writes_are_never_repeated(scripted: Scripted) -> None:
    scripted.answers = [error(503, "away")]
    with pytest.raises(KaggleError):
        KaggleTransport(scripted.url, "t", sleep=lambda _: None).call("tiny", get_competition, write=True)
    assert len(scripted.asked) == 1


def test_a_page_of_html_is_no_answer(scripted: Scripted) -> None:
    scripted.answers = [(200, {"Content-Type": "text/html"}, b"<html>login</html>")]
    with pytest.raises(KaggleError, match="cannot be read"):
        KaggleTransport(scripted.url, "t", sleep=lambda _: None).call("tiny", get_competition, write=False)


def test_a_server_that_is_away_or_hangs_is_named() -> None:
    import socket

    with socket.socket() as listener:  # listens, accepts into its backlog, never answers
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        quick = Timeouts(connect=5, read=0.2)
        with pytest.raises(KaggleError, match="no answer in time"):
            KaggleTransport(url, "t", timeouts=quick, retries=Retries(1)).call(
                "tiny", get_competition, write=False
            )
    with pytest.raises(KaggleError, match="no connection") as away:
        KaggleTransport(url, "t", retries=Retries(1)).call("tiny", get_competition, write=False)
    assert "MLE-Live running" in away.value.hint


async def test_a_loopback_server_cannot_send_us_or_the_token_elsewhere(
    scripted: Scripted, tmp_path: Path
) -> None:
    scripted.answers = [(302, {"Location": "https://api.kaggle.com/stolen.zip"}, b"")]
    with pytest.raises(KaggleError, match=r"refused to call https://api\.kaggle\.com"):
        await KaggleClient(scripted.url, "t").download_all("tiny", tmp_path / "data")
    upload = json.dumps({"token": "x", "createUrl": "https://example.com/up"}).encode()
    scripted.answers = [(200, JSON, upload)]
    (tmp_path / "s.csv").write_text("id\n")
    with pytest.raises(KaggleError, match=r"refused to call https://example\.com"):
        await KaggleClient(scripted.url, "t").submit("tiny", tmp_path / "s.csv", "")


async def test_environment_and_home_change_neither_address_nor_user(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "someone-elses")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login intruder password intruder\n")
    scripted.answers = [(200, JSON, COMPETITION)]
    await KaggleClient(scripted.url, "mine").competition("tiny")
    await KaggleClient(scripted.url, ("me", "key")).competition("tiny")
    assert [headers["Authorization"] for _, headers in scripted.asked] == ["Bearer mine", "Basic bWU6a2V5"]
    assert scripted.asked[0][0].endswith("/api/v1/competitions.CompetitionApiService/GetCompetition")


def test_kaggle_itself_is_called_under_its_own_path() -> None:
    adapter = _BoundAdapter(KAGGLE_URL, "t", Timeouts(), SYSTEM_CLOCK, lambda _: None)
    http = _BoundHttpClient(KAGGLE_URL, "t", adapter)
    assert http._get_request_url("s.Service", "Method") == "https://api.kaggle.com/v1/s.Service/Method"


@pytest.mark.parametrize("url", ["kaggle.com", "ftp://kaggle.com", "http://kaggle.com", "https://"])
def test_addresses_that_would_leak_the_token_are_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        KaggleTransport(url, "t")


async def test_a_download_that_breaks_off_is_fetched_again(scripted: Scripted, tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("train.csv", "id\n1\n")
    body = archive.read_bytes()
    kind = {"Content-Type": "application/zip"}
    scripted.answers = [(200, {**kind, "Content-Length": str(len(body))}, body[:20]), (200, kind, body)]
    client = KaggleClient(scripted.url, "t", retries=Retries(2, 0))
    await client.download_all("tiny", tmp_path / "data")
    assert (tmp_path / "data" / "train.csv").read_text() == "id\n1\n" and len(scripted.asked) == 2


def _entry(name: str, body: bytes = b"x", mode: int = 0o644) -> Callable[[zipfile.ZipFile], None]:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    return lambda packed: packed.writestr(entry, body)


@pytest.mark.parametrize(
    "evil",
    [
        _entry("../out.txt"),
        _entry("/etc/out.txt"),
        _entry("a/../../out.txt"),
        _entry("a\\..\\out.txt"),
        _entry("C:/out.txt"),
        _entry("link", b"/etc/passwd", stat.S_IFLNK | 0o777),
        _entry("bomb.csv", b"0" * 2_000_000),
    ],
)
def test_unsafe_archives_change_nothing(tmp_path: Path, evil: Callable[[zipfile.ZipFile], None]) -> None:
    dest = tmp_path / "data"
    dest.mkdir()
    (dest / "kept.csv").write_text("kept")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("good.csv", "good")
        evil(packed)
    with pytest.raises(KaggleError):
        unpack(tmp_path / "evil.zip", dest, most_bytes=1_000_000)
    assert [path.name for path in dest.iterdir()] == ["kept.csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "evil.zip"]


def test_a_damaged_archive_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "half.zip").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(KaggleError, match="not a whole zip"):
        unpack(tmp_path / "half.zip", tmp_path / "data", most_bytes=100)
