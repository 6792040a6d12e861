"""The `mle-live` command: serve, env, kaggle, prepare, list and grade. Results go to stdout, narration to
stderr.

Exit codes are those of `kaggle_runner.errors`. Heavy libraries are imported by the command that needs them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from kaggle_runner.command_line import Parser
from kaggle_runner.console import put, put_json, say, say_error
from kaggle_runner.errors import ComindError, UsageError
from kaggle_runner.texts import one_line
from mle_live.cli_serve import CLIENT_COMMANDS, add_client_arguments, add_serve_arguments, serve

if TYPE_CHECKING:
    from mle_live.competitions.competition import HostedCompetition

DEFAULT_ROOT = Path("state/mle_live")


def main(argv: Sequence[str] | None = None) -> int:
    try:
        arguments = _parser().parse_args(argv)
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except ComindError as error:
        say_error("mle-live", error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _parser() -> Parser:
    parser = Parser(
        prog="mle-live", description="A Kaggle of your own that the official kaggle command talks to."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument(
            "--root", type=Path, default=DEFAULT_ROOT, metavar="DIR", help=f"default: {DEFAULT_ROOT}"
        )
        sub.set_defaults(run=run)
        return sub

    add_serve_arguments(command("serve", "Serve prepared competitions on a loopback port.", serve))
    for name, text, run in CLIENT_COMMANDS:
        add_client_arguments(command(name, text, run))

    prepare = command("prepare", "Fetch and prepare competitions of the shelf.", _prepare)
    prepare.add_argument("slugs", nargs="+", metavar="SLUG")

    competitions = command("competitions", "List the shelf and what is prepared.", _competitions)
    competitions.add_argument("--json", action="store_true", help="print JSON")

    grade = command("grade", "Score a submission file.", _grade)
    grade.add_argument(
        "competition", metavar="COMPETITION", help="a prepared competition, or a folder's path"
    )
    grade.add_argument("file", type=Path, metavar="FILE")
    grade.add_argument("--json", action="store_true", help="print JSON: MLE-bench's report, and a rank")
    grade.add_argument(
        "--compat",
        choices=["mle-bench"],
        help="score as MLE-bench's own grader does, its known faults included",
    )
    return parser


def _prepare(arguments: argparse.Namespace) -> int:
    from mle_live.shelf.preparation import prepare

    for slug in arguments.slugs:
        prepare(slug, arguments.root, progress=say)
    return 0


def _competitions(arguments: argparse.Namespace) -> int:
    from mle_live.competitions.competition import load_competition, prepared_slugs
    from mle_live.shelf.entry import list_shelf

    prepared = prepared_slugs(arguments.root)
    shelf = list_shelf()
    others = set(prepared) - {entry.slug for entry in shelf}
    listed: list[Any] = [*shelf, *(load_competition(arguments.root, slug) for slug in sorted(others))]
    told = ("slug", "title", "modality", "metric")
    rows: list[dict[str, Any]] = [
        {**{name: getattr(one, name) for name in told}, "prepared": one.slug in prepared} for one in listed
    ]
    if arguments.json:
        put_json(rows)
        return 0
    for row in rows:
        mark = "prepared" if row["prepared"] else "-"
        slug, title = one_line(row["slug"]), one_line(row["title"])
        put(f"{slug:24} {mark:9} {row['modality']:8} {row['metric']:20} {title}")
    return 0


def _grade(arguments: argparse.Namespace) -> int:
    from mle_live.competitions.competition import load_competition
    from mle_live.competitions.folder import look_at_folder

    named = arguments.competition
    folder = Path(named)
    with TemporaryDirectory(prefix="mle-live-") as place:
        competition = (
            look_at_folder(folder, Path(place) / "arranged", hidden=(arguments.root,)).hosted()
            if "/" in named or folder.is_dir()
            else load_competition(arguments.root, named)
        )
        return _print_grade(competition, arguments)


def _print_grade(competition: HostedCompetition, arguments: argparse.Namespace) -> int:
    from kaggle_runner.moments import SYSTEM_CLOCK
    from mle_live.competitions.grade_report import grade_report, report_lines

    if not arguments.file.is_file() and not arguments.json:
        raise UsageError(f"there is no file {arguments.file}", hint="give the path of a submission CSV")
    report, refusal = grade_report(
        competition, arguments.file, now=SYSTEM_CLOCK.now(), compat=arguments.compat
    )
    if arguments.json:
        put_json(report)
    if refusal is not None:
        raise refusal
    if not arguments.json:
        put("\n".join(report_lines(report)))
    return 0
