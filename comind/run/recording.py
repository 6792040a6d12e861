"""A run's replies as a file: written from its database, read to answer a new run without any model.

JSON lines, gzipped when the name ends in `.gz`. The first line is the header: format, competition, settings,
package versions. Every further line is one reply under its key. Prompts are kept as digests only. No key, no
address and no path of a machine is written. Who answers from a recording is `comind.run.recorded`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from comind.config import Settings
from comind.run.window import fitted_config
from comind.state.reader import reading
from comind.state.records import EndpointFacts, LlmCall, Run
from comind.state.runs import RunFolder, find_run, read_run
from kaggle_runner.errors import ConfigError, RunNotFound, StateUnwritable
from kaggle_runner.files import write_whole
from kaggle_runner.interpreter import examine
from kaggle_runner.redaction import without_secrets
from kaggle_runner.texts import whole_characters

FORMAT = "comind-recording"
FORMAT_VERSION = 1
_LABEL = "recording of "
_GZIP = b"\x1f\x8b"
_SECRETS = ("OPENAI_API_KEY", "COMIND_API_KEY", "KAGGLE_API_TOKEN", "KAGGLE_KEY")
_OF_THE_MODEL = (
    "offline", "base_url", "role_models", "fallback_models", "prices", "max_cost", "max_tokens",
    "agent_max_cost", "agent_max_tokens", "requests_per_minute", "tokens_per_minute", "replay", "python",
)  # fmt: skip
"""Settings that say where replies came from, what they might cost, where cells ran: a replay needs none."""
_TYPES: dict[str, tuple[type, ...]] = {"usage": (dict,), "seconds": (int, float)}
"""Of a reply's fields; the others are texts."""
_OF_CELLS = ("numpy", "pandas", "scipy", "scikit-learn", "torch")
_PACKAGES = ("comind", "openai", "ipykernel", *_OF_CELLS)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One reply of a recording."""

    key: str
    """`agent/step/kind/attempt` (comind.llm.client.CallKey)."""
    role: str
    kind: str
    messages: str
    """SHA-256 of the prompt's messages, in hexadecimal."""
    reply: str
    finish_reason: str
    usage: dict[str, int]
    model: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Recording:
    """A header and replies, as in the file."""

    competition: str
    """The competition's slug."""
    run: str
    """Id of the recorded run."""
    model: str
    """As that run showed it to people."""
    seed: int
    config: dict[str, Any]
    """Its settings without the model's and without paths."""
    packages: dict[str, str]
    replies: dict[str, Recorded] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The model's name as a replay shows it."""
        return recorded_name(self.model)

    def write(self, path: Path) -> None:
        """Raises StateUnwritable when the file cannot be written."""
        header = {
            "format": FORMAT, "version": FORMAT_VERSION, "competition": self.competition, "run": self.run,
            "model": self.model, "seed": self.seed, "config": self.config, "packages": self.packages,
            "replies": len(self.replies),
        }  # fmt: skip
        lines = [header, *map(asdict, self.replies.values())]
        data = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        try:
            # without the time of writing, so that the same run gives the same bytes
            write_whole(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
        except OSError as error:
            raise StateUnwritable(
                f"The recording {path} cannot be written: {error.strerror or error}.",
                hint="Choose another file with -o FILE.",
            ) from error


def recorded_name(model: str) -> str:
    """`recording of MODEL`, said once however often a replay was recorded again."""
    return model if model.startswith(_LABEL) else _LABEL + model


def messages_digest(messages: Sequence[Mapping[str, str]]) -> str:
    """SHA-256 over the messages as canonical JSON; half a surrogate pair counts as the store keeps it."""
    text = json.dumps([dict(one) for one in messages], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(whole_characters(text).encode()).hexdigest()


def record_run(folder: RunFolder, environment: Mapping[str, str] = os.environ) -> Recording:
    """The replies of a run so far, whether it has ended or not. RunNotFound when it holds none."""
    with reading(folder.database) as reader:
        run = reader.run()
        calls = reader.all(LlmCall)
        facts = reader.all(EndpointFacts)
    if run is None or not calls:
        raise RunNotFound(
            f"Run {folder.id} has no recorded reply yet.", hint="`comind-tui runs` lists the runs there are."
        )
    secrets = _secrets(environment)
    return Recording(
        competition=run.competition,
        run=run.id,
        model=run.model,
        seed=run.settings.seed,
        config=_shareable(run, facts),
        packages=package_versions(run.settings.notebook_python),
        replies={call.id: _from_call(call, secrets) for call in calls},
    )


def read_recording(path: Path) -> Recording:
    """Raises ConfigError, with the line, for a file that is not a recording."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data.startswith(_GZIP) else data).decode()
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ConfigError(
            f"The recording {path} cannot be read: {error}.", hint="`comind-tui recording RUN` writes one."
        ) from error
    lines = _documents(text, path)
    header = next(lines, {})
    if header.get("format") != FORMAT or header.get("version") != FORMAT_VERSION:
        raise ConfigError(
            f"{path} is not a recording that this version can read.",
            hint="`comind-tui recording RUN` writes one from a run.",
        )
    try:
        replies = {one.key: one for one in map(_from_line, lines)}
        if len(replies) < (written := int(header["replies"])):
            raise ConfigError(
                f"The recording {path} was cut short: it holds {len(replies)} of {written} replies.",
                hint="Copy it again; if replies were left out on purpose, mend the number in the first line.",
            )
        return Recording(
            competition=str(header["competition"]), run=str(header["run"]), model=str(header["model"]),
            seed=int(header["seed"]), config=dict(header["config"]), packages=dict(header["packages"]),
            replies=replies,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"The recording {path} lacks or misspells a field: {error}.") from error


def open_recording(source: str, state: Path) -> Recording:
    """From a file, or from the database of a run in the state folder when no file has that name."""
    path = Path(source).expanduser()
    if path.is_file():
        return read_recording(path)
    try:
        return record_run(find_run(state, source))
    except RunNotFound as error:
        raise RunNotFound(
            f"There is no recording {source!r}: no file of that name, and no run of that id in {state}.",
            hint=error.hint,
        ) from error


def recording_of(source: str, state: Path, slug: str) -> Recording:
    """The recording for a replay on the competition `slug`; ConfigError when it is of another one."""
    recording = open_recording(source, state)
    if recording.competition != slug:
        raise ConfigError(
            f"The recording is of the competition {recording.competition!r}, not of {slug!r}.",
            hint=f"Its code reads /kaggle/input/{recording.competition}: name that competition or folder.",
        )
    return recording


def settings_of(source: str, state: Path) -> dict[str, Any]:
    """The settings a replay begins with. A run of this state folder also tells where its data lies."""
    recording = open_recording(source, state)
    known = Settings.__dataclass_fields__
    settings = {name: value for name, value in recording.config.items() if name in known}
    for leave in ("submit", "allow_packages"):  # it is given anew each time
        settings.pop(leave, None)
    if Path(source).expanduser().is_file():
        return {**settings, "replay": str(Path(source).expanduser().resolve())}
    folder = find_run(state, source)
    return {**settings, "competition": read_run(folder).settings.competition, "replay": folder.id}


def versions_that_differ(recording: Recording, python: Path | None) -> list[str]:
    """`scikit-learn 1.9.0 (recorded with 1.8.1)`, for each package that may change what cells give."""
    here = package_versions(python)
    return [
        f"{name} {here.get(name, 'missing')} (recorded with {there})"
        for name, there in recording.packages.items()
        if here.get(name) != there
    ]


def package_versions(python: Path | None = None) -> dict[str, str]:
    """Versions of ourselves and of what cells mostly use; what is not installed is left out.

    `python` is where cells run, when it is not this one.
    """
    found: dict[str, str] = {}
    if python is not None:
        theirs = examine(python).packages
        return package_versions() | {name: theirs.get(name, "missing") for name in _OF_CELLS}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a replay's questions compare with the recorded ones."""

    same: int = 0
    different: int = 0
    """Answered all the same: prompts tell times, and times differ."""
    not_asked: int = 0
    """Recorded, but not asked for in the replay."""

    def __str__(self) -> str:
        why = " (prompts tell the time that is left)" if self.different else ""
        told = f"Replayed {self.same + self.different} replies: {self.same} prompts as recorded, "
        told += f"{self.different} different{why}"
        return told + (f"; {self.not_asked} recorded replies were not asked for" if self.not_asked else "")


def compare(recording: Recording, calls: Sequence[LlmCall]) -> Comparison:
    """Over all of a replay's answered questions, those of its earlier engines included."""
    asked = {call.id: messages_digest(call.messages) for call in calls if call.id in recording.replies}
    same = sum(recording.replies[key].messages == digest for key, digest in asked.items())
    usable = sum("/unusable-" not in key for key in recording.replies)
    return Comparison(same, len(asked) - same, usable - len(asked))


def describe_replay(folder: RunFolder, calls: Sequence[LlmCall]) -> str:
    """What people are told at the end of a replay."""
    recording = read_recording(folder.recording)
    told = str(compare(recording, calls))
    others = versions_that_differ(recording, read_run(folder).settings.notebook_python)
    return told + (f". Versions differ: {', '.join(others)}" if others else "")


def _from_call(call: LlmCall, secrets: Sequence[str]) -> Recorded:
    reply = without_secrets(call.reply, secrets)
    usage = {
        "prompt_tokens": call.prompt_tokens, "cached_tokens": call.cached_tokens,
        "completion_tokens": call.completion_tokens, "reasoning_tokens": call.reasoning_tokens,
    }  # fmt: skip
    return Recorded(
        key=call.id, role=call.role, kind=call.kind, messages=messages_digest(call.messages), reply=reply,
        finish_reason=call.finish_reason, usage=usage, model=call.model, seconds=call.seconds,
    )  # fmt: skip


def _shareable(run: Run, facts: Sequence[EndpointFacts]) -> dict[str, Any]:
    """The settings without what is this machine's or this person's; a folder is named by its slug.

    The window is the one that the prompts were made for, which the endpoint may have made smaller.
    """
    fitted = fitted_config(run.settings, facts).as_dict()
    kept = {n: value for n, value in fitted.items() if n in run.config and n not in _OF_THE_MODEL}
    return {**kept, "competition": run.competition, "model": run.model.removeprefix(_LABEL)}


def _secrets(environment: Mapping[str, str]) -> list[str]:
    """Values of the variables that hold keys: a server may echo a key in its reply."""
    return [value.strip() for name, value in environment.items() if name.startswith(_SECRETS)]


def _from_line(line: dict[str, Any]) -> Recorded:
    """Raises TypeError for fields that are missing, unknown, or of another type than they are written in."""
    one = Recorded(**line)
    for name in Recorded.__dataclass_fields__:
        wanted = _TYPES.get(name, (str,))
        if not isinstance(getattr(one, name), wanted):
            raise TypeError(f"{name} is {getattr(one, name)!r:.100}")
    return replace(one, reply=whole_characters(one.reply))


def _documents(text: str, path: Path) -> Iterator[dict[str, Any]]:
    # not splitlines(): replies hold characters that it takes for ends of lines
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"Line {number} of the recording {path} is not JSON: {error}.") from error
        if not isinstance(document, dict):
            raise ConfigError(f"Line {number} of the recording {path} is not a JSON object.")
        yield document
