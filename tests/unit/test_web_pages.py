"""What browsers get: GraphiQL under a policy that lets nothing in from elsewhere, or how to build it."""

from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from settings import Settings
from web.middleware import RequestMiddleware
from web.pages import Pages

KEYCLOAK = "https://id.example.org/realms/onsale"
PRODUCTION = Settings(env="production", oidc_issuer=KEYCLOAK)


def client(dist: Path, settings: Settings) -> httpx2.AsyncClient:
    pages = Pages(settings, dist)
    app = Starlette(
        routes=[Route("/graphql", pages.graphiql), *pages.routes()], middleware=[Middleware(RequestMiddleware)]
    )
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost:8000")


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "graphiql.html").write_text("<!doctype html><title>built</title>")
    (tmp_path / "assets" / "graphiql-Abc123.js").write_text("1;")
    (tmp_path / "secret.txt").write_text("no asset")
    return tmp_path


async def test_the_built_page_may_load_our_files_and_ask_us_and_the_issuer(dist: Path) -> None:
    async with client(dist, PRODUCTION) as browser:
        page = await browser.get("/graphql")
    assert (page.status_code, page.text) == (200, "<!doctype html><title>built</title>")
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["content-security-policy"].split("; ") == [
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self' data:",
        "img-src 'self' data:",
        "connect-src 'self' https://id.example.org",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]


async def test_without_a_build_the_page_says_how_to_make_one_and_needs_no_restart(dist: Path) -> None:
    (dist / "graphiql.html").rename(dist / "aside")
    async with client(dist, Settings()) as browser:
        page = await browser.get("/graphql?x=<script>")
        assert (page.status_code, "make frontend" in page.text) == (200, True)
        assert "curl http://localhost:8000/graphql -H" in page.text
        assert "<script" not in page.text
        (dist / "aside").rename(dist / "graphiql.html")
        assert "built" in (await browser.get("/graphql")).text


async def test_assets_are_kept_for_ever(dist: Path) -> None:
    async with client(dist, Settings()) as browser:
        asset = await browser.get("/assets/graphiql-Abc123.js")
    assert (asset.status_code, asset.text) == (200, "1;")
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert asset.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("path", ["/assets/none.js", "/assets/../secret.txt", "/assets/%2e%2e/secret.txt", "/assets/"])
async def test_nothing_else_is_an_asset(dist: Path, path: str) -> None:
    async with client(dist, Settings()) as browser:
        answer = await browser.get(path)
    assert answer.status_code == 404
    assert "immutable" not in answer.headers.get("cache-control", "")


async def test_there_are_no_assets_before_the_first_build(tmp_path: Path) -> None:
    async with client(tmp_path / "dist", Settings()) as browser:
        assert (await browser.get("/assets/graphiql-Abc123.js")).status_code == 404


async def test_a_page_is_told_the_issuer_and_the_demo_people_of_our_own(dist: Path) -> None:
    async with client(dist, Settings()) as browser:
        told = (await browser.get("/pages/settings.json")).json()
    assert told["issuer"] == "http://localhost:8000/realms/onsale"
    assert told["clientId"] == "onsale-web"
    assert [person["name"] for person in told["demoPeople"]] == ["alice", "bob", "carol", "olivia", "gus"]


@pytest.mark.parametrize("settings", [PRODUCTION, Settings(oidc_issuer=KEYCLOAK)])
async def test_nobody_is_offered_at_an_issuer_that_is_not_ours(dist: Path, settings: Settings) -> None:
    async with client(dist, settings) as browser:
        told = (await browser.get("/pages/settings.json")).json()
    assert told == {"issuer": KEYCLOAK, "clientId": "onsale-web", "demoPeople": []}
