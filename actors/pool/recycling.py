"""When a worker is replaced by a fresh one, as a setting; the worker looks itself (``runtime.wear``), and the crew replaces it."""

from __future__ import annotations

import attrs

from actors.errors import OptionError
from actors.options import MIN_MEMORY_BYTES, is_seconds, is_whole, must


def _is_count(value: object) -> bool:
    return value is None or (is_whole(value) and 1 <= value < 2**63)


def _is_duration(value: object) -> bool:
    return value is None or (is_seconds(value) and value > 0)


def _is_size(value: object) -> bool:
    return value is None or (is_whole(value) and MIN_MEMORY_BYTES <= value < 2**62)


@attrs.frozen(kw_only=True)
class Recycle:
    """When a worker of a pool is replaced: the new one is ready before the old one takes its last message; no message is lost.

    Of several limits, the first that is reached counts. Workers are replaced one after the other, so for a moment a pool has one more.

    Attributes:
        after_messages: That it has handled; one ``map`` message may hold many items.
        after_seconds: Since it was ready.
        above_bytes: Of memory of its own (``RssAnon``), looked at while there is work.
    """

    after_messages: int | None = attrs.field(
        default=None, validator=must(_is_count, "a whole number, 1 or more, or None")
    )
    after_seconds: float | None = attrs.field(
        default=None,
        validator=must(_is_duration, "a number of seconds above 0, or None"),
    )
    above_bytes: int | None = attrs.field(
        default=None,
        validator=must(
            _is_size, f"a whole number of bytes, {MIN_MEMORY_BYTES} or more"
        ),
    )

    def __attrs_post_init__(self) -> None:
        """Refuse one that never comes.

        Raises:
            OptionError: There is no limit.
        """
        if not any(attrs.astuple(self)):
            msg = "Recycle(): one of after_messages, after_seconds and above_bytes"
            raise OptionError(msg)
