"""Passing tickets on over GraphQL: one link, for one person, who then has the only valid code."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.limits.rates import CallRates, Rate, RateLimits
from domain.tickets.state import TicketState, ticket_state
from schema.ids import of_order
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.shop import new_key, person_id
from tests.support.store_servers import borrowed_stores
from tests.support.ticket_shop import TicketShop, global_id, open_ticket_shop
from tests.support.whole_stores import read_whole_stores

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOB = "bob@onsale.example"
RATE = Rate(3, 3_600)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gates(shared_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[TicketShop]:
    async with (
        borrowed_stores(shared_valkey.url, databases) as stores,
        open_ticket_shop(stores, shared_valkey.url) as made,
    ):
        yield made


async def test_old_code_becomes_invalid_at_the_moment_of_acceptance(gates: TicketShop) -> None:
    concert = await gates.on_sale()
    order = await gates.buy(concert)
    offered = await gates.offer(order, BOB)
    assert offered["ticket"]["transfer"]["email"] == BOB
    accepted = await gates.accept(gates.mails.token_for(BOB))
    assert (accepted["__typename"], accepted["ticket"]["holderName"]) == ("AcceptTicketTransferSuccess", "Bob")
    passed_on = await gates.stored(order)
    assert (passed_on.tickets[0].holder_id, passed_on.person_id) == (person_id("bob"), person_id("alice"))
    old = await gates.scan(concert, gates.code(order))
    assert (old["code"], old["reason"]) == ("SCAN_REFUSED", "REPLACED")
    assert (await gates.scan(concert, gates.code(passed_on)))["__typename"] == "CheckInTicketSuccess"


async def test_link_works_once_and_only_for_its_address(gates: TicketShop) -> None:
    order = await gates.buy(await gates.on_sale())
    await gates.offer(order, BOB)
    token = gates.mails.token_for(BOB)
    before = await read_whole_stores(gates.shop.stores)
    assert (await gates.accept(token, by="carol"))["reason"] == "WRONG_PERSON"
    claims = {"email": BOB, "email_verified": False}
    unverified = await gates.run("acceptTicketTransfer", {"token": token}, by="bob", **claims)
    assert (unverified["reason"], unverified["message"]) == (
        "EMAIL_NOT_VERIFIED",
        "The email address of your account is not confirmed; confirm it where you manage your account, sign in again,"
        " and open the link once more.",
    )
    assert (await gates.accept(token[:-1]))["reason"] == "LINK_NOT_VALID"
    assert (await gates.accept(f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}"))["reason"] == "LINK_NOT_VALID"
    assert (await read_whole_stores(gates.shop.stores)).changes_since(before) == set()
    first, again = await gates.accept(token), await gates.accept(token)
    assert first == again
    assert (await gates.accept(token, by="carol", email=BOB))["reason"] == "LINK_USED"
    assert (await gates.stored(order)).tickets[0].generation == 2


async def test_link_shows_its_ticket_to_everyone_who_has_it(gates: TicketShop) -> None:
    concert = await gates.on_sale()
    order = await gates.buy(concert)
    await gates.offer(order, BOB)
    token = gates.mails.token_for(BOB)
    shown = await gates.look_at_offer(token, by=None)
    assert shown == await gates.look_at_offer(token, by="bob", email=BOB)
    assert (shown["concert"]["id"], shown["tier"]["id"], shown["problem"]) == (concert.id, concert.tiers[0], None)
    assert (await gates.look_at_offer(token, by="carol"))["problem"] == "WRONG_PERSON"
    await gates.accept(token)
    assert (await gates.look_at_offer(token, by=None))["problem"] == "LINK_USED"
    assert (await gates.look_at_offer(token, by="bob", email=BOB))["problem"] is None


async def test_link_without_an_offer_shows_nothing(gates: TicketShop) -> None:
    order = await gates.buy(await gates.on_sale())
    await gates.offer(order, BOB)
    token = gates.mails.token_for(BOB)
    changed = f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}"
    for other in ("", "token", token[:-1], changed, f" {token}", f"{token}\x00", f"{token}\u202e", "x" * 4_096):
        assert await gates.look_at_offer(other, by="bob", email=BOB) is None
    await gates.run("cancelTicketTransfer", {"ticketId": global_id(order)}, by="alice")
    assert await gates.look_at_offer(token, by="bob", email=BOB) is None


async def test_a_hundred_acceptances_transfer_the_ticket_once(gates: TicketShop) -> None:
    order = await gates.buy(await gates.on_sale())
    await gates.offer(order, BOB)
    token = gates.mails.token_for(BOB)
    people = [f"person-{number}" for number in range(100)]
    answers = await asyncio.gather(*(gates.accept(token, by=person, email=BOB) for person in people))
    assert Counter(answer.get("reason", "accepted") for answer in answers) == {"accepted": 1, "LINK_USED": 99}
    stored = await gates.stored(order)
    assert (stored.tickets[0].generation, len(stored.revocations)) == (2, 1)


async def test_link_to_a_refunded_ticket_does_not_work(gates: TicketShop) -> None:
    order = await gates.buy(await gates.on_sale())
    await gates.offer(order, BOB)
    input_ = {"orderId": of_order(order.id), "idempotencyKey": new_key()}
    assert (await gates.run("refundOrder", input_, by="alice"))["__typename"] == "RefundOrderSuccess"
    assert (await gates.accept(gates.mails.token_for(BOB)))["reason"] == "TICKET_VOID"


async def test_refund_of_a_passed_on_ticket_goes_to_the_buyer(gates: TicketShop) -> None:
    concert = await gates.on_sale()
    order = await gates.pass_on(await gates.buy(concert))
    input_ = {"orderId": of_order(order.id), "tickets": [global_id(order)], "idempotencyKey": new_key()}
    assert (await gates.run("refundOrder", input_, by="bob"))["code"] == "NOT_FOUND"
    assert (await gates.run("refundOrder", input_, by="alice"))["__typename"] == "RefundOrderSuccess"
    refunded = await gates.stored(order)
    assert ticket_state(refunded, refunded.tickets[0]) is TicketState.VOID
    assert (await gates.scan(concert, gates.code(refunded)))["reason"] == "TICKET_VOID"


async def test_purchase_limit_stays_with_the_buyer(gates: TicketShop) -> None:
    concert = await gates.on_sale(limitPerPerson=2)
    order = await gates.pass_on(await gates.buy(concert, 2))
    assert order.tickets[0].holder_id == person_id("bob")
    assert (await gates.shop.hold(concert, 1))["code"] == "LIMIT_EXCEEDED"
    assert (await gates.shop.hold(concert, 2, by="bob"))["__typename"] == "HoldTicketsSuccess"


async def test_repeated_offer_sends_one_mail_and_a_new_address_replaces_it(gates: TicketShop) -> None:
    order = await gates.buy(await gates.on_sale())
    sent = len(gates.mails.sent)
    first, again = await gates.offer(order, BOB), await gates.offer(order, BOB.upper())
    assert first == again
    assert len(gates.mails.sent) == sent + 1
    await gates.offer(order, "carol@onsale.example")
    assert (await gates.accept(gates.mails.token_for(BOB)))["reason"] == "LINK_NOT_VALID"
    answer = await gates.accept(gates.mails.token_for("carol@onsale.example"), by="carol")
    assert answer["__typename"] == "AcceptTicketTransferSuccess"


async def test_canceled_transfer_can_be_offered_again(gates: TicketShop) -> None:
    order = await gates.buy(await gates.on_sale())
    await gates.offer(order, BOB)
    old, input_ = gates.mails.token_for(BOB), {"ticketId": global_id(order)}
    canceled = await gates.run("cancelTicketTransfer", input_, by="alice")
    assert canceled["ticket"]["transfer"] is None
    assert await gates.run("cancelTicketTransfer", input_, by="alice") == canceled
    assert (await gates.accept(old))["reason"] == "LINK_NOT_VALID"
    await gates.offer(order, BOB)
    assert (await gates.accept(gates.mails.token_for(BOB)))["__typename"] == "AcceptTicketTransferSuccess"


async def test_offer_whose_mail_was_lost_in_a_crash_is_made_again(gates: TicketShop) -> None:
    order = await gates.buy(await gates.on_sale())
    gates.mails.is_down = True
    assert (await gates.offer(order, BOB))["code"] == "TEMPORARILY_UNAVAILABLE"
    gates.mails.is_down = False
    assert (await gates.stored(order)).tickets[0].transfer is not None
    await gates.offer(order, BOB)
    assert (await gates.accept(gates.mails.token_for(BOB)))["__typename"] == "AcceptTicketTransferSuccess"


async def test_only_the_holder_can_pass_a_ticket_on(gates: TicketShop) -> None:
    order = await gates.buy(await gates.on_sale())
    before = await read_whole_stores(gates.shop.stores)
    assert (await gates.offer(order, BOB, by="carol"))["code"] == "NOT_FOUND"
    assert (await gates.offer(order, BOB, by="olivia"))["reason"] == "NOT_HOLDER"
    assert (await read_whole_stores(gates.shop.stores)).changes_since(before) == set()
    passed_on = await gates.pass_on(order)
    assert (await gates.offer(passed_on, "carol@onsale.example"))["reason"] == "NOT_HOLDER"
    assert (await gates.offer(passed_on, "carol@onsale.example", by="bob"))["__typename"] == "TransferTicketSuccess"


async def test_invalid_address_and_id_are_reported_together(gates: TicketShop) -> None:
    input_ = {"ticketId": "nonsense", "email": "bob@onsale.example\r\nBcc: eve@example.org"}
    refused = await gates.run("transferTicket", input_, by="alice")
    assert [problem["path"] for problem in refused["problems"]] == ["ticketId", "email"]


async def test_name_of_the_new_holder_is_checked_and_printed(gates: TicketShop) -> None:
    order = await gates.buy(await gates.on_sale())
    await gates.offer(order, BOB)
    token = gates.mails.token_for(BOB)
    refused = await gates.run("acceptTicketTransfer", {"token": token, "holderName": "\u0301"}, by="bob", email=BOB)
    assert [problem["path"] for problem in refused["problems"]] == ["holderName"]
    accepted = await gates.run("acceptTicketTransfer", {"token": token, "holderName": " Бob "}, by="bob", email=BOB)
    assert accepted["ticket"]["holderName"] == "Бob"


async def test_person_who_sends_many_links_is_rate_limited(
    shared_valkey: ServerProcess, databases: DatabasePool
) -> None:
    rates = RateLimits(transfers=CallRates(per_person=RATE))
    async with (
        borrowed_stores(shared_valkey.url, databases) as stores,
        open_ticket_shop(stores, shared_valkey.url, rates=rates) as made,
    ):
        order = await made.buy(await made.on_sale())
        answers = [await made.offer(order, f"person-{number}@onsale.example") for number in range(4)]
        assert [answer["__typename"] for answer in answers] == ["TransferTicketSuccess"] * 3 + ["RateLimitedError"]
        assert len(made.mails.sent) == 3
