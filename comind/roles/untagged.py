"""Code in a reply without tags: one fenced block, the most usual reply of a weak model."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from textwrap import dedent

from comind.llm.formats import check_python, fenced_blocks, inside_fence
from comind.llm.json_replies import json_reply
from comind.roles.imports import undefined_names

_LANGUAGES = {"python", "python3", "py", "ipython", "ipython3", "tool_code"}
_WRAPPED = re.compile(
    r"^[ \t]*<[a-z_]{1,20}>[ \t]*(?P<fence>`{3,}[\w ]*)$|^(?P<end>[ \t]*`{3,})[ \t]*</[a-z_]{1,20}>[ \t]*$",
    re.I | re.M,
)
"""A fence with a tag of the model's own on its line, such as `<answer>`."""
_WRITTEN = re.compile(r"""to_csv\([^\n]{0,200}?["'](?P<name>[^"'\n]{1,200}\.csv)["']""")


def untagged_code(text: str) -> str | None:
    """The code of the fenced blocks; None where no block is Python.

    Of several blocks the last one counts where it can stand alone: models write a first version, find a
    fault and write it again. Where it needs names that only earlier blocks define, all are parts of one cell.
    """
    text = _WRAPPED.sub(lambda found: found["fence"] or found["end"], text)
    whole = inside_fence(text.strip())
    if whole.strip() and not check_python(whole) and json_reply(whole) is None:
        return whole.strip("\n")
    found = [(info.split() or [""], dedent(body).strip("\n")) for info, body in fenced_blocks(text)]
    blocks = [code for info, code in found if info[0].lower().strip("{}.") in _LANGUAGES]
    blocks = blocks or [code for info, code in found if not info[0] and json_reply(code) is None]
    blocks = [code for code in blocks if code.strip() and not check_python(code)]
    if not blocks:
        return None
    together = "\n\n".join(blocks)
    needed = set(undefined_names(blocks[-1])) - set(undefined_names(together))
    return together if needed else blocks[-1]


def first_words(text: str) -> str:
    """The first line of prose before the code, as a goal; empty where there is none."""
    prose = re.split(r"^[ \t]*(?:```|~~~)", text, maxsplit=1, flags=re.M)[0]
    lines = (line.strip(" \t#*:") for line in prose.splitlines())
    return next((line for line in lines if line and not line.startswith("<")), "")


def written_predictions(code: str) -> tuple[str, str]:
    """Names of the validation and the test file that code writes, where it writes one of each; else empty."""
    names = list(dict.fromkeys(PurePosixPath(found["name"]).name for found in _WRITTEN.finditer(code)))
    validation = [name for name in names if "val" in name.lower()]
    test = [name for name in names if "val" not in name.lower() and re.search("submi|test", name.lower())]
    return (validation[0], test[0]) if len(validation) == len(test) == 1 else ("", "")
