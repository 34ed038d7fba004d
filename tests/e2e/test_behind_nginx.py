"""`python app.py` behind Debian's nginx with TLS, with the configuration in deploy/."""

import asyncio
import gzip
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from schema import hash_document
from storage.embedded.ports import free_port
from storage.embedded.process import ServerProcess
from tests.support.application import Application, started
from tests.support.events import events
from tests.support.nginx import Nginx, find_nginx, running_nginx
from tests.support.sockets import PROTOCOL, Client

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(find_nginx() is None, reason="nginx is missing (apt-get install nginx-light)"),
]

GRAPHQL = "application/graphql-response+json"
OPERATOR = "127.0.0.7"
"""The address that may read the metrics."""


@dataclass(frozen=True, slots=True)
class Site:
    application: Application
    nginx: Nginx


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(
    tmp_path_factory: pytest.TempPathFactory, module_valkey: ServerProcess, module_mongod: ServerProcess
) -> AsyncIterator[Site]:
    folder, port = tmp_path_factory.mktemp("site"), free_port()
    application = Application(
        folder / "onsale",
        REDIS_URL=module_valkey.url,
        MONGO_URL=module_mongod.url,
        PUBLIC_URL=f"https://localhost:{port}",
        TRUSTED_PROXIES="127.0.0.1",
        METRICS_FROM=OPERATOR,
    )
    assert port is not None
    assert application.port is not None
    async with (
        started(application),
        running_nginx(folder / "nginx", port=port, app_port=application.port) as nginx,
    ):
        yield Site(application, nginx)


async def test_requests_and_pages_pass_through_nginx(site: Site) -> None:
    async with site.nginx.client() as client:
        answer = await client.post("/graphql", json={"query": "{ serverTime }"})
        home = await client.get("/")
        page = await client.get("/graphql", headers={"Accept": "text/html"})
    assert list(answer.json()["data"]) == ["serverTime"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert (home.status_code, "script-src 'self'" in home.headers["content-security-policy"]) == (200, True)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_login_uses_the_public_address_and_secure_cookies(site: Site) -> None:
    async with site.nginx.client() as client:
        answer = await client.get("/login", headers={"host": "evil.example", "x-forwarded-host": "evil.example"})
    target = httpx2.URL(answer.headers["location"])
    assert answer.status_code in (302, 303, 307)
    assert target.params["redirect_uri"] == f"{site.nginx.url}/login/callback"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-onsale-login")
    assert {"secure", "httponly", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}


async def test_sockets_pass_through_nginx(site: Site) -> None:
    url = site.nginx.url.replace("https", "wss") + "/graphql"
    origin = Origin(site.nginx.url)
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], ssl=site.nginx.tls, origin=origin) as connection:
        client = Client(connection)
        await client.sign_in()
        await client.send({"type": "ping"})
        assert await client.receive() == {"type": "pong"}


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_sockets_from_other_pages_are_refused(site: Site, origin: str) -> None:
    url = site.nginx.url.replace("https", "wss") + "/graphql"
    with pytest.raises(InvalidStatus) as refusal:
        await connect(url, subprotocols=[Subprotocol(PROTOCOL)], ssl=site.nginx.tls, origin=Origin(origin))
    assert refusal.value.response.status_code == 403
    assert "ONSALE_ALLOWED_ORIGINS" in (refusal.value.response.body or b"").decode()


async def test_event_streams_are_not_buffered(site: Site) -> None:
    query = 'subscription { stockChanged(concertId: "Q29uY2VydDp4") { __typename } }'
    async with (
        site.nginx.client() as client,
        client.stream("POST", "/graphql", json={"query": query}, headers={"accept": "text/event-stream"}) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers.get("x-accel-buffering") is None
        assert (await anext(aiter(answer.aiter_lines()))) == "event: next"


async def test_client_cannot_claim_another_address(site: Site) -> None:
    url = f"{site.application.url}/metrics"
    claimed = {"x-forwarded-for": OPERATOR}
    async with site.nginx.client(address="127.0.0.3") as client:
        assert (await client.get("/livez", headers=claimed)).status_code == 200
        assert (await client.get("/metrics", headers=claimed)).status_code == 404
    assert (await _status(url, from_address="127.0.0.3", headers=claimed)) == 404
    assert (await _status(url, from_address="127.0.0.1", headers=claimed)) == 200
    assert (await _status(url, from_address=OPERATOR)) == 200


async def _status(url: str, *, from_address: str, headers: dict[str, str] | None = None) -> int:
    transport = httpx2.AsyncHTTPTransport(local_address=from_address)
    async with httpx2.AsyncClient(transport=transport) as client:
        return (await client.get(url, headers=headers)).status_code


async def test_large_payment_webhook_passes_through_nginx(site: Site) -> None:
    async with site.nginx.client() as client:
        answer = await client.post("/webhooks/payments", content=b"x" * 512 * 1024)
        too_large = await client.post("/webhooks/payments", content=b"x" * (512 * 1024 + 1))
    assert answer.status_code == 400
    assert answer.json().keys() == {"error", "message"}
    assert too_large.status_code == 413


async def test_long_answers_are_compressed_and_short_ones_are_not(site: Site) -> None:
    async with httpx2.AsyncClient(base_url=site.application.url) as client:
        compressed, content = await _read_raw(client, "/schema.graphql", "gzip")
        plain, plain_content = await _read_raw(client, "/schema.graphql", "identity")
        short, _ = await _read_raw(client, "/livez", "gzip")
    assert compressed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(content) == plain_content
    assert len(content) < len(plain_content) / 3
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in short.headers
    assert "Accept-Encoding" in compressed.headers["vary"]
    assert "Accept-Encoding" in plain.headers["vary"]


async def test_event_streams_are_not_compressed(site: Site) -> None:
    # The operation is refused, and the refusal arrives on a stream.
    headers = {"Accept": "text/event-stream", "Accept-Encoding": "gzip"}
    body = {"query": "subscription ($id: ID!) { stockChanged(concertId: $id) { soldOut } }", "variables": {"id": "x"}}
    async with site.nginx.client() as client, events(client, "POST", "/graphql", json=body, headers=headers) as stream:
        name, _ = await stream.receive()
        assert name == "next"
        assert "content-encoding" not in stream.response.headers


async def test_nginx_answers_repeated_public_queries_from_its_cache(site: Site) -> None:
    document = f"{{ concerts(first: 1) {{ nodes {{ id }} }} }} # {uuid.uuid4()}"
    params = {"documentId": hash_document(document).hex()}
    async with site.nginx.client() as client:
        await client.post("/graphql", json={"query": document, **params})
        answers = await asyncio.gather(*[client.get("/graphql", params=params) for _ in range(20)])
        ids = {answer.headers["x-request-id"] for answer in answers}
        with_cookie = await client.get("/graphql", params=params, headers={"Cookie": "theme=dark"})
        other_type = await client.get("/graphql", params=params, headers={"Accept": GRAPHQL})
    assert {answer.text for answer in answers} == {with_cookie.text} == {other_type.text}
    # Each answer from Onsale has a new id. A slow machine may need more than a second for twenty.
    assert len(ids) < len(answers)
    assert with_cookie.headers["x-request-id"] not in ids
    assert with_cookie.headers["cache-control"] == "no-store"
    assert other_type.headers["content-type"].startswith(GRAPHQL)


async def _read_raw(client: httpx2.AsyncClient, path: str, encoding: str) -> tuple[httpx2.Response, bytes]:
    """Return an answer and its content as it was sent."""
    async with client.stream("GET", path, headers={"Accept-Encoding": encoding}) as answer:
        return answer, b"".join([part async for part in answer.aiter_raw()])
