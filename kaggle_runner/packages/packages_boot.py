"""The program that comes first where packages may be installed: `packages_boot.py SPEC COMMAND…` (JSON).

It makes the overlay (a virtual environment over the notebook's Python) in the working folder, opens the way
to the proxy as a port of the sandbox's own loopback, and becomes the command. It runs inside, so whatever
agent code made of that folder leads nowhere else. It stands alone: no module of this project can be imported.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

_PIECE = 1 << 16
_PIP = """#!{python}
import os, sys
os.environ["TMPDIR"] = {room!r}
from pip._internal.cli.main import main
sys.exit(main())
"""
# pip unpacks where there is room: /tmp is memory
_ROOM = "import os, sys; sys.orig_argv[1:3] == ['-m', 'pip'] and os.environ.update(TMPDIR={room!r})\n"
_BELOW = "import site; site.addsitedir({site!r})\n"


def main(spec: dict[str, Any], command: list[str]) -> None:
    """Never returns. Without an overlay or a way the command runs all the same, and can install nothing."""
    folder = Path(spec["folder"])
    try:
        make_overlay(folder, spec)
        port = open_way(spec["socket"])
    except OSError as problem:
        sys.stderr.write(f"packages: {problem}\n")
    else:
        address = f"http://127.0.0.1:{port}"
        os.environ.pop("PIP_NO_INDEX", None)
        os.environ.update(spec["variables"])
        os.environ.update({"HTTPS_PROXY": address, "https_proxy": address, "VIRTUAL_ENV": str(folder)})
        os.environ["PATH"] = f"{folder}/bin:{os.environ.get('PATH', os.defpath)}"
        if command[0] == spec["python"]:
            command = [f"{folder}/bin/python", *command[1:]]
    os.execvp(command[0], command)


def make_overlay(folder: Path, spec: dict[str, Any]) -> None:
    """Lay it out, or mend what of it the interpreter needs; what was installed stays."""
    room = folder / "tmp"
    for old in (folder,) if spec["fresh"] else (room,):
        if old.exists():
            import shutil  # slow to import

            shutil.rmtree(old, ignore_errors=True)
    programs = folder / "bin"
    site = folder / "lib" / f"python{spec['version']}" / "site-packages"
    for place in (programs, site, room):
        place.mkdir(parents=True, exist_ok=True)
    base = Path(spec["base"])
    for name in ("python", "python3", f"python{spec['version']}"):
        _replace(programs / name).symlink_to(base)
    _replace(folder / "lib64").symlink_to("lib")
    about = f"home = {base.parent}\ninclude-system-site-packages = false\n"
    _replace(folder / "pyvenv.cfg").write_text(about, encoding="utf-8")
    lines = [_ROOM.format(room=str(room)), *(_BELOW.format(site=one) for one in spec["sites"])]
    _replace(site / "_base.pth").write_text("".join(lines), encoding="utf-8")
    for name in ("pip", "pip3"):
        program = _replace(programs / name)
        program.write_text(_PIP.format(python=programs / "python", room=str(room)), encoding="utf-8")
        program.chmod(0o755)


def _replace(path: Path) -> Path:
    path.unlink(missing_ok=True)
    return path


def open_way(proxy: str) -> int:
    """The port; what connects there is passed on to the proxy's socket by a process that nobody waits for."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    child = os.fork()
    if child == 0:
        os.setsid()  # interrupts of cells are not for it
        if os.fork():
            os._exit(0)
        try:
            _serve(listener, proxy)
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    port = int(listener.getsockname()[1])
    listener.close()
    return port


def _serve(listener: socket.socket, proxy: str) -> None:
    import threading

    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):  # whoever reads the command's output waits for the end of these
        os.dup2(nothing, descriptor)
    while True:
        inside, _ = listener.accept()
        outside = socket.socket(socket.AF_UNIX)
        try:
            outside.connect(proxy)
        except OSError:
            inside.close()
            outside.close()
            continue
        for source, target in ((inside, outside), (outside, inside)):
            threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    except OSError:
        pass  # either side hung up: so does the other
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
