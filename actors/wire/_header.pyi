def make(
    kind: int,
    flags: int,
    codec: int,
    length: int,
    sender: int,
    lane: int,
    corr: int,
    deadline_ns: int,
    /,
) -> bytes: ...
def message(frame: bytes, /) -> tuple[int, int, int, int, int, int, int, bytes, bytes]:
    # version, kind, flags, lane, corr, sent_ns, deadline_ns, method, body
    ...

def answer(frame: bytes, /) -> tuple[int, int, int, bytes]:
    # kind, flags, corr, body
    ...
