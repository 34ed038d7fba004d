"""Logging out in one window closes the sockets of other windows, with the development issuer."""

from pathlib import Path

from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol

from domain.errors import SessionLost
from tests.support.application import Application, started
from tests.support.login_browser import open_browser
from tests.support.sockets import PROTOCOL, Client


async def test_logout_closes_the_sockets_of_the_session(
    tmp_path: Path, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    stores = {"REDIS_URL": valkey_url, "MONGO_URL": mongo_url, "MONGO_DATABASE": mongo_database}
    async with started(Application(tmp_path / "onsale", **stores)) as application:
        base = f"http://localhost:{application.port}"
        async with open_browser(base) as browser:
            assert (await browser.log_in()).status_code == 303
            page = connect(
                f"ws://localhost:{application.port}/graphql",
                subprotocols=[Subprotocol(PROTOCOL)],
                origin=Origin(base),
                additional_headers={"Cookie": f"onsale-session={browser.session}"},
            )
            async with page as connection:
                window = Client(connection)
                await window.sign_in()
                answer = await browser.log_out(Accept="application/json")
                assert (await browser.http.get(answer.json()["location"])).status_code == 303
                assert await window.closed() == (4403, f"SESSION_LOST: {SessionLost()}")
