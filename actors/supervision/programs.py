"""The programs that have joined a system without owning it: how they come in, and what is cleaned up after them.

Whether a program leaves in order or is killed makes no difference here: it hangs up, or its pidfd tells, and what it had is removed.
Actors that it has spawned stay: they are the system's.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from collections.abc import Callable

import attrs

from actors.runtime import door, lanes, status
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.outgoing import Outgoing
from actors.supervision import linux
from actors.supervision.events import Events
from actors.supervision.payloads import Payloads
from transports.errors import CorruptError, TransportError


@attrs.define(eq=False)
class Program:
    """One program, with its place in the system."""

    number: int
    pid: int  # for information only
    visitor: door.Visitor


class Programs:
    """The programs of one system, without the one that owns it."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of one supervisor
        self,
        directory: RuntimeDirectory,
        door_fd: int,
        outgoing: Outgoing,
        events: Events,
        selector: selectors.EpollSelector,
        payloads: Payloads,
        take_number: Callable[[], int],
        on_left: Callable[[int], None],
    ) -> None:
        """Watch the door *door_fd* and the programs in *selector*.

        Args:
            directory: Of the system.
            door_fd: Where programs ask to be let in.
            outgoing: The way to them.
            events: Tell that one has come, or left.
            selector: Of the loop.
            payloads: Those that they leave behind.
            take_number: Returns a new process number.
            on_left: Is called with that of one that has left.
        """
        self._is_closing = False
        self._directory = directory
        self._door = socket.socket(fileno=door_fd)
        self._outgoing = outgoing
        self._events = events
        self._selector = selector
        self._payloads = payloads
        self._take_number = take_number
        self._on_leaving = on_left
        self._root_pidfd = os.pidfd_open(os.getpid())
        self._inside: dict[int, Program] = {}
        selector.register(self._door, selectors.EVENT_READ, self._on_knock)

    def close(self) -> None:
        """Let nobody in any more."""
        self._is_closing = True

    def _on_knock(self) -> None:
        visitor = door.take(self._door)
        if visitor is None:
            return
        if self._is_closing:
            visitor.refuse("closing", "the system is closing: nobody may join")
            return
        number = self._take_number()
        pid = door.pid_of(visitor.pidfd) or 0
        try:
            self._furnish(number, pid)
        except (TransportError, OSError) as exc:
            visitor.refuse("no_room", str(exc))
            return
        self._inside[number] = Program(number, pid, visitor)
        for fd in (visitor.pidfd, visitor.line.fileno()):
            self._selector.register(
                fd, selectors.EVENT_READ, lambda: self._on_left(number)
            )
        self._events.publish("program_attached", pid=pid, number=number)
        visitor.admit(number, self._root_pidfd)

    def _furnish(self, number: int, pid: int) -> None:
        """Make what process *number* needs to send and to be answered; nothing is left when something cannot be made."""
        directory = self._directory
        name = status.file_name(number)
        questions = lanes.credits_of(lanes.MAIN_LANE_BYTES)
        fd = directory.create_file(name, status.size(0, 0, questions))
        try:
            limit = self._outgoing.max_message_bytes
            page = status.StatusPage.format(fd, 0, 0, "", max_message_bytes=limit)
            page.words[status.PID] = pid
            page.close()
            lanes.create(directory.fd, number, lanes.MAIN_LANE_BYTES)
        except BaseException:
            os.unlink(name, dir_fd=directory.fd)
            raise
        finally:
            os.close(fd)

    def _on_left(self, number: int) -> None:
        """Remove what belongs to process *number*, which is gone or has let go of it."""
        program = self._inside.pop(number, None)
        if program is None:  # it hung up by its death, and both were seen at once
            return
        for fd in (program.visitor.pidfd, program.visitor.line.fileno()):
            self._selector.unregister(fd)
        with linux.file_reserve():
            self._clean(number)
        self._outgoing.forget(number)
        self._on_leaving(number)
        self._events.unsubscribe(number)
        self._events.publish("program_left", pid=program.pid, number=number)
        program.visitor.close()

    def _clean(self, number: int) -> None:
        # Somebody has removed or spoilt its files: then there is nothing to be read in them.
        with contextlib.suppress(OSError, TransportError):
            self._ring_for(number)
        lanes.unlink(self._directory.fd, number)
        self._payloads.ended(number)
        self._payloads.died(number, 1)  # it has one life
        with contextlib.suppress(FileNotFoundError):
            os.unlink(status.file_name(number), dir_fd=self._directory.fd)

    def _ring_for(self, number: int) -> None:
        """Ring the bell that a program killed in the middle of a put has not rung."""
        try:
            page = status.StatusPage.open(self._directory.fd, number)
        except CorruptError:  # it tells nothing any more
            return
        sending = page.words[status.SENDING]
        page.close()
        if sending:
            lanes.ring_bell(self._directory.fd, sending - 1)
