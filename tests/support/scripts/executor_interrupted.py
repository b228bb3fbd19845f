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


def press_as_waiting_begins(frame: FrameType, event: str, _: object) -> None:
    """Press Ctrl-C on the way into what waits; a profiler."""
    if event == "call" and frame.f_code.co_name == "_finish_all":
        sys.setprofile(None)
        press()


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
elif point == "as-waiting-begins":
    sys.setprofile(press_as_waiting_begins)
executor = Executor(1)
call = executor.submit(hang)
while not call.running():
    time.sleep(0.001)  # noqa: TID251 - nothing tells it
