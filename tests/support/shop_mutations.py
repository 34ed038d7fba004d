"""Documents, inputs and ids for mutations that several tests send to a shop."""

import uuid

from tests.support.queue_users import QueueUsers
from tests.support.shop import HOLD, Answer, OnSale, lines, new_key

CLOSE = "mutation ($input: CloseConcertInput!) { closeConcert(input: $input) { __typename } }"
HOLD_WITH_PASS = HOLD.replace(
    "... on SoldOutError", "... on NotAdmittedError { position reason } ... on SoldOutError", 1
)
UNKNOWN_CONCERT = "Q29uY2VydDp6enp6enp6enp6eno"
"""A well-formed id that belongs to no concert."""


def hold_input(concert: OnSale, *quantities: int, key: str | None = None) -> dict[str, object]:
    """Return the input of holdTickets for the given quantity of each tier."""
    return {"concertId": concert.id, "lines": lines(concert, *quantities), "idempotencyKey": key or new_key()}


def customer_input() -> dict[str, object]:
    """Return the input fields of purchaseTickets that name the customer, and a new key."""
    return {"customerName": "A", "customerEmail": "a@example.org", "idempotencyKey": new_key()}


def person_id_of(queue: QueueUsers, person: str) -> str:
    """Return the id that a person in the queue has in the tokens signed by the shop."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, queue.name(person)))


async def hold_with_pass(queue: QueueUsers, person: str, token: str | None = None) -> Answer:
    """Try to hold one ticket for a person in the queue, and return the result of holdTickets."""
    input_ = hold_input(queue.concert, 1) | {"queuePass": token}
    return (await queue.shop.fields(HOLD_WITH_PASS, by=queue.name(person), input=input_))["holdTickets"]
