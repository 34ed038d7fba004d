"""The counter of refusals counts each one by its code, wherever it is raised."""

import pytest
from prometheus_client import REGISTRY

from tests.support.shop import Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")


def count(code: str) -> float:
    return REGISTRY.get_sample_value("onsale_refusals_total", {"code": code}) or 0.0


async def test_refusals_in_unions_fields_and_requests_are_counted(shop: Shop) -> None:
    concert = await shop.on_sale()
    before = {code: count(code) for code in ("LIMIT_EXCEEDED", "BAD_USER_INPUT", "UNAUTHENTICATED", "FORBIDDEN")}

    assert (await shop.hold(concert, 1_000))["__typename"] == "LimitExceededError"
    await shop.ask("{ unknown }")
    await shop.client.post("/graphql", content=b"{")
    await shop.client.post("/graphql", json={"query": "{ serverTime }"}, headers={"Authorization": "Bearer x"})
    await shop.ask(
        'mutation { closeConcert(input: {concertId: "x"}) { __typename } }',
        by="alice",
    )

    counted = {code: count(code) - number for code, number in before.items()}
    assert counted == {"LIMIT_EXCEEDED": 1, "BAD_USER_INPUT": 2, "UNAUTHENTICATED": 1, "FORBIDDEN": 1}
