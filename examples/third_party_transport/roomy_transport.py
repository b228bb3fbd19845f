"""A transport of a package of one's own: pipes with room for 256 messages, where those of ``pipe`` have 16.

    pip install examples/third_party_transport
    ActorSystem(transport="roomy")

One made from nothing has the methods of ``transports.mailbox.Transport`` and passes ``tests/conformance``.
"""

from __future__ import annotations

from transports.pipe import PACKET_BYTES, PipeTransport


class RoomyTransport(PipeTransport):
    """As ``pipe``, but for the size: an ordinary user has pages for 64 such mailboxes."""

    scheme = "roomy"
    default_capacity = 256 * PACKET_BYTES


TRANSPORT = RoomyTransport()
