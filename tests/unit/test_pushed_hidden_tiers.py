"""Hidden tiers below `queuePosition`: the concert of the entry shows them as a query does."""

from dataclasses import replace
from typing import Any

import orjson

from auth.viewer import Role, Viewer
from domain.concerts import Tier
from domain.ids import tier_id
from domain.queues import EntryState
from domain.stock import TierStock
from domain.tiers.rules import TierRules
from domain.topics import QueueSnapshot
from schema import Operation, OperationResult, ids, start
from tests.support.sale import viewer
from tests.support.snapshots import CONCERT, ROOM, STOCK, TIER, FakeStores, entry

HIDDEN = Tier(tier_id(CONCERT.id, 2), "Guests", 0, capacity=5, top=5, rules=TierRules(is_hidden=True))
WITH_HIDDEN = replace(CONCERT, tiers=(*CONCERT.tiers, HIDDEN))
HIDDEN_STOCK = TierStock(HIDDEN.id, capacity=4, held=1, sold=0, price_minor=1_000, is_hidden=True)
WHOLE = replace(STOCK, tiers=(*STOCK.tiers, HIDDEN_STOCK), organizer_id=CONCERT.organizer_id)
DOCUMENT = """subscription ($id: ID!) { queuePosition(concertId: $id) {
  stock { tiers { tierId } }
  entry { concert { tiers { id available price { minor } version } stock { tiers { tierId available } } } }
} }"""
OPEN_TIER = {"id": ids.of_tier(TIER), "available": 5, "price": {"minor": 4_950}, "version": 7}
HIDDEN_TIER = {"id": ids.of_tier(HIDDEN.id), "available": 3, "price": {"minor": 1_000}, "version": 7}


async def pushed_to(by: Viewer) -> dict[str, Any]:
    context = FakeStores(WITH_HIDDEN).context(by)
    source = await start(Operation(DOCUMENT, {"id": ids.of_concert(CONCERT.id)}, None), context)
    assert not isinstance(source, OperationResult)
    own = replace(entry(EntryState.WAITING, 2), person_id=by.person_id)
    payload: dict[str, Any] = orjson.loads((await source.render(QueueSnapshot(own, ROOM, WHOLE))).payload)
    shown: dict[str, Any] = payload["data"]["queuePosition"]
    return shown


async def test_organizer_in_the_queue_gets_the_numbers_of_a_query() -> None:
    shown = await pushed_to(viewer("olivia", Role.CUSTOMER, Role.ORGANIZER))
    concert = shown["entry"]["concert"]
    assert concert["tiers"] == [OPEN_TIER, HIDDEN_TIER]
    assert [(tier["tierId"], tier["available"]) for tier in concert["stock"]["tiers"]] == [
        (OPEN_TIER["id"], 5),
        (HIDDEN_TIER["id"], 3),
    ]
    assert shown["stock"]["tiers"] == [{"tierId": OPEN_TIER["id"]}]


async def test_no_other_person_in_the_queue_sees_a_hidden_tier() -> None:
    for by in (viewer("ann"), viewer("otto", Role.CUSTOMER, Role.ORGANIZER)):
        shown = await pushed_to(by)
        assert shown["entry"]["concert"]["tiers"] == [OPEN_TIER]
        assert shown["entry"]["concert"]["stock"]["tiers"] == [{"tierId": OPEN_TIER["id"], "available": 5}]
        assert shown["stock"]["tiers"] == [{"tierId": OPEN_TIER["id"]}]
