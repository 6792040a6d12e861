"""`python -m comind_tui` is `comind-tui`."""

import sys

from comind_tui.cli import main

if __name__ == "__main__":
    sys.exit(main())
