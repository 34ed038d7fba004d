"""Requests with a session cookie, over real HTTP and Redis: reading, holding tickets, streaming."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest
import pytest_asyncio

from auth.callers import PREFLIGHT_HEADER
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.login_sessions import ALICE, Login
from tests.support.shop import HOLD, OnSale, Shop, lines, new_key, shop_on
from tests.support.store_servers import borrowed_stores

pytestmark = pytest.mark.asyncio(loop_scope="module")

ME = "{ me { name roles } }"
NAMED = {"data": {"me": {"name": "alice", "roles": ["CUSTOMER"]}}}
PREFLIGHT = {PREFLIGHT_HEADER: "1"}


@dataclass(frozen=True, slots=True)
class Door:
    """A shop that keeps its login sessions in Redis."""

    shop: Shop
    login: Login

    @property
    def origin(self) -> str:
        return str(self.shop.client.base_url).rstrip("/")

    async def cookie(self) -> dict[str, str]:
        return {"Cookie": f"onsale-session={await self.login.sign_in()}"}

    async def post(self, document: str, headers: dict[str, str], **variables: object) -> httpx2.Response:
        body = {"query": document, "variables": variables}
        return await self.shop.client.post("/graphql", json=body, headers=headers)

    async def get(self, document: str, headers: dict[str, str]) -> httpx2.Response:
        return await self.shop.client.get("/graphql", params={"query": document}, headers=headers)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(shared_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[Door]:
    async with borrowed_stores(shared_valkey.url, databases) as stores:
        login = Login(store=stores.login_sessions)
        async with shop_on(stores, shared_valkey.url, sessions=login.sessions) as shop:
            yield Door(shop, login)
        await login.sessions.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def concert(door: Door) -> OnSale:
    return await door.shop.on_sale()


def code_of(answer: httpx2.Response) -> str:
    [error] = answer.json()["errors"]
    code: str = error["extensions"]["code"]
    return code


async def test_post_from_our_page_is_signed_in_and_private(door: Door) -> None:
    answer = await door.post(ME, await door.cookie() | {"Origin": door.origin})
    assert (answer.status_code, answer.json()["data"]) == (200, NAMED["data"])
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["vary"] == "Accept, Cookie, Authorization, Origin"
    assert "access-control-allow-credentials" not in answer.headers


async def test_answers_never_contain_a_token_or_a_cookie(door: Door) -> None:
    cookie = await door.cookie()
    answer = await door.post(ME, cookie | {"Origin": door.origin})
    shown = answer.text + str(answer.headers)
    assert not any(secret in shown for secret in (cookie["Cookie"].partition("=")[2], '"r1"', '"t1"'))


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_post_from_another_page_changes_and_shows_nothing(
    door: Door, concert: OnSale, headers: dict[str, str]
) -> None:
    input_ = {"concertId": concert.id, "lines": lines(concert, 1), "idempotencyKey": new_key()}
    before = await door.shop.stock(concert)
    answer = await door.post(HOLD, await door.cookie() | headers, input=input_)
    assert (answer.status_code, code_of(answer)) == (403, "FORBIDDEN")
    assert "ONSALE_PUBLIC_URL" in answer.json()["errors"][0]["message"]
    assert "data" not in answer.json()
    assert "set-cookie" not in answer.headers
    assert await door.shop.stock(concert) == before


async def test_get_needs_the_header_that_forces_a_preflight(door: Door) -> None:
    own = await door.cookie() | {"Sec-Fetch-Site": "same-origin"}
    refused = await door.get(ME, own)
    assert (refused.status_code, code_of(refused)) == (403, "FORBIDDEN")
    assert PREFLIGHT_HEADER in refused.json()["errors"][0]["message"]
    answer = await door.get(ME, own | PREFLIGHT)
    assert (answer.status_code, answer.json()["data"]) == (200, NAMED["data"])


async def test_stream_needs_the_header_that_forces_a_preflight(door: Door) -> None:
    own = await door.cookie() | {"Origin": door.origin, "Accept": "text/event-stream"}
    refused = await door.post(ME, own)
    assert (refused.status_code, code_of(refused)) == (403, "FORBIDDEN")
    answer = await door.post(ME, own | PREFLIGHT)
    assert '"name":"alice"' in answer.text
    assert answer.headers["cache-control"] == "private, no-store"


async def test_preflight_from_another_page_allows_no_credentials(door: Door) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": PREFLIGHT_HEADER.lower()}
    answer = await door.shop.client.options("/graphql", headers={"Origin": "https://evil.example", **asked})
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_token_takes_precedence_over_the_cookie(door: Door) -> None:
    headers = await door.cookie() | door.shop.headers("bob") | {"Origin": "https://shop.example"}
    answer = await door.post("{ me { name } }", headers)
    assert answer.json()["data"] == {"me": {"name": "bob"}}


async def test_bad_token_is_refused_even_with_a_good_cookie(door: Door) -> None:
    headers = await door.cookie() | {"Origin": door.origin, "Authorization": "Bearer nonsense"}
    answer = await door.post(ME, headers)
    assert (answer.status_code, code_of(answer)) == (401, "UNAUTHENTICATED")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("is_known", [True, False])
async def test_lost_session_is_refused_and_its_cookie_is_cleared(door: Door, is_known: bool) -> None:
    cookie = await door.cookie() if is_known else {"Cookie": "onsale-session=unknown"}
    await door.login.sessions.end(cookie["Cookie"].partition("=")[2])
    answer = await door.post(ME, cookie | {"Origin": door.origin})
    assert (answer.status_code, code_of(answer)) == (401, "SESSION_LOST")
    assert answer.headers["set-cookie"] == 'onsale-session=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax'


async def test_holds_belong_to_the_person_and_survive_a_new_login(door: Door, concert: OnSale) -> None:
    input_ = {"concertId": concert.id, "lines": lines(concert, 1), "idempotencyKey": new_key()}
    first = await door.cookie() | {"Origin": door.origin}
    held = (await door.post(HOLD, first, input=input_)).json()["data"]["holdTickets"]["hold"]
    await door.login.sessions.end(first["Cookie"].partition("=")[2])
    again = await door.cookie() | {"Origin": door.origin}
    answer = await door.post("{ me { holds { id state } } }", again)
    assert answer.json()["data"] == {"me": {"holds": [{"id": held["id"], "state": "HELD"}]}}
    by_token = {"Authorization": f"Bearer {door.shop.token('alice', sub=ALICE.person_id)}"}
    assert (await door.post("{ me { holds { id state } } }", by_token)).json() == answer.json()
