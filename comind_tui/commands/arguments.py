"""The command line's grammar: an argparse parser and nothing else, so that `--help` costs nothing."""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any, NoReturn

from comind.config import DEFAULT_MAX_DOLLARS, RunConfig
from kaggle_runner.console import put
from kaggle_runner.errors import UsageError

EPILOG = """\
exit codes:
  0    done
  1    the run failed, or ended without a valid submission
  2    the command line, a config file or the input is wrong
  3    an outside service refused or is away; the same command may work later
  4    this machine lacks something: comind-tui doctor says what
  130  interrupted

stdout carries data, stderr narration. Without a terminal, run and resume behave as with --headless.
Keys come from the environment: OPENAI_API_KEY, or COMIND_API_KEY_<ROLE> for a role's own endpoint.
Runs live in state/ where the command is started, or in $COMIND_STATE, or in --state DIR.
"""

COMMANDS: dict[str, str] = {
    "run": "compete: start a run and watch it",
    "attach": "watch a run (leaving never stops it)",
    "resume": "go on with a run that was stopped or killed",
    "runs": "list the runs, newest first",
    "competitions": "list the competitions: those that need no network, and those of every Kaggle you use",
    "ranks": "your place on a competition's leaderboard, live",
    "submit": "send a run's best solution to the leaderboard (asks first)",
    "submissions": "what was submitted to a competition, what is left, local against public scores",
    "show": "what a run comes to",
    "ideas": "the ideas of a run",
    "reports": "the reports of a run",
    "leaderboard": "the local leaderboard of a run",
    "recording": "write the replies of a run to a file that `run --replay` answers from",
    "reproduce": "run a run's best solution again and compare what it writes",
    "export": "write a run as a Kaggle notebook, in which the whole of CoMind works",
    "doctor": "check what this machine has and lacks",
}


_OF_RUNS = ("attach", "resume", "show", "ideas", "reports", "leaderboard", "recording", "reproduce")


class Parser(argparse.ArgumentParser):
    """Reports mistakes as UsageError, so that every error leaves the program by one door."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "allow_abbrev": False})

    def _print_message(self, message: str, file: Any = None) -> None:
        put(message, file or sys.stderr, end="")  # help too stands on terminals without our characters

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", hint=f"See `{self.prog} --help`.")


class _Version(argparse.Action):
    """Looks the version up when asked for: the library that knows takes longer than the whole parser."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        put(f"comind-tui {version('comind')}")
        parser.exit()


def build_parser() -> Parser:
    """The whole grammar. Settings of a run that were not typed are absent from the namespace."""
    parser = Parser(
        prog="comind-tui",
        description="A Kaggle competitor that works in your terminal. Without a command: the home screen.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="show program's version number and exit",
    )
    parser.add_argument(
        "--kaggle-push",
        metavar="COMPETITION",
        default=argparse.SUPPRESS,
        help="run on Kaggle's machines: short for run COMPETITION --executor kaggle --headless",
    )
    _state_option(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    made = {name: commands.add_parser(name, help=text, description=text) for name, text in COMMANDS.items()}
    for command in made.values():
        _state_option(command)
        command.add_argument("--json", action="store_true", help="data as JSON on stdout")
    _add_run_options(made["run"])
    _add_submit_options(made["submit"])
    made["submissions"].add_argument(
        "competition", metavar="COMPETITION", help="its slug, or the address of its page"
    )
    add_kaggle_url(made["submissions"])
    for name in (*_OF_RUNS, "submit"):
        made[name].add_argument(
            "run_id", metavar="RUN", nargs="?", help="its id or a beginning of it; else the newest"
        )
    for name in ("ideas", "reports"):
        made[name].add_argument("--search", metavar="TEXT", default="", help="only those with these words")
    made["resume"].add_argument("--headless", action="store_true", help="in the foreground, plain lines")
    made["recording"].add_argument(
        "-o", "--output", metavar="FILE", help="default: RUN.jsonl.gz here; gzipped when it ends in .gz"
    )
    _add_ranks_options(made["ranks"])
    made["competitions"].add_argument(
        "--search", metavar="TEXT", default="", help="only those with these words"
    )
    made["competitions"].add_argument(
        "--offline", action="store_true", help="ask no Kaggle; show what was listed last"
    )
    _add_export_options(made["export"])
    made["doctor"].add_argument("--base-url", metavar="URL", help="also check this model endpoint")
    made["doctor"].add_argument(
        "--competition",
        metavar="SLUG",
        default="",
        help="also check all that taking part in it at Kaggle needs",
    )
    add_kaggle_url(made["doctor"])
    return parser


def add_kaggle_url(parser: argparse.ArgumentParser) -> None:
    """`--kaggle-url`, for every command that talks to a Kaggle; absent when it was not typed."""
    parser.add_argument(
        "--kaggle-url",
        metavar="URL",
        default=argparse.SUPPRESS,
        help="which Kaggle (default: $COMIND_KAGGLE_URL, else kaggle.com)",
    )


def _add_submit_options(parser: Parser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    parser.add_argument(
        "--yes", action="store_true", help="ask nobody, and send only what the governor finds worth it"
    )
    parser.add_argument(
        "--message", metavar="TEXT", default="", help="stands in the submission's description too"
    )
    add_kaggle_url(parser)


def _add_export_options(parser: Parser) -> None:
    parser.add_argument(
        "run_id", metavar="RUN", nargs="?", help="its id or a beginning of it; else the newest"
    )
    parser.add_argument(
        "--kaggle-notebook", action="store_true", help="as a notebook and a dataset that holds CoMind"
    )
    parser.add_argument("--out", metavar="DIR", default="", help="where to write (default: RUN-kaggle)")
    parser.add_argument("--push", action="store_true", help="send both to Kaggle, which starts the notebook")
    parser.add_argument("--user", metavar="NAME", default="", help="your name there (default: the token's)")
    parser.add_argument(
        "--accelerator",
        metavar="NAME",
        default="",
        help="none, T4, L4, A100, H100 or a machine shape of Kaggle's (default: T4, none with --offline)",
    )
    parser.add_argument(
        "--after", metavar="OWNER/SLUG", default="", help="go on from the output of this notebook's session"
    )
    parser.add_argument("--session-time", metavar="8h", default="", help="at most (default: Kaggle's own)")
    parser.add_argument(
        "--with-dependencies",
        metavar="PYTHON",
        nargs="?",
        const=f"{sys.version_info.major}.{sys.version_info.minor}",
        default="",
        help="also upload all packages for this version of Python, for sessions without internet",
    )
    add_kaggle_url(parser)


def _add_ranks_options(parser: Parser) -> None:
    parser.add_argument("competition", metavar="COMPETITION", help="its slug, or the address of its page")
    parser.add_argument(
        "--every", metavar="60s", default="60s", help="between two looks, at least 30s (default: 60s)"
    )
    parser.add_argument(
        "--once", action="store_true", help="one look; exit code 1 when the team is not on the board yet"
    )
    parser.add_argument(
        "--team", metavar="NAME", default="", help="a team by its name (default: the one you are in)"
    )
    add_kaggle_url(parser)


def _state_option(parser: Parser) -> None:
    parser.add_argument(
        "--state", metavar="DIR", default=argparse.SUPPRESS, help="where runs live (default: state)"
    )


def _add_run_options(parser: Parser) -> None:
    parser.add_argument(
        "competition",
        metavar="COMPETITION|FOLDER",
        nargs="?",
        default=argparse.SUPPRESS,
        help="a competition's slug, or a folder in Kaggle's shape (written with a /)",
    )
    parser.add_argument("--config", metavar="FILE", help="a YAML file of settings; typed options win over it")
    parser.add_argument("--headless", action="store_true", help="in the foreground, plain lines, no screens")
    parser.add_argument(
        "--submit",
        action="store_true",
        default=argparse.SUPPRESS,
        help="submit to the leaderboard after each round what is worth it (default: nothing is submitted)",
    )
    add_kaggle_url(parser)
    parser.add_argument(
        "--refresh-community",
        action="store_true",
        default=argparse.SUPPRESS,
        help="read kernels and discussions anew, however young what was read before is",
    )
    _add_model_options(parser.add_argument_group("the language model"))
    size = parser.add_argument_group("the size of the run")
    _add_size_options(size)
    _add_limits(size)
    _add_kaggle_options(parser.add_argument_group("kernels at Kaggle (--executor kaggle)"))


def _add_model_options(group: argparse._ArgumentGroup) -> None:
    absent = argparse.SUPPRESS
    group.add_argument(
        "--offline", action="store_true", default=absent, help="recipes instead of a language model"
    )
    group.add_argument(
        "--replay", metavar="FILE|RUN", default=absent, help="replies of a recording instead of a model"
    )
    group.add_argument("--model", metavar="M", default=absent, help=f"name of the model{_default('model')}")
    group.add_argument(
        "--base-url", metavar="U", default=absent, help="OpenAI-compatible address (default: OpenAI's)"
    )
    group.add_argument(
        "--role-model",
        dest="role_models",
        metavar="ROLE=MODEL[@URL]",
        action="append",
        default=absent,
        help="another model for one role; may be repeated",
    )
    group.add_argument(
        "--fallback-model",
        dest="fallback_models",
        metavar="MODEL[@URL]",
        action="append",
        default=absent,
        help="answers when the model cannot any more; may be repeated, in order",
    )
    group.add_argument(
        "--preset",
        metavar="NAME",
        default=absent,
        help="paper or small-model (docs/settings.md)",
    )


def _add_size_options(group: argparse._ArgumentGroup) -> None:
    absent = argparse.SUPPRESS
    group.add_argument(
        "--coders",
        metavar="N",
        type=int,
        default=absent,
        help=f"coding agents side by side{_default('coders')}",
    )
    group.add_argument(
        "--rounds", metavar="R", type=int, default=absent, help=f"rounds at most{_default('rounds')}"
    )
    group.add_argument(
        "--steps", metavar="N", type=int, default=absent, help=f"cells of one coding agent{_default('steps')}"
    )
    group.add_argument(
        "--time-limit", metavar="2h", default=absent, help=f"for the whole run{_default('time_limit')}"
    )
    group.add_argument(
        "--cell-time-limit", metavar="1h", default=absent, help=f"for one cell{_default('cell_time_limit')}"
    )
    group.add_argument(
        "--seed", metavar="S", type=int, default=absent, help=f"of what is drawn by chance{_default('seed')}"
    )
    group.add_argument(
        "--executor",
        metavar="WHERE",
        default=absent,
        help="local or kaggle, where notebooks run (default: local)",
    )


def _add_kaggle_options(group: argparse._ArgumentGroup) -> None:
    absent = argparse.SUPPRESS
    group.add_argument(
        "--accelerator",
        metavar="NAME",
        default=absent,
        help="auto, none, T4, L4, A100, H100, TPU or a machine shape of Kaggle's"
        " (default: auto, a GPU where the notebook can use one)",
    )
    group.add_argument(
        "--kernel-time-limit", metavar="2h", default=absent, help="for one session (default: Kaggle's own)"
    )
    group.add_argument(
        "--internet", action="store_true", default=absent, help="kernels may use the internet (default: not)"
    )
    group.add_argument(
        "--docker-image",
        metavar="IMAGE",
        default=absent,
        help="pin kernels to an image (default: the newest)",
    )
    group.add_argument(
        "--kaggle-dataset-limit",
        metavar="GB",
        type=float,
        default=absent,
        help=f"the largest split that is uploaded{_default('kaggle_dataset_limit')}",
    )
    group.add_argument(
        "--attach-competition",
        action="store_true",
        default=absent,
        help="attach the competition instead of uploading the split, where rules forbid that;"
        " labels can be read then, and scores are marked",
    )
    group.add_argument(
        "--kaggle-gpu-sessions",
        metavar="N",
        type=int,
        default=absent,
        help=f"kernels with an accelerator at once{_default('kaggle_gpu_sessions')}",
    )
    group.add_argument(
        "--kaggle-cpu-sessions",
        metavar="N",
        type=int,
        default=absent,
        help=f"other kernels at once{_default('kaggle_cpu_sessions')}",
    )


def _add_limits(group: argparse._ArgumentGroup) -> None:
    absent = argparse.SUPPRESS
    group.add_argument(
        "--max-cost",
        metavar="DOLLARS",
        type=_money,
        default=absent,
        help=f"for model calls, or none (default: {DEFAULT_MAX_DOLLARS:g} where the model's price is known)",
    )
    group.add_argument(
        "--max-tokens",
        metavar="N",
        type=int,
        default=absent,
        help="prompt and completion tokens of the run (default: no limit)",
    )
    group.add_argument(
        "--agent-max-cost", metavar="DOLLARS", type=float, default=absent, help="for one coding agent"
    )
    group.add_argument(
        "--agent-max-tokens", metavar="N", type=int, default=absent, help="for one coding agent"
    )
    group.add_argument(
        "--agent-time-limit",
        metavar="30m",
        default=absent,
        help="for one coding agent (default: its share of the run's)",
    )


def _default(setting: str) -> str:
    """` (default: …)`, for the end of a setting's help; presets may say otherwise."""
    value = RunConfig(competition="").as_dict()[setting]
    return f" (default: {f'{value / 3600:g}h' if setting.endswith('time_limit') else value})"


def _money(text: str) -> float:
    """Infinity for `none`: no limit, which differs from a limit that was not typed."""
    if text.lower() == "none":
        return math.inf
    try:
        return float(text.removeprefix("$"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of dollars") from None
