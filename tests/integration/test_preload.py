"""Modules that are imported once, in the root supervisor, for all actors."""

from __future__ import annotations

import asyncio
import os
import weakref
from typing import Any

import pytest

from actors import Actor, ActorSystem, OptionError, SpawnError, SystemFailedError
from tests.support import eager
from tests.support.controlled import Importer


class Heir(Actor):
    """Looks at what an import has left, and leaves something itself."""

    def __init__(self) -> None:
        weakref.finalize(self, os.write, 2, b"the end of an heir\n")

    def has_garbage(self) -> bool:
        from tests.support import preloaded_garbage  # noqa: PLC0415 - not before it runs

        return preloaded_garbage.KNOT() is not None


def test_actor_finds_a_preloaded_module_imported_by_its_supervisor() -> None:
    with ActorSystem(preload=("tests.support.preloaded",), drain=0) as system:
        importer = system.spawn(Importer).result()
        imported_by = importer.ask(Importer.imported_by).result()
        parent = importer.ask(Importer.parent).result()

    assert imported_by == parent


def test_import_that_fails_fails_the_start_and_says_why() -> None:
    system = ActorSystem(preload=("json", "tests.support.preloaded_failure"), drain=0)

    with pytest.raises(SystemFailedError) as failure:
        system.start()

    assert str(failure.value).startswith(
        "the actor system has ended: failed to start: preload='tests.support.preloaded_failure' "
        "could not be imported: raised ValueError: no licence"
    )
    inner = failure.value.reason.inner
    assert inner is not None
    assert "preloaded_failure.py" in (inner.traceback or "")


def test_import_that_fails_fails_an_async_start() -> None:
    async def main() -> None:
        async with ActorSystem(preload=["no.such.module"], drain=0):
            pass

    with pytest.raises(SystemFailedError, match="No module named 'no"):
        asyncio.run(main())


def test_threads_that_an_import_leaves_behind_are_warned_of(
    capfd: pytest.CaptureFixture[str],
) -> None:
    modules = ("json", "tests.support.preloaded_threads")
    with ActorSystem(preload=modules, drain=0) as system:
        importer = system.spawn(Importer).result()
        assert importer.ask(Importer.parent).result()

    log = capfd.readouterr().err
    assert log.count("preload_left_threads") == 1
    assert "module=tests.support.preloaded_threads" in log
    assert "a fork copies no thread" in log


def test_garbage_of_an_import_is_not_kept(capfd: pytest.CaptureFixture[str]) -> None:
    """It was, by every process; and what an actor leaves to be done at its end was forgotten."""
    modules = ("tests.support.preloaded_garbage",)
    with ActorSystem(preload=modules, drain=0) as system:
        heir = system.spawn(Heir).result()
        has_garbage = heir.ask(Heir.has_garbage).result()
        heir.stop()
        heir.ended().result()

    assert not has_garbage
    # Of what was preloaded the end is nobody's business.
    assert capfd.readouterr().err == f"{heir.name} | the end of an heir\n"


@pytest.mark.parametrize("value", ["numpy", 3, None, (3,), ("",), ("a b",), ("a..b",)])
def test_what_is_no_sequence_of_module_names_is_refused(value: Any) -> None:  # noqa: ANN401 - that is the point
    with pytest.raises(OptionError, match=r"preload=.*a sequence of module names"):
        ActorSystem(preload=value)


def test_a_module_that_starts_a_system_when_it_is_imported_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each actor of it started another system, with another such actor, without end."""
    monkeypatch.setenv(eager.PROGRAM, str(os.getpid()))
    text = "tests.support.eager starts a system when it is imported, which an actor has to do"

    with ActorSystem(drain=0) as system, pytest.raises(SpawnError, match=text):
        system.spawn(eager.Eager).result()
    with pytest.raises(SystemFailedError, match=text):
        ActorSystem(preload=(eager.__name__,), drain=0).start()
