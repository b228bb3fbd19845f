"""Leaves garbage behind when it is imported, and something that is to be done at the end of the process."""

from __future__ import annotations

import os
import weakref


class _Knot:
    """Only a collection finds it."""

    def __init__(self) -> None:
        """Refer to itself."""
        self.knot = self


class _Kept:
    """Ends with the process."""


KNOT = weakref.ref(_Knot())
KEPT = _Kept()
weakref.finalize(KEPT, os.write, 2, b"the end of what was preloaded\n")
