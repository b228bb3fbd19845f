"""Which worker takes a message, where each has a mailbox of its own.

Pure: a router looks at the workers and at the arguments of the message, and names one of them.
What a router remembers is its own: a pool has one for itself.

Source: highest random weight (rendezvous) hashing for keys; Thaler and Ravishankar, "Using name-based mappings to increase hit rates",
1998. When a worker comes or goes, only the keys that it gets or had change their worker.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import attrs

from actors.options import must

Key: TypeAlias = "str | bytes | int | tuple[Key, ...]"
MAX_KEYS = 100_000  # whose workers are remembered
_64_BITS = 2**64 - 1


class Load(Protocol):
    """A worker, as a router sees it."""

    @property
    def index(self) -> int:
        """Its place in the pool; kept over restarts, and by the worker that takes over from it."""
        ...

    @property
    def outstanding(self) -> int:
        """How many asks this process waits for it to answer."""
        ...


W = TypeVar("W", bound=Load)
Router: TypeAlias = Callable[[Sequence[W], tuple[Any, ...], Mapping[str, Any]], W]


def first_argument(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever a message is made of
    """Return what a message is about: its first argument.

    Raises:
        TypeError: It has none.
    """
    for value in (*args, *kwargs.values()):
        return value
    msg = "a message without arguments has no key: give HashBy a function that returns one"
    raise TypeError(msg)


@attrs.frozen
class HashBy:
    """Routing by key: messages with one key go to one worker, in order, over restarts and as the pool grows and shrinks.

    When the size changes, one key in *size* moves to another worker, and no message of it is handled before those that went to the old one.

    Attributes:
        key: Called with the arguments of a message, returns its key: a string, bytes, a whole number, or a tuple of such. By default the
            first argument is the key.
    """

    key: Callable[..., Key] = attrs.field(
        default=first_argument,
        validator=must(callable, "a function of a message's arguments"),
    )


class RoundRobin:
    """One after the other."""

    def __init__(self) -> None:
        self._turns = itertools.count()

    def __call__(
        self, workers: Sequence[W], _args: tuple[Any, ...], _kwargs: Mapping[str, Any]
    ) -> W:
        """Return the next."""
        return workers[next(self._turns) % len(workers)]


class LeastLoaded:
    """The one with the fewest asks outstanding; of several, the one whose turn it is."""

    def __init__(self) -> None:
        self._turns = itertools.count()

    def __call__(
        self, workers: Sequence[W], _args: tuple[Any, ...], _kwargs: Mapping[str, Any]
    ) -> W:
        """Return it."""
        first = next(self._turns) % len(workers)
        found = workers[first]
        least = found.outstanding
        for worker in workers:
            if worker.outstanding < least:
                found, least = worker, worker.outstanding
        return found


class ByKey:
    """The worker of the message's key."""

    def __init__(self, settings: HashBy) -> None:
        self._key = settings.key
        self._known: dict[Key, int] = {}  # places among the workers below
        self._workers: Sequence[Load] = ()

    def __call__(
        self, workers: Sequence[W], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> W:
        """Return it.

        Raises:
            TypeError: The key is of a type that has no lasting hash.
        """
        key = self._key(*args, **kwargs)
        if workers is not self._workers or len(self._known) >= MAX_KEYS:
            self._known = {}
            self._workers = workers
        place = self._known.get(key)
        if place is None:
            place = place_of(key, [worker.index for worker in workers])
            self._known[key] = place
        return workers[place]


def place_of(key: Key, indexes: Sequence[int]) -> int:
    """Return which of the workers with *indexes* has *key*: its place among them.

    Raises:
        TypeError: The key is of a type that has no lasting hash.
    """
    _check_key(key)
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    seed = int.from_bytes(digest, "little")
    weights = [_mixed(seed ^ _mixed(index + 1)) for index in indexes]
    return weights.index(max(weights))


def _check_key(key: object) -> None:
    if isinstance(key, tuple):
        for part in key:
            _check_key(part)
    elif not isinstance(key, str | bytes | int):
        # Others have a hash or a text that differs from process to process, or none.
        msg = f"the key {key!r}: a string, bytes, a whole number, or a tuple of such"
        raise TypeError(msg)


def _mixed(value: int) -> int:
    """Spread *value* over 64 bits; the last step of splitmix64 (Steele, Lea and Flood, 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & _64_BITS
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _64_BITS
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _64_BITS
    return value ^ (value >> 31)


class Chosen:
    """What a function of the user's chooses, checked."""

    def __init__(self, choose: Callable[..., Any]) -> None:
        self._choose = choose

    def __call__(
        self, workers: Sequence[W], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> W:
        """Return it.

        Raises:
            TypeError: It is none of the workers.
        """
        found = self._choose(workers, args, kwargs)
        for worker in workers:
            if found is worker:
                return worker
        msg = f"routing: {self._choose!r} returned {found!r}, which is none of the workers it was given"
        raise TypeError(msg)


Routing: TypeAlias = (
    Literal["shared", "round_robin", "least_loaded"]
    | HashBy
    | Callable[[Sequence[Load], tuple[Any, ...], Mapping[str, Any]], Load]
)
NAMES = ("shared", "round_robin", "least_loaded")


def is_routing(value: object) -> bool:
    """Return whether *value* says how to route."""
    return (
        value in NAMES
        if isinstance(value, str)
        else isinstance(value, HashBy)
        or (callable(value) and not isinstance(value, type))  # HashBy without ()
    )


def router(routing: Routing) -> Router[Any]:
    """Return what routes as *routing* says."""
    if routing == "round_robin":
        return RoundRobin()
    if isinstance(routing, HashBy):
        return ByKey(routing)
    if callable(routing):
        return Chosen(routing)
    return LeastLoaded()
