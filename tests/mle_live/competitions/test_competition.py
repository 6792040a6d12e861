"""Prepared competitions on disk: what loads, what is refused, what the community shows when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kaggle_runner.errors import BadCompetition, UnknownCompetition
from mle_live.competitions.board import load_board
from mle_live.competitions.community import load_community, sorted_kernels
from mle_live.competitions.competition import load_competition, prepared_slugs
from mle_live.competitions.pages import description_pages
from tests.tiny_kaggle import DEADLINE, SLUG, make_root


def test_a_prepared_competition_loads_with_its_parts(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    competition = load_competition(root, SLUG)
    assert (competition.metric, competition.higher_is_better) == ("rmse", False)
    assert competition.deadline == DEADLINE
    assert competition.solution_path == root / "private" / SLUG / "solution.csv"
    assert len(load_board(competition)) == 20
    assert prepared_slugs(root) == [SLUG]


def test_a_sample_under_the_hosts_own_name_is_found(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    data = root / "competitions" / SLUG / "data"
    (data / "sample_submission.csv").rename(data / "gender_submission.csv")
    assert load_competition(root, SLUG).sample_submission == data / "gender_submission.csv"
    (data / "gender_submission.csv").unlink()
    with pytest.raises(BadCompetition, match="has no sample submission"):
        load_competition(root, SLUG)


@pytest.mark.parametrize("slug", ["absent", "../tiny-comp", "Tiny", "", "a/b"])
def test_an_unknown_name_is_refused(tmp_path: Path, slug: str) -> None:
    with pytest.raises(UnknownCompetition):
        load_competition(make_root(tmp_path), slug)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("metric: rmse", "metric: 7", "`metric` is 7, but some text is needed"),
        ("higher_is_better: false", "", "`higher_is_better` is None"),
        ("[target]", "[]", "at least one name"),
        ("[target]", "target", "a list of texts"),
        ("slug: tiny-comp", "slug: other", "`slug` is 'other'"),
        ("board: synthetic", "board: great", "synthetic or real or none"),
        ("max_daily_submissions: 4", "max_daily_submissions: 0", "a number from 1"),
        ("public_fraction: 0.4", "public_fraction: 1.4", "a number from 0 to 1"),
        ("2027-01-01T00:00:00Z", "soon", "a date such as"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = make_root(tmp_path) / "competitions" / SLUG / "competition.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(BadCompetition) as refusal:
        load_competition(tmp_path, SLUG)
    assert said in refusal.value.message and "competition.yaml" in refusal.value.message


def test_a_board_or_community_that_is_damaged_says_where(tmp_path: Path) -> None:
    competition = load_competition(make_root(tmp_path), SLUG)
    assert competition.leaderboard_path is not None and competition.artifacts_dir is not None
    competition.leaderboard_path.write_text("team_name,public_score\nA,1\n")
    with pytest.raises(BadCompetition, match=r"leaderboard\.csv"):
        load_board(competition)
    kernels = competition.artifacts_dir / "kernels.jsonl"
    kernels.write_text(kernels.read_text() + "{broken\n")
    with pytest.raises(BadCompetition, match=r"kernels\.jsonl:5 is not JSON"):
        load_community(competition.artifacts_dir)
    dated = '{"ref":"a/b","title":"t","created_at":"2026-01-01","code_path":1,"versions":["x"]}'
    for row in ("[1]", '"x"', "{}", dated):
        kernels.write_text(f"\n{row}\n")
        with pytest.raises(BadCompetition, match=r"kernels\.jsonl:2 is not a valid record"):
            load_community(competition.artifacts_dir)
    kernels.write_text(
        '{"ref":"a/b","title":"t","created_at":"2026-01-01","code_path":"../../data/train.csv"}\n'
    )
    with pytest.raises(BadCompetition, match="leads out of the artifacts folder"):
        load_community(competition.artifacts_dir)


def test_the_community_is_what_existed_at_the_moment(tmp_path: Path) -> None:
    community = load_community(load_competition(make_root(tmp_path), SLUG).artifacts_dir)
    march = community.at(datetime(2026, 3, 2, 12, tzinfo=UTC))
    assert [kernel.ref for kernel in march.kernels] == ["ann/starter"]
    assert [(topic.id, len(topic.replies)) for topic in march.topics] == [(7, 0), (8, 0)]
    worst_first = [kernel.ref for kernel in sorted_kernels(community.kernels, "score_descending")]
    assert worst_first == ["ann/starter", "ann/strong", "ann/from-the-future", "ann/unscored"]


def test_a_description_is_cut_into_kaggles_pages() -> None:
    pages = description_pages("# T\nIntro\n## Evaluation\nAUC\n### Format\nid\n## Data files\ntrain\n")
    assert pages == {
        "Description": "# T\nIntro",
        "Evaluation": "AUC\n### Format\nid",
        "data-description": "train",
    }
