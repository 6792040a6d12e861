"""A competition's description, in the pages that Kaggle has of one."""

from __future__ import annotations

import re


def description_pages(description: str) -> dict[str, str]:
    """A description's parts under Kaggle's page names: the text before the first section is Description,
    then one page a `## ` section ("## Data" is "data-description", as on Kaggle)."""
    parts = re.split(r"^##[ \t]+(.+)$", description, flags=re.MULTILINE)
    pages = {"Description": parts[0].strip()} if parts[0].strip() else {}
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        name = "data-description" if title.strip().lower().startswith("data") else title.strip()
        pages[name] = f"{pages[name]}\n\n{body.strip()}" if name in pages else body.strip()
    return pages
