"""Reading a system from its directory: files and shared memory only, so that nobody is asked, and nobody who hangs is waited for."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from actors.cli import procfs
from actors.cli.snapshot import (
    Actor,
    Message,
    Process,
    State,
    System,
    Work,
    state_of,
    under,
)
from actors.runtime import status
from actors.runtime.client import MAIN
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.evidence import PERHAPS, in_hand
from actors.runtime.lanes import ROOT
from actors.runtime.outgoing import mailbox_name
from actors.runtime.status import StatusPage
from actors.wire import frame
from actors.wire.frame import Kind
from transports import registry
from transports.errors import CorruptError, TransportError

_HEAD_BYTES = frame.HEADER_BYTES + frame.MAX_METHOD_BYTES
_KINDS: dict[int, str] = {
    Kind.ASK: "ask",
    Kind.TELL: "tell",
    Kind.STOP: "stop",
    Kind.NOTICE: "notice",
}
_PAGE = ".status"


class Reader:
    """Reads one system; its pages stay mapped from the beginning to the end.

    Attributes:
        processes: Those of the system, as far as they are known: its root supervisor and all below it, and the owner.
    """

    def __init__(self, path: Path, processes: dict[int, Process]) -> None:
        """Open the system in *path*, some of whose processes are among *processes*.

        Raises:
            RuntimeDirectoryError: It is gone, or not one we may use.
        """
        self._directory = RuntimeDirectory.open(path)
        self._undo = contextlib.ExitStack()
        self._undo.callback(self._directory.close)
        self._pages = self._open_pages()
        # Only what is under the root can be its actors: others may have got the number of a dead one.
        self.processes = under(self._pid(ROOT), processes)
        if (owner := processes.get(self._pid(MAIN))) is not None:
            self.processes[owner.pid] = owner

    def _open_pages(self) -> dict[int, StatusPage]:
        pages = {}
        for name in os.listdir(self._directory.fd):  # noqa: PTH208 - by descriptor, not by path
            number = name.removesuffix(_PAGE)
            # It has ended meanwhile, or is just being made.
            if name.endswith(_PAGE) and number.isdecimal():
                with contextlib.suppress(FileNotFoundError, CorruptError):
                    page = StatusPage.open(self._directory.fd, int(number))
                    self._undo.callback(page.close)
                    pages[int(number)] = page
        return dict(sorted(pages.items()))

    def close(self) -> None:
        """Let go of it."""
        self._undo.close()

    def system(self) -> System:
        """Return what there is to be seen."""
        path = self._directory.path
        name, _, started = path.name.partition(".")
        programs = {
            number: page.words[status.PID]
            for number, page in self._pages.items()
            if number != ROOT and not page.slot_count and not page.scheme
        }
        programs.pop(MAIN, None)
        return System(
            name=name,
            full_name=path.name,
            directory=str(path),
            age_seconds=max(0.0, _wall_clock() - int(started) / 1e6),
            owner_pid=self._pid(MAIN),
            root_pid=self._pid(ROOT),
            program_pids=tuple(programs.values()),
            actors=tuple(
                self._actor(number, page)
                for number, page in self._pages.items()
                if page.scheme and not page.words[status.CLOSED]
            ),
        )

    def messages(self, actor: Actor) -> tuple[Message, ...] | None:
        """Return what waits in the mailbox of *actor*, oldest first; None where the kernel does not show it."""
        return self._messages(actor.number, actor.class_name, actor.transport)

    def _actor(self, number: int, page: StatusPage) -> Actor:
        words = page.words
        waiting = self._messages(number, page.class_name, page.scheme)
        process = self._process(words[status.PID])
        running = self._running(page)
        incarnation = words[status.INCARNATION]
        state = State.SHARED
        if page.slot_count:  # else nobody has it to himself
            state = state_of(
                process,
                is_ready=bool(words[status.READY]),
                is_frozen=page.is_frozen(),
                incarnation=incarnation,
                busy=words[status.BUSY],
                running=running,
            )
        return Actor(
            name=page.name,
            number=number,
            class_name=page.class_name,
            pid=words[status.PID],
            state=state,
            incarnation=incarnation,
            restarts=max(0, incarnation - 1),
            transport=page.scheme,
            queued=None if waiting is None else len(waiting),
            oldest_seconds=waiting[0].seconds if waiting else None,
            rss_bytes=process.rss_bytes if process is not None else 0,
            handled=words[status.HANDLED],
            outbox=words[status.OUTBOX],
            running=running,
            companion_pid=words[status.COMPANION],
        )

    def _pid(self, number: int) -> int:
        page = self._pages.get(number)
        return page.words[status.PID] if page is not None else 0

    def _process(self, pid: int) -> Process | None:
        """Return the process of an actor, also one that was started after the others were looked at."""
        if pid not in self.processes:
            found = procfs.process(pid)
            if found is not None and found.parent in self.processes:
                self.processes[pid] = found
        return self.processes.get(pid)

    def _running(self, page: StatusPage) -> tuple[Work, ...]:
        found = []
        now_ns = time.monotonic_ns()
        for place, slot in enumerate(page.slots()):
            at = place * status.WAIT_WORDS
            corr, target, since = page.waits[at : at + status.WAIT_WORDS].tolist()
            header = in_hand(slot) if slot.started else None
            if header is None and not corr:
                continue
            begun = since if header is None else slot.started_ns
            method = (
                "a timer" if header is None else f"{page.class_name}.{header.method}"
            )
            waits_for = self._name(target & ~PERHAPS) if corr else None
            found.append(Work(method, _age(begun, now_ns), waits_for))
        return tuple(found)

    def _messages(
        self, number: int, class_name: str, scheme: str
    ) -> tuple[Message, ...] | None:
        try:
            contents = registry.get(scheme).inspect(
                self._directory.fd, mailbox_name(number), head_bytes=_HEAD_BYTES
            )
        except TransportError:  # it has ended meanwhile, or is damaged
            return ()
        if contents.frames is None:
            return None
        found = []
        now_ns = time.monotonic_ns()  # one for all: the oldest stays the oldest
        for waiting in contents.frames:
            with contextlib.suppress(frame.FrameError):
                header = frame.read(waiting.head)
                kind = _KINDS.get(header.kind, "message")
                method = f"{class_name}.{header.method}" if header.method else ""
                sender, age = self._name(header.sender), _age(header.sent_ns, now_ns)
                found.append(Message(kind, method, sender, age, waiting.size))
        return tuple(found)

    def _name(self, number: int) -> str:
        """Return what a person calls process *number* of the system."""
        page = self._pages.get(number)
        if page is None:  # it has ended, or left
            return f"process {number}"
        return page.name or f"program {page.words[status.PID]}"


def _age(then_ns: int, now_ns: int) -> float:
    return max(0, now_ns - then_ns) / 1e9


def _wall_clock() -> float:
    return time.time()  # noqa: TID251 - for people to read; nothing is decided by it
