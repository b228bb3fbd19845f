from __future__ import annotations

import errno
import os
import pickle

import pytest

from tests.support.transports import Place
from transports import errors
from transports.errors import NoSpaceError, TransportError, translated


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOENT, errors.MailboxNotFoundError),
        (errno.ECONNREFUSED, errors.MailboxNotFoundError),
        (errno.EEXIST, errors.MailboxExistsError),
        (errno.ELOOP, errors.EndpointError),
        (errno.EIO, TransportError),
    ],
)
def test_foreign_error_becomes_ours_and_keeps_its_cause(
    number: int, expected: type[TransportError]
) -> None:
    foreign = OSError(number, os.strerror(number))

    with pytest.raises(TransportError) as caught, translated("cannot open 1.mail"):
        raise foreign

    assert type(caught.value) is expected
    assert str(caught.value) == f"cannot open 1.mail: {os.strerror(number)}"
    assert caught.value.__cause__ is foreign


def test_bad_endpoint_is_a_value_error_too() -> None:
    assert issubclass(errors.EndpointError, ValueError)


def test_no_space_says_what_is_missing_where_and_what_to_do(place: Place) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")

    text = str(NoSpaceError.from_os_error(full, "a payload", 2**60, place.dir_fd))

    assert text.startswith(f"no room in {place.path} for a payload: {2**60} bytes are")
    assert " are free " in text
    assert "--shm-size" in text


def test_no_space_without_a_directory_still_says_what_is_needed() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")

    text = str(NoSpaceError.from_os_error(full, "a payload", 100))

    assert text == (
        "no room for a payload: 100 bytes are needed (in a container, raise --shm-size)"
    )


def test_no_space_for_another_reason_names_it() -> None:
    broken = OSError(errno.EIO, "Input/output error")

    assert "(Input/output error)" in str(NoSpaceError.from_os_error(broken, "it", 1))


@pytest.mark.parametrize(
    "error",
    [
        errors.FrameTooLargeError(17, 16),
        NoSpaceError("a payload", 100, "/dev/shm", 5),
        errors.CorruptError("smashed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error_survives_a_pickle(error: TransportError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: TID251 - not a message

    assert (type(copy), str(copy)) == (type(error), str(error))
    assert vars(copy) == vars(error)
