"""The books of `make bench-queue`: what is counted, which call follows which freed slot, and what is never reported."""

import asyncio
from typing import Any, cast

import pytest

from bench.queueing.frame_server import prepared
from bench.queueing.in_process_queue import per_waiter
from bench.queueing.load import Connection, request
from bench.queueing.metrics import Metric, NotMeasured, as_json, growth, median, p99, percentile, table
from bench.queueing.position_subscribers import PositionSubscriber
from bench.queueing.slots import CalledEntry, Plan, ready_ms, refill_ms
from bench.queueing.socket_clients import Counts
from bench.queueing.users import AN_ADDRESS, User, address
from resolvers.queues import MAX_JOINS_PER_ADDRESS

PLAN = Plan(calls=1, called_at_once=3, claim_timeout_s=10)
PEOPLE = [User("token", name, "127.0.0.1") for name in "abcdef"]


def seen(*called_ms: float | None, at_s: float = 0.0, frames: int = 0, size: int = 0) -> Counts:
    return Counts(at_s, frames, size, called_ms)


class Wire:
    """The end of a protocol that nobody reads."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True


def wired(protocol: asyncio.Protocol) -> Wire:
    wire = Wire()
    protocol.connection_made(cast(Any, wire))
    return wire


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100), (0.0, 1), (0.01, 1), (0.011, 2)]
)
def test_a_percentile_is_a_sample_that_was_seen(share: float, expected: float) -> None:
    assert percentile(range(100, 0, -1), share) == expected


def test_nothing_is_reported_without_a_sample() -> None:
    with pytest.raises(NotMeasured):
        percentile([], 0.99)
    with pytest.raises(NotMeasured, match="ready_p99_ms"):
        p99("ready_p99_ms", [], "")
    with pytest.raises(NotMeasured, match="ready_p50_ms"):
        median("ready_p50_ms", [], "")


def test_a_figure_has_its_samples_and_is_held_to_its_line() -> None:
    assert p99("x", [3.0, 1.0, 2.04], "how", at_most=3.0) == Metric("x", 3.0, "how", 3, 3.0)
    assert median("x", [3.0, 1.0, 2.04], "how") == Metric("x", 2.0, "how", 3)
    assert [Metric("x", value, "", 1, 250).verdict for value in (249.9, 250, 250.1)] == ["ok", "ok", "over"]
    assert Metric("x", 1, "", 1).verdict == ""


def test_growth_is_the_most_over_the_least() -> None:
    by_size = {1_000: Metric("a", 5, "", 9), 10_000: Metric("b", 4, "", 9), 50_000: Metric("c", 6, "", 9)}
    assert growth("flat", by_size, "how", at_most=1.2) == Metric("flat", 1.5, "how", 3, 1.2)
    with pytest.raises(NotMeasured):
        growth("flat", {1_000: Metric("a", 5, "", 9)}, "", at_most=1.2)
    with pytest.raises(NotMeasured):
        growth("flat", {1: Metric("a", 0, "", 9), 2: Metric("b", 5, "", 9)}, "", at_most=1.2)


def test_the_report_has_each_name_once_with_its_samples() -> None:
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
    with pytest.raises(ValueError, match="ready_p99_ms is there twice"):
        as_json([ready, ready], {})


def test_the_table_says_value_samples_line_and_verdict() -> None:
    text = table([Metric("bytes_per_waiter", 430, "how", 50_000, 400), Metric("joins_per_s", 2_100, "so", 8_000)])
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["bytes_per_waiter", "430", "50,000", "400", "over", "how"],
        ["joins_per_s", "2,100", "8,000", "so"],
    ]


def test_bytes_are_of_all_keys_and_the_largest_are_named() -> None:
    sizes = {"state": 5, "entries": 2_000, "waiters": 700, "connections": 1_010, "slots": 0}
    figure = per_waiter("bytes_per_waiter", sizes, 10, "joined", at_most=400)
    assert figure == Metric("bytes_per_waiter", 372, "joined: entries 200, connections 101, waiters 70", 10, 400)


def test_ready_is_from_the_call_to_the_persons_own_socket() -> None:
    called = {"a": CalledEntry(1, "READY", 1_000, 0), "c": CalledEntry(2, "READY", 1_000, 0)}
    assert ready_ms(called, PEOPLE, seen(1_040, None, 1_070, None, None, None)) == [40, 70]
    with pytest.raises(NotMeasured, match="never said so"):
        ready_ms(called, PEOPLE, seen(1_040, None, None, None, None, None))


def test_the_nth_slot_that_frees_is_the_nth_call() -> None:
    entries = {
        "a": CalledEntry(1, "LEFT", 1_000, 2_005),
        "b": CalledEntry(2, "EXPIRED", 1_000, 11_150),
        "c": CalledEntry(3, "COMPLETED", 1_000, 2_300),
        "f": CalledEntry(4, "READY", 2_005, 12_005),
        "e": CalledEntry(5, "READY", 2_300, 12_300),
        "d": CalledEntry(6, "READY", 11_150, 21_150),
    }
    told = seen(1_010, 1_010, 1_010, 11_190, 2_350, 2_031)
    assert refill_ms(entries, {"a": 2_000, "c": 2_290}, PEOPLE, told, PLAN) == {
        "LEFT": [31],
        "COMPLETED": [60],
        "EXPIRED": [190],
    }


def test_a_slot_that_nobody_got_is_not_passed_over() -> None:
    entries = {"a": CalledEntry(1, "LEFT", 1_000, 2_005), "b": CalledEntry(2, "READY", 1_000, 11_000)}
    with pytest.raises(NotMeasured, match="1 slots freed, and 0 people were called"):
        refill_ms(entries, {"a": 2_000}, PEOPLE, seen(1_010, 1_010, None, None, None, None), PLAN)


def test_rates_and_sizes_are_of_what_came_in_between() -> None:
    before, after = seen(at_s=10.0, frames=100, size=30_000), seen(at_s=14.0, frames=300, size=80_000)
    assert (after.frames_per_s(before), after.frame_bytes(before)) == (50.0, 250)
    with pytest.raises(NotMeasured, match="no frame came"):
        before.frame_bytes(before)


async def test_a_watcher_counts_words_that_were_cut_in_two() -> None:
    watcher = PositionSubscriber("host", "concert", "token")
    wire = wired(watcher)
    for data in (
        b"101",
        b'{"type":"ne',
        b'xt","state":"REA',
        b'DY"}',
        b'{"type":"next"}{"type":"next"}',
        b'{"type":"ping"}',
    ):
        watcher.data_received(data)
    assert (watcher.frames, watcher.called_ms is not None, watcher.first.done()) == (3, True, True)
    assert [b"subscribe" in wire.written[1], b"pong" in wire.written[2], len(wire.written)] == [True, True, 3]


async def test_a_watcher_that_is_refused_says_so() -> None:
    watcher = PositionSubscriber("host", "concert", "token")
    wired(watcher)
    watcher.data_received(b"HTTP/1.1 503")
    watcher.connection_lost(None)
    with pytest.raises(ConnectionError, match="503"):
        await watcher.first
    assert (watcher.frames, watcher.called_ms) == (0, None)


async def test_an_answer_counts_once_it_is_whole_and_good() -> None:
    connection = Connection(b"JoinQueueSuccess")
    wire = wired(connection)
    asked = asyncio.create_task(connection.send(b"ask"))
    await asyncio.sleep(0)
    connection.data_received(b'HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n"JoinQueue')
    await asyncio.sleep(0)
    assert (asked.done(), wire.written) == (False, [b"ask"])
    connection.data_received(b'Success"..')
    await asked
    asked = asyncio.create_task(connection.send(b"ask again"))
    await asyncio.sleep(0)
    connection.data_received(b'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n"nono"')
    with pytest.raises(NotMeasured, match="nono"):
        await asked


def test_a_request_is_as_long_as_it_says() -> None:
    head, _, body = request(8000, "mutation", {"concertId": "é"}, "t0ken").partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"Authorization: Bearer t0ken" in head


@pytest.mark.parametrize("size", [200, 240, 5_000])
def test_a_prepared_frame_is_as_long_as_those_it_stands_for(size: int) -> None:
    frame = prepared(size)
    assert (len(frame), int.from_bytes(frame[2:4], "big"), frame.count(b'"next"')) == (size, size - 4, 1)


def test_nobody_shares_an_address_with_too_many() -> None:
    addresses = [address(number) for number in range(100_000)]
    assert max(addresses.count(each) for each in {addresses[0], addresses[-1]}) == AN_ADDRESS < MAX_JOINS_PER_ADDRESS
    assert len(set(addresses)) == 100_000 // AN_ADDRESS
