"""Replies as small language models really wrote them in trial runs, shortened; what the roles make of them.

The texts are recordings, not inventions: each was malformed in a way that cost a run something.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from comind.llm.formats import MalformedReply
from comind.roles.analyzer import parse_kernel
from comind.roles.briefing import report_heading
from comind.roles.coder import parse_report, parse_turn
from comind.roles.coordinator import plain_drafts
from comind.state.records import Report

SEVERAL_TURNS = """<goal>write a code snippet to load the training and validation CSV files</goal>
<code>
import pandas as pd

# Load training data
train_df = pd.read_csv('/kaggle/input/digits-5k/train.csv')
</code>
<validation_submission>None</validation_submission>
<submission>sample_validation_submission.csv</submission>

<goal>write a code snippet to check the shape of the training and validation dataFrames</goal>
<code>
print("Shape of training DataFrame:", train_df.shape)
</code>
<validation_submission>None</validation_submission>
<submission>sample_validation_submission.csv</submission>

<goal>write a code snippet to write the prediction for the first test image</goal>
<code>
pixels = extract_pixels(test_ima"""


def test_of_several_turns_in_one_reply_the_first_counts() -> None:
    turn = parse_turn(SEVERAL_TURNS)
    assert turn.code.startswith("import pandas")
    assert "Shape" not in turn.code
    assert turn.goal.startswith("write a code snippet to load")
    assert turn.text in SEVERAL_TURNS
    assert "Shape" not in turn.text


def test_a_sample_file_named_for_one_of_two_predictions_is_told_and_not_scored() -> None:
    turn = parse_turn(SEVERAL_TURNS)
    assert not turn.submits
    assert "only one prediction file was named" in turn.fault


def test_plain_drafts_share_the_ideas_out() -> None:
    first, second = plain_drafts("1. [idea-0001] Clip.\n2. [idea-0002] Rank.\n3. [idea-0003] Folds.", 2)
    assert first.title != second.title
    assert "Clip" in first.description
    assert "Folds" in first.description
    assert "Rank" in second.description


SWAPPED_BLOCKS = """**novelty**:{novelty} The pipeline uses a novel method of shifting images.

**feasibility**:{feasibility} The implementation is straightforward and can be easily integrated.

**effectiveness**:{effectiveness} The pipeline achieves a validation accuracy of 97%.

**efficiency**:{efficiency} The time complexity of the pipeline is relatively low.

===SEPARATOR===

**pipeline**:

We then create a set of shifts. These shifted images are concatenated with the original images.

```python
many = np.concatenate([np.roll(X, shift, axis=(1, 2)) for shift in shifts]).reshape(-1, 784)
```

**pitfalls**: While the pipeline achieves a significant improvement, it relies on the assumption."""
"""The model wrote no numbers; with the numbers that the complaint asks for, the order is still its own."""

NAMES = ("novelty", "feasibility", "effectiveness", "efficiency")


def test_marks_without_numbers_are_asked_for_in_words_that_say_number() -> None:
    with pytest.raises(MalformedReply, match=r"novelty.*number from 0 to 10"):
        parse_kernel(SWAPPED_BLOCKS.format(**dict.fromkeys(NAMES, "")))


def test_blocks_in_the_wrong_order_are_told_apart_by_their_marks() -> None:
    analysis = parse_kernel(SWAPPED_BLOCKS.format(**dict.fromkeys(NAMES, " 6 -")))
    assert analysis.marks == dict.fromkeys(NAMES, 6.0)
    assert "np.roll" in analysis.pipeline
    assert "novel method" in analysis.summary


INVENTED_REPORT = """<pipeline>
=== Model ===
- Support vector machine (SVM): 8 - novelty, feasibility, effectiveness, efficiency, confidence.
</pipeline>
<summary>
Feasibility: The code is straightforward and easy to understand.
Effectiveness: The draft performs well on the validation set with an accuracy of approximately 95%.
Suggestions: Experiment with different kernel strengths.</summary>"""
"""Every cell of this agent had failed: nothing was ever scored."""


def test_a_report_without_numbers_is_asked_for_again_in_words_that_say_number() -> None:
    with pytest.raises(MalformedReply, match="number from 0 to 10"):
        parse_report(INVENTED_REPORT)


def test_what_was_measured_stands_above_what_a_report_claims() -> None:
    report = Report(
        id="report-1801",
        round=1,
        kind="solution",
        subject="r1-a1",
        title="SVM",
        pipeline="",
        summary=INVENTED_REPORT,
        created_at="2026-01-01T00:00:00.000Z",
    )
    assert report_heading(report) == "solution by r1-a1, nothing valid was scored"
    assert report_heading(replace(report, local_score=0.95)) == "solution by r1-a1, score 0.95"
