"""A server that does not listen yet has no one to tell that it leaves, so it stops at once."""

from starlette.applications import Starlette

from web.server import Server, make_config


async def test_server_that_has_not_started_does_not_drain() -> None:
    """Failing value before: a worker that failed at the start made it wait for its drain time."""
    server = Server(make_config(Starlette()))
    server.announce_departure()
    assert server.should_exit
