"""`make bench-queue` counts exactly and reports no metric without samples."""

import asyncio
from typing import Any, cast

import pytest

from bench.metrics import Metric, NotMeasured, as_json, growth, median, p99
from bench.queueing.in_process_queue import per_waiter
from bench.queueing.load import Connection
from bench.queueing.slots import CalledEntry, Plan, ready_ms, refill_ms
from bench.queueing.users import User
from bench.subscribers import Counts, Subscriber

PLAN = Plan(calls=3, called_at_once=1, leave=1, buy=1, claim_timeout_s=10)
PEOPLE = [User("token", name, "127.0.0.1") for name in "abcdef"]
RESUMED_MS = 1_500


def counts(*found_ms: float | None, at_s: float = 0.0, frames: int = 0, size: int = 0) -> Counts:
    return Counts(at_s, frames, size, found_ms)


class FakeTransport:
    """Records what a protocol writes."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


def connect(protocol: asyncio.Protocol) -> FakeTransport:
    transport = FakeTransport()
    protocol.connection_made(cast(Any, transport))
    return transport


def test_metric_needs_at_least_one_sample() -> None:
    with pytest.raises(NotMeasured, match="ready_p99_ms"):
        p99("ready_p99_ms", [], "")
    with pytest.raises(NotMeasured, match="ready_p50_ms"):
        median("ready_p50_ms", [], "")


def test_metric_states_its_sample_count_and_verdict() -> None:
    assert p99("x", [3.0, 1.0, 2.04], "how", at_most=3.0) == Metric("x", 3.0, "how", 3, 3.0)
    assert median("x", [3.0, 1.0, 2.04], "how") == Metric("x", 2.0, "how", 3)
    assert [Metric("x", value, "", 1, 250).verdict for value in (249.9, 250, 250.1)] == ["ok", "ok", "over"]
    assert Metric("x", 1, "", 1).verdict == ""


def test_growth_is_the_largest_value_divided_by_the_smallest() -> None:
    by_size = {1_000: Metric("a", 5, "", 9), 10_000: Metric("b", 4, "", 9), 50_000: Metric("c", 6, "", 9)}
    assert growth("flat", by_size, "how", at_most=1.2) == Metric("flat", 1.5, "how", 3, 1.2)
    with pytest.raises(NotMeasured):
        growth("flat", {1_000: Metric("a", 5, "", 9)}, "", at_most=1.2)
    with pytest.raises(NotMeasured):
        growth("flat", {1: Metric("a", 0, "", 9), 2: Metric("b", 5, "", 9)}, "", at_most=1.2)


def test_results_contain_each_metric_once_with_its_sample_count() -> None:
    sizes = {
        1_000: Metric("commands_per_tick_1000", 4.9, "", 120),
        50_000: Metric("commands_per_tick_50000", 5.0, "", 60),
    }
    ready = Metric("ready_p99_ms", 81.2, "", 1_000, 250)
    assert as_json([ready], {"commands_per_tick": sizes}) == {
        "commands_per_tick": {"1000": 4.9, "50000": 5.0},
        "ready_p99_ms": 81.2,
        "samples": {"commands_per_tick": {"1000": 120, "50000": 60}, "ready_p99_ms": 1_000},
    }
    with pytest.raises(ValueError, match="two metrics have the name ready_p99_ms"):
        as_json([ready, ready], {})


def test_bytes_per_waiter_include_all_keys() -> None:
    sizes = {"state": 5, "entries": 2_000, "waiters": 700, "connections": 1_010, "slots": 0}
    metric = per_waiter("bytes_per_waiter", sizes, 10, "joined", at_most=400)
    assert metric == Metric("bytes_per_waiter", 372, "joined: entries 200, connections 101, waiters 70", 10, 400)


def test_call_latency_is_measured_on_the_called_persons_socket() -> None:
    called = {"a": CalledEntry(1, "READY", 1_000, 0), "c": CalledEntry(2, "READY", 1_000, 0)}
    assert ready_ms(called, PEOPLE, counts(1_040, None, 1_070, None, None, None)) == [40, 70]
    with pytest.raises(NotMeasured, match="did not receive the call"):
        ready_ms(called, PEOPLE, counts(1_040, None, None, None, None, None))


def test_nth_freed_slot_is_filled_by_the_nth_call() -> None:
    entries = {
        "a": CalledEntry(1, "LEFT", 1_000, 2_005),
        "b": CalledEntry(2, "EXPIRED", 1_000, 11_150),
        "c": CalledEntry(3, "COMPLETED", 1_000, 2_300),
        "f": CalledEntry(4, "READY", 2_005, 12_005),
        "e": CalledEntry(5, "READY", 2_300, 12_300),
        "d": CalledEntry(6, "READY", 11_150, 21_150),
    }
    received = counts(1_010, 1_010, 1_010, 11_190, 2_350, 2_031)
    assert refill_ms(entries, {"a": 2_000, "c": 2_290}, PEOPLE, received, PLAN, resumed_ms=RESUMED_MS) == {
        "LEFT": [31],
        "COMPLETED": [60],
        "EXPIRED": [190],
    }


def test_slot_freed_by_a_refilling_call_is_not_measured() -> None:
    entries = {
        "a": CalledEntry(1, "LEFT", 1_000, 2_005),
        "b": CalledEntry(2, "EXPIRED", 1_000, 12_100),
        "c": CalledEntry(3, "READY", 1_000, 11_000),
        "d": CalledEntry(4, "EXPIRED", 2_005, 12_050),
        "e": CalledEntry(5, "EXPIRED", 12_050, 22_050),
        "f": CalledEntry(6, "READY", 12_100, 22_100),
    }
    received = counts(1_010, 1_010, 1_010, 2_040, 12_060, 12_130)
    refills = refill_ms(entries, {"a": 2_000}, PEOPLE, received, PLAN, resumed_ms=RESUMED_MS)
    assert refills == {"LEFT": [40], "EXPIRED": [1_130]}


def test_slot_freed_during_a_pause_is_timed_from_the_end_of_the_pause() -> None:
    entries = {"a": CalledEntry(1, "EXPIRED", 1_000, 11_010), "d": CalledEntry(4, "READY", 15_004, 25_004)}
    received = counts(1_010, None, None, 15_030, None, None)
    assert refill_ms(entries, {}, PEOPLE, received, PLAN, resumed_ms=15_000) == {"EXPIRED": [30]}


def test_number_of_people_who_free_slots_must_fill_whole_calls() -> None:
    assert Plan(calls=3, called_at_once=2, leave=1, buy=3).calls_to_use == 2
    with pytest.raises(ValueError, match="fill whole calls"):
        Plan(calls=3, called_at_once=2, leave=1, buy=2)


def test_freed_slot_without_a_call_is_an_error() -> None:
    entries = {"a": CalledEntry(1, "LEFT", 1_000, 2_005), "b": CalledEntry(2, "READY", 1_000, 11_000)}
    with pytest.raises(NotMeasured, match="1 slots were freed, but 0 people were called"):
        refill_ms(
            entries, {"a": 2_000}, PEOPLE, counts(1_010, 1_010, None, None, None, None), PLAN, resumed_ms=RESUMED_MS
        )


def test_rates_and_sizes_are_measured_between_two_readings() -> None:
    before, after = counts(at_s=10.0, frames=100, size=30_000), counts(at_s=14.0, frames=300, size=80_000)
    assert (after.frames_per_s(before), after.frame_bytes(before)) == (50.0, 250)
    with pytest.raises(NotMeasured, match="no frame was received"):
        before.frame_bytes(before)


async def test_subscriber_counts_messages_split_between_packets() -> None:
    subscriber = Subscriber("host", b"subscribe")
    transport = connect(subscriber)
    for data in (
        b"101",
        b'{"type":"ne',
        b'xt","state":"REA',
        b'DY"}',
        b'{"type":"next"}{"type":"next"}',
        b'{"type":"ping"}',
    ):
        subscriber.data_received(data)
    assert (subscriber.frames, subscriber.found_ms is not None, subscriber.first.done()) == (3, True, True)
    assert transport.written[1] == b"subscribe"
    assert [b"pong" in transport.written[2], len(transport.written)] == [True, 3]


async def test_answer_counts_only_if_it_is_complete_and_successful() -> None:
    connection = Connection(0, "127.0.0.1", b"JoinQueueSuccess")
    transport = connect(connection)
    asked = asyncio.create_task(connection.send(b"ask"))
    await asyncio.sleep(0)
    connection.data_received(b'HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n"JoinQueue')
    await asyncio.sleep(0)
    assert (asked.done(), transport.written) == (False, [b"ask"])
    connection.data_received(b'Success"..')
    await asked
    asked = asyncio.create_task(connection.send(b"ask again"))
    await asyncio.sleep(0)
    connection.data_received(b'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n"nono"')
    with pytest.raises(NotMeasured, match="nono"):
        await asked
