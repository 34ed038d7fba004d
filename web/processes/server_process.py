"""A server process that a supervisor has started."""

import asyncio
from dataclasses import replace

from starlette.types import ASGIApp

from payments.embedded_sandbox import find_embedded_sandbox
from settings import Settings
from storage.connect import Stores
from web.processes.messages import MessageKind
from web.processes.supervised import Inheritance, Supervised
from web.server import LINGER_S, Server, make_config

CHECK_READINESS_EVERY_S = 0.5


def complete_settings(settings: Settings) -> Settings:
    """Return the settings with the address of the sandbox that the supervisor runs, if any."""
    return replace(settings, payment=find_embedded_sandbox(settings.payment, settings.data_dir))


async def serve_supervised(app: ASGIApp, settings: Settings, inheritance: Inheritance, supervisor: Supervised) -> None:
    """Serve the application on the inherited port until the supervisor stops it or is gone."""
    server = Server(make_config(app))
    serving = asyncio.create_task(server.serve(sockets=[inheritance.take_listener()]))
    helpers = [
        asyncio.create_task(_report(server, supervisor)),
        asyncio.create_task(_announce(server, supervisor)),
        asyncio.create_task(supervisor.stopping.wait()),
    ]
    try:
        await asyncio.wait([serving, helpers[-1]], return_when=asyncio.FIRST_COMPLETED)
        # A server that is replaced disturbs no one; a developer who stops everything does not wait.
        server.linger_s = LINGER_S if settings.drains_for_s or not supervisor.leaving.is_set() else 0
        server.should_exit = True
        await serving
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.wait(helpers)


async def _report(server: Server, supervisor: Supervised) -> None:
    """Report to the supervisor when the server accepts requests, and when its stores answer."""
    await server.has_started.wait()
    supervisor.send(MessageKind.STARTED)
    stores: Stores = server.lifespan.state["stores"]
    while True:
        if not await stores.problems():
            break
        await asyncio.sleep(CHECK_READINESS_EVERY_S)
    supervisor.send(MessageKind.READY)


async def _announce(server: Server, supervisor: Supervised) -> None:
    await supervisor.leaving.wait()
    server.announce_departure()
