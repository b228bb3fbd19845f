from __future__ import annotations

import contextlib
import errno
import gc
import os
import pickle
import weakref

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


@pytest.mark.parametrize(
    ("number", "limit"),
    [
        (errno.EMFILE, "RLIMIT_NOFILE"),
        (errno.ENFILE, "fs.file-max"),
        (errno.EAGAIN, "RLIMIT_NPROC"),
    ],
)
def test_limit_of_the_system_is_named_with_its_value_and_remedy(
    number: int, limit: str
) -> None:
    error = errors.limit_behind(OSError(number, os.strerror(number)), "a thing")

    assert error is not None
    assert str(error).startswith(f"no room for a thing: {limit} is {error.value} ")
    assert error.remedy in str(error)


def test_error_that_is_about_no_limit_names_none() -> None:
    assert errors.limit_behind(OSError(errno.EIO, "broken"), "a thing") is None


def test_too_many_open_files_become_a_limit_with_its_cause() -> None:
    foreign = OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with (
        pytest.raises(errors.LimitError, match="ulimit -n") as caught,
        translated("cannot open 1.mail"),
    ):
        raise foreign

    assert "cannot open 1.mail" in str(caught.value)
    assert caught.value.__cause__ is foreign


def test_who_fails_is_let_go_without_the_collector() -> None:
    def fail(held: Held) -> None:
        assert held.value
        with (
            contextlib.suppress(errors.MailboxNotFoundError),
            translated("cannot open 1.mail"),
        ):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    gc.disable()
    try:
        held = Held()
        seen = weakref.ref(held)
        fail(held)
        del held
        assert seen() is None
    finally:
        gc.enable()


class Held:
    """What a caller has in hand."""

    value = 1


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
