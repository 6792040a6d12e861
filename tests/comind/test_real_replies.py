"""Replies as small language models really wrote them in trial runs, shortened; what the roles make of them.

The texts are recordings, not inventions: each was malformed in a way that cost a run something.
"""

from __future__ import annotations

from comind.roles.coder import parse_turn
from comind.roles.coordinator import plain_drafts

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
