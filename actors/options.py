"""The settings of an actor, checked where they are given.

Settings come before the constructor's own arguments: ``system.options(name="counter").spawn(Counter, 10)``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import (
    Any,
    Literal,
    TypeAlias,
    TypedDict,
    TypeGuard,
    cast,
    get_args,
)

import attrs

from actors.errors import OptionError

RestartType = Literal["permanent", "transient", "temporary"]
OnError = Literal["crash", "continue"]
Validator: TypeAlias = "Callable[[object, attrs.Attribute[Any], Any], None]"

MAX_CONCURRENCY = 1024
_OF_THE_CLASS = ("concurrency", "on_error", "writable_buffers")
MIN_MAILBOX_BYTES, MAX_MAILBOX_BYTES = 4096, 1 << 30
# A few of the largest messages of most programs, far below the memory of most machines.
MAILBOX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES = 256 << 20, 1 << 40
_MAX_NAME = 200
MIN_MEMORY_BYTES = 2**24
MIN_OPEN_FILES = 16
MAX_DELIVERIES = 1000
CPUS = os.sysconf("SC_NPROCESSORS_CONF")


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether *value* is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_seconds(value: object) -> TypeGuard[float]:
    """Return whether *value* is a finite number of seconds, 0 or more."""
    return _is_number(value) and 0 <= value < math.inf


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, float) or is_whole(value)


def seconds(option: str, value: object) -> None:
    """Check a time in seconds.

    Raises:
        OptionError: Not a number, negative, or infinite.
    """
    if not is_seconds(value):
        raise refused(option, value, "a number of seconds, 0 or more")


def above_zero(option: str, value: object) -> None:
    """Check a time in seconds that cannot be 0.

    Raises:
        OptionError: Not a number, 0, negative, or infinite.
    """
    if not is_seconds(value) or not value:
        raise refused(option, value, "a number of seconds above 0")


def whole(option: str, value: object, least: int) -> None:
    """Check a whole number that is at least *least* and fits into 63 bits.

    Raises:
        OptionError: It is not.
    """
    if not is_whole(value) or not least <= value < 2**63:
        raise refused(option, value, f"a whole number, {least} or more")


def refused(option: str, value: object, accepted: str) -> OptionError:
    """Return the error that says what is *accepted* in the place of *value*."""
    return OptionError(f"{option}={value!r}: {accepted}")


def must(is_accepted: Callable[[object], bool], accepted: str) -> Validator:
    """Return a validator that says what is *accepted* when it refuses a value."""

    def validate(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not is_accepted(value):
            raise refused(attribute.name, value, accepted)

    return validate


def one_of(words: object) -> Validator:
    """Return a validator that accepts the values of *words*, a ``Literal``."""
    accepted = get_args(words)
    return must(lambda value: value in accepted, listed(accepted))


def listed(accepted: Iterable[object]) -> str:
    """Return how an error says that it takes one of a few values."""
    return f"one of {', '.join(map(repr, accepted))}"


def is_name(value: object) -> bool:
    """Return whether *value* can be an actor's name; None can, for an actor without one."""
    return value is None or (
        isinstance(value, str)
        and 1 <= len(value) <= _MAX_NAME
        and value.isprintable()
        and not value.isspace()
        and "/" not in value
    )


def _is_count(value: object) -> bool:
    return value == math.inf or (is_whole(value) and value >= 0)


def is_time(value: object) -> bool:
    """Return whether *value* is a number of seconds, 0 or more; infinity is one."""
    return _is_number(value) and value >= 0


def _is_size(value: object) -> bool:
    return value is None or (
        is_whole(value) and MIN_MAILBOX_BYTES <= value <= MAX_MAILBOX_BYTES
    )


valid_name = must(is_name, "1 to 200 printable characters without '/'")
valid_transport = must(
    lambda value: value is None or isinstance(value, str),
    "the scheme of a transport, such as 'shm' or 'unix'",
)
valid_restart = one_of(RestartType)
valid_count = must(_is_count, "a whole number of restarts, 0 or more, or math.inf")
valid_period = must(
    lambda value: is_seconds(value) and value > 0, "a number of seconds above 0"
)
valid_time = must(is_time, "a number of seconds, 0 or more, or math.inf")
valid_patience = must(
    lambda value: is_time(value) and value != 0,
    "a number of seconds above 0, or math.inf",
)
valid_limit = must(
    lambda value: value is None or (is_time(value) and value != 0),
    "a number of seconds above 0, math.inf for no limit, or None for that of the class",
)
valid_size = must(
    _is_size,
    f"a whole number of bytes from {MIN_MAILBOX_BYTES} to {MAX_MAILBOX_BYTES}",
)
valid_payload_size = must(
    lambda value: is_whole(value) and MIN_MAILBOX_BYTES <= value <= MAX_PAYLOAD_BYTES,
    f"a whole number of bytes from {MIN_MAILBOX_BYTES} to {MAX_PAYLOAD_BYTES}",
)


@attrs.frozen(kw_only=True)
class Heartbeat:
    """How a hung process is found out.

    Attributes:
        interval: Seconds between two signs of life.
        timeout: Seconds of silence after which it is ended.
    """

    interval: float = attrs.field(default=1.0, validator=valid_period)
    timeout: float = attrs.field(default=30.0, validator=valid_period)

    def __attrs_post_init__(self) -> None:
        """Refuse a timeout within which no sign of life could come.

        Raises:
            OptionError: *timeout* is not above *interval*.
        """
        if self.timeout <= self.interval:
            raise refused("timeout", self.timeout, f"above interval={self.interval!r}")


valid_heartbeat = must(
    lambda value: value is None or isinstance(value, Heartbeat), "a Heartbeat, or None"
)


@attrs.frozen
class Redeliver:
    """A message that the actor dies of goes to the next incarnation, so it may be handled more than once.

    Attributes:
        max_deliveries: After so many it is poison: a dead letter, kept in quarantine.
    """

    max_deliveries: int = attrs.field(
        validator=must(
            lambda value: is_whole(value) and 1 <= value <= MAX_DELIVERIES,
            f"a whole number from 1 to {MAX_DELIVERIES}",
        )
    )


OnCrash = Literal["drop"] | Redeliver
valid_on_crash = must(
    lambda value: value == "drop" or isinstance(value, Redeliver),
    "'drop', or Redeliver(max_deliveries)",
)


def check_names(keywords: Mapping[str, object], names: set[str]) -> None:
    """Refuse a keyword that is none of *names*.

    Raises:
        OptionError: There is no such option.
    """
    for name, value in keywords.items():
        if name in _OF_THE_CLASS:
            accepted = "no option, but an attribute of the actor's class"
            raise refused(name, value, accepted)
        if name not in names:
            raise refused(name, value, f"no such option; {_instead_of(name, names)}")


def _instead_of(name: str, names: set[str]) -> str:
    """Return which of *names* may have been meant, and which there are."""
    import difflib  # noqa: PLC0415 - takes milliseconds, and nobody else needs it

    found = difflib.get_close_matches(name, sorted(names), 1)
    listed_names = ", ".join(sorted(names))
    if found:
        return f"did you mean {found[0]}? There are {listed_names}"
    return f"there are {listed_names}"


def _cpus(value: Collection[int] | None) -> tuple[int, ...] | None:
    """Return a collection of CPU numbers in the one form that travels; anything else as it is, to be refused."""
    if isinstance(value, Collection) and all(is_whole(each) for each in value):
        return tuple(sorted({*value}))
    return cast("tuple[int, ...] | None", value)


def _are_cpus(value: object) -> bool:
    return value is None or (
        isinstance(value, tuple)
        and bool(value)
        and all(is_whole(each) and 0 <= each < CPUS for each in value)
    )


def _optional(least: int, most: int, unit: str) -> Validator:
    return must(
        lambda value: value is None or (is_whole(value) and least <= value <= most),
        f"a whole number of {unit} from {least} to {most}, or None",
    )


@attrs.frozen(kw_only=True)
class Resources:
    """What the kernel allows a process, and how it treats it; None leaves a setting as the system has it.

    Attributes:
        max_memory_bytes: Address space, as RLIMIT_AS: what goes beyond is a ``MemoryError``. Shared memory counts too.
        max_cpu_seconds: Processor time of one incarnation, as RLIMIT_CPU: then SIGXCPU ends it, as a crash.
        max_open_files: Open descriptors, as RLIMIT_NOFILE.
        nice: Priority, from -20 (first) to 19 (last); one below the system's own needs privileges.
        cpus: Numbers of the CPUs that it may run on.
    """

    max_memory_bytes: int | None = attrs.field(
        default=None, validator=_optional(MIN_MEMORY_BYTES, 2**62, "bytes")
    )
    max_cpu_seconds: int | None = attrs.field(
        default=None, validator=_optional(1, 2**31, "seconds")
    )
    max_open_files: int | None = attrs.field(
        default=None, validator=_optional(MIN_OPEN_FILES, 2**30, "descriptors")
    )
    nice: int | None = attrs.field(
        default=None,
        validator=must(
            lambda value: value is None or (is_whole(value) and -20 <= value <= 19),
            "a whole number from -20 to 19, or None",
        ),
    )
    cpus: tuple[int, ...] | None = attrs.field(
        default=None,
        converter=_cpus,
        validator=must(
            _are_cpus, f"a set of CPU numbers from 0 to {CPUS - 1}, or None"
        ),
    )

    def resources(self) -> dict[str, Any]:
        """Return the settings that are not left as they are."""
        names = (field.name for field in attrs.fields(Resources))
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


class ResourceKeywords(TypedDict, total=False):
    """What ``ActorRef.limit`` takes; see ``Resources`` for the meaning."""

    max_memory_bytes: int | None
    max_cpu_seconds: int | None
    max_open_files: int | None
    nice: int | None
    cpus: Collection[int] | None


@attrs.frozen(kw_only=True)
class Options(Resources):
    """How an actor is made, restarted and stopped.

    Attributes:
        name: Bound to the actor until it has ended for good; None for an actor that nobody looks up.
        transport: Scheme of its mailbox; None takes the system's.
        restart: ``permanent`` restarts it after every end, ``transient`` after crashes, ``temporary`` never.
        intensity: Restarts within *period* that are still put up with.
        period: Seconds.
        shutdown: Seconds between SIGTERM and SIGKILL; 0 sends both at once, ``math.inf`` waits.
        init_timeout: Seconds until ``__init__`` and ``on_start`` must have returned; ``math.inf`` waits.
        mailbox_bytes: Bound of the mailbox, 4 KiB to 1 GiB; None takes the transport's default. What the transport cannot do within it,
            a limit of the machine, say, is a ``SpawnError``.
        mailbox_payload_bytes: Bound of the payloads of large messages that wait for the mailbox's actor, outside of the mailbox, 4 KiB to
            1 TiB: a further one waits in its sender.
        heartbeat: How a process that does nothing at all is found out; None does not look.
        handler_timeout: Seconds that one handler may take; None leaves that to its class, ``math.inf`` sets no limit.
        on_crash: What becomes of the messages it dies of: ``"drop"``, or ``Redeliver``.

    And those of ``Resources``.
    """

    name: str | None = attrs.field(default=None, validator=valid_name)
    transport: str | None = attrs.field(default=None, validator=valid_transport)
    restart: RestartType = attrs.field(default="transient", validator=valid_restart)
    intensity: float = attrs.field(default=3, validator=valid_count)
    period: float = attrs.field(default=5.0, validator=valid_period)
    shutdown: float = attrs.field(default=5.0, validator=valid_time)
    init_timeout: float = attrs.field(default=30.0, validator=valid_patience)
    mailbox_bytes: int | None = attrs.field(default=None, validator=valid_size)
    mailbox_payload_bytes: int = attrs.field(
        default=MAILBOX_PAYLOAD_BYTES, validator=valid_payload_size
    )
    heartbeat: Heartbeat | None = attrs.field(default=None, validator=valid_heartbeat)
    handler_timeout: float | None = attrs.field(default=None, validator=valid_limit)
    on_crash: OnCrash = attrs.field(default="drop", validator=valid_on_crash)

    @classmethod
    def from_keywords(cls, keywords: OptionKeywords) -> Options:
        """Return checked options.

        Raises:
            OptionError: There is no such option, or its value is not acceptable.
        """
        check_names(keywords, cls.names())
        return cls(**keywords)

    @classmethod
    def names(cls) -> set[str]:
        """Return the options there are."""
        return {field.name for field in attrs.fields(cls)}


class OptionKeywords(ResourceKeywords, total=False):
    """What ``options`` takes; see ``Options`` for the meaning."""

    name: str | None
    transport: str | None
    restart: RestartType
    intensity: float
    period: float
    shutdown: float
    init_timeout: float
    mailbox_bytes: int | None
    mailbox_payload_bytes: int
    heartbeat: Heartbeat | None
    handler_timeout: float | None
    on_crash: OnCrash
