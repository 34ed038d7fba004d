"""The rules for checking a ticket in: the first scan wins, and a repeated scan changes nothing."""

from dataclasses import replace
from itertools import permutations

import pytest

from domain.orders import Order
from domain.payments.conclusion import CHECKED_IN, DEAD_CODE_ADMITTED
from domain.payments.facts import FactState
from domain.payments.payment import RefundReason
from domain.payments.transitions import add_refund
from domain.tickets.check_ins import (
    MAX_DEAD_SCANS,
    MAX_DUPLICATES,
    ScanAnswer,
    ScannedTicket,
    ScanOutcome,
    check_in,
    check_in_all,
)
from domain.tickets.ticket import CheckIn, DeadScan, ScanProblem
from tests.support.payment_orders import NOW
from tests.support.ticket_orders import GUS, accepted, disputed, later, offered, paid_order, scan, scanned

PAID = paid_order("check-ins", 1, 2)
ADMITTED, ALREADY = ScanOutcome.ADMITTED, ScanOutcome.ALREADY_CHECKED_IN


def check(
    order: Order, scan_id: str, *, at: int = 0, device: str = "gate-1", was_offline: bool = False
) -> tuple[Order, ScanAnswer]:
    """Scan the first ticket `at` minutes after the purchase, and record it immediately."""
    made = scan(scan_id, later(minutes=at), device=device, was_offline=was_offline)
    return check_in(order, scanned(order), made, later(minutes=at))


def test_first_scan_is_admitted_and_recorded() -> None:
    order, answer = check(PAID, "scan-1", at=5)
    expected = CheckIn("scan-1", later(minutes=5), "gate-1", GUS, later(minutes=5))
    assert (answer.outcome, answer.check_in, answer.unit) == (ADMITTED, expected, PAID.units[0])
    assert order.tickets[0].check_in == expected
    assert order.tickets[1].check_in is None
    assert order.version == PAID.version + 1


def test_repeated_scan_gets_the_same_answer_and_changes_nothing() -> None:
    order, answer = check(PAID, "scan-1", at=5)
    assert check(order, "scan-1", at=9) == (order, answer)


def test_second_scan_is_told_when_and_where_the_first_one_was() -> None:
    order, first = check(PAID, "scan-1", at=5, device="north gate")
    unchanged, second = check(order, "scan-2", at=6, device="south gate")
    assert unchanged is order
    assert (second.outcome, second.check_in) == (ALREADY, first.check_in)
    assert not second.is_new_duplicate


def test_earlier_of_two_offline_scans_counts_in_any_order_of_arrival() -> None:
    early = scan("early", later(minutes=1), device="north gate", was_offline=True)
    late = scan("late", later(minutes=2), device="south gate", was_offline=True)
    for one, other in permutations([early, late]):
        order, first = check_in(PAID, scanned(PAID), one, later(hours=1))
        order, second = check_in(order, scanned(PAID), other, later(hours=2))
        assert order.tickets[0].check_in is not None
        assert order.tickets[0].check_in.scan_id == "early"
        assert [duplicate.scan.scan_id for duplicate in order.tickets[0].duplicates] == ["late"]
        assert (first.is_new_duplicate, second.is_new_duplicate) == (False, True)


def test_replaced_scan_keeps_its_original_answer() -> None:
    order, answer = check(PAID, "online", at=5)
    earlier = scan("offline", later(minutes=1), was_offline=True)
    order, _ = check_in(order, scanned(order), earlier, later(minutes=9))
    unchanged, again = check(order, "online", at=10)
    assert unchanged is order
    assert again == answer


def test_repeated_offline_scans_raise_no_second_alarm() -> None:
    order, _ = check(PAID, "scan-1", at=5)
    late = scan("late", later(minutes=6), was_offline=True)
    order, first = check_in(order, scanned(order), late, later(hours=1))
    unchanged, second = check_in(order, scanned(order), late, later(hours=2))
    assert unchanged is order
    assert (first.outcome, second.outcome) == (ALREADY, ALREADY)
    assert (first.is_new_duplicate, second.is_new_duplicate) == (True, False)


def test_copied_code_does_not_fill_its_order() -> None:
    order, _ = check(PAID, "scan-0")
    answers = []
    for number in range(1, 30):
        order, answer = check(order, f"scan-{number}", at=number, was_offline=True)
        answers.append(answer)
    assert {answer.outcome for answer in answers} == {ALREADY}
    assert sum(answer.is_new_duplicate for answer in answers) == MAX_DUPLICATES
    assert len(order.tickets[0].duplicates) == MAX_DUPLICATES


@pytest.mark.parametrize("minutes", [-1, 61], ids=["before the purchase", "in the future"])
def test_impossible_scan_time_is_replaced_by_the_servers_time(minutes: int) -> None:
    wrong = scan("scan-1", later(minutes=minutes), was_offline=True)
    order, _ = check_in(PAID, scanned(PAID), wrong, later(hours=1))
    assert order.tickets[0].check_in is not None
    assert order.tickets[0].check_in.scanned_at == later(hours=1)


UNKNOWN = pytest.mark.parametrize(
    "code",
    [ScannedTicket(scanned(paid_order("other", 9)).id, 1), scanned(PAID, generation=2)],
    ids=["other order", "future generation"],
)
DEAD = pytest.mark.parametrize(
    ("order", "code", "problem"),
    [
        (accepted(offered(PAID)), scanned(PAID), ScanProblem.REPLACED),
        (disputed(PAID, FactState.OPEN), scanned(PAID), ScanProblem.TICKET_SUSPENDED),
        (disputed(PAID, FactState.LOST), scanned(PAID), ScanProblem.TICKET_VOID),
        (
            add_refund(PAID, PAID.units[:1], reason=RefundReason.REQUESTED, now=NOW),
            scanned(PAID),
            ScanProblem.TICKET_VOID,
        ),
    ],
    ids=["transferred", "disputed", "dispute lost", "refund requested"],
)


@UNKNOWN
@pytest.mark.parametrize("was_offline", [False, True], ids=["online", "offline"])
def test_unknown_code_is_refused_and_changes_nothing(code: ScannedTicket, *, was_offline: bool) -> None:
    unchanged, answer = check_in(PAID, code, scan("scan-1", was_offline=was_offline), NOW)
    assert unchanged is PAID
    assert (answer.outcome, answer.problem) == (ScanOutcome.REFUSED, ScanProblem.UNKNOWN_TICKET)


@DEAD
def test_revoked_code_is_refused_online_and_changes_nothing(
    order: Order, code: ScannedTicket, problem: ScanProblem
) -> None:
    unchanged, answer = check_in(order, code, scan("scan-1"), NOW)
    assert unchanged is order
    assert (answer.outcome, answer.problem, answer.check_in) == (ScanOutcome.REFUSED, problem, None)
    assert not answer.is_new_dead_scan


@DEAD
def test_offline_scan_of_a_revoked_code_is_recorded_once(
    order: Order, code: ScannedTicket, problem: ScanProblem
) -> None:
    made = scan("scan-1", later(minutes=1), was_offline=True)
    changed, answer = check_in(order, code, made, later(hours=1))
    assert (answer.outcome, answer.problem, answer.check_in) == (ScanOutcome.REFUSED, problem, None)
    assert answer.is_new_dead_scan
    recorded = CheckIn("scan-1", later(minutes=1), "gate-1", GUS, later(hours=1))
    assert changed.tickets[0].dead_scans == (DeadScan(recorded, code.generation, problem),)
    assert changed.tickets[0].check_in is None
    assert (changed.status, changed.events[-1].kind) == (order.status, DEAD_CODE_ADMITTED)
    unchanged, again = check_in(changed, code, made, later(hours=2))
    assert unchanged is changed
    assert again == replace(answer, is_new_dead_scan=False)


def test_refused_scan_keeps_its_answer_after_the_ticket_is_valid_again() -> None:
    made = scan("scan-1", later(minutes=1), was_offline=True)
    order, first = check_in(disputed(PAID, FactState.OPEN), scanned(PAID), made, later(hours=1))
    won = disputed(order, FactState.WON, later(days=1))
    unchanged, again = check_in(won, scanned(PAID), made, later(days=2))
    assert unchanged is won
    assert (again.problem, first.problem) == (ScanProblem.TICKET_SUSPENDED, ScanProblem.TICKET_SUSPENDED)


def test_copied_revoked_code_does_not_fill_its_order() -> None:
    order = accepted(offered(PAID))
    answers = []
    for number in range(30):
        made = scan(f"scan-{number}", later(minutes=number), was_offline=True)
        order, answer = check_in(order, scanned(order), made, later(hours=1))
        answers.append(answer)
    assert {answer.problem for answer in answers} == {ScanProblem.REPLACED}
    assert sum(answer.is_new_dead_scan for answer in answers) == MAX_DEAD_SCANS
    assert len(order.tickets[0].dead_scans) == MAX_DEAD_SCANS


def test_new_holder_is_admitted_after_a_scan_of_a_revoked_code() -> None:
    order, _ = check_in(accepted(offered(PAID)), scanned(PAID), scan("old", was_offline=True), NOW)
    order, answer = check_in(order, scanned(order, generation=2), scan("new"), NOW)
    assert answer.outcome is ADMITTED
    assert order.events[-1].kind == CHECKED_IN


def test_code_of_the_new_holder_is_admitted() -> None:
    order = accepted(offered(PAID))
    _, answer = check_in(order, scanned(order, generation=2), scan("scan-1"), NOW)
    assert answer.outcome is ADMITTED


def test_ticket_with_a_won_dispute_needs_its_new_code() -> None:
    order = disputed(disputed(PAID, FactState.OPEN), FactState.WON, later(days=1))
    answers = [check_in(order, scanned(order, generation=number), scan("s"), later(days=1))[1] for number in (1, 2)]
    assert [answer.problem for answer in answers] == [ScanProblem.REPLACED, None]


def test_refund_after_the_check_in_does_not_change_the_answer_to_its_scan() -> None:
    order, answer = check(PAID, "scan-1", at=5)
    refunded = add_refund(order, order.units[:1], reason=RefundReason.REQUESTED, now=later(hours=1))
    assert check(refunded, "scan-1", at=90) == (refunded, answer)
    assert check(refunded, "scan-2", at=90)[1].problem is ScanProblem.TICKET_VOID


def test_scans_of_one_order_are_one_change_in_the_order_of_their_times() -> None:
    scans = [
        (0, scanned(PAID), scan("late", later(minutes=2), was_offline=True)),
        (1, scanned(PAID, 1), scan("other ticket", later(minutes=3), was_offline=True)),
        (2, scanned(PAID), scan("early", later(minutes=1), was_offline=True)),
        (3, scanned(PAID), scan("early", later(minutes=1), was_offline=True)),
    ]
    order, answers = check_in_all(PAID, scans, later(hours=1))
    assert order.version == PAID.version + 1
    assert [answers[number].outcome for number in range(4)] == [ALREADY, ADMITTED, ADMITTED, ADMITTED]
    assert check_in_all(order, scans, later(hours=2))[0] is order
