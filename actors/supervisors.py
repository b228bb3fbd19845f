"""Supervisors as a program sees them: what ``supervise`` returns.

Everything is asked of the root, which knows and decides; a supervisor that is restarting, stopped or busy answers like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

import attrs

from actors import planting
from actors.actor import Actor
from actors.exits import ExitReason
from actors.pending import Pending
from actors.ref import ActorRef
from actors.runtime.client import Client
from actors.supervision.spec import ChildSpec, Spec, SupervisorSpec
from actors.wire import reasons

A = TypeVar("A", bound=Actor)
T = TypeVar("T")


@attrs.frozen
class ChildState:
    """What a supervisor knows of a child.

    Attributes:
        id: What its supervisor calls it.
        name: Of its ref.
        phase: ``starting``, ``running``, ``stopping``, ``unkillable``, ``restarting``, ``stopped``, ``ended``, or ``ignored`` after it
            had stopped itself before it was ready.
        pid: Of its process, for information only; None without one.
        incarnation: How many processes it has had.
        is_supervisor: Whether it has children itself.
    """

    id: str
    name: str
    phase: str
    pid: int | None
    incarnation: int
    is_supervisor: bool


@attrs.frozen
class Counts:
    """How many children a supervisor has.

    Attributes:
        specs: Known ones.
        active: Running ones.
        workers: Actors, dead or alive.
        supervisors: Supervisors, dead or alive.
    """

    specs: int
    active: int
    workers: int
    supervisors: int


class SupervisorRef:
    """A supervisor that has been started, with its children.

    It stays valid when the supervisor is restarted, as the refs of its children do.
    """

    def __init__(
        self,
        client: Client,
        number: int,
        name: str,
        known: Mapping[int, tuple[Spec, int, str]],
    ) -> None:
        """Speak of supervisor *number*; *known* has what was made of which specification, by identity of the latter."""
        self._client = client
        self._number = number
        self._name = name
        self._known = dict(known)

    @property
    def name(self) -> str:
        """The supervisor's name; for one without its id and number."""
        return self._name

    def __repr__(self) -> str:
        return f"<SupervisorRef {self._name}>"

    @overload
    def ref(self, spec: ChildSpec[A]) -> ActorRef[A]: ...
    @overload
    def ref(self, spec: SupervisorSpec) -> SupervisorRef: ...
    def ref(self, spec: Spec) -> ActorRef[Any] | SupervisorRef:
        """Return the ref of the child, at any depth, that was started with *spec*.

        Raises:
            LookupError: None was.
        """
        if id(spec) not in self._known:
            name = getattr(getattr(spec, "settings", None), "id", spec)
            msg = f"spec={name!r}: {self!r} has started nothing with this specification"
            raise LookupError(msg)
        _, number, label = self._known[id(spec)]
        if isinstance(spec, SupervisorSpec):
            return SupervisorRef(self._client, number, label, self._known)
        path = str(self._client.directory.path)
        return ActorRef(self._client, path, number, label, spec.cls)

    # Children.

    def children(self) -> Pending[tuple[ChildState, ...]]:
        """Return what is known of the children, in start order.

        Raises (when awaited):
            ActorNotFoundError: The supervisor has ended for good.
        """
        return self._request(
            "children",
            lambda facts: tuple(ChildState(**child) for child in facts["children"]),
        )

    def counts(self) -> Pending[Counts]:
        """Return how many children there are.

        Raises (when awaited):
            As ``children``.
        """
        return self._request("children", _counted)

    @overload
    def start_child(self, spec: ChildSpec[A]) -> Pending[ActorRef[A]]: ...
    @overload
    def start_child(self, spec: SupervisorSpec) -> Pending[SupervisorRef]: ...
    def start_child(self, spec: Spec) -> Pending[Any]:
        """Start another child, behind all others; settled with its ref when it is ready.

        It lives until it ends, is deleted, or its supervisor does: one that the supervisor was not started with does not come back with it.

        Raises (when awaited):
            SpawnError: It did not become ready, and is not known to the supervisor.
            ChildError: The supervisor has a child of this id.
            NameTakenError: An actor of one of the names runs already.
            ActorNotFoundError: The supervisor has ended for good.
            SystemClosedError: The supervisor, or the system, is ending.

        Raises (at the call):
            OptionError: The child could end a supervisor that is never to end by itself.
            TypeError: *spec* is no specification.
            NotSerializableError: A class or an argument cannot travel.
        """

        def started(facts: dict[str, Any]) -> ActorRef[Any] | SupervisorRef:
            self._known |= planting.known(spec, facts["planted"])
            return self.ref(spec)

        return planting.send(
            self._client,
            "start_child",
            spec,
            started,
            {"supervisor": self._number},
        )

    def stop_child(self, child_id: str) -> Pending[None]:
        """Stop a child; settled when it has ended.

        It stays known and stopped, whatever happens to its siblings, until ``restart_child``; a temporary one is forgotten.

        Raises (when awaited):
            ChildError: There is no such child, or it is one of a pool.
            ActorNotFoundError: The supervisor has ended for good.
        """
        return self._on_child("stop_child", child_id)

    def restart_child(self, child_id: str) -> Pending[None]:
        """Start a child that was stopped or has ended, under its old ref; settled when it is ready.

        Raises (when awaited):
            SpawnError: It did not become ready, and is stopped.
            ChildError: There is no such child, it is one of a pool, it runs, or it restarts by itself.
            ActorNotFoundError: The supervisor has ended for good.
        """
        return self._on_child("restart_child", child_id)

    def delete_child(self, child_id: str) -> Pending[None]:
        """Forget a child that was stopped or has ended; its ref is dead for ever.

        Raises (when awaited):
            As ``restart_child``.
        """
        return self._on_child("delete_child", child_id)

    # Life.

    def stop(self) -> Pending[None]:
        """Stop all children in reverse start order, and the supervisor; settled when they are gone.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._request("stop", lambda _: None)

    def ended(self) -> Pending[ExitReason]:
        """Return the reason why the supervisor ended for good, on the way until it has.

        Raises (at the call, or when awaited):
            As ``stop``.
        """
        return self._request("ended", lambda facts: reasons.from_json(facts["reason"]))

    def _on_child(self, operation: str, child_id: str) -> Pending[None]:
        return self._request(operation, lambda _: None, id=child_id)

    def _request(
        self, operation: str, convert: Callable[[dict[str, Any]], T], **facts: object
    ) -> Pending[T]:
        told = {"number": self._number, **facts}
        return self._client.request(operation, told, convert=convert, about=self._name)


def _counted(facts: dict[str, Any]) -> Counts:
    children = [ChildState(**child) for child in facts["children"]]
    supervisors = sum(child.is_supervisor for child in children)
    return Counts(
        specs=1 if facts["is_pool"] else len(children),
        active=sum(child.phase == "running" for child in children),
        workers=len(children) - supervisors,
        supervisors=supervisors,
    )
