"""The sandbox's bank: slow and late payments, refunds, disputes, and its ledger."""

import pytest

from tests.support.sandbox import Document, Sandbox
from tests.support.waiting import wait_until


async def _paid(sandbox: Sandbox, card: str = "pm_card_visa", *, amount: int = 1_000) -> str:
    intent = await sandbox.create_intent(amount, onsale_order="order-1")
    await sandbox.pay(intent["id"], card)
    return str(intent["id"])


async def _wait_for_status(sandbox: Sandbox, intent_id: str, status: str) -> Document:
    async def is_there() -> bool:
        return bool((await sandbox.intent(intent_id))["status"] == status)

    await wait_until(is_there, what=f"{intent_id} to be {status}")
    return await sandbox.intent(intent_id)


async def _kinds(sandbox: Sandbox, intent_id: str) -> list[tuple[str, int]]:
    return [(entry["kind"], entry["amount"]) for entry in await sandbox.ledger(intent_id)]


async def test_slow_payment_succeeds_later(sandbox: Sandbox) -> None:
    intent_id = await _paid(sandbox, "pm_card_slow")
    assert (await sandbox.intent(intent_id))["status"] == "processing"
    assert await sandbox.balance(intent_id) == 0

    await sandbox.move_clock(5)

    await _wait_for_status(sandbox, intent_id, "succeeded")
    assert await sandbox.balance(intent_id) == 1_000


async def test_slow_payment_may_be_declined_later(sandbox: Sandbox) -> None:
    intent_id = await _paid(sandbox, "pm_card_slowDecline")

    await sandbox.move_clock(5)

    intent = await _wait_for_status(sandbox, intent_id, "requires_payment_method")
    assert intent["last_payment_error"]["code"] == "card_declined"
    assert await sandbox.balance(intent_id) == 0


async def test_late_payment_succeeds_although_it_was_canceled(sandbox: Sandbox) -> None:
    intent_id = await _paid(sandbox, "pm_card_lateSuccess")
    assert (await sandbox.cancel(intent_id))["status"] == "canceled"

    await sandbox.move_clock(60)

    await _wait_for_status(sandbox, intent_id, "succeeded")
    assert await sandbox.balance(intent_id) == 1_000


@pytest.mark.parametrize(
    ("outcome", "status", "balance"), [("succeeded", "succeeded", 1_000), ("failed", "requires_payment_method", 0)]
)
async def test_bank_settles_a_payment_in_processing(sandbox: Sandbox, outcome: str, status: str, balance: int) -> None:
    intent_id = await _paid(sandbox, "pm_card_never")

    settled = await sandbox.settle(intent_id, outcome)

    assert settled["status"] == status
    assert await sandbox.balance(intent_id) == balance


async def test_refunds_never_exceed_the_payment(sandbox: Sandbox) -> None:
    intent_id = await _paid(sandbox)
    part = await sandbox.refund(intent_id, 300)
    too_much = await sandbox.post("/v1/refunds", {"payment_intent": intent_id, "amount": 701})
    rest = await sandbox.refund(intent_id)
    again = await sandbox.post("/v1/refunds", {"payment_intent": intent_id, "amount": 1})

    assert (part["status"], part["amount"], rest["amount"]) == ("succeeded", 300, 700)
    assert (too_much.status_code, too_much.json()["error"]["param"]) == (400, "amount")
    assert (again.status_code, again.json()["error"]["code"]) == (400, "charge_already_refunded")
    assert await _kinds(sandbox, intent_id) == [("charge", 1_000), ("refund", -300), ("refund", -700)]
    assert [refund["id"] for refund in await sandbox.refunds(intent_id)] == [rest["id"], part["id"]]


async def test_unpaid_intent_cannot_be_refunded(sandbox: Sandbox) -> None:
    intent = await sandbox.create_intent()

    response = await sandbox.post("/v1/refunds", {"payment_intent": intent["id"]})

    assert (response.status_code, response.json()["error"]["param"]) == (400, "payment_intent")
    assert await sandbox.ledger(intent["id"]) == []


async def test_refund_that_fails_returns_the_money(sandbox: Sandbox) -> None:
    intent_id = await _paid(sandbox, "pm_card_refundFail")
    refund = await sandbox.refund(intent_id)
    assert refund["status"] == "succeeded"

    await sandbox.move_clock(5)

    async def has_failed() -> bool:
        return bool((await sandbox.get(f"/v1/refunds/{refund['id']}"))["status"] == "failed")

    await wait_until(has_failed)
    assert await _kinds(sandbox, intent_id) == [("charge", 1_000), ("refund", -1_000), ("refund_failure", 1_000)]
    # The charge can be refunded again.
    assert (await sandbox.refund(intent_id, 1_000))["amount"] == 1_000


async def test_pending_refund_takes_no_money_until_it_succeeds(sandbox: Sandbox) -> None:
    intent_id = await _paid(sandbox, "pm_card_pendingRefund")
    refund = await sandbox.refund(intent_id)
    assert (refund["status"], await sandbox.balance(intent_id)) == ("pending", 1_000)

    assert (await sandbox.settle_refund(refund["id"], "succeeded"))["status"] == "succeeded"

    await sandbox.move_clock(5)
    assert await _kinds(sandbox, intent_id) == [("charge", 1_000), ("refund", -1_000)]


async def test_disputed_card_opens_a_dispute(sandbox: Sandbox) -> None:
    intent_id = await _paid(sandbox, "pm_card_createDispute")

    await sandbox.move_clock(1)

    async def disputes() -> list[Document]:
        found: list[Document] = (await sandbox.get("/v1/disputes", payment_intent=intent_id))["data"]
        return found

    await wait_until(disputes)
    (dispute,) = await disputes()
    assert (dispute["reason"], dispute["status"], dispute["amount"]) == ("fraudulent", "needs_response", 1_000)
    refused = await sandbox.post("/v1/refunds", {"payment_intent": intent_id})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "charge_disputed")
    assert await _kinds(sandbox, intent_id) == [("charge", 1_000), ("dispute_opened", -1_000)]


@pytest.mark.parametrize(("outcome", "balance"), [("won", 1_000), ("lost", 0)])
async def test_dispute_is_decided_once(sandbox: Sandbox, outcome: str, balance: int) -> None:
    intent_id = await _paid(sandbox)
    dispute = await sandbox.dispute(intent_id)

    closed = await sandbox.close_dispute(dispute["id"], outcome)
    again = await sandbox.post(f"/sandbox/disputes/{dispute['id']}/close", {"outcome": "won"})

    assert closed["status"] == outcome
    assert (again.status_code, await sandbox.balance(intent_id)) == (400, balance)


async def test_refund_returns_only_what_a_lost_dispute_has_left(sandbox: Sandbox) -> None:
    intent_id = await _paid(sandbox)
    dispute = await sandbox.dispute(intent_id, amount=400)
    refund = {"payment_intent": intent_id, "amount": "601"}
    assert (await sandbox.post("/v1/refunds", refund)).json()["error"]["code"] == "charge_disputed"

    await sandbox.close_dispute(dispute["id"], "lost")
    assert (await sandbox.post("/v1/refunds", refund)).status_code == 400
    assert (await sandbox.refund(intent_id))["amount"] == 600
    again = await sandbox.post("/v1/refunds", {"payment_intent": intent_id})
    assert (again.json()["error"]["code"], await sandbox.balance(intent_id)) == ("charge_disputed", 0)


async def test_won_dispute_leaves_the_payment_refundable(sandbox: Sandbox) -> None:
    intent_id = await _paid(sandbox)
    await sandbox.close_dispute((await sandbox.dispute(intent_id))["id"], "won")
    assert (await sandbox.refund(intent_id))["amount"] == 1_000


async def test_evidence_decides_a_dispute_as_at_stripe(sandbox: Sandbox) -> None:
    dispute = await sandbox.dispute(await _paid(sandbox))

    fields = {"evidence[uncategorized_text]": "losing_evidence"}
    response = await sandbox.post(f"/v1/disputes/{dispute['id']}", fields)

    assert response.json()["status"] == "lost"


async def test_expanded_charge_replaces_its_id(sandbox: Sandbox) -> None:
    intent_id = await _paid(sandbox)

    intent = await sandbox.get(f"/v1/payment_intents/{intent_id}", **{"expand[]": "latest_charge"})

    assert (intent["latest_charge"]["object"], intent["latest_charge"]["amount"]) == ("charge", 1_000)
