"""Buyers in Chromium pay with Stripe Elements, with a stub of Stripe's script on this machine."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tests.support.certificates import write_certificate
from tests.support.page_stories import STORIES, Site, open_site
from tests.support.sandbox import Sandbox, running_sandbox
from tests.support.serving import serving

# A story waits up to a minute for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

BLOCKED = ["blocked", "script-src-elem https://js.stripe.com/v3/"]
FRAME = '<!doctype html><html lang="en"><title>Card</title><main><h1>Card</h1></main></html>'
SHOWN = [
    ["Stripe", "the key", "en"],
    ["elements", "the secret", "en", "stripe"],
    ["create", "payment"],
    ["mount", "stripe-element"],
    ["retrievePaymentIntent", "the secret"],
]
CONFIRMED = ["confirmPayment", "the checkout", "if_required"]


async def script(_: Request) -> Response:
    return Response((STORIES / "stripe-stub.js").read_bytes(), media_type="text/javascript")


async def frame(_: Request) -> Response:
    return HTMLResponse(FRAME)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """A sandbox in the place of Stripe's API. It sends no webhooks."""
    async with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stripe_site(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> AsyncIterator[Site]:
    """A site whose payments Stripe takes. Its browser finds js.stripe.com on this machine."""
    stub = Starlette(routes=[Route("/v3/", script), Route("/v3/frame", frame)])
    settings = {
        "PAYMENT_PROVIDER": "stripe",
        "PAYMENT_URL": sandbox.url,
        "PAYMENT_SECRET_KEY": sandbox.secret_key,
        "PAYMENT_PUBLISHABLE_KEY": sandbox.publishable_key,
        "PAYMENT_WEBHOOK_SECRETS": f"whsec_{'p' * 32}",
    }
    directory = tmp_path_factory.mktemp("stripe")
    async with serving(lambda _: stub, certificate=write_certificate(directory)) as base:
        rule = f"MAP js.stripe.com:443 {urlsplit(base).netloc}"
        async with open_site(directory, f"--host-resolver-rules={rule}", **settings) as site:
            yield site


async def test_declined_card_is_explained_and_a_double_click_pays_once(
    stripe_site: Site, sandbox: Sandbox, tmp_path: Path
) -> None:
    assert await stripe_site.run("payingWithStripe", tmp_path, sandbox=sandbox.url) == {
        "calls": [*SHOWN, CONFIRMED, CONFIRMED],
        "attempts": ["expired_card", "succeeded"],
        "isOrderPage": True,
        "admitting": ["the checkout"],
        "otherPages": [False] * 6,
        "onAnotherPage": BLOCKED,
        "violations": [],
    }


async def test_card_form_that_is_blocked_can_be_loaded_again(
    stripe_site: Site, sandbox: Sandbox, tmp_path: Path
) -> None:
    assert await stripe_site.run("missingTheCardForm", tmp_path, sandbox=sandbox.url) == {
        "canPay": False,
        "canPayThen": True,
        "attempts": [],
        "status": "PENDING_PAYMENT",
        "violations": [],
    }


async def test_script_of_stripe_is_blocked_if_the_sandbox_takes_payments(
    site: Site, stripe_site: Site, tmp_path: Path
) -> None:
    assert await stripe_site.run("payingWithoutStripe", tmp_path, url=site.url) == {
        "onCheckout": BLOCKED,
        "checkouts": 1,
        "admitting": [],
    }
