"""Files of no usual shape: the model writes the split, the checks decide, agents are told what lies where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from comind.llm.tokens import Messages
from comind.offline.prompts import role_of, task_message
from comind.offline.responder import respond
from comind.state.reader import reading
from comind.state.records import Event, LlmCall
from comind.state.runs import list_runs
from tests.e2e.commands import AMPLE, comind
from tests.fakes.scripted_llm import ScriptedModel

pytestmark = pytest.mark.e2e

SPLIT = '''"""statements.csv has many rows a customer, with training and validation customers together;
train_labels.csv tells the default of the training customers. validation_statements.csv and
test_statements.csv are alike. A row of the submission is a customer.
"""

from pathlib import Path

import numpy as np
import pandas as pd


def split(original: Path, public: Path, private: Path, *, fraction: float, seed: int) -> None:
    labels = pd.read_csv(original / "train_labels.csv", dtype=str)
    statements = pd.read_csv(original / "train_data.csv", dtype=str)
    sample = pd.read_csv(original / "sample_submission.csv", dtype=str)
    held_out = np.random.default_rng(seed).random(len(labels)) < fraction
    truth = labels[held_out].sample(frac=1.0, random_state=seed)
    truth.rename(columns={"target": "prediction"}).to_csv(private / "validation.csv", index=False)
    SECRET
    inputs = statements["customer"].isin(truth["customer"])
    statements[~inputs].to_csv(public / "train_statements.csv", index=False)
    statements[inputs].to_csv(public / "validation_statements.csv", index=False)
    truth[["customer"]].assign(prediction=sample["prediction"].iloc[0]).to_csv(
        public / "sample_validation_submission.csv", index=False
    )
    (public / "test_statements.csv").symlink_to(original / "test_data.csv")
    (public / "sample_submission.csv").symlink_to(original / "sample_submission.csv")
'''
LEAKY = SPLIT.replace("SECRET", 'labels.to_csv(public / "train_labels.csv", index=False)')
SOUND = SPLIT.replace("SECRET", 'labels[~held_out].to_csv(public / "train_labels.csv", index=False)')

CELL = """
import pandas as pd
from sklearn.linear_model import LogisticRegression

ROOT = "/kaggle/input/loans/"
means = {
    part: pd.read_csv(f"{ROOT}{part}_statements.csv").groupby("customer")[["spent", "paid"]].mean()
    for part in ("train", "validation", "test")
}
labels = pd.read_csv(f"{ROOT}train_labels.csv").set_index("customer")["target"]
model = LogisticRegression().fit(means["train"].loc[labels.index], labels)
for part, sample, name in (
    ("validation", "sample_validation_submission.csv", "validation_submission.csv"),
    ("test", "sample_submission.csv", "submission.csv"),
):
    table = pd.read_csv(ROOT + sample)
    table["prediction"] = model.predict_proba(means[part].loc[table["customer"]])[:, 1]
    table.to_csv(name, index=False)
"""


def write_loans(folder: Path) -> Path:
    """Several statements a customer; a row of the submission is a customer."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    customers = [f"c{number:03d}" for number in rng.permutation(240)]
    risk = rng.normal(size=240)
    target = (risk > 0).astype(int)
    rows = [
        (customer, day, round(one + rng.normal(scale=0.3), 3), day)
        for customer, one in zip(customers, risk, strict=True)
        for day in range(4)
    ]
    made = pd.DataFrame(rows, columns=["customer", "day", "spent", "paid"])
    in_train = made["customer"].isin(customers[:180])
    made[in_train].to_csv(folder / "train_data.csv", index=False)
    made[~in_train].to_csv(folder / "test_data.csv", index=False)
    pd.DataFrame({"customer": customers[:180], "target": target[:180]}).to_csv(
        folder / "train_labels.csv", index=False
    )
    pd.DataFrame({"customer": customers[180:], "prediction": 0}).to_csv(
        folder / "sample_submission.csv", index=False
    )
    return folder


def answer(request: dict[str, Any], number: int) -> str:
    """The split as a model writes it, leaky at first, and one notebook cell; the rest is the policy's."""
    messages: Messages = request["messages"]
    role, (task, text) = role_of(messages), task_message(messages)
    if task == "layout":
        code = SOUND if "was rejected" in text else LEAKY
        return f"<current_file>split_dataset.py</current_file>\n<code>\n{code}\n</code>"
    if role == "coder" and task == "implement":
        first = not any(one["role"] == "assistant" for one in messages)
        named = ("validation_submission.csv", "submission.csv") if first else ("None", "None")
        goal, code = ("Means a customer.", CELL) if first else ("Finished.", "")
        return (
            f"<goal>{goal}</goal>\n<code>\n{code}\n</code>\n"
            f"<validation_submission>{named[0]}</validation_submission>\n<submission>{named[1]}</submission>"
        )
    return respond(messages)


def test_a_model_splits_what_no_ready_split_fits(tmp_path: Path) -> None:
    data, state = write_loans(tmp_path / "loans"), tmp_path / "state"
    with ScriptedModel(answer) as server:
        done = comind(
            "run", f"{data}/", "--model", "scripted", "--base-url", server.url, "--metric", "roc_auc",
            "--coders", "1", "--rounds", "1", "--time-limit", AMPLE, "--json", state=state,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["best"]["interval"][0] > shown["baseline_score"]
    [run] = list_runs(state)
    with reading(run.database) as reader:
        told = [event.message for event in reader.all(Event)]
        openings = [call.messages for call in reader.all(LlmCall) if call.role == "coder" and call.step == 1]
    assert [one for one in told if one.startswith("No ready split fits (test.csv has 180 repeated ids")]
    [rejected] = [one for one in told if "was rejected" in one]
    assert "no label in public: train_labels.csv" in rejected
    assert not [word for word in ("training part:", "test inputs:") if word in str(openings)]
    assert "A row of the submission is a customer." in str(openings)
    assert "validation_statements.csv" in str(openings)
    truth = set(pd.read_csv(run.labels)["customer"])
    assert truth.isdisjoint(pd.read_csv(run.public / "train_labels.csv")["customer"])
    submission = pd.read_csv(run.path / shown["best"]["submission"])
    assert list(submission["customer"]) == list(pd.read_csv(data / "sample_submission.csv")["customer"])


def test_without_a_model_it_is_one_sentence(tmp_path: Path) -> None:
    data = write_loans(tmp_path / "loans")
    done = comind("run", f"{data}/", "--offline", "--metric", "roc_auc", state=tmp_path / "state")
    assert done.returncode == 2
    assert "repeated ids" in done.stderr
    assert not (tmp_path / "state" / "runs").exists()
