from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import pytest

from actors.supervision.exports import Exports, Held
from actors.wire import frame, parcel
from actors.wire.frame import Header, Kind
from actors.wire.parcel import Parcel
from transports.blob import BlobStore

if TYPE_CHECKING:
    from actors.runtime.outgoing import Outgoing
    from actors.supervision.child import ActorChild
    from actors.supervision.settling import Settling

WRITER = "3.1"


@attrs.define(eq=False)
class Purged:
    """In the place of ``Settling``."""

    causes: list[str] = attrs.field(factory=list)

    def purged(self, _child: object, _header: Header, cause: str) -> None:
        self.causes.append(cause)


@attrs.define(eq=False)
class Bench:
    path: Path
    sender: BlobStore
    blobs: BlobStore
    settling: Purged
    exports: Exports

    def message(self) -> tuple[bytes, Header]:
        body = parcel.send(Parcel((bytes(200_000),)), self.sender, "7")
        data = frame.pack(Kind.TELL, b"keep", flags=frame.BLOB) + body
        return data, frame.read(data)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    fd = os.open(tmp_path, os.O_DIRECTORY)
    sender, blobs = BlobStore(fd, "5.1"), BlobStore(fd, "0.1")
    settling = Purged()
    exports = Exports(cast("Outgoing", None), blobs, cast("Settling", settling))
    yield Bench(tmp_path, sender, blobs, settling, exports)
    for store in (sender, blobs):
        store.close()
    os.close(fd)


def fill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be no room for the name of another claim."""

    def lend(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(BlobStore, "lend", lend)


def test_a_payload_that_cannot_be_held_is_not_and_nothing_of_it_is_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error ended the purge: all that had been taken out behind that message was lost, and nobody was told."""
    fill(monkeypatch)

    held = bench.exports.hold(*bench.message(), WRITER)

    assert held is None
    assert list(bench.path.iterdir()) == []


def test_a_message_that_cannot_go_back_is_a_dead_letter(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = bench.exports.hold(*bench.message(), WRITER)
    assert isinstance(held, Held)
    child = cast("ActorChild", attrs.make_class("Receiver", ["number"])(7))
    ticket = bench.exports.begin(child, WRITER, [held])
    fill(monkeypatch)

    bench.exports.end(ticket, is_written=False)

    assert bench.settling.causes == ["purged"]
    assert list(bench.path.iterdir()) == []
