"""What a system refuses before it needs a process."""

from __future__ import annotations

import pytest

from actors import Actor, ActorSystem, OptionError


@pytest.mark.parametrize("drain", [-1, float("inf"), True, "soon"], ids=repr)
def test_close_names_a_drain_that_is_no_time(drain: float) -> None:
    with pytest.raises(OptionError, match=f"drain={drain!r}: a number of seconds"):
        ActorSystem().close(drain=drain)


@pytest.mark.parametrize("cls", [5, "Counter", None], ids=repr)
def test_lookup_refuses_what_is_no_class(cls: type[Actor]) -> None:
    with pytest.raises(TypeError, match=f"cls={cls!r}: the actor's class"):
        ActorSystem().lookup("counter", cls)
