"""The settings of a pool, checked where they are given."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, TypedDict

import attrs

from actors.options import is_whole, must, refused
from actors.pool.autoscale import Autoscale
from actors.pool.recycling import Recycle
from actors.pool.routing import Routing, is_routing
from actors.supervision.backoff import Backoff
from actors.supervision.settings import ChildOptions, SupervisorOptions

MAX_SIZE = 1024
MAX_SHARING = 250  # workers of one mailbox
# A worker that dies is replaced at once; one that does nothing but die, ever more slowly, and some seconds later no more.
_DEFAULTS: Mapping[str, Any] = {
    "restart": "permanent",
    "intensity": math.inf,
    "backoff": Backoff(min=0.001, max=1.0, reset_after=0.05),
    "max_in_a_row": 20,
}
_OF_SUPERVISORS = ("intensity", "period")
_OF_TREES = ("id", "significant")


@attrs.frozen(kw_only=True)
class PoolOptions:
    """How a pool is made.

    Attributes:
        size: How many workers it begins with; as many as this process may use CPUs, unless said otherwise.
        routing: Who takes a message: ``"shared"``, whoever is free, out of one mailbox; or, where each worker has its own, ``"round_robin"``, ``"least_loaded"``, ``HashBy``, or a function of the workers, the arguments and
            the keyword arguments of a message that returns one of the workers.

        recycle: When a worker is replaced by a fresh one; None for never.
        autoscale: How it grows and shrinks by itself; None leaves that to ``resize``.

    And those of ``ChildOptions`` but ``id`` and ``significant``, and ``intensity`` and ``period``, for each worker; *name* is the pool's.
    A worker is restarted after every end: at once after a life of 0.05 s, then with growing delays up to a second, and no more
    after 20 short lives in a row.
    """

    size: int = attrs.field(factory=lambda: len(os.sched_getaffinity(0)))
    routing: Routing = attrs.field(
        default="shared",
        validator=must(
            is_routing,
            "'shared', 'round_robin', 'least_loaded', a HashBy, or a function that chooses a worker",
        ),
    )
    recycle: Recycle | None = attrs.field(
        default=None,
        validator=must(
            lambda value: value is None or isinstance(value, Recycle),
            "a Recycle, or None",
        ),
    )
    autoscale: Autoscale | None = attrs.field(
        default=None,
        validator=must(
            lambda value: value is None or isinstance(value, Autoscale),
            "an Autoscale, or None",
        ),
    )

    @property
    def max_size(self) -> int:
        """How many workers it may have."""
        return MAX_SHARING if self.routing == "shared" else MAX_SIZE

    def __attrs_post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            OptionError: *size* is not in the range of *autoscale*, or so many cannot share a mailbox.
        """
        self.check_size(self.size)

    def check_size(self, size: object) -> None:
        """Refuse a size that the pool may not have.

        Raises:
            OptionError: It is none.
        """
        most = self.max_size
        if not is_whole(size) or not 1 <= size <= most:
            raise refused("size", size, f"a whole number of workers from 1 to {most}")
        if self.autoscale is not None:
            self.autoscale.check_size(size)


class PoolKeywords(TypedDict, total=False):
    """What ``options`` takes for a pool; see ``PoolOptions`` for the meaning."""

    size: int
    routing: Routing
    recycle: Recycle | None
    autoscale: Autoscale | None


OF_POOLS = frozenset(field.name for field in attrs.fields(PoolOptions))


def split(
    keywords: Mapping[str, Any],
) -> tuple[PoolOptions, ChildOptions, SupervisorOptions]:
    """Return the settings of a pool, of each worker, and of the supervisor that each would have.

    Raises:
        OptionError: One is not acceptable, or none of a pool.
    """
    given = {**_DEFAULTS, **keywords}
    own = {name: given.pop(name) for name in OF_POOLS & given.keys()}
    above = {name: given.pop(name) for name in _OF_SUPERVISORS if name in given}
    accepted = {field.name for field in attrs.fields(ChildOptions)}.difference(
        _OF_TREES
    )
    for name in given.keys() - accepted:
        raise refused(
            name, given[name], "an option of supervised actors, not of a pool"
        )
    worker = ChildOptions(**{**given, "id": "worker", "name": None})
    return PoolOptions(**own), worker, SupervisorOptions(**above)
