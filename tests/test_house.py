"""The house stays one in which things are found: sizes, names, and texts that name what is there."""

from __future__ import annotations

import ast
import re
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


MOST_MODULES, MOST_LINES, MOST_FUNCTION_LINES, MOST_SHARED_NAMES = 20, 400, 60, 10


def test_no_folder_holds_more_modules_than_one_finds_one_s_way_in() -> None:
    modules = Counter(
        file.parent.relative_to(ROOT) for file in sources(*PACKAGES) if file.name != "__init__.py"
    )
    assert {str(folder): count for folder, count in modules.items() if count > MOST_MODULES} == {}


def test_no_file_and_no_function_is_too_long_to_read() -> None:
    lines = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in sources(*PACKAGES)}
    assert {str(file): count for file, count in lines.items() if count > MOST_LINES} == {}
    functions = {
        f"{file}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for file in sources(*PACKAGES)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: count for name, count in functions.items() if count > MOST_FUNCTION_LINES} == {}


def test_a_class_name_stands_for_one_thing() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in sources(*PACKAGES):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(file.relative_to(ROOT)))
    shared = {name: files for name, files in places.items() if len(files) > 1}
    assert len(shared) <= MOST_SHARED_NAMES, shared
