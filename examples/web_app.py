"""One counter behind two web applications, FastAPI and plain WSGI, in as many server processes as you like.

    python -m examples.web_app                                owns the system; start it first, end it with Ctrl-C
    uvicorn examples.web_app:api --port 8001                  joins it
    gunicorn examples.web_app:wsgi --bind :8002 --workers 2   joins it in each worker

Each of them answers ``/`` with the number of visits that all of them have had.
A server may be killed and started at any time: it only joins the system.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator, Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import actors
from actors import Actor, ActorError, ActorRef, ActorSystem

SYSTEM = os.environ.get("WEB_APP_SYSTEM", "web-app")


class Visits(Actor):
    """Counts visits to all servers."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> int:
        """Count one more and return how many there have been."""
        self.count += 1
        return self.count


async def own() -> None:
    """Run the system that the servers join."""
    async with ActorSystem(SYSTEM) as system:
        await system.options(name="visits").spawn(Visits)
        print("ready", flush=True)
        await asyncio.Event().wait()


# FastAPI: joined while the application starts, left as it ends.


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Join the system, and leave it in the end."""
    async with ActorSystem.attach(SYSTEM) as system:
        app.state.visits = await system.lookup("visits", Visits)
        yield


api = FastAPI(lifespan=lifespan)


@api.get("/")
async def index(request: Request) -> dict[str, int]:
    """Count a visit."""
    visits: ActorRef[Visits] = request.app.state.visits
    return {"visits": await visits.ask(Visits.add), "server": os.getpid()}


@api.exception_handler(ActorError)
async def unavailable(_request: Request, error: ActorError) -> JSONResponse:
    """Answer for an actor that is not there, or too slow."""
    return JSONResponse({"error": str(error)}, status_code=503)


# WSGI: joined by the first request that a worker gets.


@functools.cache
def visits_of_worker() -> ActorRef[Visits]:
    """Join the system: not as this module is loaded, because ``gunicorn --preload`` forks its workers after that."""
    return ActorSystem.attach(SYSTEM).lookup("visits", Visits).result()


def wsgi(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Count a visit."""
    try:
        count = visits_of_worker().ask(Visits.add).result()
    except ActorError as error:
        start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
        return [f"{error}\n".encode()]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{count} {os.getpid()}\n".encode()]


if __name__ == "__main__":
    actors.run(own)
