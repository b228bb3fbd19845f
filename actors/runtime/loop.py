"""The event loop of an actor, and of ``actors.run``: asyncio with a selector that looks at rings before it sleeps.

A message in a ring is noticed without a system call; everything else that asyncio can wait for still works, because ``epoll`` is
asked whenever the loop would sleep, and at least every 16th time while it does not.
"""

from __future__ import annotations

import asyncio
import math
import os
import select
import selectors
import signal
import time
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from actors.runtime.spin import Spin
from transports._ring import Reader, arm, attended, disarm, look, stand_by
from transports.mailbox import Mailbox

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

POLL_EVERY = 16
_SIGNALS = frozenset(signal.valid_signals())

_Events = list[tuple[selectors.SelectorKey, int]]


class Source(Protocol):
    """Somebody whose messages come through rings."""

    def drain(self) -> bool:
        """Handle a bounded number of messages; True when there was any."""
        ...

    def readers(self) -> tuple[Reader, ...]:
        """Return the rings that may be taken from now."""
        ...

    def awaits_kernel(self) -> bool:
        """Return whether the kernel may say soon that there is a message, or room for one."""
        ...

    def crowd(self) -> Mailbox | None:
        """Return the mailbox that processes beside this one take from as well, if it may be taken from now."""
        ...

    def called(self) -> None:
        """This process was woken for what is in that mailbox, and perhaps no other one was."""
        ...


class _Called:
    """What is woken for the mailbox that a source shares with others."""

    def __init__(self, source: Source) -> None:
        self.hush = source.called


class _Epoll(selectors.EpollSelector):
    """An epoll selector that knows of descriptors for each of which one of those that wait is woken."""

    def fileno(self) -> int:
        """Return its own descriptor, which is readable when one of those that it watches is ready."""
        epoll: select.epoll = self._selector  # type: ignore[attr-defined]  # as below
        return epoll.fileno()

    def register_exclusive(self, fileobj: int, data: object) -> None:
        """Wait until *fileobj* is readable, as one of several."""
        self.register(fileobj, selectors.EVENT_READ, data)
        # The module cannot say it, and the kernel not change it.
        epoll: select.epoll = self._selector  # type: ignore[attr-defined]
        epoll.unregister(fileobj)
        epoll.register(fileobj, select.EPOLLIN | select.EPOLLEXCLUSIVE)


class RingSelector(selectors.BaseSelector):
    """An epoll selector with rings in front."""

    def __init__(self) -> None:
        self._epoll = _Epoll()
        self._crowds: dict[Source, int] = {}  # descriptors that wait as one of several
        self._sources: list[tuple[Source, Reader]] = []
        self._spin = Spin()
        self._turns = 0
        _selectors.add(self)

    def watch(self, source: Source, bell: Reader) -> None:
        """Drain *source* before sleeping; *bell* is one of its rings that is watched at all times."""
        self._sources.append((source, bell))
        self._epoll.register(bell.fileno(), selectors.EVENT_READ, bell)

    def unwatch(self, source: Source) -> None:
        """Forget *source*."""
        fd = self._crowds.pop(source, None)
        if fd is not None:
            self._epoll.unregister(fd)
        for entry in list(self._sources):
            if entry[0] is source:
                self._sources.remove(entry)
                self._epoll.unregister(entry[1].fileno())

    def select(self, timeout: float | None = None) -> _Events:
        """Wait for file events at most *timeout* seconds, after handling what the rings hold."""
        self._turns += 1
        if self._drain() or (timeout is not None and timeout <= 0):
            return self._events(0) if self._turns % POLL_EVERY == 0 else []
        readers: tuple[Reader, ...] = ()
        fd = -1
        for source, _ in self._sources:
            readers += source.readers()
            if source.awaits_kernel():
                fd = self._epoll.fileno()
        if readers and (self._look(readers, timeout, fd) or arm(readers)):
            return [] if self._drain() or fd < 0 else self._events(0)
        try:
            for source, _ in self._sources:
                self._join(source)
            return self._sleep(readers, timeout)
        finally:
            disarm(readers)

    def _sleep(self, readers: tuple[Reader, ...], timeout: float | None) -> _Events:
        """Wait for file events; as the sentry of a shared mailbox where one is wanted (transports/attendance.h)."""
        watch_ns = stand_by(readers) if self._crowds else -1
        if watch_ns < 0:
            return self._events(timeout)
        end = math.inf if timeout is None else time.monotonic() + timeout
        events: _Events = []
        while watch_ns > 0 and not events and (left := end - time.monotonic()) > 0:
            events = self._events(min(watch_ns / 1e9, left))
            watch_ns = stand_by(readers)
        for source in self._crowds:
            source.called()  # of what came nobody has been told, relying on us
        return events

    def _join(self, source: Source) -> None:
        """Wait with others exactly as long as *source* would take what comes: whoever is woken wakes nobody else."""
        crowd = source.crowd()
        fd = self._crowds.get(source)
        if crowd is not None and fd is None:
            self._crowds[source] = fd = crowd.fileno()
            self._epoll.register_exclusive(fd, _Called(source))
        elif crowd is None and fd is not None:
            self._epoll.unregister(self._crowds.pop(source))

    def _drain(self) -> bool:
        found = False
        for source, _ in self._sources:
            found |= source.drain()
        return found

    def _look(
        self, readers: tuple[Reader, ...], timeout: float | None, fd: int
    ) -> bool:
        budget = self._spin.budget_ns()
        if timeout is not None:
            budget = min(budget, int(timeout * 1e9))
        if not budget or (self._crowds and attended(readers)):
            return False
        found = look(readers, budget, fd)
        if found:
            self._spin.hit()
        else:
            self._spin.miss()
        return found

    def _events(self, timeout: float | None) -> _Events:
        events = self._epoll.select(timeout)
        ours = [
            event for event in events if isinstance(event[0].data, Reader | _Called)
        ]
        if not ours:
            return events
        for event in ours:
            event[0].data.hush()  # all a bell has to do is end the wait
        return [event for event in events if event not in ours]

    # The rest is epoll's.

    def register(
        self, fileobj: FileDescriptorLike, events: int, data: object = None
    ) -> selectors.SelectorKey:
        """See ``selectors.BaseSelector``."""
        return self._epoll.register(fileobj, events, data)

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        """See ``selectors.BaseSelector``."""
        return self._epoll.unregister(fileobj)

    def modify(
        self, fileobj: FileDescriptorLike, events: int, data: object = None
    ) -> selectors.SelectorKey:
        """See ``selectors.BaseSelector``."""
        return self._epoll.modify(fileobj, events, data)

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        """See ``selectors.BaseSelector``."""
        return self._epoll.get_map()

    def get_key(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        """See ``selectors.BaseSelector``."""
        return self._epoll.get_key(fileobj)

    def close(self) -> None:
        """Give the rings back: somebody else may wait for the same ones, from now on by their bells."""
        for _, bell in self._sources:
            if arm((bell,)):
                bell.ring()
        self._sources.clear()
        self._crowds.clear()
        self._epoll.close()
        _selectors.discard(self)  # a copy of this process opens nothing then

    def abandon(self) -> None:
        """Let go of what is the parent's, in a process forked from the one that watches.

        The epoll set is shared: what a copy of the loop takes out of it as it closes, the parent would not hear of any more.
        """
        self._sources.clear()
        self._crowds.clear()
        self._epoll.close()
        self._epoll = _Epoll()


_selectors: weakref.WeakSet[RingSelector] = weakref.WeakSet()


def _abandon_all() -> None:
    for selector in list(_selectors):
        selector.abandon()


os.register_at_fork(after_in_child=_abandon_all)


class RingLoop(asyncio.SelectorEventLoop):
    """asyncio's loop over a ``RingSelector``."""

    def __init__(self) -> None:
        self.rings = RingSelector()
        super().__init__(self.rings)

    def call_first(self, callback: Callable[[], object]) -> None:
        """Call *callback* before all else that the loop has to do, also in the turn that it is in."""
        handle = asyncio.Handle(callback, (), self)
        self._ready.appendleft(handle)  # type: ignore[attr-defined]  # of every version there is, and nothing public puts anything in front

    def _check_signal(self, sig: int) -> None:
        """Refuse what is no signal; asyncio asks for all that there are at each start of an actor, which takes 0.1 ms."""
        if sig not in _SIGNALS:
            super()._check_signal(sig)  # type: ignore[misc]  # says what is wrong
