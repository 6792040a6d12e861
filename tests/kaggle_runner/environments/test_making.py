"""Environments made by real pip out of a folder of tiny wheels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kaggle_runner.environments.lists import KAGGLE_LIST, Wanted, nearest, read_list
from kaggle_runner.environments.making import ListedPackage, Made, make, remove
from kaggle_runner.environments.record import MadeEnvironment, made_python, read_record, write_record
from kaggle_runner.errors import MachineError, PythonUnusable, ServiceError, Unusable, UsageError
from kaggle_runner.interpreter import examine
from tests.fakes.wheels import write_wheel
from tests.kaggle_runner.notebook.notebooks import bench

LIST = """
# as people write them
alpha==1.0
beta-kit==2.0    # 1, beta_kit
gamma==1.5
delta==1.0
broken==1.0
torchy==2.10.0   # 5, +cpu
rendery==1.0     # 5, +cpu
needy==1.0
cudaic==1.0      # 900, cuda
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """pip is set up to know nothing else."""
    folder = tmp_path_factory.mktemp("registry")
    for name, version in (
        ("alpha", "1.0"),
        ("alpha", "2.0"),
        ("gamma", "1.2"),
        ("gamma", "1.7"),
        ("gamma", "2.0"),
    ):
        write_wheel(folder, name, version, f"version = {version!r}\n")
    write_wheel(folder, "beta_kit", "2.0", "import alpha\n", "alpha")
    write_wheel(folder, "needy", "1.0", "import rendery\n", "rendery")
    write_wheel(folder, "broken", "1.0", "raise RuntimeError('operator does not exist')\n")
    for name, version in (("torchy", "2.10.0"), ("torchy", "2.13.0+cpu"), ("rendery", "1.0")):
        write_wheel(folder, name, version)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PIP_CONFIG_FILE", os.devnull)
        patched.setenv("PIP_NO_INDEX", "1")
        patched.setenv("PIP_FIND_LINKS", str(folder))
        patched.delenv("PIP_CONSTRAINT", raising=False)
        yield folder


class World:
    """A state folder with an environment, and what people were told while it was made."""

    def __init__(self, root: Path, text: str = LIST) -> None:
        self.state, self.folder, self.list = root / "state", root / "environment", root / "list.txt"
        root.mkdir(parents=True, exist_ok=True)
        self.list.write_text(text)
        self.told: list[str] = []

    def make(self, stop_at: str = "") -> Made:
        def tell(line: str) -> None:
            self.told.append(line)
            if stop_at and stop_at in line:
                raise KeyboardInterrupt

        return make(self.folder, self.state, read_list(self.list, "cpu"), "cpu", base=None, tell=tell)


@pytest.fixture(scope="module")
def made(registry: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, dict[str, ListedPackage]]:
    world = World(tmp_path_factory.mktemp("made"))
    return world, {one.name: one for one in world.make().packages}


def test_what_can_be_had_is_there_as_pinned_or_as_near_as_can_be(
    made: tuple[World, dict[str, ListedPackage]],
) -> None:
    world, packages = made
    assert [(name, one.version) for name, one in packages.items() if one.status == "installed"] == [
        ("alpha", "1.0"), ("beta-kit", "2.0"), ("gamma", "1.7"), ("torchy", "2.13.0+cpu"),
    ]  # fmt: skip
    assert packages["gamma"].why == "1.5 is not to be had here"
    there = examine(made_python(world.state)).packages
    assert (there["alpha"], there["gamma"], there["torchy"]) == ("1.0", "1.7", "2.13.0+cpu")


def test_what_cannot_be_had_is_left_out_by_name_and_nothing_stands_in_its_place(
    made: tuple[World, dict[str, ListedPackage]],
) -> None:
    world, packages = made
    left_out = {name: one.why for name, one in packages.items() if one.status == "left out"}
    record = read_record(world.state)
    assert record is not None and record.finished and record.left_out == left_out
    assert list(left_out) == ["delta", "broken", "rendery", "needy"]
    assert left_out["delta"] == "no wheel is to be had for this Python"
    assert "cannot be imported: RuntimeError: operator does not exist" in left_out["broken"]
    assert "no CPU build is to be had here" in left_out["rendery"]
    assert left_out["needy"] == "needy 1.0 depends on rendery, which was left out"
    assert not {"broken", "rendery", "needy", "cudaic"} & examine(world.folder).packages.keys()
    assert any(line.startswith("[ 4/8] delta is left out: no wheel") for line in world.told)


async def test_notebooks_run_in_it(made: tuple[World, dict[str, ListedPackage]], tmp_path: Path) -> None:
    world, _ = made
    async with bench(tmp_path, python=Path(made_python(world.state))) as notebook:
        ran = await notebook.run("import alpha, gamma, sys; print(alpha.version, gamma.version, sys.prefix)")
        assert ran.text == f"1.0 1.7 {world.folder}"


def test_one_that_was_broken_off_goes_on(registry: Path, tmp_path: Path) -> None:
    world = World(tmp_path, "alpha==1.0\ngamma==1.7\n")
    with pytest.raises(KeyboardInterrupt):
        world.make(stop_at="alpha 1.0")
    record = read_record(world.state)
    assert record is not None and not record.finished and made_python(world.state) == ""
    again = world.make()
    assert [(one.name, one.status) for one in again.packages] == [("alpha", "there"), ("gamma", "installed")]
    assert made_python(world.state) == str(world.folder / "bin" / "python") and again.bytes > 0
    assert remove(world.state) == (world.folder, again.bytes)
    assert not world.folder.exists() and read_record(world.state) is None
    with pytest.raises(UsageError, match="No environment was made"):
        remove(world.state)


def test_a_folder_of_something_else_and_a_full_disk_are_refused(registry: Path, tmp_path: Path) -> None:
    world = World(tmp_path, "alpha==1.0  # 900000000\n")
    world.folder.mkdir()
    (world.folder / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"was not made by env create"):
        world.make()
    (world.folder / "thesis.txt").unlink()
    with pytest.raises(MachineError, match=r"needs about 1260000\.0 GB"):
        world.make()


def test_a_registry_that_does_not_answer_is_no_reason_to_leave_out(
    made: tuple[World, dict[str, ListedPackage]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, "omega==1.0\n")
    world.folder = made[0].folder
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ServiceError, match="does not answer"):
        world.make()


def test_an_environment_that_is_gone_is_told(tmp_path: Path) -> None:
    write_record(tmp_path, MadeEnvironment("/gone", "/gone/bin/python", "cpu", finished=True))
    with pytest.raises(PythonUnusable, match="is gone") as told:
        made_python(tmp_path)
    assert "env create" in told.value.hint


def test_kaggles_list_can_be_read_for_both_builds() -> None:
    cpu, cuda = (read_list(KAGGLE_LIST, build) for build in ("cpu", "cuda"))
    assert {"xgboost-cpu"} == {one.name for one in cpu} - {one.name for one in cuda}
    assert {"xgboost"} == {one.name for one in cuda} - {one.name for one in cpu}
    by_name = {one.name: one for one in cpu}
    assert by_name["torch"].labelled and not {one.name: one for one in cuda}["torch"].labelled
    assert by_name["pillow"].module == "PIL"
    assert by_name["pandas"].version.startswith("2.") and sum(one.megabytes for one in cpu) > 1000


@pytest.mark.parametrize(
    "line", ["pandas", "pandas>=2", "-r other.txt", "pandas==2 numpy==1", "git+https://x/y"]
)
def test_a_line_that_is_no_pin_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "list").write_text(f"numpy==2.0.2\n{line}\n")
    with pytest.raises(UsageError, match=r"line 2: .* is not NAME==VERSION"):
        read_list(tmp_path / "list", "cpu")


@pytest.mark.parametrize(
    ("wanted", "there", "label", "found"),
    [
        ("2.0.2", ["1.9", "2.0.1", "2.1.0", "2.2.0"], "", "2.1.0"),
        ("2.0.2", ["1.9", "2.0.1"], "", "2.0.1"),
        ("2.0.2", ["2.1rc1", "2.1.0.dev3"], "", ""),
        ("2.10.0", ["2.10.0", "2.13.0+cpu", "2.15.0+cu130"], "cpu", "2.13.0+cpu"),
        ("2.10.0", ["2.13.0+cpu", "2.11.0"], "", "2.11.0"),
        ("2.0.2", ["not a version"], "", ""),
    ],
)
def test_the_nearest_version(wanted: str, there: list[str], label: str, found: str) -> None:
    assert nearest(wanted, there, label=label) == found


def test_a_list_keeps_its_order_and_its_notes(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("b==1  # 2.5, module_b\na-x==1.0+local\n")
    assert read_list(tmp_path / "list", "cuda") == [
        Wanted("b", "1", "module_b", 2.5),
        Wanted("a-x", "1.0+local", "a_x"),
    ]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"folder": "f"}', '{"folder": 1, "python": "p", "build": "cpu"}']
)
def test_a_record_that_tells_of_no_environment_is_said_with_the_way_on(tmp_path: Path, text: str) -> None:
    (tmp_path / "environment.json").write_text(text)
    with pytest.raises(Unusable, match=r"environment\.json cannot be used") as caught:
        read_record(tmp_path)
    assert "env create" in caught.value.hint
