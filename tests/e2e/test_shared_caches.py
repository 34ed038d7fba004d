"""Which answers a shared cache may keep."""

import httpx2
import orjson
import pytest

from schema import hash_document
from tests.support.shop import Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC = "public, s-maxage=1"
CATALOG = "{ concerts(first: 100) { nodes { id name description startsAt tiers { id name available } } } }"
BY_ID = "query ($id: ID!) { concert(id: $id) { id stock { soldOut } waitingRoom { status } } }"


async def get(shop: Shop, document: str, headers: dict[str, str] | None = None, **variables: object) -> httpx2.Response:
    """Register the document, and ask for it by its hash."""
    hash_ = hash_document(document).hex()
    registration = {"query": document, "documentId": hash_, "variables": variables}
    await shop.client.post("/graphql", json=registration)
    params = {"documentId": hash_, "variables": orjson.dumps(variables).decode()}
    return await shop.client.get("/graphql", params=params, headers=headers)


def vary(answer: httpx2.Response) -> set[str]:
    return {name.strip() for name in answer.headers["vary"].split(",")}


async def test_public_answer_may_be_shared_for_a_second(shop: Shop) -> None:
    concert = await shop.on_sale()
    for answer in (await get(shop, CATALOG), await get(shop, BY_ID, id=concert.id)):
        assert "errors" not in answer.json()
        assert answer.headers["cache-control"] == PUBLIC
        assert vary(answer) >= {"Accept", "Cookie", "Authorization", "Origin"}
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["x-request-id"] not in answer.text
        assert "set-cookie" not in answer.headers


async def test_answer_is_the_same_for_another_origin(shop: Shop) -> None:
    here, there = await get(shop, CATALOG), await get(shop, CATALOG, {"Origin": "https://shop.example"})
    ignored = {"x-request-id", "date", "access-control-expose-headers"}
    assert here.content == there.content
    kept = [{name: value for name, value in answer.headers.items() if name not in ignored} for answer in (here, there)]
    assert kept[0] == kept[1]


@pytest.mark.parametrize(
    "document",
    [
        "{ me { name } }",
        "{ serverTime }",
        '{ ticketOffer(token: "nothing") { expiresAt } }',
        "query ($yes: Boolean = false) { concerts(first: 1) { nodes { id } } me @include(if: $yes) { name } }",
        "{ concerts(first: 1) { nodes { id ...Own } } } fragment Own on Concert { organizerId }",
        "{ __schema { queryType { name } } }",
        '{ node(id: "nothing") { id } }',
        '{ queueEntry(concertId: "nothing") { id } }',
        "{ concerts(first: 0) { nodes { id } } }",
        "{ nothing }",
        "{",
    ],
)
async def test_answer_with_personal_fields_or_errors_is_not_stored(shop: Shop, document: str) -> None:
    assert (await get(shop, document)).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("header", ["Cookie", "Authorization"])
async def test_answer_to_a_caller_with_credentials_is_not_stored(shop: Shop, header: str) -> None:
    value = shop.headers("alice")["Authorization"] if header == "Authorization" else "theme=dark"
    answer = await get(shop, CATALOG, {header: value})
    assert "errors" not in answer.json()
    assert "no-store" in answer.headers["cache-control"]


async def test_only_a_get_request_by_hash_is_shared(shop: Shop) -> None:
    hash_ = hash_document(CATALOG).hex()
    by_hash = await get(shop, CATALOG)
    posted = await shop.client.post("/graphql", json={"documentId": hash_})
    by_text = await shop.client.get("/graphql", params={"query": CATALOG})
    by_both = await shop.client.get("/graphql", params={"query": CATALOG, "documentId": hash_})
    assert {answer.text for answer in (posted, by_text, by_both)} == {by_hash.text}
    assert {answer.headers["cache-control"] for answer in (posted, by_text, by_both)} == {"no-store"}


async def test_unknown_hash_is_not_stored(shop: Shop) -> None:
    answer = await shop.client.get("/graphql", params={"documentId": hash_document("{ unheardOf }").hex()})
    assert answer.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    assert answer.headers["cache-control"] == "no-store"
