"""Documents, inputs and ids of mutations that several tests send to a shop."""

import uuid

from tests.support.queue_users import QueueUsers
from tests.support.shop import HOLD, Answer, OnSale, lines, new_key

CLOSE = "mutation ($input: CloseConcertInput!) { closeConcert(input: $input) { __typename } }"
HOLD_WITH_PASS = HOLD.replace(
    "... on SoldOutError", "... on NotAdmittedError { position reason } ... on SoldOutError", 1
)
UNKNOWN_CONCERT = "Q29uY2VydDp6enp6enp6enp6eno"
"""A well-formed id that no concert has."""


def hold_input(concert: OnSale, *quantities: int, key: str | None = None) -> dict[str, object]:
    """Return the input of holdTickets: a line per quantity, in the order of the tiers."""
    return {"concertId": concert.id, "lines": lines(concert, *quantities), "idempotencyKey": key or new_key()}


def customer_input() -> dict[str, object]:
    """Return the fields of purchaseTickets that name the customer, with a new key."""
    return {"customerName": "A", "customerEmail": "a@example.org", "idempotencyKey": new_key()}


def person_id_of(queue: QueueUsers, person: str) -> str:
    """Return the id in the tokens that a shop signs for a person in the queue."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, queue.name(person)))


async def hold_with_pass(queue: QueueUsers, person: str, token: str | None = None) -> Answer:
    """Request one ticket for a person in the queue, and return the answer of holdTickets."""
    input_ = hold_input(queue.concert, 1) | {"queuePass": token}
    return (await queue.shop.fields(HOLD_WITH_PASS, by=queue.name(person), input=input_))["holdTickets"]
