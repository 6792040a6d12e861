"""What the run knows, as prompt text. The formats are a contract with prompts/ and the offline policy.

Bounded and in a fixed order, so that equal knowledge gives equal text (providers cache equal prefixes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from comind.analysis.evidence import Evidence, WeakClaim
from comind.analysis.graph import Graph
from comind.analysis.members import Member
from comind.analysis.standings import Standing
from comind.roles.prompts import quote
from comind.state.records import Dataset, Draft, Evaluation, Idea, Kernel, Link, Report
from kaggle_runner.machine import Machine
from kaggle_runner.score import Score
from kaggle_runner.texts import shortened

_RANKED_SHOWN, _IDEAS_SHOWN = 20, 40
_SENTENCE_SHOWN = 600


@dataclass(frozen=True, slots=True)
class KernelRun:
    """What running a community kernel on our split gave: its feedback score, None where it failed."""

    kernel: str
    score: Score | None


@dataclass(frozen=True, slots=True)
class Room:
    """Characters that each kind of material may take in a prompt, from the model's context window.

    Code and tables run at about three characters a token, so that the largest prompt (drafts) mostly stays
    below `prompt_tokens`; where it does not, `Prompts` cuts the longest texts. Large windows are not filled
    for their own sake, since prompts cost money.
    """

    description: int
    reports: int
    pipelines: int
    ideas: int
    source: int
    output: int

    @classmethod
    def of(cls, context_tokens: int) -> Room:
        return cls(
            description=min(8_000, context_tokens // 3),
            reports=min(24_000, context_tokens // 2),
            pipelines=min(16_000, context_tokens // 3),
            ideas=min(12_000, context_tokens // 4),
            source=min(16_000, context_tokens),
            output=min(12_000, context_tokens // 3),
        )


def prompt_tokens(context_tokens: int) -> int:
    """What a prompt may take of the window. The rest is for a reply, a complaint and the second reply."""
    return int(0.7 * context_tokens)


def competition_text(title: str, description: str, room: Room) -> str:
    """Title and description; the description is the host's page and is quoted as data."""
    return f"{title}\n<<<\n{quote(description.strip(), room.description)}\n>>>"


_API_BREAKS = (
    ("pandas", 3, "`frame[column].fillna(x, inplace=True)` changes nothing: assign the result"),
    ("pandas", 3, "text columns have dtype `str`, not `object`"),
    ("scikit-learn", 1, "`mean_squared_error(squared=)` is gone: use `root_mean_squared_error`"),
    ("scikit-learn", 1, "`OneHotEncoder(sparse=)` is `sparse_output=`"),
    ("numpy", 2, "`np.float_`, `np.NaN` and `np.in1d` are gone: `np.float64`, `np.nan`, `np.isin`"),
)
"""(package, first major version, what code written for older versions gets wrong)."""


_INSTALLING = (
    "- no other packages can be installed",
    "- other packages can be installed: `!pip install NAME==VERSION` in a cell reaches the package index and "
    "nothing else of the internet; another version of what was imported counts in the next kernel only",
)


def machine_text(machine: Machine, agents: int, threads: int, *, installs: bool = False) -> str:
    """What the agents' notebooks really have: hardware, how it is shared, versions, and known API breaks."""
    shared = (
        f", shared by {agents} agents with {threads} thread{'s' * (threads > 1)} each" if agents > 1 else ""
    )
    versions = {"python": machine.python, **machine.packages}
    lines = [
        f"{machine.sentence()}{shared}",
        "packages: " + ", ".join(f"{k} {v}" for k, v in versions.items()),
    ]
    breaks = [
        text
        for name, major, text in _API_BREAKS
        if name in machine.packages and int(machine.packages[name].split(".")[0]) >= major
    ]
    return "\n".join([*lines, *(f"- in these versions {text}" for text in breaks), _INSTALLING[installs]])


def metric_text(name: str, title: str, higher_is_better: bool, sentence: str | None = None) -> str:
    """A metric that is certain, with the host's sentence that it was read from."""
    direction = "higher is better" if higher_is_better else "lower is better"
    return f"name: {name}\ntitle: {title}\ndirection: {direction}" + _host_says(sentence)


def open_metric_text(doubt: str, sentence: str | None) -> str:
    """Where no metric is certain: no name that might be wrong stands in the prompt, only what is open."""
    open_question = quote(shortened(doubt, _SENTENCE_SHOWN), _SENTENCE_SHOWN)
    return f"not one of the known metrics, as far as is certain: {open_question}" + _host_says(sentence)


def _host_says(sentence: str | None) -> str:
    return f"\nthe host's words:\n<<<\n{quote(sentence.strip(), _SENTENCE_SHOWN)}\n>>>" if sentence else ""


def kernel_heading(kernel: Kernel) -> str:
    """Public scores are upstream's, local scores ours; the two are never mixed."""
    if kernel.origin == "run":
        score = f", local score {kernel.local_score:.5g}" if kernel.local_score is not None else ""
        return f"kernel {kernel.id}, published by this run in round {kernel.round}{score}"
    score = f", public score {kernel.public_score:.5g}" if kernel.public_score is not None else ""
    return f"kernel {kernel.id}, {kernel.votes} votes{score}: {quote(kernel.title, 200)}"


def leaderboard_text(ranked: Sequence[Standing], titles: Mapping[str, str], baseline: Score | None) -> str:
    """Community kernels that were run on our split stand among the agents, and are marked."""
    lines = [
        f'{place}. {one.evaluation.agent} "{_line(titles[one.evaluation.agent], 200)}" {one.score} '
        + (f"round {one.evaluation.round}" if one.evaluation.round else "verified community kernel")
        for place, one in enumerate(ranked[:_RANKED_SHOWN], start=1)
    ]
    if baseline is not None:
        lines.append(f"sample submission: {baseline}")
    return "\n".join(lines) or "nothing has been scored yet"


def reports_text(reports: Sequence[Report], headings: Mapping[str, str], *, characters: int) -> str:
    """Newest solutions first, then kernels and discussions; each gets an equal share of the room."""
    order = {"solution": 0, "kernel": 1, "discussion": 2}
    ranked = sorted(reports, key=lambda report: (order[report.kind], -report.round, report.id))
    if not ranked:
        return "none yet"
    share = max(400, characters // len(ranked))
    parts: list[str] = []
    for report in ranked:
        body = f"{report.pipeline}\n\n{report.summary}"
        heading = headings.get(report.id, report.kind)
        parts.append(f"### {report.id} ({heading})\n<<<\n{quote(body, share)}\n>>>")
        if sum(map(len, parts)) > characters:
            break
    return "\n\n".join(parts)


def pipelines_text(reports: Sequence[Report], characters: int, runs: Sequence[KernelRun] = ()) -> str:
    """Public pipelines with their code abstracts: those that worked here by score, then the best-marked.

    What failed here comes last, and says so.
    """
    told = {run.kernel: run for run in runs}
    place = {run.kernel: n for n, run in enumerate(runs)}
    failed = {run.kernel for run in runs if run.score is None}
    public = [report for report in reports if report.kind == "kernel"]
    public.sort(
        key=lambda one: (
            one.subject in failed,
            place.get(one.subject, len(place)),
            -one.scores.get("effectiveness", 0.0),
            one.id,
        )
    )
    parts = [
        f"### {one.id} ({report_heading(one, told.get(one.subject))})\n<<<\n{quote(one.pipeline, 4000)}\n>>>"
        for one in public[:6]
    ]
    text = ""
    for part in parts:
        if len(text) + len(part) > characters:
            break
        text += part + "\n\n"
    return text.strip() or "none"


def report_heading(report: Report, run: KernelRun | None = None) -> str:
    """What was measured stands here, whatever the report itself claims. `run`: of the kernel it is on."""
    if report.kind != "solution":
        if run is None:
            return report.title
        verdict = "it failed here" if run.score is None else f"run here: feedback score {run.score}"
        return f"{report.title}; {verdict}"
    scored = report.local_score is not None
    score = f"score {report.local_score:.5g}" if scored else "nothing valid was scored"
    return f"solution by {report.subject}, {score}"


def ranked_ideas_text(ideas: Sequence[Idea], *, characters: int) -> str:
    """This round's kept ideas, best first; a person's ideas lead."""
    people = [idea for idea in ideas if idea.origin == "person"]
    ranked = sorted((idea for idea in ideas if idea.rank > 0), key=lambda idea: (-idea.round, idea.rank))
    chosen = [*people, *(idea for idea in ranked if idea.origin != "person")][:_IDEAS_SHOWN]
    lines = [
        f"{n}. [{idea.id}] {quote(idea.text, 500)}" + (" (asked for by a person)" if idea in people else "")
        for n, idea in enumerate(chosen, start=1)
    ]
    return "\n".join(_fitting(lines, characters)) or "none yet"


def ideas_text(ideas: Sequence[Idea], *, characters: int) -> str:
    """Newest last; the oldest are left out first when there are too many."""
    newest_first = [f"- [{idea.id}] {quote(idea.text, 400)}" for idea in reversed(ideas)]
    shown = _fitting(newest_first, characters)[::-1]
    left_out = len(ideas) - len(shown)
    return (
        "\n".join([*([f"({left_out} older ideas are left out)"] if left_out else []), *shown]) or "none yet"
    )


def _fitting(lines: Sequence[str], characters: int) -> list[str]:
    """The first lines that fit, at least one."""
    taken: list[str] = []
    for line in lines:
        if taken and sum(map(len, taken)) + len(line) > characters:
            break
        taken.append(line)
    return taken


def datasets_text(datasets: Sequence[Dataset], scores: Mapping[str, Score]) -> str:
    """What earlier agents and verified kernels left, with the feedback score of each."""
    lines = []
    for dataset in datasets:
        name = dataset.id.split("/")[-1]
        score = f", feedback score {scores[name].value:.5g}" if name in scores else ""
        maker = f"round {dataset.round}" if dataset.round else "verified community kernel"
        if dataset.origin == "upstream":
            maker = f"public, licence {_line(dataset.license, 60)}"
        lines.append(f"- {name} ({maker}{score}): {', '.join(dataset.files[:12])}")
    return "\n".join(lines) or "none"


def evidence_text(
    evidence: Evidence, ideas: Sequence[Idea], *, characters: int, retest: WeakClaim | None = None
) -> str:
    """Effects that stand out first. `retest` is named as what one draft is to test again."""
    texts = {idea.id: _line(idea.text, 200) for idea in ideas}
    lines = []
    if retest is not None:
        effect = retest.effect
        why = retest.conflict or f"{effect.verdict} after {_times(effect.trials)}"
        lines.append(
            f"to be tested again: [{retest.idea}] ({why}; used by {', '.join(retest.agents)}):"
            f" {texts.get(retest.idea, '')}"
        )
    lines += [
        f"- [{one.idea}] {one.mean:+.2g} ± {one.sd:.1g} in {_times(one.trials)}: {one.verdict}."
        f" {texts.get(one.idea, '')}"
        for one in evidence.effects
    ]
    conflicts = [
        f"- reports on [{one.idea}] conflict: {one.conflict}" for one in evidence.weak if one.conflict
    ]
    return "\n".join(_fitting([*lines[:1], *conflicts, *lines[1:]], characters)) or "none yet"


def _line(text: str, characters: int) -> str:
    """One line of untrusted text: it can neither open a heading nor close a quote."""
    line = quote(" ".join(text.split()), 10 * characters).replace("\n", " ")
    return shortened(line, characters)


def _times(count: int) -> str:
    return f"{count} trial{'s' * (count != 1)}"


def lineage_text(
    graph: Graph,
    links: Sequence[Link],
    members: Sequence[Member],
    repeats: Sequence[tuple[str, str, float]],
    *,
    characters: int,
) -> str:
    """Members for a blend, solutions that repeat another, near-copies and blends, then who builds on whom."""
    lines = []
    if len(members) > 1:
        told = [
            f"{one.agent} ({one.score.value:.5g}"
            + (f", correlation {one.correlation:.2f})" if one.correlation is not None else ")")
            for one in members
        ]
        lines.append(f"complementary members: {', '.join(told)}")
    lines += [f"- {agent} repeats {better} (correlation {value:.3f})" for agent, better, value in repeats]
    blends: dict[str, list[str]] = {}
    for link in links:
        if link.kind == "blends":
            blends.setdefault(link.source, []).append(link.target)
    lines += [f"- {source} blends {', '.join(targets[:8])}" for source, targets in sorted(blends.items())]
    lines += sorted(f"- {one.source} is made from {one.target}" for one in links if one.kind == "forks")
    for id in sorted(graph.users, key=lambda id: (-graph.influence(id), id)):
        lines.append(f"- {id} is built on by {graph.influence(id)}: {', '.join(graph.descendants(id)[:6])}")
    return "\n".join(_fitting(lines, characters)) or "none yet"


def draft_text(draft: Draft) -> str:
    code = f"\n```python\n{draft.code}\n```" if draft.code else ""
    resources = ", ".join(draft.resources) or "none"
    return f"title: {draft.title}\n\n{draft.description}\n{code}\nresources: {resources}"


_FILES = {
    "training part": "train.csv",
    "validation inputs": "validation.csv",
    "sample of validation predictions": "sample_validation_submission.csv",
    "test inputs": "test.csv",
    "sample of test predictions": "sample_submission.csv",
}


def files_text(slug: str, resources: Mapping[str, Sequence[str]], *, usual: bool = True) -> str:
    """The paths that are real inside the sandbox. Where not `usual`, the data's section tells of inputs."""
    root = f"/kaggle/input/{slug}"
    named = {what: name for what, name in _FILES.items() if usual or what.startswith("sample")}
    lines = [
        f"competition folder: {root}",
        *(f"{what}: {root}/{name}" for what, name in named.items()),
        "working folder: /kaggle/working",
    ]
    lines += [
        f"- dataset /kaggle/input/{name}: {', '.join(list(files)[:12])}" for name, files in resources.items()
    ]
    return "\n".join(lines)


def limits_text(step: int, steps: int, seconds_left: float, cell_seconds: float) -> str:
    return (
        f"step {step} of {steps}\nseconds left for this agent: {seconds_left:.0f}\n"
        f"seconds for one cell: {cell_seconds:.0f}"
    )


def evaluation_text(evaluation: Evaluation, best: Score | None) -> str:
    score = evaluation.score("feedback")
    if score is None:
        return f"not valid: {evaluation.message}"
    lines = f"score on feedback rows: {score} ({score.rows} rows)"
    return lines + (f"\nbest so far: {best}" if best is not None else "")
