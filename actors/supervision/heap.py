"""Memory that processes share with those that they are copies of, for as long as they can: whoever writes to a page gets a copy of it."""

from __future__ import annotations

import gc

from actors.supervision import _heap


def share(*, collects: bool = True) -> None:
    """Have the copies of this process share what there is now, after a collection unless there is next to nothing to collect."""
    if collects:
        gc.collect()
    _heap.immortalize(gc.get_objects())  # no count of references is written to
    gc.freeze()  # and no collection touches it
