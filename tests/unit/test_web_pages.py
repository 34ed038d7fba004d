"""Pages for browsers: GraphiQL with a strict policy, or instructions for building it."""

from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from payments.checkout import Checkout
from schema import sdl
from settings import OidcSettings, Settings
from web.middleware import RequestMiddleware, compress
from web.pages.files import file_routes
from web.pages.graphiql import GraphiqlPage

KEYCLOAK = "https://id.example.org/realms/onsale"
PRODUCTION = Settings(env="production", graphiql=True, oidc=OidcSettings(issuer=KEYCLOAK))


def client(dist: Path, settings: Settings) -> httpx2.AsyncClient:
    app = Starlette(
        routes=[
            Route("/graphql", GraphiqlPage(settings, dist).answer),
            *file_routes(settings, Checkout(sandbox_url="http://127.0.0.1:12111"), dist),
        ],
        middleware=[Middleware(RequestMiddleware), Middleware(compress)],
    )
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost:8000")


async def test_schema_is_served_as_committed_if_introspection_is_on(tmp_path: Path) -> None:
    opened = [Settings(), replace(PRODUCTION, introspection=True)]
    for settings in opened:
        async with client(tmp_path, settings) as tool:
            answer = await tool.get("/schema.graphql")
        assert (answer.status_code, answer.text) == (200, sdl())
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_schema_is_hidden_if_introspection_is_off(tmp_path: Path) -> None:
    async with client(tmp_path, PRODUCTION) as tool:
        answer = await tool.get("/schema.graphql")
    assert answer.status_code == 404
    assert answer.text == "The schema is not public here; ONSALE_INTROSPECTION=yes publishes it.\n"


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "graphiql.html").write_text("<!doctype html><title>built</title>")
    (tmp_path / "assets" / "graphiql-Abc123.js").write_text("1;")
    (tmp_path / "secret.txt").write_text("no asset")
    return tmp_path


async def test_built_page_may_load_only_our_files_and_call_only_our_api(dist: Path) -> None:
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
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]


async def test_page_may_call_the_development_issuer(dist: Path) -> None:
    async with client(dist, Settings()) as browser:
        policy = (await browser.get("/graphql")).headers["content-security-policy"]
    assert "connect-src 'self' http://localhost:8000;" in policy


async def test_page_before_the_first_build_says_how_to_build_it(dist: Path) -> None:
    (dist / "graphiql.html").rename(dist / "aside")
    async with client(dist, Settings()) as browser:
        page = await browser.get("/graphql?x=<script>")
        assert (page.status_code, "make frontend" in page.text) == (200, True)
        assert "curl http://localhost:8000/graphql -H" in page.text
        assert "<script" not in page.text
        (dist / "aside").rename(dist / "graphiql.html")
        assert "built" in (await browser.get("/graphql")).text


async def test_assets_are_cached_forever(dist: Path) -> None:
    async with client(dist, Settings()) as browser:
        asset = await browser.get("/assets/graphiql-Abc123.js")
    assert (asset.status_code, asset.text) == (200, "1;")
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert asset.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("path", ["/assets/none.js", "/assets/../secret.txt", "/assets/%2e%2e/secret.txt", "/assets/"])
async def test_files_outside_assets_are_not_served(dist: Path, path: str) -> None:
    async with client(dist, Settings()) as browser:
        answer = await browser.get(path)
    assert answer.status_code == 404
    assert "immutable" not in answer.headers.get("cache-control", "")


async def test_asset_before_the_first_build_is_not_found(tmp_path: Path) -> None:
    async with client(tmp_path / "dist", Settings()) as browser:
        assert (await browser.get("/assets/graphiql-Abc123.js")).status_code == 404


async def test_page_settings_name_our_issuer_and_its_demo_users(dist: Path) -> None:
    async with client(dist, Settings()) as browser:
        page_settings = (await browser.get("/pages/settings.json")).json()
    assert page_settings["issuer"] == "http://localhost:8000/realms/onsale"
    assert page_settings["clientId"] == "onsale-web"
    assert [person["name"] for person in page_settings["demoPeople"]] == [
        "alice",
        "bob",
        "carol",
        "olivia",
        "gus",
        "admin",
    ]


@pytest.mark.parametrize("settings", [PRODUCTION, Settings(oidc=OidcSettings(issuer=KEYCLOAK))])
async def test_page_settings_name_no_demo_users_of_another_issuer(dist: Path, settings: Settings) -> None:
    async with client(dist, settings) as browser:
        page_settings = (await browser.get("/pages/settings.json")).json()
    assert page_settings["issuer"] == KEYCLOAK
    assert page_settings["demoPeople"] == []


async def test_page_settings_have_links_for_developers_in_development_only(dist: Path) -> None:
    async with client(dist, Settings()) as browser:
        links = (await browser.get("/pages/settings.json")).json()["developer"]
    assert links == {"graphiql": "/graphql", "mailbox": "/dev/mailbox", "sandbox": "http://127.0.0.1:12111"}
    async with client(dist, Settings(graphiql=False)) as browser:
        assert (await browser.get("/pages/settings.json")).json()["developer"]["graphiql"] is None
    async with client(dist, PRODUCTION) as browser:
        assert (await browser.get("/pages/settings.json")).json()["developer"] is None


SCRIPT, BROTLI, GZIP = b"1;" * 800, b"b" * 60, b"g" * 80


@pytest.fixture
def compressed(dist: Path) -> Path:
    """A build whose script also exists in two encodings. Here their content is only a mark."""
    script = dist / "assets" / "shop-Abc123.js"
    script.write_bytes(SCRIPT)
    script.with_name(f"{script.name}.br").write_bytes(BROTLI)
    script.with_name(f"{script.name}.gz").write_bytes(GZIP)
    return dist


async def fetch_script(dist: Path, method: str = "GET", **headers: str) -> tuple[httpx2.Response, bytes]:
    """Return the response and its body as it was sent."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        client(dist, Settings()) as browser,
        browser.stream(method, "/assets/shop-Abc123.js", headers=sent) as answer,
    ):
        return answer, b"".join([part async for part in answer.aiter_raw()])


@pytest.mark.parametrize(
    ("accepted", "encoding", "body"),
    [
        ("gzip, deflate, br, zstd", "br", BROTLI),
        ("gzip", "gzip", GZIP),
        ("br;q=0, gzip;q=0.5", "gzip", GZIP),
        ("*", "br", BROTLI),
        ("identity", None, SCRIPT),
    ],
)
async def test_asset_is_sent_in_the_smallest_accepted_encoding(
    compressed: Path, accepted: str, encoding: str | None, body: bytes
) -> None:
    answer, sent = await fetch_script(compressed, accept_encoding=accepted)
    assert (answer.status_code, answer.headers.get("content-encoding"), sent) == (200, encoding, body)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_head_of_an_asset_has_the_headers_of_its_encoding(compressed: Path) -> None:
    answer, sent = await fetch_script(compressed, "HEAD", accept_encoding="br")
    assert (answer.status_code, answer.headers["content-encoding"], sent) == (200, "br", b"")
    assert answer.headers["content-length"] == "60"


async def test_range_of_an_asset_is_a_range_of_its_encoded_bytes(compressed: Path) -> None:
    answer, sent = await fetch_script(compressed, accept_encoding="br", range="bytes=10-19")
    assert (answer.status_code, answer.headers["content-encoding"], sent) == (206, "br", b"b" * 10)
    assert answer.headers["content-range"] == "bytes 10-19/60"


async def test_known_asset_is_answered_with_304_in_its_encoding_only(compressed: Path) -> None:
    first, _ = await fetch_script(compressed, accept_encoding="br")
    tag = first.headers["etag"]
    again, sent = await fetch_script(compressed, accept_encoding="br", if_none_match=tag)
    assert (again.status_code, sent) == (304, b"")
    other, _ = await fetch_script(compressed, accept_encoding="gzip", if_none_match=tag)
    assert (other.status_code, other.headers["content-encoding"]) == (200, "gzip")
