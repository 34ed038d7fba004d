"""The shop's document: its addresses, status codes, encodings, and what a browser may load."""

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from payments.checkout import Checkout
from settings import OidcSettings, Settings
from web.middleware import RequestMiddleware, compress
from web.pages.documents import Document, make_document
from web.pages.shop import ShopPages

DEVELOPMENT = Settings(port=8000)
PRODUCTION = Settings(
    env="production",
    public_url="https://tickets.example.org",
    oidc=OidcSettings(issuer="https://id.example.org/realms/onsale"),
)
SANDBOX = Checkout(sandbox_url="http://127.0.0.1:12111")
STRIPE = Checkout(provider="stripe", publishable_key="pk_test_1")
PAGE = f"<!doctype html><title>Onsale</title><body>{'<p>shop</p>' * 200}</body>"
VISIT = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

PLAIN_PAGES = [
    "/",
    "/concerts/lantern-ferry",
    "/concerts/lantern-ferry/queue",
    "/concerts/lantern-ferry/tickets",
    "/orders/T3JkZXI6MQ==",
    "/tickets",
    "/tickets/accept",
]
CHECKOUT = "/orders/T3JkZXI6MQ==/pay"


class NoFirstAnswers:
    """Adds no answer, but the route and the parts of the address that it gets."""

    async def add_to(self, document: Document, route: str, values: Mapping[str, str]) -> Document:
        return make_document(document.content + f"<!-- {route} {values} -->".encode()) if values else document


def with_state(app: ASGIApp) -> ASGIApp:
    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"first_answers": NoFirstAnswers()}}, receive, send)

    return called


def visitor(dist: Path, settings: Settings = DEVELOPMENT, checkout: Checkout = SANDBOX) -> httpx2.AsyncClient:
    shop = ShopPages(settings, checkout, dist)
    app = Starlette(
        routes=shop.routes(),
        exception_handlers={404: shop.respond_to_error},
        middleware=[Middleware(RequestMiddleware), Middleware(compress)],
    )
    transport = httpx2.ASGITransport(with_state(app))
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000", headers=VISIT)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(PAGE)
    return tmp_path


def rules(policy: str) -> dict[str, list[str]]:
    return {name: sources for name, *sources in (rule.split() for rule in policy.split("; "))}


async def policies(dist: Path, settings: Settings, checkout: Checkout, path: str) -> dict[str, list[str]]:
    async with visitor(dist, settings, checkout) as browser:
        return rules((await browser.get(path)).headers["content-security-policy"])


@pytest.mark.parametrize("path", [*PLAIN_PAGES, CHECKOUT])
async def test_each_page_is_the_document_with_all_security_headers(dist: Path, path: str) -> None:
    async with visitor(dist) as browser:
        page = await browser.get(path)
    assert (page.status_code, page.text.partition("<!--")[0]) == (200, PAGE)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["x-frame-options"] == "DENY"
    is_kept = path != "/tickets/accept"
    assert page.headers["cache-control"] == ("no-cache" if is_kept else "no-store")


@pytest.mark.parametrize("path", [*PLAIN_PAGES, CHECKOUT])
@pytest.mark.parametrize("checkout", [SANDBOX, STRIPE])
async def test_no_page_runs_inline_scripts_or_styles(dist: Path, path: str, checkout: Checkout) -> None:
    found = await policies(dist, DEVELOPMENT, checkout, path)
    assert found["default-src"] == ["'none'"]
    assert found["style-src"] == ["'self'"]
    assert found["base-uri"] == found["frame-ancestors"] == ["'none'"]
    assert not {"'unsafe-inline'", "'unsafe-eval'", "data:", "*"} & set(found["script-src"])


@pytest.mark.parametrize("path", PLAIN_PAGES)
@pytest.mark.parametrize("checkout", [SANDBOX, STRIPE])
async def test_page_besides_the_checkout_loads_from_this_server_only(dist: Path, path: str, checkout: Checkout) -> None:
    found = await policies(dist, PRODUCTION, checkout, path)
    assert found == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "worker-src": ["'self'"],
        "style-src": ["'self'"],
        "font-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "media-src": ["'self'"],
        "manifest-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }


async def test_checkout_runs_the_scripts_of_stripe_if_stripe_is_paid(dist: Path) -> None:
    found = await policies(dist, PRODUCTION, STRIPE, CHECKOUT)
    scripts = ["https://js.stripe.com", "https://*.js.stripe.com"]
    assert found["script-src"] == ["'self'", *scripts]
    assert found["frame-src"] == [*scripts, "https://hooks.stripe.com"]
    assert found["connect-src"] == ["'self'", "https://api.stripe.com"]
    assert found["img-src"] == ["'self'", "data:", "blob:", "https://*.stripe.com"]


async def test_checkout_with_the_sandbox_reaches_it_and_knows_no_stripe(dist: Path) -> None:
    async with visitor(dist) as browser:
        policy = (await browser.get(CHECKOUT)).headers["content-security-policy"]
    assert "stripe" not in policy
    assert rules(policy)["connect-src"] == ["'self'", "http://localhost:8000", "http://127.0.0.1:12111"]
    assert rules(policy)["script-src"] == ["'self'"]


async def test_page_in_development_may_show_images_of_the_public_host(dist: Path) -> None:
    found = await policies(dist, DEVELOPMENT, SANDBOX, "/")
    assert found["img-src"] == ["'self'", "http://localhost:8000", "data:", "blob:"]


async def test_unknown_address_shows_the_shop_with_404_to_a_visitor(dist: Path) -> None:
    async with visitor(dist) as browser:
        page = await browser.get("/no/such/page")
        head = await browser.head("/no/such/page")
    assert (page.status_code, page.text, head.status_code) == (404, PAGE, 404)
    assert rules(page.headers["content-security-policy"])["script-src"] == ["'self'"]
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
async def test_unknown_address_is_plain_text_for_a_program(dist: Path, accept: str) -> None:
    async with visitor(dist) as program:
        answer = await program.get("/no/such/page", headers={"Accept": accept})
        sent = await program.post("/no/such/page")
    assert (answer.status_code, answer.text) == (404, "Not Found")
    assert answer.headers["vary"].split(", ")[0] == "Accept"
    assert (sent.status_code, sent.text) == (404, "Not Found")


async def test_known_page_is_answered_with_304_until_it_is_built_again(dist: Path) -> None:
    async with visitor(dist) as browser:
        tag = (await browser.get("/tickets")).headers["etag"]
        known = {"If-None-Match": f'"other", {tag.removeprefix("W/")}'}
        again = await browser.get("/tickets", headers=known)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        (dist / "index.html").write_text("<!doctype html><title>newer</title>")
        newer = await browser.get("/tickets", headers=known)
    assert (newer.status_code, "newer" in newer.text) == (200, True)


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip", "gzip"), ("br", None), ("identity", None)])
async def test_document_is_compressed_for_clients_that_accept_it(
    dist: Path, accepted: str, encoding: str | None
) -> None:
    async with visitor(dist) as browser:
        page = await browser.get("/tickets", headers={"Accept-Encoding": accepted})
        head = await browser.head("/tickets", headers={"Accept-Encoding": accepted})
    assert (page.headers.get("content-encoding"), page.text) == (encoding, PAGE)
    assert page.headers["vary"].startswith("Accept-Encoding")
    assert head.headers.get("content-encoding") == encoding
    assert head.headers["content-length"] == page.headers["content-length"]


async def test_post_to_a_page_is_refused(dist: Path) -> None:
    async with visitor(dist) as browser:
        assert (await browser.post("/tickets")).status_code == 405


async def test_pages_before_the_first_build_are_not_found_except_home(tmp_path: Path) -> None:
    async with visitor(tmp_path) as browser:
        home = await browser.get("/")
        page = await browser.get("/concerts/lantern-ferry")
    assert (home.status_code, "make frontend" in home.text) == (200, True)
    assert (page.status_code, page.text) == (404, "Not Found")


async def test_link_in_a_mail_works_before_the_first_build(tmp_path: Path) -> None:
    async with visitor(tmp_path, PRODUCTION) as browser:
        page = await browser.get("/tickets/accept")
    assert (page.status_code, "<h1>Accept a ticket</h1>" in page.text) == (200, True)
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    found = rules(page.headers["content-security-policy"])
    assert (found["default-src"], found["script-src"]) == (["'none'"], [f"'sha256-{digest}'"])
    assert (page.headers["referrer-policy"], page.headers["cache-control"]) == ("no-referrer", "no-store")


@pytest.mark.parametrize(
    ("address", "comment"),
    [
        ("/concerts/a-b", "<!-- /concerts/{slug} {'slug': 'a-b'} -->"),
        ("/concerts/a-b?", "<!-- /concerts/{slug} {'slug': 'a-b'} -->"),
        ("/concerts/a-b?after=x", ""),
        ("/concerts/a-b/queue", ""),
    ],
)
async def test_document_of_a_concert_gets_its_first_answer(dist: Path, address: str, comment: str) -> None:
    async with visitor(dist) as browser:
        page = await browser.get(address)
    assert page.text == PAGE + comment
