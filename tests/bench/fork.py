"""``multiprocessing`` processes that are forked from the program itself."""

from __future__ import annotations

import multiprocessing

from tests.bench import processes

MEASURES = processes.measures(multiprocessing.get_context("fork"))
