"""The commands `paymentevents` and `rebuild` of `python -m workers`."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from domain.orders import Order, OrderStatus
from domain.payments.facts import FactState
from domain.payments.inbox import InboxState
from storage.keys import concert_keys
from tests.support.hot_keys import concert_key, replace_incarnation
from tests.support.payment_events import inbox_event, payment_fact
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from tests.support.sale import check_invariants, hold, stock
from tests.support.worker_steps import start_command
from workers.commands import paymentevents, rebuild

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        yield made


async def run_events(till: Till, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = await paymentevents.run(till.stores, till.payments, paymentevents.parse_arguments(arguments))
    return code, capsys.readouterr().out.splitlines()


async def run_rebuild(till: Till, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = await rebuild.run(till.stores, rebuild.parse_arguments(arguments))
    shown = capsys.readouterr()
    return code, shown.out, shown.err


async def keep_event(till: Till, order: Order, id_: str, state: InboxState, **changes: Any) -> None:
    """Put into the inbox a payment event that was kept back an hour ago."""
    fact = payment_fact(till.intent(order).id, FactState.SUCCEEDED, amount_minor=order.total.minor)
    event = inbox_event(
        id_,
        state=state,
        problem="the order is unknown",
        order_id=order.id,
        concert_id=order.concert_id,
        intent_id=fact.intent_id,
        facts=(fact,),
        received_at=datetime.now(UTC) - timedelta(hours=1),
        due_at=datetime.now(UTC) + timedelta(hours=1) if state is InboxState.PARKED else None,
    )
    assert await till.stores.payment_inbox.insert(event)


async def status(till: Till, order: Order) -> OrderStatus:
    return (await till.read(order)).status


async def test_kept_events_are_listed_and_replayed(till: Till, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run_events(till, capsys) == (0, ["no payment events were kept back"])
    assert await run_events(till, capsys, "replay") == (0, ["no payment events to replay"])
    concert = await concert_for_sale(till, 10)
    parked, reported, quarantined = [await till.order(concert, 1, who=who) for who in ("ann", "bob", "cy")]
    await keep_event(till, parked, "evt_p", InboxState.PARKED)
    await keep_event(till, reported, "evt_r", InboxState.REPORTED)
    await keep_event(till, quarantined, "evt_q", InboxState.QUARANTINED)
    code, (head, *rows) = await run_events(till, capsys, "list")
    assert (code, head.split()) == (0, ["ID", "STATE", "TYPE", "RECEIVED", "AT", "ORDER", "INTENT", "PROBLEM"])
    assert [row.split()[:2] for row in rows] == [["evt_p", "PARKED"], ["evt_q", "QUARANTINED"], ["evt_r", "REPORTED"]]
    assert rows[0].endswith("the order is unknown")
    _, (_, row) = await run_events(till, capsys, "--state", "PARKED")
    assert row.split() == rows[0].split()

    assert await run_events(till, capsys, "replay") == (0, ["evt_p: applied", "evt_r: applied"])
    statuses = [await status(till, order) for order in (parked, reported, quarantined)]
    assert statuses == [OrderStatus.PAID, OrderStatus.PAID, OrderStatus.PENDING_PAYMENT]
    assert await run_events(till, capsys, "replay", "--id", "evt_q", "evt_p") == (
        1,
        ["evt_q: applied", "evt_p: no event with this id was kept back"],
    )
    assert await status(till, quarantined) is OrderStatus.PAID


async def test_event_that_fails_again_is_kept(till: Till, capsys: pytest.CaptureFixture[str]) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.order(concert, 1)
    await keep_event(till, order, "evt_p", InboxState.PARKED)
    await till.stores.orders.collection.delete_one({"_id": order.id})
    answer = await run_events(till, capsys, "replay")
    assert answer == (1, ["evt_p: kept; it failed again: the order is unknown"])
    event = await till.stores.payment_inbox.get("evt_p")
    assert event is not None
    assert event.state is InboxState.PARKED


@pytest.mark.parametrize("damage", ["nothing", "incarnation", "everything"])
async def test_rebuild_makes_redis_agree_with_mongodb(
    till: Till, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    concert = await concert_for_sale(till, 10)
    paid = await till.paid_order(concert, 2, who="ann")
    await till.order(concert, 1, who="bob")
    await hold(till.stores, concert, 3, who="cy")
    if damage == "incarnation":
        await replace_incarnation(till.stores, concert)
    if damage == "everything":
        await till.stores.script_client.run_command("DEL", *concert_keys(concert.id))
    epoch = concert.epoch
    code, shown, _ = await run_rebuild(till, capsys, concert.slug)
    after = await till.stores.concerts.get(concert.id)
    assert after is not None
    assert after.epoch > epoch
    held = 1 if damage == "everything" else 4
    assert (code, shown.splitlines()) == (
        0,
        [
            f"concert {concert.id} was rebuilt; its epoch is {after.epoch}",
            f"{concert.tiers[0].id}: {8 - held} available, {held} held, 2 sold",
        ],
    )
    assert await till.read(paid) == paid
    await check_invariants(till.stores, concert)


async def test_rebuild_from_scratch_repairs_wrong_counters(till: Till, capsys: pytest.CaptureFixture[str]) -> None:
    concert = await concert_for_sale(till, 10)
    await till.paid_order(concert, 2, who="ann")
    await till.order(concert, 1, who="bob")
    await hold(till.stores, concert, 3, who="cy")
    tier = concert.tiers[0].id
    await till.stores.script_client.run_command("HINCRBY", concert_key(concert, "tiers"), f"{tier}|sold", "5")
    code, shown, _ = await run_rebuild(till, capsys, concert.id, "--from-scratch")
    assert (code, shown.splitlines()[1:]) == (0, [f"{tier}: 7 available, 1 held, 2 sold"])
    assert await stock(till.stores, concert) == [(7, 1, 2)]
    await check_invariants(till.stores, concert)
    await till.paid_order(concert, 1, who="dee")


async def test_distrust_does_nothing_after_a_newer_recovery(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    await till.stores.recovery.rebuild(concert.id, from_scratch=False)
    assert await till.stores.hot_state.distrust(concert.id, 1, from_scratch=True) == "STALE"
    assert await stock(till.stores, concert) == [(10, 0, 0)]


async def test_rebuild_refuses_what_redis_does_not_keep(till: Till, capsys: pytest.CaptureFixture[str]) -> None:
    ended = datetime.now(UTC) - timedelta(days=40)
    concert = await concert_for_sale(till, 10)
    assert await run_rebuild(till, capsys, "nosuchconcert") == (
        1,
        "",
        "no concert has the id or slug 'nosuchconcert'; `concerts` in GraphQL lists them\n",
    )
    concerts = till.stores.mongo["concerts"]
    for change, text in (
        ({"startsAt": ended, "salesEndAt": ended}, "ended over 30 days ago; Redis no longer has any of its data"),
        ({"status": "DRAFT"}, "is a draft and has nothing in Redis; publish it first"),
    ):
        await concerts.update_one({"_id": concert.id}, {"$set": change})
        assert await run_rebuild(till, capsys, concert.id) == (1, "", f"concert {concert.id} {text}\n")


async def test_commands_explain_themselves(till: Till, valkey_url: str, mongo_url: str, mongo_database: str) -> None:
    concert = await concert_for_sale(till, 10)
    environment = {
        "ONSALE_REDIS_URL": valkey_url,
        "ONSALE_MONGO_URL": mongo_url,
        "ONSALE_MONGO_DATABASE": mongo_database,
    }
    calls = (["--help"], ["rebuild", "--help"], ["rebuild"], ["rebuild", concert.id], ["paymentevents"])
    started = [await start_command(*arguments, **environment) for arguments in calls]
    outputs = [(await process.communicate())[0].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0, 2, 0, 0]
    assert "rebuild --help`: rebuild a concert in Redis" in " ".join(outputs[0].split())
    assert "--from-scratch" in outputs[1]
    assert "the following arguments are required: CONCERT" in outputs[2]
    assert f"concert {concert.id} was rebuilt" in outputs[3]
    assert "no payment events were kept back" in outputs[4]
    await asyncio.gather(*[process.wait() for process in started])
