"""The inbox in a real MongoDB: each event is recorded once, and processed under a lease."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from domain.errors import TemporarilyUnavailable
from domain.payments.facts import FactKind, FactState
from domain.payments.inbox import InboxEvent, InboxState
from storage.mongo.client import Client, Database, connect, database
from storage.mongo.payment_inbox import LEASE, Claim, EventNotStorable, PaymentInbox
from tests.support.mongo_failures import failing
from tests.support.payment_events import NOW, inbox_event, payment_fact, refund_fact

LATER = NOW + timedelta(seconds=1)


class Inbox(PaymentInbox):
    """An inbox that counts its hints."""

    def __init__(self, mongo: Database) -> None:
        super().__init__(mongo, publish_hint=lambda: self.hints.append("hint"))
        self.hints: list[str] = []

    async def claimed(self, now: datetime = LATER, limit: int = 100) -> tuple[Claim, list[str]]:
        claim = await self.claim(now=now, limit=limit)
        return claim, sorted(event.id for event in claim.events)


class WriteListener(CommandListener):
    """Records the write concern of each insert and update."""

    def __init__(self) -> None:
        self.concerns: list[tuple[str, object]] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in ("insert", "update"):
            self.concerns.append((event.command_name, event.command["writeConcern"]["w"]))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass


@pytest_asyncio.fixture
async def client(mongo_url: str) -> AsyncIterator[Client]:
    made = connect(mongo_url)
    yield made
    made.close()


@pytest.fixture
def mongo(client: Client, fresh_database: str) -> Database:
    return database(client, fresh_database)


@pytest_asyncio.fixture
async def inbox(mongo: Database) -> AsyncIterator[Inbox]:
    made = Inbox(mongo)
    await made.create_indexes()
    yield made
    await made.aclose()


async def count_inserts(mongo: Database) -> int:
    inserts = {"op": "insert", "ns": f"{mongo.name}.payment_events"}
    return await mongo["system.profile"].count_documents(inserts)


async def test_event_is_read_back_as_it_was_recorded(inbox: Inbox) -> None:
    facts = (
        payment_fact(amount_minor=2**53 - 1),
        refund_fact(currency=None, code="lost_or_stolen_card"),
        payment_fact(kind=FactKind.DISPUTE, id="dp_1", state=FactState.LOST, row=None),
    )
    event = inbox_event(facts=facts, order_id=None, concert_id=None, problem="why")
    assert await inbox.insert(event)
    assert await inbox.get(event.id) == event
    assert await inbox.get("evt_2") is None


async def test_repeated_event_is_recorded_once_and_causes_no_hint(inbox: Inbox) -> None:
    assert await inbox.insert(inbox_event())
    await asyncio.sleep(0)
    assert not await inbox.insert(inbox_event(facts=(), received_at=LATER))
    await asyncio.sleep(0)
    assert await inbox.get("evt_1") == inbox_event()
    assert inbox.hints == ["hint"]


async def test_concurrent_deliveries_of_an_event_record_it_once(inbox: Inbox, mongo: Database) -> None:
    assert sorted(await asyncio.gather(*[inbox.insert(inbox_event()) for _ in range(3)])) == [False, False, True]
    assert await mongo["payment_events"].count_documents({}) == 1


async def test_event_repeated_after_it_was_applied_changes_nothing(inbox: Inbox) -> None:
    await inbox.insert(inbox_event())
    claim, _ = await inbox.claimed()
    await inbox.finish(claim, [event.ended(InboxState.APPLIED) for event in claim.events])
    assert not await inbox.insert(inbox_event(received_at=NOW + timedelta(days=3)))
    assert (await inbox.claimed(NOW + timedelta(days=4)))[1] == []


async def test_concurrent_events_share_an_insert_and_a_hint(inbox: Inbox, mongo: Database) -> None:
    await mongo.command("profile", 2)
    await asyncio.gather(*[inbox.insert(inbox_event(f"evt_{number}")) for number in range(100)])
    await mongo.command("profile", 0)
    await asyncio.sleep(0)
    assert await count_inserts(mongo) == 1
    assert inbox.hints == ["hint"]


async def test_events_are_claimed_by_one_worker_until_the_lease_ends(inbox: Inbox) -> None:
    for number in range(3):
        await inbox.insert(inbox_event(f"evt_{number}", due_at=NOW + timedelta(milliseconds=number)))
    assert (await inbox.claimed(NOW - timedelta(seconds=1)))[1] == []
    assert (await inbox.claimed(limit=2))[1] == ["evt_0", "evt_1"]
    assert (await inbox.claimed())[1] == ["evt_2"]
    assert (await inbox.claimed(LATER + LEASE - timedelta(milliseconds=1)))[1] == []
    assert (await inbox.claimed(LATER + LEASE))[1] == ["evt_0", "evt_1", "evt_2"]


async def test_no_event_is_claimed_twice_by_concurrent_workers(inbox: Inbox) -> None:
    await asyncio.gather(*[inbox.insert(inbox_event(f"evt_{number}")) for number in range(50)])
    claims = await asyncio.gather(*[inbox.claimed() for _ in range(5)])
    assert sorted(id_ for _, ids in claims for id_ in ids) == sorted(f"evt_{number}" for number in range(50))


@pytest.mark.parametrize("state", [InboxState.APPLIED, InboxState.DROPPED, InboxState.REPORTED])
async def test_finished_event_is_never_due_again(inbox: Inbox, state: InboxState) -> None:
    await inbox.insert(inbox_event())
    claim, _ = await inbox.claimed()
    await inbox.finish(claim, [event.ended(state, "why") for event in claim.events])
    assert await inbox.get("evt_1") == inbox_event(state=state, due_at=None, problem="why")
    assert (await inbox.claimed(NOW + timedelta(days=89)))[1] == []


async def test_parked_event_is_due_again_at_its_time(inbox: Inbox) -> None:
    await inbox.insert(inbox_event())
    claim, _ = await inbox.claimed()
    await inbox.finish(claim, [event.parked("the order is unknown", now=LATER) for event in claim.events])
    assert (await inbox.claimed(LATER + timedelta(milliseconds=999)))[1] == []
    again, ids = await inbox.claimed(LATER + timedelta(seconds=1))
    assert ids == ["evt_1"]
    assert (again.events[0].state, again.events[0].problem) == (InboxState.PARKED, "the order is unknown")


async def test_result_is_ignored_if_another_worker_claimed_the_event(inbox: Inbox) -> None:
    await inbox.insert(inbox_event())
    slow, _ = await inbox.claimed()
    quick, _ = await inbox.claimed(LATER + LEASE)
    await inbox.finish(quick, [event.ended(InboxState.APPLIED) for event in quick.events])
    await inbox.finish(slow, [event.parked("the order is unknown", now=LATER) for event in slow.events])
    assert await inbox.get("evt_1") == inbox_event(state=InboxState.APPLIED, due_at=None)


async def test_quarantined_event_is_recorded_but_never_due(inbox: Inbox) -> None:
    event = inbox_event().ended(InboxState.QUARANTINED, "livemode is false")
    assert await inbox.insert(event)
    await asyncio.sleep(0)
    assert await inbox.get("evt_1") == event
    assert ((await inbox.claimed())[1], inbox.hints) == ([], [])


async def test_events_are_removed_after_90_days(inbox: Inbox, mongo: Database) -> None:
    indexes = await mongo["payment_events"].index_information()
    assert indexes["expiry"]["key"] == [("receivedAt", 1)]
    assert indexes["expiry"]["expireAfterSeconds"] == 90 * 86_400


async def test_due_events_are_found_by_their_index(inbox: Inbox, mongo: Database) -> None:
    query = mongo["payment_events"].find({"dueAt": {"$lte": NOW}}).sort("dueAt", 1)
    plan = (await query.explain())["queryPlanner"]["winningPlan"]
    assert "'stage': 'IXSCAN'" in str(plan)
    assert "'stage': 'SORT'" not in str(plan)


@pytest.mark.parametrize("changes", [{"intent_id": "pi_\ud800"}, {"facts": (payment_fact(amount_minor=2**64),)}])
async def test_event_that_cannot_be_encoded_does_not_make_others_fail(inbox: Inbox, changes: dict[str, Any]) -> None:
    inserts = [inbox.insert(inbox_event("evt_bad", **changes)), inbox.insert(inbox_event("evt_good"))]
    bad, good = await asyncio.gather(*inserts, return_exceptions=True)
    assert isinstance(bad, EventNotStorable)
    assert good is True


async def test_event_without_a_majority_is_not_acknowledged(inbox: Inbox, mongo_url: str) -> None:
    error = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out"}
    async with failing(mongo_url, 1, writeConcernError=error):
        with pytest.raises(TemporarilyUnavailable):
            await inbox.insert(inbox_event())
    assert not await inbox.insert(inbox_event())


async def test_event_costs_one_majority_write(mongo_url: str, fresh_database: str) -> None:
    """Claims and results are written on the primary alone."""
    writes = WriteListener()
    client: Client = AsyncIOMotorClient(mongo_url, event_listeners=[writes])
    inbox = Inbox(database(client, fresh_database))
    await inbox.insert(inbox_event())
    claim, _ = await inbox.claimed()
    await inbox.finish(claim, [event.ended(InboxState.APPLIED) for event in claim.events])
    assert writes.concerns == [("insert", "majority"), ("update", 1), ("update", 1)]
    await inbox.aclose()
    client.close()


@pytest.mark.parametrize("command", ["insert", "find", "update"])
async def test_database_failure_is_reported_as_unavailable(inbox: Inbox, mongo_url: str, command: str) -> None:
    async def work(event: InboxEvent) -> None:
        await inbox.insert(event)
        claim, _ = await inbox.claimed()
        await inbox.finish(claim, [found.ended(InboxState.APPLIED) for found in claim.events])

    async with failing(mongo_url, 2, commands=(command,), errorCode=189):
        with pytest.raises(TemporarilyUnavailable):
            await work(inbox_event())
