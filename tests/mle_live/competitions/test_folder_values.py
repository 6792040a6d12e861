"""A folder whose ids and labels are written as people write them is a competition like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaggle_runner.predictions.judge import Form
from mle_live.competitions.competition import HostedCompetition
from mle_live.competitions.folder import look_at_folder, slug_of
from mle_live.competitions.grading import grade_file


def competition(folder: Path, metric: str, train: str, test: str, sample: str) -> HostedCompetition:
    folder.mkdir(parents=True)
    for name, text in (("train", train), ("test", test), ("sample_submission", sample)):
        (folder / f"{name}.csv").write_text(text)
    (folder / "competition.yaml").write_text(f"metric: {metric}\n")
    return look_at_folder(folder, folder.parent / "arranged").hosted()


TRAIN = "id,x,y\n" + "".join(f"{n:04},{n},{{}}\n" for n in range(20))
TEST = "id,x\n" + "".join(f"{n:04},{n}\n" for n in range(20, 28))
SAMPLE = "id,y\n" + "".join(f"{n:04},{{}}\n" for n in range(20, 28))


@pytest.mark.parametrize(
    ("metric", "labels", "placeholder", "prediction"),
    [
        ("accuracy", ["None", "NA"], "NA", "None"),
        ("accuracy", ["null", "nan", "x"], "x", "nan"),
        ("accuracy", [" <=50K", " >50K"], " <=50K", "<=50K"),
        ("accuracy", ["True", "False"], "False", "1"),
        ("mean_levenshtein", ["", "0012", "two words"], "word", ""),
        ("mean_precision_iou_thresholds", ["", "1 3 10 2", "5 2"], "1 1", ""),
        ("mae", ['"1.5"', "2", " 3 "], "0", '"1.25"'),
    ],
)
def test_what_labels_may_look_like(
    metric: str, labels: list[str], placeholder: str, prediction: str, tmp_path: Path
) -> None:
    train = TRAIN.format(*(labels[n % len(labels)] for n in range(20)))
    found = competition(tmp_path / "AI4Code", metric, train, TEST, SAMPLE.format(*[placeholder] * 8))
    assert (found.slug, found.metric) == ("AI4Code", metric)
    submission = tmp_path / "submission.csv"
    submission.write_text(SAMPLE.format(*[prediction] * 8).replace("\n00", "\n"))
    assert grade_file(found, submission).public_rows == 0  # taken; there are no labels to score it by


def test_votes_are_labels_of_shares(tmp_path: Path) -> None:
    train = "id,x,a,b\n" + "".join(f"{n},{n},{n % 3},{5 - n % 4}\n" for n in range(20))
    sample = "id,a,b\n30,0.5,0.5\n31,0.5,0.5\n"
    found = competition(tmp_path / "votes", "kl_divergence", train, "id,x\n30,1\n31,2\n", sample)
    assert found.target_columns == ("a", "b")


def test_ids_of_test_and_sample_may_be_spelt_differently(tmp_path: Path) -> None:
    train = TRAIN.format(*range(20))
    found = competition(tmp_path / "f", "mae", train, TEST.replace("\n00", "\n"), SAMPLE.format(*[0] * 8))
    assert Form.of_sample(found.sample_submission).ids[0] == "0020"


def test_a_folder_named_like_a_slug_with_capitals_is_served_under_it(tmp_path: Path) -> None:
    (tmp_path / "AI4Code").mkdir()
    (tmp_path / "My Data").mkdir()
    assert slug_of(tmp_path / "AI4Code") == "AI4Code"
    assert slug_of(tmp_path / "My Data") == "my-data"
