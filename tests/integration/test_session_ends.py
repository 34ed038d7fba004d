"""How processes learn of ended sessions: hints, the token cache, the database and startup."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from auth.revocation import revocations as module
from auth.revocation import session_ends
from auth.revocation.backchannel_logout import PATH
from domain.errors import TemporarilyUnavailable
from domain.identity.revocations import RevocationPage
from storage.connect import Stores
from tests.support.ending_sessions import Process, process_on
from tests.support.issuers import KeyServer
from tests.support.logout_tokens import logout_token
from tests.support.tokens import SUBJECT, access_claims, signed
from tests.support.waiting import wait_until

NEVER_S = 3_600.0


@pytest_asyncio.fixture
async def process(stores: Stores, valkey_url: str, key_server: KeyServer) -> AsyncIterator[Process]:
    async with process_on(stores, valkey_url, issuer=key_server.issuer) as made:
        yield made


def token(key_server: KeyServer, session_id: str) -> str:
    return signed(access_claims(key_server.issuer, sid=session_id))


async def test_hint_makes_the_other_process_read_ended_sessions_at_once(
    stores: Stores, valkey_url: str, key_server: KeyServer, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_EVERY_S", NEVER_S)
    async with process_on(stores, valkey_url, issuer=key_server.issuer) as other:
        s1 = token(key_server, "s1")
        assert (await other.ask(s1)).status_code == 200
        logout = logout_token(key_server.issuer, sid="s1")
        assert (await process.client.post(PATH, data={"logout_token": logout})).status_code == 200

        async def is_refused() -> bool:
            return (await other.ask(s1)).status_code == 401

        await wait_until(is_refused, what="the end of the session")


async def test_logout_by_subject_ends_earlier_sessions(process: Process, key_server: KeyServer) -> None:
    s1 = token(key_server, "s1")
    assert (await process.ask(s1)).status_code == 200
    logout = logout_token(key_server.issuer, sub=SUBJECT, sid=None)
    assert (await process.client.post(PATH, data={"logout_token": logout})).status_code == 200
    assert (await process.ask(s1)).status_code == 401
    other = signed(access_claims(key_server.issuer, sub="another-person"))
    assert (await process.ask(other)).status_code == 200


async def test_logout_removes_the_cached_tokens_of_the_session(process: Process, key_server: KeyServer) -> None:
    for session_id in ("s1", "s2"):
        assert (await process.ask(token(key_server, session_id))).status_code == 200
    cached = process.tokens._verified  # noqa: SLF001 - the cache is not part of the interface
    assert len(cached) == 2
    await process.session_ends.revocations.revoke_session("s1")
    assert len(cached) == 1


async def test_logout_is_recorded_once_for_all_processes(
    stores: Stores, valkey_url: str, key_server: KeyServer, process: Process
) -> None:
    async with process_on(stores, valkey_url, issuer=key_server.issuer) as other:
        logout = {"logout_token": logout_token(key_server.issuer, sid="s1")}
        assert (await process.client.post(PATH, data=logout)).status_code == 200
        assert (await other.client.post(PATH, data=logout)).status_code == 400
    assert await stores.mongo["revocations"].count_documents({}) == 1


async def test_logout_is_refused_while_the_keys_are_unknown(process: Process, key_server: KeyServer) -> None:
    key_server.keys = []
    answer = await process.client.post(PATH, data={"logout_token": logout_token(key_server.issuer)})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_credentials_are_refused_until_the_ended_sessions_are_known(
    stores: Stores, valkey_url: str, key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_down = True
    read_pages = stores.revocations.read_pages

    async def read_or_fail(since: int | None) -> AsyncIterator[RevocationPage]:
        if is_down:
            raise TemporarilyUnavailable("The order database does not answer")
        async for page in read_pages(since):
            yield page

    monkeypatch.setattr(type(stores.revocations), "read_pages", lambda _, since: read_or_fail(since))
    monkeypatch.setattr(session_ends, "START_WAIT_S", 0)
    async with process_on(stores, valkey_url, issuer=key_server.issuer) as process:
        refused = await process.ask(token(key_server, "s1"))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert (await process.ask(None, "{ __typename }")).status_code == 200
        is_down = False

        async def is_accepted() -> bool:
            return (await process.ask(token(key_server, "s1"))).status_code == 200

        await wait_until(is_accepted, what="the first read")


async def test_readiness_requires_the_indexes_for_ended_sessions(stores: Stores) -> None:
    async def is_ready() -> bool:
        return await stores.problems() == []

    await wait_until(is_ready, what="the indexes")
    await stores.mongo["revocations"].drop_indexes()
    (problem,) = await stores.problems()
    assert problem.endswith(" lacks the indexes of ended sessions")
