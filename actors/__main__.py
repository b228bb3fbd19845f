"""``python -m actors`` is the command ``actors``."""

from __future__ import annotations

import sys

from actors.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
