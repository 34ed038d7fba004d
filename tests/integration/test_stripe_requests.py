"""Requests of the Stripe adapter, and how it interprets the answers."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from starlette.responses import JSONResponse, PlainTextResponse, Response

from domain.money import CurrencyCode, Money
from domain.payments.facts import FactKind, FactState
from domain.payments.payment import Refund, RefundReason
from payments.provider import KeySpent, ProviderRefused, ProviderUnavailable
from payments.stripe.client import MAX_CONCURRENT_CALLS, StripeClient
from payments.stripe.provider import StripeProvider
from payments.stripe.signatures import WebhookVerifier
from storage.embedded.ports import free_port
from tests.support.scripted_stripe import (
    METADATA,
    REFERENCE,
    SECRET_KEY,
    ScriptedStripe,
    dispute,
    error,
    intent,
    listed,
    refund,
    scripted_stripe,
)
from tests.support.stripe_calls import ATTEMPT, CALLS, STARTED, TOTAL, Call
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stripe() -> AsyncIterator[tuple[ScriptedStripe, StripeProvider]]:
    async with scripted_stripe() as pair:
        yield pair


async def test_intent_for_cards_is_created_under_the_key_of_its_attempt(
    stripe: tuple[ScriptedStripe, StripeProvider],
) -> None:
    script, provider = stripe
    script.answer(JSONResponse(intent()))

    created = await provider.create_intent(REFERENCE, ATTEMPT, TOTAL)

    (request,) = script.requests
    assert (request.method, request.path) == ("POST", "/v1/payment_intents")
    assert request.params == {
        "amount": "5000",
        "currency": "eur",
        "payment_method_types[0]": "card",
        **{f"metadata[{name}]": value for name, value in METADATA.items()},
    }
    assert request.key == "order:hold-1:pay:1"
    assert request.headers["stripe-version"] == "2026-10-28.endive"
    assert request.headers["authorization"] == f"Bearer {SECRET_KEY}"
    assert (created.id, created.client_secret) == ("pi_1", "pi_1_secret_2")
    assert (created.reference, created.attempt) == (REFERENCE, 1)


async def test_nothing_about_the_machine_is_sent(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    script.answer(JSONResponse(intent()))
    await provider.get_intent("pi_1")
    await provider.get_intent("pi_1")
    for request in script.requests:
        assert "x-stripe-client-telemetry" not in request.headers
        assert "platform" not in request.headers["x-stripe-client-user-agent"]
        assert "telemetry_id" not in request.headers["x-stripe-client-user-agent"]


async def test_amount_is_sent_in_stripes_unit(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    script.answer(JSONResponse(intent(amount=500_000, currency="isk")))
    created = await provider.create_intent(REFERENCE, ATTEMPT, Money(5_000, CurrencyCode.ISK))
    assert script.requests[0].params["amount"] == "500000"
    assert (created.facts[0].amount_minor, created.facts[0].currency) == (5_000, CurrencyCode.ISK)


async def test_currency_that_stripe_does_not_take_is_not_sent(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    script.answer(JSONResponse(intent()))
    with pytest.raises(ProviderRefused) as refused:
        await provider.create_intent(REFERENCE, ATTEMPT, Money(5_000, CurrencyCode.KPW))
    assert refused.value.code == "currency_not_taken"
    assert script.requests == []


async def test_paid_intent_is_read_with_the_time_of_its_charge(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    charge = {"id": "ch_1", "object": "charge", "created": 1_700_000_060}
    script.answer(JSONResponse(intent(status="succeeded", amount_received=5_000, latest_charge=charge)))

    (fact,) = (await provider.get_intent("pi_1")).facts

    assert (script.requests[0].path, script.requests[0].params) == (
        "/v1/payment_intents/pi_1",
        {"expand[0]": "latest_charge"},
    )
    assert (fact.kind, fact.state, fact.amount_minor) == (FactKind.PAYMENT, FactState.SUCCEEDED, 5_000)
    assert fact.at == datetime.fromtimestamp(1_700_000_060, UTC)


async def test_canceling_reads_the_state_that_stripe_returns(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    script.answer(JSONResponse(intent(status="canceled", canceled_at=1_700_000_500)))

    (fact,) = (await provider.cancel_intent("pi_1")).facts

    assert (script.requests[0].method, script.requests[0].path) == ("POST", "/v1/payment_intents/pi_1/cancel")
    assert (fact.state, fact.at) == (FactState.CANCELED, datetime.fromtimestamp(1_700_000_500, UTC))


async def test_canceling_twice_uses_two_keys(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    script.answer(JSONResponse(intent(status="canceled")))
    await provider.cancel_intent("pi_1")
    await provider.cancel_intent("pi_1")
    first, second = script.requests
    assert first.key
    assert second.key
    assert first.key != second.key


async def test_intent_that_cannot_be_canceled_is_read_instead(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    paid = JSONResponse(intent(status="succeeded", amount_received=5_000))
    script.answer(error(400, "payment_intent_unexpected_state"), paid)
    (fact,) = (await provider.cancel_intent("pi_1")).facts
    assert fact.state is FactState.SUCCEEDED
    assert [request.method for request in script.requests] == ["POST", "GET"]


async def test_unknown_intent_cannot_be_canceled(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    script.answer(error(404, "resource_missing"))
    with pytest.raises(ProviderRefused) as refused:
        await provider.cancel_intent("pi_1")
    assert refused.value.code == "resource_missing"


async def test_intents_of_an_order_are_found_on_all_pages(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    others = [
        intent(id="pi_5", metadata={}),
        intent(id="pi_4", metadata=METADATA | {"onsale_order": "hold-2"}),
        intent(id="pi_3", metadata=METADATA | {"onsale_installation": "installation-2"}),
        # An intent of another program is not even read.
        intent(id="pi_2", metadata={}, status="a new one"),
    ]
    script.answer(listed(*others, has_more=True), listed(intent(), intent(id="pi_0")))

    found = await provider.find_intents(REFERENCE, STARTED)

    assert [item.id for item in found] == ["pi_1", "pi_0"]
    since = str(int((STARTED - timedelta(minutes=5)).timestamp()))
    assert [request.params for request in script.requests] == [
        {"created[gte]": since, "limit": "100"},
        {"created[gte]": since, "starting_after": "pi_2", "limit": "100"},
    ]


async def test_intents_of_one_installation_are_listed(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    other = intent(id="pi_2", metadata=METADATA | {"onsale_installation": "installation-2"})
    # An intent of another program is counted, so that a run ends, but not read.
    foreign = intent(id="pi_3", metadata={}, status="a new one")
    script.answer(listed(foreign, other, intent()))

    window = STARTED, STARTED + timedelta(hours=1)
    found = [item.intent and item.intent.id async for item in provider.list_intents(*window, "installation-1")]

    assert found == [None, None, "pi_1"]
    since = int(STARTED.timestamp())
    assert script.requests[0].params == {
        "created[gte]": str(since),
        "created[lte]": str(since + 3_600),
        "limit": "100",
    }


@pytest.mark.parametrize(
    ("reason", "sent"),
    [
        (RefundReason.REQUESTED, "requested_by_customer"),
        (RefundReason.SECOND_PAYMENT, "duplicate"),
        (RefundReason.CONCERT_CANCELLED, None),
        (RefundReason.HOLD_EXPIRED, None),
        (RefundReason.MISMATCH, None),
    ],
)
async def test_refund_is_created_under_its_own_key(
    stripe: tuple[ScriptedStripe, StripeProvider], reason: RefundReason, sent: str | None
) -> None:
    script, provider = stripe
    script.answer(JSONResponse(refund()))
    wanted = Refund(1, "pi_1", 2_000, (), reason, STARTED)

    (fact,) = await provider.create_refund(REFERENCE, wanted, Money(2_000, CurrencyCode.EUR))

    (request,) = script.requests
    assert (request.method, request.path, request.key) == ("POST", "/v1/refunds", "order:hold-1:refund:1")
    assert request.params == {
        "payment_intent": "pi_1",
        "amount": "2000",
        "metadata[onsale_order]": "hold-1",
        "metadata[onsale_concert]": "concert-1",
        "metadata[onsale_installation]": "installation-1",
        "metadata[onsale_refund]": "1",
        **({"reason": sent} if sent else {}),
    }
    assert (fact.kind, fact.id, fact.intent_id, fact.row) == (FactKind.REFUND, "re_1", "pi_1", 1)
    assert (fact.state, fact.amount_minor) == (FactState.SUCCEEDED, 2_000)


async def test_refunds_and_disputes_of_an_intent_are_listed(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    script.answer(listed(refund(), refund(id="re_0", metadata={})))
    assert [(fact.id, fact.row) for fact in await provider.list_refunds("pi_1")] == [("re_1", 1), ("re_0", None)]
    assert (script.requests[0].path, script.requests[0].params) == (
        "/v1/refunds",
        {"payment_intent": "pi_1", "limit": "100"},
    )
    script.answer(listed(dispute()))
    assert [fact.id for fact in await provider.list_disputes("pi_1")] == ["du_1"]
    assert (script.requests[0].path, script.requests[0].params) == (
        "/v1/disputes",
        {"payment_intent": "pi_1", "limit": "100"},
    )


async def test_rate_limited_call_is_repeated_with_its_key(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    limited = error(429, "rate_limit"), error(429, "lock_timeout")
    script.answer(*limited, JSONResponse(intent()))
    assert (await provider.create_intent(REFERENCE, ATTEMPT, TOTAL)).id == "pi_1"
    assert [request.key for request in script.requests] == ["order:hold-1:pay:1"] * 3


async def test_call_that_stays_rate_limited_ends_after_its_timeout() -> None:
    async with scripted_stripe(timeout_s=1) as (script, provider):
        script.answer(error(429, "rate_limit"))
        with pytest.raises(ProviderUnavailable):
            await provider.create_intent(REFERENCE, ATTEMPT, TOTAL)
        assert len(script.requests) <= 1 / 0.125


EVERY_CALL = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@EVERY_CALL
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(error(500, kind="api_error"), id="500"),
        pytest.param(error(503, kind="api_error"), id="503"),
        pytest.param(error(409, "idempotency_key_in_use", kind="idempotency_error"), id="409"),
        pytest.param(PlainTextResponse("<html>502 Bad Gateway</html>", 502), id="a gateway's page"),
        pytest.param(PlainTextResponse("<html>Welcome</html>"), id="a page"),
        pytest.param(PlainTextResponse(""), id="nothing"),
        pytest.param(JSONResponse([]), id="a list"),
        pytest.param(JSONResponse(None), id="null"),
        pytest.param(JSONResponse({}), id="an empty object"),
        pytest.param(JSONResponse({"error": []}, 400), id="an error in another form"),
        pytest.param(JSONResponse({"error": "invalid_grant"}, 400), id="an OAuth error"),
        pytest.param(Response(b"\xff\xfe", media_type="application/json"), id="bytes"),
    ],
)
async def test_call_is_not_repeated_after_an_answer_that_decides_nothing(
    stripe: tuple[ScriptedStripe, StripeProvider], call: Call, answer: Response
) -> None:
    script, provider = stripe
    script.answer(answer)
    with pytest.raises(ProviderUnavailable):
        await call(provider)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"id": None},
        {"status": "a new one"},
        {"amount": "5000"},
        {"amount": True},
        {"currency": None},
        {"created": 10**15},
        {"metadata": []},
        {"last_payment_error": "declined"},
    ],
    ids=str,
)
async def test_intent_that_cannot_be_read_decides_nothing(
    stripe: tuple[ScriptedStripe, StripeProvider], changed: dict[str, object]
) -> None:
    script, provider = stripe
    script.answer(JSONResponse(intent(**changed)))
    with pytest.raises(ProviderUnavailable):
        await provider.get_intent("pi_1")


@EVERY_CALL
@pytest.mark.parametrize(
    ("status", "code"), [(400, "amount_too_small"), (402, "card_declined"), (404, "resource_missing")]
)
async def test_refusal_carries_stripes_code(
    stripe: tuple[ScriptedStripe, StripeProvider], call: Call, status: int, code: str
) -> None:
    script, provider = stripe
    script.answer(error(status, code))
    with pytest.raises(ProviderRefused) as refused:
        await call(provider)
    assert (type(refused.value), refused.value.code, len(script.requests)) == (ProviderRefused, code, 1)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error(400, kind="idempotency_error"), "idempotency_error"),
        (error(500, kind="api_error", idempotent_replayed="true"), "api_error"),
        (error(400, "charge_disputed", idempotent_replayed="true"), "charge_disputed"),
    ],
    ids=["other parameters", "a failure again", "a refusal again"],
)
@pytest.mark.parametrize("name", ["create_intent", "create_refund"])
async def test_key_that_cannot_be_used_again_counts_as_spent(
    stripe: tuple[ScriptedStripe, StripeProvider], answer: Response, code: str, name: str
) -> None:
    script, provider = stripe
    script.answer(answer)
    with pytest.raises(KeySpent) as spent:
        await CALLS[name](provider)
    assert (spent.value.code, len(script.requests)) == (code, 1)


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_secret_key_is_logged_and_decides_nothing(
    stripe: tuple[ScriptedStripe, StripeProvider], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    script, provider = stripe
    script.answer(error(status, "api_key_expired"))
    with pytest.raises(ProviderUnavailable):
        await provider.create_intent(REFERENCE, ATTEMPT, TOTAL)
    assert "stripe does not accept ONSALE_PAYMENT_SECRET_KEY for POST /v1/payment_intents" in caplog.text
    assert SECRET_KEY not in caplog.text


async def test_closed_port_is_unavailable() -> None:
    client = StripeClient(SECRET_KEY, url=f"http://127.0.0.1:{free_port()}", timeout_s=60)
    provider = StripeProvider(client, WebhookVerifier(()))
    with pytest.raises(ProviderUnavailable, match="stripe did not answer GET /v1/payment_intents/pi_1: ClientConnect"):
        await provider.get_intent("pi_1")
    await provider.aclose()


async def test_silent_provider_is_unavailable_after_the_time_limit() -> None:
    async with scripted_stripe(timeout_s=1) as (script, provider):
        script.released.clear()
        with pytest.raises(ProviderUnavailable, match="stripe did not answer"):
            await provider.get_intent("pi_1")


async def test_calls_beyond_the_limit_wait_for_their_turn(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    script.answer(JSONResponse(intent()))
    script.released.clear()
    calls = [asyncio.create_task(provider.get_intent("pi_1")) for _ in range(MAX_CONCURRENT_CALLS + 1)]
    await wait_until(lambda: len(script.requests) == MAX_CONCURRENT_CALLS, what="the calls")
    calls[0].cancel()
    await wait_until(lambda: len(script.requests) == MAX_CONCURRENT_CALLS + 1, what="the last call")
    script.released.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == ["CancelledError"] + ["Intent"] * MAX_CONCURRENT_CALLS


async def test_secrets_of_buyers_are_not_logged(
    stripe: tuple[ScriptedStripe, StripeProvider], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    script, provider = stripe
    script.answer(JSONResponse(intent()))
    created = await provider.create_intent(REFERENCE, ATTEMPT, TOTAL)
    assert created.client_secret == "pi_1_secret_2"
    assert "_secret_" not in caplog.text
    assert SECRET_KEY not in caplog.text


async def test_metadata_of_another_program_is_not_a_reference(stripe: tuple[ScriptedStripe, StripeProvider]) -> None:
    script, provider = stripe
    script.answer(JSONResponse(intent(metadata={"onsale_order": "hold-1", "onsale_attempt": "²"})))
    read = await provider.get_intent("pi_1")
    assert (read.reference, read.attempt, read.facts[0].row) == (None, None, None)
