"""The `mle-live` command: serve, env, kaggle, prepare, list and grade. Results go to stdout, narration to
stderr.

Exit codes are those of `kaggle_runner.errors`. Heavy libraries are imported by the command that needs them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kaggle_runner.errors import ComindError, UsageError
from mle_live.cli_serve import CLIENT_COMMANDS, add_client_arguments, add_serve_arguments, serve

DEFAULT_ROOT = Path("state/mle_live")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except ComindError as error:
        print(f"mle-live: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
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
    grade.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _prepare(arguments: argparse.Namespace) -> int:
    from mle_live.shelf import prepare

    for slug in arguments.slugs:
        prepare(slug, arguments.root, progress=lambda line: print(line, file=sys.stderr))
    return 0


def _competitions(arguments: argparse.Namespace) -> int:
    from mle_live.competition import load_competition, prepared_slugs
    from mle_live.shelf import list_shelf

    prepared = prepared_slugs(arguments.root)
    rows: list[dict[str, Any]] = [
        {
            "slug": entry.slug,
            "title": entry.title,
            "modality": entry.modality,
            "metric": entry.metric,
            "prepared": entry.slug in prepared,
        }
        for entry in list_shelf()
    ]
    shelf = {row["slug"] for row in rows}
    for slug in prepared:
        if slug not in shelf:
            competition = load_competition(arguments.root, slug)
            rows.append(
                {
                    "slug": slug,
                    "title": competition.title,
                    "modality": competition.modality,
                    "metric": competition.metric,
                    "prepared": True,
                }
            )
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        mark = "prepared" if row["prepared"] else "-"
        print(f"{row['slug']:24} {mark:9} {row['modality']:8} {row['metric']:20} {row['title']}")
    return 0


def _grade(arguments: argparse.Namespace) -> int:
    from mle_live.board import load_board
    from mle_live.competition import load_competition
    from mle_live.folder import load_folder
    from mle_live.grading import grade_file
    from mle_live.medals import standing

    named = arguments.competition
    folder = Path(named)
    competition = (
        load_folder(folder, hidden=(arguments.root,))
        if "/" in named or folder.is_dir()
        else load_competition(arguments.root, named)
    )
    if not arguments.file.is_file():
        raise UsageError(f"there is no file {arguments.file}", hint="give the path of a submission CSV")
    grade = grade_file(competition, arguments.file)
    board = load_board(competition)
    place = None
    if grade.private_score is not None:
        scores = [team.private_score for team in board]
        place = standing(grade.private_score, scores, competition.higher_is_better)
    report = {
        "competition": competition.slug,
        "metric": competition.metric,
        "higher_is_better": competition.higher_is_better,
        "public_score": grade.public_score,
        "private_score": grade.private_score,
        "public_rows": grade.public_rows,
        "private_rows": grade.private_rows,
        "board": competition.board,
        "rank": place.rank if place else None,
        "teams": place.teams if place else len(board),
        "win_rate": place.win_rate if place else None,
        "medal": place.medal if place else None,
        "above_median": place.above_median if place else None,
    }
    if arguments.json:
        print(json.dumps(report, indent=2))
    elif grade.private_score is None:
        print(f"{competition.slug}: the file is valid; there are no labels here to score it")
    else:
        direction = "higher" if competition.higher_is_better else "lower"
        print(f"{competition.metric} ({direction} is better)")
        print(f"public {grade.public_score}  private {grade.private_score}")
        if place:
            print(
                f"rank {place.rank} of {place.teams} ({competition.board} board), {place.medal or 'no'} medal"
            )
    return 0
