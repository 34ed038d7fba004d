"""Updates to orders in MongoDB: one winner per version, in as few commands as possible."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from bson.errors import InvalidStringData

from domain.ids import PersonId, Unit
from domain.money import CurrencyCode
from domain.orders import Order, OrderEvent, OrderStatus
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import (
    Effects,
    EffectState,
    FreedBy,
    LateOutcome,
    Payment,
    PaymentAttempt,
    Refund,
    RefundReason,
)
from storage.connect import Stores
from storage.mongo.order_batch import Outcome
from storage.mongo.order_documents import order_document
from storage.mongo.order_updates import UpdateOutcome, update_outcomes
from tests.support.mongo_failures import failing
from tests.support.payment_orders import DEADLINE, NOW, TIER, payment_fact, pending_order, with_intent
from tests.support.write_commands import count_write_commands

WON, LOST, UNIT_TAKEN, UNKNOWN = UpdateOutcome


async def insert(stores: Stores, order: Order) -> Order:
    assert await stores.order_batch.insert(order) is Outcome.RECORDED
    return order


async def test_order_with_a_payment_is_read_as_it_was_written(stores: Stores) -> None:
    facts = (
        replace(payment_fact(FactState.SUCCEEDED), currency=None, row=None),
        ProviderFact(FactKind.REFUND, "re_1", "pi_1", FactState.PENDING, 100, CurrencyCode.EUR, NOW, row=1, code="x"),
    )
    refund = Refund(1, "pi_1", 100, (Unit(f"{TIER}:1"),), RefundReason.REQUESTED, NOW, PersonId("alice"), "k", "d", 7)
    payment = Payment(
        "sandbox",
        DEADLINE,
        (PaymentAttempt(1, NOW), PaymentAttempt(2, NOW, "pi_1", "secret")),
        facts,
        (refund,),
        cancel_requested_at=NOW,
        cancel_reason="BUYER",
        freed_by=FreedBy.CANCELLED,
        late=LateOutcome.TAKEN,
    )
    effects = Effects({"tickets": EffectState.DUE, "mail": EffectState.DONE})
    made = await insert(stores, replace(pending_order("a", 1), payment=payment, effects=effects))
    assert await stores.orders.get(made.id) == made


async def test_client_secret_is_not_part_of_a_repr() -> None:
    assert "pi_1_secret" not in repr(with_intent(pending_order("a", 1)))


async def test_only_one_of_many_updates_of_a_version_wins(stores: Stores) -> None:
    first = await insert(stores, pending_order("a", 1))
    rivals = [with_intent(first, f"pi_{number}") for number in range(100)]
    outcomes = await asyncio.gather(*[stores.order_updates.update(rival) for rival in rivals])
    assert (outcomes.count(WON), outcomes.count(LOST)) == (1, 99)
    assert await stores.orders.get(first.id) == rivals[outcomes.index(WON)]


async def test_an_update_that_is_repeated_loses(stores: Stores) -> None:
    second = with_intent(await insert(stores, pending_order("a", 1)))
    assert await stores.order_updates.update(second) is WON
    assert await stores.order_updates.update(second) is LOST
    assert await stores.orders.get(second.id) == second


async def test_an_update_never_revives_a_void_order(stores: Stores) -> None:
    order = pending_order("a", 1)
    assert await stores.orders.find_or_void(order.id, order.concert_id, now=NOW) is None
    assert await stores.order_updates.update(with_intent(order)) is LOST
    assert await stores.orders.get(order.id) is None


async def test_an_update_cannot_take_a_unit_of_another_order(stores: Stores) -> None:
    await insert(stores, pending_order("owner", 7))
    late = await insert(stores, replace(pending_order("late"), released_units=(Unit(f"{TIER}:7"),)))
    again = replace(late, version=2, units=late.released_units, released_units=(), status=OrderStatus.PAID)
    assert await stores.order_updates.update(again) is UNIT_TAKEN
    assert await stores.orders.get(late.id) == late


async def test_a_unit_given_back_can_be_sold_in_the_same_group(stores: Stores) -> None:
    freed = await insert(stores, pending_order("freed", 1))
    taker = await insert(stores, pending_order("taker"))
    unit = freed.units
    updates = (
        replace(freed, version=2, units=(), released_units=unit, status=OrderStatus.EXPIRED, work_at=None),
        replace(taker, version=2, units=unit),
    )
    assert await asyncio.gather(*[stores.order_updates.update(update) for update in updates]) == [WON, WON]


async def test_concurrent_updates_share_a_command(stores: Stores) -> None:
    made = [await insert(stores, pending_order(f"o{number}", number)) for number in range(150)]
    before = await count_write_commands(stores.mongo)
    outcomes = await asyncio.gather(*[stores.order_updates.update(with_intent(order)) for order in made])
    assert outcomes == [WON] * 150
    assert await count_write_commands(stores.mongo) == before + 2


@pytest.mark.parametrize("failure", [{"errorCode": 10107}, {"writeConcernError": {"code": 64, "errmsg": "slow"}}])
async def test_outcome_without_a_majority_is_unknown(stores: Stores, mongo_url: str, failure: dict[str, Any]) -> None:
    first = await insert(stores, pending_order("a", 1))
    async with failing(mongo_url, 2, commands=("update",), **failure):
        assert await stores.order_updates.update(with_intent(first)) is UNKNOWN


async def test_an_update_that_cannot_be_encoded_fails_alone(stores: Stores) -> None:
    good, bad = [with_intent(await insert(stores, pending_order(name, number))) for number, name in enumerate("ab")]
    assert bad.payment is not None
    bad = replace(bad, payment=replace(bad.payment, cancel_reason="\ud800"))
    outcomes = await asyncio.gather(
        stores.order_updates.update(good), stores.order_updates.update(bad), return_exceptions=True
    )
    assert outcomes[0] is WON
    assert isinstance(outcomes[1], InvalidStringData | UnicodeEncodeError)


async def test_an_update_without_work_removes_the_time_of_the_next_step(stores: Stores) -> None:
    first = await insert(stores, pending_order("a", 1))
    assert await stores.order_updates.update(replace(with_intent(first), work_at=None)) is WON
    document = await stores.orders.collection.find_one({"_id": first.id})
    assert document is not None
    assert "workAt" not in document


async def test_an_update_without_an_event_counts_as_a_change(stores: Stores) -> None:
    first = await insert(stores, pending_order("a", 1))
    after_insert = first.events[-1].at.replace(microsecond=1_000)
    assert await stores.orders.changed_since(after_insert) == {}
    await stores.order_updates.update(with_intent(first))
    assert await stores.orders.changed_since(after_insert) == {first.concert_id: [(first.id, 2)]}


async def test_an_order_without_the_newer_fields_can_be_updated(stores: Stores) -> None:
    paid = replace(
        pending_order("a", 1), payment=None, work_at=None, status=OrderStatus.PAID, events=(OrderEvent("PAID", NOW),)
    )
    document = order_document(paid)
    for field in ("effects", "payment", "workAt"):
        document.pop(field, None)
    await stores.orders.collection.insert_one(document)
    read = await stores.orders.get(paid.id)
    assert read == paid
    refunded = replace(paid, version=2, units=(), released_units=paid.units, status=OrderStatus.REFUNDED)
    assert await stores.order_updates.update(refunded) is WON
    assert await stores.orders.get(paid.id) == refunded


async def test_waiting_updates_are_answered_when_the_server_stops(stores: Stores) -> None:
    waiting = asyncio.ensure_future(stores.order_updates.update(with_intent(pending_order("a", 1))))
    await asyncio.sleep(0)
    await stores.order_updates.aclose()
    assert await waiting is UNKNOWN


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"writeErrors": []}, [WON, WON]),
        ({"writeErrors": [{"index": 1, "code": 11000, "keyPattern": {"_id": 1}}]}, [WON, LOST]),
        ({"writeErrors": [{"index": 0, "code": 11000, "keyPattern": {"units": 1}}]}, [UNIT_TAKEN, WON]),
        ({"writeErrors": [{"index": 0, "code": 121}]}, [UNKNOWN, WON]),
        (
            {
                "writeErrors": [{"index": 0, "code": 11000, "keyPattern": {"_id": 1}}],
                "writeConcernErrors": [{"code": 64}],
            },
            [UNKNOWN, UNKNOWN],
        ),
    ],
    ids=["success", "version", "unit", "other refusal", "without majority"],
)
def test_outcomes_of_updates_are_matched_by_index(details: dict[str, Any], expected: list[UpdateOutcome]) -> None:
    assert update_outcomes(details, 2) == expected
