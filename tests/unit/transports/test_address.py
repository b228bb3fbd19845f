from __future__ import annotations

import pytest

from transports.address import Address
from transports.errors import EndpointError

TEXT = "shm:/dev/shm/actors-0/shop.1/17.mail"


def test_address_is_read_from_text() -> None:
    address = Address.from_text(TEXT)

    assert address == Address("shm", "/dev/shm/actors-0/shop.1", "17.mail")


@pytest.mark.parametrize("text", [TEXT, "unix:/1.mail", "x1:/a:b/c d"])
def test_address_is_written_as_it_was_read(text: str) -> None:
    assert Address.from_text(text).to_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shm",
        "/dev/shm/17.mail",
        ":/dev/shm/17.mail",
        "SHM:/dev/shm/17.mail",
        "toolongname:/a/b",
        "shm:17.mail",
        "shm:a/17.mail",
        "shm:/",
        "shm:/dev/shm/",
        "shm:/dev/shm/..",
        "shm:/dev/\0shm/x",
        f"shm:/dev/shm/{'x' * 65}",
    ],
)
def test_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(EndpointError):
        Address.from_text(text)
