"""The requests of the processes of one system: each is read, and given to whom it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.runtime import requests
from actors.runtime.client import MAIN
from actors.supervision.child import Asker, Handle
from actors.supervision.console import Console
from actors.supervision.events import Events
from actors.supervision.lifecycle import Lifecycle
from actors.supervision.preload import Preloaded
from actors.wire import frame, parcel, reasons
from actors.wire.frame import Header, Kind
from transports.blob import BlobStore

MAX_TEXT = 500  # characters of why a request could not be carried out


class Desk:
    """Where requests are taken."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        events: Events,
        console: Console,
        preloaded: Preloaded,
        blobs: BlobStore,
    ) -> None:
        """Carry out those that concern nobody in particular.

        Args:
            lifecycle: The children.
            events: Are subscribed to.
            console: Shows bars.
            preloaded: What the program that starts the system is told of.
            blobs: Of this process.
        """
        self._lifecycle = lifecycle
        self._events = events
        self._console = console
        self._preloaded = preloaded
        self._blobs = blobs
        self._handles: dict[str, Handle] = {
            "hello": self._on_hello,
            "rouse": self._on_rouse,
            "ready": self._on_ready,
            "leaving": self._on_leaving,
            "damaged": self._on_damaged,
            "subscribe": self._on_subscribe,
            "acknowledge": self._on_acknowledge,
            "bar": self._on_bar,
        }

    def employ(self, *handles: Mapping[str, Handle]) -> None:
        """Let requests be carried out by those that have *handles* for them, by operation."""
        for each in handles:
            self._handles.update(each)

    def take(self, data: bytes) -> None:
        """Have the request in the frame *data* carried out; one that cannot be is refused, whatever is in it."""
        try:
            header = frame.read(data)
        except frame.FrameError as exc:
            self._events.warn("request_refused", error=str(exc))
            return
        try:
            self._handle(header, data[header.body_at :])
            self._lifecycle.decide()  # the next request finds it under way
        except Exception as exc:  # noqa: BLE001 - one request, whatever is in it, must not bring the tree down
            self._events.warn(
                "request_refused",
                sender=header.sender,
                request=header.method,
                error=repr(exc),
            )
            if header.lane:
                text = f"{header.method}: the root supervisor could not do it: {exc!r}"
                self._lifecycle.askers.refuse(
                    (header.lane, header.corr), "refused", text=text[:MAX_TEXT]
                )

    def _handle(self, header: Header, body: bytes) -> None:
        if header.flags & frame.BLOB:
            body = bytes(parcel.receive(body, self._blobs).data)
        facts, payload = requests.unpack(body)
        handle = self._handles[header.method]
        handle((header.lane, header.corr), header.sender, facts, payload)

    # Those that concern nobody in particular.

    def _on_hello(
        self, asker: Asker, _sender: int, _facts: dict[str, Any], _payload: bytes
    ) -> None:
        for module, left in self._preloaded.left.items():
            text = "a fork copies no thread: in an actor they are missing, and locks that they hold stay locked"
            self._events.warn(
                "preload_left_threads", module=module, threads=left, text=text
            )
        failure = self._preloaded.failure
        if failure is None:
            self._lifecycle.askers.answer(asker, Kind.ANSWER, {})
        else:
            reason = reasons.to_json(failure)
            self._lifecycle.askers.refuse(asker, "failed", reason=reason)

    def _on_rouse(
        self, _asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        self._lifecycle.sharing.rouse(facts["number"])

    def _on_ready(
        self, _asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        self._lifecycle.ready(facts["number"], facts["incarnation"])

    def _on_leaving(
        self, _asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        self._lifecycle.leaving(facts["number"], facts["incarnation"])

    def _on_damaged(
        self, _asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        self._lifecycle.damaged(facts["number"], facts["inode"])

    def _on_subscribe(
        self, asker: Asker, sender: int, _facts: dict[str, Any], _payload: bytes
    ) -> None:
        self._events.subscribe(sender)
        self._lifecycle.askers.answer(asker, Kind.ANSWER, {})

    def _on_acknowledge(
        self, _asker: Asker, sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        self._events.acknowledge(sender, facts["count"])

    def _on_bar(
        self, _asker: Asker, sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        if sender == MAIN:  # the one that our terminal is the terminal of
            self._console.show(facts["key"], facts["text"])
