"""The Stripe adapter and the sandbox understand each other."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
import stripe
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domain.ids import ConcertId, OrderId
from domain.money import CurrencyCode, Money
from domain.payments.facts import FactKind, FactState, ProviderFact, merge_facts
from domain.payments.payment import PaymentAttempt, Refund, RefundReason
from payments.provider import KeySpent, OrderReference, PaymentProvider, ProviderRefused, ProviderUnavailable
from payments.providers import open_provider
from payments.stripe import API_VERSION
from settings import PaymentSettings, Settings, SettingsError
from tests.support.sandbox import Sandbox
from tests.support.serving import serving
from tests.support.waiting import wait_until

CONCERT, INSTALLATION = ConcertId("concert-1"), "installation-1"
TOTAL = Money(5_000, CurrencyCode.EUR)
STARTED = datetime.now(UTC)
ATTEMPT = PaymentAttempt(1, STARTED)


def reference(order: str) -> OrderReference:
    """Return a reference that only one test uses, because the sandbox keeps keys."""
    return OrderReference(OrderId(order), CONCERT, INSTALLATION)


def refund_of(intent_id: str, amount: int, number: int = 1) -> Refund:
    return Refund(number, intent_id, amount, (), RefundReason.REQUESTED, STARTED)


def payment_settings(url: str) -> PaymentSettings:
    return Settings.from_env({"ONSALE_PAYMENT_URL": url, "ONSALE_PAYMENT_TIMEOUT_S": "60"}).payment


@pytest_asyncio.fixture
async def provider(sandbox: Sandbox) -> AsyncIterator[PaymentProvider]:
    opened = open_provider(payment_settings(sandbox.url))
    yield opened
    await opened.aclose()


def test_sandbox_needs_an_address() -> None:
    with pytest.raises(SettingsError, match="ONSALE_PAYMENT_URL is missing"):
        open_provider(PaymentSettings())


async def test_paid_intent_is_a_fact_about_its_order(sandbox: Sandbox, provider: PaymentProvider) -> None:
    created = await provider.create_intent(reference("paid"), ATTEMPT, TOTAL)
    await sandbox.pay(created.id, client_secret=created.client_secret)

    read = await provider.get_intent(created.id)

    assert (provider.name, read.reference, read.attempt) == ("sandbox", reference("paid"), 1)
    (fact,) = read.facts
    assert (fact.kind, fact.state, fact.amount_minor) == (FactKind.PAYMENT, FactState.SUCCEEDED, 5_000)
    assert (fact.currency, fact.row) == (CurrencyCode.EUR, 1)
    assert await sandbox.balance(created.id) == 5_000


async def test_same_key_returns_the_same_intent(sandbox: Sandbox, provider: PaymentProvider) -> None:
    first = await provider.create_intent(reference("same"), ATTEMPT, TOTAL)
    assert await provider.create_intent(reference("same"), ATTEMPT, TOTAL) == first
    with pytest.raises(KeySpent) as spent:
        await provider.create_intent(reference("same"), ATTEMPT, Money(5_001, CurrencyCode.EUR))
    assert spent.value.code == "idempotency_error"
    assert await provider.find_intents(reference("same"), STARTED) == (first,)


async def test_intent_created_despite_a_failure_is_found_by_its_metadata(
    sandbox: Sandbox, provider: PaymentProvider
) -> None:
    await sandbox.fail("error_after", "create_intent")
    with pytest.raises(ProviderUnavailable):
        await provider.create_intent(reference("hidden"), ATTEMPT, TOTAL)
    with pytest.raises(KeySpent):
        await provider.create_intent(reference("hidden"), ATTEMPT, TOTAL)

    (found,) = await provider.find_intents(reference("hidden"), STARTED)

    assert (found.attempt, found.facts[0].state) == (1, FactState.OPEN)
    assert found.client_secret


async def test_failure_before_execution_spends_the_key_without_an_intent(
    sandbox: Sandbox, provider: PaymentProvider
) -> None:
    await sandbox.fail("error_before", "create_intent")
    with pytest.raises(ProviderUnavailable):
        await provider.create_intent(reference("nothing"), ATTEMPT, TOTAL)
    with pytest.raises(KeySpent):
        await provider.create_intent(reference("nothing"), ATTEMPT, TOTAL)
    assert await provider.find_intents(reference("nothing"), STARTED) == ()
    assert (await provider.create_intent(reference("nothing"), PaymentAttempt(2, STARTED), TOTAL)).attempt == 2


@pytest.mark.parametrize("fault", ["unavailable", "down", "cut", "nonsense"])
async def test_faulty_provider_is_unavailable_and_then_works(
    sandbox: Sandbox, provider: PaymentProvider, fault: str
) -> None:
    await sandbox.fail(fault, "create_intent")
    with pytest.raises(ProviderUnavailable):
        await provider.create_intent(reference(fault), ATTEMPT, TOTAL)
    created = await provider.create_intent(reference(fault), ATTEMPT, TOTAL)
    assert await provider.find_intents(reference(fault), STARTED) == (created,)


async def test_rate_limited_call_succeeds_later(sandbox: Sandbox, provider: PaymentProvider) -> None:
    await sandbox.fail("rate_limit", "create_intent", count=2)
    created = await provider.create_intent(reference("limited"), ATTEMPT, TOTAL)
    assert await provider.find_intents(reference("limited"), STARTED) == (created,)


async def test_decline_and_later_payment_are_read(sandbox: Sandbox, provider: PaymentProvider) -> None:
    created = await provider.create_intent(reference("declined"), ATTEMPT, TOTAL)
    error = await sandbox.decline(created.id, "pm_card_chargeDeclinedInsufficientFunds")
    declined = (await provider.get_intent(created.id)).facts
    assert [(fact.kind, fact.state) for fact in declined] == [
        (FactKind.PAYMENT, FactState.OPEN),
        (FactKind.DECLINE, FactState.FAILED),
    ]
    assert (declined[1].id, declined[1].code) == (error["charge"], "insufficient_funds")

    await sandbox.pay(created.id)

    merged = merge_facts(declined, (await provider.get_intent(created.id)).facts)
    assert [(fact.kind, fact.state) for fact in merged] == [
        (FactKind.DECLINE, FactState.FAILED),
        (FactKind.PAYMENT, FactState.SUCCEEDED),
    ]


async def test_canceling_returns_the_state_whatever_it_is(sandbox: Sandbox, provider: PaymentProvider) -> None:
    canceled = await provider.create_intent(reference("canceled"), ATTEMPT, TOTAL)
    for _ in range(2):
        assert (await provider.cancel_intent(canceled.id)).facts[0].state is FactState.CANCELED
    paid = await provider.create_intent(reference("paid first"), ATTEMPT, TOTAL)
    await sandbox.pay(paid.id)
    assert (await provider.cancel_intent(paid.id)).facts[0].state is FactState.SUCCEEDED


async def test_unknown_intent_is_refused(sandbox: Sandbox, provider: PaymentProvider) -> None:
    with pytest.raises(ProviderRefused) as refused:
        await provider.get_intent("pi_unknown")
    assert refused.value.code == "resource_missing"


async def test_refunds_are_read_as_facts_with_their_rows(sandbox: Sandbox, provider: PaymentProvider) -> None:
    created = await provider.create_intent(reference("refunded"), ATTEMPT, TOTAL)
    await sandbox.pay(created.id)
    part = Money(2_000, CurrencyCode.EUR)
    ours = await provider.create_refund(reference("refunded"), refund_of(created.id, 2_000), part)
    assert await provider.create_refund(reference("refunded"), refund_of(created.id, 2_000), part) == ours
    await sandbox.refund(created.id, 500)

    facts = await provider.list_refunds(created.id)

    assert sorted((fact.row or 0, fact.amount_minor, fact.state) for fact in facts) == [
        (0, 500, FactState.SUCCEEDED),
        (1, 2_000, FactState.SUCCEEDED),
    ]
    assert await sandbox.balance(created.id) == 2_500
    with pytest.raises(ProviderRefused):
        await provider.create_refund(
            reference("refunded"), refund_of(created.id, 2_501, 2), Money(2_501, part.currency)
        )
    assert await sandbox.balance(created.id) == 2_500


@pytest.mark.parametrize(("outcome", "state"), [("won", FactState.WON), ("lost", FactState.LOST)])
async def test_disputes_are_read_as_facts(
    sandbox: Sandbox, provider: PaymentProvider, outcome: str, state: FactState
) -> None:
    created = await provider.create_intent(reference(outcome), ATTEMPT, TOTAL)
    await sandbox.pay(created.id)
    assert await provider.list_disputes(created.id) == ()
    opened = await sandbox.dispute(created.id)
    (fact,) = await provider.list_disputes(created.id)
    assert (fact.id, fact.state, fact.amount_minor) == (opened["id"], FactState.OPEN, 5_000)
    await sandbox.close_dispute(opened["id"], outcome)
    assert [fact.state for fact in await provider.list_disputes(created.id)] == [state]


async def test_all_pages_of_intents_are_listed(sandbox: Sandbox, provider: PaymentProvider) -> None:
    other = OrderReference(OrderId("many"), CONCERT, "installation-2")
    expected = [(await provider.create_intent(other, PaymentAttempt(n, STARTED), TOTAL)).id for n in range(1, 103)]
    window = STARTED - timedelta(minutes=1), datetime.now(UTC) + timedelta(minutes=1)
    found = [item.intent.id async for item in provider.list_intents(*window, "installation-2") if item.intent]
    assert found == expected[::-1]


class Receiver:
    """An endpoint that keeps what it is sent."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, dict[str, str]]] = []

    async def receive(self, request: Request) -> Response:
        self.received.append((await request.body(), dict(request.headers)))
        return Response()


async def test_official_library_and_adapter_accept_each_event(sandbox: Sandbox, provider: PaymentProvider) -> None:
    receiver = Receiver()
    app = Starlette(routes=[Route("/", receiver.receive, methods=["POST"])])
    async with serving(lambda _: app) as url:
        await sandbox.send_webhooks_to(f"{url}/")
        created = await provider.create_intent(reference("told"), ATTEMPT, TOTAL)
        await sandbox.decline(created.id)
        await sandbox.pay(created.id)
        await provider.create_refund(reference("told"), refund_of(created.id, 2_000), Money(2_000, CurrencyCode.EUR))
        dispute = await sandbox.dispute(created.id)
        await sandbox.close_dispute(dispute["id"], "lost")
        await wait_until(
            lambda: any(b'"charge.dispute.closed"' in body for body, _ in receiver.received), what="the last event"
        )
        await sandbox.webhooks_delivered()

    facts: list[ProviderFact] = []
    for body, headers in receiver.received:
        event = stripe.Webhook.construct_event(body, headers["stripe-signature"], sandbox.webhook_secret)
        assert (event.api_version, event.livemode) == (API_VERSION, False)
        read = provider.read_event(body, headers, datetime.now(UTC))
        assert (read.id, read.kind, read.is_live) == (event.id, event.type, False)
        assert read.intent_id in (created.id, None)
        if json.loads(body)["data"]["object"]["object"] in ("payment_intent", "refund"):
            assert read.reference == reference("told")
        facts += read.facts

    asked = (
        *(await provider.get_intent(created.id)).facts,
        *await provider.list_refunds(created.id),
        *await provider.list_disputes(created.id),
    )
    told = merge_facts((), facts)
    assert [(fact.kind, fact.state, fact.row, fact.amount_minor) for fact in told] == [
        (FactKind.DECLINE, FactState.FAILED, 1, 5_000),
        (FactKind.DISPUTE, FactState.LOST, None, 3_000),
        (FactKind.PAYMENT, FactState.SUCCEEDED, 1, 5_000),
        (FactKind.REFUND, FactState.SUCCEEDED, 1, 2_000),
    ]
    assert [(fact.id, fact.state) for fact in merge_facts(told, asked)] == [(fact.id, fact.state) for fact in told]


@pytest.mark.parametrize("currency", ["EUR", "JPY", "IDR", "KWD", "MGA", "ISK"])
async def test_sandbox_accepts_the_largest_amount(provider: PaymentProvider, currency: str) -> None:
    limits = provider.amount_limits(CurrencyCode(currency))
    assert limits is not None
    largest = Money(limits.highest, CurrencyCode(currency))
    intent = await provider.create_intent(reference(f"largest-{currency}"), ATTEMPT, largest)
    assert [fact.amount_minor for fact in intent.facts] == [largest.minor]
