"""Fetch pages with a pool of asynchronous workers, many at once in each, while some of them are being killed.

    python examples/http_fetch.py [URL ...] [--pages 400] [--kill SECONDS]

Without URLs it fetches the pages of a server of its own, where each takes 50 ms, as if that were far away.
Each worker has ``concurrency = 50``: while one page is on its way, the same process waits for others.
With ``--kill 0.3`` a random worker gets SIGKILL every 0.3 s, and the pages that were on their way to it are fetched again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import attrs

import actors
from actors import Actor, ActorSystem, Pool

WORKERS = 2
LATENCY = 0.05  # seconds, of the server of our own
IN_FLIGHT = 100


@attrs.frozen
class Page:
    """What came of one URL."""

    url: str
    status: int
    size: int


class Fetcher(Actor):
    """Fetches pages over plain HTTP, with what Python brings along; a real one has a client of httpx or aiohttp."""

    concurrency = 50

    async def fetch(self, url: str) -> Page:
        """Return the status and the size of the page at *url*."""
        parts = urlsplit(url)
        request = f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n"
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
        try:
            writer.write(request.encode())
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        finally:
            writer.close()
        return Page(url, int(head.split()[1]), len(body))


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request: the number in its path is the size of the page."""
    # The worker that asks may be killed at any time.
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        request = await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(LATENCY)
        size = int(request.split()[1].rpartition(b"/")[2])
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * size)
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def server() -> AsyncIterator[str]:
    """Serve on this machine, at the address that this gives."""
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1000)
    async with listening:
        host, port = listening.sockets[0].getsockname()
        yield f"http://{host}:{port}"


async def kill_at_random(pool: Pool[Fetcher], every: float, killed: list[str]) -> None:
    """Kill a random worker every *every* seconds."""
    while True:
        await asyncio.sleep(every)
        worker = random.choice(pool.stats().workers)  # noqa: S311 - no secret
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
            killed.append(worker.name)


async def fetch_all(urls: list[str], kill_every: float) -> list[Page]:
    """Return the pages of *urls*, fetched while workers are killed."""
    killed: list[str] = []
    async with ActorSystem("fetch") as system:
        pool = await system.options(name="fetcher", size=WORKERS).pool(Fetcher)
        patient = pool.options(
            retries=100, redeliver=True, retry_on=(ConnectionError,), timeout=60
        )
        killer = asyncio.create_task(kill_at_random(pool, kill_every, killed))
        pages = patient.map(Fetcher.fetch, urls, in_flight=IN_FLIGHT, progress=True)
        found = [page async for page in pages]
        killer.cancel()
    print(f"workers killed: {len(killed)}", *sorted(set(killed)))
    return found


async def main() -> None:
    arguments = parse()
    async with server() as address:
        urls = arguments.urls or [
            f"{address}/pages/{number}" for number in range(arguments.pages)
        ]
        started = time.monotonic()
        pages = await fetch_all(urls, arguments.kill)
        seconds = time.monotonic() - started
    good = [page for page in pages if page.status == 200]
    size = sum(page.size for page in pages)
    print(f"pages: {len(pages)}, {len(good)} of them good, {size} bytes")
    if not arguments.urls:
        alone = LATENCY * len(urls)
        print(f"time: {seconds:.1f} s; one after the other: {alone:.1f} s")
    print(f"lost: {len(urls) - len({page.url for page in pages})}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("urls", nargs="*", metavar="URL")
    parser.add_argument("--pages", type=int, default=400, help="of the own server")
    parser.add_argument(
        "--kill", type=float, default=1e9, help="kill a worker every so many seconds"
    )
    return parser.parse_args()


if __name__ == "__main__":
    actors.run(main)
