"""What the command prints for people.

Pure: values in, lines out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from actors.cli import choice
from actors.cli.snapshot import Actor, Branch, Message, System, Work
from actors.cli.table import Column, cut, seconds, size, table

_SYSTEMS = (
    Column("SYSTEM", is_flexible=True),
    Column("PID", is_number=True),
    Column("ROOT", is_number=True),
    Column("AGE", is_number=True),
    Column("ACTORS", is_number=True),
    Column("PROGRAMS", is_number=True),
)
_ACTORS = (
    Column("NAME", is_flexible=True),
    Column("PID", is_number=True),
    Column("STATE"),
    Column("LIFE", is_number=True),
    Column("QUEUED", is_number=True),
    Column("OLDEST", is_number=True),
    Column("RSS", is_number=True),
    Column("RUNNING", is_flexible=True),
)
_MESSAGES = (
    Column("KIND"),
    Column("METHOD", is_flexible=True),
    Column("FROM", is_flexible=True),
    Column("AGE", is_number=True),
    Column("SIZE", is_number=True),
)

_NAMED_KINDS = {"program", "root", "supervisor"}


def systems(found: Sequence[System], width: int | None) -> list[str]:
    """Return the lines of ``actors ls``."""
    names = choice.short([system.full_name for system in found])
    rows = [
        (
            name,
            str(system.owner_pid),
            str(system.root_pid),
            seconds(system.age_seconds),
            str(system.count),
            str(1 + len(system.program_pids)),
        )
        for name, system in zip(names, found, strict=True)
    ]
    return table(_SYSTEMS, rows, width) if rows else []


def actors(found: Sequence[Actor], width: int | None) -> list[str]:
    """Return the lines of ``actors ps``."""
    rows = [
        (
            actor.name,
            str(actor.pid or "-"),
            actor.state,
            str(actor.incarnation or "-"),
            "-" if actor.queued is None else str(actor.queued),
            seconds(actor.oldest_seconds),
            size(actor.rss_bytes) if actor.rss_bytes else "-",
            running(actor.running),
        )
        for actor in found
    ]
    return table(_ACTORS, rows, width) if rows else []


def running(works: Sequence[Work]) -> str:
    """Return what the handlers of an actor do: the one that has taken longest, and how many others there are."""
    if not works:
        return "-"
    longest = max(works, key=lambda work: work.seconds)
    text = f"{longest.method} {seconds(longest.seconds)}"
    if longest.waits_for is not None:
        text += f", asks {longest.waits_for}"
    return text if len(works) == 1 else f"{text}, +{len(works) - 1}"


def tree(root: Branch, width: int | None) -> list[str]:
    """Return the lines of ``actors tree``."""
    return [cut(line, width) for line in _tree(root, "", "")]


def _tree(branch: Branch, prefix: str, below: str) -> Iterator[str]:
    state = f"  {branch.state}" if branch.state is not None else ""
    kind = f" ({branch.kind})" if branch.kind in _NAMED_KINDS else ""
    yield f"{prefix}{branch.name}{kind}  {branch.pid}{state}"
    for at, child in enumerate(branch.children):
        is_last = at == len(branch.children) - 1
        yield from _tree(
            child,
            below + ("└─ " if is_last else "├─ "),
            below + ("   " if is_last else "│  "),
        )


def messages(found: Sequence[Message], width: int | None) -> list[str]:
    """Return the lines of ``actors mailbox``."""
    rows = [
        (
            message.kind,
            message.method or "-",
            message.sender,
            seconds(message.seconds),
            size(message.frame_bytes),
        )
        for message in found
    ]
    return table(_MESSAGES, rows, width) if rows else []
