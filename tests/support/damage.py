"""What a wild pointer does to a file of a system."""

from __future__ import annotations

import os
import random

from actors import ActorSystem


def scribble(
    system: ActorSystem, name: str, seed: int, most: int | None = None
) -> None:
    """Write random bytes over the file *name* of *system*: over the first *most*, or all of them."""
    fd = os.open(system._opened().directory.path / name, os.O_RDWR)
    whole = os.fstat(fd).st_size
    size = whole if most is None else min(most, whole)
    os.pwrite(fd, random.Random(seed).randbytes(size), 0)
    os.close(fd)
