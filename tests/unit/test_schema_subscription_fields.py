"""What a watcher is shown: one snapshot, executed once, as JSON."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from auth.viewer import Role, Viewer
from domain.errors import TemporarilyUnavailable
from domain.holds import EndReason, HoldState
from domain.queues import EntryState
from schema import Operation, OperationResult, ids, start
from schema.execution.subscription_source import SubscriptionSource
from schema.scalars import write_date_time
from subscriptions.interfaces import Rendered, Source
from tests.support.sale import viewer
from tests.support.snapshots import CONCERT, NOW, ORDER, STOCK, TIER, FewStores, entry, hold, queue_snapshot

ALICE, OLIVIA = viewer("alice"), viewer("olivia", Role.ORGANIZER)
CONCERT_ID, ORDER_ID = ids.of_concert(CONCERT.id), ids.of_order(ORDER.id)

WATCH_STOCK = """subscription ($id: ID!, $tiers: Boolean = true) {
  stockChanged(concertId: $id) {
    version epoch soldOut tiers @include(if: $tiers) { tierId capacity available held sold }
  }
}"""
QUEUE_POSITION = """subscription ($id: ID!) {
  queuePosition(concertId: $id) {
    state number position servingNumber waitingCount expiresAt pass { token status } stock { version } version epoch
  }
}"""
WATCH_HOLDS = "subscription ($id: ID!) { hold: holdChanged(concertId: $id) { id state reason concert { name } } }"
WATCH_ORDER = "subscription ($id: ID!) { orderUpdated(orderId: $id) { status version customerEmail } }"


async def source(
    document: str, by: Viewer | None = ALICE, *, stores: FewStores | None = None, **variables: object
) -> Source:
    used = {"id": ORDER_ID if document is WATCH_ORDER else CONCERT_ID, **variables}
    begun = await start(Operation(document, used, None), (stores or FewStores()).context(by))
    assert not isinstance(begun, OperationResult), begun.payload
    return begun


def shown(rendered: Rendered) -> Any:
    answer = orjson.loads(rendered.payload)
    assert list(answer) == ["data"], answer
    return answer["data"]


async def test_stock_is_shown_whole_to_anybody() -> None:
    rendered = await (await source(WATCH_STOCK, None)).render(STOCK)
    tiers = [{"tierId": ids.of_tier(TIER), "capacity": 10, "available": 5, "held": 2, "sold": 3}]
    assert shown(rendered) == {"stockChanged": {"version": 7, "epoch": 1, "soldOut": False, "tiers": tiers}}
    assert (rendered.is_last, rendered.key) == (False, None)


async def test_the_bytes_of_an_operation_are_the_same_for_everybody() -> None:
    watchers = [await source(WATCH_STOCK, by) for by in (None, ALICE, OLIVIA)]
    assert len({(await watcher.render(STOCK)).payload for watcher in watchers}) == 1


async def test_what_is_shared_is_shown_as_to_an_anonymous_person() -> None:
    watcher = await source(WATCH_STOCK, OLIVIA)
    assert isinstance(watcher, SubscriptionSource)
    assert watcher.context.viewer is None


async def test_a_condition_decides_what_is_shown() -> None:
    rendered = await (await source(WATCH_STOCK, tiers=False)).render(STOCK)
    assert shown(rendered) == {"stockChanged": {"version": 7, "epoch": 1, "soldOut": False}}


async def test_somebody_who_never_joined_sees_the_line_and_no_place() -> None:
    rendered = await (await source(QUEUE_POSITION)).render(queue_snapshot(None))
    mine = {"state": None, "number": None, "position": None, "expiresAt": None, "pass": None}
    room = {"servingNumber": 40, "waitingCount": 55, "stock": {"version": 7}, "version": 9, "epoch": 1}
    assert shown(rendered) == {"queuePosition": mine | room}
    assert not rendered.is_last


async def test_somebody_who_waits_sees_where() -> None:
    rendered = await (await source(QUEUE_POSITION)).render(queue_snapshot(entry(EntryState.WAITING, 2)))
    mine = shown(rendered)["queuePosition"]
    assert (mine["state"], mine["number"], mine["position"], mine["pass"]) == ("WAITING", 42, 2, None)
    assert mine["expiresAt"] is None
    assert not rendered.is_last


async def test_somebody_who_was_called_is_at_0() -> None:
    rendered = await (await source(QUEUE_POSITION)).render(queue_snapshot(entry(EntryState.READY)))
    mine = shown(rendered)["queuePosition"]
    assert (mine["state"], mine["position"], mine["pass"], rendered.is_last) == ("READY", 0, None, False)
    assert mine["expiresAt"] == write_date_time(NOW + timedelta(minutes=5))


async def test_the_pass_is_shown_while_it_is_good() -> None:
    rendered = await (await source(QUEUE_POSITION)).render(queue_snapshot(entry(EntryState.ADMITTED, token="secret")))
    assert shown(rendered)["queuePosition"]["pass"] == {"token": "secret", "status": "CREATED"}
    assert not rendered.is_last


@pytest.mark.parametrize("state", [EntryState.COMPLETED, EntryState.LEFT, EntryState.EXPIRED])
async def test_a_place_that_ended_is_told_and_is_the_last(state: EntryState) -> None:
    rendered = await (await source(QUEUE_POSITION)).render(queue_snapshot(entry(state, token="secret")))
    mine = shown(rendered)["queuePosition"]
    assert (mine["state"], mine["number"], mine["position"], mine["expiresAt"]) == (state, 42, None, None)
    assert mine["pass"]["token"] is None
    assert rendered.is_last


async def test_each_hold_is_shown_apart() -> None:
    watcher = await source(WATCH_HOLDS)
    held, ended = hold(), hold("c" * 32, state=HoldState.ENDED, reason=EndReason.EXPIRED)
    first, second = await watcher.render(held), await watcher.render(ended)
    of_both = {"concert": {"name": CONCERT.terms.name}}
    assert shown(first) == {"hold": {"id": ids.of_hold(CONCERT.id, held.id), "state": "HELD", "reason": None} | of_both}
    assert shown(second)["hold"]["reason"] == "EXPIRED"
    assert (first.key, second.key) == (held.id, ended.id)
    assert (first.is_last, second.is_last) == (False, False)


@pytest.mark.parametrize("by", [ALICE, OLIVIA])
async def test_an_order_is_shown_to_its_owner_and_to_organizers(by: Viewer) -> None:
    rendered = await (await source(WATCH_ORDER, by)).render(replace(ORDER, version=3))
    order = {"status": "PAID", "version": 3, "customerEmail": "alice@example.org"}
    assert shown(rendered) == {"orderUpdated": order}
    assert not rendered.is_last


@pytest.mark.parametrize(("document", "root"), [(WATCH_HOLDS, "hold"), (WATCH_ORDER, "orderUpdated")])
async def test_a_snapshot_of_somebody_else_is_not_shown(document: str, root: str) -> None:
    """Should the hub ever mix two watchers up, rights stand in front of every field."""
    mallory = viewer("mallory")
    watcher = await source(document)
    assert isinstance(watcher, SubscriptionSource)
    mixed_up = replace(watcher, context=replace(watcher.context, viewer=mallory))
    rendered = await mixed_up.render(hold() if document is WATCH_HOLDS else ORDER)
    answer = orjson.loads(rendered.payload)
    assert answer["data"] is None
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"FORBIDDEN"}
    assert answer["errors"][0]["path"][0] == root
    assert b"alice@example.org" not in rendered.payload


async def test_a_store_that_is_away_is_told_and_the_rest_is_shown() -> None:
    stores = FewStores()
    watcher = await source(WATCH_ORDER.replace("status", "status concert { name }"), stores=stores, id=ORDER_ID)
    stores.trouble = TemporarilyUnavailable("The catalogue is away")
    answer = orjson.loads((await watcher.render(ORDER)).payload)
    assert answer["data"]["orderUpdated"]["status"] == "PAID"
    assert answer["data"]["orderUpdated"]["concert"] is None
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
        (["orderUpdated", "concert"], "UNAVAILABLE")
    ]


async def test_each_snapshot_is_shown_with_what_is_true_then() -> None:
    stores = FewStores()
    watcher = await source(WATCH_HOLDS, stores=stores)
    await watcher.render(hold())
    stores.concert = replace(CONCERT, terms=replace(CONCERT.terms, name="Art of Fugue"))
    assert shown(await watcher.render(hold()))["hold"]["concert"] == {"name": "Art of Fugue"}


async def test_snapshots_shown_at_once_do_not_mix() -> None:
    watcher = await source(WATCH_HOLDS)
    holds = [hold(letter * 32) for letter in "abcdef"]
    rendered = await asyncio.gather(*map(watcher.render, holds))
    assert [shown(one)["hold"]["id"] for one in rendered] == [ids.of_hold(CONCERT.id, one.id) for one in holds]


async def test_a_fault_of_ours_is_masked_and_named() -> None:
    stores = FewStores()
    watcher = await source(WATCH_HOLDS, stores=stores)
    stores.concert = None  # type: ignore[assignment]
    answer = orjson.loads((await watcher.render(hold())).payload)
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"] == {"code": "INTERNAL", "requestId": "r1"}
