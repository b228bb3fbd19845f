"""Sending to the root what is to be started, an actor or a tree of specifications: what is said of each, and what actors are made of."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

import attrs

from actors import spawning
from actors.actor import Actor
from actors.errors import MailboxFullError
from actors.pending import Pending
from actors.ref import ActorRef
from actors.runtime.client import Client
from actors.runtime.lanes import ROOT
from actors.sibling import SiblingRef, packing
from actors.supervision.settings import ChildOptions, SupervisorOptions
from actors.supervision.spec import ChildSpec, Spec, SupervisorSpec
from actors.wire import parcel
from actors.wire.parcel import Parcel

A = TypeVar("A", bound=Actor)


def spawn(
    client: Client,
    settings: tuple[ChildOptions, SupervisorOptions],
    cls: type[A],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    **more: object,
) -> Pending[ActorRef[A]]:
    """Ask the root for a plain actor, one that is a group of its own; settled with its ref.

    Args:
        client: Of this process.
        settings: Of the actor, and of the supervisor that it would have.
        cls: Its class.
        args: For its ``__init__``.
        kwargs: Likewise.
        more: Facts that only some actors have: ``label``, for people in the place of a name, ``worker_index``, and ``shared``, the
            number of a mailbox that it takes from besides its own.

    Raises:
        NotSerializableError: The class or an argument cannot travel.
        MessageTooLargeError: The arguments are larger than the system takes.
        NoSpaceError: They are large, and shared memory has no room for them.
    """
    client.outgoing.drop_ended()  # their memory may be what the new one needs
    own, supervisor = settings
    facts = {
        "settings": attrs.asdict(own),
        "supervisor": attrs.asdict(supervisor),
        **spawning.facts_of(cls),
        **more,
    }
    return client.request(
        "spawn",
        facts,
        client.codec.encode((cls, args, kwargs)),
        ref_maker(client, cls),
        about=own.name or cls.__name__,
    )


def open_shared(
    client: Client,
    settings: tuple[ChildOptions, SupervisorOptions],
    cls: type[Actor],
    label: str,
) -> Pending[int]:
    """Ask the root for a mailbox that several actors of class *cls* will take from; settled with its number.

    A ref with that number reaches whoever of them is free. It ends with the last of them, and what is in it then is answered or
    becomes dead letters.

    Args:
        client: Of this process.
        settings: Of the actors: its transport and its bound are theirs.
        cls: Their class.
        label: For people.
    """
    facts = {
        "settings": attrs.asdict(settings[0]),
        "class_name": cls.__name__,
        "label": label,
    }
    number: Callable[[dict[str, Any]], int] = operator.itemgetter("number")
    return client.request("open_shared", facts, b"", number, about=label)


def forget_shared(client: Client, number: int) -> None:
    """Tell the root that no actor could be started that would take from the shared mailbox *number*, which else ends with the last."""
    # Without room for that, it stays until this process ends.
    with contextlib.suppress(MailboxFullError):
        client.notify_root("forget_shared", {"number": number})


def ref_maker(client: Client, cls: type[A]) -> Callable[[dict[str, Any]], ActorRef[A]]:
    """Return what makes a ref of the root's word about an actor of class *cls*."""
    path = str(client.directory.path)
    return lambda facts: ActorRef(client, path, facts["number"], facts["name"], cls)


def walk(spec: Spec) -> Iterator[Spec]:
    """Yield *spec* and all below it, each before its children."""
    yield spec
    if isinstance(spec, SupervisorSpec):
        yield from spec.walk()


def send(
    client: Client,
    operation: str,
    spec: Spec,
    convert: Callable[[dict[str, Any]], Any],
    facts: dict[str, Any] | None = None,
) -> Pending[Any]:
    """Ask the root for *operation* with the tree *spec*.

    Raises:
        NotSerializableError: A class or an argument cannot travel.
        MessageTooLargeError: The arguments of a child are larger than the system takes.
        NoSpaceError: They are large, and shared memory has no room for them.
    """
    actors = [each for each in walk(spec) if isinstance(each, ChildSpec)]
    client.outgoing.drop_ended()  # their memory may be what the new ones need
    places = frozenset(map(_place, actors))
    with contextlib.ExitStack() as undo:
        bodies = [_packed(client, each, places, undo) for each in actors]
        pieces = iter(bodies)
        pending = client.request(
            operation,
            {**(facts or {}), "tree": _described(spec, pieces)},
            b"".join(each.data for each in bodies),
            convert,
            about=spec.settings.id,
        )
        undo.pop_all()
    return pending


def known(
    spec: Spec, planted: Iterable[tuple[int, str]]
) -> dict[int, tuple[Spec, int, str]]:
    """Return what was made of the specifications of a tree, by their identity; each is held, so that it stays one."""
    return {
        id(each): (each, number, label)
        for each, (number, label) in zip(walk(spec), planted, strict=True)
    }


def _place(spec: ChildSpec[Any]) -> int:
    assert isinstance(spec.ref, SiblingRef)  # noqa: S101 - as it was made; for the checkers
    return spec.ref.place


@attrs.frozen
class _Packed:
    """What an actor is made of.

    Attributes:
        data: The pickle, or the parcel it is in.
        is_parcel: Which of them.
        siblings: The places of those whose refs are in there.
    """

    data: bytes
    is_parcel: bool
    siblings: list[int]


def _packed(
    client: Client,
    spec: ChildSpec[Any],
    places: AbstractSet[int],
    undo: contextlib.ExitStack,
) -> _Packed:
    """Return what an actor is made of, in a tree with *places*; *undo* takes it back."""
    with packing(places) as met:
        body = client.codec.encode((spec.cls, spec.args, spec.kwargs))
    if not isinstance(body, Parcel):
        return _Packed(body, is_parcel=False, siblings=[*met])
    sent = client.outgoing.parcel_for(ROOT, body)
    undo.callback(parcel.drop, sent, client.blobs)
    return _Packed(sent, is_parcel=True, siblings=[*met])


def _described(spec: Spec, pieces: Iterator[_Packed]) -> dict[str, Any]:
    facts: dict[str, Any] = {"settings": attrs.asdict(spec.settings)}
    if isinstance(spec, SupervisorSpec):
        facts["supervisor"] = attrs.asdict(spec.options)
        facts["children"] = [_described(child, pieces) for child in spec.children]
        return facts
    packed = next(pieces)
    facts |= {
        "size": len(packed.data),
        "is_parcel": packed.is_parcel,
        "place": _place(spec),
        "siblings": packed.siblings,
    }
    return facts | spawning.facts_of(spec.cls)
