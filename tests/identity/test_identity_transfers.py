"""A ticket is accepted with the address that the issuer has verified, at both issuers."""

from typing import Any

import httpx2
import pytest

from deploy.keycloak.admin import KeycloakAdmin
from tests.support.api_client import TIMEOUT_S, ApiClient
from tests.support.mailbox_links import find_transfer_link
from tests.support.oidc_client import Issuer
from tests.support.shop import CREATE, PUBLISH, PURCHASE, concert_input, new_key

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(1_200),
]

FREE = [{"name": "Free", "priceMinor": 0, "capacity": 10}]
TICKETS = "{ me { tickets { nodes { id } } } }"
TRANSFER = """mutation ($input: TransferTicketInput!) {
  transferTicket(input: $input) { ... on TransferTicketSuccess { ticket { id } } ... on DomainError { message } }
}"""
ACCEPT = """mutation ($input: AcceptTicketTransferInput!) {
  acceptTicketTransfer(input: $input) {
    ... on AcceptTicketTransferSuccess { ticket { id holderName } }
    ... on TransferRefusedError { reason }
  }
}"""


async def ask(issuer: Issuer, api: ApiClient, person: str, document: str, **variables: object) -> Any:
    """Return the only field of the answer to an operation of a person."""
    token = (await issuer.web.with_password(person)).json()["access_token"]
    answer = (await api.ask(token, document, **variables)).json()
    assert "errors" not in answer, answer["errors"]
    (found,) = answer["data"].values()
    return found


async def offer_ticket(issuer: Issuer, api: ApiClient, *, to: str) -> tuple[str, str]:
    """Let alice buy a free ticket and offer it to an address. Return its id and the token."""
    concert = (await ask(issuer, api, "olivia", CREATE, input=concert_input(tiers=FREE)))["concert"]
    await ask(issuer, api, "olivia", PUBLISH, input={"concertId": concert["id"]})
    lines = [{"tierId": concert["tiers"][0]["id"], "quantity": 1}]
    customer = {"customerName": "Alice", "customerEmail": "alice@onsale.example"}
    input_ = {"concertId": concert["id"], "lines": lines, "idempotencyKey": new_key(), **customer}
    await ask(issuer, api, "alice", PURCHASE, input=input_)
    ticket = (await ask(issuer, api, "alice", TICKETS))["tickets"]["nodes"][0]["id"]
    assert await ask(issuer, api, "alice", TRANSFER, input={"ticketId": ticket, "email": to}) == {
        "ticket": {"id": ticket}
    }
    async with httpx2.AsyncClient(base_url=api.url, timeout=TIMEOUT_S) as client:
        return ticket, (await find_transfer_link(client, to=to)).partition("#")[2]


async def test_ticket_is_accepted_with_the_address_in_the_token(issuer: Issuer, api: ApiClient) -> None:
    ticket, token = await offer_ticket(issuer, api, to="bob@onsale.example")
    accepted = await ask(issuer, api, "bob", ACCEPT, input={"token": token})
    assert accepted == {"ticket": {"id": ticket, "holderName": "bob"}}


@pytest.mark.parametrize("issuer", ["keycloak"], indirect=True)
async def test_ticket_is_refused_until_keycloak_has_verified_the_address(
    issuer: Issuer, api: ApiClient, admin: KeycloakAdmin
) -> None:
    ticket, token = await offer_ticket(issuer, api, to="una@onsale.example")
    refused = await ask(issuer, api, "una", ACCEPT, input={"token": token})
    assert refused == {"reason": "EMAIL_NOT_VERIFIED"}
    [una] = admin.get("users", username="una")
    admin.put(f"users/{una['id']}", una | {"emailVerified": True})
    accepted = await ask(issuer, api, "una", ACCEPT, input={"token": token})
    assert accepted == {"ticket": {"id": ticket, "holderName": "una"}}
