"""The server command in docs/operations.md, run as printed, logs no query string."""

import re
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.application import ROOT, Application, started
from tests.support.sockets import INIT, PROTOCOL, Client

SECRET = "s3cret-of-a-query"


def documented_options() -> list[str]:
    """Return the uvicorn options from the command in docs/operations.md."""
    (line,) = re.findall(r"^ *(--http .*)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    return str(line).split()


async def test_documented_command_logs_no_query_string(
    tmp_path: Path, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    stores = {"REDIS_URL": valkey_url, "MONGO_URL": mongo_url, "MONGO_DATABASE": mongo_database}
    application = Application(tmp_path / "onsale", **stores)
    command = ("-m", "uvicorn", "app:app", "--port", str(application.port), *documented_options())
    application.command = command
    async with started(application):
        answer = await application.get(f"/graphql?query={{__typename}}&variables={{}}&token={SECRET}")
        assert answer.status_code == 200
        url = application.url.replace("http", "ws", 1) + f"/graphql?token={SECRET}"
        async with connect(url, subprotocols=[Subprotocol(PROTOCOL)]) as connection:
            client = Client(connection)
            await client.send(INIT)
            assert (await client.receive())["type"] == "connection_ack"
    assert "GET /graphql 200" in application.output
    assert SECRET not in application.output
