"""A call over its rate limit gets a typed error that names the limit and when to try again."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.limits.rates import CallRates, Rate, RateLimits
from tests.support.shop import Shop, lines, new_key, shop_on
from tests.support.shop_mutations import customer_input

LIMITED = """... on RateLimitedError { code message retryable retryAfterSeconds call per limit seconds }"""


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def limited_shop(shop: Shop) -> AsyncIterator[Shop]:
    one = Rate(1, 600)
    rates = RateLimits(joins=CallRates(per_address=one), holds=CallRates(one), purchases=CallRates(one))
    async with shop_on(shop.stores, shop.redis_url, rates=rates) as limited:
        yield limited


async def ask(shop: Shop, verb: str, by: str, **input_: object) -> dict[str, object]:
    type_ = verb[0].upper() + verb[1:]
    document = f"mutation ($input: {type_}Input!) {{ {verb}(input: $input) {{ __typename {LIMITED} }} }}"
    answer: dict[str, object] = (await shop.fields(document, by=by, input=input_))[verb]
    return answer


def check(answer: dict[str, object], call: str, per: str) -> None:
    seconds = answer.pop("retryAfterSeconds")
    assert isinstance(seconds, int)
    assert 1 <= seconds <= 600
    message = answer.pop("message")
    assert isinstance(message, str)
    assert message.endswith(f" is 1 in 600 s per {per.lower()}; repeat the request in {seconds} s.")
    expected = {"code": "RATE_LIMITED", "retryable": True, "call": call, "per": per, "limit": 1, "seconds": 600}
    assert answer == {"__typename": "RateLimitedError", **expected}


async def test_refusal_names_the_call_the_rate_and_the_time(limited_shop: Shop) -> None:
    shop = limited_shop
    queued, sold = await shop.on_sale(waitingRoom={"suspended": False}), await shop.on_sale()
    assert (await ask(shop, "joinQueue", "alice", concertId=queued.id))["__typename"] == "JoinQueueSuccess"
    check(await ask(shop, "joinQueue", "bob", concertId=queued.id), "JOIN_QUEUE", "ADDRESS")

    wanted: dict[str, object] = {"concertId": sold.id, "lines": lines(sold, 1)}
    held = await ask(shop, "holdTickets", "alice", **wanted, idempotencyKey=new_key())
    assert held["__typename"] == "HoldTicketsSuccess"
    check(await ask(shop, "holdTickets", "alice", **wanted, idempotencyKey=new_key()), "HOLD_TICKETS", "PERSON")

    bought = await ask(shop, "purchaseTickets", "bob", **wanted | customer_input())
    assert bought["__typename"] == "PurchaseTicketsSuccess"
    check(await ask(shop, "purchaseTickets", "bob", **wanted | customer_input()), "HOLD_TICKETS", "PERSON")
    assert await shop.stock(sold) == [(98, 1, 1), (2, 0, 0)]
