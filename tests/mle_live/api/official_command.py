"""The type of the `kaggle` fixture: runs the official command and hands back what it said."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

Kaggle = Callable[..., subprocess.CompletedProcess[str]]
