"""How a submission that was made again differs from the first."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from comind.run.reproduction import compare


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("id,y\n1,0.5\n2,1\n", "id,y\n2,1.0\n1,0.5\n", 0.0),
        ("id,y\n1,0.5\n2,1\n", "id,y\n2,1.25\n1,0.5\n", 0.25),
        ("y,id\n0.5,1\n0.5,2\n", "y,id\n0.5,2\n0.5,1\n", 0.0),
        ("id,y\n1,None\n2,b\n", "id,y\n2,b\n1,None\n", 0.0),
        ("id,y\n1,None\n2,b\n", "id,y\n1,NA\n2,b\n", math.inf),
        ("id,y\n1,True\n2,False\n", "id,y\n2,False\n1,True\n", 0.0),
        ("id,y\n1,a\n2,b\n", "id,y\n1,a\n3,b\n", math.inf),
        ("id,y\n1,0\n2,1\n", "id,y\n1,0\n", math.inf),
        ("id,y\n1,0\n2,1\n", "id,z\n1,0\n2,1\n", math.inf),
        ("id,y\n1,0\n2,1\n", "id,y\n1,0\n2,x\n", math.inf),
    ],
)
def test_rows_are_compared_by_id_and_values_as_they_are(
    tmp_path: Path, old: str, new: str, difference: float
) -> None:
    (tmp_path / "old.csv").write_text(old)
    (tmp_path / "new.csv").write_text(new)
    assert compare(tmp_path / "old.csv", tmp_path / "new.csv", "id")[1] == difference
