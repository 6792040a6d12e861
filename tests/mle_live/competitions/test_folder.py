"""A user's own folder as a competition, and every folder that cannot be one."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_runner.errors import BadCompetition, UsageError
from kaggle_runner.kaggle.client import KaggleClient
from mle_live.competitions.competition import HostedCompetition
from mle_live.competitions.files import data_files
from mle_live.competitions.folder import look_at_folder
from mle_live.competitions.metric_choice import named_metric, require_metric
from tests.tiny_kaggle import TOKEN, running_server

FILES = {
    "train.csv": "id,x,price\n" + "".join(f"{i},{i},{i * 1.25}\n" for i in range(30)),
    "test.csv": "id,x\n100,1\n101,2\n102,3\n",
    "sample_submission.csv": "id,price\n102,0\n100,0\n101,0\n",
    "description.md": "# House Prices\n\nGuess prices.\n\n## Evaluation\n\nThe metric is RMSLE.\n",
}


def load_folder(folder: Path, **options: Any) -> HostedCompetition:
    return look_at_folder(folder, folder.parent / "arranged", **options).hosted()


def make_folder(tmp_path: Path, **changes: str | None) -> Path:
    """The good folder with some files replaced, or left out when None. `__` in a name stands for a dot."""
    folder = tmp_path / "House Prices!"
    folder.mkdir()
    for name, text in {**FILES, **{name.replace("__", "."): text for name, text in changes.items()}}.items():
        if text is not None:
            (folder / name).write_text(text)
    return folder


def test_an_ordinary_folder_becomes_a_competition_without_labels_or_board(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    competition = load_folder(folder)
    assert (competition.slug, competition.title) == ("house-prices", "House Prices")
    assert (competition.id_column, competition.target_columns) == ("id", ("price",))
    assert (competition.metric, competition.higher_is_better) == ("rmsle", False)
    assert competition.metric_choice.source == "description"
    assert competition.metric_choice.sentence == "The metric is RMSLE."
    assert competition.solution_path is None and competition.board == "none"
    assert competition.data_dir == folder


def test_only_data_are_served_and_nothing_is_written(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, solution__csv="id,price\n100,1\n", competition__yaml="metric: mae\n")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (folder / "state").mkdir()
    (folder / "state" / "run.sqlite").write_text("")
    (folder / "venv").mkdir()
    (folder / "venv" / "pyvenv.cfg").write_text("")
    (folder / "images").mkdir()
    (folder / "images" / "a.png").write_bytes(b"png")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    competition = load_folder(folder, hidden=(folder / "state", folder, tmp_path))
    assert [file.name for file in data_files(competition)] == [
        "images/a.png", "sample_submission.csv", "test.csv", "train.csv",
    ]  # fmt: skip
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


async def test_a_read_only_folder_is_served_and_its_submissions_are_checked(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with running_server([load_folder(folder)], tmp_path / "state") as server:
            client = KaggleClient(server.url, TOKEN)
            await client.download_all("house-prices", tmp_path / "data")
            assert (tmp_path / "data" / "train.csv").read_text() == FILES["train.csv"]
            good = tmp_path / "s.csv"
            good.write_text(FILES["sample_submission.csv"])
            done = await client.wait_for_submission(await client.submit("house-prices", good, ""), 30)
            assert (done.status, done.public_score) == ("complete", None)
            good.write_text("id,price\n100,1\n")
            bad = await client.wait_for_submission(await client.submit("house-prices", good, ""), 30)
            assert bad.status == "error" and "102, 101" in bad.error
            facts = await client.extension_competition("house-prices")
            assert facts is not None and facts["has_labels"] is False
    finally:
        folder.chmod(0o700)


LABELS = "id,x,price\n1,2,{}\n2,3,{}\n"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"train__csv": LABELS.format("low", "high")},
        {
            "train__csv": LABELS.format(0, 1),
            "sample_submission__csv": "id,price\n102,0.5\n100,0.5\n101,0.5\n",
        },
        {
            "train__csv": "id,x,kind\n1,2,cat\n2,3,dog\n",
            "sample_submission__csv": "id,cat,dog\n102,.5,.5\n100,.5,.5\n101,.5,.5\n",
        },
    ],
    ids=["numbers", "names", "probabilities", "one column a class"],
)
def test_a_metric_that_is_named_nowhere_is_not_guessed_from_the_data(
    tmp_path: Path, changes: dict[str, str]
) -> None:
    words: dict[str, str | None] = {"description__md": "# A\n\nNo word on scoring.\n", **changes}
    competition = load_folder(make_folder(tmp_path, **words))
    choice = competition.metric_choice
    assert (competition.metric, choice.name, choice.source) == ("", None, "none")
    with pytest.raises(BadCompetition, match=r"--metric NAME.* --metric-file FILE\.py") as refused:
        require_metric(choice, competition.slug)
    assert "\n" not in str(refused.value), "one sentence"


def test_settings_win_over_the_description_and_a_person_over_both(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, competition__yaml="metric: mae\n")
    choice = load_folder(folder).metric_choice
    assert (choice.name, choice.higher_is_better, choice.source) == ("mae", False, "settings")
    competition = load_folder(folder, metric=named_metric("r2"))
    choice = competition.metric_choice
    assert (choice.name, choice.higher_is_better, choice.source) == ("r2", True, "option")
    assert (competition.metric, competition.higher_is_better) == ("r2", True)


async def test_a_server_tells_where_the_metric_was_read_and_checks_files_without_one(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, description__md="We score by a secret formula.")
    with running_server([load_folder(folder)], tmp_path / "state") as server:
        client = KaggleClient(server.url, TOKEN)
        facts = await client.extension_competition("house-prices")
        assert facts is not None and facts["metric"] is None and facts["metric_source"] == "none"
        good = tmp_path / "s.csv"
        good.write_text(FILES["sample_submission.csv"])
        done = await client.wait_for_submission(await client.submit("house-prices", good, ""), 30)
        assert done.status == "complete"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train__csv": None}, "no training data were found"),
        ({"test__csv": None}, "no test table was found"),
        ({"train__csv": ""}, "train.csv is empty"),
        ({"test__csv": "key,x\n100,1\n"}, "test.csv (1 rows) has neither the ids of sample_submission.csv"),
        ({"test__csv": "id,x\n"}, "(test.csv has no rows)"),
        ({"test__csv": "id,x\n100,1\n100,2\n"}, "1 repeated ids: '100'"),
        ({"test__csv": "id,x\n100,1\n101,2\n"}, "has ids that test.csv lacks (1): '102'"),
        (
            {"sample_submission__csv": "id,price\n100,0\n"},
            "that sample_submission.csv lacks (2): '101', '102'",
        ),
        ({"competition__yaml": "metric: [broken\n"}, "not readable YAML"),
        ({"competition__yaml": "just words\n"}, "holds no settings"),
        ({"competition__yaml": "metric: rmse\nhigher_is_better: true\n"}, "lower is better"),
        ({"competition__yaml": "metric: rmse\ndeadline: soon\n"}, "`deadline` is 'soon'"),
        ({"competition__yaml": "modality: smell\n"}, "tabular or text or image or audio"),
        ({"competition__yaml": "slug: ../../x\n"}, "`slug` is '../../x'"),
        ({"competition__yaml": "slug: 7\n"}, "`slug` is '7'"),
        ({"competition__yaml": "group_column: day\n"}, "`group_column` is 'day', which is no column"),
        ({"test__csv": "id,x,price\n100,1,0\n101,2,0\n102,3,0\n"}, "test.csv has the target column 'price'"),
        ({"train__csv": "id,x,price\n1,2,3\n1,3,4\n"}, "train.csv has 1 repeated ids: '1'"),
        ({"train__csv": "id,x,price\n1,2,3\n2,3,\n3,3,\n"}, "no 'price' in 2 of 3 rows"),
        ({"train__csv": "id,x,price\n1,2,3.5\n2,3,inf\n"}, "an infinite 'price' in 1 of 2 rows"),
        ({"train__csv": "id,x,price\n1,2,3\n2,3,3\n"}, "the same 'price' in every row"),
        ({"train__csv": "id,x,price\n"}, "(train.csv has no rows)"),
        ({"train__csv": "id,x,price\n1,2,3\n2,3,-4\n"}, "do not suit rmsle"),
        ({"train__csv": "id,x,price\n1,2,low\n2,3,high\n"}, "(price: 'low', 'high') do not suit rmsle"),
        (
            {"competition__yaml": "metric: roc_auc\n", "train__csv": "id,x,price\n1,2,0\n2,3,1\n3,3,2\n"},
            "must hold two classes, it holds 3",
        ),
        (
            {"sample_submission__csv": "id,price,cost\n102,0,0\n100,0,0\n101,0,0\n"},
            "train.csv has no column 'cost'",
        ),
        (
            {
                "competition__yaml": "metric: accuracy\n",
                "train__csv": f"id,x,price\n1,2,{'a' * 2000}\n2,3,b\n",
            },
            "a value of 2000 characters in 'price'",
        ),
        ({"train__csv": "id,price," + "x" * 400 + "\n1,2,3\n"}, "a column name of 400 characters"),
        ({"train__csv": "x" * 200_000}, "no training data were found"),
        (
            {"competition__yaml": "id_column: key\n"},
            "sample_submission.csv has no column 'key'",
        ),
    ],
)
def test_a_folder_that_cannot_be_competed_on_is_refused_in_one_sentence(
    tmp_path: Path, changes: dict[str, str | None], said: str
) -> None:
    with pytest.raises(BadCompetition) as refusal:
        load_folder(make_folder(tmp_path, **changes))
    assert said in refusal.value.message and refusal.value.hint


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sample_submission__csv": None}, "there is no sample submission"),
        ({"description__md": None, "competition__yaml": "metric: mae\n"}, ""),
        ({"sample_submission__csv": "id,cost\n100,0\n101,0\n102,0\n"}, "cost, is called price in training"),
        ({"train__csv": "id,x,x,price\n1,2,3,4\n2,2,3,5\n"}, ""),
        ({"train__csv": ",id,x,price\n0,1,2,3\n1,2,3,4\n"}, ""),
        ({"test__csv": "id,x,\n100,1,\n101,2,\n102,3,\n"}, ""),
        ({"sample_submission__csv": ",id,price\n0,100,0\n1,101,0\n2,102,0\n"}, ""),
        ({"train__csv": "id, x,price \n1,2,3\n2,3,4\n"}, ""),
        ({"train__csv": "id;x;price\n1;2;3\n2;3;4\n"}, ""),
        ({"test__csv": "id\tx\n100\t1\n101\t1\n102\t3\n"}, ""),
        ({"train__csv": "id,x,price\n1,2,3,\n2,3,4,\n"}, ""),
        ({"train__csv": "id,x,price\r\n1,2,3\r\n2,3,4\r\n"}, ""),
        (
            {"competition__yaml": "metric: roc_auc\n", "train__csv": "id,x,price\n1,2,yes\n2,3,no\n"},
            "price is 1 where it says 'yes', else 0",
        ),
        (
            {
                "competition__yaml": "metric: roc_auc\npositive_class: ripe\n",
                "train__csv": "id,x,price\n1,2,ripe\n2,3,green\n",
            },
            "price is 1 where it says 'ripe', else 0",
        ),
    ],
)
def test_a_folder_written_in_another_way_is_read(
    tmp_path: Path, changes: dict[str, str | None], told: str
) -> None:
    look = look_at_folder(make_folder(tmp_path, **changes), tmp_path / "arranged")
    tables, profile = look.tables()
    assert (profile.id_column, len(profile.target_columns)) == ("id", 1)
    assert {"id", "x", *profile.target_columns} <= set(tables.train.columns)
    assert tables.test is not None and {"id", "x"} <= set(tables.test.columns)
    assert tables.sample.columns == ["id", *profile.target_columns]
    assert sorted(tables.sample.read(["id"])["id"]) == ["100", "101", "102"]
    assert told in "; ".join(look.layout.remarks)


def test_an_unknown_metric_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rmsee"):
        load_folder(make_folder(tmp_path, competition__yaml="metric: rmsee\n"))


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCompetition, match="is not a folder"):
        load_folder(tmp_path / "nowhere")


def test_modality_is_seen_from_files_and_texts(tmp_path: Path) -> None:
    prose = "a long sentence about a film that someone has seen and did not like much at all"
    make: Callable[..., Path] = make_folder
    folder = make(tmp_path, train__csv=f"id,x,price\n1,{prose},1.5\n2,{prose},2.5\n")
    assert load_folder(folder).modality == "text"
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.JPG").write_bytes(b"jpg")
    assert load_folder(folder).modality == "image"
