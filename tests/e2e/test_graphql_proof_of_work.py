"""On every transport, a queue that requires a proof of work refuses joins without one."""

from typing import Any

import pytest

from tests.support.proof_of_work import find_nonce
from tests.support.queue_users import QueueUsers
from tests.support.shop import Answer, OnSale, Shop, new_key
from tests.support.shop_socket import open_client

pytestmark = pytest.mark.asyncio(loop_scope="module")

BITS = 8
JOIN = """mutation ($input: JoinQueueInput!) {
  joinQueue(input: $input) {
    __typename
    ... on JoinQueueSuccess { entry { number } }
    ... on ChallengeRequiredError { reason challenge bits expiresAt expiresInSeconds }
    ... on DomainError { code message retryable retryAfterSeconds }
  }
}"""
CONFIGURE = """mutation ($input: ConfigureWaitingRoomInput!) {
  configureWaitingRoom(input: $input) {
    __typename
    ... on ConfigureWaitingRoomSuccess { waitingRoom { proofOfWorkBits } }
    ... on InvalidInputError { problems { path message } }
  }
}"""


async def with_challenge(shop: Shop) -> OnSale:
    return await shop.on_sale(waitingRoom={"suspended": False, "proofOfWorkBits": BITS})


def solved(challenge: str) -> dict[str, str]:
    return {"challenge": challenge, "nonce": find_nonce(challenge, BITS)}


async def test_join_is_refused_with_a_challenge_and_succeeds_once_it_is_solved(shop: Shop) -> None:
    concert = await with_challenge(shop)
    queue = QueueUsers(shop, concert, new_key())

    async def join(**proof: object) -> Answer:
        input_ = {"concertId": concert.id, **proof}
        return (await shop.fields(JOIN, by=queue.name("alice"), input=input_))["joinQueue"]

    refused = await join()
    assert await queue.read_entry("alice") is None
    challenge = refused.pop("challenge")
    assert refused.pop("expiresAt").endswith("Z")
    assert 1 <= refused.pop("expiresInSeconds") <= 120
    assert refused == {
        "__typename": "ChallengeRequiredError",
        "reason": "MISSING",
        "bits": BITS,
        "code": "CHALLENGE_REQUIRED",
        "message": "This queue asks for a proof of work; find a nonce for which the SHA-256 of `challenge` and the"
        " nonce begins with 8 zero bits, and send both as `proof`.",
        "retryable": False,
        "retryAfterSeconds": None,
    }
    wrong = await join(proof={"challenge": challenge, "nonce": "x" * 65})
    assert (wrong["__typename"], wrong["reason"]) == ("ChallengeRequiredError", "INVALID")
    assert (await join(proof=solved(challenge)))["entry"] == {"number": 1}
    assert (await join())["entry"] == {"number": 1}


async def test_join_over_a_socket_needs_a_proof_too(shop: Shop) -> None:
    concert = await with_challenge(shop)

    async with open_client(shop, shop.token(new_key())) as client:

        async def join(id_: str, **proof: object) -> Any:
            variables = {"input": {"concertId": concert.id, **proof}}
            payload = {"query": JOIN, "variables": variables}
            await client.send({"type": "subscribe", "id": id_, "payload": payload})
            answer = (await client.receive())["payload"]["data"]["joinQueue"]
            assert (await client.receive())["type"] == "complete"
            return answer

        refused = await join("1")
        assert (refused["__typename"], refused["reason"]) == ("ChallengeRequiredError", "MISSING")
        assert (await join("2", proof=solved(refused["challenge"])))["entry"] == {"number": 1}


@pytest.mark.parametrize(("bits", "is_allowed"), [(0, True), (24, True), (25, False), (-1, False)])
async def test_difficulty_is_bounded(shop: Shop, bits: int, is_allowed: bool) -> None:
    concert = await with_challenge(shop)
    input_ = {"concertId": concert.id, "settings": {"proofOfWorkBits": bits}}
    answer = (await shop.fields(CONFIGURE, by="olivia", input=input_))["configureWaitingRoom"]
    if is_allowed:
        assert answer["waitingRoom"] == {"proofOfWorkBits": bits}
    else:
        message = f"is {bits}; it must be between 0 and 24"
        assert answer["problems"] == [{"path": "settings.proofOfWorkBits", "message": message}]
