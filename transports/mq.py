"""Mailboxes that are POSIX message queues: boundaries, order and limits by the kernel.

Queues live in a namespace of their own and outlast every process, so a mailbox is a
small file in its directory that holds the queue's name.  The file is written first:
whoever finds it can remove the queue, and a queue without a file never exists.

An ordinary user has 819 200 bytes for all queues together, so they are small: 182
mailboxes of the default size.  What is larger than a message does not belong here.

A message is the record header of ``ring.h``, then the payload.  It is received straight
into the slot, so that it is never in ordinary memory only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import attrs
import posix_ipc

from transports import _kernel
from transports._kernel import QUEUE, Sender
from transports._ring import RECORD_BYTES, Slot
from transports.errors import (
    EndpointError,
    LimitError,
    MailboxNotFoundError,
    TransportError,
    space_for,
    translated,
)
from transports.files import PRIVATE, check_name, new_file, open_checked, verify
from transports.kernel import (
    KernelMailbox,
    create_landing,
    has_landing,
    landed,
    remove,
)
from transports.mailbox import Contents, Depth, Note

MESSAGE_BYTES = 1024
INLINE_LIMIT = MESSAGE_BYTES - RECORD_BYTES
DEFAULT_MESSAGES = 6

_NAME = re.compile(r"/actors-[0-9a-f]{32}")
_NAME_BYTES = len("/actors-") + 32
_FILE = "a regular file"
_LIMITS = Path("/proc/sys/fs/mqueue")


class MqMailbox(KernelMailbox):
    """The receiving end; see ``Mailbox``."""

    inline_limit = INLINE_LIMIT
    message_bytes = MESSAGE_BYTES
    is_queue = True

    def _receive(self, fd: int, slot: Slot) -> int:
        return _kernel.receive_into(fd, slot)

    def _depth(self, fd: int) -> Depth:
        return _depth(fd)


class MqTransport:
    """See the module."""

    scheme = "mq"
    inline_limit = INLINE_LIMIT
    default_capacity = DEFAULT_MESSAGES * MESSAGE_BYTES
    keeps_elsewhere = True

    def create(self, dir_fd: int, name: str, capacity: int | None = None) -> int:
        """See ``Transport``.

        Raises:
            LimitError: The user's queues leave no room for it, or it may not be so
                large.
        """
        queue_name = f"/actors-{os.urandom(16).hex()}"
        _write_name(dir_fd, name, queue_name)
        messages = -(-(capacity or self.default_capacity) // MESSAGE_BYTES)
        try:
            with _limits(f"the mailbox {name} of {messages} messages", dir_fd):
                queue = posix_ipc.MessageQueue(
                    queue_name,
                    posix_ipc.O_CREX,
                    mode=PRIVATE,
                    max_messages=messages,
                    max_message_size=MESSAGE_BYTES,
                )
        except BaseException:
            os.unlink(name, dir_fd=dir_fd)
            raise
        try:
            os.fchmod(queue.mqd, PRIVATE)  # whatever the umask left of it
            return os.dup(queue.mqd)
        except BaseException:
            self.unlink(dir_fd, name)
            raise
        finally:
            queue.close()

    def open(self, held: int, dir_fd: int, name: str, seat: int = 0) -> MqMailbox:
        """See ``Transport``."""
        with translated(f"cannot open {name}"):
            status = os.fstat(held)
        if not stat.S_ISREG(status.st_mode) or not _is_queue(held):
            msg = f"{name} is not a message queue"
            raise EndpointError(msg)
        return MqMailbox(held, dir_fd, name, seat)

    def connect(
        self,
        dir_fd: int,
        name: str,
        *,
        note: Note | None = None,
    ) -> Sender:
        """See ``Transport``; the kernel wakes the receiver as it takes the frame."""
        queue = _open_queue(dir_fd, name, write=True)
        try:
            fd = os.dup(queue.mqd)
        finally:
            queue.close()
        gathers = has_landing(dir_fd, name)
        return Sender(fd, fd, QUEUE, MESSAGE_BYTES, INLINE_LIMIT, gathers)

    def gather(self, dir_fd: int, name: str) -> None:
        """See ``Gathering``."""
        create_landing(dir_fd, name, MESSAGE_BYTES)

    def inspect(
        self,
        dir_fd: int,
        name: str,
        *,
        held: int | None = None,
        head_bytes: int = 0,
        limit: int | None = None,
    ) -> Contents:
        """See ``Transport``; a queue shows its messages only to who takes them."""
        queue = _open_queue(dir_fd, name, read=True)
        try:
            depth = _depth(queue.mqd)
        finally:
            queue.close()
        frames = depth.frames + len(landed(dir_fd, name, 0))
        exact = not depth.frames or not has_landing(dir_fd, name)
        return Contents(attrs.evolve(depth, frames=frames, exact=exact), None)

    def unlink(self, dir_fd: int, name: str) -> None:
        """See ``Transport``; outlets notice that the queue has lost its name."""
        try:
            queue_name = _read_name(dir_fd, name)
        except MailboxNotFoundError:
            return
        if queue_name:
            with contextlib.suppress(posix_ipc.ExistentialError):
                posix_ipc.unlink_message_queue(queue_name)
        remove(dir_fd, name)


TRANSPORT = MqTransport()


def _write_name(dir_fd: int, name: str, queue_name: str) -> None:
    check_name(name)
    with (
        translated(f"cannot create {name}"),
        space_for(f"the mailbox {name}", _NAME_BYTES, dir_fd),
        new_file(dir_fd, name) as fd,
    ):
        os.write(fd, queue_name.encode())


def _read_name(dir_fd: int, name: str) -> str:
    fd = open_checked(dir_fd, name, os.O_RDONLY, _FILE)
    try:
        text = os.read(fd, _NAME_BYTES + 1).decode("ascii", "replace")
    finally:
        os.close(fd)
    # Without a name: its creator has been killed, or has not got further yet.
    if text and not _NAME.fullmatch(text):
        msg = f"{name} does not hold the name of a message queue"
        raise EndpointError(msg)
    return text


def _open_queue(
    dir_fd: int, name: str, *, read: bool = False, write: bool = False
) -> posix_ipc.MessageQueue:
    queue_name = _read_name(dir_fd, name)
    if not queue_name:
        msg = f"{name} has no queue yet"
        raise MailboxNotFoundError(msg)
    try:
        queue = posix_ipc.MessageQueue(queue_name, read=read, write=write)
    except posix_ipc.ExistentialError as exc:
        msg = f"the queue of {name} has been removed"
        raise MailboxNotFoundError(msg) from exc
    except posix_ipc.PermissionsError as exc:
        msg = f"the queue of {name} belongs to somebody else"
        raise EndpointError(msg) from exc
    try:
        verify(queue.mqd, _FILE, name)
    except BaseException:
        queue.close()
        raise
    return queue


def _depth(fd: int) -> Depth:
    frames, room = _kernel.count(fd)
    return Depth(frames, True, None, None, room)  # noqa: FBT003 - a field


def _is_queue(fd: int) -> bool:
    try:
        _kernel.count(fd)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _limits(what: str, dir_fd: int) -> Iterator[None]:
    # posix_ipc keeps the errno of some failures and turns others into classes of its
    # own; ENOSPC, and EMFILE of both limits that mean it, are an OSError without one.
    try:
        yield
    except ValueError as exc:
        raise _sysctl(what, "msg_max", "messages for one queue") from exc
    except OSError as exc:
        if exc.errno == errno.ENOSPC or "space for a new queue" in str(exc):
            raise _sysctl(what, "queues_max", "queues for all users") from exc
        if exc.errno not in {None, errno.EMFILE} or not _has_descriptors(dir_fd):
            msg = f"cannot create {what}: {exc}"
            raise TransportError(msg) from exc
        raise LimitError(
            what,
            "RLIMIT_MSGQUEUE",
            resource.getrlimit(resource.RLIMIT_MSGQUEUE)[0],
            "bytes for all message queues of a user",
            "ulimit -q, LimitMSGQUEUE= or --ulimit msgqueue=",
        ) from exc


def _sysctl(what: str, limit: str, unit: str) -> LimitError:
    value = int((_LIMITS / limit).read_text())
    name = f"fs.mqueue.{limit}"
    return LimitError(what, name, value, unit, f"sysctl {name}=")


def _has_descriptors(fd: int) -> bool:
    try:
        os.close(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 0))
    except OSError:
        return False
    return True
