"""Which metric a competition is scored by, and who says so. Nothing is guessed from the data.

The sources in their order: what a person named (`--metric`, `--metric-file`), the `metric:` of a
competition.yaml, what the competition's own texts say. Where none of them is certain, `doubt` says why, and
the metric is written by a model or asked of the person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self, cast, get_args

from kaggle_runner.errors import BadCompetition
from kaggle_runner.texts import one_line, shortened

if TYPE_CHECKING:
    from mle_live.metrics.recognition import MetricReading

MetricSource = Literal["option", "settings", "description", "model", "none"]

NAMED_NOWHERE = "the competition's texts name no metric"
_SENTENCE_SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricChoice:
    """A metric with the sentence that it was read from, or the doubt that keeps it from being certain."""

    name: str | None = None
    """Of `docs/metrics.md`, or of the file that holds it; None while it is not certain."""
    higher_is_better: bool | None = None
    sentence: str | None = None
    """The host's words, also where they were not understood."""
    source: MetricSource = "none"
    doubt: str | None = None

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """From the facts that an MLE-Live server tells; older servers tell the name alone."""
        source = values.get("metric_source")
        name = values.get("metric") or None
        if source not in get_args(MetricSource):
            source = "settings" if name else "none"
        return cls(
            name=name,
            higher_is_better=values.get("higher_is_better") if name else None,
            sentence=values.get("metric_sentence"),
            source=cast(MetricSource, source),
            doubt=None if name else values.get("metric_doubt") or NAMED_NOWHERE,
        )

    @property
    def told(self) -> str:
        """For people: the metric with its source and the host's sentence, or why it is not certain."""
        if self.name is None:
            return f"not certain: {self.why}"
        better = {True: "higher is better", False: "lower is better", None: "direction unknown"}
        return f"{self.name} ({better[self.higher_is_better]}), {self.origin}"

    def recorded(self, words: str = "") -> dict[str, str]:
        """As a run's row keeps it; `words` stand for the name of one that is not certain."""
        names = {"metric": self.name or words, "metric_source": self.source}
        return names | {"metric_sentence": self.sentence or ""}

    @property
    def origin(self) -> str:
        """Who says so, with the host's words."""
        return _ORIGINS[self.source] + (f": {self._quoted}" if self.sentence else "")

    @property
    def why(self) -> str:
        """Why none is certain, with the sentence that was not understood."""
        said = self.doubt or NAMED_NOWHERE
        return f"{said}, in {self._quoted}" if self.sentence else said

    @property
    def _quoted(self) -> str:
        return f"“{shortened(one_line(self.sentence or ''), _SENTENCE_SHOWN)}”"


_ORIGINS: Mapping[MetricSource, str] = {
    "option": "as it was asked for",
    "settings": "as the competition's settings name it",
    "description": "read from its pages",
    "model": "written by the model, since the pages name none for certain",
    "none": "named nowhere",
}


def named_metric(name: str, source: MetricSource = "option") -> MetricChoice:
    """A metric by its name in docs/metrics.md, in any case; UsageError with the nearest names for others."""
    from mle_live.metrics import get_metric

    metric = get_metric(name.lower())
    return MetricChoice(name=metric.name, higher_is_better=metric.higher_is_better, source=source)


def choose_metric(
    *texts: str,
    settings: Mapping[str, Any] | None = None,
    where: str = "",
    targets: Sequence[str] = (),
    classes: bool = False,
) -> MetricChoice:
    """The metric that the settings name, else the one that the competition's texts agree on.

    `where` is the settings' file, for a refusal; `targets` and `classes` are as in `read_metric`. Raises
    BadCompetition for a direction that the named metric does not have.
    """
    settings = settings or {}
    if settings.get("metric") is not None:
        choice = named_metric(str(settings["metric"]), "settings")
        if settings.get("higher_is_better", choice.higher_is_better) != choice.higher_is_better:
            word = "higher" if choice.higher_is_better else "lower"
            raise BadCompetition(
                f"{where}: {choice.name} is a metric where {word} is better",
                hint="remove `higher_is_better`, or name another metric",
            )
        return choice
    return read_metric(*texts, targets=targets, classes=classes)


def read_metric(*texts: str, targets: Sequence[str] = (), classes: bool = False) -> MetricChoice:
    """What the host's texts say: a short name as Kaggle states it first, then the pages.

    `targets` are the columns to be predicted, where they are known; `classes` says that each of them is a
    class of one label, so that "log loss" can only mean the multi-class one.
    """
    from mle_live.metrics import get_metric
    from mle_live.metrics.recognition import recognise

    readings = [reading for text in texts if text.strip() for reading in [recognise(text, plain=True)]]
    known: dict[str, MetricReading] = {}
    for reading in readings:
        if reading.metric is not None:
            known.setdefault(_fitting(reading.metric.name, len(targets), classes), reading)
    doubtful = next((one for one in readings if one.metric is None and one.doubt), None)
    if len(known) > 1:
        doubtful = next(iter(known.values()))._replace(
            doubt=f"the competition's texts name two metrics, {' and '.join(known)}"
        )
    if doubtful is not None or not known:
        return MetricChoice(
            sentence=doubtful.sentence if doubtful else None,
            doubt=(doubtful.doubt if doubtful else None) or NAMED_NOWHERE,
        )
    ((name, reading),) = known.items()
    found = MetricChoice(
        name=name,
        higher_is_better=get_metric(name).higher_is_better,
        sentence=reading.sentence,
        source="description",
    )
    return fitted(found, len(targets), classes)


def fitted(choice: MetricChoice, targets: int, classes: bool) -> MetricChoice:
    """A metric read in words, as it suits the columns to be predicted (0: not known yet).

    It becomes a doubt where it is of one column and several are to be predicted. What a person or the
    settings named stays as it is.
    """
    from mle_live.metrics import get_metric, is_known

    if choice.source != "description" or choice.name is None or not is_known(choice.name):
        return choice
    name = _fitting(choice.name, targets, classes)
    metric = get_metric(name)
    if metric.one_column and targets > 1:
        doubt = f"{name} is of one column, and {targets} are to be predicted"
        return MetricChoice(sentence=choice.sentence, doubt=doubt)
    return replace(choice, name=name, higher_is_better=metric.higher_is_better)


def _fitting(name: str, targets: int, classes: bool) -> str:
    """Of metrics with one name in words, the one that suits the columns to be predicted."""
    if classes:
        return {"binary_log_loss": "multiclass_log_loss", "brier": "multiclass_brier"}.get(name, name)
    if targets == 1:
        return {"multiclass_log_loss": "binary_log_loss", "multiclass_brier": "brier"}.get(name, name)
    if targets > 1:
        return {"micro_f1_multilabel": "f1"}.get(name, name)
    return name


def known_name(choice: MetricChoice) -> str | None:
    """Its name where mle_live.metrics has it; None for one in a file, or where none is certain."""
    from mle_live.metrics import is_known

    return choice.name if choice.name and is_known(choice.name) else None


def require_metric(choice: MetricChoice, competition: str) -> None:
    """BadCompetition in one sentence where no metric is certain, for runs without a model to write one."""
    if choice.name is not None:
        return
    raise BadCompetition(
        f"The metric of {competition} is not certain ({choice.why}): name it with "
        "--metric NAME (docs/metrics.md lists them), or give a file of your own that scores with "
        "--metric-file FILE.py."
    )
