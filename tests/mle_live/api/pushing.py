"""A client that pushes kernels to a running MLE-Live over its wire protocol, for tests."""

from __future__ import annotations

import json
import textwrap
import time
from dataclasses import dataclass
from typing import Any, Protocol

import requests

from tests.tiny_kaggle import TOKEN, RunningServer

KERNELS = "kernels.KernelsApiService"
BOB = "token-of-bob"


class Address(Protocol):
    """Where a server is reached: a RunningServer, or an MleLiveProcess."""

    @property
    def url(self) -> str: ...


@dataclass(frozen=True)
class Pusher:
    """One user of `server`. Bodies and answers are the wire's own JSON."""

    server: Address
    user: str = "alice"
    token: str = TOKEN

    def call(self, method: str, **body: Any) -> requests.Response:
        return requests.post(
            f"{self.server.url}/api/v1/{KERNELS}/{method}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
        )

    def push(self, title: str, code: str, **body: Any) -> dict[str, Any]:
        """Push a private script (its code may be indented); the answer."""
        request = {
            "slug": f"{self.user}/{title.lower().replace(' ', '-')}",
            "newTitle": title,
            "text": textwrap.dedent(code),
            "language": "python",
            "kernelType": "script",
            "isPrivate": True,
            **body,
        }
        answer: dict[str, Any] = self.call("SaveKernel", **request).json()
        return answer

    def push_notebook(self, title: str, *cells: str, **body: Any) -> dict[str, Any]:
        return self.push(title, notebook_text(*cells), kernelType="notebook", **body)

    def at(self, slug: str, method: str, **body: Any) -> Any:
        """The answer to a call about the user's own kernel `slug`."""
        return self.call(method, userName=self.user, kernelSlug=slug, **body).json()

    def status(self, slug: str, **body: Any) -> tuple[str, str]:
        """State and failure message. QUEUED is the wire's default and left out of the answer."""
        answer = self.at(slug, "GetKernelSessionStatus", **body)
        return answer.get("status", "QUEUED"), answer.get("failureMessage", "")

    def wait(self, slug: str, *states: str) -> tuple[str, str]:
        """Wait for one of `states` (an end when none is named); the state and the failure message."""
        wanted = states or ("COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED")
        while (found := self.status(slug))[0] not in wanted:
            time.sleep(0.1)
        return found

    def run(self, title: str, code: str, **body: Any) -> tuple[str, str]:
        """Push a script and wait for its end."""
        pushed = self.push(title, code, **body)
        assert "error" not in pushed, pushed
        return self.wait(title.lower().replace(" ", "-"))

    def log(self, slug: str) -> str:
        """All text of the log."""
        text = self.at(slug, "ListKernelSessionOutput").get("log") or "[]"
        return "".join(event["data"] for event in json.loads(text))

    def output_names(self, slug: str) -> list[str]:
        files = self.at(slug, "ListKernelSessionOutput", pageSize=200).get("files", [])
        return [file["fileName"] for file in files]

    def output(self, slug: str, name: str) -> bytes:
        files = self.at(slug, "ListKernelSessionOutput", pageSize=200)["files"]
        (address,) = [file["url"] for file in files if file["fileName"] == name]
        answer = requests.get(address, timeout=30)  # without any credential, as the client does
        assert answer.status_code == 200, answer.text
        return answer.content


def add_bob(server: RunningServer) -> Pusher:
    server.service.state.ensure_user("bob", BOB)
    return Pusher(server, "bob", BOB)


def notebook_text(*cells: str) -> str:
    """A notebook as the client sends it, without outputs. A cell that begins with # is Markdown."""
    blocks: list[dict[str, Any]] = [
        {"cell_type": "markdown", "metadata": {}, "source": cell}
        if cell.startswith("#")
        else {"cell_type": "code", "metadata": {}, "source": cell, "outputs": [], "execution_count": None}
        for cell in cells
    ]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": kernel}, "cells": blocks}
    )
