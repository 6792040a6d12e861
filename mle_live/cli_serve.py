"""The commands `serve`, `env` and `kaggle`: a server on a loopback port, and clients that reach it.

Heavy libraries are imported by the command that needs them.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kaggle_runner.console import Narrator, say
from kaggle_runner.errors import UsageError
from mle_live.environment import (
    TOKEN_VARIABLE,
    checked_username,
    clear_serving,
    client_home,
    keep_token,
    kept_token,
    new_token,
    run_kaggle,
    serving_url,
    shell_lines,
    token_path,
    write_ready_file,
    write_serving,
)

if TYPE_CHECKING:
    from datetime import datetime

    import uvicorn

    from kaggle_runner.moments import Clock
    from mle_live.competitions.competition import HostedCompetition
    from mle_live.kernels.runs import KernelLimits
    from mle_live.service import ServerLimits

DEFAULT_USER = "comind"
_LARGEST = 1e6
_YEARS = range(1980, 3000)


def add_serve_arguments(serve: argparse.ArgumentParser) -> None:
    add = serve.add_argument
    add("--port", type=int, default=0, help="0 (the default) takes any free one")
    add("--competition", action="append", default=[], metavar="SLUG", help="serve only these; repeatable")
    add("--folder", action="append", default=[], type=Path, metavar="DIR", help="serve your own folder too")
    add(
        "--hide",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="no data of a --folder; repeatable",
    )
    add("--metric", metavar="NAME", help="of the folders, whatever they say; empty: none that is known here")
    add("--stated", metavar="JSON", default="{}", help="what of the folders' files is known: target, files …")
    add("--state", type=Path, metavar="DIR", help="users and submissions; default: the root")
    add("--username", default=DEFAULT_USER, help="the user that the token belongs to")
    add("--at", metavar="DATE", help="the clock stands at this moment (UTC) instead of today")
    add("--live", type=float, metavar="FACTOR", help="the clock runs, this many times as fast, from --at on")
    add("--rules", action="store_true", help="a competition's rules must be accepted before taking part")
    add("--calls-per-minute", type=float, metavar="N", help="a user's limit; more are answered with 429")
    add(
        "--gpu-hours",
        type=float,
        default=30.0,
        metavar="H",
        help="the weekly quota that is told where such kernels are taken; default: 30",
    )
    add("--tpu-hours", type=float, default=20.0, metavar="H", help="the same for TPUs; default: 20")
    add("--ready-file", type=Path, metavar="FILE", help="written as JSON {url, pid} when up")
    add("--exit-with-stdin", action="store_true", help="stop when standard input ends")
    add("--kernels", type=int, default=2, metavar="N", help="pushed kernels that run at once; default: 2")
    add("--kernel-hours", type=float, default=12.0, metavar="H", help="the longest run of one; default: 12")
    add("--kernel-memory", type=float, metavar="GB", help="of one; default: half of the machine's")
    text = (
        "a push that wants a GPU is refused, or runs on the CPU and its log and status say so; default: it "
    )
    text += "runs where this machine has a GPU, and is refused where not"
    add("--gpu-kernels", choices=["refuse", "cpu"], help=text)
    text = "that pushed kernels run in, or a virtual environment's folder; default: the server's own"
    add("--python", metavar="PATH", help=text)
    text = "pushed kernels that ask for internet may install packages, from where pip here does; default: not"
    add("--allow-packages", action="store_true", help=text)
    text = "tell final results before the deadline (our own address only)"
    add("--reveal-private", action="store_true", help=text)


def add_client_arguments(client: argparse.ArgumentParser) -> None:
    client.add_argument("--state", type=Path, metavar="DIR", help="as given to `serve`; default: the root")
    client.add_argument(
        "--username", default=DEFAULT_USER, help=f"made when it is new; default: {DEFAULT_USER}"
    )
    if client.prog.endswith("kaggle"):
        client.add_argument(
            "arguments", nargs=argparse.REMAINDER, metavar="ARGS", help="the kaggle command's own"
        )


def serve(arguments: argparse.Namespace) -> int:
    from mle_live.clock import RunningClock
    from mle_live.server import build_server, listen
    from mle_live.service import Service

    logging.basicConfig(handlers=[Narrator()], format="%(message)s")
    state_dir: Path = arguments.state or arguments.root
    hidden = (arguments.root, state_dir, *arguments.hide)
    competitions = _served_competitions(arguments, hidden)
    username = checked_username(arguments.username)
    clock = _clock(arguments, competitions, state_dir)
    given = os.environ.pop(TOKEN_VARIABLE, "")
    limits, kernel_limits = _limits(arguments), _kernel_limits(arguments)
    listener = listen(arguments.port)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    service = Service(
        competitions,
        state_dir,
        clock=clock,
        reveal_private=arguments.reveal_private,
        limits=limits,
        kernel_limits=kernel_limits,
    )
    service.state.ensure_user(username, given or _own_token(state_dir, username))
    server = build_server(service)
    if arguments.exit_with_stdin:
        threading.Thread(target=_stop_with_stdin, args=(server,), daemon=True).start()
    if arguments.ready_file is not None:
        # The socket already listens, so a client that comes early waits in its backlog.
        write_ready_file(arguments.ready_file, url)
    write_serving(state_dir, url)
    say(f"serving {', '.join(c.slug for c in competitions)} at {url}")
    if not given:
        say(*_how_to_reach(arguments, url, client_home(state_dir, username)))
    try:
        server.run(sockets=[listener])
    finally:
        clear_serving(state_dir)
        if isinstance(clock, RunningClock):
            clock.close()
    return 0


def _kernel_limits(arguments: argparse.Namespace) -> KernelLimits:
    from mle_live.kernels.runs import KernelLimits

    given: float | None = arguments.kernel_memory
    sizes = (arguments.kernel_hours, 1.0 if given is None else given)
    if arguments.kernels < 1 or not all(0 < size < _LARGEST for size in sizes):
        raise UsageError(
            "--kernels, --kernel-hours and --kernel-memory must be numbers above 0",
            hint="kernels run when somebody pushes them; leave the options out for the usual limits",
        )
    from kaggle_runner.interpreter import examine, require_kernel
    from kaggle_runner.packages.indexes import package_source

    python: str | None = arguments.python
    return KernelLimits(
        at_once=arguments.kernels,
        gpu_kernels=arguments.gpu_kernels,
        seconds=max(1, round(arguments.kernel_hours * 3600)),
        memory_bytes=None if given is None else round(given * 1e9),
        python=None if python is None else require_kernel(examine(python)).path,
        packages=package_source() if arguments.allow_packages else None,
    )


def _limits(arguments: argparse.Namespace) -> ServerLimits:
    from mle_live.service import ServerLimits

    rate: float | None = arguments.calls_per_minute
    if rate is not None and not 0 < rate < _LARGEST:
        raise UsageError(f"--calls-per-minute {rate:g} is not a limit", hint="give a number above 0")
    if not all(0 <= hours < _LARGEST for hours in (arguments.gpu_hours, arguments.tpu_hours)):
        raise UsageError("--gpu-hours and --tpu-hours must be numbers from 0", hint="Kaggle's are 30 and 20")
    return ServerLimits(
        calls_per_minute=rate,
        rules_required=arguments.rules,
        gpu_hours=arguments.gpu_hours,
        tpu_hours=arguments.tpu_hours,
    )


def _own_token(state_dir: Path, username: str) -> str:
    home = client_home(state_dir, username)
    return kept_token(home) or new_token(home)


def _how_to_reach(arguments: argparse.Namespace, url: str, home: Path) -> tuple[str, ...]:
    places = [f"--root {arguments.root}"] + ([f"--state {arguments.state}"] if arguments.state else [])
    if arguments.username != DEFAULT_USER:
        places.append(f"--username {arguments.username}")
    return (
        "the official kaggle command reaches it with",
        f"  mle-live kaggle {' '.join(places)} competitions list",
        f'  ( eval "$(mle-live env {" ".join(places)})"; kaggle competitions list )',
        "comind-tui reaches it with",
        f"  export COMIND_KAGGLE_URL={url} COMIND_KAGGLE_TOKEN={shlex.quote(str(token_path(home)))}",
    )


def _clock(
    arguments: argparse.Namespace, competitions: Sequence[HostedCompetition], state_dir: Path
) -> Clock:
    from kaggle_runner.moments import SYSTEM_CLOCK
    from mle_live.clock import RunningClock, StandingClock

    at: datetime | None = None if arguments.at is None else _moment(arguments.at)
    if arguments.live is not None:
        if not 0 < arguments.live <= 1e6:
            raise UsageError(
                f"--live {arguments.live:g} is not a factor", hint="give a number above 0, such as 60"
            )
        start = at or min(competition.enabled_date for competition in competitions)
        return RunningClock(start, arguments.live, state_dir / "clock.json")
    return SYSTEM_CLOCK if at is None else StandingClock(at)


def _moment(text: str) -> datetime:
    from kaggle_runner.moments import parse_moment

    try:
        moment = parse_moment(text)
    except ValueError:
        moment = None
    if moment is None or not _YEARS.start <= moment.year < _YEARS.stop:
        raise UsageError(
            f"--at {text!r} is not a date of Kaggle's", hint="write 2026-03-01 or 2026-03-01T12:00:00Z"
        )
    return moment


def _stop_with_stdin(server: uvicorn.Server) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    server.should_exit = True


def _served_competitions(arguments: argparse.Namespace, hidden: tuple[Path, ...]) -> list[HostedCompetition]:
    from mle_live.competitions.competition import load_competition, prepared_slugs
    from mle_live.competitions.folder import look_at_folder, slug_of
    from mle_live.competitions.metric_choice import MetricChoice, named_metric
    from mle_live.layout.stated import StatedFiles

    root, slugs, folders = arguments.root, arguments.competition, arguments.folder
    named: str | None = arguments.metric
    metric = None if named is None else named_metric(named) if named else MetricChoice(source="option")
    chosen = list(slugs) or ([] if folders else prepared_slugs(root))
    competitions = [load_competition(root, slug) for slug in dict.fromkeys(chosen)]
    stated = StatedFiles.of(json.loads(arguments.stated))
    arranged: Path = (arguments.state or root) / "arranged"
    competitions += [
        look_at_folder(
            folder, arranged / slug_of(folder), hidden=hidden, metric=metric, stated=stated
        ).hosted(split_is_written=True)
        for folder in folders
    ]
    if not competitions:
        raise UsageError(
            f"there is nothing to serve: no competition is prepared under {root}",
            hint="`mle-live prepare SLUG` prepares one, or give your own with --folder DIR",
        )
    return competitions


# -- clients -------------------------------------------------------------------------------------------------


def _env(arguments: argparse.Namespace) -> int:
    url, home = _client(arguments)
    print("\n".join(shell_lines(url, home, os.environ)))  # noqa: T201  a shell evaluates it: as it is
    return 0


def _kaggle(arguments: argparse.Namespace) -> int:
    url, home = _client(arguments)
    given: list[str] = arguments.arguments
    return run_kaggle(given[1:] if given[:1] == ["--"] else given, url, home)


def _client(arguments: argparse.Namespace) -> tuple[str, Path]:
    """The running server's address and the home of the user's client, with a token that is valid there."""
    from mle_live.stores.state import ServerState

    state_dir: Path = arguments.state or arguments.root
    username = checked_username(arguments.username)
    url = serving_url(state_dir)
    home = client_home(state_dir, username)
    given = os.environ.get(TOKEN_VARIABLE, "")
    if given:
        keep_token(home, given)
    elif kept_token(home) is None:
        state = ServerState(state_dir / "state.sqlite")
        try:
            if state.has_user(username):
                raise UsageError(
                    f"the token of {username!r} is known only to who started the server",
                    hint=f"set {TOKEN_VARIABLE} to it, or take another --username",
                )
            state.ensure_user(username, new_token(home))
        finally:
            state.close()
    return url, home


CLIENT_COMMANDS: tuple[tuple[str, str, Callable[[argparse.Namespace], int]], ...] = (
    ("env", "Print the variables under which the official kaggle command reaches the server.", _env),
    ("kaggle", "Run the official kaggle command against the server.", _kaggle),
)
