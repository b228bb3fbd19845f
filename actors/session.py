"""This program's time in a system: opening it, by starting one or by joining one, and closing it, with a loop and without."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

from actors import context
from actors.attach import Attachment, join
from actors.errors import ForkedHandleError, SystemClosedError
from actors.launch import Root, launch
from actors.pending import Pending
from actors.runtime.client import Client
from actors.settings import Settings

FLUSH_SECONDS = 0.001  # between two looks at what waits for room


class Session:
    """Opened once and closed once; an actor's own has nothing to close."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._part: Root | Attachment | None = None  # what there is to close
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """The end of the system in this process.

        Raises:
            SystemClosedError: The system was not opened.
        """
        if self._client is None:
            msg = "the system is not running: use 'async with ActorSystem() as system', 'with', or start()"
            raise SystemClosedError(msg)
        return self._client

    @property
    def state(self) -> str:
        """What people call it."""
        if self._client is None:
            return "not started"
        return "open" if self._client.ended_with is None else "closed"

    @property
    def is_joined(self) -> bool:
        """Whether the system belongs to another program."""
        return isinstance(self._part, Attachment)

    # Opening.

    def enter(self, client: Client) -> None:
        """See the system through the *client* of one of its actors."""
        self._client = client

    def join(self, name: str) -> None:
        """Join the running system *name*; see ``ActorSystem.attach``."""
        context.refuse_loading("joins a system")
        part = join(self.settings.directory, name)
        self._take_part(part)

    def start(self) -> None:
        """Start the system and wait until it is up; see ``ActorSystem.start``."""
        hello = self._launch()
        try:
            with self._standing_still():
                hello.result()
        except BaseException:
            self._end(at_once=True)
            raise

    async def start_in_loop(self) -> None:
        """Do the same while the loop runs on."""
        hello = self._launch()
        try:
            await hello
        except BaseException:
            self._end(at_once=True)
            raise

    def _launch(self) -> Pending[Any]:
        if self._client is not None:
            msg = "the system was started before; make a new ActorSystem"
            raise SystemClosedError(msg)
        context.refuse_loading("starts a system")
        self._take_part(launch(self.settings))
        return self.client.request("hello", {})

    def _take_part(self, part: Root | Attachment) -> None:
        self._part = part
        self._client = part.client
        _open.add(self)

    # Closing.

    def close(self, drain: float) -> None:
        """Stop the system, or leave one that was joined, and wait until that is done; see ``ActorSystem.close``."""
        if self._part is None or self._is_copy():
            return
        deadline = time.monotonic() + drain
        try:
            with self._standing_still():
                self._flush(deadline)
                self._part.finish(drain).result()
        except BaseException:  # a second Ctrl-C: it has waited long enough
            self._end(at_once=True)
            raise
        self._end()

    async def close_in_loop(self, drain: float) -> None:
        """Do the same while the loop runs on."""
        if self._part is None or self._is_copy():
            return
        deadline = time.monotonic() + drain
        try:
            while self.client.outgoing.backlog and time.monotonic() < deadline:  # noqa: ASYNC110 - room is nobody's event
                # The loop flushes what waits for room.
                await asyncio.sleep(FLUSH_SECONDS)
            await self._part.finish(drain)
            if isinstance(self._part, Root):
                await self._part.exited()
        except BaseException:  # a second Ctrl-C: it has waited long enough
            self._end(at_once=True)
            raise
        self._end()

    @contextlib.contextmanager
    def _standing_still(self) -> Iterator[None]:
        """Let this thread block although a loop may run in it: in a notebook one always does."""
        waiting = self.client.waiting
        before, waiting.in_hook = waiting.in_hook, True
        try:
            yield
        finally:
            waiting.in_hook = before

    def _flush(self, deadline: float) -> None:
        """Wait for room for what this process still has to send; questions wait for answers to others as well."""
        for letter in list(self.client.outgoing.waiting()):
            self.client.block(letter.pending, max(0.0, deadline - time.monotonic()))

    def _is_copy(self) -> bool:
        """Return whether this is the copy of a process forked from the one that opened it."""
        return isinstance(self.client.ended_with, ForkedHandleError)

    def _end(self, *, at_once: bool = False) -> None:
        part, self._part = self._part, None
        _open.discard(self)
        if part is not None:
            part.end(at_once=at_once)


# Held strongly: refs go on working when a program keeps them alone.
_open: set[Session] = set()


@atexit.register
def _close_all() -> None:
    """Close what a program forgot to close, so that its actors get their orderly end."""
    for session in list(_open):
        # The program ends, and there is nobody left to tell.
        with contextlib.suppress(Exception):
            session.close(session.settings.drain)


os.register_at_fork(after_in_child=_open.clear)  # the parent closes its own
