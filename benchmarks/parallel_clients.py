"""MLE-Live under fifty clients at once: seconds a call, beside a plain static server for the same bytes.

    python -m benchmarks.parallel_clients [--clients 50] [--rounds 4] [--state DIR]

Each client lists competitions, downloads the training file, uploads and submits the sample, and reads its
submissions, as one user with one connection, round after round. The server has a process of its own.
The peer of the download is Python's own `http.server` (threads, the same file, the same clients).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from threading import Thread
from typing import Any

import requests

from comind.community.upstream import mle_live_root
from mle_live.competitions.competition import load_competition
from mle_live.server import build_server, listen
from mle_live.service import Service
from mle_live.shelf.preparation import prepare

SLUG = "census-income"
API = "api/v1/competitions.CompetitionApiService"
Seconds = dict[str, list[float]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--state", type=Path, default=Path("state"))
    options = parser.parse_args(arguments)
    root = mle_live_root(options.state.resolve())
    prepare(SLUG, root, progress=print)
    sample = (root / "competitions" / SLUG / "data" / "sample_submission.csv").read_bytes()
    with tempfile.TemporaryDirectory() as folder, served(root, Path(folder), options.clients + 1) as url:
        one, alone = timed(lambda: in_threads(range(1), url, sample, options.rounds))
        crowd = range(1, options.clients + 1)
        many, together = timed(lambda: in_threads(crowd, url, sample, options.rounds))
    with static(root / "competitions" / SLUG / "data") as url:
        plain, _ = timed(lambda: download_in_threads(options.clients, f"{url}/train.csv", options.rounds))
    report(options, one, alone, many, together, plain)
    return 0


def take_part(client: int, url: str, sample: bytes, rounds: int) -> Seconds:
    """Seconds of each kind of call of one client. Raises when an answer is not good."""
    took: Seconds = defaultdict(list)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer client-{client}"

    def post(kind: str, method: str, **body: Any) -> requests.Response:
        return note(took, kind, lambda: session.post(f"{url}/{API}/{method}", json=body, timeout=300))

    for _ in range(rounds):
        post("list", "ListCompetitions")
        post("download", "DownloadDataFile", competitionName=SLUG, fileName="train.csv")
        begun = post(
            "start",
            "StartSubmissionUpload",
            competitionName=SLUG,
            contentLength=len(sample),
            fileName="s.csv",
        ).json()
        address = begun["createUrl"]
        note(took, "upload", partial(session.put, address, data=sample, timeout=300))
        post("submit", "CreateSubmission", competitionName=SLUG, blobFileTokens=begun["token"])
        post("submissions", "ListSubmissions", competitionName=SLUG)
    return took


def note(took: Seconds, kind: str, call: Callable[[], requests.Response]) -> requests.Response:
    started = time.perf_counter()
    answer = call()
    answer.raise_for_status()
    took[kind].append(time.perf_counter() - started)
    return answer


def in_threads(clients: range, url: str, sample: bytes, rounds: int) -> list[Seconds]:
    with ThreadPoolExecutor(len(clients)) as threads:
        return list(threads.map(lambda client: take_part(client, url, sample, rounds), clients))


def download_in_threads(clients: int, url: str, rounds: int) -> list[Seconds]:
    def one(_: int) -> Seconds:
        took: Seconds = defaultdict(list)
        session = requests.Session()
        for _ in range(rounds):
            note(took, "download", lambda: session.get(url, timeout=300))
        return took

    with ThreadPoolExecutor(clients) as threads:
        return list(threads.map(one, range(clients)))


def timed(work: Callable[[], list[Seconds]]) -> tuple[Seconds, float]:
    """All clients' seconds by kind of call, and the seconds that passed."""
    started = time.perf_counter()
    merged: Seconds = defaultdict(list)
    for took in work():
        for kind, seconds in took.items():
            merged[kind] += seconds
    return merged, time.perf_counter() - started


@contextmanager
def served(root: Path, state: Path, clients: int) -> Iterator[str]:
    """The address of a server in a process of its own; it knows the tokens `client-0`, `client-1`, …"""
    ours, theirs = Pipe()
    process = Process(target=_serve, args=(root, state, clients, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join(30)


def _serve(root: Path, state: Path, clients: int, ready: Connection) -> None:
    service = Service([load_competition(root, SLUG)], state)
    for number in range(clients):
        service.state.ensure_user(f"client{number}", f"client-{number}")
    listener = listen(0)
    ready.send(f"http://127.0.0.1:{listener.getsockname()[1]}")
    build_server(service).run(sockets=[listener])


@contextmanager
def static(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: Quiet(*given, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def report(
    options: argparse.Namespace, one: Seconds, alone: float, many: Seconds, together: float, plain: Seconds
) -> None:
    calls = sum(map(len, many.values()))
    print(f"{options.clients} clients, {calls} calls in {together:.1f} s: {calls / together:.0f} calls/s;")
    print(f"one client alone: {sum(map(len, one.values())) / alone:.0f} calls/s; none failed\n")
    print("| call | one client, median ms | all at once, median ms | 95 % below, ms |\n|---|---|---|---|")
    for kind, seconds in many.items():
        late = quantiles(seconds, n=20)[-1]
        print(f"| {kind} | {1e3 * median(one[kind]):.1f} | {1e3 * median(seconds):.0f} | {1e3 * late:.0f} |")
    ratio = median(many["download"]) / median(plain["download"])
    print(f"\ndownloads: {ratio:.2f} times the median of http.server under the same clients")


if __name__ == "__main__":
    sys.exit(main())
