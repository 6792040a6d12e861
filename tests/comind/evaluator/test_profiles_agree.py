"""Whoever profiles a folder finds the same: the competition that is made of it, and a run's evaluator."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from comind.evaluator.profile import CompetitionProfile, profile_competition
from mle_live.competitions.competition import read_settings
from mle_live.competitions.folder import look_at_folder
from mle_live.layout.tables import Stated

CHINESE = "那部电影的情节很长而且演员们都很努力我们都喜欢它"
REMARK = "this is what somebody once wrote about house number {} after a long walk"
TEST = "id,x\n100,1\n101,2\n102,3\n"
SAMPLE = "id,y\n100,0\n101,0\n102,0\n"


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A folder's files, and what everybody must find in it."""

    train: str
    test: str = TEST
    sample: str = SAMPLE
    settings: str = "metric: accuracy\n"
    images: tuple[str, ...] = ()
    modality: str = "tabular"
    id_column: str = "id"
    targets: tuple[str, ...] = ("y",)
    label: str | None = None
    task: str = "multiclass"
    pattern: str | None = None
    kinds: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        folder.mkdir()
        for name, text in {
            "train.csv": self.train, "test.csv": self.test, "sample_submission.csv": self.sample,
            "competition.yaml": self.settings, "description.md": "Words.",
        }.items():  # fmt: skip
            (folder / name).write_text(text)
        for name in self.images:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"picture")
        return folder


def rows(*lines: str) -> str:
    """A header and its rows, `{}` in them standing for 0 to 11."""
    head, row = lines
    return head + "\n" + "".join(row.replace("{}", str(n)) + "\n" for n in range(12))


def by_class(head: str, *classes: str) -> str:
    return head + "\n" + "".join(f"{n},{n},{classes[n % len(classes)]}\n" for n in range(12))


ONE_COLUMN_A_CLASS: dict[str, Any] = {
    "sample": "id,cat,dog\n100,.5,.5\n101,.5,.5\n102,.5,.5\n",
    "settings": "metric: multiclass_log_loss\n",
    "targets": ("cat", "dog"),
    "task": "binary",
}
EDGES = {
    "an id of another name": Edge(
        train=by_class("Row Name,x,y", "a", "b", "c"),
        test=TEST.replace("id", "Row Name"),
        sample=SAMPLE.replace("id", "Row Name"),
        id_column="Row Name",
    ),
    "an id that the sample has last, as competition.yaml says": Edge(
        train=by_class("id,x,y", "a", "b", "c"),
        sample="y,id\n0,100\n0,101\n0,102\n",
        settings="metric: accuracy\nid_column: id\n",
    ),
    "train.csv without ids": Edge(train="x,y\n" + "1,a\n2,b\n3,c\n" * 4),
    "ids with zeros in front": Edge(
        train=rows("id,x,y", "00{},{},{}"), test="id,x\n0100,1\n0101,1\n", sample="id,y\n0100,1\n0101,1\n"
    ),
    "labels that are text": Edge(train=by_class("id,x,y", "low", "high"), task="binary"),
    "labels that are all distinct": Edge(train=rows("id,x,y", "{},{},name {}"), kinds={"y": "text"}),
    "labels that are free text": Edge(
        train=rows("id,x,y", f"{{}},{{}},{REMARK}"), modality="tabular", kinds={"y": "prose"}
    ),
    "labels that are truths": Edge(
        train=by_class("id,x,y", "True", "False"), task="binary", kinds={"y": "boolean"}
    ),
    "classes called None and NA": Edge(train=by_class("id,x,y", "None", "NA", "cat"), kinds={"y": "text"}),
    "words for missing among numbers": Edge(
        train=by_class("id,x,y", "a", "b", "c").replace("0,0,", "0,NA,").replace("5,5,", "5,,"),
        kinds={"x": "integer"},
    ),
    "one probability a class": Edge(
        train=by_class("id,x,kind", "cat", "dog"), label="kind", **ONE_COLUMN_A_CLASS
    ),
    "one probability a class, None among them": Edge(
        train=by_class("id,x,kind", "None", "null"),
        label="kind",
        **ONE_COLUMN_A_CLASS
        | {"sample": "id,None,null\n100,.5,.5\n101,.5,.5\n102,.5,.5\n", "targets": ("None", "null")},
    ),
    "a class that no training row has": Edge(
        train=by_class("id,x,kind", "cat", "dog"),
        label="kind",
        **ONE_COLUMN_A_CLASS
        | {"sample": "id,cat,cow,dog\n100,.4,.2,.4\n101,.4,.2,.4\n102,.4,.2,.4\n"}
        | {"targets": ("cat", "cow", "dog")},
    ),
    "an input that names classes too": Edge(
        train=rows("id,x,breed", "{},cat,cat").replace("cat,cat\n1,", "cat,dog\n1,"),
        test="id,x\n100,cat\n101,dog\n102,dog\n",
        label="breed",
        **ONE_COLUMN_A_CLASS,
    ),
    "several targets": Edge(
        train=rows("id,x,y,z", "{},{},{}.5,{}.25"),
        sample="id,y,z\n100,0,0\n101,0,0\n102,0,0\n",
        settings="metric: mean_column_rmse\n",
        targets=("y", "z"),
        task="regression",
        kinds={"y": "number"},
    ),
    "several targets of zeros and ones": Edge(
        train="id,x,y,z\n" + "".join(f"{n},{n},{n % 2},{n // 2 % 2}\n" for n in range(12)),
        sample="id,y,z\n100,0.5,0.5\n101,0.5,0.5\n102,0.5,0.5\n",
        settings="metric: mean_column_roc_auc\n",
        targets=("y", "z"),
        task="multilabel",
    ),
    "free text": Edge(
        train=rows("id,x,y", f"{{}},{REMARK},{{}}"),
        test=f"id,x\n100,{REMARK}\n101,{REMARK}\n102,{REMARK}\n",
        modality="text",
        kinds={"x": "prose"},
    ),
    "free text in a script without blanks": Edge(
        train=rows("id,x,y", f"{{}},{CHINESE}{{}},{{}}"),
        modality="text",
    ),
    "long names of categories": Edge(
        train="id,x,y\n"
        + "".join(
            f"{n},Married civilian spouse living together with {n % 2} children,{n}\n" for n in range(12)
        ),
        kinds={"x": "text"},
    ),
    "a remark that only training rows have": Edge(
        train=rows("id,x,remark,y", f"{{}},{{}},{REMARK},{{}}"), kinds={"remark": "prose"}
    ),
    "dates": Edge(
        train=rows("id,x,y", '{},"Mon, 1{} Jan 2020 10:00:00 +0000",{}'),
        test='id,x\n100,"Mon, 13 Jan 2020 10:00:00 +0000"\n101,2020-01-01\n102,2020-01-01\n',
        kinds={"x": "text"},
    ),
    "pixels in one column": Edge(
        train=rows("id,x,y", f"{{}},{' '.join(map(str, range(40)))} {{}},{{}}"), kinds={"x": "text"}
    ),
    "images by id": Edge(
        train=by_class("id,x,y", "a", "b", "c"),
        images=("test/100.PNG", *(f"train/{n}.PNG" for n in range(12))),
        modality="image",
        pattern="train/{id}.PNG",
    ),
    "images by an id with zeros in front": Edge(
        train=rows("id,x,y", "00{},{},{}"),
        images=tuple(f"pictures/00{n}.tiff" for n in range(12)),
        modality="image",
        pattern="pictures/{id}.tiff",
    ),
    "images by an id that ends like a file": Edge(
        train=rows("id,x,y", "{}.jpg,{},{}"),
        test="id,x\n100.jpg,1\n101.jpg,1\n",
        sample="id,y\n100.jpg,1\n101.jpg,1\n",
        images=tuple(f"train/{n}.jpg" for n in range(12)),
        modality="image",
        pattern="train/{id}",
    ),
    "images by another column, beside long captions": Edge(
        train=rows("id,x,file,y", f"{{}},{'word ' * 100}{{}},p{{}}.gif,{{}}"),
        images=tuple(f"train/p{n}.gif" for n in range(12)),
        modality="image",
        pattern="train/{file}",
    ),
    "one picture among many texts": Edge(
        train=by_class("id,x,y", "a", "b", "c"),
        images=("notes/logo.png", "notes/a.txt", "notes/b.txt", "notes/c.txt"),
    ),
    "a picture behind a text in a folder": Edge(
        train=by_class("id,x,y", "a", "b", "c"),
        images=("pictures/a.txt", "pictures/b.png", "pictures/c.png"),
        modality="image",
    ),
    "pictures of a virtual environment": Edge(
        train=by_class("id,x,y", "a", "b", "c"), images=("venv/a.png", "venv/pyvenv.cfg")
    ),
    "a modality that competition.yaml says": Edge(
        train=by_class("id,x,y", "a", "b", "c"),
        settings="metric: accuracy\nmodality: text\n",
        modality="text",
    ),
}


@pytest.mark.parametrize("edge", EDGES.values(), ids=EDGES.keys())
def test_folder_and_evaluator_find_what_is_there(tmp_path: Path, edge: Edge) -> None:
    folder = edge.write(tmp_path / "edge")
    competition, profile = look_at_folder(folder, folder.parent / "arranged").hosted(), profiled(folder)
    for found in (competition, profile):
        assert found.modality == edge.modality
        assert (found.id_column, found.target_columns) == (edge.id_column, edge.targets)
    assert (profile.label_column, profile.task) == (edge.label, edge.task)
    assert profile.image_pattern == edge.pattern
    kinds = {column.name: column.kind for column in profile.columns}
    assert {name: kinds[name] for name in edge.kinds} == edge.kinds


def profiled(folder: Path) -> CompetitionProfile:
    settings = read_settings(folder / "competition.yaml")
    return profile_competition(
        folder,
        description="Words.",
        metric=settings["metric"],
        higher_is_better=True,
        stated=Stated.of(settings),
    )
