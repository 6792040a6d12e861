"""An MLE-Live server as a child process of a run: started, waited for, and gone when its parent is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from kaggle_runner.errors import MachineError
from mle_live.environment import TOKEN_VARIABLE

_POLL_SECONDS = 0.05
_STOP_SECONDS = 10.0
_TAIL_BYTES = 2000


class MleLiveProcess:
    """`async with MleLiveProcess(root, slug="census-income", log_path=…, token=…) as server: server.url`.

    Either `slug` (a prepared competition) or `folder` (a user's own) is served, to one user who owns
    `token`; `hidden` are paths inside the folder that are not its data (a state folder), `metric` is one
    that a person named in place of what the folder says (empty: one that the server does not know), `stated`
    what they said of its files, `python` what pushed kernels run in (None: this one), `gpu_kernels` what
    becomes of those that want a GPU; with `allow_packages` those that want internet may install packages.
    The child reads its standard input and stops at its end, so it cannot outlive this process.
    Raises MachineError with the end of its log when it does not come up within `timeout` seconds.
    """

    def __init__(
        self,
        root: Path,
        *,
        log_path: Path,
        token: str,
        slug: str | None = None,
        folder: Path | None = None,
        state_dir: Path | None = None,
        hidden: Sequence[Path] = (),
        metric: str | None = None,
        stated: Mapping[str, Any] | None = None,
        python: Path | None = None,
        gpu_kernels: str = "",
        allow_packages: bool = False,
        reveal_private: bool = False,
        username: str = "comind",
        timeout: float = 60.0,
    ) -> None:
        if (slug is None) == (folder is None):
            raise ValueError("give either a slug or a folder")
        self._arguments = ["serve", "--root", str(root), "--username", username, "--exit-with-stdin"]
        self._arguments += ["--competition", slug] if slug is not None else ["--folder", str(folder)]
        if state_dir is not None:
            self._arguments += ["--state", str(state_dir)]
        for path in hidden:
            self._arguments += ["--hide", str(path)]
        if metric is not None:
            self._arguments += ["--metric", metric]
        if stated:
            self._arguments += ["--stated", json.dumps(stated)]
        if python is not None:
            self._arguments += ["--python", str(python)]
        if gpu_kernels:
            self._arguments += ["--gpu-kernels", gpu_kernels]
        if allow_packages:
            self._arguments.append("--allow-packages")
        if reveal_private:
            self._arguments.append("--reveal-private")
        self._log_path = log_path
        self._token = token
        self._timeout = timeout
        self._process: asyncio.subprocess.Process | None = None
        self.url = ""
        self.pid = 0

    async def __aenter__(self) -> Self:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        # Beside the log and always of the same name: when this process is killed, the next one sweeps it.
        ready = self._log_path.with_name(f"{self._log_path.name}.ready")
        ready.unlink(missing_ok=True)
        with self._log_path.open("ab") as log:
            self._process = await self._start(ready, log)
        try:
            await self._wait_until_ready(self._process, ready)
        except BaseException:  # also when cancelled: __aexit__ is not called for what never began
            await self._stop()
            raise
        finally:
            ready.unlink(missing_ok=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _start(self, ready: Path, log: IO[bytes]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mle_live",
            *self._arguments,
            "--ready-file",
            str(ready),
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, TOKEN_VARIABLE: self._token},
            start_new_session=True,  # a Ctrl-C in the terminal is for the parent, which then stops us
        )

    async def _wait_until_ready(self, process: asyncio.subprocess.Process, ready: Path) -> None:
        deadline = asyncio.get_running_loop().time() + self._timeout
        while not ready.is_file():
            if process.returncode is not None:
                raise MachineError(
                    f"MLE-Live stopped before it was up (exit code {process.returncode}):\n{self._tail()}",
                    hint=f"its log is {self._log_path}",
                )
            if asyncio.get_running_loop().time() > deadline:
                raise MachineError(
                    f"MLE-Live was not up after {self._timeout:g} s:\n{self._tail()}",
                    hint=f"its log is {self._log_path}",
                )
            await asyncio.sleep(_POLL_SECONDS)
        where = json.loads(ready.read_text(encoding="utf-8"))
        self.url, self.pid = str(where["url"]), int(where["pid"])

    def _tail(self) -> str:
        return self._log_path.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
