"""Archives that come from Kaggle, by signed addresses; resumed after a cut where the server allows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import requests

from kaggle_runner.kaggle.transport import Wire
from kaggle_runner.kaggle.wire import http_error, save_body

_LEAST_RESUMED = 2**20
"""Less than this is fetched again: asking for the rest costs as much."""

Ask = Callable[[Wire], requests.Response]
Told = Callable[[int, int | None], None]


class Download:
    """One archive on its way to `target`. `fetch` is called until it succeeds, and goes on where it was.

    What has arrived is only gone on with while the server says that the file is the same (its ETag or date).
    """

    def __init__(self, target: Path, told: Told | None = None, *, most_bytes: int) -> None:
        self._target = target
        self._told = told
        self._most = most_bytes
        self._mark = ""
        """What tells that the file is still the same one."""

    def fetch(self, wire: Wire, ask: Ask) -> None:
        """Save what `ask` answers with. Raises requests' errors when the body ends early or is refused,
        KaggleError when it is larger than the limit."""
        with ask(wire) as response:
            _no_page(response)
            if not self._can_resume(response):
                self._save(response, 0)
                return
            url = str(response.url)
        with self._rest(wire, url) as response:
            _no_page(response)
            if response.status_code == 206 and self._mark_of(response) in ("", self._mark):
                self._save(response, self._arrived)
            elif response.status_code == 200:
                self._save(response, 0)
            elif response.status_code in (206, 416):  # another file by now, or nothing beyond what is here
                self._target.unlink(missing_ok=True)
                raise requests.ConnectionError("the file changed while it was fetched")
            else:
                raise http_error(response)

    @property
    def _arrived(self) -> int:
        return self._target.stat().st_size if self._target.is_file() else 0

    def _can_resume(self, response: requests.Response) -> bool:
        mark, self._mark = self._mark, self._mark_of(response)
        same = bool(mark) and mark == self._mark and response.headers.get("Accept-Ranges") == "bytes"
        return same and self._arrived >= _LEAST_RESUMED and response.history != []

    @staticmethod
    def _mark_of(response: requests.Response) -> str:
        headers = response.headers
        return headers.get("ETag", "") or headers.get("Last-Modified", "")

    def _rest(self, wire: Wire, url: str) -> requests.Response:
        # Prepared without the session: a signed address is its own permission.
        headers = {"Range": f"bytes={self._arrived}-", "If-Range": self._mark}
        request = requests.Request("GET", url, headers=headers).prepare()
        settings = wire.session.merge_environment_settings(url, {}, True, None, None)
        return wire.session.send(request, **settings)

    def _save(self, response: requests.Response, start: int) -> None:
        save_body(response, self._target, self._told, most_bytes=self._most, start=start)


def _no_page(response: requests.Response) -> None:
    """A page in an archive's place comes from something in between, such as a login; it may pass."""
    if response.ok and response.headers.get("Content-Type", "").startswith("text/html"):
        raise requests.ConnectionError("a page came in the file's place")
