"""The house stays one in which things are found: sizes, names, and texts that name what is there."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("kaggle_runner", "mle_live", "comind", "comind_tui")
_DOTTED = re.compile(rf"(?<![\w.])((?:{'|'.join(PACKAGES)})(?:\.[A-Za-z]\w*)+)")
_PATH = re.compile(rf"(?<![\w./])((?:{'|'.join(PACKAGES)})/[\w/]+\.py)\b")
_FILES = (".py", ".md", ".sqlite", ".db", ".log", ".yaml")


def sources(*folders: str) -> list[Path]:
    """Python files of ours; what the shelf's community wrote is not."""
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return sorted(file for file in files if "content" not in file.relative_to(ROOT).parts)


def pages() -> list[Path]:
    return [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml")),
        *sorted((ROOT / "docs").glob("*.md")),
        *(ROOT / folder / "README.md" for folder in ("prompts", "state")),
    ]


def is_there(name: str) -> bool:
    """A package, a module, or something that its module names."""
    parts = name.split(".")
    for known in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:known])
        module = place.with_suffix(".py") if place.with_suffix(".py").is_file() else place / "__init__.py"
        if module.is_file():
            rest = parts[known:]
            return not rest or re.search(rf"\b{rest[0]}\b", module.read_text(encoding="utf-8")) is not None
    return False


def named_in(text: str) -> Iterator[str]:
    yield from (name for name in _DOTTED.findall(text) if not name.endswith(_FILES))
    yield from (path.removesuffix(".py").replace("/", ".") for path in _PATH.findall(text))


def test_every_module_that_a_text_names_is_there() -> None:
    files = {*sources(*PACKAGES, "tests", "benchmarks"), *pages()} - {Path(__file__)}
    texts = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in sorted(files)}
    assert [f"{file}: {name}" for file in texts for name in named_in(texts[file]) if not is_there(name)] == []


def test_a_name_that_leads_nowhere_is_found() -> None:
    assert list(named_in("see `comind.nowhere` and comind/engine.py")) == ["comind.nowhere", "comind.engine"]
    assert is_there("comind.engine")
    assert not is_there("comind.nowhere")
    assert not is_there("comind.engine.nowhere")


def drawn_rooms() -> dict[str, str]:
    """The lines of the drawing about each package."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawing = next(block for block in page.split("```") if block.strip().startswith("comind_tui  "))
    parts = re.split(rf"^({'|'.join(PACKAGES)})\b", drawing, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_room_of_the_contracts_is_in_the_drawing() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    drawn = drawn_rooms()
    missing = [
        f"{package}/{room}"
        for contract in settings["tool"]["importlinter"]["contracts"]
        for package in contract.get("containers", ())
        for room in re.findall(r"\w+", " ".join(contract["layers"]))
        if not re.search(rf"\b{room}\b", drawn[package])
    ]
    assert set(drawn) == set(PACKAGES) and missing == []


def test_a_module_that_a_docstring_names_by_its_file_lies_beside_it() -> None:
    """In another room it is named with its way."""
    named = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in sources(*PACKAGES)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for name in re.findall(r"`(\w+\.py)`", node.value.value)
        if not file.with_name(name).is_file()
    ]
    assert named == []


MOST_MODULES, MOST_LINES, MOST_FUNCTION_LINES, MOST_REPEATED_RUNS = 20, 400, 60, 3


def test_no_folder_holds_more_modules_than_one_finds_one_s_way_in() -> None:
    modules = Counter(
        file.parent.relative_to(ROOT) for file in sources(*PACKAGES) if file.name != "__init__.py"
    )
    assert {str(folder): count for folder, count in modules.items() if count > MOST_MODULES} == {}


def test_no_file_and_no_function_is_too_long_to_read() -> None:
    written = sources(*PACKAGES, "tests", "benchmarks")
    lines = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in written}
    assert {str(file): count for file, count in lines.items() if count > MOST_LINES} == {}
    functions = {
        f"{file}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for file in written
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: count for name, count in functions.items() if count > MOST_FUNCTION_LINES} == {}


def named_types(file: Path) -> Iterator[str]:
    """The classes of a module, private ones too, and its names for types."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp | ast.Name):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            yield from (name for name in names if re.fullmatch(r"_?[A-Z]\w*[a-z]\w*", name))


def test_a_class_name_stands_for_one_thing() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in sources(*PACKAGES):
        for name in named_types(file):
            places[name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


RUN = 6
"""Lines that two files share by copying; fewer look alike by chance."""


def lines_that_say_something(file: Path) -> list[tuple[int, str]]:
    """Number and text of each; blank lines, comments and imports are left out."""
    text = file.read_text(encoding="utf-8")
    imports = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    stripped = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(n, line) for n, line in stripped if line and not line.startswith("#") and n not in imports]


def test_what_is_said_is_said_once() -> None:
    places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for file in sources(*PACKAGES):
        lines = lines_that_say_something(file)
        for first in range(len(lines) - RUN + 1):
            run = tuple(line for _, line in lines[first : first + RUN])
            places[run].append(f"{file.relative_to(ROOT)}:{lines[first][0]}")
    repeated = [files for files in places.values() if len(files) > 1]
    assert len(repeated) <= MOST_REPEATED_RUNS, repeated
