"""`python -m mle_live` is the `mle-live` command."""

from __future__ import annotations

import sys

from mle_live.cli import main

if __name__ == "__main__":
    sys.exit(main())
