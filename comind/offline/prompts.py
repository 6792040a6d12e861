"""Reading the prompts: role, task, sections, and the facts that the sections state. It decides nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from comind.llm.tokens import Messages
from mle_live.layout.pixels import PixelRows
from mle_live.layout.tables import Modality

_ROLE = re.compile(r"^# Role:[ \t]*(\w+)", re.M)
_TASK = re.compile(r"^# Task:[ \t]*(\w+)", re.M)
_LABELS = re.compile(r"^Labels are class names in column (.+) of train\.csv; a submission", re.M)
_GROUPS = re.compile(r"^Rows with the same (.+) belong together: no group", re.M)
_PIXELS = re.compile(
    r"first only, and (?P<unit>.+) names the image\n"
    r"A submission has a row a pixel: .+ is <image>(?P<joint>.)<row>.<column>, counted from (?P<first>\d+) "
    r"at the top left, and .+ the brightness from 0 \(black\) to (?P<white>[\d.]+)"
)
_TEXT = re.compile(r"^- (.+?): prose, (?!.*\(not in the test inputs\)$)", re.M)
_HEADINGS = frozenset({
    "Competition", "Metric", "Machine", "Files", "Data", "Draft", "Limits", "Observation", "Evaluation",
    "Evaluations", "Fault", "Artifact", "Time", "Ideas", "Reports", "Pipelines", "Leaderboard of this run",
    "Datasets", "Number of drafts", "Idea memory", "New ideas", "Goal", "Code", "Output so far", "Settings",
    "Reference file", "Reply format", "Script", "Hints", "Tried", "Last try", "Direction",
    "Evidence", "Lineage", "Earlier cells",
})  # fmt: skip
_DATASET = re.compile(
    r"^-[ \t]+(?:dataset[ \t]+)?(?P<name>\S+?)(?:[ \t]+\((?P<about>[^)]*)\))?:[ \t]*(?P<files>.*)$"
)


def role_of(messages: Messages) -> str:
    """The word after `# Role:` in the first message that has it, or an empty string."""
    return next((found[1] for message in messages if (found := _ROLE.search(message.get("content", "")))), "")


def task_message(messages: Messages) -> tuple[str, str]:
    """(task, text) of the last user message with a `# Task:` heading; two empty strings without one."""
    for message in reversed(messages):
        text = message.get("content", "")
        if message.get("role") == "user" and (found := _TASK.search(text)):
            return found[1], text
    return "", ""


def sections(text: str) -> dict[str, str]:
    """Body by `## ` heading of the contract. What looks like one inside `<<< … >>>` is material."""
    parts: dict[str, list[str]] = {}
    body: list[str] = []
    quoted = fenced = False
    for line in text.splitlines():
        bare = line.rstrip()
        heading = bare[3:].strip() if bare.startswith("## ") else ""
        if heading in _HEADINGS and not quoted and not fenced:
            body = parts.setdefault(heading, [])
            continue
        if bare == "<<<" or bare == ">>>":
            quoted = bare == "<<<"
        if bare.startswith("```"):
            fenced = not fenced and not quoted
        body.append(line)
    return {name: "\n".join(lines).strip() for name, lines in parts.items()}


def quoted(body: str) -> str:
    """What stands between `<<<` and `>>>`, or the whole body when it is not quoted."""
    found = re.search(r"^<<<[ \t]*\n(.*?)\n?^>>>[ \t]*$", body, re.M | re.S)
    return found[1] if found else body


def fields(body: str) -> dict[str, str]:
    """`name: value` lines; a list item is no field."""
    found = re.findall(r"^([A-Za-z][\w /-]*?):[ \t]*(.*)$", body, re.M)
    return {name.strip().lower(): value.strip() for name, value in found}


@dataclass(frozen=True, slots=True)
class StatedMetric:
    name: str = ""
    higher_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Data:
    """What the profile says of the competition's tables."""

    modality: Modality = "tabular"
    task: str = ""
    """binary, multiclass, multilabel, ordinal, regression; empty when the profile does not say."""
    train_rows: int = 0
    id_column: str = ""
    """Empty when the profile does not say; so are the next three."""
    target: str = ""
    """The first of the columns to predict."""
    label_column: str = ""
    """Holds class names; a submission has a column of probabilities for each."""
    group_column: str = ""
    text_columns: tuple[str, ...] = ()
    pixels: PixelRows | None = None
    """Where a submission has a row a pixel."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A mounted or mountable dataset."""

    name: str
    files: tuple[str, ...] = ()
    about: str = ""
    score: float | None = None

    @property
    def slug(self) -> str:
        return self.name.rstrip("/").rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Files:
    """Paths as the agent sees them."""

    competition: str = "/kaggle/input/competition"
    train: str = ""
    validation: str = ""
    sample_validation: str = ""
    test: str = ""
    sample: str = ""
    resources: tuple[Resource, ...] = field(default=())


def read_metric(body: str) -> StatedMetric:
    values = fields(body)
    name = values.get("name", "") or (body.split() or [""])[0]
    return StatedMetric(name.lower(), "lower" not in values.get("direction", body).lower())


def read_data(body: str) -> Data:
    values = fields(body)
    id_column, _, targets = values.get("id column", "").partition("; target columns: ")
    single = f"\n- {targets}: " in body
    head = values.get("modality", "")
    kind = re.match(r"tabular|text|image-to-image|image|audio", head)
    modality: Modality = kind[0] if kind else "tabular"  # type: ignore[assignment]  # the literals
    task = re.search(r"task:\s*(\w+)", head)
    pixels = _read_pixels(body)
    rows = re.search(r"(\d[\d,_]*) in train", values.get("rows", ""))
    return Data(
        modality=modality,
        task=task[1] if task else "",
        train_rows=int(re.sub(r"\D", "", rows[1])) if rows else 0,
        id_column=id_column,
        target=targets if single else targets.partition(", ")[0],
        label_column="".join(_LABELS.findall(body)[:1]),
        group_column=pixels.unit if pixels else "".join(_GROUPS.findall(body)[:1]),
        text_columns=tuple(_TEXT.findall(body)),
        pixels=pixels,
    )


def _read_pixels(body: str) -> PixelRows | None:
    found = _PIXELS.search(body)
    return found and PixelRows(found["unit"], found["joint"], int(found["first"]), float(found["white"]))


def read_packages(body: str) -> frozenset[str]:
    """Names in the machine's line `packages: name version, …`, in lower case."""
    listed = fields(body).get("packages", "")
    return frozenset(words[0].lower() for one in listed.split(",") if (words := one.split()))


def read_files(body: str) -> Files:
    values = fields(body)
    folder = values.get("competition folder", "/kaggle/input/competition").rstrip("/")
    return Files(
        competition=folder,
        train=values.get("training part", f"{folder}/train.csv"),
        validation=values.get("validation inputs", f"{folder}/validation.csv"),
        sample_validation=values.get(
            "sample of validation predictions", f"{folder}/sample_validation_submission.csv"
        ),
        test=values.get("test inputs", f"{folder}/test.csv"),
        sample=values.get("sample of test predictions", f"{folder}/sample_submission.csv"),
        resources=read_resources(body),
    )


def read_resources(body: str) -> tuple[Resource, ...]:
    """Lines `- name (about): files` or `- dataset path: files`."""
    found = []
    for line in body.splitlines():
        match = _DATASET.match(line.strip())
        if match:
            about = match["about"] or ""
            score = re.search(r"score\s+(-?\d+(?:\.\d+)?(?:e-?\d+)?)", about)
            files = tuple(name.strip() for name in match["files"].split(",") if name.strip())
            found.append(Resource(match["name"], files, about, float(score[1]) if score else None))
    return tuple(found)


def number_after(label: str, text: str, default: float) -> float:
    """The number in a line `label: number` or `label number`."""
    found = re.search(rf"{re.escape(label)}[^\d\n-]*(\d+(?:\.\d+)?)", text, re.I)
    return float(found[1]) if found else default
