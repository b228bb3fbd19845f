"""Another process of the system: it has the ``code`` directory and nothing else.

Calls what it is sent and sends back what that returns.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import Any

from actors.wire.code import CodeStore
from actors.wire.codec import Codec

SIZE = struct.Struct("<I")


def main() -> None:
    codec = Codec(CodeStore(os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)))
    while size := sys.stdin.buffer.read(SIZE.size):
        call: Any = codec.loads(sys.stdin.buffer.read(*SIZE.unpack(size)))
        function, args = call
        answer = codec.dumps(function(*args))
        sys.stdout.buffer.write(SIZE.pack(len(answer)) + answer)
        sys.stdout.buffer.flush()


main()
