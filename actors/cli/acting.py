"""What the command does to an actor: it joins the system for a moment, and asks as any program would."""

from __future__ import annotations

import contextlib
import signal as signals
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from actors.cli.choice import FAILED, NOT_FOUND, USAGE, CommandError
from actors.cli.snapshot import Actor
from actors.errors import ActorError, ActorStoppedError, OptionError
from actors.ref import ActorRef
from actors.system import ActorSystem

Act = Callable[[ActorRef[Any], float], str]


def act(path: Path, actor: Actor, operation: Act, timeout: float) -> str:
    """Carry out *operation* on *actor* of the system in *path*, and return what to tell.

    Args:
        path: The directory of the system.
        actor: As it was seen.
        operation: What to do.
        timeout: Seconds to wait until it is done.

    Raises:
        CommandError: It could not be done, or was not done in time.
    """
    with (
        _translated(actor.name, timeout),
        ActorSystem.attach(path.name, directory=path.parent, drain=0),
    ):
        ref = ActorRef[Any](None, str(path), actor.number, actor.name)
        return operation(ref, timeout)


@contextlib.contextmanager
def _translated(name: str, timeout: float) -> Iterator[None]:
    try:
        yield
    except ActorStoppedError as exc:
        text = f"{name} has ended meanwhile: {exc}"
        raise CommandError(text, NOT_FOUND) from exc
    except OptionError as exc:
        raise CommandError(str(exc), USAGE) from exc
    except ActorError as exc:
        raise CommandError(str(exc), FAILED) from exc
    except TimeoutError as exc:
        text = f"{name}: not done after {timeout:g} s; it goes on all the same (--timeout waits longer)"
        raise CommandError(text, FAILED) from exc


def restart(ref: ActorRef[Any], timeout: float) -> str:
    """Replace the process of an actor."""
    ref.restart().result(timeout)
    return f"{ref.name} has a fresh process"


def stop(ref: ActorRef[Any], timeout: float) -> str:
    """End an actor behind what is queued."""
    deadline = time.monotonic() + timeout
    ended = ref.ended()
    ref.stop().result(timeout)
    reason = ended.result(max(0.0, deadline - time.monotonic()))
    return f"{ref.name} has ended: {reason}"


def signal(ref: ActorRef[Any], timeout: float, *, signum: int) -> str:
    """Send a signal to the process of an actor."""
    ref.signal(signum).result(timeout)
    return f"{ref.name} has been sent {signals.Signals(signum).name}"


def freeze(ref: ActorRef[Any], timeout: float) -> str:
    """Stop the process of an actor where it is."""
    ref.freeze().result(timeout)
    return f"{ref.name} is frozen"


def thaw(ref: ActorRef[Any], timeout: float) -> str:
    """Let the process of an actor run on."""
    ref.thaw().result(timeout)
    return f"{ref.name} runs on"


def stack(ref: ActorRef[Any], timeout: float) -> str:
    """Return what the threads of an actor execute."""
    return ref.stack().result(timeout).rstrip("\n")


def kill(ref: ActorRef[Any], timeout: float) -> str:
    """End an actor at once."""
    ref.kill().result(timeout)
    return f"{ref.name} has been killed"


# Those that need nothing but the actor.
OPERATIONS: dict[str, Act] = {
    "stack": stack,
    "restart": restart,
    "stop": stop,
    "kill": kill,
    "freeze": freeze,
    "thaw": thaw,
}
