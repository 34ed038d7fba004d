"""Sends requests with an access token to a running Onsale server, and opens sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.sockets import PROTOCOL, Client

ME = "{ me { name roles } }"
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class ApiClient:
    url: str

    async def ask(self, token: str | None, document: str = ME, **variables: object) -> httpx2.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        body = {"query": document, "variables": variables}
        async with httpx2.AsyncClient(base_url=self.url, timeout=TIMEOUT_S) as client:
            return await client.post("/graphql", json=body, headers=headers)

    async def accepts(self, token: str) -> bool:
        """Return whether the token is accepted. Any answer but 200 and 401 is an error."""
        answer = await self.ask(token)
        assert answer.status_code in (200, 401), answer.text
        return answer.status_code == 200

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[Client]:
        address = self.url.replace("http", "ws", 1) + "/graphql"
        subprotocols = [Subprotocol(PROTOCOL)]
        async with connect(address, subprotocols=subprotocols, compression=None, ping_interval=None) as opened:
            yield Client(opened)
