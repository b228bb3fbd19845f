"""What a supervisor takes on in one turn."""

from __future__ import annotations

import os

import pytest

from actors.runtime import door, lanes, requests
from actors.runtime.client import MAIN
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.lanes import ROOT
from actors.supervision.cradle import Cradle
from actors.supervision.preload import Preloaded
from actors.supervision.supervisor import Supervisor
from actors.wire import frame
from actors.wire.frame import Codec, Kind
from tests.support.pages import page_of


@pytest.fixture
def directory(directory: RuntimeDirectory) -> RuntimeDirectory:
    for number in (ROOT, MAIN):
        page_of(number, directory)
        lanes.create(directory.fd, number, lanes.MAIN_LANE_BYTES)
    return directory


def test_requests_that_come_without_end_have_to_wait_for_their_turn(
    directory: RuntimeDirectory,
) -> None:
    """Deaths and deadlines had to wait for the last of them."""
    reading, writing = os.pipe()
    main_pidfd = os.pidfd_open(os.getpid())
    supervisor = Supervisor(
        directory,
        main_pidfd,
        door.create(directory.fd),
        reading,
        "shm",
        Preloaded(),
        Cradle.make(),
        is_labelled=False,
    )
    outlet = lanes.connect(directory.fd, ROOT, None)
    request = frame.HEADER.pack(
        frame.VERSION, Kind.REQUEST, 0, Codec.JSON, 5, 0, MAIN, 0, 0, 0, 0, 0
    )
    handled = []

    def handle(*_: object) -> None:
        handled.append(True)
        if len(handled) < 100:
            outlet.put(request, b"hello", requests.pack({}))

    supervisor._desk.employ({"hello": handle})
    handle()

    supervisor._drain()

    assert len(handled) == 2
    outlet.close()
    supervisor._lane.close()
    supervisor._selector.close()
    supervisor._programs._door.close()
    for fd in (reading, writing, main_pidfd, supervisor._programs._root_pidfd):
        os.close(fd)
