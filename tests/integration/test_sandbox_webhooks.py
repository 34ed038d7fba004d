"""The sandbox signs and sends webhooks in Stripe's format, and repeats them for three days."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
import stripe

from payments.sandbox.webhooks.signing import sign
from tests.support.sandbox import Sandbox, running_sandbox
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import WebhookReceiver, receiving_webhooks

HOUR_S = 3_600


@pytest_asyncio.fixture
async def receiver(sandbox: Sandbox) -> AsyncIterator[WebhookReceiver]:
    async with receiving_webhooks() as receiver:
        await sandbox.send_webhooks_to(receiver.url)
        yield receiver
        await sandbox.drop_webhooks()


async def test_official_library_verifies_and_reads_the_event(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    intent = await sandbox.create_intent(500, onsale_order="order-1")
    await sandbox.pay(intent["id"])

    (webhook,) = await receiver.wait_for(intent["id"])
    event = stripe.Webhook.construct_event(webhook.body, webhook.signature, sandbox.webhook_secret)

    assert (event.type, event.livemode, event.data.object["id"]) == ("payment_intent.succeeded", False, intent["id"])
    assert event.data.object["metadata"]["onsale_order"] == "order-1"
    assert await sandbox.get(f"/v1/events/{event.id}") == webhook.event
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(webhook.body, webhook.signature, "whsec_another_secret")
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(webhook.body + b" ", webhook.signature, sandbox.webhook_secret)


def test_signature_matches_the_official_library() -> None:
    body, at = b'{"id": "evt_1"}', int(time.time())
    expected = stripe.WebhookSignature._compute_signature(f"{at}.{body.decode()}", "whsec_a")  # noqa: SLF001

    assert sign(body, "whsec_a", at) == f"t={at},v1={expected}"


async def test_each_transition_has_its_event(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    declined, canceled, slow = [await sandbox.create_intent() for _ in range(3)]
    await sandbox.decline(declined["id"])
    await sandbox.cancel(canceled["id"])
    await sandbox.pay(slow["id"], "pm_card_never")
    await sandbox.settle(slow["id"])

    def kinds(intent: dict[str, object]) -> set[str]:
        return {webhook.event["type"] for webhook in receiver.about(str(intent["id"]))}

    await wait_until(lambda: sum(len(kinds(intent)) for intent in (declined, canceled, slow)) == 4)
    assert kinds(declined) == {"payment_intent.payment_failed"}
    assert kinds(canceled) == {"payment_intent.canceled"}
    assert kinds(slow) == {"payment_intent.processing", "payment_intent.succeeded"}


async def test_refused_webhook_is_repeated_with_a_new_signature(tmp_path: Path) -> None:
    async with receiving_webhooks() as receiver, running_sandbox(tmp_path, webhook=receiver.url) as sandbox:
        receiver.statuses = [500] * 3
        intent = await sandbox.create_intent()
        await sandbox.pay(intent["id"])
        for count in range(2, 5):
            await receiver.wait_for(intent["id"], count - 1)
            await wait_until(partial(_tries, sandbox, count - 1))
            await sandbox.move_clock(2 * HOUR_S)
            await receiver.wait_for(intent["id"], count)

        await sandbox.webhooks_delivered()
        webhooks = receiver.about(intent["id"])
        assert [webhook.status for webhook in webhooks] == [500, 500, 500, 200]
        assert len({webhook.body for webhook in webhooks}) == 1
        for webhook in webhooks:
            stripe.WebhookSignature.verify_header(webhook.body.decode(), webhook.signature, sandbox.webhook_secret, 300)


async def _tries(sandbox: Sandbox, count: int) -> bool:
    return [delivery["tries"] for delivery in await sandbox.pending_webhooks()] == [count]


async def test_webhook_is_abandoned_after_three_days(tmp_path: Path) -> None:
    async with receiving_webhooks() as receiver, running_sandbox(tmp_path, webhook=receiver.url) as sandbox:
        receiver.statuses = [500, 500, 500]
        intent = await sandbox.create_intent()
        await sandbox.pay(intent["id"])
        await wait_until(lambda: _tries(sandbox, 1))
        await sandbox.move_clock(71 * HOUR_S)
        await wait_until(lambda: _tries(sandbox, 2))
        await sandbox.move_clock(2 * HOUR_S)

        await sandbox.webhooks_delivered()
        assert [webhook.status for webhook in receiver.received] == [500, 500, 500]


async def test_webhooks_outlive_a_kill_and_an_absent_receiver(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, webhook="http://127.0.0.1:9/webhooks/payments") as sandbox:
        intent = await sandbox.create_intent()
        await sandbox.pay(intent["id"])
        await wait_until(lambda: _tries(sandbox, 1))
        await sandbox.process.kill()
        await sandbox.process.start()
        async with receiving_webhooks() as receiver:
            await sandbox.send_webhooks_to(receiver.url)
            await sandbox.move_clock(HOUR_S)

            (webhook,) = await receiver.wait_for(intent["id"])
            assert webhook.event["type"] == "payment_intent.succeeded"
            await sandbox.webhooks_delivered()


async def test_duplicates_are_sent_on_demand(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    by_card, by_switch = await sandbox.create_intent(), await sandbox.create_intent()
    await sandbox.pay(by_card["id"], "pm_card_duplicateWebhook")
    await sandbox.duplicate_webhooks(1)
    await sandbox.pay(by_switch["id"])

    for intent in (by_card, by_switch):
        first, second = await receiver.wait_for(intent["id"], 2)
        assert first.body == second.body
    await sandbox.resend(first.event["id"])
    assert len(await receiver.wait_for(by_switch["id"], 3)) == 3


async def test_paused_webhooks_are_sent_later(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    await sandbox.pause_webhooks()
    intent = await sandbox.create_intent()
    await sandbox.pay(intent["id"])
    assert [delivery["tries"] for delivery in await sandbox.pending_webhooks()] == [0]
    assert receiver.received == []

    await sandbox.resume_webhooks()

    assert len(await receiver.wait_for(intent["id"])) == 1


async def test_slow_receiver_gets_at_most_sixteen_at_once(sandbox: Sandbox, receiver: WebhookReceiver) -> None:
    receiver.gate.clear()
    intents = [await sandbox.create_intent() for _ in range(20)]
    await asyncio.gather(*(sandbox.pay(intent["id"]) for intent in intents))
    await wait_until(lambda: len(receiver.received) == 16)
    assert len(await sandbox.pending_webhooks()) == 20

    receiver.gate.set()

    await sandbox.webhooks_delivered()
    assert sorted(w.event["data"]["object"]["id"] for w in receiver.received) == sorted(i["id"] for i in intents)
