"""The archive of a line's events: each once, whatever dies in between, and what cannot be archived can be looked at."""

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
from tests.integration.test_storage_purchase import failing
from tests.integration.test_workers import command
from tests.support.event_consumers import length, letters, make_idle, make_queue, stream
from tests.support.sale import context, on_sale, opened
from tests.support.waiting import wait_until
from workers import deadletters
from workers.admission import AdmissionWorker
from workers.history import HistoryHandler, HistoryWorker
from workers.runner import run_workers
from workers.stream_consumer import find_failures

GROUP = HistoryHandler.group


async def archived(stores: Stores, concert: Concert) -> list[tuple[str, str | None, int | None]]:
    return [(event.kind.value, event.person_id, event.entry_id) for event in await everything(stores, concert)]


async def everything(stores: Stores, concert: Concert) -> tuple[QueueEvent, ...]:
    return await stores.queue_history.list_for_concert(concert.id)


async def all_of_it_passes(stores: Stores, concert: Concert, *event_ids: str) -> None:
    """A minute, for these events or all that are pending."""
    pending: Any = await stores.script_client.run_command("XPENDING", stream(concert), GROUP, "-", "+", "100")
    for event_id in event_ids or [id_.decode() for id_, *_ in pending]:
        await make_idle(stores, concert, event_id, 60_000, group=GROUP)


async def add(stores: Stores, concert: Concert, *fields: str | bytes) -> str:
    """An event that no script of ours would write."""
    id_: Any = await stores.script_client.run_command("XADD", stream(concert), "*", *fields)
    return str(id_.decode())


async def buried(stores: Stores, concert: Concert) -> str:
    """The id of a poison event that is a dead letter now."""
    poison = await add(stores, concert, "event", "danced", "person", "poison", "place", "1", "round", "1")
    for _ in range(MAX_TRIES):
        await HistoryWorker().run_once(stores)
        if not await letters(stores, concert):
            await make_idle(stores, concert, poison, 60_000, group=GROUP)
    return poison


async def test_each_event_is_archived_once_and_leaves_the_stream(any_stores: Stores) -> None:
    room = RoomSettings(suspended=False, total_active_users=1)
    concert = await on_sale(any_stores, 10, room=room)
    for who in ("ann", "ben"):
        await queues.join_queue(context(any_stores, who), concert.id)
    await AdmissionWorker().run_once(any_stores)
    await queues.claim_pass(context(any_stores, "ann"), concert.id)
    await queues.leave_queue(context(any_stores, "ann"), concert.id)
    runs = await asyncio.gather(*[HistoryWorker().run_once(any_stores) for _ in range(3)])
    of_ann = await any_stores.queue_history.list_for_person(concert.id, PersonId("ann"))
    kinds = [event.kind for event in of_ann]
    joined, called, claimed, left = QueueEventKind.JOINED, QueueEventKind.CALLED, QueueEventKind.CLAIMED, "left"
    assert kinds == [joined, called, claimed, left]
    assert [(event.entry_id, event.round, event.end_reason) for event in of_ann[1:]] == [
        (1, 1, None),
        (1, 1, None),
        (1, 1, EntryEnd.LEFT),
    ]
    assert [event.at for event in of_ann] == sorted(event.at for event in of_ann)
    found = await everything(any_stores, concert)
    # Both were called, ben in the step in which ann left, and each admission is told of as a whole.
    assert [event.person_id for event in found if event.kind is QueueEventKind.CALLED] == ["ann", "ben"]
    admitted = [event for event in found if event.kind is QueueEventKind.ADMITTED]
    assert {(event.person_id, event.count) for event in admitted} == {(None, 1)}
    assert sum(runs) == len(found) == len({event.id for event in found})
    assert (await length(any_stores, concert), await HistoryWorker().run_once(any_stores)) == (0, 0)


async def test_a_consumer_that_died_between_work_and_word_is_taken_over(
    any_stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await make_queue(any_stores, "ann", "ben")

    async def dies(*_: object) -> int:
        raise asyncio.CancelledError

    monkeypatch.setattr(any_stores.events, "acknowledge", dies)
    with pytest.raises(asyncio.CancelledError):
        await HistoryWorker().run_once(any_stores)
    monkeypatch.undo()
    once = [("joined", "ann", 1), ("joined", "ben", 2)]
    assert (await archived(any_stores, concert), await length(any_stores, concert)) == (once, 2)
    assert await HistoryWorker().run_once(any_stores) == 0
    await all_of_it_passes(any_stores, concert)
    assert await HistoryWorker().run_once(any_stores) == 2
    assert (await archived(any_stores, concert), await length(any_stores, concert)) == (once, 0)


async def test_poison_is_tried_eight_times_and_holds_up_no_other(any_stores: Stores) -> None:
    concert = await make_queue(any_stores, "ann")
    poisons = [
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
        await all_of_it_passes(any_stores, concert, *poisons)
        assert await worker.run_once(any_stores) == 0
    found = await letters(any_stores, concert)
    assert [(letter.event.id, letter.group, letter.event.tries) for letter in found] == [
        (id_, GROUP, MAX_TRIES) for id_ in poisons
    ]
    assert ["danced" in found[0].error, "first" in found[1].error, "event" in found[2].error] == [True] * 3
    assert (await length(any_stores, concert), len(await archived(any_stores, concert))) == (0, 2)


class Choosy:
    """Breaks on one event, whatever comes with it."""

    group = "choosy"

    def __init__(self, event_id: str) -> None:
        self._event_id = event_id
        self.handled: list[str] = []

    async def handle(self, stores: Stores, concert_id: ConcertId, events: Sequence[StoredEvent]) -> dict[str, str]:
        if self._event_id in [event.id for event in events]:
            raise RuntimeError("no")
        self.handled += [event.id for event in events]
        return {}


async def test_a_handler_that_breaks_is_asked_for_each_event_alone(stores: Stores) -> None:
    concert = await make_queue(stores, "ann", "ben", "cyd")
    events = (await stores.events.claim(concert.id, Choosy.group, limit=10)).events
    handler = Choosy(events[1].id)
    assert await find_failures(handler, stores, concert.id, events) == {events[1].id: "RuntimeError: no"}
    assert handler.handled == [events[0].id, events[2].id]


@pytest.mark.parametrize(
    "failure",
    [{"errorCode": 50}, {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}],
    ids=["refused", "without the majority"],
)
async def test_while_mongodb_is_away_nothing_is_lost_counted_or_buried(
    stores: Stores, mongo_url: str, failure: dict[str, Any]
) -> None:
    concert = await make_queue(stores, "ann", "ben")
    worker = HistoryWorker()
    async with failing(mongo_url, 1_000, **failure):
        for _ in range(MAX_TRIES + 2):
            with pytest.raises(TemporarilyUnavailable):
                await worker.run_once(stores)
            await all_of_it_passes(stores, concert)
    assert (await letters(stores, concert), await length(stores, concert)) == ([], 2)
    (ann, ben) = (await stores.events.claim(concert.id, GROUP, limit=10)).events
    assert [ann.tries, ben.tries] == [1, 1]
    await all_of_it_passes(stores, concert)
    assert await worker.run_once(stores) == 2
    assert await archived(stores, concert) == [("joined", "ann", 1), ("joined", "ben", 2)]


async def test_a_worker_outlives_a_database_that_dies(
    valkey_url: str, own_mongod: ServerProcess, mongo_database: str
) -> None:
    async with opened(valkey_url, own_mongod.url, mongo_database) as stores:
        concert = await make_queue(stores, "ann")
        running = asyncio.create_task(run_workers(stores, valkey_url, [HistoryWorker.name]))
        await wait_until(lambda: archived(stores, concert), what="ann")
        await own_mongod.kill()
        await add(stores, concert, "event", "left", "person", "ann", "place", "1", "round", "1", "end", "LEFT")

        async def is_pending() -> bool:
            pending: Any = await stores.script_client.run_command("XPENDING", stream(concert), GROUP)
            return bool(pending[0] == 1)

        await wait_until(is_pending, timeout=10, what="a try")
        await own_mongod.start()

        async def is_done() -> bool:
            return await length(stores, concert) == 0

        await wait_until(is_done, timeout=30, what="the archive")
        assert await archived(stores, concert) == [("joined", "ann", 1), ("left", "ann", 1)]
        assert await letters(stores, concert) == []
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_history_is_kept_for_ninety_days_and_read_by_index(stores: Stores) -> None:
    indexes = await stores.mongo["queueEvents"].index_information()
    kept = [index["expireAfterSeconds"] for index in indexes.values() if "expireAfterSeconds" in index]
    assert kept == [90 * 24 * 3600]
    keys = {tuple(name for name, _ in index["key"]) for index in indexes.values()}
    assert keys >= {("at",), ("concertId", "at", "sequence"), ("concertId", "personId", "at", "sequence")}


async def test_history_is_read_in_pages(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_history, "MAX_READ", 2)
    concert = await make_queue(stores, "ann")
    # Twelve in one millisecond: their order is that of the stream, not of their ids' letters.
    moment = int((await letters_of_stream(stores, concert))[0].partition("-")[0]) + 1
    for number in range(12):
        fields = ("event", "joined", "person", f"p{number}", "place", str(number), "round", "1")
        await stores.script_client.run_command("XADD", stream(concert), f"{moment}-{number}", *fields)
    assert await HistoryWorker().run_once(stores) == 13
    places: list[int | None] = []
    page = await everything(stores, concert)
    while page:
        places += [event.entry_id for event in page]
        page = await stores.queue_history.list_for_concert(concert.id, after=page[-1])
    assert places == [1, *range(12)]


async def letters_of_stream(stores: Stores, concert: Concert) -> list[str]:
    found: Any = await stores.script_client.run_command("XRANGE", stream(concert), "-", "+")
    return [id_.decode() for id_, _ in found]


async def say(stores: Stores, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = await deadletters.run(stores, deadletters.parse_arguments(arguments))
    return code, capsys.readouterr().out.splitlines()


async def test_dead_letters_are_listed_replayed_and_discarded(
    any_stores: Stores, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    concert, other = await make_queue(any_stores, "ann"), await make_queue(any_stores)
    assert await say(any_stores, capsys) == (0, ["no dead letters"])
    await buried(any_stores, concert)
    (letter,) = await letters(any_stores, concert)
    named = f"{concert.id}:{letter.id}"
    code, (head, row) = await say(any_stores, capsys, "list")
    assert (code, head.split()) == (0, ["ID", "GROUP", "EVENT", "FAILED", "AT", "TRIES", "ERROR"])
    assert row.split()[:4] == [named, "history", "event=danced", "person=poison"]
    assert row.endswith("not a queue event: ValueError(\"'danced' is not a valid QueueEventKind\")")
    assert await say(any_stores, capsys, "list", "--concert", other.id) == (0, ["no dead letters"])

    code, (kept,) = await say(any_stores, capsys, "replay", "--concert", concert.slug)
    assert (code, kept.partition(":")[2].partition(":")[2][:27]) == (1, " kept, it failed again: not")
    assert await letters(any_stores, concert) == [letter]
    monkeypatch.setattr("workers.history.QueueEventKind", lambda _: QueueEventKind.JOINED)
    assert await say(any_stores, capsys, "replay") == (0, [f"{named}: replayed"])
    assert await letters(any_stores, concert) == []
    assert ("joined", "poison", 1) in await archived(any_stores, concert)
    assert await say(any_stores, capsys, "replay") == (0, [])
    monkeypatch.undo()

    await buried(any_stores, concert)
    named = f"{concert.id}:{(await letters(any_stores, concert))[0].id}"
    answer = await say(any_stores, capsys, "discard", "--id", named, f"{other.id}:{letter.id}")
    assert answer == (1, [f"{named}: discarded", f"{other.id}:{letter.id}: no dead letter has this id"])
    assert await letters(any_stores, concert) == []


async def test_to_discard_is_to_say_which(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        deadletters.parse_arguments(["discard"])
    assert ended.value.code == 2
    assert "--id" in capsys.readouterr().err


async def test_the_command_lists_dead_letters_and_ends(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    concert = await make_queue(stores, "ann")
    poison = await buried(stores, concert)
    environment = {
        "ONSALE_REDIS_URL": valkey_url,
        "ONSALE_MONGO_URL": mongo_url,
        "ONSALE_MONGO_DATABASE": mongo_database,
    }
    listing = await command("deadletters", "list", "--concert", concert.id, **environment)
    unknown = await command("deadletters", "--concert", "nosuchconcer", **environment)
    (output, _), (refusal, _) = await asyncio.gather(listing.communicate(), unknown.communicate())
    assert (listing.returncode, unknown.returncode) == (0, 1)
    assert (b"event=danced person=poison" in output, b"nosuchconcer" in refusal) == (True, True)
    assert poison not in [event.id for event in await everything(stores, concert)]
