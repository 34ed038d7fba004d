"""A push shows what its viewer may see at that moment, although its execution is shared."""

from contextlib import AsyncExitStack

import pytest

from tests.support.shop import OnSale, Shop, person_id
from tests.support.shop_socket import open_client
from tests.support.sockets import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOCK = "subscription ($id: ID!) { stockChanged(concertId: $id) { tiers { tierId held } } }"
GIVE = """mutation ($input: ChangeConcertOrganizerInput!) {
  changeConcertOrganizer(input: $input) { __typename }
}"""
TIERS = [
    {"name": "Floor", "priceMinor": 0, "capacity": 10},
    {"name": "Guests", "priceMinor": 0, "capacity": 5, "isHidden": True},
]


async def next_tiers(clients: dict[str, Client], concert: OnSale) -> dict[str, int]:
    """Return how many tiers the next payload shows to each person."""
    shown = {}
    for name, client in clients.items():
        tiers = (await client.receive())["payload"]["data"]["stockChanged"]["tiers"]
        assert [tier["tierId"] for tier in tiers] == list(concert.tiers[: len(tiers)])
        shown[name] = len(tiers)
    return shown


async def test_change_of_organizer_takes_effect_with_the_next_payload(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=TIERS)
    async with AsyncExitStack() as stack:
        people = {"anonymous": None, **{name: shop.token(name) for name in ("alice", "olivia", "otto", "ada")}}
        clients = {name: await stack.enter_async_context(open_client(shop, token)) for name, token in people.items()}
        for client in clients.values():
            await client.subscribe("s", STOCK, id=concert.id)
        assert await next_tiers(clients, concert) == {"anonymous": 1, "alice": 1, "olivia": 2, "otto": 1, "ada": 2}

        input_ = {"concertId": concert.id, "organizerId": person_id("otto")}
        await shop.fields(GIVE, by="ada", input=input_)
        await shop.hold(concert, 1)

        assert await next_tiers(clients, concert) == {"anonymous": 1, "alice": 1, "olivia": 1, "otto": 2, "ada": 2}
