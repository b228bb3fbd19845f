"""The settings of a system, checked where they are given."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

from actors.options import is_seconds, must, one_of, refused, whole
from actors.runtime import systems
from transports import registry
from transports.errors import EndpointError

Output = Literal["labelled", "inherit"]

DRAIN_SECONDS = 5.0
MIN_MAX_MESSAGE_BYTES = 2**20
IN_ONE_PROCESS = "memory"  # the one transport that does not reach another process

_RUNNING_NAME = re.compile(r"[a-z0-9_-]{1,32}(\.[0-9]{1,20})?")


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def check_running_name(name: object) -> None:
    """Check the name of a system that runs already.

    Raises:
        OptionError: No system can be called that.
    """
    if not _matches(_RUNNING_NAME, name):
        accepted = "the name of a running system, as 'actors ls' shows it, with or without its number"
        raise refused("name", name, accepted)


def check_transport(scheme: object) -> None:
    """Check the scheme of a transport.

    Raises:
        OptionError: Actors cannot use it, or there is none of that scheme.
    """
    try:
        if isinstance(scheme, str) and scheme != IN_ONE_PROCESS:
            registry.get(scheme)
            return
    except EndpointError as exc:
        if scheme in registry.schemes():  # of a package that has it wrong
            raise refused("transport", scheme, str(exc)) from exc
    usable = [repr(name) for name in registry.schemes() if name != IN_ONE_PROCESS]
    raise refused("transport", scheme, f"one of {', '.join(usable)}")


def _valid_transport(_: object, __: object, value: Any) -> None:  # noqa: ANN401 - attrs takes the type of the field from it
    check_transport(value)


def _valid_size(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:  # noqa: ANN401 - likewise
    whole(attribute.name, value, MIN_MAX_MESSAGE_BYTES)


def _directory(value: object) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str | Path):
        raise refused("directory", value, "a path, as str or Path")
    return Path(value)


def _modules(value: object) -> tuple[str, ...]:
    if (
        isinstance(value, str | bytes)
        or not isinstance(value, Sequence)
        or not all(map(_is_module, value))
    ):
        accepted = "a sequence of module names, such as ('numpy',)"
        raise refused("preload", value, accepted)
    return tuple(value)


def _is_module(name: object) -> bool:
    return isinstance(name, str) and all(
        part.isidentifier() for part in name.split(".")
    )


@attrs.frozen(kw_only=True)
class Settings:
    """How a system is opened; ``ActorSystem`` says what each of them means."""

    name: str = attrs.field(
        validator=must(
            lambda value: _matches(systems.SYSTEM, value),
            "1 to 32 characters out of a-z, 0-9, '_' and '-'",
        )
    )
    transport: str = attrs.field(validator=_valid_transport)
    directory: Path | None = attrs.field(converter=_directory)
    drain: float = attrs.field(
        validator=must(is_seconds, "a number of seconds, 0 or more")
    )
    max_message_bytes: int = attrs.field(validator=_valid_size)
    preload: tuple[str, ...] = attrs.field(converter=_modules)
    output: Output = attrs.field(validator=one_of(Output))

    @classmethod
    def names(cls) -> set[str]:
        """Return the settings there are."""
        return {field.name for field in attrs.fields(cls)}
