"""The beginning of a pool: its workers, and who looks after it when they are there."""

from __future__ import annotations

from typing import TypeVar

from actors.actor import Actor
from actors.pending import Pending, settled
from actors.pool.caretaker import Caretaker
from actors.pool.crew import Crew
from actors.pool.gathering import then
from actors.pool.pool import Pool
from actors.pool.scaling import Scaler
from actors.pool.settings import PoolOptions

A = TypeVar("A", bound=Actor)


def open_pool(crew: Crew[A], options: PoolOptions) -> Pending[Pool[A]]:
    """Start the workers of *crew*; settled with the handle when all of them are ready, and none is left if one does not become so."""

    def enter(_: object) -> Pending[Pool[A]]:
        if options.autoscale is not None:
            Scaler(crew, options.autoscale)
        if options.autoscale is not None or options.recycle is not None:
            Caretaker(crew)
        return settled(Pool(crew))

    return then(crew.client, crew.open(), enter)
