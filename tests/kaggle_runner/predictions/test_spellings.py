"""Which of the host's ids is meant by one in another spelling."""

from __future__ import annotations

import pytest

from kaggle_runner.predictions.spellings import find_ids


@pytest.mark.parametrize(
    ("ids", "expected", "places"),
    [
        (["1", "02", "3.0", "x"], ["1", "2", "3"], [0, 1, 2, None]),
        (["1e3", ".5", "-0"], ["1000", "0.50", "0"], [0, 1, 2]),
        (["a+1.0", "a+02", "a"], ["a+1", "a+2"], [0, 1, None]),
        (["1.2345678901234568e+19"], ["12345678901234567890", "3"], [0]),
        (["1.2345678901234568e+19"], ["12345678901234567890", "12345678901234567891"], [None]),
        (["1_0", "٣", "0x3"], ["10", "3"], [None, None, None]),
        (["", " "], ["NA", "7"], [0, 0]),
        (["nan"], ["NA", "None"], [None]),
        (["007"], ["7", "07"], [None]),  # which of the two is meant cannot be known
        (["01"], ["a", "1"], [1]),
        (["1", "a"], ["a", "1"], [1, 0]),
    ],
)
def test_an_id_in_another_spelling_is_found_where_only_one_can_be_meant(
    ids: list[str], expected: list[str], places: list[int | None]
) -> None:
    assert find_ids(ids, expected) == places
