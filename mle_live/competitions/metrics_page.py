"""Writes docs/metrics.md: `python -m mle_live.competitions.metrics_page > docs/metrics.md`.

Which metric a competition is scored by is written in `competitions.csv` beside this file; the rest is read
from the code.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import NamedTuple

from mle_live.metrics.families import FAMILIES
from mle_live.metrics.metric import Metric
from mle_live.metrics.registry import METRICS, get_metric


class Scored(NamedTuple):
    """A competition of MLE-bench and the metric that Kaggle scored it by."""

    competition: str
    metric: str
    higher_is_better: bool


def competitions() -> list[Scored]:
    """The 75 competitions, in the order of their names."""
    text = resources.files(__package__).joinpath("competitions.csv").read_text(encoding="utf-8")
    return [
        Scored(row["competition"], row["metric"], row["better"] == "higher")
        for row in csv.DictReader(text.splitlines())
    ]


def page() -> str:
    """The whole page in Markdown."""
    from mle_live.competitions.mle_bench import DIFFERENCES

    used = {row.metric for row in competitions()}
    tables = [*_metric_rows(), "", _FAMILIES, *_family_rows(), "", _READING]
    return "\n".join([*_opening(len(used)), *tables, _DIFFERING, *_differing(DIFFERENCES), ""])


_FAMILIES = """\
## Names with a number in them

Any number within reason: `fbeta_2`, `fbeta_0.5`, `map_at_3`. `mle_live.metrics.get_metric` explains a miss.

| metric | meaning | better | best | what it is |
|---|---|---|---|---|"""


_READING = """\
## How a metric is read from a description

A run is scored by the metric that you name (`--metric`, `--metric-file`), else by the one that a
`competition.yaml` names, else by the one that the competition's own texts name; it is shown with its source
and its sentence, and never guessed from the data. All of the text is read. A sentence that says what
submissions are scored by decides, and it decides only where each word beside the metric's name is known to
change nothing. These make a question of it:

* a word of its sentence that is on no list of words that change nothing, unless the name of what is predicted
  is due there; beside the name of the metric any such word: weighted, column-wise, balanced, hourly, `1 -`,
  `log(`;
* weights, averages over groups, logarithms, tolerances, limits, penalties, rounding or left-out rows in its
  sentence, or in one around it that speaks of the score; weights or logarithms in a formula or a function of
  a metric that has none;
* two metrics for scoring, wherever they are named; what is denied, past, or shown for comparison only does
  not count;
* a metric that needs more than the target columns (weights, groups, censoring), or lacks its number (top-k);
* the other direction (“higher is better” of an error), and words of other languages and scripts that may
  change it;
* a metric of one column where several are to be predicted.

With a model, the model then writes the metric, which is checked like any other; without one the run stops
with that question.

Of the 75 descriptions of MLE-bench 59 give Kaggle's metric, 16 a question (11 are of metrics that need more
than the target columns, 2 leave rows or columns out of the score), none another metric. Of 134 further
descriptions of public competitions, those of MLE-Dojo, 110 give the right metric, 24 a question (about half
of them for variants that are not in the table), none another metric. They were read by hand once, with 60
and 112; since then the reader asks about every word that it does not know, and the answers of both
readers were compared by a program: three became questions, none changed. Its list of words was made on
these texts, so others will be asked about more often. The tests hold some 300 sentences of our own.
"""

_DIFFERING = """\
## Where MLE-bench's graders differ

`mle-live grade COMPETITION FILE --compat mle-bench` scores as they do, on all rows and to five digits. In
general: a score that is not a number counts as a valid submission there, and a grader that breaks counts as
an invalid one. By metric:
"""


def _opening(metrics_used: int) -> Iterator[str]:
    yield from (
        "# Metrics",
        "",
        "Written by `python -m mle_live.competitions.metrics_page`; a test keeps it so.",
        "",
        f"MLE-Live has {len(METRICS)} metrics. Rows are aligned by id, always. Missing, repeated, unknown,",
        "infinite and out-of-range predictions are refused with the first ids concerned, never scored.",
        "",
        "## The 75 competitions of MLE-bench",
        "",
        f"They are scored by {metrics_used} metrics.",
        "",
        "| competition | metric | better |",
        "|---|---|---|",
    )
    for row in competitions():
        yield f"| {row.competition} | `{row.metric}` | {_word(row.higher_is_better)} |"
    yield from (
        "",
        "## All metrics",
        "",
        "| metric | meaning | better | best | what it is |",
        "|---|---|---|---|---|",
    )


def _differing(differences: Mapping[str, str]) -> Iterator[str]:
    for metric, sentence in sorted(differences.items()):
        yield f"* `{metric}`: {sentence}"
    yield "* `mae`: the competition predict-volcanic-eruptions-ingv-oe rounds it to a whole number."


def _metric_rows() -> Iterator[str]:
    for name in sorted(METRICS):
        metric = get_metric(name)
        source = (metric.formula.__doc__ or "").strip().splitlines()[0].replace("|", "\\|")
        yield (
            f"| `{name}` | {metric.title} | {_word(metric.higher_is_better)} | {_best(metric)} | {source} |"
        )


def _family_rows() -> Iterator[str]:
    for family in FAMILIES:
        best = "1 - N" if family.perfect else f"{float(family.higher_is_better):.4g}"
        yield (
            f"| `{family.form.format('N')}`, as `{family.example}` | {family.title.format('N')} "
            f"| {_word(family.higher_is_better)} | {best} | {family.source} |"
        )


def _word(higher_is_better: bool) -> str:
    return "higher" if higher_is_better else "lower"


def _best(metric: Metric) -> str:
    return "depends" if metric.perfect is None else f"{metric.perfect:.4g}"


if __name__ == "__main__":
    sys.stdout.write(page())
