"""The rules for passing a ticket on, as changes to its order."""

from collections.abc import Callable

import pytest

from domain.ids import PersonId
from domain.orders import Order
from domain.payments.facts import FactState
from domain.payments.payment import RefundReason
from domain.payments.transitions import add_refund
from domain.tickets.check_ins import check_in
from domain.tickets.errors import TransferProblem, TransferRefused
from domain.tickets.ticket import Revocation
from domain.tickets.transfer_links import new_transfer_token, parse_transfer_token
from domain.tickets.transfers import (
    MAX_GENERATION,
    TRANSFER_LASTS,
    Recipient,
    cancel_transfer,
    find_offer,
    offer_problem,
    pending_transfer,
    request_transfer,
)
from tests.support.payment_orders import NOW
from tests.support.ticket_orders import (
    ALICE,
    BOB,
    BOBS_ADDRESS,
    accepted,
    disputed,
    id_of,
    later,
    offered,
    paid_order,
    scan,
    scanned,
    with_first_ticket,
)

EVE = PersonId("eve")
PAID = paid_order("transfers", 1, 2)


def refusal(change: Callable[[], Order]) -> TransferProblem:
    with pytest.raises(TransferRefused) as refused:
        change()
    return refused.value.reason


def refunded(order: Order) -> Order:
    return add_refund(order, order.units[:1], reason=RefundReason.REQUESTED, now=NOW)


def checked_in(order: Order) -> Order:
    return check_in(order, scanned(order), scan("scan-1"), NOW)[0]


def test_offered_ticket_stays_valid_with_its_holder() -> None:
    order = offered(PAID)
    assert (order.tickets[0].holder_id, order.tickets[0].generation) == (ALICE, 1)
    assert order.revocations == ()
    assert order.version == PAID.version + 1
    transfer = pending_transfer(order.tickets[0], NOW)
    assert transfer is not None
    assert (transfer.email, transfer.expires_at) == (BOBS_ADDRESS, NOW + TRANSFER_LASTS)


def test_acceptance_gives_a_new_code_and_revokes_the_old_one() -> None:
    order = accepted(offered(PAID), now=later(hours=1))
    first, second = order.tickets
    assert (first.holder_id, first.holder_name, first.generation) == (BOB, "Bob", 2)
    assert second == PAID.tickets[1]
    assert order.revocations == (Revocation(id_of(order), 1, later(hours=1)),)
    assert (order.person_id, order.units) == (ALICE, PAID.units)


def test_repeated_acceptance_changes_nothing() -> None:
    order = accepted(offered(PAID))
    assert accepted(order, now=later(days=30)) is order


def test_address_of_a_link_is_compared_regardless_of_case() -> None:
    assert accepted(offered(PAID, email="bob@example.org"), email="Bob@Example.ORG").tickets[0].holder_id == BOB


@pytest.mark.parametrize(
    ("order", "by", "email", "digest", "reason"),
    [
        (PAID, BOB, BOBS_ADDRESS, "d" * 64, TransferProblem.LINK_NOT_VALID),
        (offered(PAID), BOB, BOBS_ADDRESS, "e" * 64, TransferProblem.LINK_NOT_VALID),
        (offered(PAID), EVE, "eve@example.org", "d" * 64, TransferProblem.WRONG_PERSON),
        (offered(PAID), EVE, None, "d" * 64, TransferProblem.WRONG_PERSON),
        (offered(PAID), EVE, "not an address", "d" * 64, TransferProblem.WRONG_PERSON),
        (accepted(offered(PAID)), EVE, BOBS_ADDRESS, "d" * 64, TransferProblem.LINK_USED),
        (refunded(offered(PAID)), BOB, BOBS_ADDRESS, "d" * 64, TransferProblem.TICKET_VOID),
        (disputed(offered(PAID), FactState.OPEN), BOB, BOBS_ADDRESS, "d" * 64, TransferProblem.TICKET_SUSPENDED),
        (checked_in(offered(PAID)), BOB, BOBS_ADDRESS, "d" * 64, TransferProblem.CHECKED_IN),
        (offered(offered(PAID), digest="f" * 64), BOB, BOBS_ADDRESS, "d" * 64, TransferProblem.LINK_NOT_VALID),
        (
            cancel_transfer(offered(PAID), id_of(PAID), holder=ALICE, now=NOW),
            BOB,
            BOBS_ADDRESS,
            "d" * 64,
            TransferProblem.LINK_NOT_VALID,
        ),
    ],
    ids=[
        "never offered",
        "wrong secret",
        "wrong person",
        "no address",
        "malformed address",
        "used by another",
        "refunded",
        "disputed",
        "checked in",
        "replaced",
        "canceled",
    ],
)
def test_link_that_is_not_valid_is_refused(
    order: Order, by: PersonId, email: str | None, digest: str, reason: TransferProblem
) -> None:
    assert refusal(lambda: accepted(order, by=by, email=email, digest=digest)) is reason


def test_unverified_address_is_refused_except_in_a_repeated_request() -> None:
    order = offered(PAID)
    assert refusal(lambda: accepted(order, is_email_verified=False)) is TransferProblem.EMAIL_NOT_VERIFIED
    stranger = refusal(lambda: accepted(order, by=EVE, email="eve@example.org", is_email_verified=False))
    assert stranger is TransferProblem.WRONG_PERSON
    passed_on = accepted(order)
    assert accepted(passed_on, is_email_verified=False) is passed_on


FRIEND = Recipient(BOB, BOBS_ADDRESS, is_email_verified=True)
STRANGER = Recipient(EVE, "eve@example.org", is_email_verified=True)
UNVERIFIED = Recipient(BOB, BOBS_ADDRESS, is_email_verified=False)


@pytest.mark.parametrize(
    ("order", "recipient", "problem"),
    [
        (offered(PAID), None, None),
        (offered(PAID), FRIEND, None),
        (offered(PAID), STRANGER, TransferProblem.WRONG_PERSON),
        (offered(PAID), UNVERIFIED, TransferProblem.EMAIL_NOT_VERIFIED),
        (accepted(offered(PAID)), None, TransferProblem.LINK_USED),
        (accepted(offered(PAID)), FRIEND, None),
        (accepted(offered(PAID)), STRANGER, TransferProblem.LINK_USED),
        (refunded(offered(PAID)), None, TransferProblem.TICKET_VOID),
        (checked_in(offered(PAID)), FRIEND, TransferProblem.CHECKED_IN),
    ],
)
def test_offer_says_what_its_acceptance_would_answer(
    order: Order, recipient: Recipient | None, problem: TransferProblem | None
) -> None:
    ticket, transfer = find_offer(order, id_of(order), secret_digest="d" * 64)
    assert offer_problem(order, ticket, transfer, recipient=recipient, now=NOW) is problem


def test_link_expires_after_seven_days() -> None:
    order = offered(PAID)
    assert refusal(lambda: accepted(order, now=NOW + TRANSFER_LASTS)) is TransferProblem.LINK_EXPIRED
    assert pending_transfer(order.tickets[0], NOW + TRANSFER_LASTS) is None


@pytest.mark.parametrize(
    ("order", "holder", "reason"),
    [
        (PAID, BOB, TransferProblem.NOT_HOLDER),
        (accepted(offered(PAID)), ALICE, TransferProblem.NOT_HOLDER),
        (refunded(PAID), ALICE, TransferProblem.TICKET_VOID),
        (disputed(PAID, FactState.OPEN), ALICE, TransferProblem.TICKET_SUSPENDED),
        (checked_in(PAID), ALICE, TransferProblem.CHECKED_IN),
        (with_first_ticket(PAID, generation=MAX_GENERATION), ALICE, TransferProblem.TOO_OFTEN),
    ],
    ids=["not held", "given away", "refunded", "disputed", "checked in", "too often"],
)
def test_ticket_that_cannot_be_passed_on_is_not_offered(
    order: Order, holder: PersonId, reason: TransferProblem
) -> None:
    digest = "f" * 64
    assert (
        refusal(
            lambda: request_transfer(
                order, id_of(order), holder=holder, email=BOBS_ADDRESS, secret_digest=digest, now=NOW
            )
        )
        is reason
    )


def test_cancellation_without_an_offer_changes_nothing() -> None:
    assert cancel_transfer(PAID, id_of(PAID), holder=ALICE, now=NOW) is PAID
    order = offered(PAID)
    assert cancel_transfer(order, id_of(order), holder=ALICE, now=NOW + TRANSFER_LASTS) is order


def test_new_holder_can_pass_the_ticket_on() -> None:
    order = accepted(offered(PAID))
    order = request_transfer(
        order, id_of(order), holder=BOB, email="carol@example.org", secret_digest="f" * 64, now=NOW
    )
    order = accepted(order, by=PersonId("carol"), email="carol@example.org", digest="f" * 64)
    assert (order.tickets[0].holder_id, order.tickets[0].generation) == ("carol", 3)
    assert [one.generation for one in order.revocations] == [1, 2]


def test_offers_and_withdrawals_leave_a_short_history() -> None:
    order = PAID
    for _ in range(5):
        order = cancel_transfer(offered(order), id_of(order), holder=ALICE, now=NOW)
    assert len(order.events) == len(PAID.events) + 1


def test_token_of_a_link_is_read_as_it_was_written() -> None:
    token = new_transfer_token(PAID.concert_id, id_of(PAID))
    assert parse_transfer_token(str(token)) == token
    assert token.secret not in repr(token)
    for bad in ("", str(token)[:-1], f"{token}x", f" {token}", str(token).replace(".", ":"), "é" * 109, "x" * 4_096):
        assert parse_transfer_token(bad) is None
