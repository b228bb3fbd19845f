"""The settings of children and of supervisors, checked when they are given, before any process starts.

The words are OTP's; ``Options`` are those of a plainly spawned actor.
"""

from __future__ import annotations

import math
import os
from typing import Any, Literal, TypedDict

import attrs

from actors.options import (
    MAILBOX_PAYLOAD_BYTES,
    Heartbeat,
    OnCrash,
    Options,
    Redeliver,
    ResourceKeywords,
    Resources,
    RestartType,
    is_name,
    is_time,
    is_whole,
    must,
    one_of,
    refused,
    valid_count,
    valid_heartbeat,
    valid_limit,
    valid_name,
    valid_on_crash,
    valid_patience,
    valid_payload_size,
    valid_period,
    valid_restart,
    valid_size,
    valid_transport,
)
from actors.supervision.backoff import Backoff, never_gives_up

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one", "pool"]
AutoShutdown = Literal["never", "any_significant", "all_significant"]
KillScope = Literal["session", "process"]
MailboxOnRestart = Literal["keep", "clear"]
BRUTAL_KILL = "brutal_kill"
Shutdown = float | Literal["brutal_kill"]

# Once: it reads a file.
MAX_START_CONCURRENCY = min(8, os.cpu_count() or 1)


_flag = must(lambda value: isinstance(value, bool), "True or False")


@attrs.frozen(kw_only=True)
class ChildOptions(Resources):
    """How a child is made, restarted and stopped.

    Attributes:
        name: Bound in the system until it has ended for good; None for a child that nobody looks up.
        id: What its supervisor calls it, unique among its siblings; the name unless said otherwise.
        restart: ``permanent`` restarts it after every end, ``transient`` after crashes, ``temporary`` never.
        significant: Whether its end may end its supervisor; see ``SupervisorOptions.auto_shutdown``.
        shutdown: Seconds between SIGTERM and SIGKILL; 0 sends both at once, ``math.inf`` waits, ``"brutal_kill"`` is SIGKILL alone.
        init_timeout: Seconds until it must be ready; ``math.inf`` waits.
        backoff: Delays before restarts; None restarts at once.
        max_in_a_row: Short lives and failed starts in a row that are still put up with; None sets no limit.
        heartbeat: How a hung process is found out; None does not look.
        kill_scope: ``session`` ends the processes it has left as well, ``process`` leaves the programs that it has executed to you, also
            at the end of the system.
        core_dump: Whether a crash may leave a core.
        oom_score_adj: 0 to 1000, added so that the kernel rather kills this one when memory runs out.
        transport: Scheme of its mailbox; None takes the system's.
        mailbox_bytes: Bound of the mailbox; None takes the transport's default.
        mailbox_payload_bytes: Bound of the payloads of large messages that wait for the mailbox's actor, outside of the mailbox.
        handler_timeout: Seconds that one handler may take; None leaves that to its class, ``math.inf`` sets no limit.
        on_crash: What becomes of the message it dies of: ``"drop"``, or ``Redeliver``.
        mailbox_on_restart: ``keep`` hands the queue to the next incarnation, ``clear`` makes dead letters of it.

    And those of ``Resources``.
    """

    name: str | None = attrs.field(default=None, validator=valid_name)
    id: str = attrs.field(
        default=attrs.Factory(lambda self: self.name, takes_self=True),
        validator=must(
            lambda value: value is not None and is_name(value),
            "1 to 200 printable characters without '/'; a child needs an id or a name",
        ),
    )
    restart: RestartType = attrs.field(default="permanent", validator=valid_restart)
    significant: bool = attrs.field(default=False, validator=_flag)
    shutdown: Shutdown = attrs.field(
        default=5.0,
        validator=must(
            lambda value: value == BRUTAL_KILL or is_time(value),
            "a number of seconds, 0 or more, math.inf, or 'brutal_kill'",
        ),
    )
    init_timeout: float = attrs.field(default=30.0, validator=valid_patience)
    backoff: Backoff | None = attrs.field(
        default=None,
        validator=must(
            lambda value: value is None or isinstance(value, Backoff),
            "a Backoff, or None to restart at once",
        ),
    )
    max_in_a_row: int | None = attrs.field(
        default=None,
        validator=must(
            lambda value: value is None or (is_whole(value) and value >= 0),
            "a whole number, 0 or more, or None for no limit",
        ),
    )
    heartbeat: Heartbeat | None = attrs.field(default=None, validator=valid_heartbeat)
    kill_scope: KillScope = attrs.field(default="session", validator=one_of(KillScope))
    core_dump: bool = attrs.field(default=False, validator=_flag)
    oom_score_adj: int = attrs.field(
        default=100,
        validator=must(
            lambda value: is_whole(value) and 0 <= value <= 1000,
            "a whole number from 0 to 1000",
        ),
    )
    transport: str | None = attrs.field(default=None, validator=valid_transport)
    mailbox_bytes: int | None = attrs.field(default=None, validator=valid_size)
    mailbox_payload_bytes: int = attrs.field(
        default=MAILBOX_PAYLOAD_BYTES, validator=valid_payload_size
    )
    handler_timeout: float | None = attrs.field(default=None, validator=valid_limit)
    on_crash: OnCrash = attrs.field(default="drop", validator=valid_on_crash)
    mailbox_on_restart: MailboxOnRestart = attrs.field(
        default="keep", validator=one_of(MailboxOnRestart)
    )

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> ChildOptions:
        """Return the options that ``attrs.asdict`` made *facts* of."""
        made = {
            "backoff": Backoff,
            "heartbeat": Heartbeat,
            "on_crash": Redeliver,
        }
        values = {
            name: make(**facts[name])
            for name, make in made.items()
            if isinstance(facts[name], dict)
        }
        return cls(**{**facts, **values})

    def __attrs_post_init__(self) -> None:
        """Refuse settings that contradict each other.

        Raises:
            OptionError: A permanent child never ends, so it cannot be significant.
        """
        if self.significant and self.restart == "permanent":
            raise refused(
                "significant",
                self.significant,
                "only of a transient or temporary child",
            )


WORKERS_ONLY = frozenset(
    {
        "transport",
        "mailbox_bytes",
        "mailbox_payload_bytes",
        "handler_timeout",
        "on_crash",
        "mailbox_on_restart",
        "kill_scope",
    }
)
# A supervisor takes as long as its children, shows itself by a heartbeat, and is the last the kernel should kill.
SUPERVISOR_DEFAULTS: dict[str, Any] = {
    "shutdown": math.inf,
    "init_timeout": math.inf,
    "heartbeat": Heartbeat(interval=10.0, timeout=30.0),
    "oom_score_adj": 0,
}


@attrs.frozen(kw_only=True)
class SupervisorOptions:
    """What a supervisor does about its children.

    Attributes:
        strategy: Who is restarted with a child: ``one_for_one`` nobody, ``one_for_all`` all others, ``rest_for_one`` those after it.
            ``pool`` is ``one_for_one`` for any number of children of one kind.
        intensity: Restarts within *period* that are still put up with; a round of several children is one.
        period: Seconds.
        auto_shutdown: Whether the ends of significant children end the supervisor.
        start_concurrency: Children that start at once where the strategy sets no order. None: one after the other the first time, and up to
            as many as there are processors, at most 8, later.
        kill_grace: Seconds from SIGKILL to calling a process unkillable.
    """

    strategy: Strategy = attrs.field(default="one_for_one", validator=one_of(Strategy))
    intensity: float = attrs.field(default=3, validator=valid_count)
    period: float = attrs.field(default=5.0, validator=valid_period)
    auto_shutdown: AutoShutdown = attrs.field(
        default="never", validator=one_of(AutoShutdown)
    )
    start_concurrency: int | None = attrs.field(
        default=None,
        validator=must(
            lambda value: value is None or (is_whole(value) and value >= 1),
            "a whole number, 1 or more, or None",
        ),
    )
    kill_grace: float = attrs.field(default=10.0, validator=valid_period)

    @property
    def is_ordered(self) -> bool:
        """Whether the order of the children matters also after the first start."""
        return self.strategy in {"one_for_all", "rest_for_one"}

    @property
    def starts_at_once(self) -> int:
        """How many children may start at once where their order does not matter."""
        return self.start_concurrency or MAX_START_CONCURRENCY

    def never_gives_up(self, child: ChildOptions) -> bool:
        """Return whether *child* could fail for ever without either a limit or a word from anybody."""
        return never_gives_up(
            child.backoff,
            child.max_in_a_row,
            intensity=self.intensity,
            period=self.period,
        )


def split(plain: Options) -> tuple[ChildOptions, SupervisorOptions]:
    """Return what a plainly spawned actor is as a child, and what its own supervisor would be; its id comes with its number."""
    supervisor = SupervisorOptions(intensity=plain.intensity, period=plain.period)
    shared = {
        field.name: getattr(plain, field.name)
        for field in attrs.fields(Options)
        if field.name not in {"intensity", "period"}
    }
    return ChildOptions(id="spawned", **shared), supervisor


class ChildKeywords(ResourceKeywords, total=False):
    """What ``options`` takes for every child; see ``ChildOptions`` for the meaning."""

    id: str
    name: str | None
    restart: RestartType
    significant: bool
    shutdown: Shutdown
    init_timeout: float
    backoff: Backoff | None
    max_in_a_row: int | None
    heartbeat: Heartbeat | None
    kill_scope: KillScope
    core_dump: bool
    oom_score_adj: int
    transport: str | None
    mailbox_bytes: int | None
    mailbox_payload_bytes: int
    handler_timeout: float | None
    on_crash: OnCrash
    mailbox_on_restart: MailboxOnRestart


class SupervisorKeywords(TypedDict, total=False):
    """What ``options`` takes for a supervisor; see ``SupervisorOptions`` for the meaning."""

    strategy: Strategy
    intensity: float
    period: float
    auto_shutdown: AutoShutdown
    start_concurrency: int | None
    kill_grace: float


class SpecKeywords(ChildKeywords, SupervisorKeywords, total=False):
    """What ``options`` takes."""
