"""Images in pairs, what comes in and what is to come out, where a submission has a row a pixel.

The host gives two folders with files of the same names, a folder of images to work on, and a sample whose ids
are `<image>_<row>_<column>`. What is made of them are two tables with a row an image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mle_live.layout.folders import IMAGE_SUFFIXES
from mle_live.layout.listing import FoundFile
from mle_live.layout.pixels import INPUT, OUTPUT, pixel_of, pixels_by_image
from mle_live.layout.roles import Seen

if TYPE_CHECKING:
    import pandas as pd

_PAIRED = 0.8
"""Share of the names that two folders of pairs have in common."""
_ANSWERS = re.compile(
    r"clean|mask|label|annotation|target|truth|segment|denoised|sharp|ground|output|result|high"
)
_QUESTIONS = re.compile(r"noisy|dirty|input|source|blur|degraded|raw|low")


@dataclass(frozen=True, slots=True)
class FilePairs:
    """Folders of the competition, and the names of the files in them by their stems."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    test: Mapping[str, str]
    unit: str
    """The column of the made tables that names an image."""

    @property
    def folders(self) -> tuple[str, str, str]:
        """Of what comes in, of what comes out, of the images to predict."""
        first, second, third = (
            next(iter(names.values())) for names in (self.inputs, self.outputs, self.test)
        )
        return _folder(first), _folder(second), _folder(third)

    @property
    def how(self) -> str:
        """In words: what is taken for what."""
        first, second, _ = self.folders
        return f"{first}/ comes in and {second}/ is to come out, pixel by pixel"

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """A row a pair, and a row an image to predict."""
        import pandas as pd

        both = [stem for stem in self.inputs if stem in self.outputs]
        ways = {INPUT: [self.inputs[one] for one in both], OUTPUT: [self.outputs[one] for one in both]}
        test = {self.unit: list(self.test), INPUT: list(self.test.values())}
        return pd.DataFrame({self.unit: both, **ways}), pd.DataFrame(test)


def find_file_pairs(
    entries: Sequence[FoundFile], sample: Seen | None, named: Mapping[str, str]
) -> FilePairs | str | None:
    """The pairs; a sentence where there are pairs that no ready split fits; None where there are none.

    `named` are roles that a person gave to folders (`train`, `labels`, `test`).
    """
    folders = _image_folders(entries)
    said = {role: name.strip("/") for role, name in named.items() if name.strip("/") in folders}
    among = {name: folders[name] for name in folders if name != said.get("test")}
    both = _paired(among, said)
    if both is None:
        return None
    shown = f"{both[0]}/ and {both[1]}/ hold pairs of images"
    if sample is None or len(sample.table.columns) != 2:
        return f"{shown}, and no sample submission of two columns says what is to be handed in for each"
    pixels = [pixel_of(id) for id in sample.table.head[sample.table.columns[0]]]
    first = pixels[0]
    if first is None or not all(pixels):
        return (
            f"{shown}, and {sample.entry.shown} has no row a pixel (ids like IMAGE_ROW_COLUMN): there is no "
            "ready split for what is made of whole images"
        )
    wanted = pixels_by_image(sample.values(sample.table.columns[0]), first.joint).keys()
    test = said.get("test") or next((name for name in folders if wanted <= folders[name].keys()), "")
    if not test or test in both:
        return f"{shown}, and no other folder holds the images that {sample.entry.shown} names"
    inputs, outputs = _in_order(both, test, said)
    if not inputs:
        return f"{shown}, and which of them is to be predicted is not clear; name it: --file labels={both[1]}"
    taken = {name.lower() for name in (*sample.table.columns, INPUT, OUTPUT)}
    unit = next(name for name in ("image", "picture", "image_name") if name not in taken)
    kept = {stem: name for stem, name in folders[test].items() if stem in wanted}
    return FilePairs(folders[inputs], folders[outputs], kept, unit)


def _image_folders(entries: Sequence[FoundFile]) -> dict[str, dict[str, str]]:
    """Folder → stem → name of each image in it."""
    found: dict[str, dict[str, str]] = {}
    for entry in entries:
        if entry.suffix in IMAGE_SUFFIXES and entry.folder:
            found.setdefault(entry.folder, {})[PurePosixPath(entry.name).stem] = entry.name
    return found


def _paired(folders: Mapping[str, Mapping[str, str]], said: Mapping[str, str]) -> tuple[str, str] | None:
    """Those that were named, else the two with the most names in common."""
    if "train" in said and "labels" in said:
        return said["train"], said["labels"]
    names = sorted(folders)
    best: tuple[int, str, str] | None = None
    for number, first in enumerate(names):
        for second in names[number + 1 :]:
            shared = len(folders[first].keys() & folders[second].keys())
            enough = shared >= max(2, _PAIRED * max(len(folders[first]), len(folders[second])))
            if enough and (best is None or shared > best[0]):
                best = (shared, first, second)
    return best[1:] if best else None


def _in_order(both: tuple[str, str], test: str, said: Mapping[str, str]) -> tuple[str, str]:
    """(what comes in, what comes out): as named, as the test folder is called, or by words in the names."""
    turned = (both[1], both[0])
    if said.get("labels") in both:
        return both if said["labels"] == both[1] else turned
    alike = [one for one in both if _letters(one, "train") == _letters(test, "test")]
    if len(alike) == 1:
        return both if alike[0] == both[0] else turned
    told = [_says(one) for one in both]
    if told[0] != told[1]:
        return both if told[0] < told[1] else turned
    return "", ""


def _says(folder: str) -> int:
    own = folder.rpartition("/")[2].lower()
    return bool(_ANSWERS.search(own)) - bool(_QUESTIONS.search(own))


def _letters(folder: str, word: str) -> str:
    return re.sub(r"[^a-z]", "", folder.lower().replace(word, ""))


def _folder(name: str) -> str:
    return str(PurePosixPath(name).parent)
