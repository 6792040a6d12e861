"""Every error a person may meet. They say what happened, where, and what to do next.

    ComindError                      exit code 1: the run failed
    ├── UsageError                   2: the command line, a config file or the input is wrong
    │   ├── ConfigError
    │   ├── UnknownCompetition
    │   ├── BadCompetition           a folder or a shelf entry that cannot be competed on
    │   ├── RunNotFound
    │   ├── StateUnwritable
    │   ├── PythonUnusable           the Python that was named for notebooks is none, or lacks a kernel
    │   └── Unusable               a database or file of ours: damaged, foreign, newer, locked, no room
    ├── ServiceError                 3: something outside refused or is away; the same call may work later
    │   ├── KaggleError              Kaggle or MLE-Live
    │   │   ├── KernelRefused        a push that was not taken: quota, sessions, sources
    │   │   └── SubmissionRefused    the governor or Kaggle does not take a submission
    │   ├── AccountBusy              another process is at the same account
    │   └── ModelError               the language model's endpoint
    │       ├── ModelRefused         wrong key, unknown model, no quota: asking again will not help
    │       └── ModelUnavailable     time-outs, 429, 5xx, broken replies after all tries
    ├── MachineError                 4: this machine lacks something; `comind-tui doctor` tells what
    │   └── SandboxUnavailable
    ├── RunBusy                      2: another engine holds the run
    ├── EvaluatorRejected            1: the split or the metric failed its checks
    └── LimitReached                 1: money or time ran out before anything could be scored
        └── AgentLimitReached        one coding agent's share is spent; the run goes on

The lowest package holds them so that every package can raise them.
"""

from __future__ import annotations


class ComindError(Exception):
    """What happened (`message`), what to do next (`hint`), and the exit code for scripts."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message


class UsageError(ComindError):
    exit_code = 2


class ConfigError(UsageError):
    pass


class UnknownCompetition(UsageError):
    pass


class BadCompetition(UsageError):
    pass


class NoReadySplit(BadCompetition):
    """The data are sound as far as was seen, but of no shape that a ready split fits."""


class RunNotFound(UsageError):
    pass


class StateUnwritable(UsageError):
    pass


class PythonUnusable(UsageError):
    pass


class Unusable(UsageError):
    """A database or a file of ours is no good, and `why`, in words that stand alone in a list."""

    def __init__(self, path: object, why: str, *, hint: str = "") -> None:
        super().__init__(f"{path} cannot be used: {why}.", hint=hint)
        self.why = why


class RunBusy(UsageError):
    pass


class ServiceError(ComindError):
    exit_code = 3


class KaggleError(ServiceError):
    """A call to Kaggle or MLE-Live failed. `status` is the HTTP status, 0 when none arrived.

    `maybe_done`: the call would have changed something at Kaggle, and its answer never came. Look there
    before it is repeated. `retry_after`: seconds that the server asked us to wait, 0 when it asked nothing.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int = 0,
        maybe_done: bool = False,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.maybe_done = maybe_done
        self.retry_after = retry_after


class KernelRefused(KaggleError):
    """A pushed kernel was not taken. `full`: the sessions or the quota are used up, later it may be.

    `no_machine`: there is no accelerator of that kind for the user, whatever the code says.
    """

    def __init__(
        self, message: str, *, hint: str = "", status: int = 0, full: bool = False, no_machine: bool = False
    ) -> None:
        super().__init__(message, hint=hint, status=status)
        self.full, self.no_machine = full, no_machine


class SubmissionRefused(KaggleError):
    """A submission was not sent, or not taken."""


class AccountBusy(ServiceError):
    pass


class ModelError(ServiceError):
    pass


class ModelRefused(ModelError):
    pass


class ModelUnavailable(ModelError):
    pass


class MachineError(ComindError):
    exit_code = 4


class SandboxUnavailable(MachineError):
    pass


class EvaluatorRejected(ComindError):
    pass


class LimitReached(ComindError):
    pass


class AgentLimitReached(LimitReached):
    pass
