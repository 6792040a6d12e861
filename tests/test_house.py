"""What reading the code must not mislead: every module that a text of ours names is there."""

from __future__ import annotations

import re
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
