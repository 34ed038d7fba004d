"""The sources of the shop: they reach only their own host, and stay small."""

import re
from pathlib import Path

import orjson
import pytest

FRONTEND = Path(__file__).parents[2] / "frontend"
SHOP = [
    path
    for path in [FRONTEND / "index.html", *(FRONTEND / "src").rglob("*"), *(FRONTEND / "vite").rglob("*")]
    if path.is_file() and not {"graphiql", "generated"} & set(path.relative_to(FRONTEND).parts)
]
# Stripe's terms allow its script only from its own host; only the checkout page loads it.
ALLOWED = {"https://js.stripe.com"}
MAX_LINES = 400

KB = 1_000
FIRST_LOAD = {"script": 140 * KB, "style": 15 * KB}
FURTHER_PAGE_SCRIPT = 40 * KB


def test_no_file_of_the_shop_names_another_host() -> None:
    named = {
        (str(path.relative_to(FRONTEND)), address)
        for path in SHOP
        if path.suffix in {".html", ".ts", ".tsx", ".css", ".json", ".svg"}
        for address in re.findall(r"(?:https?:|wss?:)//[\w.-]+", path.read_text())
        if address not in ALLOWED and address not in {"http://localhost", "http://www.w3.org"}
    }
    assert named == set()


def test_no_source_of_the_shop_is_longer_than_400_lines() -> None:
    sources = [path for path in SHOP if path.suffix in {".ts", ".tsx", ".css"}]
    assert len(sources) > 30
    lengths = {str(path.relative_to(FRONTEND)): len(path.read_text().splitlines()) for path in sources}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_shop_keeps_the_newest_answers_as_the_guide_says() -> None:
    guide = (FRONTEND.parent / "docs" / "frontend.md").read_text()
    shown = re.search(r"```ts\n// newest\.ts\n(.*?)```", guide, re.DOTALL)
    assert shown
    assert (FRONTEND / "src" / "api" / "newest.ts").read_text().endswith(shown[1])


def test_every_version_of_a_package_is_exact() -> None:
    package = orjson.loads((FRONTEND / "package.json").read_bytes())
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert [name for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


@pytest.fixture
def sizes() -> dict[str, dict[str, int]]:
    """The bytes of each page after Brotli, which the build writes."""
    written = FRONTEND / "dist" / "sizes.json"
    if not written.is_file():
        pytest.skip("the pages are not built; run make frontend")
    read: dict[str, dict[str, int]] = orjson.loads(written.read_bytes())
    return read


def test_first_load_of_the_shop_is_small(sizes: dict[str, dict[str, int]]) -> None:
    first = sizes["first"]
    assert first["script"] > 50 * KB, "React alone is larger, so the measurement is wrong"
    assert {kind: size for kind, size in first.items() if size > FIRST_LOAD[kind]} == {}


def test_each_further_page_adds_little_script(sizes: dict[str, dict[str, int]]) -> None:
    further = {page: size["script"] for page, size in sizes.items() if page != "first"}
    assert {"queueEntry", "hold", "order", "tickets", "ticketTransfer"} <= set(further)
    assert {page: size for page, size in further.items() if size > FURTHER_PAGE_SCRIPT} == {}
