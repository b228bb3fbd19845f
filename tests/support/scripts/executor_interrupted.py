"""A program that presses Ctrl-C at a point of its own end, while a call hangs: ``executor_interrupted.py POINT``."""

from __future__ import annotations

import atexit
import signal
import sys
import threading
import time
from types import FrameType

from actors import Executor


def press() -> None:
    """Press Ctrl-C."""
    signal.raise_signal(signal.SIGINT)


def press_at(name: str) -> None:
    """Press Ctrl-C on the way into the function *name*."""

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name == name:
            sys.setprofile(None)
            press()

    sys.setprofile(profile)


def say(*_: object) -> None:
    """Say that Ctrl-C was heard, and go on."""
    print("heard")  # noqa: T201 - for the test


def hang() -> None:
    """Wait for ever."""
    threading.Event().wait()


def press_while_joined() -> None:
    """Press Ctrl-C once the interpreter waits for this thread."""
    threading.main_thread().join()
    press()


point = sys.argv[1]
if point == "before-threads-are-joined":
    threading._register_atexit(press)  # type: ignore[attr-defined]
elif point == "while-a-thread-is-joined":
    threading.Thread(target=press_while_joined).start()
elif point == "in-another-call-at-exit":
    atexit.register(press)
elif point == "as-threads-are-joined":
    press_at("_shutdown")
elif point == "as-waiting-begins":
    press_at("_finish_all")
elif point == "with-a-handler-that-goes-on":
    signal.signal(signal.SIGINT, say)
    atexit.register(press)
executor = Executor(1)
if point == "with-a-handler-that-goes-on":
    executor.submit(print, "done")
elif point == "with-a-call-back-that-hangs":
    executor.submit(int).add_done_callback(lambda _: hang())
    atexit.register(press)
else:
    call = executor.submit(hang)
    while not call.running():
        time.sleep(0.001)  # noqa: TID251 - nothing tells it
