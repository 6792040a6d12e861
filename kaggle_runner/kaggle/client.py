"""Kaggle for the rest of the program: competitions, data, kernels, datasets, submissions, leaderboards.

kaggle.com and MLE-Live on loopback differ in their address only. Every method is a coroutine; the
work is done in threads. Failures are KaggleError with a hint. The methods are in `client_*.py` by subject.
"""

from __future__ import annotations

from kaggle_runner.kaggle.community import CommunityCalls
from kaggle_runner.kaggle.competitions import CompetitionCalls
from kaggle_runner.kaggle.datasets import DatasetCalls
from kaggle_runner.kaggle.kernels import KernelCalls
from kaggle_runner.kaggle.submissions import SubmissionCalls


class KaggleClient(CompetitionCalls, CommunityCalls, SubmissionCalls, KernelCalls, DatasetCalls):
    """One user's view of one Kaggle. `credentials` is an API token or (user name, key)."""
