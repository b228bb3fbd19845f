"""What a supervisor is made of: specifications of its children, checked when they are made.

Values: nothing runs because of them, and nothing in them changes when something does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar, Unpack

import attrs

from actors import spawning
from actors.actor import Actor
from actors.errors import OptionError
from actors.options import check_names, refused
from actors.ref import ActorRef
from actors.sibling import SiblingRef
from actors.supervision.settings import (
    SUPERVISOR_DEFAULTS,
    WORKERS_ONLY,
    ChildOptions,
    SpecKeywords,
    SupervisorOptions,
)

A = TypeVar("A", bound=Actor)
A_co = TypeVar("A_co", bound=Actor, covariant=True)
P = ParamSpec("P")

OF_CHILDREN = {field.name for field in attrs.fields(ChildOptions)}
OF_SUPERVISORS = {field.name for field in attrs.fields(SupervisorOptions)}


@attrs.frozen(eq=False)
class ChildSpec(Generic[A_co]):
    """An actor that a supervisor starts and looks after.

    Attributes:
        settings: How it is made, restarted and stopped.
        cls: Its class.
        args: For its ``__init__``, at every start.
        kwargs: Likewise.
        ref: Its ref, for the constructors of others in the same tree.
    """

    settings: ChildOptions
    cls: type[A_co]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    ref: ActorRef[A_co] = attrs.field(
        init=False,
        default=attrs.Factory(
            lambda self: SiblingRef.of(self.settings.id, self.cls), takes_self=True
        ),
    )


@attrs.frozen(eq=False)
class SupervisorSpec:
    """A supervisor with its children.

    Attributes:
        options: What it does about its children.
        settings: How it is restarted and stopped itself.
        children: In start order.
    """

    options: SupervisorOptions
    settings: ChildOptions
    children: tuple[Spec, ...]

    def __attrs_post_init__(self) -> None:
        """Refuse children that do not go together.

        Raises:
            OptionError: Two have one id, one could end a supervisor that is never to end by itself, or a pool has children already.
            TypeError: One is no specification.
        """
        for child in self.children:
            _check_child(child, self.options)
        if self.children and self.options.strategy == "pool":
            raise refused("strategy", "pool", "a pool starts without children")
        _check_unique("id", (child.settings.id for child in self.children))
        _check_unique("name", (name for name in self.names() if name is not None))
        _check_unique("spec", (id(spec) for spec in self.walk()))

    def walk(self) -> Iterator[Spec]:
        """Yield all specifications below this one, in start order."""
        for child in self.children:
            yield child
            if isinstance(child, SupervisorSpec):
                yield from child.walk()

    def names(self) -> Iterator[str | None]:
        """Yield the names that are to be bound."""
        return (spec.settings.name for spec in self.walk())


Spec: TypeAlias = ChildSpec[Any] | SupervisorSpec


class SpecMaker:
    """Settings, ready to describe children and supervisors."""

    def __init__(self, keywords: SpecKeywords) -> None:
        self._keywords: dict[str, Any] = {**keywords}

    def child(
        self, cls: Callable[P, A], /, *args: P.args, **kwargs: P.kwargs
    ) -> ChildSpec[A]:
        """Describe an actor with these settings.

        Args:
            cls: A subclass of ``Actor``.
            args: For its ``__init__``; refs of siblings are welcome: ``load.ref``.
            kwargs: Likewise.

        Raises:
            OptionError: A setting is one of supervisors.
            TypeError: *cls* is not a subclass of ``Actor``, or the arguments do not fit its ``__init__``.
        """
        for name in self._keywords.keys() & OF_SUPERVISORS:
            raise refused(name, self._keywords[name], "an option of supervisors only")
        actor = spawning.check(cls, args, kwargs)
        return ChildSpec(ChildOptions(**self._keywords), actor, args, kwargs)

    def supervisor(self, *children: Spec) -> SupervisorSpec:
        """Describe a supervisor of *children* that is to be a child itself.

        Args:
            children: In start order.

        Raises:
            OptionError: A setting is one of actors only, or the children do not go together.
            TypeError: One of them is no specification.
        """
        for name in self._keywords.keys() & WORKERS_ONLY:
            raise refused(name, self._keywords[name], "an option of actors only")
        own, as_child = _split({**SUPERVISOR_DEFAULTS, **self._keywords})
        return SupervisorSpec(
            SupervisorOptions(**own), ChildOptions(**as_child), children
        )


def options(**settings: Unpack[SpecKeywords]) -> SpecMaker:
    """Return a way to describe children and supervisors; see ``ChildOptions`` and ``SupervisorOptions`` for what there is.

    Nothing is started: ``options(name="load").child(Load, url)`` is for a supervisor.

    Raises:
        OptionError: There is no such setting, or its value is not acceptable.
    """
    check_names(settings, OF_CHILDREN | OF_SUPERVISORS)
    own, as_child = _split({**settings})
    SupervisorOptions(**own)
    ChildOptions(**{"id": "unnamed", **as_child})
    return SpecMaker(settings)


def _split(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    own = {name: settings[name] for name in settings.keys() & OF_SUPERVISORS}
    return own, {name: settings[name] for name in settings.keys() - OF_SUPERVISORS}


def _check_child(child: object, options: SupervisorOptions) -> None:
    if not isinstance(child, ChildSpec | SupervisorSpec):
        msg = f"children: {child!r} is no specification; write options(name=…).child({getattr(child, '__name__', 'Class')}, …)"
        raise TypeError(msg)
    settings = child.settings
    if settings.significant and options.auto_shutdown == "never":
        msg = f"child {settings.id!r}: significant=True: only under a supervisor with auto_shutdown='any_significant' or 'all_significant'"
        raise OptionError(msg)


def _check_unique(what: str, values: Iterable[object]) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            if what == "spec":
                raise OptionError("children: a specification has one place in a tree")
            raise refused(what, value, f"{count} children have it, and one may")
