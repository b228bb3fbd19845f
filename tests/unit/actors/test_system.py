"""What a system refuses before it needs a process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

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


def enter(system: ActorSystem) -> None:
    with system:
        pass


def enter_in_loop(system: ActorSystem) -> None:
    async def main() -> None:
        async with system:
            pass

    asyncio.run(main())


@pytest.mark.parametrize("start", [lambda system: system.start(), enter, enter_in_loop])
def test_a_warning_about_the_path_names_the_line_that_starts_the_system(
    start: Callable[[ActorSystem], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        msg = "no process is needed to see it"
        raise OSError(msg)

    anybodys = tmp_path / "lib"
    anybodys.mkdir()
    anybodys.chmod(0o777)
    monkeypatch.setattr(sys, "path", [*sys.path, str(anybodys)])
    monkeypatch.setattr(subprocess, "Popen", refuse)

    with (
        pytest.warns(RuntimeWarning, match=str(anybodys)) as caught,
        pytest.raises(OSError, match="no process is needed"),
    ):
        start(ActorSystem(directory=tmp_path / "systems"))

    assert caught[0].filename == __file__
