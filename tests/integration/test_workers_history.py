"""Each queue event is archived once, even after crashes; invalid ones become dead letters."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, PersonId
from domain.queue_events import QueueEvent, QueueEventKind
from domain.queues import EntryEnd, RoomSettings
from resolvers import queues
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.hot.events import MAX_TRIES, StoredEvent
from storage.mongo import queue_history
from tests.support.event_consumers import length, letters, make_idle, make_queue, stream
from tests.support.mongo_failures import failing
from tests.support.sale import context, on_sale, opened
from tests.support.waiting import wait_until
from tests.support.worker_steps import running_workers, start_command
from workers.admission import AdmissionWorker
from workers.commands import deadletters
from workers.history import HistoryHandler, HistoryWorker
from workers.stream_consumer import find_failures

GROUP = HistoryHandler.group


async def archived(stores: Stores, concert: Concert) -> list[tuple[str, str | None, int | None]]:
    return [(event.kind.value, event.person_id, event.entry_id) for event in await read_archive(stores, concert)]


async def read_archive(stores: Stores, concert: Concert) -> tuple[QueueEvent, ...]:
    return await stores.queue_history.list_for_concert(concert.id)


async def end_pauses(stores: Stores, concert: Concert, *event_ids: str) -> None:
    """Make these events, or all pending events, look idle for a minute."""
    pending: Any = await stores.script_client.run_command("XPENDING", stream(concert), GROUP, "-", "+", "100")
    for event_id in event_ids or [id_.decode() for id_, *_ in pending]:
        await make_idle(stores, concert, event_id, 60_000, group=GROUP)


async def add(stores: Stores, concert: Concert, *fields: str | bytes) -> str:
    """Add an event that no script would write. Return its id."""
    id_: Any = await stores.script_client.run_command("XADD", stream(concert), "*", *fields)
    return str(id_.decode())


async def make_dead_letter(stores: Stores, concert: Concert) -> str:
    """Let an invalid event fail until it becomes a dead letter. Return its id."""
    event_id = await add(stores, concert, "event", "danced", "person", "eve", "place", "1", "round", "1")
    for _ in range(MAX_TRIES):
        await HistoryWorker().run_once(stores)
        if not await letters(stores, concert):
            await make_idle(stores, concert, event_id, 60_000, group=GROUP)
    return event_id


async def test_each_event_is_archived_once_and_leaves_the_stream(any_stores: Stores) -> None:
    room = RoomSettings(suspended=False, total_active_users=1)
    concert = await on_sale(any_stores, 10, room=room)
    for who in ("ann", "ben"):
        await queues.join_queue(context(any_stores, who), concert.id)
    await AdmissionWorker().run_once(any_stores)
    await queues.claim_pass(context(any_stores, "ann"), concert.id)
    await queues.leave_queue(context(any_stores, "ann"), concert.id)
    runs = await asyncio.gather(*[HistoryWorker().run_once(any_stores) for _ in range(3)])
    anns_events = await any_stores.queue_history.list_for_person(concert.id, PersonId("ann"))
    kinds = [event.kind for event in anns_events]
    joined, called, claimed, left = QueueEventKind.JOINED, QueueEventKind.CALLED, QueueEventKind.CLAIMED, "left"
    assert kinds == [joined, called, claimed, left]
    assert [(event.entry_id, event.round, event.end_reason) for event in anns_events[1:]] == [
        (1, 1, None),
        (1, 1, None),
        (1, 1, EntryEnd.LEFT),
    ]
    assert [event.at for event in anns_events] == sorted(event.at for event in anns_events)
    found = await read_archive(any_stores, concert)
    # Both ann and ben were called, ben when ann left.
    assert [event.person_id for event in found if event.kind is QueueEventKind.CALLED] == ["ann", "ben"]
    admitted = [event for event in found if event.kind is QueueEventKind.ADMITTED]
    assert {(event.person_id, event.count) for event in admitted} == {(None, 1)}
    assert sum(runs) == len(found) == len({event.id for event in found})
    assert (await length(any_stores, concert), await HistoryWorker().run_once(any_stores)) == (0, 0)


async def test_events_of_a_crashed_consumer_are_delivered_again(
    any_stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await make_queue(any_stores, "ann", "ben")

    async def crash(*_: object) -> int:
        raise asyncio.CancelledError

    monkeypatch.setattr(any_stores.events, "acknowledge", crash)
    with pytest.raises(asyncio.CancelledError):
        await HistoryWorker().run_once(any_stores)
    monkeypatch.undo()
    once = [("joined", "ann", 1), ("joined", "ben", 2)]
    assert (await archived(any_stores, concert), await length(any_stores, concert)) == (once, 2)
    assert await HistoryWorker().run_once(any_stores) == 0
    await end_pauses(any_stores, concert)
    assert await HistoryWorker().run_once(any_stores) == 2
    assert (await archived(any_stores, concert), await length(any_stores, concert)) == (once, 0)


async def test_an_invalid_event_is_tried_eight_times_and_delays_no_others(any_stores: Stores) -> None:
    concert = await make_queue(any_stores, "ann")
    invalid = [
        await add(any_stores, concert, "event", "danced", "person", "eve", "place", "1", "round", "1"),
        await add(any_stores, concert, "event", "joined", "person", "eve", "place", "first", "round", "1"),
        await add(any_stores, concert, "nothing", "at all"),
        await add(any_stores, concert, "event", "joined", "person", b"\xff", "place", "1", "round", "1"),
        await add(any_stores, concert, "event", "joined", "person", "eve", "place", f"1{'0' * 20}", "round", "1"),
    ]
    await queues.join_queue(context(any_stores, "ben"), concert.id)
    worker = HistoryWorker()
    assert await worker.run_once(any_stores) == 2
    assert await archived(any_stores, concert) == [("joined", "ann", 1), ("joined", "ben", 2)]
    for _ in range(MAX_TRIES - 1):
        assert await letters(any_stores, concert) == []
        await end_pauses(any_stores, concert, *invalid)
        assert await worker.run_once(any_stores) == 0
    found = await letters(any_stores, concert)
    assert [(letter.event.id, letter.group, letter.event.tries) for letter in found] == [
        (id_, GROUP, MAX_TRIES) for id_ in invalid
    ]
    assert ["danced" in found[0].error, "first" in found[1].error, "event" in found[2].error] == [True] * 3
    assert (await length(any_stores, concert), len(await archived(any_stores, concert))) == (0, 2)


class FailingHandler:
    """A handler that fails on one event, and on every batch that contains it."""

    group = "failing"

    def __init__(self, event_id: str) -> None:
        self._event_id = event_id
        self.handled: list[str] = []

    async def handle(self, stores: Stores, concert_id: ConcertId, events: Sequence[StoredEvent]) -> dict[str, str]:
        if self._event_id in [event.id for event in events]:
            raise RuntimeError("no")
        self.handled += [event.id for event in events]
        return {}


async def test_a_failed_batch_is_handled_event_by_event(stores: Stores) -> None:
    concert = await make_queue(stores, "ann", "ben", "cyd")
    events = (await stores.events.claim(concert.id, FailingHandler.group, limit=10)).events
    handler = FailingHandler(events[1].id)
    assert await find_failures(handler, stores, concert.id, events) == {events[1].id: "RuntimeError: no"}
    assert handler.handled == [events[0].id, events[2].id]


@pytest.mark.parametrize(
    "failure",
    [{"errorCode": 50}, {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}],
    ids=["refused", "without a majority"],
)
async def test_mongodb_failures_use_up_no_tries_and_lose_no_events(
    stores: Stores, mongo_url: str, failure: dict[str, Any]
) -> None:
    concert = await make_queue(stores, "ann", "ben")
    worker = HistoryWorker()
    async with failing(mongo_url, 1_000, **failure):
        for _ in range(MAX_TRIES + 2):
            with pytest.raises(TemporarilyUnavailable):
                await worker.run_once(stores)
            await end_pauses(stores, concert)
    assert (await letters(stores, concert), await length(stores, concert)) == ([], 2)
    (ann, ben) = (await stores.events.claim(concert.id, GROUP, limit=10)).events
    assert [ann.tries, ben.tries] == [1, 1]
    await end_pauses(stores, concert)
    assert await worker.run_once(stores) == 2
    assert await archived(stores, concert) == [("joined", "ann", 1), ("joined", "ben", 2)]


async def test_worker_continues_after_a_database_outage(
    valkey_url: str, own_mongod: ServerProcess, fresh_database: str
) -> None:
    async with opened(valkey_url, own_mongod.url, fresh_database) as stores:
        concert = await make_queue(stores, "ann")
        async with running_workers(stores, valkey_url, HistoryWorker.name):
            await wait_until(lambda: archived(stores, concert), what="the first event")
            await own_mongod.kill()
            await add(stores, concert, "event", "left", "person", "ann", "place", "1", "round", "1", "end", "LEFT")

            async def is_pending() -> bool:
                pending: Any = await stores.script_client.run_command("XPENDING", stream(concert), GROUP)
                return bool(pending[0] == 1)

            await wait_until(is_pending, what="the first try")
            await own_mongod.start()

            async def is_done() -> bool:
                return await length(stores, concert) == 0

            await wait_until(is_done, timeout=60, what="the archive")
        assert await archived(stores, concert) == [("joined", "ann", 1), ("left", "ann", 1)]
        assert await letters(stores, concert) == []


async def test_history_is_kept_for_ninety_days_and_read_by_index(stores: Stores) -> None:
    indexes = await stores.mongo["queueEvents"].index_information()
    kept = [index["expireAfterSeconds"] for index in indexes.values() if "expireAfterSeconds" in index]
    assert kept == [90 * 24 * 3600]
    keys = {tuple(name for name, _ in index["key"]) for index in indexes.values()}
    assert keys >= {("at",), ("concertId", "at", "sequence"), ("concertId", "personId", "at", "sequence")}


async def test_history_is_read_in_pages(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_history, "MAX_READ", 2)
    concert = await make_queue(stores, "ann")
    # Events in the same millisecond keep the order of the stream, not the text order of their ids.
    moment = int((await stream_ids(stores, concert))[0].partition("-")[0]) + 1
    for number in range(12):
        fields = ("event", "joined", "person", f"p{number}", "place", str(number), "round", "1")
        await stores.script_client.run_command("XADD", stream(concert), f"{moment}-{number}", *fields)
    assert await HistoryWorker().run_once(stores) == 13
    entry_ids: list[int | None] = []
    page = await read_archive(stores, concert)
    while page:
        entry_ids += [event.entry_id for event in page]
        page = await stores.queue_history.list_for_concert(concert.id, after=page[-1])
    assert entry_ids == [1, *range(12)]


async def stream_ids(stores: Stores, concert: Concert) -> list[str]:
    found: Any = await stores.script_client.run_command("XRANGE", stream(concert), "-", "+")
    return [id_.decode() for id_, _ in found]


async def run_deadletters(stores: Stores, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = await deadletters.run(stores, deadletters.parse_arguments(arguments))
    return code, capsys.readouterr().out.splitlines()


async def test_dead_letters_are_listed_replayed_and_discarded(
    any_stores: Stores, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    concert, other = await make_queue(any_stores, "ann"), await make_queue(any_stores)
    assert await run_deadletters(any_stores, capsys) == (0, ["no dead letters"])
    await make_dead_letter(any_stores, concert)
    (letter,) = await letters(any_stores, concert)
    named = f"{concert.id}:{letter.id}"
    code, (head, row) = await run_deadletters(any_stores, capsys, "list")
    assert (code, head.split()) == (0, ["ID", "GROUP", "EVENT", "FAILED", "AT", "TRIES", "ERROR"])
    assert row.split()[:4] == [named, "history", "event=danced", "person=eve"]
    assert row.endswith("not a queue event: ValueError(\"'danced' is not a valid QueueEventKind\")")
    assert await run_deadletters(any_stores, capsys, "list", "--concert", other.id) == (0, ["no dead letters"])

    code, (kept,) = await run_deadletters(any_stores, capsys, "replay", "--concert", concert.slug)
    assert (code, kept.partition(":")[2].partition(":")[2][:27]) == (1, " kept; it failed again: not")
    assert await letters(any_stores, concert) == [letter]
    monkeypatch.setattr("workers.history.QueueEventKind", lambda _: QueueEventKind.JOINED)
    assert await run_deadletters(any_stores, capsys, "replay") == (0, [f"{named}: replayed"])
    assert await letters(any_stores, concert) == []
    assert ("joined", "eve", 1) in await archived(any_stores, concert)
    assert await run_deadletters(any_stores, capsys, "replay") == (0, [])
    monkeypatch.undo()

    await make_dead_letter(any_stores, concert)
    named = f"{concert.id}:{(await letters(any_stores, concert))[0].id}"
    answer = await run_deadletters(any_stores, capsys, "discard", "--id", named, f"{other.id}:{letter.id}")
    assert answer == (1, [f"{named}: discarded", f"{other.id}:{letter.id}: no dead letter has this id"])
    assert await letters(any_stores, concert) == []


async def test_discard_requires_ids(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        deadletters.parse_arguments(["discard"])
    assert ended.value.code == 2
    assert "--id" in capsys.readouterr().err


async def test_the_command_lists_dead_letters_and_ends(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    concert = await make_queue(stores, "ann")
    event_id = await make_dead_letter(stores, concert)
    environment = {
        "ONSALE_REDIS_URL": valkey_url,
        "ONSALE_MONGO_URL": mongo_url,
        "ONSALE_MONGO_DATABASE": mongo_database,
    }
    listing = await start_command("deadletters", "list", "--concert", concert.id, **environment)
    unknown = await start_command("deadletters", "--concert", "nosuchconcer", **environment)
    (output, _), (refusal, _) = await asyncio.gather(listing.communicate(), unknown.communicate())
    assert (listing.returncode, unknown.returncode) == (0, 1)
    assert (b"event=danced person=eve" in output, b"nosuchconcer" in refusal) == (True, True)
    assert event_id not in [event.id for event in await read_archive(stores, concert)]
