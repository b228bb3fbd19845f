"""Actors that keep, change and hand on large arrays."""

from __future__ import annotations

import os
import signal
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from actors import Actor, ActorRef

Image: TypeAlias = NDArray[np.uint8]


class Gallery(Actor):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.images: list[Image] = []

    def pid(self) -> int:
        return os.getpid()

    def add(self, image: Image) -> int:
        self.images.append(image)
        return len(self.images)

    def make(self, size: int) -> Image:
        return np.ones(size, np.uint8)

    def fail_with(self, size: int) -> None:
        raise ValueError(np.ones(size, np.uint8))

    def look(self, image: Image) -> int:
        return int(image[-1])

    def clear(self) -> None:
        self.images.clear()

    def sums(self) -> list[int]:
        return [int(image.sum()) for image in self.images]

    def get(self, index: int) -> Image:
        return self.images[index]

    def is_view(self, image: Image) -> tuple[bool, bool]:
        """Return whether it is memory of somebody else, and whether it may be written to."""
        return image.base is not None, bool(image.flags.writeable)

    def scribble(self, image: Image) -> int:
        image[0] = 7
        return int(image[0])

    def scribble_and_hand_on(self, image: Image, to: ActorRef[Gallery]) -> None:
        image[0] = 7
        to.ask(Gallery.add, image[:]).result()

    def hand_on(self, image: Image, to: ActorRef[Gallery]) -> None:
        to.tell(Gallery.add, image)

    def send_for_ever(self, image: Image, to: ActorRef[Gallery]) -> None:
        while True:
            to.ask(Gallery.look, image).result()

    def die_with(self, image: Image) -> None:
        del image
        os.kill(os.getpid(), signal.SIGKILL)


class Studio(Gallery):
    """Paints on what it is given."""

    writable_buffers = True


class Reader(Actor):
    """Is made of an array."""

    def __init__(self, image: Image) -> None:
        self.image = image

    def total(self) -> int:
        return int(self.image.sum(dtype=np.int64))

    def total_of(self, image: Image) -> int:
        return int(image.sum(dtype=np.int64))

    def give(self) -> Image:
        return self.image

    def hand_on(self, to: ActorRef[Gallery]) -> None:
        to.ask(Gallery.add, self.image).result()

    def scribble(self) -> int:
        self.image[0] += 1
        return int(self.image[0])

    def share_and_hand_on(self, size: int, to: ActorRef[Gallery]) -> None:
        self.image = self.system.share(np.ones(size, np.uint8))
        to.ask(Gallery.add, self.image).result()

    def pid(self) -> int:
        return os.getpid()

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Painter(Reader):
    """Writes to what it is made of."""

    writable_buffers = True
