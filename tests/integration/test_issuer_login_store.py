"""Codes and ended sessions of the development issuer in Redis, as several processes use them."""

import asyncio
import hashlib

import pytest

from auth.dev_issuer.demo_users import DemoUser
from auth.dev_issuer.logins import CODE_LIFETIME_S, ENDED_KEPT_S, REFRESH_LIFETIME_S, Code, Logins, new_page_login
from auth.login_limit import TooManyLogins
from auth.viewer import Role
from domain.limits.rates import Rate
from storage.connect import Stores
from storage.keys import ENDED_SESSIONS_KEY, issuer_code_key
from storage.logins import issuer_logins
from tests.support.waiting import wait_until

HOME, OFFICE = "203.0.113.7", "198.51.100.1"
ALICE = DemoUser("alice", (Role.CUSTOMER,))
DIGEST = "d" * 64


def new_code() -> Code:
    login = new_page_login(ALICE, "onsale-web", nonce="n0nce")
    return Code("http://localhost:5173/", "openid", "challenge", "S256", login)


def logins(stores: Stores, per_address: Rate | None = None) -> Logins:
    return Logins(stores.issuer_logins, stores.call_counter, per_address=per_address)


async def ttl_ms(stores: Stores, key: str) -> int:
    return int(await stores.script_client.run_command("PTTL", key))


async def test_exactly_one_of_a_hundred_requests_takes_a_code(any_stores: Stores) -> None:
    code, made = new_code(), logins(any_stores)
    await made.add_code("c0de", code, address=HOME)
    taken = await asyncio.gather(*(made.take_code("c0de") for _ in range(100)))
    assert [one is not None and one.code for one in taken] == [code] * 100
    assert sorted(one is not None and one.is_replay for one in taken) == [False] + [True] * 99
    assert await made.has_ended(code.login.session_id)
    assert await made.take_code("unknown") is None


async def test_first_use_of_a_code_leaves_its_session_alone(stores: Stores) -> None:
    code, made = new_code(), logins(stores)
    await made.add_code("c0de", code, address=HOME)
    await made.take_code("c0de")
    assert not await made.has_ended(code.login.session_id)


async def test_code_is_stored_under_its_hash_until_it_expires(stores: Stores) -> None:
    made, key = logins(stores), issuer_code_key(hashlib.sha256(b"c0de").hexdigest())
    await made.add_code("c0de", new_code(), address=HOME)
    assert 0 < await ttl_ms(stores, key) <= CODE_LIFETIME_S * 1000
    await made.take_code("c0de")
    assert CODE_LIFETIME_S * 1000 < await ttl_ms(stores, key) <= REFRESH_LIFETIME_S * 1000
    fields = await stores.script_client.run_command("HGETALL", key)
    stored = [*await stores.script_client.run_command("KEYS", "*"), *fields]
    assert not any(b"c0de" in bytes(part) for part in stored)


async def test_expired_code_is_unknown(stores: Stores) -> None:
    store = stores.issuer_logins
    await store.add_code(DIGEST, b"record", lasts_s=60)
    await stores.script_client.run_command("PEXPIRE", issuer_code_key(DIGEST), "1")

    async def is_gone() -> bool:
        return not await stores.script_client.run_command("EXISTS", issuer_code_key(DIGEST))

    await wait_until(is_gone)
    assert await store.take_code(DIGEST, kept_s=60) is None


async def test_adding_a_code_again_gives_it_no_second_use(stores: Stores) -> None:
    """The client of Redis may send a call twice."""
    store = stores.issuer_logins
    await store.add_code(DIGEST, b"record", lasts_s=60)
    assert (await store.take_code(DIGEST, kept_s=60)) == issuer_logins.TakenRecord(b"record", is_replay=False)
    await store.add_code(DIGEST, b"another", lasts_s=60)
    assert (await store.take_code(DIGEST, kept_s=60)) == issuer_logins.TakenRecord(b"record", is_replay=True)


async def test_ended_session_or_token_is_remembered_and_expires(any_stores: Stores) -> None:
    made = logins(any_stores)
    await made.end("s1")
    await made.end("t1")
    assert [await made.has_ended(id_) for id_ in ("s1", "t1", "s2")] == [True, True, False]
    assert await made.covers({"sid": "s2", "jti": "t1"})
    assert not await made.covers({"sid": "s2", "jti": "t2"})
    assert REFRESH_LIFETIME_S * 1000 < await ttl_ms(any_stores, ENDED_SESSIONS_KEY) <= ENDED_KEPT_S * 1000


async def test_session_that_ended_first_is_forgotten_at_the_limit(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_logins, "MAX_ENDED", 3)
    store = stores.issuer_logins
    await store.end("s0", kept_s=60)
    for number in range(1, 4):
        await store.end(f"s{number}", kept_s=120)
    assert [await store.has_ended(f"s{number}") for number in range(4)] == [False, True, True, True]


async def test_forgotten_sessions_make_room_for_others(stores: Stores) -> None:
    store = stores.issuer_logins
    await stores.script_client.run_command("ZADD", ENDED_SESSIONS_KEY, "1", "old")
    assert not await store.has_ended("old")
    await store.end("new", kept_s=60)
    assert await stores.script_client.run_command("ZRANGE", ENDED_SESSIONS_KEY, "0", "-1") == [b"new"]


async def test_address_gets_only_its_number_of_codes(stores: Stores) -> None:
    made = logins(stores, Rate(2, 600))
    added = [made.add_code(f"c{number}", new_code(), address=HOME) for number in range(20)]
    answers = await asyncio.gather(*added, return_exceptions=True)
    assert answers.count(None) == 2
    refused = [str(answer) for answer in answers if isinstance(answer, TooManyLogins)]
    assert len(refused) == 18
    assert refused[0].startswith("The limit for logins is 2 in 600 s per address; try again in ")
    await made.add_code("other", new_code(), address=OFFICE)


async def test_all_addresses_together_get_only_their_number_of_codes(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.dev_issuer.logins.MAX_CODES", 2)
    made = logins(stores)
    for address in (HOME, OFFICE):
        await made.add_code(address, new_code(), address=address)
    with pytest.raises(TooManyLogins, match="2 in 1,800 s for all addresses together"):
        await made.add_code("third", new_code(), address=None)
    assert await made.take_code("third") is None
