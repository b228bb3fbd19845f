"""Arrays in shared memory: sent to any number of actors, copied once, and gone when nobody looks any more."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from actors import ActorCrashedError, ActorRef, ActorSystem, SpawnError
from actors.errors import MessageTooLargeError, NotSerializableError
from tests.support.gallery import Gallery, Image, Painter, Reader
from tests.support.gates import SECONDS, wait_until
from tests.support.inside import blob_bytes, blobs_of

MIB = 2**20
WORKERS = 8


@pytest.fixture
def gallery(system: ActorSystem) -> Iterator[ActorRef[Gallery]]:
    ref = system.spawn(Gallery).result().within(SECONDS)
    yield ref
    ref.kill().result()


def names(system: ActorSystem) -> set[str]:
    system._opened().blobs.close()  # memory that we would use again for the next message
    return {path.name for path in blobs_of(system).iterdir()}


def wait_until_nothing_is_left(system: ActorSystem) -> None:
    gc.collect()
    wait_until(lambda: not names(system), "nothing is left")


def ones(size: int) -> Image:
    return np.ones(size, np.uint8)


def pss_of_blobs(pid: int) -> int:
    """Return the bytes of payloads that count as the process's own: its share of what it shares."""
    kib, is_blob = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        word = line.split(maxsplit=1)[0]
        if not word.endswith(":"):
            is_blob = "/blob/" in line
        elif word == "Pss:" and is_blob:
            kib += int(line.split()[1])
    return kib * 1024


def test_shared_array_is_an_equal_one_that_cannot_be_written_to(
    system: ActorSystem,
) -> None:
    mine = np.arange(MIB, dtype=np.float64).reshape(1024, 1024)

    shared = system.share(mine)
    mine[0, 0] = 7

    assert (shared.dtype, shared.shape, shared[0, 0]) == (mine.dtype, mine.shape, 0)
    assert not shared.flags.writeable
    del shared
    wait_until_nothing_is_left(system)


def test_any_object_with_buffers_is_shared(system: ActorSystem) -> None:
    layers: tuple[NDArray[Any], ...] = (
        ones(MIB),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
    )
    model = ("a model", layers)

    shared = system.share(model)

    assert shared[0] == "a model"
    assert not any(layer.flags.writeable for layer in shared[1])
    assert all(map(np.array_equal, layers, shared[1]))
    del shared
    wait_until_nothing_is_left(system)


@pytest.mark.parametrize("value", [b"x" * MIB, [1, 2], ones(100)[::2]], ids=type)
def test_what_has_no_buffers_is_refused(system: ActorSystem, value: object) -> None:
    with pytest.raises(TypeError, match=r"share\(\w+\): .*contiguous"):
        system.share(value)

    assert not names(system)


def test_what_cannot_travel_is_refused(system: ActorSystem) -> None:
    with pytest.raises(NotSerializableError, match="generator"):
        system.share([ones(MIB), (n for n in [1])])


@pytest.mark.parametrize(
    "size", [256 * MIB, pytest.param(2**30, marks=pytest.mark.slow)], ids=str
)
def test_workers_made_of_one_shared_array_have_it_in_memory_once(
    system: ActorSystem, size: int
) -> None:
    shared = system.share(ones(size))
    workers = [
        system.spawn(Reader, shared).result().within(SECONDS) for _ in range(WORKERS)
    ]

    totals = [worker.ask(Reader.total) for worker in workers]

    assert [total.result() for total in totals] == [size] * WORKERS
    pids = [worker.ask(Reader.pid).result() for worker in workers]
    used = sum(map(pss_of_blobs, [os.getpid(), *pids]))
    # The kernel rounds the share of each process down.
    assert size - len(pids) * MIB // 64 <= used <= size + MIB
    assert size <= blob_bytes(system) <= size + MIB
    for worker in workers:
        worker.kill().result()
    del shared
    wait_until_nothing_is_left(system)


def test_shared_array_is_sent_in_messages_and_results_without_a_copy(
    system: ActorSystem, gallery: ActorRef[Gallery]
) -> None:
    shared = system.share(ones(8 * MIB))
    before = blob_bytes(system)

    for _ in range(20):
        gallery.tell(Gallery.add, shared)
        gallery.tell(Gallery.add, gallery.ask(Gallery.get, 0).result())

    assert gallery.ask(Gallery.sums).result() == [8 * MIB] * 40
    assert blob_bytes(system) == before
    gallery.ask(Gallery.clear).result()
    del shared
    wait_until_nothing_is_left(system)


def test_array_of_a_constructor_is_sent_on_without_a_copy(
    system: ActorSystem, gallery: ActorRef[Gallery]
) -> None:
    worker = system.spawn(Reader, ones(8 * MIB)).result().within(SECONDS)
    before = blob_bytes(system)

    worker.ask(Reader.hand_on, gallery).result()
    result = worker.ask(Reader.give).result()
    worker.kill().result()

    assert blob_bytes(system) == before
    assert gallery.ask(Gallery.sums).result() == [8 * MIB]
    gallery.ask(Gallery.clear).result()
    assert int(result.sum()) == 8 * MIB
    del result
    wait_until_nothing_is_left(system)


def test_each_incarnation_gets_the_array_of_the_constructor_as_it_was(
    system: ActorSystem,
) -> None:
    painter = system.options(intensity=100).spawn(Painter, ones(MIB)).result()
    painter = painter.within(SECONDS)

    for _ in range(5):
        assert painter.ask(Painter.scribble).result() == 2
        assert painter.ask(Painter.scribble).result() == 3
        with pytest.raises(ActorCrashedError):
            painter.ask(Painter.die).result()

    assert painter.ask(Painter.total).result() == MIB
    painter.kill().result()
    wait_until_nothing_is_left(system)


def test_array_of_a_constructor_is_read_only_unless_asked_for(
    system: ActorSystem,
) -> None:
    worker = system.spawn(Reader, ones(MIB)).result().within(SECONDS)

    with pytest.raises(ValueError, match="read-only"):
        worker.ask(Reader.scribble).result()

    worker.kill().result()
    wait_until_nothing_is_left(system)


def test_failed_starts_leave_nothing(system: ActorSystem) -> None:
    with system_name_taken(system):
        for _ in range(10):
            with pytest.raises(SpawnError):
                system.spawn(Refuser, ones(MIB)).result()
            with pytest.raises(Exception, match="name='taken'"):
                system.options(name="taken").spawn(Reader, ones(MIB)).result()

        wait_until(
            lambda: not {name for name in names(system) if "@" in name},
            "nothing is on its way",
        )
    wait_until_nothing_is_left(system)


@contextlib.contextmanager
def system_name_taken(system: ActorSystem) -> Iterator[None]:
    other = system.options(name="taken").spawn(Gallery).result()
    yield
    other.kill().result()


class Refuser(Reader):
    """Does not start."""

    def __init__(self, image: Image) -> None:
        super().__init__(image)
        raise ValueError(image.size)


def test_large_arguments_of_constructors_count_and_shared_ones_do_not() -> None:
    with ActorSystem(drain=0, max_message_bytes=MIB) as system:
        with pytest.raises(MessageTooLargeError):
            system.spawn(Reader, ones(2 * MIB))

        worker = system.spawn(Reader, system.share(ones(2 * MIB))).result()

        assert worker.ask(Reader.total).result() == 2 * MIB


def test_what_a_killed_actor_has_shared_stays_for_those_who_look_at_it(
    system: ActorSystem, gallery: ActorRef[Gallery]
) -> None:
    worker = system.spawn(Reader, ones(1)).result().within(SECONDS)
    worker.ask(Reader.share_and_hand_on, MIB, gallery).result()

    os.kill(worker.ask(Reader.pid).result(), signal.SIGKILL)
    worker.kill().result()

    assert gallery.ask(Gallery.sums).result() == [MIB]
    assert len(names(system)) == 1
    gallery.ask(Gallery.clear).result()
    wait_until_nothing_is_left(system)


def test_shared_memory_of_a_killed_program_goes_with_its_system(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    del tmp_path_factory
    script = (
        "import numpy, os, signal, sys\n"
        "from actors import ActorSystem\n"
        "from tests.support.gallery import Reader\n"
        "system = ActorSystem('shared-killed').start()\n"
        "shared = system.share(numpy.ones(2**20))\n"
        "worker = system.spawn(Reader, shared).result()\n"
        "print(system._opened().directory.path, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    path = Path(done.stdout.strip())
    assert path.name.startswith("shared-killed."), done.stderr
    wait_until(lambda: not path.exists(), "the system has removed itself")
