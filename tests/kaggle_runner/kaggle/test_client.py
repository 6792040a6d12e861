"""The client against a real MLE-Live server on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.transport import Retries
from tests.tiny_kaggle import (
    CANARY,
    DEADLINE,
    NOW,
    ROWS,
    SLUG,
    TOKEN,
    RunningServer,
    submission_text,
    tiny_server,
)


@pytest.fixture
def client(server: RunningServer) -> KaggleClient:
    return KaggleClient(server.url, TOKEN, retries=Retries(tries=1))


async def test_competition_and_pages(client: KaggleClient) -> None:
    competition = await client.competition(SLUG)
    assert (competition.slug, competition.metric, competition.max_daily_submissions) == (SLUG, "rmse", 4)
    assert competition.deadline == DEADLINE
    assert competition.team_count == 20 and not competition.entered
    pages = await client.pages(SLUG)
    assert list(pages) == ["Description", "Evaluation", "data-description"]
    assert "root mean squared error" in pages["Evaluation"]


async def test_legacy_key_works_like_a_token(server: RunningServer) -> None:
    assert (await KaggleClient(server.url, ("alice", TOKEN)).competition(SLUG)).slug == SLUG


async def test_download_replaces_the_folder_by_the_data(
    client: KaggleClient, server: RunningServer, tmp_path: Path
) -> None:
    dest = tmp_path / "input"
    dest.mkdir()
    (dest / "stale.csv").write_text("old")
    seen: list[tuple[int, int | None]] = []
    await client.download_all(SLUG, dest, lambda done, total: seen.append((done, total)))
    listed = {file.name: file.size for file in await client.files(SLUG)}
    got = {path.relative_to(dest).as_posix(): path.stat().st_size for path in dest.rglob("*.*")}
    assert got == listed
    assert set(listed) == {"train.csv", "test.csv", "sample_submission.csv", "images/one.png"}
    assert (dest / "train.csv").read_bytes() == (server.competition.data_dir / "train.csv").read_bytes()
    assert seen and seen[-1][0] == seen[-1][1]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


async def test_kernels_come_in_the_asked_order_and_only_from_the_past(client: KaggleClient) -> None:
    by_votes = [kernel.ref for kernel in await client.kernels(SLUG, "votes")]
    assert by_votes == ["ann/starter", "ann/unscored", "ann/strong"]
    best_first = [kernel.ref for kernel in await client.kernels(SLUG, "score")]
    assert best_first == ["ann/strong", "ann/starter", "ann/unscored"]  # rmse: lower is better
    worst_first = await client.kernels(SLUG, "score", higher_is_better=True)
    assert [kernel.ref for kernel in worst_first] == ["ann/starter", "ann/strong", "ann/unscored"]
    assert [kernel.ref for kernel in await client.kernels(SLUG, "date", limit=1)] == ["ann/strong"]
    assert await client.extension_kernel_scores(SLUG) == {"ann/starter": 55.5, "ann/strong": 3.25}


async def test_a_notebook_kernel_reads_as_cells(client: KaggleClient) -> None:
    source = await client.kernel_source("ann/strong")
    assert source.info.kernel_type == "notebook"
    assert source.text == '# %% [markdown]\n# A note\n\n# %%\nprint("hi")\n'
    assert (source.datasets, source.competitions) == (("ann/extra-rows",), (SLUG,))
    with pytest.raises(KaggleError) as refusal:
        await client.kernel_source("ann/missing")
    assert refusal.value.status == 403 and "check the name" in refusal.value.hint


async def test_discussions_with_their_posts(client: KaggleClient) -> None:
    assert [topic.id for topic in await client.topics(SLUG, 10)] == [8, 7]
    posts = await client.topic_messages(SLUG, 7)
    assert [(post.author, post.text) for post in posts] == [
        ("ann", "Rows of a day belong together."),
        ("bob", "I agree."),
    ]


async def test_submission_is_scored_ranked_and_listed(client: KaggleClient, tmp_path: Path) -> None:
    file = tmp_path / "submission.csv"
    file.write_text(submission_text([value + 25.0 for value in CANARY]))
    ref = await client.submit(SLUG, file, "first")
    done = await client.wait_for_submission(ref, 30)
    assert (done.status, done.public_score, done.private_score) == ("complete", 25.0, None)
    result = await client.extension_result(ref)
    assert result is not None and result["public"]["rank"] == 3 and result["private"] is None
    assert [row.ref for row in await client.submissions(SLUG)] == [ref]
    board = await client.leaderboard(SLUG)
    assert (board[2].team, board[2].rank, board[2].score, len(board)) == ("alice", 3, 25.0, 21)
    assert (await client.submission_limits(SLUG)).allowed_now == 3


async def test_a_bad_file_ends_as_an_error_that_names_the_rows(client: KaggleClient, tmp_path: Path) -> None:
    file = tmp_path / "submission.csv"
    file.write_text(submission_text([1.0] * (ROWS - 2)))
    done = await client.wait_for_submission(await client.submit(SLUG, file, ""), 30)
    assert (
        done.status == "error"
        and "have no prediction" in done.error
        and "(2 of them: t38, t39)" in done.error
    )
    assert (await client.submission_limits(SLUG)).allowed_now == 4


async def test_the_daily_limit_is_explained(client: KaggleClient, tmp_path: Path) -> None:
    file = tmp_path / "submission.csv"
    file.write_text(submission_text([1.0] * ROWS))
    for _ in range(4):
        await client.wait_for_submission(await client.submit(SLUG, file, ""), 30)
    with pytest.raises(KaggleError) as refusal:
        await client.submit(SLUG, file, "")
    assert "allowance (4)" in refusal.value.message and "midnight UTC" in refusal.value.hint


async def test_refusals_name_the_cause_and_the_next_step(client: KaggleClient, server: RunningServer) -> None:
    with pytest.raises(KaggleError) as unknown:
        await client.competition("no-such-comp")
    assert unknown.value.status == 404 and "no-such-comp" in unknown.value.message
    with pytest.raises(KaggleError) as stranger:
        await KaggleClient(server.url, "wrong-token").competition(SLUG)
    assert stranger.value.status == 401 and "token" in stranger.value.hint


async def test_extension_tells_metric_and_direction(client: KaggleClient) -> None:
    facts = await client.extension_competition(SLUG)
    assert facts is not None
    assert (facts["metric"], facts["higher_is_better"], facts["board"]) == ("rmse", False, "synthetic")
    assert (facts["id_column"], facts["target_columns"]) == ("id", ["target"])


async def test_kaggle_itself_is_never_asked_for_the_extension() -> None:
    assert await KaggleClient("https://api.kaggle.com", "t").extension_competition(SLUG) is None


async def test_competitions_are_listed_and_those_entered_alone(client: KaggleClient, tmp_path: Path) -> None:
    listed = await client.competitions()
    assert [competition.slug for competition in listed] == [SLUG]
    assert (listed[0].max_team_size, listed[0].submissions_disabled) == (1, False)
    assert listed[0].new_entrant_deadline == DEADLINE
    assert await client.competitions("no such words") == []
    assert await client.competitions(entered=True) == []
    file = tmp_path / "submission.csv"
    file.write_text(submission_text([1.0] * ROWS))
    await client.wait_for_submission(await client.submit(SLUG, file, ""), 30)
    assert [competition.slug for competition in await client.competitions(entered=True)] == [SLUG]


async def test_the_whole_board_comes_in_one_table(client: KaggleClient, tmp_path: Path) -> None:
    file = tmp_path / "submission.csv"
    file.write_text(submission_text([value + 25.0 for value in CANARY]))
    await client.wait_for_submission(await client.submit(SLUG, file, "first"), 30)
    table = await client.leaderboard_table(SLUG)
    board = await client.leaderboard(SLUG)
    assert [(team.rank, team.team_id, team.team, team.score) for team in table] == [
        (row.rank, row.team_id, row.team, row.score) for row in board
    ]
    assert table[2].members == ("alice",) and table[2].submitted_at == NOW


async def test_the_user_is_known_by_token_and_by_key(client: KaggleClient, server: RunningServer) -> None:
    assert await client.username() == "alice"
    assert await KaggleClient(server.url, ("alice", TOKEN)).username() == "alice"
    with pytest.raises(KaggleError) as stranger:
        await KaggleClient(server.url, "wrong-token").username()
    assert stranger.value.status == 401 and "COMIND_KAGGLE_TOKEN" in stranger.value.hint


async def test_the_clock_is_the_servers(client: KaggleClient) -> None:
    from datetime import UTC, datetime

    offset = await client.clock_offset()
    assert abs((NOW - datetime.now(UTC)).total_seconds() - offset) < 600


async def test_rules_that_are_not_accepted_are_said_with_their_page(tmp_path: Path) -> None:
    from mle_live.service import ServerLimits

    limits = ServerLimits(rules_required=True)
    with (
        tiny_server(tmp_path, limits=limits) as server,
        pytest.raises(KaggleError) as refusal,
    ):
        await KaggleClient(server.url, TOKEN).download_all(SLUG, tmp_path / "data")
    assert refusal.value.status == 403
    assert f"https://www.kaggle.com/competitions/{SLUG}/rules" in refusal.value.hint
