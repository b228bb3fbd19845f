"""What one event loop does for a client: its bell, the end of the root, deadlines, and full mailboxes.

Works with any asyncio loop; our own (``loop.py``) looks at the lane by itself and needs only the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
import time
import weakref
from collections.abc import Callable

from actors.runtime.outgoing import Outgoing
from actors.runtime.rooms import LOOK_AGAIN_SECONDS, Rooms
from actors.runtime.route import Route

running_loop: Callable[[], asyncio.AbstractEventLoop | None] = asyncio._get_running_loop  # noqa: SLF001 - documented for loops


class LoopSide:
    """One loop's part in the waiting of one client."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        outgoing: Outgoing,
        expire: Callable[[], int],
        bell: tuple[int, Callable[[], None]] | None,
        root: tuple[int, Callable[[], None]] | None,
    ) -> None:
        """Watch the descriptors *bell* and *root* in *loop* and call what comes with them."""
        self._loop = weakref.ref(loop)
        self._thread = threading.get_ident()
        self._outgoing = outgoing
        self._expire = expire
        # Weak, because a timer holds its loop, and a loop that we hold would never be collected.
        self._timer: weakref.ref[asyncio.TimerHandle] | None = None
        self._due_ns = 0
        self._look_again: weakref.ref[asyncio.TimerHandle] | None = None
        self._rooms = Rooms(self._watch_room, self._unwatch_room)
        # Copies, because a loop watches a descriptor once, and others may watch the same.
        self._watched: list[int] = []
        # A loop that is closed and forgotten takes us along without a call of detach.
        self._release = weakref.finalize(loop, _close_all, self._watched)
        if bell is not None:
            loop.add_reader(self._copy(bell[0]), bell[1])
        if root is not None:
            fd = self._copy(root[0])
            loop.add_reader(fd, self._on_root_died, fd, root[1])

    def _copy(self, fd: int) -> int:
        self._watched.append(os.dup(fd))
        return self._watched[-1]

    def _on_root_died(self, fd: int, callback: Callable[[], None]) -> None:
        loop = self._loop()
        if loop is not None:
            # It stays readable, and the program may go on for long without the system.
            loop.remove_reader(fd)
        callback()

    def wait_until(self, deadline_ns: int) -> None:
        """Look for overdue questions at *deadline_ns*; 0 for never."""
        if not deadline_ns or (self._timer is not None and self._due_ns <= deadline_ns):
            return
        loop = self._loop()
        if loop is None:
            return
        _cancel(self._timer)
        self._due_ns = deadline_ns
        left = max(0, deadline_ns - time.monotonic_ns()) / 1e9
        self._timer = weakref.ref(loop.call_later(left, self._on_due))

    def wait_until_soon(self, deadline_ns: int) -> None:
        """As ``wait_until``; may be called from any thread."""
        if threading.get_ident() == self._thread:
            self.wait_until(deadline_ns)
        else:
            self._call(functools.partial(self.wait_until, deadline_ns))

    def _on_due(self) -> None:
        self._timer = None
        self.wait_until(self._expire())

    def watch_rooms_soon(self) -> None:
        """Flush the outboxes when there may be room; may be called from any thread."""
        if threading.get_ident() == self._thread:
            self._watch_rooms()
        else:
            self._call(self._watch_rooms)

    def _call(self, callback: Callable[[], None]) -> None:
        loop = self._loop()
        if loop is not None:
            # Closed: nothing waits there any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(callback)

    def _watch_rooms(self) -> None:
        loop = self._loop()
        if loop is None or loop.is_closed():
            return
        backlog = list(self._outgoing.backlog.values())
        self._rooms.follow(backlog)
        if backlog and self._look_again is None:
            self._look_again = weakref.ref(
                loop.call_later(LOOK_AGAIN_SECONDS, self._on_look_again)
            )

    def _on_look_again(self) -> None:
        self._look_again = None
        self._outgoing.flush()
        self._watch_rooms()

    def _watch_room(self, fd: int, route: Route) -> None:
        loop = self._loop()
        if loop is not None:
            loop.add_writer(fd, self._on_room, route)

    def _unwatch_room(self, fd: int) -> None:
        loop = self._loop()
        if loop is not None and not loop.is_closed():
            loop.remove_writer(fd)

    def _on_room(self, route: Route) -> None:
        self._rooms.leave(route)
        self._outgoing.flush()
        self._watch_rooms()

    def detach(self) -> None:
        """Take everything out of the loop; soon, when it runs in another thread, because it may be looking through it now."""
        loop = self._loop()
        if (
            loop is not None
            and loop.is_running()
            and threading.get_ident() != self._thread
        ):
            self._call(self._detach)
        else:
            self._detach()

    def _detach(self) -> None:
        loop = self._loop()
        if loop is not None and not loop.is_closed():
            for fd in self._watched:
                loop.remove_reader(fd)
            _cancel(self._timer)
            _cancel(self._look_again)
        self._rooms.leave_all()
        self._release()


def _close_all(fds: list[int]) -> None:
    while fds:
        os.close(fds.pop())


def _cancel(timer: weakref.ref[asyncio.TimerHandle] | None) -> None:
    handle = None if timer is None else timer()
    if handle is not None:
        handle.cancel()
