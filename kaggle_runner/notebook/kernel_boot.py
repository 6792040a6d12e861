"""The program that runs inside the sandbox as an agent's notebook kernel.

An ordinary IPython kernel whose output is bounded at the source: a client cannot bound a message that is
already 200 MB long. It stands alone: inside the sandbox no module of this project can be imported.
"""

# ipykernel and IPython carry partial types: what we override of them cannot be checked.
# mypy: disable-error-code="no-untyped-call, override, arg-type, assignment, union-attr"

from __future__ import annotations

import codecs
import faulthandler
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import defaultdict, deque
from typing import Any

if len(sys.argv) > 2:
    sys.path.insert(1, sys.argv[2])  # the engine's own kernel, in front: a mixture of two sets may not fit
sys.modules["debugpy"] = None  # nobody debugs here, and ipykernel's debugger is a third of a kernel's start

from ipykernel.iostream import OutStream  # noqa: E402
from ipykernel.ipkernel import IPythonKernel  # noqa: E402
from ipykernel.kernelapp import IPKernelApp  # noqa: E402
from ipykernel.zmqshell import ZMQInteractiveShell  # noqa: E402
from IPython.core.formatters import DisplayFormatter  # noqa: E402

del sys.modules["debugpy"]  # a cell may import it

FLUSH_CHARACTERS = 1 << 20
"""At most this much text in one message: its beginning and its end are kept."""
CELL_CHARACTERS = 32 << 20
"""After this much in one cell only a trickle is sent, so that hours of chatter stay within a log's bound."""
TRICKLE_CHARACTERS = 2048
FLUSHES_PER_SECOND = 10
FLUSH_BURST = 20
TEXT_CHARACTERS = 1 << 20
RICH_CHARACTERS = 4 << 20
TRACEBACK_CHARACTERS = 64 << 10
INSTALLING = re.compile(r"\bpip3?\b.*\b(?:install|download)\b")
NO_PACKAGES = "Packages cannot be installed here: this notebook reaches no package index.\n"


def clip(text: str, limit: int) -> str:
    """`text`, or its first and last half of `limit` characters around a notice."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"


class BoundedBuffer:
    """What is printed between two flushes: its first and its last half of the limit (as a StringIO)."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._head_size = self._tail_size = self._dropped = 0

    def write(self, text: str) -> None:
        room = self._half - self._head_size
        if room > 0:
            self._head.append(text[:room])
            self._head_size += len(self._head[-1])
            text = text[room:]
        if not text:
            return
        if len(text) > self._half:
            self._dropped += len(text) - self._half
            text = text[-self._half :]
        self._tail.append(text)
        self._tail_size += len(text)
        while self._tail_size - len(self._tail[0]) >= self._half:
            gone = len(self._tail.popleft())
            self._tail_size -= gone
            self._dropped += gone

    def getvalue(self) -> str:
        notice = f"\n[… {self._dropped} characters left out …]\n" if self._dropped else ""
        return "".join(self._head) + notice + "".join(self._tail)

    def close(self) -> None:
        self._head.clear()
        self._tail.clear()


class BoundedOutStream(OutStream):
    """stdout and stderr with bounded messages, and explicit flushes no faster than a reader can follow.

    Both ends of the notebook protocol drop messages when a thousand wait, so `print(flush=True)` in a
    tight loop loses lines; a flush beyond the allowance is left to the timer (0.2 s).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._allowance = float(FLUSH_BURST)
        self._counted_at = time.monotonic()
        self._cell_characters = 0
        super().__init__(*args, **kwargs)
        self._buffers = self._new_buffers()

    def _new_buffers(self) -> defaultdict[Any, BoundedBuffer]:
        limit = FLUSH_CHARACTERS if self._cell_characters < CELL_CHARACTERS else TRICKLE_CHARACTERS
        return defaultdict(lambda: BoundedBuffer(limit))

    def _rotate_buffers(self) -> dict[Any, Any]:
        with self._buffer_lock:
            old, self._buffers = self._buffers, self._new_buffers()
        return old

    def write(self, string: str) -> int | None:
        written = super().write(string)
        self._cell_characters += len(string) if isinstance(string, str) else 0
        return written

    def flush(self) -> None:
        now = time.monotonic()
        earned = (now - self._counted_at) * FLUSHES_PER_SECOND
        self._counted_at = now
        self._allowance = min(FLUSH_BURST, self._allowance + earned)
        trickle = self._cell_characters >= CELL_CHARACTERS
        cost = FLUSHES_PER_SECOND if trickle else 1.0
        if self._allowance < cost and self._is_master_process():
            self._schedule_flush()
            return
        self._allowance -= cost
        super().flush()

    def end_of_cell(self) -> None:
        """Send what waits before the cell is reported as done."""
        self._allowance = float(FLUSH_BURST)
        super().flush()
        self._cell_characters = 0


class BoundedFormatter(DisplayFormatter):
    """`df`, `"x" * 10**9` or a huge HTML page as a cell's value, bounded."""

    def format(self, *args: Any, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super().format(*args, **kwargs)
        for mime, value in list(data.items()):
            if isinstance(value, str) and mime == "text/plain":
                data[mime] = clip(value, TEXT_CHARACTERS)
            elif isinstance(value, (str, bytes)) and len(value) > RICH_CHARACTERS:
                del data[mime]
                data.setdefault("text/plain", f"[{mime} of {len(value)} bytes left out]")
        return data, metadata


class BoundedShell(ZMQInteractiveShell):
    def init_display_formatter(self) -> None:
        self.display_formatter = BoundedFormatter(parent=self)
        self.configurables.append(self.display_formatter)

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        lines = [clip(line, TRACEBACK_CHARACTERS) for line in (*stb[:100], *stb[100:][-100:])]
        super()._showtraceback(etype, ClippedMessage(evalue), lines)

    def system_piped(self, cmd: str) -> None:
        """`!command`, its output as it comes. IPython's own rereads all of it for each new piece."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        with subprocess.Popen(
            self.var_expand(cmd, depth=1), shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, executable=shutil.which("bash"),
        ) as process:  # fmt: skip
            assert process.stdout is not None
            try:
                while chunk := os.read(process.stdout.fileno(), 1 << 16):
                    sys.stdout.write(decoder.decode(chunk))
            except KeyboardInterrupt:
                process.kill()
                raise
        self.user_ns["_exit_code"] = process.returncode
        if process.returncode and "PIP_NO_INDEX" in os.environ and INSTALLING.search(cmd):
            sys.stdout.write(NO_PACKAGES)

    system = system_piped


class ClippedMessage:
    """An exception as far as a traceback's writer asks: its text, bounded."""

    def __init__(self, error: BaseException) -> None:
        self._text = clip(str(error), TRACEBACK_CHARACTERS)

    def __str__(self) -> str:
        return self._text


class BoundedKernel(IPythonKernel):
    async def do_execute(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        reply: dict[str, Any] = await super().do_execute(*args, **kwargs)
        if "evalue" in reply:
            reply["evalue"] = clip(reply["evalue"], TRACEBACK_CHARACTERS)
        return reply


def end_with_engine() -> None:
    """The engine holds the other end of stdin and writes nothing: when it is gone, so is this kernel."""
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def wait() -> None:
        try:
            while os.read(lifeline, 1):
                pass
        finally:
            os._exit(1)

    threading.Thread(target=wait, name="engine-watch", daemon=True).start()


def main(connection_file: str) -> None:
    end_with_engine()
    # A parent that blocks SIGINT hands the block down, and no cell could be interrupted.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    # An interrupt goes to the kernel's process group only when the kernel leads one.
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # ipykernel finds the stream's class by name; __main__ will be the notebook.
    sys.modules["comind_kernel_boot"] = sys.modules[__name__]
    del sys.path[0]  # this program's folder; the shell puts the notebook's there
    # Where a filter refuses sockets, forked workers print nowhere; that is no crash to report.
    warnings.filterwarnings("ignore", message="Couldn't bind IOPub Pipe")
    crash_report = os.fdopen(os.dup(2), "w")
    application = IPKernelApp.instance(
        connection_file=connection_file,
        parent_handle=0,
        log_level=50,  # else it greets the terminal it does not have
        outstream_class="comind_kernel_boot.BoundedOutStream",
        kernel_class=BoundedKernel,
    )
    BoundedKernel.shell_class = BoundedShell
    settings = [
        "--HistoryManager.enabled=False",
        "--InteractiveShell.colors=nocolor",
        "--Completer.use_jedi=False",
    ]
    application.initialize(["-f", connection_file, *settings])
    faulthandler.enable(file=crash_report)
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        # ipykernel copies what subprocesses print to the stream it replaced, which here is for crashes.
        os.dup2(silence, stream._original_stdstream_copy)
    os.close(silence)
    # IPython answers sys.exit() with the advice to call quit(), which would end the kernel.
    warnings.filterwarnings("ignore", message="To exit: use")
    application.shell.events.register("post_run_cell", _end_of_cell)
    application.start()


def _end_of_cell(_result: object) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, BoundedOutStream):
            stream.end_of_cell()


if __name__ == "__main__":
    main(sys.argv[1])
