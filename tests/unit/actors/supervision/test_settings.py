from __future__ import annotations

import math
from typing import Any

import pytest

from actors import OptionError
from actors.options import Heartbeat, Redeliver
from actors.supervision.backoff import Backoff
from actors.supervision.settings import (
    ChildOptions,
    SupervisorOptions,
)


def test_child_is_permanent_and_has_five_seconds_unless_said_otherwise() -> None:
    child = ChildOptions(id="load")

    assert (child.restart, child.shutdown, child.init_timeout) == ("permanent", 5, 30)


def test_id_of_a_child_is_its_name_unless_said_otherwise() -> None:
    assert ChildOptions(name="load").id == "load"
    assert ChildOptions(name="load", id="first").id == "first"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "id=None: 1 to 200 printable characters without '/'"),
        ({"id": ""}, "id='': 1 to 200 printable characters without '/'"),
        ({"restart": "always"}, "restart='always': one of 'permanent', 'transient'"),
        ({"significant": 1}, "significant=1: True or False"),
        ({"significant": True}, "significant=True: only of a transient or temporary"),
        ({"shutdown": "kill"}, "shutdown='kill': a number of seconds, 0 or more"),
        ({"shutdown": math.nan}, "shutdown=nan: a number of seconds, 0 or more"),
        ({"init_timeout": 0}, "init_timeout=0: a number of seconds above 0"),
        ({"backoff": 2}, "backoff=2: a Backoff, or None"),
        ({"max_in_a_row": -1}, "max_in_a_row=-1: a whole number, 0 or more"),
        ({"heartbeat": 1}, "heartbeat=1: a Heartbeat, or None"),
        ({"handler_timeout": 0}, "handler_timeout=0: a number of seconds above 0"),
        ({"on_crash": "retry"}, "on_crash='retry': 'drop', or Redeliver"),
        ({"mailbox_on_restart": "drop"}, "mailbox_on_restart='drop': one of 'keep'"),
        ({"kill_scope": "tree"}, "kill_scope='tree': one of 'session', 'process'"),
        ({"core_dump": 1}, "core_dump=1: True or False"),
        ({"oom_score_adj": -5}, "oom_score_adj=-5: a whole number from 0 to 1000"),
    ],
    ids=str,
)
def test_child_refuses_what_it_cannot_be(options: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError) as caught:
        ChildOptions(**({"id": "load", **options} if options else {}))

    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"strategy": "all"}, "strategy='all': one of 'one_for_one', 'one_for_all'"),
        ({"intensity": -1}, "intensity=-1: a whole number of restarts"),
        ({"period": 0}, "period=0: a number of seconds above 0"),
        ({"auto_shutdown": True}, "auto_shutdown=True: one of 'never'"),
        ({"start_concurrency": 0}, "start_concurrency=0: a whole number, 1 or more"),
        ({"kill_grace": 0}, "kill_grace=0: a number of seconds above 0"),
    ],
    ids=str,
)
def test_supervisor_refuses_what_it_cannot_do(
    options: dict[str, Any], text: str
) -> None:
    with pytest.raises(OptionError) as caught:
        SupervisorOptions(**options)

    assert str(caught.value).startswith(text)


def test_heartbeat_refuses_a_timeout_that_no_sign_of_life_could_meet() -> None:
    with pytest.raises(OptionError, match=r"timeout=1: above interval=1"):
        Heartbeat(interval=1, timeout=1)


def test_redelivery_refuses_never_to_deliver() -> None:
    with pytest.raises(OptionError, match="max_deliveries=0: a whole number from 1"):
        Redeliver(0)


def test_supervisor_knows_a_child_that_could_fail_for_ever() -> None:
    supervisor = SupervisorOptions(intensity=3, period=5)

    assert supervisor.never_gives_up(ChildOptions(id="a", backoff=Backoff(min=2)))
    assert not supervisor.never_gives_up(ChildOptions(id="a"))
