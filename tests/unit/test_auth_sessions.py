"""Login sessions: who may use them, when they are renewed, and what happens if that fails."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from auth.sessions.backoff import FIRST_S, LONGEST_S, Backoff
from auth.sessions.cipher import SessionCipher, keys_from_file
from auth.sessions.oidc_client import IssuerUnavailable, LoginRefused
from auth.sessions.session import Session, decode_session
from auth.viewer import Role
from domain.errors import SessionLost, TemporarilyUnavailable, Unauthenticated
from domain.ids import PersonId
from settings import SessionSettings
from tests.support.login_sessions import ALICE, LIFETIME_S, FakeClock, Login
from tests.support.waiting import wait_until

# With a chance of 0.5, a session is renewed in the middle of the last third of its token's life.
RENEWED_AFTER_S = LIFETIME_S * 5 / 6
AWAY_S = SessionSettings().issuer_away_s


@pytest_asyncio.fixture
async def login() -> AsyncIterator[Login]:
    login = Login()
    yield login
    await login.sessions.aclose()


async def test_session_belongs_to_the_person_named_in_its_tokens(login: Login) -> None:
    cookie = await login.sign_in()
    viewer = await login.sessions.viewer_of(cookie)
    assert (viewer.person_id, viewer.name, viewer.email, set(viewer.roles)) == (
        ALICE.person_id,
        "alice",
        "alice@onsale.example",
        {Role.CUSTOMER},
    )
    assert viewer.is_email_verified
    assert (viewer.expires_at, viewer.issued_at, viewer.session_id) == (None, login.clock.now_s, "sid-1")


def test_session_of_an_earlier_version_has_no_confirmed_address() -> None:
    session = Session(
        person_id=PersonId("alice-id"),
        name="alice",
        email="alice@onsale.example",
        roles=frozenset({Role.CUSTOMER}),
        issuer_session="sid-1",
        signed_in_at=1.0,
        renew_at=2.0,
        expires_at=3.0,
        ends_at=4.0,
        refresh_token=None,
        id_token=None,
        is_email_verified=True,
    )
    stored = json.loads(session.encode())
    del stored["is_email_verified"]
    assert decode_session(json.dumps(stored).encode()) == replace(session, is_email_verified=False)


async def test_cookie_has_256_bits_and_redis_stores_only_its_hash(login: Login) -> None:
    cookies = {await login.sign_in() for _ in range(3)}
    assert [len(cookie) for cookie in cookies] == [43, 43, 43]
    assert set(login.memory.sealed) == {hashlib.sha256(cookie.encode()).hexdigest() for cookie in cookies}


async def test_redis_holds_no_readable_text(login: Login) -> None:
    cookie = await login.sign_in()
    [sealed] = login.memory.sealed.values()
    # Shorter texts could occur in the cipher text by chance.
    for secret in (b"refresh_token", b"alice", b"sid-1", cookie.encode()):
        assert secret not in sealed


async def test_session_cannot_be_moved_to_another_cookie(login: Login) -> None:
    await login.sign_in()
    bob = await login.sign_in()
    digests = list(login.memory.sealed)
    login.memory.sealed[digests[1]] = login.memory.sealed[digests[0]]
    with pytest.raises(SessionLost):
        await login.sessions.viewer_of(bob)


@pytest.mark.parametrize("cookie", ["", "x", "é" * 30, "\ud800", "a" * 5_000])
async def test_unknown_cookie_raises_session_lost(login: Login, cookie: str) -> None:
    await login.sign_in()
    with pytest.raises(SessionLost, match="Your session has ended; sign in again"):
        await login.sessions.viewer_of(cookie)


async def test_token_of_another_person_creates_no_session(login: Login) -> None:
    with pytest.raises(Unauthenticated, match="belong to different people"):
        await login.sessions.create(replace(login.issuer.tokens(), subject="bob-id"))
    assert login.memory.sealed == {}


async def test_revoked_login_creates_no_session(login: Login) -> None:
    login.revocations.people.add(ALICE.person_id)
    with pytest.raises(SessionLost):
        await login.sign_in()
    assert login.memory.sealed == {}


async def test_revoked_session_is_lost_and_deleted(login: Login) -> None:
    cookie = await login.sign_in()
    login.revocations.people.add(ALICE.person_id)
    with pytest.raises(SessionLost):
        await login.sessions.viewer_of(cookie)
    assert login.memory.sealed == {}


async def test_no_session_is_accepted_before_the_revocations_are_known(login: Login) -> None:
    cookie = await login.sign_in()
    login.revocations.is_loaded = False
    with pytest.raises(TemporarilyUnavailable):
        await login.sessions.viewer_of(cookie)
    assert len(login.memory.sealed) == 1


async def test_session_ends_when_its_refresh_token_or_lifetime_expires(login: Login) -> None:
    start_s = login.clock.now_s
    await login.sign_in()
    assert list(login.memory.ends_at.values()) == [start_s + 1_800]
    login.issuer.refresh_expires_in_s = None
    await login.sign_in()
    assert list(login.memory.ends_at.values())[1:] == [start_s + 36_000]


# Renewals


async def test_session_is_renewed_in_the_background_in_the_last_third(login: Login) -> None:
    cookie = await login.sign_in()
    login.clock.advance(RENEWED_AFTER_S - 1)
    await login.sessions.viewer_of(cookie)
    assert login.issuer.refreshed == []
    login.clock.advance(1)
    login.issuer.gate.clear()
    assert (await login.sessions.viewer_of(cookie)).name == "alice"
    await wait_until(lambda: login.issuer.refreshed == ["r1"])
    assert (await login.sessions.current(cookie)).expires_at == login.clock.now_s + 50
    login.issuer.gate.set()
    await wait_until_renewed(login, cookie)
    login.clock.advance(RENEWED_AFTER_S)
    await login.sessions.viewer_of(cookie)
    login.memory.end_claims()
    await wait_until_refreshed(login, cookie, "r1", "r2")


@pytest.mark.parametrize(("chance", "after_s"), [(0.0, 200), (0.25, 225), (1.0, 300)])
async def test_renewals_are_spread_over_the_last_third(login: Login, chance: float, after_s: float) -> None:
    login.clock.chance = chance
    cookie = await login.sign_in()
    assert (await login.sessions.current(cookie)).renew_at == login.clock.now_s + after_s


async def test_expired_session_is_renewed_once_for_all_requests(login: Login) -> None:
    cookie = await login.sign_in()
    login.issuer.viewer = replace(ALICE, roles=frozenset({Role.ORGANIZER}))
    login.clock.advance(LIFETIME_S + 1)
    viewers = await asyncio.gather(*(login.sessions.viewer_of(cookie) for _ in range(20)))
    assert [viewer.roles for viewer in viewers] == [{Role.ORGANIZER}] * 20
    assert login.issuer.refreshed == ["r1"]


async def test_renewed_session_keeps_the_time_of_its_login(login: Login) -> None:
    signed_in_s = login.clock.now_s
    cookie = await login.sign_in()
    login.clock.advance(LIFETIME_S)
    assert (await login.sessions.viewer_of(cookie)).issued_at == signed_in_s


async def test_only_one_of_two_processes_renews_a_session(login: Login) -> None:
    cookie = await login.sign_in()
    other = Login(store=login.memory, issuer=login.issuer)
    login.issuer.viewer = replace(ALICE, name="Alice B.")
    login.clock.advance(LIFETIME_S)
    viewers = await asyncio.gather(login.sessions.viewer_of(cookie), other.sessions.viewer_of(cookie))
    assert [viewer.name for viewer in viewers] == ["Alice B."] * 2
    assert login.issuer.refreshed == ["r1"]
    await other.sessions.aclose()


async def test_session_is_not_renewed_again_before_the_gap_is_over(login: Login) -> None:
    cookie = await login.sign_in()
    login.clock.advance(LIFETIME_S)
    await login.sessions.viewer_of(cookie)
    login.clock.advance(LIFETIME_S)
    await login.sessions.viewer_of(cookie)
    assert login.issuer.refreshed == ["r1"]
    login.memory.end_claims()
    await login.sessions.viewer_of(cookie)
    assert login.issuer.refreshed == ["r1", "r2"]


async def test_signing_out_during_a_renewal_ends_the_session(login: Login) -> None:
    cookie = await login.sign_in()
    login.clock.advance(RENEWED_AFTER_S)
    login.issuer.gate.clear()
    await login.sessions.viewer_of(cookie)
    await wait_until(lambda: login.issuer.refreshed == ["r1"])
    ended = await login.sessions.end(cookie)
    assert ended is not None
    assert ended.id_token == "id1"
    login.issuer.gate.set()
    await login.sessions.aclose()
    assert login.memory.sealed == {}


async def test_session_is_lost_if_the_issuer_refuses_to_renew_it(login: Login) -> None:
    cookie = await login.sign_in()
    login.issuer.failure = LoginRefused("Session not active")
    login.clock.advance(LIFETIME_S)
    with pytest.raises(SessionLost):
        await login.sessions.viewer_of(cookie)
    assert login.memory.sealed == {}


@pytest.mark.parametrize("problem", ["person", "audience"])
async def test_session_is_lost_if_its_new_token_is_unusable(login: Login, problem: str) -> None:
    cookie = await login.sign_in()
    if problem == "person":
        login.issuer.viewer = replace(ALICE, person_id=PersonId("bob-id"))
    else:
        login.issuer.token_failure = Unauthenticated("not meant for onsale-api")
    login.clock.advance(LIFETIME_S)
    with pytest.raises(SessionLost):
        await login.sessions.viewer_of(cookie)
    assert login.memory.sealed == {}


async def test_session_without_a_refresh_token_ends_with_its_token(login: Login) -> None:
    cookie = await login.sessions.create(replace(login.issuer.tokens(), refresh_token=None))
    login.clock.advance(LIFETIME_S - 1)
    await login.sessions.viewer_of(cookie)
    login.clock.advance(1)
    with pytest.raises(SessionLost):
        await login.sessions.viewer_of(cookie)
    assert login.issuer.refreshed == []


# While the issuer is unavailable


async def test_session_outlasts_an_issuer_outage_for_the_configured_time(login: Login) -> None:
    cookie = await login.sign_in()
    login.issuer.failure = IssuerUnavailable("no answer")
    login.clock.advance(LIFETIME_S + AWAY_S - 1)
    assert (await login.sessions.viewer_of(cookie)).name == "alice"
    login.clock.advance(1)
    with pytest.raises(TemporarilyUnavailable, match="issuer cannot be reached to renew your session"):
        await login.sessions.viewer_of(cookie)
    login.issuer.failure = None
    login.memory.end_claims()
    login.clock.advance(LONGEST_S)
    assert (await login.sessions.viewer_of(cookie)).name == "alice"


async def test_process_pauses_between_attempts_during_an_issuer_outage(login: Login) -> None:
    first, second = await login.sign_in(), await login.sign_in()
    login.issuer.failure = IssuerUnavailable("no answer")
    login.clock.advance(LIFETIME_S)
    await login.sessions.viewer_of(first)
    await login.sessions.viewer_of(second)
    assert len(login.issuer.refreshed) == 1
    login.clock.advance(FIRST_S)
    await login.sessions.viewer_of(second)
    assert len(login.issuer.refreshed) == 2


async def test_new_refresh_token_is_kept_if_the_keys_are_unavailable(login: Login) -> None:
    cookie = await login.sign_in()
    login.issuer.token_failure = TemporarilyUnavailable("The signing keys cannot be fetched")
    login.clock.advance(LIFETIME_S)
    assert (await login.sessions.viewer_of(cookie)).name == "alice"
    assert (await login.sessions.current(cookie)).refresh_token == "r2"


def test_pauses_double_up_to_a_minute() -> None:
    clock = FakeClock(chance=0.0)
    backoff = Backoff(clock.now, clock.random)
    pauses_s = []
    for _ in range(8):
        backoff.fail()
        started_s = clock.now_s
        while backoff.is_waiting:
            clock.advance(1)
        pauses_s.append(clock.now_s - started_s)
    assert pauses_s == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.succeed()
    backoff.fail()
    clock.advance(1)
    assert not backoff.is_waiting


# Rechecks of open connections


@pytest.mark.parametrize(("chance", "delay_s"), [(0.0, 480), (0.5, 600), (1.0, 720)])
async def test_time_between_rechecks_varies_by_a_fifth(login: Login, chance: float, delay_s: float) -> None:
    login.clock.chance = chance
    assert login.sessions.recheck("any", ALICE).delay_s() == pytest.approx(delay_s)


async def test_removing_a_role_ends_a_connection_within_a_minute(login: Login) -> None:
    olivia = replace(ALICE, roles=frozenset({Role.ORGANIZER}))
    login.issuer.viewer = olivia
    cookie = await login.sign_in()
    login.clock.chance = 1.0
    recheck, signed_in_at = login.sessions.recheck(cookie, olivia), login.clock.now()
    login.issuer.viewer = ALICE
    for renewals in (0, 1):
        login.clock.advance(recheck.delay_s())
        await recheck.check()
        await wait_until(lambda renewals=renewals: len(login.issuer.refreshed) >= renewals)  # type: ignore[misc]
    login.clock.advance(recheck.delay_s())
    with pytest.raises(Unauthenticated, match="roles have changed"):
        await recheck.check()
    assert login.clock.now() <= signed_in_at + 60


async def test_recheck_renews_the_session_and_later_notices_that_it_has_ended(login: Login) -> None:
    cookie = await login.sign_in()
    recheck = login.sessions.recheck(cookie, ALICE)
    login.clock.advance(600)
    await recheck.check()
    assert login.issuer.refreshed == ["r1"]
    await login.sessions.end(cookie)
    with pytest.raises(SessionLost):
        await recheck.check()


async def test_recheck_tolerates_outages_of_the_store_and_the_issuer(login: Login) -> None:
    cookie = await login.sign_in()
    recheck = login.sessions.recheck(cookie, ALICE)
    login.memory.is_away = True
    login.clock.advance(600 + AWAY_S - 1)
    await recheck.check()
    login.clock.advance(1)
    with pytest.raises(TemporarilyUnavailable):
        await recheck.check()
    login.memory.is_away = False
    login.issuer.failure = IssuerUnavailable("no answer")
    with pytest.raises(TemporarilyUnavailable):
        await recheck.check()


# Keys


def test_first_key_encrypts_and_all_keys_decrypt() -> None:
    old, new = b"o" * 32, b"n" * 32
    sealed = SessionCipher([old]).seal(b"text", digest="d")
    both = SessionCipher([new, old])
    assert both.open(sealed, digest="d") == b"text"
    assert SessionCipher([new]).open(both.seal(b"text", digest="d"), digest="d") == b"text"
    assert SessionCipher([new]).open(sealed, digest="d") is None


@pytest.mark.parametrize("place", [0, 11, 12, -1])
def test_altered_text_is_refused(place: int) -> None:
    cipher = SessionCipher([b"k" * 32])
    sealed = bytearray(cipher.seal(b"text", digest="d"))
    sealed[place] ^= 1
    assert cipher.open(bytes(sealed), digest="d") is None
    assert cipher.open(b"", digest="d") is None


def test_generated_key_is_created_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "data" / "session-key"
    [key] = keys_from_file(path)
    assert (len(key), keys_from_file(path), path.stat().st_mode & 0o777) == (32, [key], 0o600)


async def wait_until_renewed(login: Login, cookie: str) -> None:
    async def is_renewed() -> bool:
        return (await login.sessions.current(cookie)).refresh_token == "r2"

    await wait_until(is_renewed)


async def wait_until_refreshed(login: Login, cookie: str, *tokens: str) -> None:
    async def is_refreshed() -> bool:
        await login.sessions.viewer_of(cookie)
        return login.issuer.refreshed == list(tokens)

    await wait_until(is_refreshed)
