"""The command line's grammar: an argparse parser and nothing else, so that `--help` costs nothing."""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any

from comind.config import DEFAULT_MAX_DOLLARS, RunConfig
from kaggle_runner.command_line import Parser
from kaggle_runner.console import put

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
    "inspect": "what a competition's files are, its metric, and what is missing, before anything is spent",
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
    "env": "make, show or remove an environment for notebooks, with what Kaggle's have",
    "doctor": "check what this machine has and lacks",
}
_STATE = "where runs live (default: state)"
_RUN = "its id or a beginning of it; else the newest"
_PAGE = "its slug, or the address of its page; else the newest run's"
_WHICH_KAGGLE = "which Kaggle (default: $COMIND_KAGGLE_URL, else kaggle.com)"
_OF_RUNS = ("attach", "resume", "show", "ideas", "reports", "leaderboard", "recording", "reproduce")


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
    version = "show program's version number and exit"
    parser.add_argument("--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help=version)
    told = "run on Kaggle's machines: short for run COMPETITION --executor kaggle --headless"
    _option(parser, "--kaggle-push", "COMPETITION", told)
    _option(parser, "--state", "DIR", _STATE)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    made = {name: commands.add_parser(name, help=text, description=text) for name, text in COMMANDS.items()}
    for command in made.values():
        _option(command, "--state", "DIR", _STATE)
        command.add_argument("--json", action="store_true", help="data as JSON on stdout")
    _add_run_options(made["run"])
    told = "a competition's slug, or a folder (written with a /)"
    made["inspect"].add_argument("competition", metavar="COMPETITION|FOLDER", help=told)
    _add_data_options(made["inspect"])
    _add_submit_options(made["submit"])
    for name in ("submissions", "ranks"):
        made[name].add_argument("competition", metavar="COMPETITION", nargs="?", help=_PAGE)
    for name in (*_OF_RUNS, "submit", "export"):
        made[name].add_argument("run_id", metavar="RUN", nargs="?", help=_RUN)
    for name in ("ideas", "reports", "competitions"):
        _option(made[name], "--search", "TEXT", "only those with these words", default="")
    _switch(made["resume"], "--headless", "in the foreground, plain lines", default=False)
    told = "default: RUN.jsonl.gz here; gzipped when it ends in .gz"
    made["recording"].add_argument("-o", "--output", metavar="FILE", help=told)
    told = "what to run it in (default: what the run's notebooks ran in)"
    _option(made["reproduce"], "--python", "PATH", told, default="")
    _add_ranks_options(made["ranks"])
    told = "ask no Kaggle; show what was listed last"
    _switch(made["competitions"], "--offline", told, default=False)
    _add_export_options(made["export"])
    _add_env_options(made["env"])
    _option(made["doctor"], "--base-url", "URL", "also check this model endpoint", default=None)
    told = "what notebooks would run in (default: as for run)"
    _option(made["doctor"], "--python", "PATH", told, default="")
    told = "also check all that taking part in it at Kaggle needs"
    _option(made["doctor"], "--competition", "SLUG", told, default="")
    for name in ("run", "inspect", "submit", "submissions", "ranks", "export", "doctor"):
        _option(made[name], "--kaggle-url", "URL", _WHICH_KAGGLE)
    return parser


def _option(parser: argparse._ActionsContainer, name: str, metavar: str, told: str, **more: Any) -> None:
    """With a value; absent from the namespace when it was not typed, unless `more` has a default."""
    parser.add_argument(name, metavar=metavar, help=told, **{"default": argparse.SUPPRESS, **more})


def _switch(parser: argparse._ActionsContainer, name: str, told: str, **more: Any) -> None:
    """Without a value; absent in the same way."""
    parser.add_argument(name, action="store_true", help=told, **{"default": argparse.SUPPRESS, **more})


def _add_submit_options(parser: Parser) -> None:
    _switch(parser, "--dry-run", "show what would be sent, and send nothing", default=False)
    _switch(parser, "--yes", "ask nobody, and send only what the governor finds worth it", default=False)
    _option(parser, "--message", "TEXT", "stands in the submission's description too", default="")


def _add_export_options(parser: Parser) -> None:
    told = "as a notebook and a dataset that holds CoMind"
    _switch(parser, "--kaggle-notebook", told, default=False)
    _option(parser, "--out", "DIR", "where to write (default: RUN-kaggle)", default="")
    _switch(parser, "--push", "send both to Kaggle, which starts the notebook", default=False)
    _option(parser, "--user", "NAME", "your name there (default: the token's)", default="")
    told = "none, T4, L4, A100, H100 or a machine shape of Kaggle's (default: T4, none with --offline)"
    _option(parser, "--accelerator", "NAME", told, default="")
    _option(parser, "--after", "OWNER/SLUG", "go on from the output of this notebook's session", default="")
    _option(parser, "--session-time", "8h", "at most (default: Kaggle's own)", default="")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    told = "also upload all packages for this version of Python, for sessions without internet"
    _option(parser, "--with-dependencies", "PYTHON", told, nargs="?", const=here, default="")


def _add_data_options(parser: argparse._ActionsContainer) -> None:
    _option(parser, "--metric", "NAME", "score by this metric (docs/metrics.md), whatever the pages say")
    told = "score by a file of your own: HIGHER_IS_BETTER and score(truth, submission)"
    _option(parser, "--metric-file", "FILE.py", told)
    _option(parser, "--target", "COLUMN", "what is to be predicted")
    _option(parser, "--id-column", "COLUMN", "what names a row")
    _option(parser, "--positive-class", "LABEL", "the label that counts as 1")
    told = "which file is sample, train, test or labels; may be repeated"
    _option(parser, "--file", "ROLE=NAME", told, action="append", dest="files")


def _add_env_options(parser: Parser) -> None:
    parser.add_argument("action", choices=("create", "show", "remove"), help="one a state folder")
    build = parser.add_mutually_exclusive_group()
    _switch(build, "--cpu", "leave out what is not to be had as a CPU build (default)", default=False)
    _switch(build, "--cuda", "torch and xgboost with CUDA: about 8 GB", default=False)
    _option(parser, "--path", "DIR", "where it is made (default: in the state folder)", default="")
    _option(parser, "--base-python", "PATH", "what it is made of (default: CoMind's own Python)", default="")
    _option(parser, "--list", "FILE", "NAME==VERSION lines in place of Kaggle's set", default="")


def _add_ranks_options(parser: Parser) -> None:
    _option(parser, "--every", "60s", "between two looks, at least 30s (default: 60s)", default="60s")
    _switch(parser, "--once", "one look; exit code 1 when the team is not on the board yet", default=False)
    _option(parser, "--team", "NAME", "a team by its name (default: the one you are in)", default="")


def _add_run_options(parser: Parser) -> None:
    told = "a competition's slug, or a folder with its files (written with a /)"
    _option(parser, "competition", "COMPETITION|FOLDER", told, nargs="?")
    _add_data_options(parser.add_argument_group("what is found in the data, corrected (see inspect)"))
    _option(parser, "--config", "FILE", "a YAML file of settings; typed options win over it", default=None)
    _switch(parser, "--headless", "in the foreground, plain lines, no screens", default=False)
    told = "submit to the leaderboard after each round what is worth it (default: nothing is submitted)"
    _switch(parser, "--submit", told)
    told = "read kernels and discussions anew, however young what was read before is"
    _switch(parser, "--refresh-community", told)
    _add_model_options(parser.add_argument_group("the language model"))
    size = parser.add_argument_group("the size of the run")
    _add_size_options(size)
    _add_limits(size)
    _add_kaggle_options(parser.add_argument_group("kernels at Kaggle (--executor kaggle)"))


def _add_model_options(group: argparse._ArgumentGroup) -> None:
    _switch(group, "--offline", "recipes instead of a language model")
    _option(group, "--replay", "FILE|RUN", "replies of a recording instead of a model")
    _option(group, "--model", "M", f"name of the model{_default('model')}")
    _option(group, "--base-url", "U", "OpenAI-compatible address (default: OpenAI's)")
    told = "another model for one role; may be repeated"
    _option(group, "--role-model", "ROLE=MODEL[@URL]", told, dest="role_models", action="append")
    told = "answers when the model cannot any more; may be repeated, in order"
    _option(group, "--fallback-model", "MODEL[@URL]", told, dest="fallback_models", action="append")
    _option(group, "--preset", "NAME", "paper or small-model (docs/settings.md)")


def _add_size_options(group: argparse._ArgumentGroup) -> None:
    _option(group, "--coders", "N", f"coding agents side by side{_default('coders')}", type=int)
    _option(group, "--rounds", "R", f"rounds at most{_default('rounds')}", type=int)
    _option(group, "--steps", "N", f"cells of one coding agent{_default('steps')}", type=int)
    _option(group, "--time-limit", "2h", f"for the whole run{_default('time_limit')}")
    _option(group, "--cell-time-limit", "1h", f"for one cell{_default('cell_time_limit')}")
    _option(group, "--seed", "S", f"of what is drawn by chance{_default('seed')}", type=int)
    _option(group, "--executor", "WHERE", "local or kaggle, where notebooks run (default: local)")
    told = "what notebooks run in (default: what `env create` made, else CoMind's own, called engine)"
    _option(group, "--python", "PATH", told)
    told = "notebooks may install packages, from the indexes that pip is set up with (default: not)"
    _switch(group, "--allow-packages", told)


def _add_kaggle_options(group: argparse._ArgumentGroup) -> None:
    told = "auto, none, T4, L4, A100, H100, TPU or a machine shape of Kaggle's"
    _option(group, "--accelerator", "NAME", f"{told} (default: auto, a GPU where the notebook can use one)")
    told = "refuse, or cpu: what the run's own MLE-Live does with a kernel that wants a GPU"
    _option(group, "--gpu-kernels", "WHAT", f"{told} (default: refuse where this machine has none)")
    _option(group, "--kernel-time-limit", "2h", "for one session (default: Kaggle's own)")
    _switch(group, "--internet", "kernels may use the internet (default: not)")
    _option(group, "--docker-image", "IMAGE", "pin kernels to an image (default: the newest)")
    told = f"the largest split that is uploaded{_default('kaggle_dataset_limit')}"
    _option(group, "--kaggle-dataset-limit", "GB", told, type=float)
    told = "attach the competition instead of uploading the split, where rules forbid that;"
    _switch(group, "--attach-competition", f"{told} labels can be read then, and scores are marked")
    told = f"kernels with an accelerator at once{_default('kaggle_gpu_sessions')}"
    _option(group, "--kaggle-gpu-sessions", "N", told, type=int)
    told = f"other kernels at once{_default('kaggle_cpu_sessions')}"
    _option(group, "--kaggle-cpu-sessions", "N", told, type=int)


def _add_limits(group: argparse._ArgumentGroup) -> None:
    told = f"for model calls, or none (default: {DEFAULT_MAX_DOLLARS:g} where the model's price is known)"
    _option(group, "--max-cost", "DOLLARS", told, type=_money)
    told = "prompt and completion tokens of the run (default: no limit)"
    _option(group, "--max-tokens", "N", told, type=int)
    _option(group, "--agent-max-cost", "DOLLARS", "for one coding agent", type=float)
    _option(group, "--agent-max-tokens", "N", "for one coding agent", type=int)
    _option(group, "--agent-time-limit", "30m", "for one coding agent (default: its share of the run's)")


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
