"""Payloads of each subscription field: one execution renders one snapshot as JSON."""

import asyncio
import re
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
from tests.support.snapshots import CONCERT, NOW, ORDER, SALE, TIER, FakeStores, entry, hold, queue_snapshot

ALICE, OLIVIA = viewer("alice"), viewer("olivia", Role.ORGANIZER)
CONCERT_ID, ORDER_ID = ids.of_concert(CONCERT.id), ids.of_order(ORDER.id)

STOCK_CHANGED = """subscription ($id: ID!, $tiers: Boolean = true) {
  stockChanged(concertId: $id) {
    version epoch soldOut tiers @include(if: $tiers) { tierId capacity available held sold }
  }
}"""
QUEUE_POSITION = """subscription ($id: ID!) {
  queuePosition(concertId: $id) {
    state number position servingNumber waitingCount expiresAt pass { token status } stock { version } version epoch
  }
}"""
HOLD_CHANGED = "subscription ($id: ID!) { hold: holdChanged(concertId: $id) { id state reason concert { name } } }"
ORDER_UPDATED = "subscription ($id: ID!) { orderUpdated(orderId: $id) { status version customerEmail } }"


async def source(
    document: str, by: Viewer | None = ALICE, *, stores: FakeStores | None = None, **variables: object
) -> Source:
    used = {"id": ORDER_ID if document is ORDER_UPDATED else CONCERT_ID, **variables}
    started = await start(Operation(document, used, None), (stores or FakeStores()).context(by))
    assert not isinstance(started, OperationResult), started.payload
    return started


def data_of(rendered: Rendered) -> Any:
    answer = orjson.loads(rendered.payload)
    assert list(answer) == ["data"], answer
    return answer["data"]


async def test_stock_payload_is_complete_for_anonymous_people() -> None:
    rendered = await (await source(STOCK_CHANGED, None)).render(SALE)
    tiers = [{"tierId": ids.of_tier(TIER), "capacity": 10, "available": 5, "held": 2, "sold": 3}]
    assert data_of(rendered) == {"stockChanged": {"version": 7, "epoch": 1, "soldOut": False, "tiers": tiers}}
    assert (rendered.is_last, rendered.key) == (False, None)


async def test_stock_payload_has_the_same_bytes_for_all_viewers() -> None:
    subscribers = [await source(STOCK_CHANGED, by) for by in (None, ALICE, OLIVIA)]
    assert len({(await subscriber.render(SALE)).payload for subscriber in subscribers}) == 1


async def test_fields_are_omitted_by_an_include_condition() -> None:
    rendered = await (await source(STOCK_CHANGED, tiers=False)).render(SALE)
    assert data_of(rendered) == {"stockChanged": {"version": 7, "epoch": 1, "soldOut": False}}


async def test_person_who_never_joined_gets_the_queue_without_an_entry() -> None:
    rendered = await (await source(QUEUE_POSITION)).render(queue_snapshot(None))
    mine = {"state": None, "number": None, "position": None, "expiresAt": None, "pass": None}
    room = {"servingNumber": 40, "waitingCount": 55, "stock": {"version": 7}, "version": 9, "epoch": 1}
    assert data_of(rendered) == {"queuePosition": mine | room}
    assert not rendered.is_last


async def test_waiting_person_gets_their_position() -> None:
    rendered = await (await source(QUEUE_POSITION)).render(queue_snapshot(entry(EntryState.WAITING, 2)))
    mine = data_of(rendered)["queuePosition"]
    assert (mine["state"], mine["number"], mine["position"], mine["pass"]) == ("WAITING", 42, 2, None)
    assert mine["expiresAt"] is None
    assert not rendered.is_last


async def test_called_person_is_at_position_0() -> None:
    rendered = await (await source(QUEUE_POSITION)).render(queue_snapshot(entry(EntryState.READY)))
    mine = data_of(rendered)["queuePosition"]
    assert (mine["state"], mine["position"], mine["pass"], rendered.is_last) == ("READY", 0, None, False)
    assert mine["expiresAt"] == write_date_time(NOW + timedelta(minutes=5))


async def test_pass_is_in_the_payload_while_it_is_valid() -> None:
    rendered = await (await source(QUEUE_POSITION)).render(queue_snapshot(entry(EntryState.ADMITTED, token="secret")))
    assert data_of(rendered)["queuePosition"]["pass"] == {"token": "secret", "status": "CREATED"}
    assert not rendered.is_last


@pytest.mark.parametrize("state", [EntryState.COMPLETED, EntryState.LEFT, EntryState.EXPIRED])
async def test_payload_with_an_ended_entry_is_the_last(state: EntryState) -> None:
    rendered = await (await source(QUEUE_POSITION)).render(queue_snapshot(entry(state, token="secret")))
    mine = data_of(rendered)["queuePosition"]
    assert (mine["state"], mine["number"], mine["position"], mine["expiresAt"]) == (state, 42, None, None)
    assert mine["pass"]["token"] is None
    assert rendered.is_last


async def test_each_hold_has_a_separate_payload() -> None:
    subscriber = await source(HOLD_CHANGED)
    held, ended = hold(), hold("c" * 32, state=HoldState.ENDED, reason=EndReason.EXPIRED)
    first, second = await subscriber.render(held), await subscriber.render(ended)
    of_both = {"concert": {"name": CONCERT.terms.name}}
    assert data_of(first) == {
        "hold": {"id": ids.of_hold(CONCERT.id, held.id), "state": "HELD", "reason": None} | of_both
    }
    assert data_of(second)["hold"]["reason"] == "EXPIRED"
    assert (first.key, second.key) == (held.id, ended.id)
    assert (first.is_last, second.is_last) == (False, False)


@pytest.mark.parametrize("by", [ALICE, OLIVIA])
async def test_order_is_rendered_for_its_owner_and_for_organizers(by: Viewer) -> None:
    rendered = await (await source(ORDER_UPDATED, by)).render(replace(ORDER, version=3))
    order = {"status": "PAID", "version": 3, "customerEmail": "alice@example.org"}
    assert data_of(rendered) == {"orderUpdated": order}
    assert not rendered.is_last


@pytest.mark.parametrize(("document", "root"), [(HOLD_CHANGED, "hold"), (ORDER_UPDATED, "orderUpdated")])
async def test_snapshot_of_another_person_is_refused(document: str, root: str) -> None:
    """Even if the hub mixed up two subscribers, the field permissions would refuse access."""
    mallory = viewer("mallory")
    subscriber = await source(document)
    assert isinstance(subscriber, SubscriptionSource)
    mixed_up = replace(subscriber, viewer=mallory)
    rendered = await mixed_up.render(hold() if document is HOLD_CHANGED else ORDER)
    answer = orjson.loads(rendered.payload)
    assert answer["data"] is None
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"FORBIDDEN"}
    assert answer["errors"][0]["path"][0] == root
    assert b"alice@example.org" not in rendered.payload


async def test_unavailable_store_fails_only_the_fields_that_need_it() -> None:
    stores = FakeStores()
    subscriber = await source(ORDER_UPDATED.replace("status", "status concert { name }"), stores=stores, id=ORDER_ID)
    stores.trouble = TemporarilyUnavailable("The catalog is unavailable")
    answer = orjson.loads((await subscriber.render(ORDER)).payload)
    assert answer["data"]["orderUpdated"]["status"] == "PAID"
    assert answer["data"]["orderUpdated"]["concert"] is None
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
        (["orderUpdated", "concert"], "UNAVAILABLE")
    ]


async def test_each_snapshot_is_rendered_with_current_data() -> None:
    stores = FakeStores()
    subscriber = await source(HOLD_CHANGED, stores=stores)
    await subscriber.render(hold())
    stores.concert = replace(CONCERT, terms=replace(CONCERT.terms, name="Art of Fugue"))
    assert data_of(await subscriber.render(hold()))["hold"]["concert"] == {"name": "Art of Fugue"}


async def test_concurrent_renders_do_not_mix() -> None:
    subscriber = await source(HOLD_CHANGED)
    holds = [hold(letter * 32) for letter in "abcdef"]
    rendered = await asyncio.gather(*map(subscriber.render, holds))
    assert [data_of(one)["hold"]["id"] for one in rendered] == [ids.of_hold(CONCERT.id, one.id) for one in holds]


async def test_internal_error_shows_only_its_request_id() -> None:
    stores = FakeStores()
    subscriber = await source(HOLD_CHANGED, stores=stores)
    stores.concert = None  # type: ignore[assignment]
    answer = orjson.loads((await subscriber.render(hold())).payload)
    (error,) = answer["errors"]
    request_id = error["extensions"]["requestId"]
    assert answer["data"] is None
    assert error["extensions"] == {"code": "INTERNAL", "requestId": request_id}
    assert error["message"] == f"An internal error occurred; report it with request id {request_id}."
    assert re.fullmatch("[0-9a-f]{16}", request_id)
