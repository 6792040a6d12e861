"""What a run is asked to do: one frozen dataclass, from defaults < preset < YAML file < command line.

`Settings` are read as they are, of any run; a `RunConfig` is what a run may begin or go on with: checked.

No secrets live here: keys come from the environment and are read by `comind.llm.endpoints` only.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from kaggle_runner.errors import ConfigError
from kaggle_runner.inside_kaggle import CPU_SESSION_SECONDS
from mle_live.layout import NAMED_ROLES

Role = Literal["coordinator", "analyzer", "proposer", "coder", "monitor", "evaluator"]
ROLES: tuple[Role, ...] = get_args(Role)
ExecutorName = Literal["local", "kaggle"]
Coding = Literal["notebook", "script"]
ACCELERATORS: dict[str, str] = {
    "none": "",
    "T4": "NvidiaTeslaT4",  # two of them: Kaggle has no machine with one
    "L4": "NvidiaL4",
    "A100": "NvidiaTeslaA100",
    "H100": "NvidiaH100",
    "TPU": "TpuV5E8",
}
"""Short names → Kaggle's machine shapes; other shapes are passed on as they are written."""


def shape_named(name: str) -> str:
    """The machine shape of a short name, in any case of letters; other names as they are."""
    return {short.lower(): shape for short, shape in ACCELERATORS.items()}.get(name.lower(), name)


DEFAULT_MODEL = "gpt-5.4-mini"
DEFAULT_MAX_DOLLARS = 5.0
ENGINE_PYTHON = "engine"
"""The name of the engine's own interpreter, as a Python for notebooks."""

PRESETS: dict[str, dict[str, Any]] = {
    # the setting of the paper's experiments; its model is served by some gateways only
    "paper": {"model": "o4-mini-2025-04-16", "coders": 4, "time_limit": 86400.0, "steps": 30},
    # models with a short context on a small machine
    "small-model": {
        "coders": 2,
        "coding": "script",
        "steps": 40,
        "sample_kernels": 4,
        "sample_discussions": 1,
        "context_tokens": 8192,
        "reply_tokens": 1536,
        "concurrency": 2,
        "call_time_limit": 1800.0,
        "temperature": 0.7,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of a run. Names are the YAML keys; the command line spells them with dashes."""

    competition: str
    """A competition's slug, or a path to a folder with its files (it then holds a `/` or is `.`)."""
    metric: str = ""
    """A name of docs/metrics.md; empty: what the competition says."""
    metric_file: str = ""
    """A file with a metric of one's own, in the form of an evaluate.py (comind.evaluator.metric_file)."""
    target: str = ""
    """The column to be predicted; empty: found in the data, as are the three below."""
    id_column: str = ""
    """The column that names a row."""
    positive_class: str = ""
    """The label that counts as 1, where labels are words and a submission wants numbers."""
    files: dict[str, str] = field(default_factory=dict)
    """Role (sample, train, test, labels) → name of the file in the competition's data."""
    offline: bool = False
    """Use the recipes instead of a language model."""
    replay: str = ""
    """A recording's file, or a run's id in the state folder: its replies answer, no model is asked."""
    model: str = DEFAULT_MODEL
    base_url: str = ""
    """An OpenAI-compatible address; empty is OpenAI's own."""
    role_models: dict[str, str] = field(default_factory=dict)
    """role → `MODEL` or `MODEL@URL`."""
    fallback_models: list[str] = field(default_factory=list)
    """`MODEL` or `MODEL@URL`, in order: who answers when a role's own model cannot any more."""
    concurrency: int = 8
    """Requests in flight at one address."""
    requests_per_minute: int | None = None
    """At one address; None follows what the server asks for."""
    tokens_per_minute: int | None = None
    """Prompt and reserved completion tokens at one address."""
    call_time_limit: float = 600.0
    """Seconds from sending one request to its last byte."""
    temperature: float | None = None
    """None leaves it to the model; reasoning models take no other."""
    prices: dict[str, dict[str, float]] = field(default_factory=dict)
    """model → {input, output, cached} in dollars per million tokens, for models of unknown price."""
    preset: str = ""
    coders: int = 4
    rounds: int = 3
    steps: int = 30
    """Cells of one coding agent (the CoMind paper has 30)."""
    time_limit: float = 86400.0
    """Seconds for the whole run, pauses excluded."""
    cell_time_limit: float = 18000.0
    """Seconds for one cell."""
    max_cost: float | None = None
    """Dollars for model calls; None is 5 where the model's price is known, and no limit where it is not.
    Infinity (`none` on the command line and in YAML) is no limit."""
    max_tokens: int | None = None
    """Prompt and completion tokens of the whole run; None is no limit."""
    agent_max_cost: float | None = None
    """Dollars of one coding agent."""
    agent_max_tokens: int | None = None
    """Tokens of one coding agent."""
    agent_time_limit: float | None = None
    """Seconds of one coding agent; None is its share of the run's time."""
    seed: int = 0
    executor: ExecutorName = "local"
    """`local`: notebooks run on this machine. `kaggle`: rehearsed here, run as private kernels."""
    python: str = ""
    """What notebooks run in: a Python's path, a name on PATH, a virtual environment's folder, or `engine` for
    the engine's own. Empty: the environment that `env create` made, else the engine's."""
    submit: bool = False
    """After each round, submit to the leaderboard what is worth it (kaggle_runner.submissions.governor)."""
    kaggle_url: str = ""
    """Another address that speaks Kaggle's protocol; empty: see comind.community.upstream."""
    accelerator: str = "auto"
    """Of a pushed kernel: `auto` (a GPU for notebooks that can use one), `none`, a name of ACCELERATORS, or
    one of Kaggle's machine shapes."""
    gpu_kernels: str = ""
    """What the run's own MLE-Live does with a push that wants a GPU: `refuse`, `cpu` (it runs on the CPU, and
    says so); empty: it runs where this machine has a GPU, and is refused where not."""
    kernel_time_limit: float | None = None
    """Seconds of one session at Kaggle; None is what Kaggle allows, 12 hours, or 9 with an accelerator."""
    internet: bool = False
    """Whether pushed kernels may use the internet."""
    allow_packages: bool = False
    """Whether notebooks may install packages here, from pip's own indexes and nowhere else."""
    docker_image: str = ""
    """The image that pushed kernels are pinned to; empty is Kaggle's newest."""
    kaggle_dataset_limit: float = 20.0
    """Gigabytes of the private dataset that the split may become; a larger one is refused."""
    attach_competition: bool = False
    """Attach the competition to pushed kernels rather than upload the split. Its files hold the validation
    labels, so the run is marked: its scores cannot be compared with other runs'."""
    kaggle_gpu_sessions: int = 2
    """Kernels with an accelerator at once."""
    kaggle_cpu_sessions: int = 5
    top_kernels: int = 10
    """Kernels taken from each of upstream's two lists, by votes and by score (k_kernel)."""
    top_discussions: int = 10
    community_hours: float = 6.0
    """How old what was read of a Kaggle's community may be before it is read again; lists and discussions."""
    refresh_community: bool = False
    """Read it anew whatever its age."""
    community_limit: float = 1.0
    """Gigabytes of public kernels' outputs and datasets that are fetched; 0 fetches none."""
    sample_kernels: int = 4
    """Kernels analysed a round."""
    verify_kernels: bool = True
    """Run each sampled kernel on our own split, for a score that can be compared."""
    coding: Coding = "notebook"
    """`notebook`: cells in one live notebook, as in the paper. `script`: whole Kaggle scripts that change a
    verified kernel, without the roles in between; for small models."""
    sample_discussions: int = 3
    validation_fraction: float | None = None
    """Share of the training rows held out; None chooses by size (see comind.evaluator)."""
    plateau_rounds: int = 3
    """Stop after so many rounds in a row without a gain beyond noise; 0 never stops."""
    context_tokens: int = 128_000
    reply_tokens: int = 16_000
    cpu_threads: int = 0
    """Threads for each agent's kernel; 0 shares the machine's cores among the agents."""
    memory_limit: int | None = None
    """Bytes a kernel may use; None shares the machine's memory among the agents."""

    @property
    def machine_shape(self) -> str:
        """Kaggle's word for `accelerator`; empty for a CPU, for `auto`, and for a name that is none."""
        shape = shape_named(self.accelerator)
        known = shape in ACCELERATORS.values() or re.fullmatch(r"(Nvidia|Tpu)\w{2,40}", shape)
        return shape if known else ""

    @property
    def notebook_python(self) -> Path | None:
        """Of a run that was made; None: the engine's own."""
        return None if self.python in ("", ENGINE_PYTHON) else Path(self.python)

    def threads(self, cpus: int) -> int:
        """Threads of one agent's kernel on a machine with so many cores."""
        return self.cpu_threads or max(1, cpus // self.coders)

    @property
    def is_folder(self) -> bool:
        """Whether `competition` names a folder rather than a slug."""
        return "/" in self.competition or self.competition in (".", "..")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig(Settings):
    """Settings that fit together, each within its bounds; else ConfigError."""

    def __post_init__(self) -> None:
        self._check_numbers()
        if self.preset and self.preset not in PRESETS:
            told = f"There is no preset {self.preset!r}.{_near(self.preset, PRESETS)}"
            raise ConfigError(told, hint=f"Presets: {', '.join(PRESETS)}.")
        if self.executor not in get_args(ExecutorName):
            raise ConfigError(f"There is no executor {self.executor!r}.", hint="Executors: local, kaggle.")
        if self.coding not in get_args(Coding):
            raise ConfigError(f"coding is {self.coding!r}; it is either notebook or script.")
        if self.metric and self.metric_file:
            raise ConfigError(
                "--metric and --metric-file exclude each other.", hint="Leave one of them away."
            )
        if odd := set(self.files) - set(NAMED_ROLES):
            raise ConfigError(
                f"files names a role {min(odd)!r} that there is not.{_near(min(odd), NAMED_ROLES)}",
                hint=f"Roles of files: {', '.join(NAMED_ROLES)}.",
            )
        self._check_kaggle()
        for role in self.role_models:
            if role not in ROLES:
                raise ConfigError(
                    f"There is no role {role!r}.{_near(role, ROLES)}", hint=f"Roles: {', '.join(ROLES)}."
                )

    def _check_kaggle(self) -> None:
        if self.executor == "kaggle" and self.coding != "notebook":
            raise ConfigError(
                "Kernels at Kaggle are notebooks; scripts cannot be pushed.",
                hint="Leave --preset small-model or `coding: script` away, or run with --executor local.",
            )
        if self.attach_competition and self.executor != "kaggle":
            raise ConfigError("attach_competition says how kernels are pushed; it needs --executor kaggle.")
        if self.executor == "kaggle" and self.allow_packages and not self.internet:
            raise ConfigError("What is installed here must be had at Kaggle too: --internet is needed.")
        if self.accelerator.lower() not in ("auto", "none") and not self.machine_shape:
            raise ConfigError(
                f"There is no accelerator {self.accelerator!r}.",
                hint=f"auto, {', '.join(ACCELERATORS)}, or a machine shape such as NvidiaTeslaT4.",
            )
        if self.gpu_kernels not in ("", "refuse", "cpu"):
            raise ConfigError(f"gpu_kernels is {self.gpu_kernels!r}; it is either refuse or cpu.")

    def _check_numbers(self) -> None:
        for name, low, high in (
            ("coders", 1, 64),
            ("rounds", 1, 1000),
            ("steps", 1, 500),
            ("time_limit", 10, 60 * 86400),
            ("cell_time_limit", 1, 60 * 86400),
            ("top_kernels", 0, 200),
            ("top_discussions", 0, 200),
            ("community_hours", 0, 100_000),
            ("community_limit", 0, 10_000),
            ("sample_kernels", 0, 100),
            ("sample_discussions", 0, 100),
            ("concurrency", 1, 1000),
            ("call_time_limit", 1, 86400),
            ("requests_per_minute", 1, 10**6),
            ("tokens_per_minute", 1000, 10**9),
            ("agent_time_limit", 10, 60 * 86400),
            ("agent_max_cost", 0, 10**6),
            ("agent_max_tokens", 0, 10**12),
            ("max_tokens", 0, 10**12),
            ("seed", 0, 2**32 - 1),
            ("validation_fraction", 0.01, 0.5),
            ("plateau_rounds", 0, 1000),
            ("kernel_time_limit", 60, CPU_SESSION_SECONDS),
            ("kaggle_dataset_limit", 0.001, 10_000),
            ("kaggle_gpu_sessions", 1, 20),
            ("kaggle_cpu_sessions", 1, 100),
            ("cpu_threads", 0, 4096),
            ("memory_limit", 100_000_000, 10**15),
            ("temperature", 0, 2),
            ("context_tokens", 4096, 10_000_000),
            ("reply_tokens", 256, 1_000_000),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ConfigError(f"{name} is {value!r}; it must lie between {low} and {high}.")
        if self.max_cost is not None and not self.max_cost >= 0:
            raise ConfigError(f"max_cost is {self.max_cost!r} dollars; it cannot be negative.")

    def anchored(self) -> RunConfig:
        """The same with whole paths, which an engine finds wherever it is started."""
        competition, metric_file = self.competition, self.metric_file
        if self.is_folder:
            competition = f"{Path(competition).expanduser().resolve()}/"
        if metric_file:
            metric_file = str(Path(metric_file).expanduser().resolve())
        return replace(self, competition=competition, metric_file=metric_file)


def load_config(
    file: Path | None, typed: Mapping[str, Any], recorded: Mapping[str, Any] | None = None
) -> RunConfig:
    """Defaults, then a recording's settings, the preset, the YAML file, and what was typed."""
    from_file = _read_yaml(file) if file else {}
    preset = str(typed.get("preset") or from_file.get("preset") or "")
    merged = {**(recorded or {}), **PRESETS.get(preset, {}), **from_file, **typed}
    if named := {"metric", "metric_file"} & typed.keys():  # what is typed beats either of the two below it
        merged |= {"metric": "", "metric_file": ""} | {name: typed[name] for name in named}
    if not merged.get("competition"):
        raise ConfigError("No competition was named.", hint="`comind-tui competitions` lists what there is.")
    return from_mapping(merged, where=str(file) if file else "the command line")


def from_mapping(values: Mapping[str, Any], *, where: str) -> RunConfig:
    """A checked RunConfig; unknown keys and wrong types name themselves."""
    known = _types()
    checked: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{where}: unknown setting {key!r}.{_near(key, known)}")
        checked[key] = _coerce(key, value, where)
    return RunConfig(**checked)


def kept_settings(values: Mapping[str, Any]) -> Settings:
    """Of a run of any version: unknown keys are left out, and a default stands for a wrong type."""
    known: dict[str, Any] = {"competition": ""}
    for item in fields(Settings):
        if item.name in values:
            with suppress(ConfigError):
                known[item.name] = _coerce(item.name, values[item.name], "the run's row")
    return Settings(**known)


def parse_duration(text: str | float) -> float:
    """Seconds from `90`, `90s`, `15m`, `2h`, `1.5d` or sums such as `1h30m`."""
    if isinstance(text, int | float):
        return float(text)
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip().lower())
    if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*([smhd]?)\s*", "", text.strip().lower()):
        raise ConfigError(f"{text!r} is not a duration.", hint="Write for instance 90s, 15m, 2h or 1h30m.")
    return sum(float(number) * units[unit] for number, unit in parts)


@cache
def _types() -> Mapping[str, Any]:
    """By setting. Words out of a few are texts here, whether one is known is RunConfig's question; what is
    wrong in a price is told by `comind.llm.prices`."""
    hints = get_type_hints(Settings) | {"prices": dict}
    return {name: str if get_origin(hint) is Literal else hint for name, hint in hints.items()}


def _coerce(key: str, value: Any, where: str) -> Any:
    import msgspec  # settings are made for `--help` too, and it is slow to import

    if key.endswith("time_limit") and isinstance(value, str | int | float):
        return parse_duration(value)
    if key == "max_cost" and isinstance(value, str) and value.lower() == "none":
        return math.inf
    try:
        return msgspec.convert(value, _types()[key])
    except msgspec.ValidationError as error:
        wanted = Settings.__annotations__[key]
        raise ConfigError(f"{where}: {key} is {value!r}, but it must be of type {wanted}.") from error


def _read_yaml(file: Path) -> dict[str, Any]:
    import yaml

    try:
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The config file {file} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"The config file {file} is not valid YAML: {error}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(
            f"The config file {file} must hold `setting: value` lines, not a {type(loaded).__name__}."
        )
    return {str(key).replace("-", "_"): value for key, value in loaded.items()}


def _near(word: str, choices: Any) -> str:
    found = difflib.get_close_matches(word, list(choices), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""
