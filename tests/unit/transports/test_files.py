"""The files that mailboxes are made of."""

from __future__ import annotations

import os
import stat

import pytest

from tests.support.transports import NAME, Place
from transports.files import new_file


@pytest.mark.parametrize("umask", [0, 0o277], ids=oct)
def test_new_file_is_private_whatever_the_umask(place: Place, umask: int) -> None:
    before = os.umask(umask)
    try:
        with new_file(place.dir_fd, NAME) as fd:
            os.write(fd, b"text")
    finally:
        os.umask(before)

    made = place.path / NAME
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert made.read_bytes() == b"text"


def test_new_file_that_cannot_be_filled_is_not_left_behind(place: Place) -> None:
    with pytest.raises(OSError, match="full"), new_file(place.dir_fd, NAME) as fd:
        raise OSError("full")

    assert list(place.path.iterdir()) == []
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(fd)


def test_file_that_is_there_is_not_taken_for_a_new_one(place: Place) -> None:
    (place.path / NAME).write_bytes(b"theirs")

    with pytest.raises(FileExistsError), new_file(place.dir_fd, NAME):
        pass

    assert (place.path / NAME).read_bytes() == b"theirs"
