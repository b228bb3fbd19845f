"""Messages in files: what is written is read, and what is damaged is not."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from actors.wire import archive
from actors.wire.archive import ArchiveError, Message

MESSAGES = [
    Message(b"add", b"one"),
    Message(b"", b""),
    Message(b"keep", b"pickle", (memoryview(b"buffer"), memoryview(b""))),
]


def facts(messages: list[Message]) -> list[tuple[bytes, bytes, list[bytes]]]:
    return [
        (one.method, bytes(one.pickle), [*map(bytes, one.buffers)]) for one in messages
    ]


def test_messages_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "messages"

    archive.write(path, MESSAGES)

    assert facts(archive.read(path)) == facts(MESSAGES)


def test_a_file_cut_off_anywhere_is_no_archive_or_one_of_fewer_messages(
    tmp_path: Path,
) -> None:
    path = tmp_path / "messages"
    archive.write(path, MESSAGES)
    data = path.read_bytes()
    whole = []

    for end in range(len(data)):
        path.write_bytes(data[:end])
        with contextlib.suppress(ArchiveError):
            whole.append(len(archive.read(path)))

    assert whole == [0, 1, 2]  # where a message ends


def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_text("mine")

    with pytest.raises(FileExistsError):
        archive.write(path, MESSAGES)

    assert path.read_text() == "mine"


def test_nothing_is_left_when_a_message_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "messages"

    with pytest.raises(TypeError):
        archive.write(path, [*MESSAGES, Message(b"add", None)])  # type: ignore[arg-type]

    assert not path.exists()
