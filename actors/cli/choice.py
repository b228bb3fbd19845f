"""Which system, and which of its actors, a name on the command line means.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.cli.snapshot import Actor, State, System

NOT_FOUND = 1
USAGE = 2
FAILED = 3
MAX_NAMED = 10  # actors that a sentence names


class CommandError(Exception):
    """The command cannot do what it was asked to.

    Attributes:
        text: What to tell: one sentence.
        status: To exit with: ``NOT_FOUND``, ``USAGE`` or ``FAILED``.
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


def split(target: str) -> tuple[str | None, str]:
    """Return the parts of ``[SYSTEM/]NAME``."""
    system, slash, name = target.rpartition("/")
    return (system if slash else None), name


def short(names: Sequence[str]) -> list[str]:
    """Return *names* of systems without their numbers, as far as one is enough to tell which is meant."""
    plain = [name.partition(".")[0] for name in names]
    return [
        name if plain.count(kept) > 1 else kept
        for name, kept in zip(names, plain, strict=True)
    ]


def system_of(
    names: Sequence[str], wanted: str | None, example: str = "actors ps {}"
) -> str:
    """Return the full name of the system that is meant.

    Args:
        names: The full names of those that run, oldest first.
        wanted: With or without its number; None for the only one that runs.
        example: What to type for one of several.

    Raises:
        CommandError: There is none, or there are several.
    """
    if wanted is None:
        found = list(names)
        if not found:
            text = "no system runs for this user in this directory"
            raise CommandError(text, NOT_FOUND)
    else:
        found = [name for name in names if wanted in {name, name.partition(".")[0]}]
        if not found:
            running = ", ".join(short(names)) or "none"
            text = f"no system {wanted!r} runs; running: {running}"
            raise CommandError(text, NOT_FOUND)
    if len(found) > 1:
        which = "several systems run" if wanted is None else f"several {wanted!r} run"
        usable = short(names) if wanted is None else found
        text = f"{which}: {', '.join(usable)}; name one, as in: {example.format(usable[0])}"
        raise CommandError(text, USAGE)
    return found[0]


def actor_of(system: System, name: str) -> Actor:
    """Return the actor that is meant by *name*, or by its number in the system; a pool's mailbox only where no actor is called so.

    Raises:
        CommandError: There is none, or there are several.
    """
    called = [actor for actor in system.actors if actor.name == name]
    found = [actor for actor in called if actor.state is not State.SHARED] or called
    if not found and name.isdecimal():
        found = [actor for actor in system.actors if actor.number == int(name)]
    if not found:
        there_are = [actor.name for actor in system.actors]
        dots = ", …" if len(there_are) > MAX_NAMED else ""
        text = f"no actor {name!r} in the system {system.name}; it has: {', '.join(there_are[:MAX_NAMED]) or 'none'}{dots}"
        raise CommandError(text, NOT_FOUND)
    if len(found) > 1:
        numbers = ", ".join(str(actor.number) for actor in found)
        text = f"several actors are called {name!r}; give the number of one instead: {numbers}"
        raise CommandError(text, USAGE)
    return found[0]


def check_alone(actor: Actor) -> None:
    """Refuse to do anything to what is no actor.

    Raises:
        CommandError: It is the mailbox of a pool.
    """
    if actor.state is State.SHARED:
        text = f"{actor.name!r} is the mailbox that the workers of a pool take from, and no actor; name one of them, as actors ps shows them"
        raise CommandError(text, USAGE)
