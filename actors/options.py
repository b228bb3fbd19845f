"""The settings of an actor, checked where they are given.

Settings come before the constructor's own arguments: ``system.options(name="counter").spawn(Counter, 10)``.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal, TypedDict, get_args

import attrs

from actors.errors import OptionError

RestartType = Literal["permanent", "transient", "temporary"]
OnError = Literal["crash", "continue"]

MAX_CONCURRENCY = 1024
_NAME = re.compile(r"[^\x00-\x1f\x7f/]{1,200}")


def _check(ok: bool, option: str, value: object, accepted: str) -> None:  # noqa: FBT001 - a condition
    if not ok:
        msg = f"{option}={value!r}: {accepted}"
        raise OptionError(msg)


def _is_number(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and not math.isnan(value)
    )


def seconds(option: str, value: object, *, infinite: bool = False) -> None:
    """Check a time in seconds.

    Raises:
        OptionError: Not a number, negative, or infinite where that makes no sense.
    """
    accepted = "a number of seconds, 0 or more" + (", or math.inf" if infinite else "")
    _check(
        _is_number(value) and value >= 0 and (infinite or value != math.inf),
        option,
        value,
        accepted,
    )  # type: ignore[operator]


def _valid_name(_: object, __: object, value: object) -> None:
    ok = value is None or (
        isinstance(value, str) and _NAME.fullmatch(value) is not None
    )
    _check(ok, "name", value, "1 to 200 printable characters without '/'")


def _valid_restart(_: object, __: object, value: object) -> None:
    _check(
        value in get_args(RestartType),
        "restart",
        value,
        "one of " + ", ".join(map(repr, get_args(RestartType))),
    )


def _valid_intensity(_: object, __: object, value: object) -> None:
    ok = value == math.inf or (
        isinstance(value, int) and not isinstance(value, bool) and value >= 0
    )
    _check(ok, "intensity", value, "a whole number of restarts, 0 or more, or math.inf")


def _valid_period(_: object, __: object, value: object) -> None:
    _check(
        _is_number(value) and 0 < value < math.inf,
        "period",
        value,
        "a number of seconds above 0",
    )  # type: ignore[operator]


def _valid_seconds(_: object, attribute: Any, value: object) -> None:  # noqa: ANN401 - attrs' own type
    seconds(attribute.name, value, infinite=True)


def _valid_transport(_: object, __: object, value: object) -> None:
    _check(
        value is None or isinstance(value, str),
        "transport",
        value,
        "the scheme of a transport, such as 'shm' or 'unix'",
    )


def _valid_size(_: object, __: object, value: object) -> None:
    ok = value is None or (
        isinstance(value, int) and not isinstance(value, bool) and value > 0
    )
    _check(ok, "mailbox_bytes", value, "a whole number of bytes above 0")


@attrs.frozen(kw_only=True)
class Options:
    """How an actor is made, restarted and stopped.

    Attributes:
        name: Bound to the actor until it has ended for good; None for an actor that nobody looks up.
        transport: Scheme of its mailbox; None takes the system's.
        restart: ``permanent`` restarts it after every end, ``transient`` after crashes, ``temporary`` never.
        intensity: Restarts within *period* that are still put up with.
        period: Seconds.
        shutdown: Seconds between SIGTERM and SIGKILL; 0 sends both at once, ``math.inf`` waits.
        init_timeout: Seconds until ``__init__`` and ``on_start`` must have returned.
        mailbox_bytes: Bound of the mailbox; None takes the transport's default.
    """

    name: str | None = attrs.field(default=None, validator=_valid_name)
    transport: str | None = attrs.field(default=None, validator=_valid_transport)
    restart: RestartType = attrs.field(default="transient", validator=_valid_restart)
    intensity: float = attrs.field(default=3, validator=_valid_intensity)
    period: float = attrs.field(default=5.0, validator=_valid_period)
    shutdown: float = attrs.field(default=5.0, validator=_valid_seconds)
    init_timeout: float = attrs.field(default=30.0, validator=_valid_seconds)
    mailbox_bytes: int | None = attrs.field(default=None, validator=_valid_size)

    @classmethod
    def from_keywords(cls, keywords: OptionKeywords) -> Options:
        """Return checked options.

        Raises:
            OptionError: There is no such option, or its value is not acceptable.
        """
        known = {field.name for field in attrs.fields(cls)}
        unknown = sorted(keywords.keys() - known)
        _check(
            not unknown,
            unknown[0] if unknown else "",
            "…",
            f"no such option; there are {', '.join(sorted(known))}",
        )
        return cls(**keywords)


class OptionKeywords(TypedDict, total=False):
    """What ``options`` takes; see ``Options`` for the meaning."""

    name: str | None
    transport: str | None
    restart: RestartType
    intensity: float
    period: float
    shutdown: float
    init_timeout: float
    mailbox_bytes: int | None
