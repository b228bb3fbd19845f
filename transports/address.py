"""Addresses of mailboxes as text: ``shm:/dev/shm/actors-1000/shop.1/17.mail``."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import attrs

from transports.errors import EndpointError
from transports.files import check_name

_SCHEME = re.compile(r"[a-z][a-z0-9]{0,7}")


@attrs.frozen
class Address:
    """Where a mailbox is.

    Attributes:
        scheme: Of its transport; at most 8 lower-case letters and digits.
        directory: The absolute path it lives in.
        name: Its file name there.
    """

    scheme: str
    directory: str
    name: str

    def __attrs_post_init__(self) -> None:
        """Check the parts.

        Raises:
            EndpointError: One of them cannot be used.
        """
        if not _SCHEME.fullmatch(self.scheme):
            msg = f"not a scheme of a transport: {self.scheme!r}"
            raise EndpointError(msg)
        if not self.directory.startswith("/") or "\0" in self.directory:
            msg = f"a mailbox's directory is an absolute path, not {self.directory!r}"
            raise EndpointError(msg)
        check_name(self.name)

    @classmethod
    def from_text(cls, text: str) -> Address:
        """Read ``scheme:/directory/name``.

        Raises:
            EndpointError: *text* is something else.
        """
        scheme, colon, path = text.partition(":")
        if not colon:
            msg = f"an address looks like shm:/directory/name, not {text!r}"
            raise EndpointError(msg)
        if path.endswith("/"):
            msg = f"an address ends with the mailbox's name: {text!r}"
            raise EndpointError(msg)
        pure = PurePosixPath(path)
        return cls(scheme, str(pure.parent), pure.name)

    def to_text(self) -> str:
        """Return what ``from_text`` reads."""
        return f"{self.scheme}:{PurePosixPath(self.directory, self.name)}"
