"""Which community kernels are run first where not all of them can be. Running them: test_scripting."""

from __future__ import annotations

import pytest

from comind.round.verification import most_promising
from comind.state.records import Kernel


@pytest.mark.parametrize(("higher", "names"), [(True, ["b", "a", "x", "y"]), (False, ["a", "b", "x", "y"])])
def test_the_best_of_upstreams_board_goes_first_and_unscored_kernels_last(
    higher: bool, names: list[str]
) -> None:
    scores = {"x": None, "a": 0.1, "y": None, "b": 0.7}
    kernels = [Kernel(id=n, title=n, author="", source="", public_score=s) for n, s in scores.items()]
    assert [kernel.id for kernel in most_promising(kernels, higher=higher)] == names
