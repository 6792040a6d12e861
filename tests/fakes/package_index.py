"""A package index of a folder of wheels (PEP 503) on loopback, over TLS, and pip set up to know no other."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.loopback import Loopback

SECRET = "secret-word-1"
"""The password in pip's address of the index."""
SETTINGS = ("EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "CONSTRAINT", "TRUSTED_HOST", "DEFAULT_TIMEOUT")


class _Pages(BaseHTTPRequestHandler):
    served: Any

    def do_GET(self) -> None:
        name = self.path.strip("/").rpartition("/")[2]
        wheels = sorted(self.served.folder.glob(f"{name}-*.whl"))
        if self.path.endswith(".whl"):
            content = (self.served.folder / name).read_bytes()
        else:
            content = "".join(f'<a href="/files/{one.name}">{one.name}</a>\n' for one in wheels).encode()
        self.send_response(200 if content else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class _Index(Loopback):
    handler = _Pages

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def speak_tls(self, context: ssl.SSLContext) -> int:
        """From now on; the port."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        return int(self._server.server_address[1])


def certificate(folder: Path) -> Path:
    """Of the host `localhost`, with its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl here to make a certificate with")
    key, made = folder / "key.pem", folder / "made.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    more = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(made)]
    subprocess.run([program, *words.split(), *more], check=True, capture_output=True)
    return made


@contextmanager
def package_index(wheels: Path, folder: Path) -> Iterator[int]:
    """The port, while pip of this process's environment knows this index alone."""
    made = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, folder / "key.pem")
    with _Index(wheels) as index, pytest.MonkeyPatch.context() as patched:
        port = index.speak_tls(context)
        for name in SETTINGS:
            patched.delenv(f"PIP_{name}", raising=False)
        patched.setenv("PIP_CONFIG_FILE", os.devnull)
        patched.setenv("PIP_INDEX_URL", f"https://somebody:{SECRET}@localhost:{port}/simple")
        patched.setenv("PIP_CERT", str(made))
        yield port
