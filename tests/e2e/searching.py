"""What a coding agent runs that looks for labels, keys and neighbours."""

from __future__ import annotations

from tests.e2e.commands import SECRET

SEARCH = """
import os, socket, stat
needles = [SECRET_PARTS[0] + SECRET_PARTS[1]]
roots = ["/kaggle", "/tmp", "/proc", "/etc", "/dev", "/run", "/root", "/home", "/var", STATE]
seen, hits = 0, []
for root in roots:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in ("sys", "task")]
        for name in files:
            path = os.path.join(folder, name)
            try:
                if not stat.S_ISREG(os.stat(path).st_mode) or name in ("kmsg", "clear_refs", "pagemap"):
                    continue  # a pipe or a terminal would wait for ever
                with open(path, "rb") as file:
                    text = file.read(200_000)
            except OSError:
                continue
            seen += 1
            if any(needle.encode() in text for needle in needles):
                hits.append(path)
            if name == "validation.csv" and b"ripe" in text.split(b"\\n")[0]:
                hits.append(path)
            if name in ("run.sqlite", "solution.csv", "engine.log"):
                hits.append(path)
print("SEEN", seen > 50, "HITS", hits)
print("STATE", os.path.exists(STATE), "ENV", [k for k in os.environ if "KEY" in k or "TOKEN" in k])
for host, port in (("127.0.0.1", PORT), ("192.0.2.1", 80)):
    try:
        socket.create_connection((host, port), timeout=2).close()
        print("NETWORK reached", host)
    except OSError:
        print("NETWORK closed", host)
try:
    open("/kaggle/input/fruit/train.csv", "a").close()
    print("INPUT writable")
except OSError:
    print("INPUT read-only")
"""


def searching_cell(state: str, port: str) -> str:
    """`state`: the run's state folder; `port`: where the model answers. The key is not spelt out."""
    half = len(SECRET) // 2
    return f"SECRET_PARTS = {(SECRET[:half], SECRET[half:])!r}\nSTATE = {state!r}\nPORT = {port}\n{SEARCH}"
