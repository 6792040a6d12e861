"""CoMind itself as a wheel, made of the files that are installed here, with no build tool and no network.

What runs elsewhere is then what ran here, also from a checkout with changes. Dependencies are not in it.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path

from comind.roles.prompts import prompts_folder

PACKAGES = ("kaggle_runner", "mle_live", "comind", "comind_tui")
_PROMPTS = "comind/_prompts"
_MOMENT = (2026, 1, 1, 0, 0, 0)  # equal files make an equal wheel
_WHEEL = "Wheel-Version: 1.0\nGenerator: comind\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build_wheel(folder: Path) -> Path:
    """Write `comind-VERSION-py3-none-any.whl` into `folder`; its path."""
    installed = distribution("comind")
    base = f"comind-{installed.version}"
    about = {
        "METADATA": installed.read_text("METADATA") or "",
        "WHEEL": _WHEEL,
        "entry_points.txt": installed.read_text("entry_points.txt") or "",
    }
    path = folder / f"{base}-py3-none-any.whl"
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in [*_files(), *((f"{base}.dist-info/{n}", t.encode()) for n, t in about.items())]:
            wheel.writestr(_entry(name), content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(content)}\n")
        name = f"{base}.dist-info/RECORD"
        wheel.writestr(_entry(name), "".join(record) + f"{name},,\n")
    return path


def _files() -> Iterator[tuple[str, bytes]]:
    for package in PACKAGES:
        root = Path(import_module(package).__path__[0])
        for path in sorted(root.rglob("*")):
            name = f"{package}/{path.relative_to(root).as_posix()}"
            compiled = "__pycache__" in path.parts
            if path.is_file() and not compiled and not name.startswith(f"{_PROMPTS}/"):
                yield name, path.read_bytes()
    for path in sorted(prompts_folder().glob("*")):
        if path.is_file():
            yield f"{_PROMPTS}/{path.name}", path.read_bytes()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return entry
