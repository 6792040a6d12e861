"""Agents whose notebooks run at Kaggle: a real MLE-Live, sandboxes, a scripted model, a grader that looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from comind.agents.coder import CodingAgent
from comind.agents.kaggle_executor import KaggleExecutor
from comind.agents.work import Assignment
from comind.agents.workshop import Workshop
from comind.at_kaggle.backend import KaggleBackend
from comind.at_kaggle.sample import SampleSizes
from comind.at_kaggle.setup import open_backend
from comind.config import RunConfig
from comind.control import Control
from comind.evaluator.profile import SplitFacts
from comind.run.confinement import Confinement
from comind.state.grades import PartGrade
from comind.state.records import Agent, Draft, Evaluation, Event, Push
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.moments import SYSTEM_CLOCK
from tests.fakes.models import InstantModel
from tests.fakes.workshops import make_workshop
from tests.tiny_kaggle import TOKEN, RunningServer

TRAIN, OTHERS = 2400, 600
FACTS = SplitFacts("id", ("label",), None, "regression", None)
CANARY = "73190.25"
"""A validation label; it stands in the run's private folder and nowhere else."""
LOAD = (
    "import pandas as pd\nfrom pathlib import Path\nROOT = Path('{root}')\n"
    "train, validation, test = (pd.read_csv(ROOT / f'{{n}}.csv') for n in ('train', 'validation', 'test'))\n"
    "print(len(train), 'training rows')"
)
PREDICT = (
    "for inputs, name in ((validation, 'val.csv'), (test, 'sub.csv')):\n"
    "    inputs[['id']].assign(label=train['label'].mean()).to_csv(name, index=False)\n"
    "print('written')"
)


def turn(code: str, *, submits: bool = False, goal: str = "go on") -> str:
    validation, test = ("val.csv", "sub.csv") if submits else ("None", "None")
    return (
        f"<goal>{goal}</goal>\n<code>\n{code}\n</code>\n<validation_submission>{validation}"
        f"</validation_submission>\n<submission>{test}</submission>"
    )


FINISHED = turn("", goal="finished")


def write_split(folder: RunFolder) -> None:
    """A public split of 2400 training rows, and labels in the private folder."""
    folder.public.mkdir(parents=True, exist_ok=True)
    folder.private.mkdir(parents=True, exist_ok=True)
    rows = pd.DataFrame({"id": [f"r{n}" for n in range(TRAIN)], "x": range(TRAIN), "label": 1.5})
    rows.to_csv(folder.public / "train.csv", index=False)
    for name, sample in (("validation", "sample_validation_submission"), ("test", "sample_submission")):
        inputs = pd.DataFrame({"id": [f"{name[0]}{n}" for n in range(OTHERS)], "x": range(OTHERS)})
        inputs.to_csv(folder.public / f"{name}.csv", index=False)
        inputs[["id"]].assign(label=0.0).to_csv(folder.public / f"{sample}.csv", index=False)
    labels = pd.DataFrame({"id": [f"v{n}" for n in range(OTHERS)], "label": CANARY})
    labels.to_csv(folder.private / "validation.csv", index=False)


class LookingEvaluator:
    """Takes any pair of files and remembers how many rows they had."""

    def __init__(self) -> None:
        self.profile = SimpleNamespace(id_column="id", has_ready_split=True)
        self.rows: dict[str, tuple[int, int]] = {}

    async def evaluate(
        self, id: str, *, workspace: Path, validation_name: str, submission_name: str, **of: Any
    ) -> Evaluation:
        self.rows[id] = (
            len(pd.read_csv(workspace / validation_name)),
            len(pd.read_csv(workspace / submission_name)),
        )
        part: PartGrade = {"score": 0.5, "interval": (0.4, 0.6), "rows": 100}
        return Evaluation(id=id, success=True, message="", feedback=part, selection=part, **of)


@dataclass
class World:
    """One run folder at one server. `agent` makes the agent anew, as a resumed engine would."""

    folder: RunFolder
    store: Store
    server: RunningServer
    client: KaggleClient
    config: RunConfig
    simulated: bool = False
    """Whether the server is taken for the run's own, which lives and dies with its engine."""
    evaluator: LookingEvaluator = field(default_factory=LookingEvaluator)
    control: Control = field(
        default_factory=lambda: Control(time_limit=3600, seconds_used=0, clock=SYSTEM_CLOCK)
    )

    async def backend(self, **changes: Any) -> KaggleBackend:
        config = replace(self.config, **changes)
        return await open_backend(
            client=self.client, simulated=self.simulated, competition="tiny-comp", facts=FACTS,
            folder=self.folder, store=self.store, config=config,
            clock=SYSTEM_CLOCK,
        )  # fmt: skip

    def shop(self, model: InstantModel) -> Workshop:
        confined = Confinement.of(self.config, self.folder.state, self.store)
        return make_workshop(
            self.store, model, folder=self.folder, evaluator=self.evaluator, control=self.control,
            open_notebook=confined.open_notebook, slug="tiny-comp", context_tokens=32_000, cell_seconds=300,
        )  # fmt: skip

    async def agent(
        self, replies: Sequence[str], *, seconds: float = 3000, resources: dict[str, Path] | None = None,
        sizes: SampleSizes | None = None, **changes: Any,
    ) -> tuple[CodingAgent, InstantModel]:  # fmt: skip
        """An agent of 9 steps whose first cell loads the tables; `replies` are the turns after it."""
        backend = await self.backend(**changes)
        executor = KaggleExecutor(replace(backend, sizes=sizes or backend.sizes))
        load = turn(LOAD.format(root=f"/kaggle/input/{executor.data_name}"))
        model = InstantModel([load, *replies, *[FINISHED] * 9])
        record = Agent(id="r1-a1", round=1, index=1, title="A mean", max_steps=9)
        draft = Draft(id="r1-a1", round=1, title="A mean", description="d")
        agent = CodingAgent(Assignment(self.shop(model), record, draft, seconds, resources or {}), executor)
        return agent, model

    @property
    def pushes(self) -> list[Push]:
        return self.store.all(Push, order="step")

    @property
    def versions(self) -> dict[str, int]:
        """Every kernel that the server was given, with how often."""
        service = self.server.service
        kernels = service.kernels.store
        found = kernels.visible(service.state.ensure_user("alice", TOKEN))
        newest = {one.ref: kernels.version(one) for one in found}
        return {ref: version.number if version else 0 for ref, version in newest.items()}

    def events(self, kind: str) -> list[str]:
        return [event.message for event in self.store.all(Event, "kind = ?", (kind,), order="seq")]


def open_world(server: RunningServer, store: Store, *, simulated: bool = False) -> World:
    folder = RunFolder(store.path.parent)
    write_split(folder)
    config = RunConfig(competition="tiny-comp", executor="kaggle", coders=1)
    return World(folder, store, server, KaggleClient(server.url, TOKEN), config, simulated)
