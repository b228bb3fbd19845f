"""Who waits for whom, as the status pages show it, against a model that knows everything."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections import deque

import attrs
import pytest

from actors.options import Options
from actors.runtime import status
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.evidence import Evidence
from actors.runtime.outgoing import mailbox_name
from actors.supervision.estate import Estate
from actors.wire import frame
from actors.wire.frame import Kind
from transports.mailbox import Mailbox, Outlet, Put

MAIN = 1
Question = tuple[int, int]  # process number of the asker, correlation id


@attrs.define(eq=False)
class Handler:
    """What works at a question, and waits for the answer to another or runs."""

    question: Question
    place: int
    waits_for: Question | None = None
    target: int = 0
    is_answered: bool = False  # and the answer has not been read


@attrs.define(eq=False)
class Member:
    """An actor, as it is and as the model knows it."""

    number: int
    estate: Estate
    mailbox: Mailbox
    outlet: Outlet
    evidence: Evidence
    queue: deque[Question] = attrs.field(factory=deque)
    handlers: list[Handler] = attrs.field(factory=list)

    @property
    def slots(self) -> int:
        return self.estate.page.words[status.SLOTS]

    def read_answers(self) -> None:
        for handler in self.handlers:
            if handler.is_answered:
                handler.is_answered = False
                self.stop_waiting(handler)

    def stop_waiting(self, handler: Handler) -> None:
        handler.waits_for = None
        self.estate.page.waits[handler.place * status.WAIT_WORDS] = 0


class World:
    """Some actors, and what may happen among them."""

    def __init__(
        self,
        directory: RuntimeDirectory,
        slots: list[int],
        seed: int,
        stack: contextlib.ExitStack,
    ) -> None:
        self.random = random.Random(seed)
        self.members: dict[int, Member] = {}
        self.withdrawn: set[Question] = set()
        self.claims = 0
        self.is_single = set(slots) == {1}
        self._corr = 0
        for number, count in enumerate(slots, 2):
            self.members[number] = self._made(directory, number, count, stack)

    @staticmethod
    def _made(
        directory: RuntimeDirectory,
        number: int,
        slots: int,
        stack: contextlib.ExitStack,
    ) -> Member:
        names = (f"actor-{number}", "Actor")
        estate = Estate.create(directory, number, Options(), slots, names)
        stack.callback(estate.page.close)
        stack.callback(estate.close, lambda _: None)
        estate.page.words[status.PID] = os.getpid()
        estate.page.words[status.READY] = 1
        transport, name = estate.transport, mailbox_name(number)
        mailbox = transport.open(estate.mailbox_fd, directory.fd, name)
        stack.callback(mailbox.close)
        outlet = transport.connect(directory.fd, name)
        stack.callback(outlet.close)
        evidence = Evidence(directory, number, estate.page, {})
        return Member(number, estate, mailbox, outlet, evidence)

    def step(self) -> None:
        """Let something happen."""
        member = self.random.choice(list(self.members.values()))
        action = self.random.choice(
            [self.ask_from_main, self.take, self.take, self.ask, self.ask, self.answer]
        )
        action(member)

    def ask_from_main(self, member: Member) -> None:
        if len(member.queue) < 3:
            self._send(MAIN, member)

    def _send(self, asker: int, target: Member) -> Question:
        self._corr += 1
        data = frame.pack(Kind.ASK, b"work", lane=asker, corr=self._corr)
        assert target.outlet.put(data) is Put.ACCEPTED
        target.queue.append((asker, self._corr))
        return asker, self._corr

    def take(self, member: Member) -> None:
        if len(member.handlers) == member.slots or not member.queue:
            return
        taken = {handler.place for handler in member.handlers}
        place = next(place for place in range(member.slots) if place not in taken)
        slot = member.estate.page.slot(place)
        question = member.queue.popleft()
        assert member.mailbox.take(slot)
        if question in self.withdrawn:
            slot.clear()
            return
        slot.start()
        member.handlers.append(Handler(question, place))

    def ask(self, member: Member) -> None:
        running = [h for h in member.handlers if h.waits_for is None]
        if not running:
            return
        handler = self.random.choice(running)
        target = self.random.choice(list(self.members.values()))
        handler.target = target.number
        handler.waits_for = self._send(member.number, target)
        member.read_answers()
        at = handler.place * status.WAIT_WORDS
        wait = (handler.waits_for[1], target.number, time.monotonic_ns())
        for word, value in enumerate(wait):
            member.estate.page.waits[at + word] = value

        claim = member.evidence.deadlock(handler.place)

        truth = handler not in self._able()
        assert truth or not claim, f"a false alarm: {claim}"
        if self.is_single:
            assert truth == bool(claim)
        if claim:
            self.claims += 1
            self.withdrawn.add(handler.waits_for)
            member.stop_waiting(handler)

    def answer(self, member: Member) -> None:
        running = [h for h in member.handlers if h.waits_for is None]
        if not running:
            return
        handler = self.random.choice(running)
        member.handlers.remove(handler)
        member.estate.page.slot(handler.place).clear()
        asker = self.members.get(handler.question[0])
        for waiting in asker.handlers if asker is not None else ():
            if waiting.waits_for == handler.question:
                waiting.is_answered = True
        if asker is not None and self.random.random() < 0.5:
            asker.read_answers()

    def _able(self) -> set[Handler]:
        """Return the handlers that can go on, now or when others have."""
        able: set[Handler] = set()
        found = True
        while found:
            found = False
            for member in self.members.values():
                for handler in member.handlers:
                    if handler not in able and self._can_go_on(handler, able):
                        able.add(handler)
                        found = True
        return able

    def _can_go_on(self, handler: Handler, able: set[Handler]) -> bool:
        if handler.waits_for is None or handler.is_answered:
            return True
        target = self.members[handler.target]
        for other in target.handlers:
            if other.question == handler.waits_for:
                return other in able
        # Queued: it needs a place.
        is_free = len(target.handlers) < target.slots
        return is_free or any(other in able for other in target.handlers)


@pytest.mark.parametrize(
    "slots", [[1, 1, 1], [1] * 6, [1, 2, 1], [2, 3, 1, 1]], ids=str
)
@pytest.mark.parametrize("seed", range(6))
def test_what_is_called_a_deadlock_is_one_in_the_model(
    directory: RuntimeDirectory, slots: list[int], seed: int
) -> None:
    """Where all handle one message at a time, every deadlock is called one, too."""
    with contextlib.ExitStack() as stack:
        world = World(directory, slots, seed, stack)

        for _ in range(400):
            world.step()

        assert world.claims or not world.is_single


@pytest.mark.parametrize("is_damaged", [False, True])
def test_what_a_dead_process_waited_for_counts_for_nothing(
    directory: RuntimeDirectory, *, is_damaged: bool
) -> None:
    with contextlib.ExitStack() as stack:
        world = World(directory, [1], 0, stack)
        member = world.members[2]
        world.ask_from_main(member)
        world.take(member)
        page = member.estate.page
        page.waits[:3] = memoryview(
            b"".join(n.to_bytes(8, "little") for n in (77, 2, 1))
        ).cast("Q")
        assert member.evidence.deadlock(0) == ("actor-2 (in Actor.work)",)
        pid = os.posix_spawn("/bin/true", ["true"], {})
        os.waitpid(pid, 0)

        page.words[status.PID] = 2**40 if is_damaged else pid

        assert member.evidence.deadlock(0) == ()
