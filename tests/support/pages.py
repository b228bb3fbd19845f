"""Status pages without the processes they are of."""

from __future__ import annotations

import os

from actors.runtime import status
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.status import StatusPage


def new_page(
    slots: int = 0, limit: int = 1024, questions: int = 9, name: str = ""
) -> StatusPage:
    """Return a page of its own, of a process that is ready."""
    fd = os.memfd_create("page", os.MFD_CLOEXEC)
    try:
        os.ftruncate(fd, status.size(slots, limit, questions))
        page = StatusPage.format(fd, slots, limit, "shm", (name, "Test"))
    finally:
        os.close(fd)
    page.words[status.PID] = os.getpid()
    page.words[status.READY] = 1
    return page


def page_of(number: int, directory: RuntimeDirectory) -> StatusPage:
    """Make the page of process *number*, which handles nothing and may ask."""
    fd = directory.create_file(status.file_name(number), status.size(0, 0, 9))
    try:
        return StatusPage.format(fd, 0, 0, "")
    finally:
        os.close(fd)
