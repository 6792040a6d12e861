"""The form for a new run: it is checked as it is typed; starting happens in a helper process."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Button, Checkbox, Footer, Input, Label, Select, Static

from comind.config import DEFAULT_MAX_DOLLARS, DEFAULT_MODEL, RunConfig, from_mapping
from comind_tui.core.corrections import files_named
from comind_tui.core.keys import check_key
from comind_tui.launch import Launcher
from comind_tui.screens.dialogs import Help
from kaggle_runner.errors import ComindError, ConfigError

_FIELDS: tuple[tuple[str, str, str, str], ...] = (
    ("folder", "or a folder", "", "path/to/competition; wins over the list above"),
    ("model", "model", "", DEFAULT_MODEL),
    ("base_url", "base URL", "", "empty: OpenAI's own"),
    ("coders", "coding agents", "2", "1 to 64"),
    ("rounds", "rounds", "2", "1 to 1000"),
    ("time_limit", "time limit", "1h", "90s, 15m, 2h, 1h30m"),
    ("max_cost", "max cost, $", "", f"empty: ${DEFAULT_MAX_DOLLARS:g} where the price is known; or none"),
    ("seed", "seed", "0", ""),
)
"""Setting, label, first value, placeholder."""
_CORRECTIONS: tuple[tuple[str, str, str], ...] = (
    ("metric", "metric", "empty: what the description says"),
    ("metric_file", "metric file", "path/to/metric.py of your own; see docs/settings.md"),
    ("target", "target", "empty: what the files say; so are the fields below"),
    ("id_column", "id column", ""),
    ("positive_class", "class that is 1", "where labels are words and a submission wants numbers"),
    ("files", "files", "ROLE=NAME, … for sample, train, test, labels"),
)
"""Setting, label, placeholder: what a person knows better than the files."""
_LOOK_WIDTH, _FRAME = 84, 8
"""Of the dialog that shows what was found, and of what is round its text."""
_WHOLE_NUMBERS = ("coders", "rounds", "seed")


class NewRun(Screen[str]):
    """Dismissed with the id of the run that was started, or empty."""

    AUTO_FOCUS = "#competition"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "Start", priority=True),
        Binding("ctrl+l", "look", "Look at its files", priority=True),
        Binding("escape", "cancel", "Cancel"),
    ]

    def __init__(
        self, state: Path, launcher: Launcher, slugs: list[str], competition: str, *, kaggle_url: str = ""
    ) -> None:
        """`competition` is chosen at first; `kaggle_url` is where it was listed, empty for the shelf."""
        super().__init__()
        self._state = state
        self._launcher = launcher
        self._kaggle_url = kaggle_url
        self._slugs = slugs
        self._competition = competition
        self._starting = False

    def compose(self) -> ComposeResult:
        yield Static(Text(" New run"), id="home-head", markup=False)
        with VerticalScroll(id="form"):
            with Horizontal(classes="field"):
                yield Label("competition", markup=False)
                chosen = self._competition or (self._slugs[0] if self._slugs else "")
                options = [(slug, slug) for slug in self._slugs]
                yield Select(
                    options, value=chosen or Select.NULL, allow_blank=True, id="competition", compact=True
                )
            with Horizontal(classes="field"):
                yield Label("offline", markup=False)
                yield Checkbox(
                    "recipes, no language model",
                    not os.environ.get("OPENAI_API_KEY"),
                    id="offline",
                    compact=True,
                )
            fields = [*_FIELDS, *((name, label, "", told) for name, label, told in _CORRECTIONS)]
            for name, label, value, placeholder in fields:
                with Horizontal(classes="field"):
                    yield Label(label, markup=False)
                    yield Input(value, placeholder=placeholder, id=name, compact=True)
            with Horizontal(classes="field"):
                yield Label("", markup=False)
                yield Button("Start", id="start", variant="primary", compact=True)
        yield Static(id="problem", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        if self.display:  # else the person has left already, and there are no fields
            self._check()

    @on(Input.Changed)
    @on(Checkbox.Changed)
    @on(Select.Changed)
    def _check(self) -> None:
        """Show the first thing that is wrong, in place; fields that offline runs ignore are dimmed."""
        offline = self.query_one("#offline", Checkbox).value
        for name in ("model", "base_url"):
            self.query_one(f"#{name}", Input).disabled = offline
        named = self.query_one("#folder", Input).value.strip()
        self.query_one("#competition", Select).set_class(bool(named), "overruled")
        try:
            config = self._config()
        except ComindError as error:
            self._say(str(error), bad=True)
        else:
            what = "recipes, no language model" if config.offline else config.model
            over = " (the folder wins over the list)" if config.is_folder else ""
            self._say(f"Ready: {config.competition}{over}, {config.coders} agents, {what}. Ctrl+S starts.")

    def _config(self) -> RunConfig:
        """The settings on the form; ConfigError names the first field that is wrong."""
        names = [name for name, *_ in (*_FIELDS, *_CORRECTIONS)]
        texts = {name: self.query_one(f"#{name}", Input).value.strip() for name in names}
        chosen = self.query_one("#competition", Select).value
        values: dict[str, Any] = {"competition": _folder(texts["folder"]) or (str(chosen) if chosen else "")}
        if not values["competition"] or (chosen is Select.NULL and not texts["folder"]):
            raise ConfigError("Choose a competition, or name a folder with a competition's files.")
        if texts["folder"] and not Path(values["competition"]).is_dir():
            raise ConfigError(f"There is no folder {texts['folder']!r} here.")
        if values["competition"] == self._competition and self._kaggle_url:
            values["kaggle_url"] = self._kaggle_url
        if self.query_one("#offline", Checkbox).value:
            values["offline"] = True
        else:
            values |= {"model": texts["model"] or DEFAULT_MODEL, "base_url": texts["base_url"]}
        for name in _WHOLE_NUMBERS:
            values[name] = _number(name, texts[name], int)
        values |= {name: texts[name] for name, *_ in _CORRECTIONS if texts[name]}
        if texts["files"]:
            values["files"] = files_named(texts["files"].split(","))
        values["time_limit"] = texts["time_limit"]
        cost = texts["max_cost"]
        known_words = cost.lower() in ("", "none")
        values["max_cost"] = cost or None if known_words else _number("max_cost", cost, float)
        config = from_mapping(values, where="the form")
        check_key(config)
        if config.metric or config.metric_file:
            from comind.evaluator.metric_file import asked_metric  # metrics are slow to import

            asked_metric(config)
        return config

    @on(Button.Pressed, "#start")
    def _pressed(self) -> None:
        self.action_start()

    def action_start(self) -> None:
        if self._starting:
            return
        try:
            config = self._config()
        except ComindError as error:
            self._say(str(error), bad=True)
            return
        self._starting = True
        self._say(f"Preparing {config.competition} … (data are fetched the first time)")
        self._start(config)

    @work(exclusive=True)
    async def _start(self, config: RunConfig) -> None:
        try:
            run_id = await asyncio.to_thread(self._launcher, {"config": config.as_dict()}, self._state)
        except ComindError as error:
            self._say(str(error), bad=True)
            self._starting = False
            return
        self.dismiss(run_id)

    def action_look(self) -> None:
        """Show what the competition's files are taken for; nothing is spent."""
        try:
            config = self._config()
        except ComindError as error:
            self._say(str(error), bad=True)
            return
        self._say(f"Looking at {config.competition} … (data are fetched where they are not here)")
        self._look(config)

    @work(exclusive=True, group="look")
    async def _look(self, config: RunConfig) -> None:
        from comind.run.inspection import inspect
        from comind_tui.text.inspections import inspection_lines

        try:
            found = await asyncio.to_thread(inspect, config, self._state, os.environ)
        except ComindError as error:
            self._say(str(error), bad=True)
            return
        self._check()
        width = min(_LOOK_WIDTH, self.size.width * 95 // 100) - _FRAME
        self.app.push_screen(Help("\n".join(inspection_lines(found, width))))

    def action_cancel(self) -> None:
        self.dismiss("")

    def _say(self, text: str, *, bad: bool = False) -> None:
        line = self.query_one("#problem", Static)
        line.set_class(bad, "bad")
        line.update(Text(f"{'✗' if bad else '✓'} {text}"))


def _folder(text: str) -> str:
    """A folder as RunConfig knows folders: with a slash in it."""
    return text if not text or "/" in text or text in (".", "..") else f"./{text}"


def _number(name: str, text: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(
            f"{name} is {text!r}; it must be a {'whole ' if kind is int else ''}number."
        ) from None
