"""`python -m workers [name ...]`: runs the named workers, or all of them, against the stores of `ONSALE_*_URL`.

Any number may run, on any number of hosts: each run is safe to happen twice.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from settings import Settings, SettingsError
from storage.connect import open_stores
from web import logs
from workers.runner import ALL, run_workers


async def run(settings: Settings, names: Sequence[str]) -> None:
    """Until SIGTERM or SIGINT."""
    if settings.redis_url is None or settings.mongo_url is None:
        raise SettingsError("Name the stores: set ONSALE_REDIS_URL and ONSALE_MONGO_URL.")
    task = asyncio.current_task()
    assert task is not None
    for stop in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop, task.cancel)
    async with open_stores(settings.redis_url, settings.mongo_url, settings.mongo_database) as stores:
        await run_workers(stores, names)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workers", description="Runs Onsale's workers.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(ALL)}; none: all of them")
    names = parser.parse_args().names or ALL
    unknown = [name for name in names if name not in ALL]
    if unknown:
        parser.error(f"no worker is called {', '.join(unknown)}; choose from {', '.join(ALL)}")
    try:
        settings = Settings.from_env(os.environ)
        logs.configure(settings.log_format)
        asyncio.run(run(settings, names))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except asyncio.CancelledError:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
