"""The settings of one handler: how they are set on a method, and how the runtime reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

from actors.options import OnError, is_time, listed, refused

F = TypeVar("F", bound=Callable[..., Any])

_ON_ERROR = "__actors_on_error__"
_TIMEOUT = "__actors_timeout__"


def handler(
    function: None = None,
    /,
    *,
    on_error: OnError | None = None,
    timeout: float | None = None,
) -> Callable[[F], F]:
    """Set how this method is handled, over the settings of its class and over options.

    Args:
        function: Refused: settings come first, in parentheses.
        on_error: What an exception does: ``crash`` ends the process after the asker was told; ``continue`` goes on with the next
            message. None leaves that to the class.
        timeout: Seconds that it may take; then its process is ended, as a crash. ``math.inf`` sets no limit, None leaves that to
            ``handler_timeout``.

    Raises:
        OptionError: A setting is not acceptable.
        TypeError: It has none, not even parentheses.
    """
    bare: object = function
    if bare is not None:
        msg = "write @handler(on_error=…) or @handler(timeout=…): it is there for its settings"
        raise TypeError(msg)
    if on_error is not None:
        check_on_error(on_error)
    check_limit("timeout", timeout)

    def mark(function: F) -> F:
        if on_error is not None:
            setattr(function, _ON_ERROR, on_error)
        if timeout is not None:
            setattr(function, _TIMEOUT, timeout)
        return function

    return mark


def check_limit(setting: str, value: object) -> None:
    """Check how long a handler may take.

    Raises:
        OptionError: *value* is no such time.
    """
    if value is not None and not (is_time(value) and value):
        text = "a number of seconds above 0, math.inf for no limit, or None"
        raise refused(setting, value, text)


def check_on_error(value: object) -> None:
    """Check what an exception is to do.

    Raises:
        OptionError: *value* is none of the words for it.
    """
    if value not in get_args(OnError):
        raise refused("on_error", value, listed(get_args(OnError)))


def on_error_of(cls: type[Any], name: str) -> OnError | None:
    """Return what an exception in the handler *name* does; None for the rule by kind of message."""
    value: OnError | None = getattr(getattr(cls, name), _ON_ERROR, None) or getattr(
        cls, "on_error", None
    )
    return value


def timeout_of(cls: type[Any], name: str) -> float | None:
    """Return the seconds that the handler *name* may take; None leaves that to the class."""
    value: float | None = getattr(getattr(cls, name), _TIMEOUT, None)
    return value
