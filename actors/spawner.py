"""Making actors, pools and supervisors with settings: what ``ActorSystem.options`` returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from actors import planting, spawning
from actors.actor import Actor
from actors.errors import OptionError
from actors.options import OptionKeywords, Options, check_names, refused
from actors.pending import Pending
from actors.pool.crew import Crew
from actors.pool.opening import open_pool
from actors.pool.pool import Pool
from actors.pool.settings import OF_POOLS, PoolKeywords
from actors.pool.settings import split as split_pool
from actors.ref import ActorRef
from actors.runtime.client import Client
from actors.settings import check_transport
from actors.supervision.settings import SpecKeywords, split
from actors.supervision.spec import OF_CHILDREN, OF_SUPERVISORS, Spec, SupervisorSpec
from actors.supervision.spec import options as describe
from actors.supervisors import SupervisorRef

A = TypeVar("A", bound=Actor)
P = ParamSpec("P")


PLAIN = Options()  # which most are spawned with
_SPLIT_PLAIN = split(PLAIN)


class SystemKeywords(SpecKeywords, PoolKeywords, total=False):
    """What ``ActorSystem.options`` takes."""


class Spawner:
    """Settings that have been checked, ready to make actors and supervisors."""

    def __init__(self, opened: Callable[[], Client], settings: SystemKeywords) -> None:
        """Check *settings* for actors of the system whose end in this process *opened* returns.

        Raises:
            OptionError: A setting is not acceptable.
        """
        _check(settings)
        self._opened = opened
        self._settings: dict[str, Any] = {**settings}

    def spawn(
        self, cls: Callable[P, A], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[ActorRef[A]]:
        """Start an actor with these settings; see ``ActorSystem.spawn``.

        Raises:
            OptionError: A setting is one of supervisors, or of supervised actors.
        """
        for name in self._settings.keys() - Options.names():
            raise _misplaced(name, self._settings[name])
        return spawn(self._opened, Options(**self._settings), cls, args, kwargs)

    def pool(
        self, cls: Callable[P, A], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[Pool[A]]:
        """Start workers of class *cls* with these settings; settled with the pool when all of them are ready.

        Args:
            cls: A subclass of ``Actor``.
            args: For the ``__init__`` of each; what is large is better shared: see ``ActorSystem.share``.
            kwargs: Likewise.

        Raises (when awaited):
            SpawnError: A worker did not become ready; the others are stopped.
            NotSerializableError: An argument cannot travel.
            MessageTooLargeError: The arguments are larger than the system takes.
            NoSpaceError: They are large, and shared memory has no room for them.
            SystemClosedError: The system is closing.
            SystemFailedError: It has ended by itself.

        Raises (at the call):
            OptionError: A setting is none of pools.
            TypeError: *cls* is no class of actors, or does not take these arguments.
        """
        own, worker, supervisor = split_pool(self._settings)
        checked = spawning.check(cls, args, kwargs)
        name = self._settings.get("name") or checked.__name__
        crew = Crew(
            self._opened(), name, (worker, supervisor), checked, (args, kwargs), own
        )
        return open_pool(crew, own)

    def supervise(self, *children: Spec) -> Pending[SupervisorRef]:
        """Start a supervisor of *children* with these settings; see ``ActorSystem.supervise``."""
        for name in self._settings.keys() & OF_POOLS:
            raise _misplaced(name, self._settings[name])
        settings = {"id": self._settings.get("name") or "supervisor", **self._settings}
        return _supervise(self._opened(), describe(**settings).supervisor(*children))


def spawn(
    opened: Callable[[], Client],
    options: Options,
    cls: Callable[..., A],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Pending[ActorRef[A]]:
    """Start an actor with *options*; see ``ActorSystem.spawn``."""
    checked = spawning.check(cls, args, kwargs)
    settings = _SPLIT_PLAIN if options is PLAIN else split(options)
    return planting.spawn(opened(), settings, checked, args, kwargs)


def _supervise(client: Client, spec: SupervisorSpec) -> Pending[SupervisorRef]:
    def started(facts: dict[str, Any]) -> SupervisorRef:
        known = planting.known(spec, facts["planted"])
        return SupervisorRef(client, facts["number"], facts["name"], known)

    return planting.send(client, "supervise", spec, started)


def _check(settings: SystemKeywords) -> None:
    """Check each of *settings*; which of them go together is seen when something is made with them.

    Raises:
        OptionError: One is not acceptable.
    """
    check_names(settings, Options.names() | OF_POOLS | OF_CHILDREN | OF_SUPERVISORS)
    if settings.keys() & OF_POOLS:
        split_pool(settings)
    elif (settings.keys() - Options.names()) & (OF_CHILDREN | OF_SUPERVISORS):
        describe(**cast("SpecKeywords", settings))
    else:
        Options.from_keywords(cast("OptionKeywords", settings))
    if (transport := settings.get("transport")) is not None:
        check_transport(transport)


def _misplaced(option: str, value: object) -> OptionError:
    if option in OF_POOLS:
        return refused(option, value, "an option of pools only; use pool")
    accepted = "an option of supervisors and their children only; use supervise"
    return refused(option, value, accepted)
