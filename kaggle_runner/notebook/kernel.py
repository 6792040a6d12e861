"""One kernel in one sandbox: start, message channels, interrupt, memory, death.

It knows nothing of cells; `session.py` runs those. Imported when a kernel starts (jupyter_client is heavy).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from kaggle_runner.errors import SandboxUnavailable
from kaggle_runner.interpreter import examine, require_kernel
from kaggle_runner.notebook.carried import CARRIED_INSIDE, carried_packages
from kaggle_runner.notebook.crash_report import CrashReport
from kaggle_runner.notebook.outputs import as_seen
from kaggle_runner.sandbox import processes
from kaggle_runner.sandbox.batch import BatchLimits
from kaggle_runner.sandbox.bubblewrap import MINIMAL_ENVIRONMENT
from kaggle_runner.sandbox.sandbox import Sandbox, explain
from kaggle_runner.sandbox.sockets import socket_folder

BOOT_PROGRAM = Path(__file__).with_name("kernel_boot.py")
BOOT_INSIDE = "/run/comind/kernel_boot.py"
MAX_MESSAGE_BYTES = 64 << 20
START_SECONDS = 90.0


class KernelProcess:
    """A started kernel. Make one with `launch`; `close` ends it and everything it started."""

    def __init__(self, held: AsyncExitStack, manager: AsyncKernelManager, report: CrashReport) -> None:
        self._held = held
        self._manager = manager
        self._report = report
        self._client: AsyncKernelClient | None = None
        self._output_monitor: Any = None
        self._lifeline = -1
        self._killed: list[int] = []
        self.pid = 0

    @classmethod
    async def launch(
        cls, sandbox: Sandbox, *, crash_report: Path, without_installed: bool = False
    ) -> KernelProcess:
        """Start and wait until cells can run. Call it from the event loop's long-lived thread.

        `without_installed`: the packages that were installed are removed first. Raises SandboxUnavailable,
        with what the kernel said, when it does not come up in 90 s; PythonUnusable where the sandbox's Python
        can have no kernel.
        """
        argv, shown = await asyncio.to_thread(_program, sandbox)
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(socket_folder())
            way = await stack.enter_async_context(sandbox.way_to_packages(folder))
            command = sandbox.command(
                argv, read_only=shown, writable={str(folder): folder}, way=way,
                without_installed=without_installed,
            )  # fmt: skip
            manager = AsyncKernelManager(
                transport="ipc",
                ip=str(folder / "k"),
                connection_file=str(folder / "connection.json"),
                kernel_name="comind",
                kernel_spec_manager=_OneSpec(command),
            )
            # Sockets take it from their context: a cell that forges messages cannot fill the engine's memory.
            manager.context.setsockopt(_zmq().MAXMSGSIZE, MAX_MESSAGE_BYTES)
            kernel = cls(stack.pop_all(), manager, CrashReport(crash_report))
        try:
            await kernel._start()
        except BaseException:  # also when cancelled: what was started belongs to nobody yet
            await kernel.close()
            raise
        return kernel

    async def _start(self) -> None:
        pipe = self._report.write_end
        # The kernel ends when this pipe does. bwrap's own --die-with-parent misses an engine that is killed
        # between two of its forks.
        read_end, self._lifeline = os.pipe()
        try:
            await self._manager.start_kernel(
                env=dict(MINIMAL_ENVIRONMENT), cwd="/", stdin=read_end, stdout=pipe, stderr=pipe
            )
        finally:
            os.close(read_end)
            self._report.started()
        process = self._process()
        assert process is not None
        self.pid = process.pid
        client = self._client = self._manager.client()
        client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=False)
        self._output_monitor = client.iopub_channel.socket.get_monitor_socket(_zmq().EVENT_DISCONNECTED)
        deadline = time.monotonic() + START_SECONDS
        while not await self._answers(client):
            if not await self.alive():
                said = self.last_words()
                raise SandboxUnavailable(
                    f"the kernel did not start: {said or 'no message'}", hint=explain(said)
                )
            if time.monotonic() > deadline:
                raise SandboxUnavailable(
                    f"the kernel did not answer within {START_SECONDS:.0f} s: {self.last_words()}",
                    hint="is the machine overloaded? Start fewer agents",
                )
        processes.prefer_for_oom(self.pid)

    async def _answers(self, client: AsyncKernelClient) -> bool:
        """True when both the reply and the output channel work; asks again after a quarter of a second."""
        client.kernel_info()
        replies = asyncio.create_task(client.get_shell_msg())
        outputs = asyncio.create_task(client.get_iopub_msg())
        _, pending = await asyncio.wait({replies, outputs}, timeout=0.25)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return not pending

    @property
    def client(self) -> AsyncKernelClient:
        assert self._client is not None
        return self._client

    async def alive(self) -> bool:
        return bool(await self._manager.is_alive())

    async def interrupt(self) -> None:
        """Ask by message: a signal would end the sandbox instead of the cell."""
        await self._manager.interrupt_kernel()

    def memory_bytes(self) -> int:
        return processes.memory_bytes(self.pid)

    def fault(self, limits: BatchLimits) -> str:
        """The limit of memory or processes that everything in the sandbox broke, see `processes.fault`."""
        return processes.fault(self.pid, limits.memory_bytes, limits.processes)

    def exit_code(self) -> int | None:
        process = self._process()
        return None if process is None else process.poll()

    async def hung_up(self) -> None:
        """Return when the ended kernel's side of the output channel is closed: what it sent is here by then.

        A process that it forked may hold that side open.
        """
        if self._output_monitor is not None:
            await self._output_monitor.poll()

    def unread(self) -> bool:
        """Whether output that has come was not taken from the channel yet."""
        zmq = _zmq()
        return self._client is not None and bool(
            self._client.iopub_channel.socket.get(zmq.EVENTS) & zmq.POLLIN
        )

    def last_words(self) -> str:
        """The end of what was written past the notebook's streams: start failures, native crashes."""
        said = self._report.text(ended=self.exit_code() is not None)
        crash = said.rfind("Fatal Python error")
        return as_seen(said[crash:][:800] if crash >= 0 else said[-800:])

    def kill(self) -> None:
        """End everything in the sandbox at once, without waiting."""
        if (process := self._process()) is not None:
            self._killed = processes.kill(process)

    def _process(self) -> subprocess.Popen[bytes] | None:
        return getattr(self._manager.provisioner, "process", None)

    async def close(self) -> None:
        """Kill, wait until no process is left, remove the sockets. Safe to call twice."""
        if (process := self._process()) is not None:
            await processes.end(process)
            await processes.gone(self._killed)
        if self._client is not None:
            if self._output_monitor is not None:
                self._client.iopub_channel.socket.disable_monitor()
                self._output_monitor.close(linger=0)
                self._output_monitor = None
            self._client.stop_channels()
            self._client = None
        if self._manager.provisioner is not None:
            await self._manager.shutdown_kernel(now=True)
        await self._held.aclose()
        if self._lifeline >= 0:
            os.close(self._lifeline)
        self._lifeline = -1


def _program(sandbox: Sandbox) -> tuple[list[str], dict[str, Path]]:
    """What starts a kernel in the sandbox's Python, and what that needs to see: path inside → path here."""
    argv = [str(sandbox.interpreter), "-X", "frozen_modules=on", BOOT_INSIDE, "{connection_file}"]
    shown = {BOOT_INSIDE: BOOT_PROGRAM}
    if sandbox.python is not None and not require_kernel(examine(sandbox.python)).has_kernel:
        return [*argv, CARRIED_INSIDE], {**shown, **carried_packages()}
    return argv, shown


class _OneSpec(KernelSpecManager):
    """The kernel spec that is our sandboxed command, whatever name is asked for."""

    def __init__(self, argv: list[str]) -> None:
        super().__init__()
        self._argv = argv

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(
            argv=self._argv, display_name=kernel_name, language="python", interrupt_mode="message"
        )


def _zmq() -> Any:
    import zmq

    return zmq
