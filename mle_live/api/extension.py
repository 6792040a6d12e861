"""MLE-Live's own reads beside Kaggle's protocol, under `/mle-live/v1/`.

What Kaggle's public API does not tell: a kernel's public score, a metric's direction, and a submission's
final result with rank and medal.
"""

from __future__ import annotations

from typing import Any

from mle_live.api.submissions import own_submission
from mle_live.competitions.placement import Placement, placement
from mle_live.service import Api, Call
from mle_live.wire import OwnAddress, RpcError


class FactsApi(Api):
    @OwnAddress("GET", "competitions/{slug}")
    def competition_facts(self, call: Call, slug: str) -> dict[str, Any]:
        """Metric, direction, columns and kind of board of a competition."""
        competition = self._service.competition(slug)
        choice = competition.metric_choice
        return {
            "slug": competition.slug,
            "title": competition.title,
            "metric": competition.metric or None,
            "metric_source": choice.source,
            "metric_sentence": choice.sentence,
            "metric_doubt": choice.doubt,
            "higher_is_better": competition.higher_is_better,
            "id_column": competition.id_column,
            "told": competition.told.as_settings(),
            "target_columns": list(competition.target_columns),
            "group_column": competition.group_column,
            "modality": competition.modality,
            "board": competition.board,
            "teams": len(self._service.snapshot(competition)),
            "votes_are_dated": self._service.votes_are_dated(competition),
            "has_labels": competition.solution_path is not None,
            "gpu_kernels": self._service.kernels.limits.with_gpu,
            "license": competition.license,
            "source": competition.source,
        }

    @OwnAddress("GET", "competitions/{slug}/kernel-scores")
    def kernel_scores(self, call: Call, slug: str) -> dict[str, Any]:
        """Public score and author tier of every kernel that has been scored, by reference."""
        community = self._service.community(self._service.competition(slug), call)
        return {
            "scores": {
                kernel.ref: kernel.public_score
                for kernel in community.kernels
                if kernel.public_score is not None
            },
            "author_tiers": {kernel.ref: kernel.author_tier for kernel in community.kernels},
        }

    @OwnAddress("GET", "submissions/{ref:number}/result")
    def submission_result(self, call: Call, ref: int) -> dict[str, Any]:
        """Where a submission stands: on the public board always, on the private one once that is open.

        Raises RpcError 404 for unknown submissions and 409 while it is being graded.
        """
        row = own_submission(self._service, call, ref)
        competition = self._service.by_slug[row.competition]
        if row.status == "PENDING":
            raise RpcError(409, f"Submission {ref} is still being graded")
        teams = self._service.snapshot(competition)
        higher = competition.higher_is_better
        result: dict[str, Any] = {
            "ref": ref,
            "competition": competition.slug,
            "status": row.status,
            "error": row.error,
            "metric": competition.metric,
            "higher_is_better": higher,
            "board": competition.board,
            "public_score": row.public_score,
            "public": None,
            "private_score": None,
            "private": None,
        }
        if row.public_score is not None:
            there = [team.public_score for team in teams if team.submitted_at <= call.now]
            public = placement(row.public_score, there, higher)
            result["public"] = _as_dict(public)
        if row.private_score is not None and self._service.private_is_open(competition, call.now):
            private = placement(row.private_score, [team.private_score for team in teams], higher)
            result["private_score"], result["private"] = row.private_score, _as_dict(private)
        return result


def _as_dict(place: Placement | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {
        "rank": place.rank,
        "teams": place.teams,
        "win_rate": place.win_rate,
        "medal": place.medal,
        "above_median": place.above_median,
    }
