"""A transfer link reaches a person by mail, and opens the page on which the ticket is accepted."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.support.application import Application, started
from tests.support.mailbox_links import find_transfer_link
from tests.support.shop import CREATE, PUBLISH, PURCHASE, concert_input, new_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

FREE = [{"name": "Free", "priceMinor": 0, "capacity": 10}]
TICKETS = "{ me { tickets { nodes { id generation code } } } }"
TRANSFER = """mutation ($input: TransferTicketInput!) {
  transferTicket(input: $input) { ... on TransferTicketSuccess { ticket { id } } ... on DomainError { message } }
}"""
ACCEPT = """mutation ($input: AcceptTicketTransferInput!) {
  acceptTicketTransfer(input: $input) {
    ... on AcceptTicketTransferSuccess { ticket { id holderName } }
    ... on DomainError { message }
  }
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx2.AsyncClient]:
    application = Application(tmp_path_factory.mktemp("transfers") / "onsale")
    async with started(application), httpx2.AsyncClient(base_url=application.url, timeout=60) as made:
        yield made


async def ask(client: httpx2.AsyncClient, person: str, document: str, **variables: object) -> Any:
    """Run an operation as a demo user, and return the only field of the answer."""
    fields = {"grant_type": "password", "client_id": "onsale-web", "username": person, "password": person}
    token = (await client.post("/realms/onsale/protocol/openid-connect/token", data=fields)).json()["access_token"]
    body = {"query": document, "variables": variables}
    answer = (await client.post("/graphql", json=body, headers={"Authorization": f"Bearer {token}"})).json()
    assert "errors" not in answer, answer["errors"]
    (found,) = answer["data"].values()
    return found


async def buy_ticket(client: httpx2.AsyncClient) -> None:
    """Let alice buy a free ticket for olivia's concert."""
    concert = (await ask(client, "olivia", CREATE, input=concert_input(tiers=FREE)))["concert"]
    await ask(client, "olivia", PUBLISH, input={"concertId": concert["id"]})
    lines = [{"tierId": concert["tiers"][0]["id"], "quantity": 1}]
    customer = {"customerName": "Alice", "customerEmail": "alice@onsale.example"}
    input_ = {"concertId": concert["id"], "lines": lines, "idempotencyKey": new_key(), **customer}
    assert (await ask(client, "alice", PURCHASE, input=input_))["order"]["status"] in ("PAID", "FULFILLED")


async def tickets(client: httpx2.AsyncClient, person: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await ask(client, person, TICKETS))["tickets"]["nodes"]
    return found


async def test_link_in_the_mailbox_gives_the_ticket_to_its_recipient(client: httpx2.AsyncClient) -> None:
    await buy_ticket(client)
    (before,) = await tickets(client, "alice")
    input_ = {"ticketId": before["id"], "email": "bob@onsale.example"}
    assert await ask(client, "alice", TRANSFER, input=input_) == {"ticket": {"id": before["id"]}}

    token = (await find_transfer_link(client, to="bob@onsale.example")).partition("#")[2]
    accepted = await ask(client, "bob", ACCEPT, input={"token": token})

    assert accepted == {"ticket": {"id": before["id"], "holderName": "bob"}}
    assert await tickets(client, "alice") == []
    (after,) = await tickets(client, "bob")
    assert (after["id"], after["generation"]) == (before["id"], 2)
    assert after["code"] not in (None, before["code"])
