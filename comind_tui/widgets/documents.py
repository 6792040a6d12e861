"""Ideas or reports: a list, a search line that appears with `/`, and the chosen one in full below."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from comind.state.reader import Reader, reading
from comind.state.records import Discussion, Idea, Kernel, Report
from comind.state.runs import RunFolder
from comind_tui.text.plain import number
from kaggle_runner.errors import RunNotFound, Unusable
from kaggle_runner.texts import one_line, plain

SHOWN = 300


class Found(NamedTuple):
    """A document and its line in the list."""

    document: Idea | Report
    headline: str


class Documents(Vertical):
    """Full-text search over one record type of one run; reads in a thread, only when it is in view."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close_search", "Close search", show=False)]

    def __init__(self, folder: RunFolder, record: type[Idea] | type[Report], *, id: str) -> None:
        super().__init__(id=id)
        self._folder = folder
        self._record = record
        self._found: Sequence[Found] = ()
        self._state: tuple[int, str] | None = None
        self._count = 0

    def compose(self) -> ComposeResult:
        yield Input(placeholder=f"search {self._record.TABLE}; Escape closes", classes="search", compact=True)
        yield OptionList(markup=False, compact=True)
        with VerticalScroll(classes="detail"):
            yield Static(markup=False)

    def show(self, count: int) -> None:
        """Read again if the number of documents or the search has changed."""
        self._count = count
        state = (count, self.query_one(Input).value)
        if state != self._state:
            self._state = state
            self._load(state[1])

    def open_search(self) -> None:
        self.query_one(Input).add_class("open").focus()

    def action_close_search(self) -> None:
        search = self.query_one(Input)
        search.remove_class("open")
        search.value = ""
        self.query_one(OptionList).focus()

    @on(Input.Changed)
    def _search(self) -> None:
        self.show(self._count)

    @on(Input.Submitted)
    def _to_list(self) -> None:
        self.query_one(OptionList).focus()

    @on(OptionList.OptionHighlighted)
    def _choose(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_index < len(self._found):
            self.query_one(Static).update(Text(in_full(self._found[event.option_index].document)))
            self.query_one(VerticalScroll).scroll_home(animate=False)

    @work(exclusive=True)
    async def _load(self, text: str) -> None:
        found = await asyncio.to_thread(_read, self._folder, self._record, text)
        if not (self.is_attached and self.screen.display):  # left meanwhile: the widgets are going
            return
        options = self.query_one(OptionList)
        at = options.highlighted or 0
        self._found = found
        options.clear_options()
        options.add_options([Option(Text(one.headline, no_wrap=True, overflow="ellipsis")) for one in found])
        if found:
            options.highlighted = min(at, len(found) - 1)
        else:
            self.query_one(Static).update(Text("Nothing matches." if text else "None yet."))


def _read(folder: RunFolder, record: type[Idea] | type[Report], text: str) -> Sequence[Found]:
    documents: Sequence[Idea | Report]
    try:
        with reading(folder.database) as reader:
            if reader.run() is None:
                return []
            if text.strip():
                documents = reader.search(record, text, limit=SHOWN)
            else:
                documents = reader.newest(record, limit=SHOWN)
            return [Found(one, _headline(one, reader)) for one in documents]
    except (RunNotFound, Unusable):  # the run screen says it
        return []


def _headline(document: Idea | Report, reader: Reader) -> str:
    """One line for the list; what a report is about is looked up, since its own title repeats its subject."""
    if isinstance(document, Idea):
        place = f"#{document.rank}" if document.rank else "·"
        return f"r{document.round} {place:>3}  {one_line(document.text)}"
    source: Kernel | Discussion | None = None
    if document.kind == "kernel":
        source = reader.get(Kernel, document.subject)
    elif document.kind == "discussion":
        source = reader.get(Discussion, document.subject)
    worth = f"{source.votes} votes" if source else number(document.local_score)
    title = one_line(source.title if source else document.title)
    about = f"{document.subject}  " if document.kind == "solution" else ""
    return f"{one_line(document.id)}  {document.kind:<10} {worth:>9}  {about}{title}"


def in_full(document: Idea | Report) -> str:
    """The whole document as clean text."""
    if isinstance(document, Idea):
        notes = [f"round {document.round}", f"from {document.origin}"]
        notes += [f"rank {document.rank}"] if document.rank else ["not kept by the filter"]
        notes += [f"merged into {document.merged_into}"] if document.merged_into else []
        path = f"\n\nPath: {document.path}" if document.path else ""
        return plain(f"{document.text}{path}\n\n({', '.join(notes)})")
    scores = "   ".join(f"{name} {value:g}/10" for name, value in document.scores.items())
    return plain(f"{document.title}\n{scores}\n\n{document.summary}\n\n── pipeline ──\n{document.pipeline}")
