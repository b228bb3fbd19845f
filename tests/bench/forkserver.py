"""``multiprocessing`` processes that are forked from a server, which has imported what they need."""

from __future__ import annotations

import multiprocessing

from tests.bench import processes

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([processes.__name__])

MEASURES = processes.measures(CONTEXT)
