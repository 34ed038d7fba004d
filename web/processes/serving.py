"""Runs a server in a process that does everything itself."""

import asyncio
import contextlib
from socket import socket

from settings import Settings
from web import home
from web.processes.terminal import write
from web.server import LINGER_S, Server


async def serve_until_canceled(server: Server, listener: socket, settings: Settings) -> None:
    """Serve until canceled. Then be not ready for ONSALE_DRAIN_S seconds, and stop. Another
    cancellation ends the wait.
    """
    server.linger_s = LINGER_S if settings.drains_for_s else 0
    greeting = asyncio.create_task(_greet(server, settings))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.announce_departure()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([serving], timeout=settings.drains_for_s)
        server.should_exit = True
        await serving
        raise
    finally:
        greeting.cancel()


async def _greet(server: Server, settings: Settings) -> None:
    await server.has_started.wait()
    write(home.banner(settings))
