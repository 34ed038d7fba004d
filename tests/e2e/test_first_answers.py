"""Documents contain the first answer of their page, for everyone, if it can be had."""

import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from resolvers.context import Resources
from schema import DocumentRules, build_engine, hash_document
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.sale import PASSES
from tests.support.shop import Shop
from tests.support.store_servers import open_shop
from tests.support.waiting import wait_until
from web.pages.documents import Document, make_document
from web.pages.first_answers import MAX_AGE_S, MAX_KEPT, FirstAnswers

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY = """
fragment Card on Concert { id name }
query Concerts($first: Int = 100) { concerts(first: $first) { nodes { ...Card } } }
"""
PERSONAL = "query Concerts { concerts { nodes { id } } me { name } }"
BY_SLUG = "query Concert($slug: String!) { concert(by: {slug: $slug}) { id stock { soldOut } } }"
CONCERT = "/concerts/{slug}"
PAGE = make_document(b"<!doctype html><body><p>shop</p></body>")
DATA_BLOCK = re.compile(r'<script type="application/json" id="first-answer">(.*)</script>\n</body>')


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def build_shop(dist: Path, query: str = QUERY) -> None:
    """Write the files that the build writes for the server."""
    pages = [("/", query, []), ("/concerts/{slug}", BY_SLUG, ["slug"])]
    documents = {hash_document(text).hex(): text for _, text, _ in pages}
    listed = [{"path": path, "hash": hash_document(text).hex(), "variables": names} for path, text, names in pages]
    (dist / "trusted-documents.json").write_bytes(orjson.dumps(documents))
    (dist / "first-answers.json").write_bytes(orjson.dumps(listed))


def first_answer(stores: Stores, dist: Path, *, is_strict: bool = False, clock: Clock | None = None) -> FirstAnswers:
    trusted = dist / "trusted-documents.json"
    rules = DocumentRules(trusted_file=trusted, allows_introspection=False) if is_strict else DocumentRules()
    return FirstAnswers(build_engine(rules), Resources(stores, PASSES), dist, clock=clock or Clock())


def given_answer(document: Document) -> Any:
    found = DATA_BLOCK.search(document.content.decode())
    return orjson.loads(found[1]) if found else None


@pytest.mark.parametrize("is_strict", [False, True])
async def test_document_contains_the_public_catalog_and_the_query(shop: Shop, tmp_path: Path, is_strict: bool) -> None:
    concert, draft = await shop.on_sale(), await shop.draft()
    build_shop(tmp_path)
    given = given_answer(await first_answer(shop.stores, tmp_path, is_strict=is_strict).add_to(PAGE, "/", {}))
    listed = [node["id"] for node in given["data"]["concerts"]["nodes"]]
    assert (given["hash"], given["variables"]) == (hash_document(QUERY).hex(), {})
    assert (concert.id in listed, draft.id in listed) == (True, False)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", given["serverTime"])


async def test_name_of_a_concert_cannot_end_the_data_block(shop: Shop, tmp_path: Path) -> None:
    name = "</script><script>alert(1)</script><!--"
    await shop.on_sale(name=name)
    build_shop(tmp_path)
    document = await first_answer(shop.stores, tmp_path).add_to(PAGE, "/", {})
    assert document.content.count(b"</script>") == document.content.count(b"<script") == 1
    assert b"<!--" not in document.content
    assert name in [node["name"] for node in given_answer(document)["data"]["concerts"]["nodes"]]


async def test_answer_is_renewed_after_a_second(shop: Shop, tmp_path: Path) -> None:
    build_shop(tmp_path)
    clock = Clock()
    answer = first_answer(shop.stores, tmp_path, clock=clock)
    first = await answer.add_to(PAGE, "/", {})
    concert = await shop.on_sale()
    assert await answer.add_to(PAGE, "/", {}) is first
    clock.now_s += MAX_AGE_S
    later = await answer.add_to(PAGE, "/", {})
    ids = [[node["id"] for node in given_answer(each)["data"]["concerts"]["nodes"]] for each in (first, later)]
    assert (concert.id in ids[0], concert.id in ids[1]) == (False, True)


async def test_query_that_selects_the_viewer_is_not_answered(shop: Shop, tmp_path: Path) -> None:
    build_shop(tmp_path, PERSONAL)
    assert await first_answer(shop.stores, tmp_path).add_to(PAGE, "/", {}) is PAGE


async def test_long_answer_is_left_out(shop: Shop, tmp_path: Path) -> None:
    await shop.on_sale()
    fields = " ".join(f"n{number}: description" for number in range(200))
    build_shop(tmp_path, f"query Concerts {{ concerts {{ nodes {{ {fields} }} }} }}")
    assert await first_answer(shop.stores, tmp_path).add_to(PAGE, "/", {}) is PAGE


@pytest.mark.parametrize(
    "listed", ["not JSON", "{}", '[{"path": "/"}]', '[{"path": "/", "hash": "a", "variables": []}]']
)
async def test_page_of_a_broken_build_is_served_without_an_answer(shop: Shop, tmp_path: Path, listed: str) -> None:
    build_shop(tmp_path)
    (tmp_path / "first-answers.json").write_text(listed)
    assert await first_answer(shop.stores, tmp_path).add_to(PAGE, "/", {}) is PAGE


async def test_page_of_a_concert_contains_that_concert(shop: Shop, tmp_path: Path) -> None:
    build_shop(tmp_path)
    slug = f"first-{uuid.uuid4().hex}"
    concert = await shop.on_sale(slug=slug)
    given = given_answer(await first_answer(shop.stores, tmp_path).add_to(PAGE, CONCERT, {"slug": slug}))
    assert (given["hash"], given["variables"]) == (hash_document(BY_SLUG).hex(), {"slug": slug})
    assert given["data"]["concert"] == {"id": concert.id, "stock": {"soldOut": False}}


@pytest.mark.parametrize("slug", ["no-such-concert", "x" * 201, "</script>", "\u0000"])
async def test_page_of_an_unknown_concert_contains_no_answer(shop: Shop, tmp_path: Path, slug: str) -> None:
    build_shop(tmp_path)
    assert await first_answer(shop.stores, tmp_path).add_to(PAGE, CONCERT, {"slug": slug}) is PAGE


async def test_page_of_a_draft_contains_no_answer(shop: Shop, tmp_path: Path) -> None:
    build_shop(tmp_path)
    slug = f"draft-{uuid.uuid4().hex}"
    await shop.draft(slug=slug)
    assert await first_answer(shop.stores, tmp_path).add_to(PAGE, CONCERT, {"slug": slug}) is PAGE


async def test_answers_of_many_addresses_are_forgotten(shop: Shop, tmp_path: Path) -> None:
    build_shop(tmp_path)
    answers = first_answer(shop.stores, tmp_path)
    first = await answers.add_to(PAGE, "/", {})
    for number in range(MAX_KEPT):
        await answers.add_to(PAGE, CONCERT, {"slug": f"unknown-{number}"})
    again = await answers.add_to(PAGE, "/", {})
    assert again is not first
    assert await answers.add_to(PAGE, "/", {}) is again


async def test_page_without_first_queries_is_served_as_it_was_built(shop: Shop, tmp_path: Path) -> None:
    assert await first_answer(shop.stores, tmp_path).add_to(PAGE, "/", {}) is PAGE


@pytest_asyncio.fixture(loop_scope="module")
async def interrupted_shop(stoppable_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[Shop]:
    async with open_shop(stoppable_valkey, databases) as made:
        yield made


async def test_page_is_served_without_an_answer_while_a_store_is_away(
    interrupted_shop: Shop, stoppable_valkey: ServerProcess, tmp_path: Path
) -> None:
    await interrupted_shop.on_sale()
    build_shop(tmp_path, "query Concerts { concerts { nodes { id stock { soldOut } } } }")
    clock = Clock()
    answer = first_answer(interrupted_shop.stores, tmp_path, clock=clock)
    await stoppable_valkey.kill()
    assert await answer.add_to(PAGE, "/", {}) is PAGE
    await stoppable_valkey.start()

    async def is_answered() -> bool:
        clock.now_s += MAX_AGE_S
        return await answer.add_to(PAGE, "/", {}) is not PAGE

    await wait_until(is_answered, what="the first answer")
