"""The states of a notebook on its way to Kaggle, there, and home: one vocabulary for whoever tells of it.

Kaggle's own words stay in `kaggle_runner.kaggle.records`.

=========== ============================================= ============================== ==================
state       it …                                          what may follow                Kaggle's word
=========== ============================================= ============================== ==================
rehearsing  runs here first, on a sample                  waiting, refused               none
waiting     waits for one of the account's sessions       pushing, refused               none
pushing     is written down and being sent                queued, waiting, refused, lost none
queued      was taken, and waits for Kaggle's machine     running, fetching, lost        queued
running     runs there                                    fetching, lost                 running
fetching    has ended there; its output comes home        an end; pushing, once, again   an end
complete    ran to its end                                                               complete
failed      stopped at an error, or left no predictions                                  error, complete
cancelled   was ended at Kaggle by somebody                                              cancelled
timed out   was longer than its session                                                  error, cancelled
refused     was not pushed: nothing of it is at Kaggle                                   none
lost        is not known at Kaggle any more                                              none
abandoned   may go on there, but nobody waits for it      (from any unfinished state)    any
=========== ============================================= ============================== ==================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

NotebookState = Literal[
    "rehearsing", "waiting", "pushing", "queued", "running", "fetching",
    "complete", "failed", "cancelled", "timed out", "refused", "lost", "abandoned",
]  # fmt: skip
ORDERED: tuple[NotebookState, ...] = ("waiting", "pushing", "queued", "running", "fetching")
"""Under way to Kaggle, there, or on the way home."""
UNFINISHED: tuple[NotebookState, ...] = ("rehearsing", *ORDERED)
FROM_KAGGLE: Mapping[str, NotebookState] = {
    "queued": "queued", "running": "running", "complete": "complete", "error": "failed",
    "cancelled": "cancelled",
}  # fmt: skip
