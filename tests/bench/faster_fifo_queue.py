"""``faster_fifo.Queue``, one in each direction, where it is installed: ``pip install .[bench]``."""

from __future__ import annotations

import importlib
import importlib.util
from typing import cast

from tests.bench import simple_queue
from tests.bench.simple_queue import Queue


def make() -> Queue:
    return cast("Queue", importlib.import_module("faster_fifo").Queue())


IS_INSTALLED = importlib.util.find_spec("faster_fifo") is not None
MEASURES = simple_queue.measures(make) if IS_INSTALLED else {}
