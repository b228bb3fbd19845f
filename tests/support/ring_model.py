"""The protocol of ring, bell and slot as a model: docs/explain/shm-ring.md in steps that can be interrupted.

Responsible for: which store comes before which, and what is left by a process killed between any two.
Not responsible for: orders weaker than sequential consistency, but for the one store that needs it (``asleep``), which
is late with ``arm_weakly``; sizes and lengths; the end of a ring.

Senders put messages into a ring with room for two records; one actor, or two, take, start, handle, answer.  Each step is
one access to what the processes share.  Anyone may be killed between any two steps; a supervisor, who is not killed, then
does for a sender what its note asks for, and settles what an actor had in hand before it starts the next.
A sender that finds no room sleeps until an actor wakes it; nobody looks again by the clock.
Of the actors that sleep on the bell, one is woken by each ring, as with ``EPOLLEXCLUSIVE``.

A program is a list of steps.  So a mistake is a program with a step left out, or in another place.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias, TypeVar

ROOM = 2  # records
MESSAGES = (("a", "b"), ("c",))  # of each sender
NOBODY, DEAD = -1, -2  # who may stand in the mutex instead of a sender
Record: TypeAlias = "tuple[int, str, bool]"  # number, message, whether it is taken
HALF: Record = (-1, "", False)  # that is being copied
EMPTY: Record = (-2, "", False)
WAITED_FOR, WAKING = 1, 2  # the latter with the actor's place added


class Sender(NamedTuple):
    """One sender: where it stands, and its note in its status page."""

    at: int = 0
    message: int = 0
    is_full: bool = False
    sees_sleeper: bool = False
    note: bool = False
    is_dead: bool = False


class Actor(NamedTuple):
    """A receiver: where it stands, and its slot in its status page."""

    at: int = 0
    seen: tuple[int, int] = (0, NOBODY)  # what it has read of ``next``
    seen_head: int = -1
    marked: bool = False
    started: bool = False
    record: Record = EMPTY
    sleeping: bool = False  # in the kernel
    called: bool = True  # which lets it go on if the bell still rings, as at first
    is_dead: bool = False


class World(NamedTuple):
    """Everything shared, and what has become of the messages."""

    senders: tuple[Sender, ...] = (Sender(), Sender())
    actors: tuple[Actor, ...] = (Actor(),)
    mutex: int = NOBODY
    tail: int = 0
    head: int = 0
    next: tuple[int, int] = (0, NOBODY)  # and who has claimed last
    claims: tuple[int, ...] = (-1, -1)  # the record that each claimed before others did
    records: tuple[Record, ...] = (EMPTY,) * ROOM
    asleep: tuple[bool, ...] = (False, False)
    late_arm: tuple[bool, ...] = (False, False)  # stored, and not yet seen by others
    bell: bool = False
    waiters: int = 0  # 0, WAITED_FOR, or WAKING and who wakes
    # In the FIFO that senders sleep on: they do while it is there.
    room_byte: bool = False
    kills: int = 0  # that may still come
    committed: str = ""
    handled: str = ""
    answered: str = ""
    reported: str = ""
    torn: bool = False
    contradicted: bool = False  # a message was handled after it was reported


Jump: TypeAlias = str  # the step to go on with
# None: it has to wait; a list: each of these may be.
Result: TypeAlias = "World | tuple[World, Jump] | list[World] | None"
Step: TypeAlias = "tuple[str, Callable[..., Result]]"
Program: TypeAlias = "tuple[Step, ...]"


T = TypeVar("T")


def _and(messages: str, message: str) -> str:
    return "".join(sorted(messages + message))


def _put(values: tuple[T, ...], place: int, value: T) -> tuple[T, ...]:
    return (*values[:place], value, *values[place + 1 :])


def _rung(world: World) -> list[World]:
    """Ring: one of those who sleep is woken; if nobody does yet, nobody falls asleep over it."""
    world = world._replace(bell=True)
    woken = [
        world._replace(actors=_put(world.actors, place, actor._replace(called=True)))
        for place, actor in enumerate(world.actors)
        if actor.sleeping
    ]
    all_called = tuple(actor._replace(called=True) for actor in world.actors)
    return woken or [world._replace(actors=all_called)]


# --- a sender; `me` is its place ----------------------------------------------


def _with(world: World, me: int, sender: Sender) -> tuple[Sender, ...]:
    return _put(world.senders, me, sender)


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


def _store_record(world: World, record: Record) -> World:
    return world._replace(records=_put(world.records, world.tail % ROOM, record))


def copy_half(world: World, me: int) -> Result:
    del me
    return _store_record(world, HALF)


def copy_the_rest(world: World, me: int) -> Result:
    message = MESSAGES[me][world.senders[me].message]
    return _store_record(world, (world.tail, message, False))


def move_the_tail(world: World, me: int) -> Result:
    message = MESSAGES[me][world.senders[me].message]
    return world._replace(tail=world.tail + 1, committed=_and(world.committed, message))


def unlock(world: World, me: int) -> Result:
    return world._replace(mutex=NOBODY) if world.mutex == me else world


def look_whether_it_sleeps(world: World, me: int) -> Result:
    sender = world.senders[me]
    sender = sender._replace(sees_sleeper=any(world.asleep) and not sender.is_full)
    return world._replace(senders=_with(world, me, sender))


def ring(world: World, me: int) -> Result:
    return _rung(world) if world.senders[me].sees_sleeper else world


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


def put_at_once(world: World, me: int) -> Result:
    """Do all that is done under the lock; there is room."""
    message = MESSAGES[me][world.senders[me].message]
    world = _store_record(world, (world.tail, message, False))
    return world._replace(tail=world.tail + 1, committed=_and(world.committed, message))


PUT_AT_ONCE: Program = (  # for where two actors are states enough
    ("begin", begin),
    ("note the mailbox", note_the_mailbox),
    ("put at once", put_at_once),
    ("look whether it sleeps", look_whether_it_sleeps),
    ("ring", ring),
    ("clear the note", clear_the_note),
    ("leave", leave),
)
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


# --- an actor; `me` is its place, and its seat ---------------------------------


def _is(world: World, me: int, **changes: object) -> World:
    actor = world.actors[me]._replace(**changes)  # type: ignore[arg-type]  # as the steps have them
    return world._replace(actors=_put(world.actors, me, actor))


def begin_a_life(world: World, me: int) -> Result:
    # what is in the slot, and was not started, goes first
    return world, "start" if world.actors[me].marked else "look"


def look(world: World, me: int) -> Result:
    if world.tail == world.next[0]:
        return world, WAKE_AT_REST[0][0]
    return _is(world, me, seen=world.next)


def note_the_last_claim(world: World, me: int) -> Result:
    claimed, last = world.actors[me].seen
    if last in {NOBODY, me}:
        return world
    noted = max(world.claims[last], claimed - 1)
    return world._replace(claims=_put(world.claims, last, noted))


def claim(world: World, me: int) -> Result:
    seen = world.actors[me].seen
    if world.next != seen:
        return world, "look"
    return world._replace(next=(seen[0] + 1, me))


def empty_the_slot(world: World, me: int) -> Result:
    return _is(world, me, marked=False)


def forget_the_start(world: World, me: int) -> Result:
    return _is(world, me, started=False)


def copy_to_the_slot(world: World, me: int) -> Result:
    record = world.records[world.actors[me].seen[0] % ROOM]
    world = _is(world, me, record=record)
    is_whole = record[0] == world.actors[me].seen[0] and not record[2]
    return world if is_whole else world._replace(torn=True)


def mark_the_slot(world: World, me: int) -> Result:
    return _is(world, me, marked=True)


def _with_taken(world: World, number: int) -> World:
    place = number % ROOM
    _, message, _ = world.records[place]
    taken = (number, message, True)
    return world._replace(records=_put(world.records, place, taken))


def mark_it_as_taken(world: World, me: int) -> Result:
    return _with_taken(world, world.actors[me].seen[0])


def look_at_the_head(world: World, me: int) -> Result:
    return _is(world, me, seen_head=world.head)


def look_whether_it_is_taken(world: World, me: int) -> Result:
    head = world.actors[me].seen_head
    number, _, is_taken = world.records[head % ROOM]
    if number == head and is_taken:
        return world
    return world, "look at the head again"


def move_the_head(world: World, me: int) -> Result:
    head = world.actors[me].seen_head
    if world.head == head:
        world = world._replace(head=head + 1)
    return world, "look at the head"


def look_at_the_head_again(world: World, me: int) -> Result:
    if world.head != world.actors[me].seen_head:
        return world, "look at the head"
    return _is(world, me, seen_head=-1)


def _look_for_waiters(world: World, otherwise: Jump) -> Result:
    # As late as can be: the ring wakes when half of it is free.
    is_empty = world.tail == world.head
    return world if world.waiters and is_empty else (world, otherwise)


def look_for_waiters(world: World, me: int) -> Result:
    del me
    return _look_for_waiters(world, "look for what is left")


def look_for_waiters_at_rest(world: World, me: int) -> Result:
    del me
    return _look_for_waiters(world, "arm")


def say_that_it_wakes(world: World, me: int) -> Result:
    return world._replace(waiters=WAKING + me)


def empty_the_fifo(world: World, me: int) -> Result:
    del me
    return world._replace(room_byte=False)


def end_to_wake(world: World, me: int) -> Result:
    return world._replace(waiters=0) if world.waiters == WAKING + me else world


def look_for_what_is_left(world: World, me: int) -> Result:
    del me
    return world if world.tail != world.next[0] else (world, "taken")


def ring_for_another(world: World, me: int) -> Result:
    del me
    return _rung(world) if any(world.asleep) else world


def taken(world: World, me: int) -> Result:
    # What it has seen means nothing from here; one state for all of it.
    return _is(world, me, seen=(0, NOBODY))


def start(world: World, me: int) -> Result:
    return _is(world, me, started=True)


def handle(world: World, me: int) -> Result:
    message = world.actors[me].record[1]
    if not message:
        return world._replace(torn=True)
    if message in world.reported:
        world = world._replace(contradicted=True)
    return world._replace(handled=_and(world.handled, message))


def answer(world: World, me: int) -> Result:
    message = world.actors[me].record[1]
    return world._replace(answered=_and(world.answered, message))


def end(world: World, me: int) -> Result:
    # Nor does what stays in an empty slot.
    return _is(world, me, record=EMPTY), "look"


def arm(world: World, me: int) -> Result:
    return world._replace(asleep=_put(world.asleep, me, True))  # noqa: FBT003 - a bit


def look_again(world: World, me: int) -> Result:
    del me
    return world if world.tail == world.next[0] else (world, "disarm")


def fall_asleep(world: World, me: int) -> Result:
    called = world.actors[me].called and world.bell
    return _is(world, me, sleeping=True, called=called)


def sleep(world: World, me: int) -> Result:
    if not (world.actors[me].called and world.bell):
        return None
    return _is(world, me, sleeping=False, called=False)


def hush(world: World, me: int) -> Result:
    del me
    actors = tuple(
        actor._replace(called=actor.called and not actor.sleeping)
        for actor in world.actors
    )
    return world._replace(bell=False, actors=actors)


def disarm(world: World, me: int) -> Result:
    asleep, late = (_put(bits, me, False) for bits in (world.asleep, world.late_arm))  # noqa: FBT003 - a bit
    return world._replace(asleep=asleep, late_arm=late), "look"


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
    ("begin a life", begin_a_life),
    ("look", look),
    ("note the last claim", note_the_last_claim),
    ("claim", claim),
    ("empty the slot", empty_the_slot),
    ("forget the start", forget_the_start),
    ("copy to the slot", copy_to_the_slot),
    ("mark the slot", mark_the_slot),
    ("mark it as taken", mark_it_as_taken),
    ("look at the head", look_at_the_head),
    ("look whether it is taken", look_whether_it_is_taken),
    ("move the head", move_the_head),
    ("look at the head again", look_at_the_head_again),
    *WAKE,
    ("look for what is left", look_for_what_is_left),
    ("ring for another", ring_for_another),
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
    ("fall asleep", fall_asleep),
    ("sleep", sleep),
    ("hush", hush),
    ("disarm", disarm),
)


# --- the supervisor, who reaps --------------------------------------------------


def ring_for_the_note(world: World, me: int) -> list[World]:
    """Do for a dead sender what it may not have done."""
    is_owed = world.senders[me].note
    sender = world.senders[me]._replace(note=False)
    world = world._replace(senders=_with(world, me, sender))
    return _rung(world) if is_owed else [world]


def settle(world: World, me: int) -> World:
    """Finish what a dead actor was doing: what it had claimed goes into its slot, and out of the ring."""
    actor = world.actors[me]
    claimed = world.next[0] - 1 if world.next[1] == me else world.claims[me]
    number, message, is_taken = world.records[claimed % ROOM]
    if world.head <= claimed and number == claimed and not is_taken:
        if actor.marked and actor.record[0] != claimed:
            return world._replace(torn=True)  # there is no slot that it could be in
        if not actor.marked:
            record = number, message, False
            world = _is(world, me, marked=True, started=False, record=record)
        world = _with_taken(world, claimed)
    while world.records[world.head % ROOM][::2] == (world.head, True):
        world = world._replace(head=world.head + 1)
    return world._replace(asleep=_put(world.asleep, me, False))  # noqa: FBT003 - a bit


def ring_for_the_dead(world: World) -> list[World]:
    """Wake another one for what the dead actor may have been woken for."""
    return (
        _rung(world) if world.tail != world.next[0] and any(world.asleep) else [world]
    )


def report(world: World, me: int) -> World:
    """Report what a dead actor had in hand, and start it again."""
    actor, reported = world.actors[me], world.reported
    if actor.marked and actor.started:
        reported = _and(reported, actor.record[1])
        actor = actor._replace(marked=False, started=False)
    actor = Actor(marked=actor.marked, started=actor.started, record=actor.record)
    return world._replace(
        actors=_put(world.actors, me, actor),
        reported=reported,
        late_arm=_put(world.late_arm, me, False),  # noqa: FBT003 - a bit
    )


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


def arm_weakly(world: World, me: int) -> Result:
    """Store with an order that lets the load that follows come first."""
    return world._replace(late_arm=_put(world.late_arm, me, True))  # noqa: FBT003 - a bit


def forget_the_waiters(world: World, me: int) -> Result:
    """Take the flag down before the FIFO is empty."""
    del me
    return world._replace(waiters=0)


def rest(world: World, me: int) -> Result:
    """Look for no waiters."""
    del me
    return world, "arm"


def claim_without_a_look(world: World, me: int) -> Result:
    """Store, where an exchange is needed."""
    return world._replace(next=(world.actors[me].seen[0] + 1, me))


def lock_unless_dead(world: World, me: int) -> Result:
    """Wait for a dead holder too."""
    return None if world.mutex == DEAD else lock(world, me)


def leave_unsettled(world: World, me: int) -> World:
    """Leave in the ring what a dead actor had claimed."""
    return world._replace(asleep=_put(world.asleep, me, False))  # noqa: FBT003 - a bit


def ring_for_nobody(world: World, me: int) -> list[World]:
    """Forget the note of a dead sender."""
    sender = world.senders[me]._replace(note=False)
    return [world._replace(senders=_with(world, me, sender))]


# --- all that may happen --------------------------------------------------------


ONE_SENDER = (Sender(), Sender(message=len(MESSAGES[1])))  # the other has sent all
TWO_ACTORS = (Actor(), Actor())


class Model(NamedTuple):
    """The programs of all who take part."""

    put: Program = PUT
    live: Program = LIVE
    ring_for: Callable[[World, int], list[World]] = ring_for_the_note
    settle: Callable[[World, int], World] = settle
    hand_on: Callable[[World], list[World]] = ring_for_the_dead

    def steps(self, world: World) -> Iterator[tuple[str, World]]:
        """Yield what may happen next.

        A step that touches nothing shared goes alone: what others do meanwhile, kills too, they may as well do after it.
        """
        for me, sender in enumerate(world.senders):
            if not sender.is_dead and self.put[sender.at][1] is leave:
                yield from self._of_sender(world, me, sender, kills=0)
                return
        for me, actor in enumerate(world.actors):
            if not actor.is_dead and self.live[actor.at][1] in ALONE:
                yield from self._of_actor(world, me, actor, kills=0)
                return
        for me, sender in enumerate(world.senders):
            yield from self._of_sender(world, me, sender, world.kills)
        for me, actor in enumerate(world.actors):
            yield from self._of_actor(world, me, actor, world.kills)
        for me, is_late in enumerate(world.late_arm):
            if is_late:
                asleep = _put(world.asleep, me, True)  # noqa: FBT003 - a bit
                late = _put(world.late_arm, me, False)  # noqa: FBT003 - a bit
                yield (
                    "a store of asleep arrives",
                    world._replace(asleep=asleep, late_arm=late),
                )

    def _of_sender(
        self, world: World, me: int, sender: Sender, kills: int
    ) -> Iterator[tuple[str, World]]:
        if sender.is_dead:
            if sender.note:
                for after in self.ring_for(world, me):
                    yield f"sender {me} is reaped", after
            return
        name, act = self.put[sender.at]
        for world_after, at in _next(act(world, me), sender.at, self.put):
            moved = world_after.senders[me]._replace(at=at)
            yield (
                f"sender {me}: {name}",
                world_after._replace(senders=_with(world_after, me, moved)),
            )
        if kills and sender.at:  # before its first step nothing has happened
            mutex = DEAD if world.mutex == me else world.mutex
            dead = Sender(note=sender.note, is_dead=True)
            yield (
                f"sender {me} is killed",
                world._replace(
                    senders=_with(world, me, dead), mutex=mutex, kills=kills - 1
                ),
            )

    def _of_actor(
        self, world: World, me: int, actor: Actor, kills: int
    ) -> Iterator[tuple[str, World]]:
        if actor.is_dead:
            for after in self.hand_on(report(self.settle(world, me), me)):
                yield f"actor {me} is settled and restarted", after
            return
        name, act = self.live[actor.at]
        for world_after, at in _next(act(world, me), actor.at, self.live):
            yield f"actor {me}: {name}", _is(world_after, me, at=at)
        if kills:
            dead = Actor(
                marked=actor.marked,
                started=actor.started,
                record=actor.record,
                is_dead=True,
            )
            yield (
                f"actor {me} is killed",
                world._replace(actors=_put(world.actors, me, dead), kills=kills - 1),
            )


ALONE = {end, taken}


def is_kill(name: str) -> bool:
    """Return whether this step is a kill, which need not come."""
    return name.endswith(" is killed")


def _next(result: Result, at: int, program: Program) -> Iterator[tuple[World, int]]:
    """Yield what may come of a step of *program*: the world, and where it goes on."""
    if isinstance(result, World):
        yield result, at + 1
    elif isinstance(result, list):
        for world in result:
            yield world, at + 1
    elif result is not None:
        world, name = result
        yield world, _place(program, name)


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
