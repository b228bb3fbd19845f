"""Make thumbnails of photographs with a pool of workers, while some of them are being killed.

    python examples/thumbnails.py [PHOTOGRAPH ...] [--to FOLDER] [--size 256] [--kill SECONDS]

Without photographs the workers make some first (``--count 24 --megapixels 12``).
With ``--kill 0.3`` a random worker gets SIGKILL every 0.3 s; the photograph that it had in hand goes to the next.
Needs Pillow, and shows a nicer bar where rich is installed: ``pip install pillow rich``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import tempfile
from pathlib import Path

from PIL import Image, ImageOps

import actors
from actors import Actor, ActorSystem, Pool

WORKERS = 4


class Darkroom(Actor):
    """Makes photographs, and makes them small."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size

    def expose(self, order: tuple[Path, float]) -> Path:
        """Make a photograph of so many megapixels: clouds in the sky."""
        path, megapixels = order
        width = round((megapixels * 1e6 * 3 / 2) ** 0.5)
        size = (width, width * 2 // 3)
        clouds = Image.effect_noise((size[0] // 8, size[1] // 8), 80).resize(size)
        sky = Image.linear_gradient("L").resize(size)
        return save(Image.merge("RGB", (clouds, clouds, ImageOps.invert(sky))), path)

    def shrink(self, path: Path) -> Path:
        """Make the thumbnail of a photograph."""
        with Image.open(path) as photograph:
            small = ImageOps.exif_transpose(photograph).convert("RGB")
        small.thumbnail((self.size, self.size), Image.Resampling.LANCZOS)
        return save(small, self.folder / f"{path.stem}.jpg")


def save(image: Image.Image, path: Path) -> Path:
    """Save *image* so that whoever is killed meanwhile leaves no half file where a whole one is looked for."""
    part = path.with_suffix(f".{os.getpid()}")
    image.save(part, "JPEG", quality=90)
    return part.replace(path)


async def kill_at_random(pool: Pool[Darkroom], every: float, killed: list[str]) -> None:
    """Kill a random worker every *every* seconds."""
    while True:
        await asyncio.sleep(every)
        worker = random.choice(pool.stats().workers)  # noqa: S311 - no secret
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
            killed.append(worker.name)


async def photograph(pool: Pool[Darkroom], arguments: argparse.Namespace) -> list[Path]:
    """Return photographs that the workers have made."""
    folder: Path = arguments.temporary
    orders = [
        (folder / f"photograph-{number:03}.jpeg", arguments.megapixels)
        for number in range(arguments.count)
    ]
    made = pool.map(Darkroom.expose, orders, progress=True)
    return [path async for path in made]


async def develop(arguments: argparse.Namespace) -> tuple[list[Path], list[Path]]:
    """Return the photographs and their thumbnails, made while workers are killed."""
    killed: list[str] = []
    async with ActorSystem("thumbnails") as system:
        options = system.options(name="darkroom", size=WORKERS)
        pool = await options.pool(Darkroom, arguments.to, arguments.size)
        # Making the same thumbnail twice does no harm.
        patient = pool.options(retries=100, redeliver=True)
        killer = asyncio.create_task(kill_at_random(pool, arguments.kill, killed))
        photographs = arguments.photographs or await photograph(patient, arguments)
        shrunk = patient.map(Darkroom.shrink, photographs, progress=True)
        thumbnails = [path async for path in shrunk]
        killer.cancel()
    print(f"workers killed: {len(killed)}", *sorted(set(killed)))
    return photographs, thumbnails


async def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as temporary:
        arguments.temporary = Path(temporary)
        arguments.to = arguments.to or arguments.temporary
        photographs, thumbnails = await develop(arguments)
        print(f"photographs: {len(photographs)}, {megabytes(photographs):.1f} MB")
        print(f"thumbnails: {len(thumbnails)}, {megabytes(thumbnails):.1f} MB")
        lost = len(photographs) - sum(path.is_file() for path in thumbnails)
        print(f"lost: {lost}")


def megabytes(paths: list[Path]) -> float:
    return sum(path.stat().st_size for path in paths) / 1e6


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs", nargs="*", type=Path)
    parser.add_argument("--to", type=Path, help="a folder for the thumbnails")
    parser.add_argument("--size", type=int, default=256, help="pixels at most")
    parser.add_argument(
        "--kill", type=float, default=1e9, help="kill a worker every so many seconds"
    )
    parser.add_argument("--count", type=int, default=24, help="of own photographs")
    parser.add_argument("--megapixels", type=float, default=12.0, help="of each")
    return parser.parse_args()


if __name__ == "__main__":
    actors.run(main)
