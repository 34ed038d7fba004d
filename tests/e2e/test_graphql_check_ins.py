"""Checking tickets in over GraphQL, by online scanners and by scanners that were offline."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from domain.limits.rates import CallRates, Rate, RateLimits
from domain.tickets.state import TicketState, ticket_state
from schema.ids import of_order
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.shop import Answer, new_key
from tests.support.store_servers import borrowed_stores
from tests.support.ticket_shop import TicketShop, global_id, offline_scan, open_ticket_shop
from tests.support.whole_stores import read_whole_stores
from tickets.codes import CODE_CHARACTERS
from tickets.keys import TicketKeys

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIER = [{"name": "Standing", "priceMinor": 0, "capacity": 1_000}]
LARGE = {"tiers": TIER, "limitPerOrder": 600, "limitPerPerson": 600}
DEAD_SCANS = """
    query ($id: ID!) { node(id: $id) { ... on Ticket {
      checkIn { scanId } deadCodeScans { scan { scanId deviceId } generation problem }
    } } }
"""
RATE = Rate(101, 3_600)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gates(shared_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[TicketShop]:
    async with (
        borrowed_stores(shared_valkey.url, databases) as stores,
        open_ticket_shop(stores, shared_valkey.url) as made,
    ):
        yield made


def outcomes(answer: Answer) -> list[str]:
    return [result["outcome"] for result in answer["results"]]


def alarms(caplog: pytest.LogCaptureFixture, name: str = "checked_in_twice") -> list[str]:
    return [line for line in caplog.messages if line.startswith(f"ALARM {name}: ")]


async def test_first_scan_admits_and_the_second_learns_when_and_where(gates: TicketShop) -> None:
    concert = await gates.on_sale()
    code = gates.code(await gates.buy(concert))
    first = await gates.scan(concert, code, device="north gate")
    assert first["__typename"] == "CheckInTicketSuccess"
    assert first["ticket"]["checkIn"] == first["checkIn"]
    second = await gates.scan(concert, code, device="south gate")
    assert (second["code"], second["checkIn"]) == ("ALREADY_CHECKED_IN", first["checkIn"])
    assert second["message"] == (
        f"This ticket was already checked in at {first['checkIn']['scannedAt'][:19]}Z, at north "
        "gate; do not admit a second person."
    )


async def test_repeated_scan_gets_the_same_answer(gates: TicketShop) -> None:
    concert = await gates.on_sale()
    order = await gates.buy(concert)
    first = await gates.scan(concert, gates.code(order), scan_id="scan-1")
    version = (await gates.stored(order)).version
    assert await gates.scan(concert, gates.code(order), scan_id="scan-1") == first
    assert (await gates.stored(order)).version == version


async def test_a_hundred_scanners_admit_only_one_person(gates: TicketShop) -> None:
    concert = await gates.on_sale()
    order = await gates.buy(concert)
    code = gates.code(order)
    answers = await asyncio.gather(*(gates.scan(concert, code, device=f"gate {number}") for number in range(100)))
    assert Counter(answer["__typename"] for answer in answers) == {
        "CheckInTicketSuccess": 1,
        "AlreadyCheckedInError": 99,
    }
    (winner,) = [answer["checkIn"] for answer in answers if answer["__typename"] == "CheckInTicketSuccess"]
    assert {answer["checkIn"]["scanId"] for answer in answers} == {winner["scanId"]}
    assert len((await gates.stored(order)).tickets[0].duplicates) == 0


async def test_check_in_and_refund_of_one_ticket_exclude_each_other(gates: TicketShop) -> None:
    concert = await gates.on_sale()
    for _ in range(10):
        order = await gates.buy(concert, by=f"buyer-{new_key()}")
        buyer = order.person_id
        refund = {"orderId": of_order(order.id), "tickets": [global_id(order)], "idempotencyKey": new_key()}
        scanned, refunded = await asyncio.gather(
            gates.scan(concert, gates.code(order)), gates.run("refundOrder", refund, by="buyer", sub=buyer)
        )
        stored = await gates.stored(order)
        is_refunded = ticket_state(stored, stored.tickets[0]) is TicketState.VOID
        if scanned["__typename"] == "CheckInTicketSuccess":
            assert refunded["reason"] == "CHECKED_IN"
            assert not is_refunded
        else:
            assert scanned["reason"] == "TICKET_VOID"
            assert refunded["__typename"] == "RefundOrderSuccess"
            assert is_refunded


async def test_buyer_cannot_refund_a_used_ticket_but_the_organizer_can(gates: TicketShop) -> None:
    concert = await gates.on_sale()
    order = await gates.buy(concert, 3)
    await gates.scan(concert, gates.code(order))
    before = await read_whole_stores(gates.shop.stores)
    whole = {"orderId": of_order(order.id), "idempotencyKey": new_key()}
    used = whole | {"tickets": [global_id(order)], "idempotencyKey": new_key()}
    for refund in (whole, used):
        refused = await gates.run("refundOrder", refund, by="alice")
        assert (refused["code"], refused["reason"]) == ("NOT_REFUNDABLE", "CHECKED_IN")
    assert (await read_whole_stores(gates.shop.stores)).changes_since(before) == set()
    unused = whole | {"tickets": [global_id(order, 1)], "idempotencyKey": new_key()}
    for _ in range(2):
        refunded = await gates.run("refundOrder", unused, by="alice")
        assert [len(refund["lines"]) for refund in refunded["order"]["refunds"]] == [1]
    refunded = await gates.run("refundOrder", whole, by="olivia")
    assert refunded["order"]["status"] == "REFUNDED"


async def test_malformed_choice_of_tickets_is_explained(gates: TicketShop) -> None:
    concert = await gates.on_sale()
    order = await gates.buy(concert)
    base: dict[str, object] = {"orderId": of_order(order.id), "idempotencyKey": new_key()}
    line = {"tierId": concert.tiers[0], "quantity": 1}
    for choice, path in (
        ({"tickets": []}, "tickets"),
        ({"tickets": [global_id(order)] * 2}, "tickets.1"),
        ({"tickets": [global_id(order)], "lines": [line]}, "tickets"),
        ({"tickets": ["nonsense"]}, "tickets.0"),
    ):
        refused = await gates.run("refundOrder", base | choice, by="alice")
        assert [problem["path"] for problem in refused["problems"]] == [path]
    other = await gates.buy(concert, by="bob")
    refused = await gates.run("refundOrder", base | {"tickets": [global_id(other)]}, by="alice")
    assert refused["code"] == "NOT_FOUND"


async def test_only_the_gate_staff_of_a_concert_can_check_tickets_in(gates: TicketShop) -> None:
    concert, other = await gates.on_sale(), await gates.shop.on_sale()
    order = await gates.buy(concert)
    before = await read_whole_stores(gates.shop.stores)
    input_ = {"concertId": concert.id, "code": gates.code(order), "deviceId": "gate", "scanId": "1"}
    for person in ("alice", "otto", "robot"):
        assert (await gates.run("checkInTicket", input_, by=person))["extensions"]["code"] == "FORBIDDEN"
    refused = await gates.run("checkInTicket", input_ | {"concertId": other.id}, by="gus")
    assert refused["message"] == (
        "Only the gate staff and the organizer of this concert can do this. You are signed in as gus; ask the organizer"
        " to add you to `gatePeople`."
    )
    assert (await gates.run("checkInTicket", input_, by=None))["extensions"]["code"] == "UNAUTHENTICATED"
    assert (await read_whole_stores(gates.shop.stores)).changes_since(before) == set()
    for person in ("olivia", "ada", "gus"):
        assert (await gates.run("checkInTicket", input_, by=person))["__typename"] == "CheckInTicketSuccess"


async def test_code_of_another_concert_is_refused(gates: TicketShop) -> None:
    concert, other = await gates.on_sale(), await gates.on_sale()
    order = await gates.buy(other)
    assert (await gates.scan(concert, gates.code(order)))["reason"] == "OTHER_CONCERT"
    assert (await gates.stored(order)).tickets[0].check_in is None


async def test_code_with_any_character_changed_is_refused(gates: TicketShop) -> None:
    concert = await gates.on_sale()
    order = await gates.buy(concert)
    code, now = gates.code(order), datetime.now(UTC)
    changed = [f"{code[:at]}{'0' if code[at] != '0' else '1'}{code[at + 1 :]}" for at in range(CODE_CHARACTERS)]
    answer = await gates.upload(concert, *(offline_scan(code, now) for code in changed))
    assert set(outcomes(answer)) == {"REFUSED"}
    problems = {result["problem"] for result in answer["results"]}
    assert problems == {"MALFORMED", "OTHER_CONCERT", "UNKNOWN_KEY", "BAD_SIGNATURE"}
    assert (await gates.stored(order)).tickets[0].check_in is None


async def test_each_kind_of_bad_code_has_its_own_answer(gates: TicketShop) -> None:
    concert = await gates.on_sale()
    order = await gates.buy(concert)
    code, now = gates.code(order), datetime.now(UTC)
    stranger = TicketShop(shop=gates.shop, mails=gates.mails, keys=TicketKeys([bytes(range(1, 33))]))
    bad = {
        "": "MALFORMED",
        code[:-1]: "MALFORMED",
        f"{code}0": "MALFORMED",
        code[: -64 * 3 // 2]: "MALFORMED",
        "A" * 4_096: "MALFORMED",
        "https://example.org/ticket": "MALFORMED",
        "ä" * CODE_CHARACTERS: "MALFORMED",
        stranger.code(order): "UNKNOWN_KEY",
        gates.code(order, generation=7): "UNKNOWN_TICKET",
    }
    answer = await gates.upload(concert, *(offline_scan(text, now) for text in bad))
    assert [result["problem"] for result in answer["results"]] == list(bad.values())
    assert all(result["message"] for result in answer["results"])


async def test_bad_code_does_not_lock_its_scanner_out(shared_valkey: ServerProcess, databases: DatabasePool) -> None:
    rates = RateLimits(check_ins=CallRates(per_person=RATE, per_address=RATE))
    async with (
        borrowed_stores(shared_valkey.url, databases) as stores,
        open_ticket_shop(stores, shared_valkey.url, rates=rates) as made,
    ):
        concert = await made.on_sale(**LARGE)
        order = await made.buy(concert, 101)
        assert (await made.scan(concert, "forged"))["reason"] == "MALFORMED"
        answers = [await made.scan(concert, made.code(order, index)) for index in range(101)]
        assert [answer["__typename"] for answer in answers] == ["CheckInTicketSuccess"] * 100 + ["RateLimitedError"]
        assert (await made.stored(order)).tickets[100].check_in is None


async def test_five_hundred_scans_are_answered_in_order(gates: TicketShop) -> None:
    concert = await gates.on_sale(**LARGE)
    order = await gates.buy(concert, 499)
    now = datetime.now(UTC)
    scans = [offline_scan(gates.code(order, index), now, scan_id=f"scan-{index}") for index in range(499)]
    scans.insert(250, offline_scan("forged", now, scan_id="forged"))
    version = (await gates.stored(order)).version
    answer = await gates.upload(concert, *scans)
    assert [result["scanId"] for result in answer["results"]] == [scan["scanId"] for scan in scans]
    assert Counter(outcomes(answer)) == {"ADMITTED": 499, "REFUSED": 1}
    assert (await gates.stored(order)).version == version + 1
    assert await gates.upload(concert, *scans) == answer
    refused = await gates.upload(concert, *scans, offline_scan("x", now))
    assert refused["message"].endswith("send at most 500.")


async def test_earlier_of_two_offline_scans_counts_and_an_alarm_is_raised(
    gates: TicketShop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    concert = await gates.on_sale()
    order = await gates.buy(concert)
    code, bought_at = gates.code(order), order.created_at
    late = offline_scan(code, bought_at + timedelta(milliseconds=1), scan_id="late", device="north gate")
    early = offline_scan(code, bought_at, scan_id="early", device="south gate")
    assert outcomes(await gates.upload(concert, late)) == ["ADMITTED"]
    assert alarms(caplog) == []
    for _ in range(2):
        assert outcomes(await gates.upload(concert, early)) == ["ADMITTED"]
        assert outcomes(await gates.upload(concert, late)) == ["ADMITTED"]
    (alarm,) = alarms(caplog)
    assert f"of order {order.id} was scanned by 'south gate' (scan 'early')" in alarm
    third = await gates.scan(concert, code)
    assert (third["code"], third["checkIn"]["scanId"]) == ("ALREADY_CHECKED_IN", "early")
    stored = (await gates.stored(order)).tickets[0]
    assert [duplicate.scan.scan_id for duplicate in stored.duplicates] == ["late"]
    assert len(alarms(caplog)) == 1


async def test_offline_scan_of_a_revoked_code_raises_an_alarm(
    gates: TicketShop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    concert = await gates.on_sale()
    order = await gates.buy(concert)
    code = gates.code(order)
    refund = {"orderId": of_order(order.id), "idempotencyKey": new_key()}
    assert (await gates.run("refundOrder", refund, by="olivia"))["__typename"] == "RefundOrderSuccess"
    assert (await gates.scan(concert, code))["reason"] == "TICKET_VOID"
    assert alarms(caplog, "dead_code_admitted") == []
    late = offline_scan(code, order.created_at, device="north gate")
    first = await gates.upload(concert, late)
    assert outcomes(first) == ["REFUSED"]
    assert await gates.upload(concert, late) == first
    (alarm,) = alarms(caplog, "dead_code_admitted")
    assert f"of order {order.id} was admitted by 'north gate'" in alarm
    shown = {
        "scan": {"scanId": late["scanId"], "deviceId": "north gate"},
        "generation": 1,
        "problem": "TICKET_VOID",
    }
    for person in ("gus", "olivia"):
        found = await gates.shop.fields(DEAD_SCANS, by=person, id=global_id(order))
        assert found["node"] == {"checkIn": None, "deadCodeScans": [shown]}


async def test_offline_scan_after_an_online_one_raises_an_alarm(
    gates: TicketShop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    concert = await gates.on_sale()
    order = await gates.buy(concert)
    first = await gates.scan(concert, gates.code(order))
    late = await gates.upload(concert, offline_scan(gates.code(order), datetime.now(UTC) + timedelta(minutes=1)))
    assert outcomes(late) == ["ALREADY_CHECKED_IN"]
    assert late["results"][0]["checkIn"]["scanId"] == first["checkIn"]["scanId"]
    assert len(alarms(caplog)) == 1


async def test_ids_of_scans_are_checked_before_anything_is_recorded(gates: TicketShop) -> None:
    concert = await gates.on_sale()
    order = await gates.buy(concert)
    good = offline_scan(gates.code(order), datetime.now(UTC))
    refused = await gates.upload(concert, good, good | {"scanId": "", "deviceId": "g" * 65})
    assert [problem["path"] for problem in refused["problems"]] == ["scans.1.scanId", "scans.1.deviceId"]
    assert [problem["path"] for problem in (await gates.upload(concert))["problems"]] == ["scans"]
    assert (await gates.stored(order)).tickets[0].check_in is None
