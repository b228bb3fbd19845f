"""Is imported in advance; knows by whom."""

from __future__ import annotations

import os

IMPORTED_BY = os.getpid()
