"""The payment intents and idempotency keys of the sandbox follow Stripe's rules."""

import asyncio
import signal
import uuid
from pathlib import Path

import pytest

from tests.support.sandbox import Sandbox, running_sandbox
from tests.support.waiting import wait_until

INTENT = {"amount": 500, "currency": "eur", "metadata[onsale_order]": "order-1", "payment_method_types[]": "card"}


async def test_created_intent_waits_for_a_payment_method(sandbox: Sandbox) -> None:
    created = (await sandbox.post("/v1/payment_intents", INTENT)).json()

    assert created["status"] == "requires_payment_method"
    assert (created["amount"], created["currency"], created["amount_received"]) == (500, "eur", 0)
    assert created["metadata"] == {"onsale_order": "order-1"}
    assert created["payment_method_types"] == ["card"]
    assert created["livemode"] is False
    assert created["client_secret"].startswith(f"{created['id']}_secret_")
    assert await sandbox.intent(created["id"]) == created
    assert await sandbox.ledger(created["id"]) == []


async def test_paid_intent_has_succeeded_and_is_in_the_ledger(sandbox: Sandbox) -> None:
    intent = await sandbox.create_intent(500, onsale_order="order-1")

    paid = await sandbox.pay(intent["id"])

    assert (paid["status"], paid["amount_received"]) == ("succeeded", 500)
    (entry,) = await sandbox.ledger(intent["id"])
    assert (entry["kind"], entry["amount"], entry["currency"]) == ("charge", 500, "eur")
    assert entry["metadata"] == {"onsale_order": "order-1"}
    assert entry["source"] == paid["latest_charge"]


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ],
)
async def test_declined_intent_remains_payable(
    sandbox: Sandbox, card: str, code: str, decline_code: str | None
) -> None:
    intent = await sandbox.create_intent()

    error = await sandbox.decline(intent["id"], card)

    assert (error["type"], error["code"], error.get("decline_code")) == ("card_error", code, decline_code)
    after = await sandbox.intent(intent["id"])
    assert error["payment_intent"] == after
    assert after["status"] == "requires_payment_method"
    assert after["last_payment_error"]["charge"] == error["charge"] == after["latest_charge"]
    assert await sandbox.ledger(intent["id"]) == []
    assert (await sandbox.pay(intent["id"]))["status"] == "succeeded"


async def test_canceled_intent_cannot_be_paid(sandbox: Sandbox) -> None:
    intent = await sandbox.create_intent()

    canceled = await sandbox.cancel(intent["id"])
    response = await sandbox.confirm(intent["id"], "pm_card_visa")

    assert canceled["status"] == "canceled"
    assert (response.status_code, response.json()["error"]["code"]) == (400, "payment_intent_unexpected_state")
    assert (await sandbox.intent(intent["id"]))["status"] == "canceled"
    assert await sandbox.ledger(intent["id"]) == []


@pytest.mark.parametrize(("card", "status"), [("pm_card_visa", "succeeded"), ("pm_card_never", "processing")])
async def test_paid_intent_cannot_be_canceled(sandbox: Sandbox, card: str, status: str) -> None:
    intent = await sandbox.create_intent()
    await sandbox.pay(intent["id"], card)

    response = await sandbox.post(f"/v1/payment_intents/{intent['id']}/cancel")

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "payment_intent_unexpected_state")
    assert error["payment_intent"]["status"] == status
    assert (await sandbox.intent(intent["id"]))["status"] == status


async def test_two_buyers_at_once_pay_an_intent_only_once(sandbox: Sandbox) -> None:
    intent = await sandbox.create_intent(700)

    answers = await asyncio.gather(*(sandbox.confirm(intent["id"], "pm_card_visa") for _ in range(20)))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
    assert await sandbox.balance(intent["id"]) == 700


async def test_browser_needs_the_client_secret(sandbox: Sandbox) -> None:
    intent = await sandbox.create_intent()

    response = await sandbox.confirm(
        intent["id"],
        "pm_card_visa",
    )
    wrong = await sandbox.client.get(
        f"/v1/payment_intents/{intent['id']}",
        params={"client_secret": "pi_wrong"},
        headers={"Authorization": f"Bearer {sandbox.publishable_key}"},
    )

    assert response.status_code == 200
    assert "metadata" not in response.json()
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "client_secret")


async def test_browser_cannot_create_or_cancel(sandbox: Sandbox) -> None:
    intent = await sandbox.create_intent()
    headers = {"Authorization": f"Bearer {sandbox.publishable_key}"}

    answers = [
        await sandbox.client.post("/v1/payment_intents", data=INTENT, headers=headers),
        await sandbox.client.post(f"/v1/payment_intents/{intent['id']}/cancel", headers=headers),
        await sandbox.client.get("/sandbox/ledger", headers=headers),
        await sandbox.client.get("/v1/payment_intents", headers={"Authorization": "Bearer sk_test_wrong"}),
    ]

    assert [answer.status_code for answer in answers] == [401] * 4
    assert (await sandbox.intent(intent["id"]))["status"] == "requires_payment_method"


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"amount": "0"}, "parameter_invalid_integer", "amount"),
        ({"amount": "1.5"}, "parameter_invalid_integer", "amount"),
        ({"amount": "1000000000000"}, "amount_too_large", "amount"),
        ({"amount": ""}, "parameter_missing", "amount"),
        ({"currency": ""}, "parameter_missing", "currency"),
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"metadata[a]": "x" * 501}, None, "metadata[a]"),
        ({"payment_method_types[]": "sofort"}, None, "payment_method_types"),
    ],
)
async def test_wrong_parameter_is_named(sandbox: Sandbox, change: dict[str, str], code: str | None, param: str) -> None:
    key = uuid.uuid4().hex
    response = await sandbox.post("/v1/payment_intents", {**INTENT, **change}, key=key)

    error = response.json()["error"]
    assert (response.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert error.get("code") == code
    # A request that never began does not spend its key.
    again = await sandbox.post("/v1/payment_intents", INTENT, key=key)
    assert again.status_code == 200


async def test_repeated_key_returns_the_first_answer(sandbox: Sandbox) -> None:
    first = await sandbox.post("/v1/payment_intents", INTENT, key="repeated")
    await sandbox.pay(first.json()["id"])

    again = await sandbox.post("/v1/payment_intents", INTENT, key="repeated")

    assert again.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"]


async def test_concurrent_requests_with_one_key_create_one_intent(sandbox: Sandbox) -> None:
    answers = await asyncio.gather(*(sandbox.post("/v1/payment_intents", INTENT, key="concurrent") for _ in range(20)))

    created = {answer.json()["id"] for answer in answers if answer.status_code == 200}
    assert len(created) == 1
    assert {answer.status_code for answer in answers} <= {200, 409}


async def test_key_in_use_is_refused(sandbox: Sandbox) -> None:
    await sandbox.fail("slow", "create_intent", seconds=3_600)
    slow = asyncio.create_task(sandbox.post("/v1/payment_intents", INTENT, key="in use"))

    async def is_refused() -> bool:
        response = await sandbox.post("/v1/refunds", key="in use")
        return response.status_code == 409 and response.json()["error"]["code"] == "idempotency_key_in_use"

    await wait_until(is_refused)
    slow.cancel()


async def test_key_is_refused_for_other_parameters(sandbox: Sandbox) -> None:
    await sandbox.post("/v1/payment_intents", INTENT, key="other")

    changed = await sandbox.post("/v1/payment_intents", {**INTENT, "amount": 501}, key="other")
    elsewhere = await sandbox.post("/v1/refunds", INTENT, key="other")

    for response in (changed, elsewhere):
        assert (response.status_code, response.json()["error"]["type"]) == (400, "idempotency_error")


async def test_decline_is_repeated_under_its_key(sandbox: Sandbox) -> None:
    intent = await sandbox.create_intent()
    path = f"/v1/payment_intents/{intent['id']}/confirm"

    first = await sandbox.post(path, {"payment_method": "pm_card_chargeDeclined"}, key="declined")
    again = await sandbox.post(path, {"payment_method": "pm_card_chargeDeclined"}, key="declined")

    assert (first.status_code, again.status_code) == (402, 402)
    assert again.json() == first.json()
    assert len(await sandbox.events("payment_intent.payment_failed")) >= 1


async def test_key_is_forgotten_after_a_day(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path) as sandbox:
        first = (await sandbox.post("/v1/payment_intents", INTENT, key="day")).json()["id"]
        await sandbox.move_clock(23 * 3_600)
        second = (await sandbox.post("/v1/payment_intents", INTENT, key="day")).json()["id"]
        await sandbox.move_clock(2 * 3_600)
        third = (await sandbox.post("/v1/payment_intents", INTENT, key="day")).json()["id"]

        assert second == first
        assert third != first


async def test_intents_are_listed_newest_first_in_pages(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path) as sandbox:
        ids = [(await sandbox.create_intent(100 + number))["id"] for number in range(5)]
        now = int(await sandbox.move_clock(100))
        newest = (await sandbox.create_intent())["id"]

        page = await sandbox.get("/v1/payment_intents", limit="4")
        rest = await sandbox.get("/v1/payment_intents", limit="4", starting_after=page["data"][-1]["id"])
        since = await sandbox.get("/v1/payment_intents", **{"created[gte]": str(now)})

        assert [intent["id"] for intent in page["data"]] == [newest, *ids[:1:-1]]
        assert page["has_more"] is True
        assert [intent["id"] for intent in rest["data"]] == ids[1::-1]
        assert rest["has_more"] is False
        assert [intent["id"] for intent in since["data"]] == [newest]


async def test_killed_sandbox_keeps_what_it_has_answered(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path) as sandbox:
        intents = await asyncio.gather(*(sandbox.create_intent() for _ in range(50)))
        await asyncio.gather(*(sandbox.pay(intent["id"]) for intent in intents))
        await sandbox.process.kill()
        assert sandbox.process.exit_code == -signal.SIGKILL
        await sandbox.process.start()

        assert {(await sandbox.intent(intent["id"]))["status"] for intent in intents} == {"succeeded"}
        assert len(await sandbox.ledger()) == 50


async def test_stopped_sandbox_exits_cleanly(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path) as sandbox:
        await sandbox.create_intent()
        await sandbox.process.stop()
        assert sandbox.process.exit_code == 0
