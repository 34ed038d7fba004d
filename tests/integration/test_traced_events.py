"""Events of the queue store the trace of the call that caused them, and are archived in it."""

from typing import Any

import pytest

from storage.connect import Stores
from telemetry.traces import continue_trace
from tests.support.event_consumers import stream
from tests.support.queue_steps import admit, hold_with, join, leave_all, pass_of, with_room
from tests.support.sale import buy
from tests.support.traces import CLIENT_TRACE, TRACEPARENT, running_collector, tracing_to
from workers.history import HistoryWorker

OTHER = f"00-{'c' * 32}-{'d' * 16}-01"


async def traces_of_events(stores: Stores, concert: Any) -> list[tuple[str, str | None]]:
    """Return the kind and the trace of each event in the stream."""
    found: Any = await stores.script_client.run_command("XRANGE", stream(concert), "-", "+")
    events = [dict(zip(words[::2], words[1::2], strict=True)) for _, words in found]
    return [(event[b"event"].decode(), _trace_of(event.get(b"traceparent"))) for event in events]


def _trace_of(traceparent: bytes | None) -> str | None:
    return None if traceparent is None else traceparent.decode().split("-")[1]


async def test_events_store_the_trace_of_their_call(any_stores: Stores) -> None:
    concert = await with_room(any_stores)
    async with running_collector() as collector, tracing_to(collector.url):
        with continue_trace("join", TRACEPARENT):
            await join(any_stores, concert, "ann")
        await admit(any_stores, concert)
        with continue_trace("buy", OTHER):
            token = await pass_of(any_stores, concert, "ann")
            await buy(any_stores, await hold_with(any_stores, concert, "ann", token))
    assert await traces_of_events(any_stores, concert) == [
        ("joined", CLIENT_TRACE),
        ("called", None),
        ("admitted", None),
        ("claimed", "c" * 32),
        ("completed", "c" * 32),
    ]


async def test_person_who_is_called_because_another_left_is_in_that_trace(stores: Stores) -> None:
    concert = await with_room(stores, total_active_users=1)
    await join(stores, concert, "ann", "ben")
    await admit(stores, concert)
    async with running_collector() as collector, tracing_to(collector.url):
        with continue_trace("leave", TRACEPARENT):
            await leave_all(stores, concert, ["ann"])
    caused = [kind for kind, trace in await traces_of_events(stores, concert) if trace == CLIENT_TRACE]
    assert caused == ["left", "called", "admitted"]


@pytest.mark.parametrize("is_traced", [False, True])
async def test_events_are_archived_as_part_of_their_traces(stores: Stores, is_traced: bool) -> None:
    concert = await with_room(stores, queue_all=True)
    # Events of an earlier version have no trace.
    await join(stores, concert, "ann")
    async with running_collector() as collector, tracing_to(collector.url):
        if is_traced:
            with continue_trace("join", TRACEPARENT):
                await join(stores, concert, "ben")
        await HistoryWorker().run_for(stores, concert.id)
    archived = [span for span in collector.spans if span.name == "archive queue event"]
    assert [span.trace_id for span in archived] == [CLIENT_TRACE] * is_traced
    people = [event.person_id for event in await stores.queue_history.list_for_concert(concert.id)]
    assert people == ["ann", "ben"][: 1 + is_traced]
