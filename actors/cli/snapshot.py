"""A system at one moment, as values.

Their fields are what ``--json`` shows, under the same names; so a field that is renamed breaks somebody's script.
"""

from __future__ import annotations

import enum

import attrs

from actors.supervision.spare import UNBORN


class State(enum.StrEnum):
    """What an actor is doing.

    Attributes:
        STARTING: Its first process is not ready yet.
        RESTARTING: A later one is not.
        IDLE: It waits for a message.
        BUSY: It handles one, or a timer.
        WAITING: Each of its handlers waits for the answer of an actor.
        FROZEN: Its process is stopped.
        DEAD: Its process has ended, and nobody has begun to replace it yet.
        SHARED: It is no actor, but the mailbox that the workers of a pool take from.
    """

    STARTING = "starting"
    RESTARTING = "restarting"
    IDLE = "idle"
    BUSY = "busy"
    WAITING = "waiting"
    FROZEN = "frozen"
    DEAD = "dead"
    SHARED = "shared"


@attrs.frozen
class Process:
    """A process of the operating system.

    Attributes:
        pid: Its number.
        parent: That of its parent.
        name: What the kernel calls it: at most 15 bytes.
        is_stopped: It is stopped, by a signal or a debugger.
        is_dead: It has ended, and is not reaped yet.
        rss_bytes: The memory that is there for it, what it shares with others included.
    """

    pid: int
    parent: int
    name: str
    is_stopped: bool = False
    is_dead: bool = False
    rss_bytes: int = 0


@attrs.frozen
class Work:
    """What one handler is doing.

    Attributes:
        method: As ``Counter.add``; ``a timer`` for one that no message has started.
        seconds: Since it began; of a timer, since it waits.
        waits_for: The actor whose answer it waits for; None if it waits for none.
    """

    method: str
    seconds: float
    waits_for: str | None = None


@attrs.frozen
class Message:
    """A message that waits in a mailbox.

    Attributes:
        kind: ``ask``, ``tell`` or ``stop``.
        method: As ``Counter.add``; empty for a stop.
        sender: The actor that has sent it, or ``program 1234`` with its pid; ``process 7`` for one that has ended.
        seconds: Since it was sent.
        frame_bytes: What it takes in the mailbox; a large one lies elsewhere.
    """

    kind: str
    method: str
    sender: str
    seconds: float
    frame_bytes: int


@attrs.frozen
class Actor:
    """An actor, or a mailbox that several share.

    Attributes:
        name: Its name; for one without, its class and number.
        number: Its number in the system.
        class_name: The name of its class.
        pid: Its process; 0 before the first one, and where there is none.
        state: See ``State``.
        incarnation: How many processes it has had.
        restarts: One less, whatever the reason was.
        transport: The scheme of its mailbox.
        queued: How many messages wait in its mailbox; None where the kernel does not tell.
        oldest_seconds: Since the first of them was sent; None if there is none, or where that cannot be seen.
        rss_bytes: See ``Process``.
        handled: How many messages this incarnation has finished.
        outbox: How many messages wait in its process for room in the mailboxes of others.
        running: What its handlers are doing.
        companion_pid: Of the supervisor that has what it has spawned; 0 where it has spawned nothing.
    """

    name: str
    number: int
    class_name: str
    pid: int
    state: State
    incarnation: int
    restarts: int
    transport: str
    queued: int | None
    oldest_seconds: float | None
    rss_bytes: int
    handled: int
    outbox: int
    running: tuple[Work, ...]
    companion_pid: int = 0


@attrs.frozen
class System:
    """A running system.

    Attributes:
        name: What its owner calls it.
        full_name: The same with a number that no other system has had.
        directory: Where it keeps its files.
        age_seconds: Since it was started.
        owner_pid: The program that owns it.
        root_pid: Its root supervisor.
        program_pids: The programs that have joined it.
        actors: In the order in which they were spawned, with what they share.
    """

    name: str
    full_name: str
    directory: str
    age_seconds: float
    owner_pid: int
    root_pid: int
    program_pids: tuple[int, ...]
    actors: tuple[Actor, ...]

    @property
    def count(self) -> int:
        """How many of them are actors."""
        return sum(actor.state is not State.SHARED for actor in self.actors)


@attrs.frozen
class Branch:
    """A process in the tree of a system.

    Attributes:
        name: Of the actor; else what the kernel calls the process.
        kind: ``program``, ``root``, ``supervisor`` (one with actors below it), ``actor`` or ``process``.
        pid: Its number.
        state: Of an actor; None for others.
        children: The processes that it has started; of an actor also the actors and trees that it has spawned.
    """

    name: str
    kind: str
    pid: int
    state: State | None
    children: tuple[Branch, ...]


def state_of(
    process: Process | None,
    *,
    is_ready: bool,
    is_frozen: bool,
    incarnation: int,
    busy: int,
    running: tuple[Work, ...],
) -> State:
    """Return what an actor is doing.

    Args:
        process: Its process; None when there is none.
        is_ready: Whether it takes messages.
        is_frozen: Whether it was frozen.
        incarnation: Of the process.
        busy: How many of its timers run.
        running: Its handlers.
    """
    alive = None if process is None or process.is_dead else process
    if alive is not None and (is_frozen or alive.is_stopped):
        return State.FROZEN
    if not is_ready:
        return State.RESTARTING if incarnation > 1 else State.STARTING
    if alive is None:
        return State.DEAD
    if running and all(work.waits_for is not None for work in running):
        return State.WAITING
    return State.BUSY if running or busy else State.IDLE


def tree_of(system: System, processes: dict[int, Process]) -> Branch:
    """Return the processes of *system*, the program that owns it on top, without those that are nobody's yet.

    Siblings stand in the order of their actors in *system*: numbers of processes say little about who came first,
    because processes are made ahead.
    """
    below: dict[int, list[int]] = {}
    for process in processes.values():
        if process.name not in UNBORN:
            below.setdefault(process.parent, []).append(process.pid)
    actors = {actor.pid: actor for actor in system.actors}
    # Whose companion is in its place: it is shown with that one.
    companions = {
        actor.companion_pid: actor.pid
        for actor in system.actors
        if actor.companion_pid in processes and actor.pid in processes
    }
    for companion, pid in companions.items():
        below.setdefault(pid, []).extend(below.get(companion, ()))

    ranks = {actor.pid: rank for rank, actor in enumerate(system.actors)}

    def rank(branch: Branch) -> tuple[int, int]:
        """Return where *branch* stands: at its first actor's place, behind all actors when it has none."""
        own = ranks.get(branch.pid, len(ranks))
        return min([own, *(rank(child)[0] for child in branch.children)]), branch.pid

    def branch(pid: int) -> Branch:
        shown = set(below.get(pid, ())).difference(companions)
        children = tuple(sorted(map(branch, shown), key=rank))
        actor = actors.get(pid)
        if actor is not None:
            return Branch(actor.name, "actor", pid, actor.state, children)
        has_actors = any(child.kind in {"actor", "supervisor"} for child in children)
        kind = "supervisor" if has_actors else "process"
        if pid == system.root_pid:
            kind = "root"
        return Branch(processes[pid].name, kind, pid, None, children)

    roots = [system.root_pid] if system.root_pid in processes else []
    owner = processes.get(system.owner_pid)
    name = owner.name if owner is not None else "?"
    branches = tuple(branch(pid) for pid in roots)
    return Branch(name, "program", system.owner_pid, None, branches)


def under(root: int, processes: dict[int, Process]) -> dict[int, Process]:
    """Return those of *processes* that process *root* has started, itself or through others, and itself."""
    below: dict[int, list[int]] = {}
    for process in processes.values():
        below.setdefault(process.parent, []).append(process.pid)
    found: dict[int, Process] = {}
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        if pid in processes and pid not in found:
            found[pid] = processes[pid]
            waiting += below.get(pid, ())
    return found
