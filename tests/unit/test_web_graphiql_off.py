"""Without GraphiQL, pages for browsers show neither it nor any part of the schema."""

from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from payments.checkout import Checkout
from settings import Settings
from web import home
from web.pages.graphiql import GraphiqlPage
from web.pages.shop import ShopPages

TRUSTING = Settings(trusted_documents=Path("list.json"))
PRODUCTION = Settings(env="production")


def browser(settings: Settings, dist: Path) -> httpx2.AsyncClient:
    shop = ShopPages(settings, Checkout(), dist)
    app = Starlette(routes=[Route("/graphql", GraphiqlPage(settings, dist).answer), *shop.routes()])
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://onsale.example")


@pytest.mark.parametrize("settings", [TRUSTING, PRODUCTION, Settings(graphiql=False)])
@pytest.mark.parametrize("is_built", [True, False])
async def test_browser_that_opens_graphql_gets_status_406_and_the_reason(
    settings: Settings, is_built: bool, tmp_path: Path
) -> None:
    if is_built:
        (tmp_path / "graphiql.html").write_text("built")
    async with browser(settings, tmp_path) as client:
        page = await client.get("/graphql")
    assert (page.status_code, page.headers["content-type"]) == (406, "text/html; charset=utf-8")
    assert "GraphiQL, its page for browsers, is turned off" in page.text
    for leak in ("concerts", "ONSALE", "built", "make frontend"):
        assert leak not in page.text


@pytest.mark.parametrize("settings", [PRODUCTION, TRUSTING])
async def test_home_page_has_no_example_without_graphiql(settings: Settings, tmp_path: Path) -> None:
    async with browser(settings, tmp_path) as client:
        page = await client.get("/")
    assert (page.status_code, "concerts(" in page.text) == (200, False)


@pytest.mark.parametrize("settings", [PRODUCTION, Settings()])
async def test_home_page_says_how_to_build_the_shop_in_development(settings: Settings, tmp_path: Path) -> None:
    async with browser(settings, tmp_path) as client:
        page = await client.get("/")
    assert ("make frontend" in page.text) is not settings.is_production


async def test_home_page_has_an_example_with_graphiql(tmp_path: Path) -> None:
    async with browser(Settings(), tmp_path) as client:
        page = await client.get("/")
    assert "<pre>curl http://onsale.example/graphql -H" in page.text
    assert '{"query": "{ concerts(first: 5) { nodes { id name startsAt } } }"}' in page.text


@pytest.mark.parametrize("settings", [PRODUCTION, Settings()])
def test_banner_names_graphiql_only_where_it_is_served(settings: Settings) -> None:
    assert ("GraphiQL" in home.banner(settings)) is settings.allows_graphiql
