"""What entered the final solution: kernels, datasets, models and ideas of others, with their licences.

Read from the store and from the solution's own code. Whether a competition's rules allow external data cannot
be read by a machine: the sentences of the rules that speak of it are quoted, and a person reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from comind.analysis.graph import build_graph
from comind.run.solutions import solution_script
from comind.state.reader import Reader
from comind.state.records import Agent, Dataset, Discussion, Draft, Evaluation, Idea, Kernel, Link, Report
from comind.state.runs import RunFolder
from kaggle_runner.entry.rules import read_rules
from kaggle_runner.errors import Unusable
from kaggle_runner.input_names import READ_INPUT
from kaggle_runner.kaggle.records import KAGGLE_URL
from kaggle_runner.rows import from_json

KERNEL_LICENSE = "Apache 2.0 by Kaggle's terms, where its author says nothing else"
UNKNOWN = "not stated"
_MODELS = re.compile(
    r"""(?:from_pretrained|SentenceTransformer|hf_hub_download|snapshot_download|spacy\.load|load_dataset)"""
    r"""\(\s*(?:repo_id\s*=\s*)?["']([\w./-]{2,100})["']|"""
    r"""create_model\(\s*["']([\w./-]{2,100})["'][^)]*pretrained\s*=\s*True|"""
    r"""torch\.hub\.load\(\s*["']([\w./:-]{2,100})["']|"""
    r"""models\.(\w{2,60})\([^)]*(?:weights\s*=\s*[^N\s)]|pretrained\s*=\s*True)"""
)


@dataclass(frozen=True, slots=True)
class Source:
    """One thing of somebody else's. `how` says by which way it came into the solution."""

    kind: Literal["kernel", "dataset", "model", "idea"]
    id: str
    title: str
    author: str
    license: str
    url: str
    how: str
    duty: str
    """What the licence asks for, or what is to be looked at."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """The ledger of one solution, and what the competition's rules say of external data."""

    solution: str
    """Id of the evaluation that it is about; empty while there is none."""
    sources: tuple[Source, ...]
    rules: tuple[str, ...]
    """Sentences of the rules page, as they stand there."""
    rules_found: bool
    """Whether there is a rules page at all."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """The ledger as Markdown."""
        if not self.solution:
            return ["There is no solution."]
        if not self.sources:
            told = ["Nothing of others is known to have entered it: no kernel, dataset, model or idea."]
        else:
            told = ["| what | licence | how it entered | to be done |", "|---|---|---|---|"]
            for one in self.sources:
                name = f"[{_cell(one.title)}]({one.url})" if one.url else _cell(one.title)
                author = f" by {_cell(one.author)}" if one.author else ""
                told.append(
                    f"| {one.kind} {name}{author} | {_cell(one.license)} | {_cell(one.how)} "
                    f"| {_cell(one.duty)} |"
                )
        return [*told, "", *self._rules_lines()]

    def _rules_lines(self) -> list[str]:
        if not self.rules_found:
            return ["No rules page came with the competition."]
        if not self.rules:
            return ["The rules page does not speak of external data in words that were looked for: read it."]
        quotes = [f"> {quote}" for quote in self.rules]
        return ["What the rules say of external data (read them; nothing is judged here):", "", *quotes]


def attribute(reader: Reader, folder: RunFolder) -> Attribution:
    """The ledger of the run's best solution so far; empty where there is none."""
    rules, found = rule_sentences(_pages(folder))
    run = reader.run()
    best = reader.get(Evaluation, run.best_evaluation) if run and run.best_evaluation else None
    at_kaggle = run is not None and run.settings.kaggle_url == KAGGLE_URL
    sources = tuple(_Tracer(reader, at_kaggle).trace(best)) if best is not None else ()
    return Attribution(best.id if best is not None else "", sources, tuple(rules), found)


def rule_sentences(pages: dict[str, str]) -> tuple[list[str], bool]:
    """Sentences of the rules that speak of external data or models, and whether there is a rules page."""
    rules = read_rules(pages)
    return list(rules.quotes["external_data"]), rules.found


def duty(license: str) -> str:
    """What a licence asks of who uses the work, as far as its name tells."""
    words = license.lower()
    if re.search(r"non-?commercial|\bnc\b|-nc", words):
        return "not for commercial use: a competition with prizes may not allow it"
    if "cc0" in words or "public domain" in words or "pddl" in words:
        return "nothing"
    if re.search(r"gpl|share-?alike|-sa|\bodbl\b", words):
        return "name it, and share what is made of it alike"
    if re.search(r"apache|mit\b|bsd|cc[- ]by|attribution|odc", words):
        return "name it and its licence"
    return "read its licence: its name does not tell"


class _Tracer:
    """Follows a solution back to what came from others, each thing once, nearest first."""

    def __init__(self, reader: Reader, at_kaggle: bool) -> None:
        """`at_kaggle`: the community is kaggle.com's, whose terms and addresses hold for it."""
        self._reader = reader
        self._at_kaggle = at_kaggle
        self._seen: set[str] = set()
        self._datasets = {one.id: one for one in reader.all(Dataset)}
        self._kernels = {one.id: one for one in reader.all(Kernel)}
        self._graph = build_graph(reader.all(Link))

    def trace(self, best: Evaluation) -> Iterator[Source]:
        yield from self._agent(best.agent, best.step, "the solution itself")

    def _agent(self, agent: str, step: int, way: str) -> Iterator[Source]:
        """All that one agent's work was made of; `way` says how that work came into the solution."""
        if agent in self._seen:
            return
        self._seen.add(agent)
        draft = self._reader.get(Draft, agent)
        code = solution_script(self._reader, agent, step)
        if draft is not None:
            yield from self._parent(draft, way)
            yield from self._inputs([*draft.resources, *READ_INPUT.findall(code)], way)
        yield from self._models(code, way)
        if draft is not None:
            yield from self._ideas(draft)

    def _parent(self, draft: Draft, way: str) -> Iterator[Source]:
        """The kernel or the earlier agent that a draft starts from, be it named by a report on it."""
        report = self._reader.get(Report, draft.parent)
        subject = report.subject if report else draft.parent
        kernel = self._kernels.get(subject)
        if kernel is not None and kernel.origin == "upstream":
            how = "it is the solution, as it is" if draft.round == 0 else f"{way} starts from it"
            yield from self._kernel(kernel, how)
        elif self._reader.get(Discussion, subject) is not None:
            yield from self._discussion(subject, f"{way} starts from it")
        else:
            name = subject.removeprefix("comind/")
            if name and self._reader.get(Agent, name) is not None:
                yield from self._agent(name, _last_step(self._reader, name), f"{name}, from which it starts,")

    def _inputs(self, names: Iterable[str], way: str) -> Iterator[Source]:
        by_name = {id.rpartition("/")[2]: one for id, one in self._datasets.items()}
        for name in dict.fromkeys(names):
            dataset = by_name.get(name)
            if dataset is None:
                continue
            if dataset.origin == "upstream":
                yield from self._dataset(dataset, f"{way} reads it")
            elif self._reader.get(Agent, name) is not None:
                yield from self._agent(
                    name, _last_step(self._reader, name), f"{name}, whose output it reads,"
                )

    def _kernel(self, kernel: Kernel, how: str) -> Iterator[Source]:
        if kernel.id in self._seen:
            return
        self._seen.add(kernel.id)
        license = kernel.license or (KERNEL_LICENSE if self._at_kaggle else UNKNOWN)
        url = f"https://www.kaggle.com/code/{kernel.id}" if self._at_kaggle else ""
        yield Source("kernel", kernel.id, kernel.title, kernel.author, license, url, how, duty(license))
        for id in self._graph.lineage(kernel.id):
            behind = self._kernels.get(id)
            if behind is not None and behind.origin == "upstream":
                yield from self._kernel(behind, f"{kernel.id} builds on it")
            elif behind is None and "/" in id and not id.startswith("comind/"):
                yield from self._named(id, f"{kernel.id} reads it")

    def _dataset(self, dataset: Dataset, how: str) -> Iterator[Source]:
        if dataset.id in self._seen:
            return
        self._seen.add(dataset.id)
        license = dataset.license or UNKNOWN
        author = dataset.id.partition("/")[0]
        yield Source("dataset", dataset.id, dataset.title, author, license, dataset.url, how, duty(license))

    def _named(self, id: str, how: str) -> Iterator[Source]:
        """A dataset or kernel that is known by its reference only: it was not fetched."""
        if id in self._datasets:
            yield from self._dataset(self._datasets[id], how)
        elif id not in self._seen:
            self._seen.add(id)
            author = id.partition("/")[0]
            yield Source("dataset", id, id, author, UNKNOWN, "", f"{how}; it was not fetched", duty(UNKNOWN))

    def _models(self, code: str, way: str) -> Iterator[Source]:
        for match in _MODELS.finditer(code):
            name = next(group for group in match.groups() if group)
            if name not in self._seen:
                self._seen.add(name)
                yield Source("model", name, name, "", UNKNOWN, "", f"{way} loads its weights", duty(UNKNOWN))

    def _ideas(self, draft: Draft) -> Iterator[Source]:
        for id in draft.ideas:
            idea = self._reader.get(Idea, id)
            if idea is None or idea.id in self._seen:
                continue
            self._seen.add(idea.id)
            whose = {
                "discussion": f"the discussion {idea.path!r}",
                "person": "a person of this run",
                "proposer": "this run's proposer",
            }
            text = " ".join(idea.text.split())[:200]
            yield Source(
                "idea", idea.id, text, whose[idea.origin], "ideas have none", "", "the draft tries it", ""
            )

    def _discussion(self, id: str, how: str) -> Iterator[Source]:
        topic = self._reader.get(Discussion, id)
        if topic is not None and topic.id not in self._seen:
            self._seen.add(topic.id)
            yield Source("idea", topic.id, topic.title, topic.author, "ideas have none", "", how, "")


def _last_step(reader: Reader, agent: str) -> int:
    """The step of the agent's best evaluation, whose code is what others built on."""
    record = reader.get(Agent, agent)
    evaluation = reader.get(Evaluation, record.best_evaluation) if record else None
    return evaluation.step if evaluation else 0


def _pages(folder: RunFolder) -> dict[str, str]:
    try:
        return from_json(dict[str, str], folder.pages.read_bytes(), folder.pages)
    except (OSError, Unusable):
        return {}  # a run of an older version kept none


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "/").replace("[", "(").replace("]", ")")
