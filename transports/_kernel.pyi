from collections.abc import Sequence
from typing import final

from _typeshed import ReadableBuffer, WriteableBuffer

from transports.mailbox import Put

PIPE: int
SOCKET: int
QUEUE: int

@final
class Sender:
    def __new__(
        cls,
        fd: int,
        name_fd: int,
        kind: int,
        room: int,
        limit: int,
        gathers: bool,
    ) -> Sender: ...
    @property
    def gathers(self) -> bool: ...
    def put(self, *parts: ReadableBuffer) -> Put: ...
    def put_some(
        self, frames: Sequence[tuple[ReadableBuffer, ...]], /
    ) -> tuple[Put, int]: ...
    def put_unless_behind(self, *parts: ReadableBuffer) -> Put: ...
    def has_room(self) -> bool: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...

def receive_into(fd: int, buffer: WriteableBuffer, /) -> int: ...
def count(fd: int, /) -> tuple[int, int]: ...
