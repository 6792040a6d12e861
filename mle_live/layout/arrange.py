"""A competition's files in one shape: train.csv, test.csv, sample_submission.csv, and all others beside them.

Whatever the originals are called and packed in, what follows (profile, split, agents) knows this shape only.
A table that has it already is linked, not copied.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kaggle_runner.errors import BadCompetition, NoReadySplit
from kaggle_runner.files import link_or_copy
from mle_live.layout.columns import FoundColumns, find_columns
from mle_live.layout.file_labels import FileLabels, stems_tell
from mle_live.layout.file_pairs import FilePairs
from mle_live.layout.flat_paths import laid_flat
from mle_live.layout.formats import Dialect, dialect_of, table_format
from mle_live.layout.listing import FoundFile, list_data
from mle_live.layout.naming import files_by_role
from mle_live.layout.one_table import class_lists, divided, with_labels
from mle_live.layout.roles import SETTINGS, Roles, Seen, find_roles
from mle_live.layout.stated import StatedFiles
from mle_live.layout.tables import levels
from mle_live.layout.without_table import files_to_predict, find_in_files, note_missing

if TYPE_CHECKING:
    import pandas as pd

TRAIN, TEST, SAMPLE = "train.csv", "test.csv", "sample_submission.csv"
_UNPACKED, _PARTS = ".unpacked", ".parts"
JOINT = "|"
"""Between the parts of an id that is made of several columns."""
_YES = {"yes": 1, "no": 0, "y": 1, "n": 0, "true": 1, "false": 0, "t": 1, "f": 0,
        "positive": 1, "negative": 0, "pos": 1, "neg": 0}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the files are. The tables in one shape lie in `folder` when nothing is missing."""

    folder: Path
    entries: tuple[FoundFile, ...]
    files: dict[str, tuple[str, ...]]
    """Role → names, as they lie in the competition's own folder."""
    id_columns: tuple[str, ...]
    targets: tuple[str, ...]
    remarks: tuple[str, ...]
    missing: dict[str, str]
    """What was not found → a sentence that says so."""
    own: tuple[str, ...] = ()
    """Names under which the host's own sample and test table lie in `folder` as well."""
    has_sample: bool = False
    """A sample submission says which rows are predicted, and in which columns."""

    @property
    def id_column(self) -> str:
        """Of the arranged tables: the id, or the parts of an id joined."""
        return JOINT.join(self.id_columns)

    def insist(self) -> None:
        """BadCompetition with the first thing that is missing; NoReadySplit where the sample is there."""
        for sentence in self.missing.values():
            kind = NoReadySplit if self.has_sample else BadCompetition
            raise kind(sentence, hint="`comind-tui inspect` shows what was found")


def lay_out(
    source: Path,
    folder: Path,
    *,
    told: StatedFiles | None = None,
    hidden: Collection[Path] = (),
    by_reference: bool = False,
    as_they_are: bool = False,
) -> Layout:
    """Find out what the files under `source` are, and arrange them in `folder`, which is made anew.

    With `as_they_are`, or where something is missing besides a sample, `folder` has the sample in its shape
    and all other files under their own names.

    With `by_reference` files that stay as they are become symbolic links: enough to look at a competition.

    Raises BadCompetition where a file cannot be read at all; what merely is not there is told in `missing`.
    """
    told = told or StatedFiles()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    entries, packed = list_data(source, folder / _UNPACKED, hidden=hidden)
    folders = {one.folder for one in entries}
    of_folders = {role: name for role, name in told.files.items() if name.strip("/") in folders}
    named = {role: name for role, name in told.files.items() if role not in of_folders}
    roles = find_roles(entries, named=named, target=told.target, id_column=told.id_column)
    columns = find_columns(roles, id_column=told.id_column, target=told.target)
    parts = divided(roles, columns.ids[0] if len(columns.ids) == 1 else "", columns.targets, folder / _PARTS)
    if parts is not roles:
        roles, columns = parts, find_columns(parts, id_column=told.id_column, target=told.target)
    found = None if roles.train else find_in_files(entries, roles, columns, of_folders)
    note_missing(columns, roles, found, entries, packed)
    in_files = None if isinstance(found, str) else found
    layout = Layout(
        folder=folder,
        entries=entries,
        files=files_by_role(entries, roles, in_files),
        id_columns=columns.ids,
        targets=columns.targets,
        remarks=(
            *packed, *roles.unreadable, *roles.remarks, *columns.remarks,
            *([in_files.how] if in_files else []),
        ),
        missing=columns.missing,
        own=tuple(one.entry.name for one in (*([roles.sample] if roles.sample else []), *roles.test)),
        has_sample=roles.sample is not None and bool(columns.ids and columns.targets),
    )  # fmt: skip
    maker = _Arranger(folder, entries, roles, columns, told, by_reference=by_reference)
    if not columns.missing and not as_they_are:
        maker.write(in_files)
    if layout.has_sample and (as_they_are or columns.missing or maker.missing):
        maker.write_as_they_are()
    return replace(
        layout, remarks=(*layout.remarks, *maker.remarks), missing={**columns.missing, **maker.missing}
    )


class _Arranger:
    """Writes the arranged folder."""

    def __init__(
        self,
        folder: Path,
        entries: Sequence[FoundFile],
        roles: Roles,
        columns: FoundColumns,
        told: StatedFiles,
        *,
        by_reference: bool,
    ) -> None:
        self._link = _refer if by_reference else link_or_copy
        self._folder, self._entries, self._roles = folder, entries, roles
        self._columns, self._told = columns, told
        self._id = JOINT.join(columns.ids)
        self.remarks: list[str] = []
        self.missing: dict[str, str] = {}
        self._moved: set[str] = set()
        """Files that lie under other names than their own."""

    def write(self, in_files: FileLabels | FilePairs | None) -> None:
        """`in_files`: the training data where no table has them."""
        if isinstance(in_files, FilePairs):
            for name, table in zip((TRAIN, TEST), in_files.tables(), strict=True):
                table.to_csv(self._folder / name, index=False)
        else:
            self._write_test()
            if in_files:
                self._moved = self._write_index(in_files)
            else:
                self._write_train()
        self._write_sample()
        self._link_others()

    def write_as_they_are(self) -> None:
        """The sample, and all files under their own names."""
        for made in (TRAIN, TEST, SAMPLE):
            (self._folder / made).unlink(missing_ok=True)
        self._write_sample()
        for entry in self._entries:
            place = self._folder / entry.name
            if entry.name != SETTINGS and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                self._link(entry.path, place)

    def _write_test(self) -> None:
        test, columns = self._roles.test, self._columns
        if not test:  # the rows to predict are files: a table of their ids, as hosts of tables give one
            sample = self._roles.sample
            if sample is not None:
                rows = self._with_joint(sample.table.read(list(columns.ids)))
            else:
                rows = _table_of(self._id, files_to_predict(self._entries))
            rows.to_csv(self._folder / TEST, index=False)
            return
        names = dict(zip(columns.test_ids, columns.ids, strict=False))
        renamed = {own: name for own, name in names.items() if own != name}
        if (
            len(columns.ids) == 1
            and not columns.by_order
            and self._link_as_is(test, renamed, self._folder / TEST)
        ):
            return
        table = _joined(test).rename(columns=renamed)
        if columns.by_order:
            sample = self._roles.sample
            ids = sample.values(columns.ids[0]) if sample else map(str, range(len(table)))
            table.insert(0, self._id, list(ids))
        self._with_joint(table).to_csv(self._folder / TEST, index=False)

    def _write_train(self) -> None:
        roles, columns = self._roles, self._columns
        names = roles.train[0].names
        renamed = dict(columns.renamed)
        for own, name in zip(columns.test_ids, columns.ids, strict=False):
            known = names.get(name.lower(), names.get(own.lower()))
            if known is not None and known != name:
                renamed[known] = name
        if not roles.test and columns.ids[0].lower() in names:
            renamed[names[columns.ids[0].lower()]] = columns.ids[0]
        renamed = {own: name for own, name in renamed.items() if own != name}
        inputs = {name for one in roles.test for name in one.names}
        head = roles.train[0].table.head.rename(columns=renamed)
        by_name = {entry.name: entry for entry in self._entries}
        changed = (
            class_lists(head, columns.targets, inputs) is not None
            or laid_flat(head, columns.targets, by_name).moves
        )
        plain = roles.labels is None and len(columns.ids) == 1 and not changed
        place = self._folder / TRAIN
        if plain and not self._words_to_numbers(None) and self._link_as_is(roles.train, renamed, place):
            return
        table = _joined(roles.train)
        if roles.labels is not None:
            table, remark, fault = with_labels(table, roles.labels)
            self.remarks += filter(None, [remark])
            self.missing |= {"labels": fault} if fault else {}
        table = self._with_joint(table.rename(columns=renamed))
        lists = class_lists(table, columns.targets, inputs)
        flat = laid_flat(table if lists is None else lists, columns.targets, by_name)
        for old, new in flat.moves.items():
            (self._folder / new).parent.mkdir(parents=True, exist_ok=True)
            self._link(by_name[old].path, self._folder / new)
        self._moved |= flat.moves.keys()
        self.remarks += flat.remarks
        self._numbered(flat.table).to_csv(place, index=False)

    def _with_joint(self, table: pd.DataFrame) -> pd.DataFrame:
        ids = list(self._columns.ids)
        if len(ids) > 1 and set(ids) <= set(table.columns):
            table.insert(0, self._id, table[ids].agg(JOINT.join, axis=1))
        return table

    def _words_to_numbers(self, labels: pd.Series[str] | None) -> dict[str, str]:
        """Class names → 1 and 0, where a submission wants numbers of one target and the labels are words."""
        sample, columns = self._roles.sample, self._columns
        if len(columns.targets) != 1:
            return {}
        target = columns.targets[0]
        if labels is None:
            own = {name: one for one, name in columns.renamed.items()}.get(target, target)
            train = self._roles.train[0]
            if own.lower() not in train.names:
                return {}
            labels = train.values(own)
        found = [one for one in dict.fromkeys(labels) if one]
        shown = levels(sample.table.head[target]) if sample else None
        wants = shown is not None and shown.kind in ("integer", "number")
        if wanted := self._told.positive_class:
            if wanted in found:
                return {one: str(int(one == wanted)) for one in found}
            some = ", ".join(map(repr, found[:5])) + (" …" if len(found) > 5 else "")
            self.missing["positive_class"] = f"no label of {target} is {wanted!r} (they are {some})"
            return {}
        if not wants or len(found) != 2 or levels(labels).kind in ("integer", "number"):
            return {}
        low = [one.strip().lower() for one in found]
        if all(one in _YES for one in low) and len({_YES[one] for one in low}) == 2:
            return {one: str(_YES[word]) for one, word in zip(found, low, strict=True)}
        if target.lower() in low:
            return {one: str(int(word == target.lower())) for one, word in zip(found, low, strict=True)}
        if shown is None or not (shown.kind == "number" or {0, 1} <= set(shown.values)):
            return {}  # a 0 in each row says nothing
        self.missing["positive_class"] = (
            f"the labels are {found[0]!r} and {found[1]!r} while the sample wants numbers: say which of them "
            "is 1: --positive-class LABEL"
        )
        return {}

    def _numbered(self, table: pd.DataFrame) -> pd.DataFrame:
        target = self._columns.targets[0]
        if target not in table.columns:
            return table
        words = self._words_to_numbers(table[target])
        if words:
            one = next(word for word, number in words.items() if number == "1")
            self.remarks.append(f"{target} is 1 where it says {one!r}, else 0")
            table[target] = table[target].map(lambda value: words.get(value, value))
        return table

    def _write_index(self, paths: FileLabels) -> set[str]:
        """A training table with a row a file, and the files flat in one folder: no path tells a label."""
        import pandas as pd

        sample = self._roles.sample
        shown = list(sample.table.head[self._columns.ids[0]].head(20)) if sample else []
        with_ending = bool(shown) and all(PurePosixPath(one).suffix for one in shown)
        by_name = {entry.name: entry for entry in self._entries}
        top = PurePosixPath(paths.paths[0]).parts[0]
        stems = Counter(PurePosixPath(name).stem for name in paths.paths)
        telling = "names of files" in paths.how or stems_tell(paths.paths, paths.labels)
        numbers = {name: number for number, name in enumerate(sorted(paths.paths, key=_shuffled))}
        ids = []
        for name in paths.paths:
            path = PurePosixPath(name)
            stem = f"{top}{numbers[name]:06d}" if telling or stems[path.stem] > 1 else path.stem
            ids.append(stem + path.suffix if with_ending else stem)
            place = self._folder / top / f"{stem}{path.suffix}"
            place.parent.mkdir(parents=True, exist_ok=True)
            self._link(by_name[name].path, place)
        wide = len(self._columns.targets) > 1
        label = "label" if wide else self._columns.targets[0] if self._columns.targets else "label"
        table = pd.DataFrame({self._columns.ids[0]: ids, label: paths.labels})
        self._numbered(table).to_csv(self._folder / TRAIN, index=False)
        return set(paths.paths)

    def _write_sample(self) -> None:
        import pandas as pd

        place, sample, columns = self._folder / SAMPLE, self._roles.sample, self._columns
        if sample is not None:
            wanted = [*columns.ids, *columns.targets]
            as_is = len(columns.ids) == 1 and set(wanted) == set(sample.table.columns)
            if as_is and self._link_as_is((sample,), {}, place):
                return
            table = self._with_joint(sample.table.read(wanted))
            table.drop(columns=[name for name in columns.ids if name != self._id]).to_csv(place, index=False)
            return
        ids = pd.read_csv(self._folder / TEST, dtype=str, na_filter=False, usecols=[self._id])[self._id]
        train = pd.read_csv(self._folder / TRAIN, dtype=str, na_filter=False, usecols=list(columns.targets))
        usual = {name: _usual(train[name]) for name in columns.targets}
        pd.DataFrame({self._id: ids, **usual}).to_csv(place, index=False)
        self.remarks.append("there is no sample submission: one with the usual label in each row was made")

    def _link_others(self) -> None:
        """All other files under their names; the sample and the test table under their own as well."""
        roles = self._roles
        secret = {one.entry.name for one in (*roles.train, *([roles.labels] if roles.labels else []))}
        for entry in self._entries:
            place = self._folder / entry.name
            if entry.name in secret or entry.name in self._moved or entry.name == SETTINGS or place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            self._link(entry.path, place)

    def _link_as_is(self, parts: Sequence[Seen], renamed: dict[str, str], place: Path) -> bool:
        """Whether the table had the shape already, and was linked."""
        entry = parts[0].entry
        plain = (
            len(parts) == 1 and not renamed and table_format(entry.name) == ".csv" and entry.suffix == ".csv"
        )
        if not plain or dialect_of(entry.path) != Dialect(",", "utf-8-sig"):
            return False
        with entry.path.open(encoding="utf-8-sig", errors="replace") as file:
            header = file.readline().rstrip("\r\n")
        if header.replace('"', "").split(",") != parts[0].table.columns:
            return False
        self._link(entry.path, place)
        return True


def _joined(parts: Sequence[Seen]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([one.table.read(one.table.columns) for one in parts], ignore_index=True)


def _table_of(id_column: str, ids: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({id_column: ids})


def _shuffled(name: str) -> str:
    """An order that tells nothing of the names' own, the same on each machine."""
    return hashlib.sha256(name.encode()).hexdigest()


def _refer(source: Path, target: Path) -> None:
    target.symlink_to(source.resolve())


def _usual(labels: pd.Series[str]) -> str:
    """The most frequent label, or the middle of many numbers."""
    found = levels(labels)
    if found.kind in ("integer", "number") and len(found.values) > 20:
        order = sorted(found.values)
        return str(order[len(order) // 2])
    return max(found.counts, key=lambda text: found.counts[text])
