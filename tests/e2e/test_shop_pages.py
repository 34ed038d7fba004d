"""The built shop on a real server: each page, its headers, its files and its documents."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson
import pytest
import pytest_asyncio

from schema import hash_document
from tests.support.application import ROOT, Application, started
from tests.support.commands import run_command
from tests.support.node import installed
from web.pages.files import DIST

# The first test also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

VISIT = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
CHECKOUT = "/orders/T3JkZXI6MQ==/pay"
PAGES = (
    "/",
    "/concerts/lantern-ferry-royal-albert-hall",
    "/concerts/lantern-ferry-royal-albert-hall/queue",
    "/concerts/lantern-ferry-royal-albert-hall/tickets",
    "/orders/T3JkZXI6MQ==",
    CHECKOUT,
    "/tickets",
    "/tickets/accept",
)
# Nothing listens at this address, and no test pays here.
STRIPE = {
    "PAYMENT_PROVIDER": "stripe",
    "PAYMENT_SECRET_KEY": "sk_test_pages",
    "PAYMENT_PUBLISHABLE_KEY": "pk_test_pages",
    "PAYMENT_WEBHOOK_SECRETS": f"whsec_{'p' * 32}",
    "PAYMENT_URL": "http://127.0.0.1:9",
}


@asynccontextmanager
async def visiting(folder: Path, **settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """Build the pages, start a server, and open a client that sends what a browser sends."""
    await installed(ROOT / "frontend", for_what="the pages of the shop were not fetched")
    await run_command("make", "-s", "frontend", cwd=ROOT)
    async with (
        started(Application(folder / "onsale", DEMO="yes", **settings)) as application,
        httpx2.AsyncClient(base_url=application.url, headers=VISIT, timeout=60) as client,
    ):
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx2.AsyncClient]:
    async with visiting(tmp_path_factory.mktemp("sandbox")) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stripe_browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx2.AsyncClient]:
    trusted = tmp_path_factory.mktemp("trusted") / "list.json"
    text = "query Other { serverTime }"
    trusted.write_bytes(orjson.dumps({hash_document(text).hex(): text}))
    async with visiting(tmp_path_factory.mktemp("stripe"), TRUSTED_DOCUMENTS=trusted, **STRIPE) as client:
        yield client


def rules(page: httpx2.Response) -> dict[str, list[str]]:
    policy = page.headers["content-security-policy"]
    return {name: sources for name, *sources in (rule.split() for rule in policy.split("; "))}


def is_shop(page: httpx2.Response) -> bool:
    return '<div id="page"></div>' in page.text


def first_answer(page: httpx2.Response) -> dict[str, object] | None:
    found = re.search(r'<script type="application/json" id="first-answer">(.*)</script>', page.text)
    answer: dict[str, object] | None = orjson.loads(found[1]) if found else None
    return answer


@pytest.mark.parametrize("path", PAGES)
async def test_page_is_the_shop_without_inline_scripts(browser: httpx2.AsyncClient, path: str) -> None:
    page = await browser.get(path)
    assert (page.status_code, is_shop(page)) == (200, True)
    assert (rules(page)["script-src"], rules(page)["style-src"]) == (["'self'"], ["'self'"])
    assert "stripe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    scripts = re.findall(r"<script([^>]*)>", page.text)
    assert scripts
    assert all("src=" in script or 'type="application/json"' in script for script in scripts)
    assert not re.findall(r"<style|\sstyle=|\son\w+=", page.text.partition("<script type=")[0])


@pytest.mark.parametrize("path", PAGES)
async def test_only_the_checkout_runs_the_script_of_stripe(stripe_browser: httpx2.AsyncClient, path: str) -> None:
    page = await stripe_browser.get(path)
    assert (page.status_code, is_shop(page)) == (200, True)
    scripts, frames = rules(page)["script-src"], rules(page).get("frame-src", [])
    assert ("https://js.stripe.com" in scripts) is (path == CHECKOUT)
    assert ("https://hooks.stripe.com" in frames) is (path == CHECKOUT)
    assert ("stripe" in page.headers["content-security-policy"]) is (path == CHECKOUT)


async def test_checkout_may_pay_at_the_sandbox_of_this_server(browser: httpx2.AsyncClient) -> None:
    sandbox = (await browser.get("/pages/settings.json")).json()["developer"]["sandbox"]
    page = await browser.get(CHECKOUT)
    assert sandbox in rules(page)["connect-src"]
    assert sandbox not in rules(await browser.get("/tickets"))["connect-src"]
    cards = await browser.get(sandbox)
    assert (cards.status_code, "4242 4242 4242 4242" in cards.text) == (200, True)


async def test_files_of_the_page_are_sent_as_the_build_compressed_them(browser: httpx2.AsyncClient) -> None:
    page = await browser.get("/tickets")
    names = re.findall(r'(?:src|href)="(/assets/[^"]+\.(?:js|css))"', page.text)
    assert {urlsplit(name).path.rpartition(".")[2] for name in names} == {"js", "css"}
    for name in names:
        head = await browser.head(name, headers={"Accept-Encoding": "br"})
        built = DIST / f"{name[1:]}.br"
        assert (head.status_code, head.headers["content-encoding"]) == (200, "br")
        assert head.headers["content-length"] == str(built.stat().st_size)
        assert head.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert head.headers["vary"] == "Accept-Encoding"
        plain = await browser.get(name, headers={"Accept-Encoding": "gzip"})
        assert plain.text == (DIST / name[1:]).read_text()


async def test_catalog_and_concert_are_in_their_documents(browser: httpx2.AsyncClient) -> None:
    home, concert = first_answer(await browser.get("/")), first_answer(await browser.get(PAGES[1]))
    assert home is not None
    assert concert is not None
    assert (home["variables"], concert["variables"]) == ({}, {"slug": "lantern-ferry-royal-albert-hall"})
    trusted = orjson.loads((DIST / "trusted-documents.json").read_bytes())
    assert {home["hash"], concert["hash"]} <= set(trusted)


@pytest.mark.parametrize("path", ["/?q=x", "/concerts/no-such-concert", "/tickets"])
async def test_other_documents_contain_no_answer(browser: httpx2.AsyncClient, path: str) -> None:
    page = await browser.get(path)
    assert (page.status_code, is_shop(page), first_answer(page)) == (200, True, None)


@pytest.mark.parametrize("path", ["/no/such/page", "/concerts/a/b/c", "/dev/mailbox/none", "/assets/none.js"])
async def test_unknown_address_shows_a_visitor_the_shop(browser: httpx2.AsyncClient, path: str) -> None:
    page = await browser.get(path)
    assert (page.status_code, is_shop(page)) == (404, True)
    program = await browser.get(path, headers={"Accept": "*/*"})
    assert (program.status_code, program.text) == (404, "Not Found")


@pytest.mark.parametrize("takes_documents_only", [False, True])
async def test_document_of_the_shop_runs_by_its_hash_at_once(
    browser: httpx2.AsyncClient, stripe_browser: httpx2.AsyncClient, *, takes_documents_only: bool
) -> None:
    client = stripe_browser if takes_documents_only else browser
    trusted: dict[str, str] = orjson.loads((DIST / "trusted-documents.json").read_bytes())
    (hash_,) = (hash_ for hash_, text in trusted.items() if text.startswith("query WhoAmI"))
    answer = await client.post(
        "/graphql", json={"documentId": f"sha256:{hash_}"}, headers={"Accept": "application/json"}
    )
    assert (answer.status_code, answer.json()["data"]) == (200, {"__typename": "Query", "me": None})


async def test_document_that_no_list_names_is_refused(stripe_browser: httpx2.AsyncClient) -> None:
    body = {"query": "{ serverTime }"}
    answer = await stripe_browser.post("/graphql", json=body, headers={"Accept": "application/json"})
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["PERSISTED_QUERY_ID_REQUIRED"]
