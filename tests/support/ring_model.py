"""The protocol of ring, bell and slot as a model: docs/explain/shm-ring.md in steps that can be interrupted.

Responsible for: which store comes before which, and what is left by a process killed between any two.
Not responsible for: orders weaker than sequential consistency, but for the one store that needs it (``armed``), which
is late with ``arm_weakly``; sizes and lengths; the end of a ring.

Two senders put three messages into a ring with room for two records; one actor takes, starts, handles, answers.  Each
step is one access to what the processes share.  Anyone may be killed between any two steps; a supervisor, who is not
killed, then does for a sender what its note asks for, and reports what an actor had in hand before it starts the next.
A sender that finds no room sleeps until the actor wakes it; nobody looks again by the clock.

A program is a list of steps.  So a mistake is a program with a step left out, or in another place.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

ROOM = 2  # records
MESSAGES = (("a", "b"), ("c",))  # of each sender
NOBODY, DEAD = -1, -2  # who may stand in the mutex instead of a sender
HALF = (-1, "")  # a record that is being copied
EMPTY = (-2, "")
WAITED_FOR, WAKING = 1, 2


class Sender(NamedTuple):
    """One sender: where it stands, and its note in its status page."""

    at: int = 0
    message: int = 0
    is_full: bool = False
    sees_sleeper: bool = False
    note: bool = False
    is_dead: bool = False


class Actor(NamedTuple):
    """The receiver: where it stands, and its slot in its status page."""

    at: int = 0
    head: int = 0  # its own copy
    marked: bool = False
    started: bool = False
    record: tuple[int, str] = EMPTY
    is_dead: bool = False


class World(NamedTuple):
    """Everything shared, and what has become of the messages."""

    senders: tuple[Sender, ...] = (Sender(), Sender())
    actor: Actor = Actor()
    mutex: int = NOBODY
    tail: int = 0
    head: int = 0
    records: tuple[tuple[int, str], ...] = (EMPTY,) * ROOM
    armed: bool = False
    late_arm: bool = False  # stored, and not yet seen by others
    bell: bool = False
    waiters: int = 0  # 0, WAITED_FOR or WAKING
    room_byte: bool = (
        False  # in the FIFO that senders sleep on: they do while it is there
    )
    kills: int = 0  # that may still come
    committed: str = ""
    handled: str = ""
    answered: str = ""
    reported: str = ""
    torn: bool = False
    contradicted: bool = False  # a message was handled after it was reported


Jump: TypeAlias = str  # the step to go on with
Result: TypeAlias = "World | tuple[World, Jump] | None"  # None: it has to wait
Step: TypeAlias = "tuple[str, Callable[..., Result]]"
Program: TypeAlias = "tuple[Step, ...]"


def _and(messages: str, message: str) -> str:
    return "".join(sorted(messages + message))


# --- a sender; `me` is its place ----------------------------------------------


def _with(world: World, me: int, sender: Sender) -> tuple[Sender, ...]:
    return (*world.senders[:me], sender, *world.senders[me + 1 :])


def begin(world: World, me: int) -> Result:
    # None: it has sent everything
    return None if world.senders[me].message == len(MESSAGES[me]) else world


def note_the_mailbox(world: World, me: int) -> Result:
    sender = world.senders[me]._replace(note=True, is_full=False, sees_sleeper=False)
    return world._replace(senders=_with(world, me, sender))


def lock(world: World, me: int) -> Result:
    # A dead holder's mutex is taken over: all it left lies beyond the tail.
    return world._replace(mutex=me) if world.mutex in (NOBODY, DEAD) else None


def look_for_room(world: World, me: int) -> Result:
    if world.tail - world.head < ROOM:
        return world
    sender = world.senders[me]._replace(is_full=True)
    return world._replace(senders=_with(world, me, sender)), "unlock"


def _store_record(world: World, record: tuple[int, str]) -> World:
    at = world.tail % ROOM
    return world._replace(
        records=(*world.records[:at], record, *world.records[at + 1 :])
    )


def copy_half(world: World, me: int) -> Result:
    del me
    return _store_record(world, HALF)


def copy_the_rest(world: World, me: int) -> Result:
    message = MESSAGES[me][world.senders[me].message]
    return _store_record(world, (world.tail, message))


def move_the_tail(world: World, me: int) -> Result:
    message = MESSAGES[me][world.senders[me].message]
    return world._replace(tail=world.tail + 1, committed=_and(world.committed, message))


def unlock(world: World, me: int) -> Result:
    return world._replace(mutex=NOBODY) if world.mutex == me else world


def look_whether_it_sleeps(world: World, me: int) -> Result:
    sender = world.senders[me]
    sender = sender._replace(sees_sleeper=world.armed and not sender.is_full)
    return world._replace(senders=_with(world, me, sender))


def ring(world: World, me: int) -> Result:
    return world._replace(bell=True) if world.senders[me].sees_sleeper else world


def clear_the_note(world: World, me: int) -> Result:
    sender = world.senders[me]._replace(note=False)
    return world._replace(senders=_with(world, me, sender))


def leave(world: World, me: int) -> Result:
    """Return from the put; one that found no room is tried again when there is some."""
    is_full = world.senders[me].is_full
    sender = Sender(message=world.senders[me].message + (not is_full))
    world = world._replace(senders=_with(world, me, sender))
    return world, "write the byte" if is_full else "begin"


def write_the_byte(world: World, me: int) -> Result:
    del me
    return world._replace(room_byte=True)


def say_that_it_waits(world: World, me: int) -> Result:
    del me
    return world._replace(waiters=WAITED_FOR)


def look_for_room_again(world: World, me: int) -> Result:
    del me
    if world.tail - world.head < ROOM:
        return world._replace(room_byte=False)
    return world


def sleep_until_there_is_room(world: World, me: int) -> Result:
    del me
    return None if world.room_byte else (world, "begin")


PUT: Program = (
    ("begin", begin),
    ("note the mailbox", note_the_mailbox),
    ("lock", lock),
    ("look for room", look_for_room),
    ("copy half of the record", copy_half),
    ("copy the rest", copy_the_rest),
    ("move the tail", move_the_tail),
    ("unlock", unlock),
    ("look whether it sleeps", look_whether_it_sleeps),
    ("ring", ring),
    ("clear the note", clear_the_note),
    ("leave", leave),
    ("write the byte", write_the_byte),
    ("say that it waits", say_that_it_waits),
    ("look for room again", look_for_room_again),
    ("sleep until there is room", sleep_until_there_is_room),
)


# --- the actor ----------------------------------------------------------------


def settle(world: World) -> Result:
    """Begin a life: what is in the slot goes first, and leaves the ring if it is there too."""
    actor = world.actor
    if not actor.marked:
        return world, "look"
    if world.tail > actor.head and world.records[actor.head % ROOM] == actor.record:
        head = actor.head + 1
        world = world._replace(head=head, actor=actor._replace(head=head))
    return world, "start"


def look(world: World) -> Result:
    return (world, WAKE_AT_REST[0][0]) if world.tail == world.actor.head else world


def empty_the_slot(world: World) -> Result:
    return world._replace(actor=world.actor._replace(marked=False))


def forget_the_start(world: World) -> Result:
    return world._replace(actor=world.actor._replace(started=False))


def copy_to_the_slot(world: World) -> Result:
    actor = world.actor
    seq, message = world.records[actor.head % ROOM]
    world = world._replace(actor=actor._replace(record=(seq, message)))
    return world if seq == actor.head else world._replace(torn=True)


def mark_the_slot(world: World) -> Result:
    return world._replace(actor=world.actor._replace(marked=True))


def move_the_head(world: World) -> Result:
    head = world.actor.head + 1
    return world._replace(head=head, actor=world.actor._replace(head=head))


def _look_for_waiters(world: World, otherwise: Jump) -> Result:
    # As late as can be: the ring wakes when half of it is free.
    is_empty = world.tail == world.actor.head
    return world if world.waiters and is_empty else (world, otherwise)


def look_for_waiters(world: World) -> Result:
    return _look_for_waiters(world, "taken")


def look_for_waiters_at_rest(world: World) -> Result:
    return _look_for_waiters(world, "arm")


def say_that_it_wakes(world: World) -> Result:
    return world._replace(waiters=WAKING)


def empty_the_fifo(world: World) -> Result:
    return world._replace(room_byte=False)


def end_to_wake(world: World) -> Result:
    return world._replace(waiters=0) if world.waiters == WAKING else world


def taken(world: World) -> Result:
    return world


def start(world: World) -> Result:
    return world._replace(actor=world.actor._replace(started=True))


def handle(world: World) -> Result:
    message = world.actor.record[1]
    if not message:
        return world._replace(torn=True)
    if message in world.reported:
        world = world._replace(contradicted=True)
    return world._replace(handled=_and(world.handled, message))


def answer(world: World) -> Result:
    return world._replace(answered=_and(world.answered, world.actor.record[1]))


def end(world: World) -> Result:
    # What stays in an empty slot means nothing; one state for all of it.
    return world._replace(actor=world.actor._replace(record=EMPTY)), "look"


def arm(world: World) -> Result:
    return world._replace(armed=True)


def look_again(world: World) -> Result:
    return world if world.tail == world.actor.head else (world, "disarm")


def sleep(world: World) -> Result:
    return world if world.bell else None


def hush(world: World) -> Result:
    return world._replace(bell=False)


def disarm(world: World) -> Result:
    return world._replace(armed=False, late_arm=False), "look"


WAKE: Program = (
    ("look for waiters", look_for_waiters),
    ("say that it wakes", say_that_it_wakes),
    ("empty the FIFO", empty_the_fifo),
    ("end to wake", end_to_wake),
)
WAKE_AT_REST: Program = (
    ("look for waiters at rest", look_for_waiters_at_rest),
    *((f"{name} at rest", act) for name, act in WAKE[1:]),
)

LIVE: Program = (
    ("settle", settle),
    ("look", look),
    ("empty the slot", empty_the_slot),
    ("forget the start", forget_the_start),
    ("copy to the slot", copy_to_the_slot),
    ("mark the slot", mark_the_slot),
    ("move the head", move_the_head),
    *WAKE,
    ("taken", taken),
    ("start", start),
    ("handle", handle),
    ("answer", answer),
    ("empty the slot again", empty_the_slot),
    ("forget the start again", forget_the_start),
    ("end", end),
    *WAKE_AT_REST,
    ("arm", arm),
    ("look again", look_again),
    ("sleep", sleep),
    ("hush", hush),
    ("disarm", disarm),
)


# --- the supervisor, who reaps --------------------------------------------------


def ring_for_the_note(world: World, me: int) -> World:
    """Do for a dead sender what it may not have done."""
    bell = world.bell or world.senders[me].note
    sender = world.senders[me]._replace(note=False)
    return world._replace(bell=bell, senders=_with(world, me, sender))


def begin_the_next_life(world: World) -> World:
    """Report what a dead actor had in hand, and start it again."""
    actor, reported = world.actor, world.reported
    if actor.marked and actor.started:
        reported = _and(reported, actor.record[1])
        actor = actor._replace(marked=False, started=False)
    actor = Actor(0, world.head, actor.marked, actor.started, actor.record)
    return world._replace(actor=actor, reported=reported)


# --- programs with mistakes -----------------------------------------------------


def without(program: Program, *names: str) -> Program:
    """Leave steps out."""
    return tuple(step for step in program if step[0] not in names)


def moved(program: Program, name: str, *, before: str) -> Program:
    """Put a step in front of another one."""
    step = next(step for step in program if step[0] == name)
    rest = without(program, name)
    place = _place(rest, before)
    return (*rest[:place], step, *rest[place:])


def replaced(program: Program, name: str, act: Callable[..., Result]) -> Program:
    """Let a step do something else."""
    return tuple((each, act if each == name else old) for each, old in program)


def arm_weakly(world: World) -> Result:
    """Store with an order that lets the load that follows come first."""
    return world._replace(late_arm=True)


def forget_the_waiters(world: World) -> Result:
    """Take the flag down before the FIFO is empty."""
    return world._replace(waiters=0)


def rest(world: World) -> Result:
    """Look for no waiters."""
    return world, "arm"


def lock_unless_dead(world: World, me: int) -> Result:
    """Wait for a dead holder too."""
    return None if world.mutex == DEAD else lock(world, me)


def adopt_without_settling(world: World) -> Result:
    """Begin with what is in the slot, and leave its double in the ring."""
    return world, "start" if world.actor.marked else "look"


def ring_for_nobody(world: World, me: int) -> World:
    """Forget the note of a dead sender."""
    sender = world.senders[me]._replace(note=False)
    return world._replace(senders=_with(world, me, sender))


# --- all that may happen --------------------------------------------------------


ONE_SENDER = (Sender(), Sender(message=len(MESSAGES[1])))  # the other has sent all


class Model(NamedTuple):
    """The programs of all who take part."""

    put: Program = PUT
    live: Program = LIVE
    ring_for: Callable[[World, int], World] = ring_for_the_note

    def steps(self, world: World) -> Iterator[tuple[str, World]]:
        """Yield what may happen next.

        A step that touches nothing shared goes alone: what others do meanwhile, kills too, they may as well do after it.
        """
        for me, sender in enumerate(world.senders):
            if not sender.is_dead and self.put[sender.at][1] is leave:
                yield next(self._of_sender(world, me, sender))
                return
        if not world.actor.is_dead and self.live[world.actor.at][1] in {end, taken}:
            yield next(self._of_actor(world))
            return
        for me, sender in enumerate(world.senders):
            yield from self._of_sender(world, me, sender)
        yield from self._of_actor(world)
        if world.late_arm:
            yield (
                "the store of armed arrives",
                world._replace(armed=True, late_arm=False),
            )

    def _of_sender(
        self, world: World, me: int, sender: Sender
    ) -> Iterator[tuple[str, World]]:
        if sender.is_dead:
            if sender.note:
                yield f"sender {me} is reaped", self.ring_for(world, me)
            return
        name, act = self.put[sender.at]
        result = act(world, me)
        if result is not None:
            world_after, at = _next(result, sender.at, self.put)
            after = world_after.senders[me]._replace(at=at)
            yield (
                f"sender {me}: {name}",
                world_after._replace(senders=_with(world_after, me, after)),
            )
        if world.kills and sender.at:  # before its first step nothing has happened
            mutex = DEAD if world.mutex == me else world.mutex
            dead = Sender(note=sender.note, is_dead=True)
            yield (
                f"sender {me} is killed",
                world._replace(
                    senders=_with(world, me, dead), mutex=mutex, kills=world.kills - 1
                ),
            )

    def _of_actor(self, world: World) -> Iterator[tuple[str, World]]:
        if world.actor.is_dead:
            yield "the actor is restarted", begin_the_next_life(world)
            return
        name, act = self.live[world.actor.at]
        result = act(world)
        if result is not None:
            world_after, at = _next(result, world.actor.at, self.live)
            after = world_after.actor._replace(at=at)
            yield f"actor: {name}", world_after._replace(actor=after)
        if world.kills:
            dead = world.actor._replace(is_dead=True, at=0, head=0)
            yield (
                "the actor is killed",
                world._replace(actor=dead, kills=world.kills - 1),
            )


def _next(
    result: World | tuple[World, Jump], at: int, program: Program
) -> tuple[World, int]:
    if isinstance(result, World):
        return result, at + 1
    world, name = result
    return world, _place(program, name)


@functools.cache
def _place(program: Program, name: str) -> int:
    return [step[0] for step in program].index(name)


# --- what must hold -------------------------------------------------------------


def wrong(world: World, is_end: bool) -> str | None:  # noqa: FBT001 - as explore() calls it
    """Say what is wrong with a state; at an end, nobody has anything left to do."""
    if world.torn:
        return "torn"
    if len(set(world.handled)) < len(world.handled):
        return "handled twice"
    if world.contradicted:
        return "reported and handled later"
    return _wrong_at_the_end(world) if is_end else None


def _wrong_at_the_end(world: World) -> str | None:
    for me, sender in enumerate(world.senders):
        if not sender.is_dead and sender.message < len(MESSAGES[me]):
            return "a sender waits for ever"
    if world.tail != world.head:
        return "asleep on a message"
    for message in world.committed:
        if message not in world.answered + world.reported:
            return "lost without a word"
        if message not in world.handled + world.reported:
            return "never handled"
    return None
