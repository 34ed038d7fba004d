"""The pages without a script look like the shop, and load only their stylesheet."""

import re
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from auth.plain_pages import STYLESHEET, STYLESHEET_PATH, failure_page, plain_page
from payments.checkout import Checkout
from settings import Settings
from web.pages.files import file_routes

TOKENS = Path(__file__).parents[2] / "frontend" / "src" / "styles" / "tokens.css"
_COLOR = re.compile(r"(--[a-z-]+): (oklch\([^)]*\));")
_BOTH_COLORS = re.compile(r"(--[a-z-]+): light-dark\((oklch\([^)]*\)), (oklch\([^)]*\))\);")


def colors(begin: str) -> dict[str, str]:
    """Return the colors of the plain pages in the first block after `begin`."""
    style = STYLESHEET.read_text()
    return dict(_COLOR.findall(style[style.index(begin) :].partition("}")[0]))


@pytest.mark.parametrize(("block", "theme"), [(":root {", 0), ("@media (prefers-color-scheme: dark)", 1)])
def test_colors_of_plain_pages_are_those_of_the_shop(block: str, theme: int) -> None:
    own, shop = colors(block), {name: both[theme] for name, *both in _BOTH_COLORS.findall(TOKENS.read_text())}
    assert len(own) == 13
    assert own.items() <= shop.items()


async def test_stylesheet_is_served_as_a_file(tmp_path: Path) -> None:
    app = Starlette(routes=file_routes(Settings(), Checkout(), tmp_path))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as client:
        answer = await client.get(STYLESHEET_PATH)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert answer.headers["cache-control"] == "no-cache"


def test_plain_page_loads_only_its_stylesheet() -> None:
    page = plain_page("A <title>", "<p>content</p>")
    text = bytes(page.body).decode()
    assert "<h1>A &lt;title&gt;</h1>" in text
    assert re.findall(r'(?:src|href)="([^"]*)"', text) == [STYLESHEET_PATH, "/"]
    assert not [part for part in ("<script", "<style", "style=") if part in text]
    assert page.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )


def test_failed_login_leads_back_to_the_shop() -> None:
    text = bytes(failure_page("The <issuer> is away.", status=503).body).decode()
    assert "The &lt;issuer&gt; is away." in text
    assert '<a href="/login">Sign in again</a> or <a href="/">continue without signing in</a>' in text
