"""Buys tickets for a demo concert from `python app.py`, as a signed-in buyer."""

import uuid
from typing import Any

import httpx2

CONCERT = """{ concert(slug: "vesna-korda-paradiso") { id tiers { id } } }"""
BUY = """mutation ($input: PurchaseTicketsInput!) { purchaseTickets(input: $input) {
  ... on PurchaseTicketsSuccess { order { id status payment { testPaymentUrl } } }
  ... on DomainError { code message } } }"""


class Buyer:
    def __init__(self, client: httpx2.AsyncClient, token: str) -> None:
        self._client = client
        self.headers = {"Authorization": f"Bearer {token}"}
        """The headers of each request. A test may add others."""

    async def ask(self, document: str, **variables: object) -> dict[str, Any]:
        body = {"query": document, "variables": variables}
        answer = (await self._client.post("/graphql", json=body, headers=self.headers)).json()
        assert "errors" not in answer, answer["errors"]
        return dict(answer["data"])

    async def buy_two(self, **changes: str) -> dict[str, Any]:
        """Buy two tickets that are not free, and return the order."""
        concert = (await self.ask(CONCERT))["concert"]
        lines = [{"tierId": concert["tiers"][0]["id"], "quantity": 2}]
        person = {"customerName": "Alice", "customerEmail": "alice@onsale.example"}
        input_ = {"concertId": concert["id"], "lines": lines, "idempotencyKey": uuid.uuid4().hex, **person, **changes}
        return dict((await self.ask(BUY, input=input_))["purchaseTickets"]["order"])


async def sign_in(client: httpx2.AsyncClient) -> Buyer:
    fields = {"grant_type": "password", "client_id": "onsale-web", "username": "alice", "password": "alice"}
    answer = await client.post("/realms/onsale/protocol/openid-connect/token", data=fields)
    return Buyer(client, answer.json()["access_token"])
