"""What an executor is made of."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import attrs

from actors.options import Options, is_whole, refused, whole

MAILBOX_BYTES = 64 * 1024  # one call at a time; large ones are blobs


@attrs.frozen
class Settings:
    """The settings of one executor, checked.

    Attributes:
        max_workers: How many processes work at once.
        initializer: Is called once in each, before its first call; None for nothing.
        initargs: Its arguments.
        max_tasks_per_child: Calls after which a worker is replaced; None for never.
        options: Of the workers.
    """

    max_workers: int
    initializer: Callable[..., object] | None
    initargs: tuple[Any, ...]
    max_tasks_per_child: int | None
    options: Options


def count_of(max_workers: object) -> int:
    """Return how many workers *max_workers* means.

    Raises:
        OptionError: It is no such number.
    """
    if max_workers is None:
        return len(os.sched_getaffinity(0))
    if not is_whole(max_workers) or max_workers < 1:
        accepted = "max_workers must be greater than 0, and a whole number; None for one per CPU"
        raise refused("max_workers", max_workers, accepted)
    return max_workers


def tasks_of(count: int | None) -> int | None:
    """Check after how many calls a worker is replaced.

    Raises:
        OptionError: *count* is no such number.
    """
    if count is not None:
        whole("max_tasks_per_child", count, 1)
    return count
