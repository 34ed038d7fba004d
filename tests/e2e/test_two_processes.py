"""Two server processes on one pair of stores sign people in, and limit addresses, as one server."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import pytest_asyncio

from storage.embedded.process import ServerProcess
from tests.support.api_client import ApiClient
from tests.support.application import Application
from tests.support.events import Events, events
from tests.support.issuer_client import IssuerClient
from tests.support.login_browser import Browser, open_browser
from tests.support.shop import CREATE, PUBLISH, OnSale, concert_input, lines, new_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOCKETS = "subscriptions.sockets.ws_protocol:SocketProtocol"
HOLD = """
mutation ($input: HoldTicketsInput!) {
  holdTickets(input: $input) { __typename ... on RateLimitedError { call per limit seconds } }
}
"""
SUBSCRIPTION = "subscription ($id: ID!) { stockChanged(concertId: $id) { tiers { available } } }"
SHARE = 2
"""What each of the two processes admits of a limit of 5."""


@dataclass(frozen=True, slots=True)
class Processes:
    first: Application
    """Serves the port that the settings of both name, so it is where the issuer is reached."""
    second: Application

    @property
    def both(self) -> tuple[Application, Application]:
        return self.first, self.second

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.first.port}"

    def at(self, application: Application, url: str) -> str:
        """Return the URL with the port of this process."""
        return urlsplit(url)._replace(netloc=f"localhost:{application.port}").geturl()

    async def session_name(self, application: Application, browser: Browser) -> str | None:
        """Return the name of the person whom this process takes the browser for, if any."""
        body, headers = {"query": "{ me { name } }"}, {"Origin": self.origin}
        answer = await browser.http.post(self.at(application, f"{self.origin}/graphql"), json=body, headers=headers)
        person = (answer.json().get("data") or {}).get("me")
        return person and str(person["name"])


def process(folder: Path, name: str, settings: dict[str, Any]) -> Application:
    application = Application(folder / name, **settings)
    options = ("--no-access-log", "--ws", SOCKETS, "--port", str(application.port))
    application.command = ("-m", "uvicorn", "app:app", *options)
    return application


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def processes(
    tmp_path_factory: pytest.TempPathFactory, module_valkey: ServerProcess, shared_mongod: ServerProcess
) -> AsyncIterator[Processes]:
    folder = tmp_path_factory.mktemp("processes")
    settings: dict[str, Any] = {
        "DATA_DIR": folder / "data",
        "REDIS_URL": module_valkey.url,
        "MONGO_URL": shared_mongod.url,
        "MONGO_DATABASE": f"test_{uuid.uuid4().hex}",
        "PROCESSES": 2,
        "LIMIT_HOLD_REQUESTS_PER_ADDRESS": "5/600",
        "LIMIT_STREAMS_PER_ADDRESS": 5,
    }
    first = process(folder, "first", settings)
    second = process(folder, "second", settings | {"PORT": first.port})
    # Both start at the same time, in a folder without keys and a database without indexes.
    try:
        await asyncio.gather(first.start(), second.start())
        await asyncio.gather(first.ready(), second.ready())
        yield Processes(first, second)
    finally:
        await asyncio.gather(*(one.end() for one in (first, second)))


@pytest_asyncio.fixture(loop_scope="module")
async def browser(processes: Processes) -> AsyncIterator[Browser]:
    async with open_browser(processes.origin) as browser:
        yield browser


def issuer_at(application: Application, http: httpx2.AsyncClient) -> IssuerClient:
    return IssuerClient(f"http://localhost:{application.port}/realms/onsale", http)


async def create_concert(api: ApiClient, token: str) -> OnSale:
    made = (await api.ask(token, CREATE, input=concert_input())).json()["data"]["createConcert"]["concert"]
    await api.ask(token, PUBLISH, input={"concertId": made["id"]})
    return OnSale(made["id"], tuple(tier["id"] for tier in made["tiers"]))


def watch(client: httpx2.AsyncClient, concert: OnSale) -> AbstractAsyncContextManager[Events]:
    body = {"query": SUBSCRIPTION, "variables": {"id": concert.id}}
    return events(client, "POST", "/graphql", json=body, headers={"accept": "text/event-stream"})


@pytest_asyncio.fixture(loop_scope="module")
async def token(processes: Processes) -> str:
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await issuer_at(processes.first, http).with_password("olivia")
        return str(answer.json()["access_token"])


async def test_login_may_change_the_process_at_every_step(processes: Processes, browser: Browser) -> None:
    second = processes.second
    request = await browser.start_login()
    browser.base = processes.at(second, processes.origin)
    callback = await browser.sign_in(request)
    # The second process made the code. It redeems the code at the first, as a client of the issuer.
    signed_in = await browser.http.get(processes.at(second, callback))
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, f"{processes.origin}/")
    assert [await processes.session_name(one, browser) for one in processes.both] == ["alice", "alice"]

    cookies = dict(browser.http.cookies)
    signed_out = await browser.http.post(
        processes.at(second, f"{processes.origin}/logout"),
        headers={"Origin": processes.origin, "Accept": "application/json"},
    )
    assert (await browser.http.get(processes.at(second, signed_out.json()["location"]))).status_code == 303
    browser.http.cookies.update(cookies)
    assert [await processes.session_name(one, browser) for one in processes.both] == [None, None]


async def test_code_is_redeemed_once_by_all_processes_together(processes: Processes) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
        issuers = [issuer_at(one, http) for one in processes.both]
        code = await issuers[0].code()
        answers = await asyncio.gather(*(issuers[number % 2].redeem(code) for number in range(40)))
        assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 39}
        (tokens,) = (answer.json() for answer in answers if answer.status_code == 200)
        for issuer in issuers:
            assert (await issuer.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_session_that_ends_at_one_process_ends_at_the_other(processes: Processes) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
        first, second = (issuer_at(one, http) for one in processes.both)
        tokens = (await second.redeem(await first.code())).json()
        assert (await first.userinfo(tokens["access_token"])).status_code == 200
        await second.logout(id_token_hint=tokens["id_token"])
        assert (await first.userinfo(tokens["access_token"])).status_code == 401
        assert (await first.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_processes_share_the_calls_of_an_address(processes: Processes, token: str) -> None:
    apis = [ApiClient(one.url) for one in processes.both]
    concert = await create_concert(apis[0], token)
    wanted = {"concertId": concert.id, "lines": lines(concert, 1)}
    for api in apis:
        answers = [
            (await api.ask(token, HOLD, input=wanted | {"idempotencyKey": new_key()})).json()["data"]["holdTickets"]
            for _ in range(SHARE + 1)
        ]
        assert [answer["__typename"] for answer in answers] == ["HoldTicketsSuccess"] * SHARE + ["RateLimitedError"]
        refused = {"call": "HOLD_TICKETS", "per": "ADDRESS", "limit": SHARE, "seconds": 600}
        assert answers[-1] == {"__typename": "RateLimitedError", **refused}


async def test_processes_share_the_streams_of_an_address(processes: Processes, token: str) -> None:
    concert = await create_concert(ApiClient(processes.first.url), token)
    # A stream that nothing refers to is closed.
    streams: list[Events] = []
    async with AsyncExitStack() as stack:
        for application in processes.both:
            client = await stack.enter_async_context(httpx2.AsyncClient(base_url=application.url, timeout=60))
            for _ in range(SHARE):
                streams.append(await stack.enter_async_context(watch(client, concert)))
                assert (await streams[-1].receive())[0] == "next"
            async with watch(client, concert) as refused:
                assert refused.response.status_code == 503
                text = (await refused.response.aread()).decode()
            assert f"Your address has reached its limit of open connections ({SHARE})" in text
