"""Tokens checked against keys from a real HTTP server: who gets in, and what everybody else is told."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from auth.tokens import MAX_TOKEN_BYTES, TokenVerifier
from auth.viewer import Role, Viewer
from domain.errors import TemporarilyUnavailable, Unauthenticated
from domain.ids import PersonId
from tests.support.issuers import KeyServer
from tests.support.serving import serving
from tests.support.tokens import AUDIENCE, SUBJECT, access_claims, jwk, rsa_key, signed
from tests.support.waiting import wait_until


@asynccontextmanager
async def key_server() -> AsyncIterator[KeyServer]:
    """Publishes k1."""
    servers: list[KeyServer] = []

    def build(base: str) -> ASGIApp:
        servers.append(KeyServer(base, jwk("k1")))
        return servers[0].app

    async with serving(build):
        yield servers[0]


@asynccontextmanager
async def verifier_of(
    server: KeyServer, *, cooldown_s: float = 10, refresh_every_s: float = 600
) -> AsyncIterator[TokenVerifier]:
    verifier = TokenVerifier(server.issuer, AUDIENCE, cooldown_s=cooldown_s, refresh_every_s=refresh_every_s)
    try:
        yield verifier
    finally:
        await verifier.aclose()


@pytest_asyncio.fixture
async def server() -> AsyncIterator[KeyServer]:
    async with key_server() as running:
        yield running


@pytest_asyncio.fixture
async def verifier(server: KeyServer) -> AsyncIterator[TokenVerifier]:
    async with verifier_of(server) as made:
        yield made


async def refusal(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token)
    return str(caught.value)


class Bench:
    """A verifier with its key server in a loop of its own, shared by the tests that change neither."""

    def __init__(self, runner: asyncio.Runner, verifier: TokenVerifier, issuer: str) -> None:
        self.runner = runner
        self.verifier = verifier
        self.issuer = issuer

    def verify(self, token: str) -> Viewer:
        return self.runner.run(self.verifier.verify(token))

    def refusal(self, token: str) -> str:
        with pytest.raises(Unauthenticated) as caught:
            self.verify(token)
        return str(caught.value)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with asyncio.Runner() as runner:
        context = key_server()
        server = runner.run(context.__aenter__())
        verifier = TokenVerifier(server.issuer, AUDIENCE)
        yield Bench(runner, verifier, server.issuer)
        runner.run(verifier.aclose())
        runner.run(context.__aexit__(None, None, None))


def test_an_access_token_names_its_viewer(bench: Bench) -> None:
    alice = Viewer(PersonId(SUBJECT), "alice", "alice@onsale.example", frozenset({Role.CUSTOMER}))
    claims = access_claims(bench.issuer)
    expires_at = claims["exp"]
    assert isinstance(expires_at, int)
    assert bench.verify(signed(claims)) == replace(alice, expires_at=expires_at)


def test_a_token_seen_before_is_answered_from_the_cache(bench: Bench) -> None:
    token = signed(access_claims(bench.issuer))
    assert bench.verify(token) is bench.verify(token)


@pytest.mark.parametrize("header_type", ["JWT", "at+jwt", "application/at+jwt", "AT+JWT"])
def test_both_kinds_of_header_are_access_tokens(bench: Bench, header_type: str) -> None:
    viewer = bench.verify(signed(access_claims(bench.issuer), typ=header_type))
    assert viewer.person_id == SUBJECT


@pytest.mark.parametrize(
    ("realm_access", "roles"),
    [
        ({"roles": ["customer", "organizer", "gate"]}, {Role.CUSTOMER, Role.ORGANIZER, Role.GATE}),
        ({"roles": ["admin", None, 7, {"customer": 1}]}, set()),
        ({"roles": "customer"}, set()),
        ({"roles": {"customer": True}}, set()),
        (["customer"], set()),
        (None, set()),
    ],
)
def test_only_a_list_of_known_names_gives_roles(bench: Bench, realm_access: object, roles: set[Role]) -> None:
    viewer = bench.verify(signed(access_claims(bench.issuer, realm_access=realm_access)))
    assert viewer.roles == roles


def test_name_and_email_may_be_missing(bench: Bench) -> None:
    viewer = bench.verify(signed(access_claims(bench.issuer, preferred_username=None, email=None)))
    assert (viewer.name, viewer.email) == (SUBJECT, None)


NOW_S = int(time.time())
DAY_S = 86_400
"""Longer than a test run: the parameters are made when it begins."""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"exp": NOW_S - 60}, "has expired; refresh it"),
        ({"nbf": NOW_S + DAY_S}, "is not valid yet"),
        ({"iat": NOW_S + DAY_S}, "is not valid yet"),
        ({"iss": "https://evil.example/realms/test"}, "was issued by another issuer; sign in at http://127.0.0.1"),
        ({"aud": "onsale-web", "typ": "ID"}, "is not meant for onsale-api"),
        ({"aud": ["onsale-api-2"]}, "is not meant for onsale-api"),
        ({"typ": "ID"}, "is an ID token or a refresh token"),
        ({"typ": "Refresh"}, "is an ID token or a refresh token"),
        ({"typ": None}, "is an ID token or a refresh token"),
        ({"exp": None}, "has no exp"),
        ({"iat": None}, "has no iat"),
        ({"iss": None}, "has no iss"),
        ({"aud": None}, "has no aud"),
        ({"sub": None}, "has no sub"),
        ({"exp": "soon"}, "is malformed"),
        ({"exp": str(NOW_S + DAY_S)}, "has an exp claim that is not a number"),
        ({"sub": 7}, "has a malformed sub"),
        ({"sub": ""}, "has a malformed sub"),
        ({"sub": "a" * 256}, "has a malformed sub"),
        ({"sub": "a b"}, "has a malformed sub"),
        ({"sub": "a\n"}, "has a malformed sub"),
        ({"sub": "{tag}"}, "has a malformed sub"),
        ({"sub": "house"}, "has a malformed sub"),
    ],
)
def test_claims_that_do_not_hold_are_refused(bench: Bench, changes: dict[str, object], told: str) -> None:
    assert told in bench.refusal(signed(access_claims(bench.issuer, **changes)))


def test_a_forged_signature_is_refused(bench: Bench) -> None:
    forged = jwt.encode(access_claims(bench.issuer), rsa_key("thief"), "RS256", headers={"kid": "k1"})
    assert bench.refusal(forged) == "The access token has an invalid signature; sign in again."


async def test_an_unsigned_token_is_refused(server: KeyServer, verifier: TokenVerifier) -> None:
    unsigned = jwt.encode(access_claims(server.issuer), "", "none", headers={"kid": "k1"})
    assert "is signed with an algorithm that is not accepted; use RS256" in await refusal(verifier, unsigned)
    assert server.key_fetches <= 1


def test_the_public_key_is_no_hmac_secret(bench: Bench) -> None:
    public = rsa_key("k1").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "typ": "JWT", "kid": "k1"}
    body = b".".join(_segment(part) for part in (header, access_claims(bench.issuer)))
    signature = base64.urlsafe_b64encode(hmac.digest(public, body, hashlib.sha256)).rstrip(b"=")
    assert "is signed with an algorithm that is not accepted" in bench.refusal((body + b"." + signature).decode())


def test_a_key_of_another_family_than_its_alg_is_refused(bench: Bench) -> None:
    pss = jwt.encode(access_claims(bench.issuer), rsa_key("k1"), "PS256", headers={"kid": "k1"})
    assert "is signed with an algorithm that is not accepted" in bench.refusal(pss)


@pytest.mark.parametrize("header_type", ["onsale-pass+jwt", "dpop+jwt", 7, ["JWT"]])
def test_other_kinds_of_token_are_refused(bench: Bench, header_type: object) -> None:
    token = signed(access_claims(bench.issuer), typ=header_type)
    assert bench.refusal(token) == "The access token has the wrong typ header; send an access token."


def test_a_token_names_its_key(bench: Bench) -> None:
    assert "has no key id (kid)" in bench.refusal(signed(access_claims(bench.issuer), None))


async def test_unknown_keys_do_not_flood_the_issuer(server: KeyServer, verifier: TokenVerifier) -> None:
    await verifier.verify(signed(access_claims(server.issuer)))
    unknown = [signed(access_claims(server.issuer), "k1", kid=f"unknown{number}") for number in range(200)]
    told = await asyncio.gather(*(refusal(verifier, token) for token in unknown))
    assert set(told) == {
        f"The access token is signed with a key that issuer {server.issuer} does not publish; sign in again."
    }
    assert server.key_fetches == 1


async def test_a_new_key_is_found_without_a_restart(server: KeyServer) -> None:
    async with verifier_of(server, cooldown_s=0) as verifier:
        await verifier.verify(signed(access_claims(server.issuer)))
        server.keys = [jwk("k1"), jwk("k2")]
        tokens = [signed(access_claims(server.issuer, jti=str(number)), "k2") for number in range(100)]
        viewers = await asyncio.gather(*(verifier.verify(token) for token in tokens))
        assert {viewer.person_id for viewer in viewers} == {SUBJECT}
        assert server.key_fetches == 2


async def test_a_withdrawn_key_ends_cached_tokens(server: KeyServer) -> None:
    async with verifier_of(server, cooldown_s=0) as verifier:
        old = signed(access_claims(server.issuer), "k1")
        await verifier.verify(old)
        server.keys = [jwk("k2")]
        await verifier.verify(signed(access_claims(server.issuer), "k2"))
        assert "does not publish" in await refusal(verifier, old)


async def test_a_withdrawn_key_is_noticed_while_everybody_is_cached(server: KeyServer) -> None:
    async with verifier_of(server, cooldown_s=0, refresh_every_s=0) as verifier:
        token = signed(access_claims(server.issuer))
        await verifier.verify(token)
        server.keys = [jwk("k2")]

        async def is_refused() -> bool:
            try:
                await verifier.verify(token)
            except Unauthenticated:
                return True
            return False

        await wait_until(is_refused)


async def test_keys_by_address_need_no_discovery(server: KeyServer) -> None:
    server.discovery = {}
    verifier = TokenVerifier(server.issuer, AUDIENCE, jwks_url=f"{server.issuer}/certs")
    assert (await verifier.verify(signed(access_claims(server.issuer)))).person_id == SUBJECT
    await verifier.aclose()


async def test_an_issuer_that_is_away_is_no_fault_of_the_token(server: KeyServer) -> None:
    server.discovery = {"issuer": "https://somebody.else.example", "jwks_uri": f"{server.issuer}/certs"}
    async with verifier_of(server) as verifier:
        with pytest.raises(TemporarilyUnavailable, match="cannot be fetched") as caught:
            await verifier.verify(signed(access_claims(server.issuer)))
        assert caught.value.retry_after_s == 1
        assert server.key_fetches == 0


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", "a.b.c", "e30.e30.", "Bearer x.y.z", "\x00", "ключ", "\ud800", "null.null.null", "=.=.="],
)
def test_what_is_no_token_is_refused(bench: Bench, token: str) -> None:
    assert "The access token is" in bench.refusal(token)


def test_a_token_at_the_limit_is_read_and_one_above_is_not(bench: Bench) -> None:
    empty = len(signed(access_claims(bench.issuer, padding="")))
    padding = (MAX_TOKEN_BYTES - empty) * 3 // 4
    largest = signed(access_claims(bench.issuer, padding="x" * padding))
    assert MAX_TOKEN_BYTES - 4 < len(largest) <= MAX_TOKEN_BYTES
    assert (bench.verify(largest)).person_id == SUBJECT
    larger = signed(access_claims(bench.issuer, padding="x" * (padding + 8)))
    assert bench.refusal(larger) == "The token has more than 8192 bytes; send an access token."


def test_a_refusal_repeats_nothing_of_the_token(bench: Bench) -> None:
    token = signed(access_claims(bench.issuer, exp=NOW_S - 60, preferred_username="secretive"))
    told = bench.refusal(token)
    assert "secretive" not in told
    assert not any(segment in told for segment in token.split("."))


@settings(deadline=None)
@given(token=st.text(max_size=200) | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_any_text_is_refused(bench: Bench, token: str) -> None:
    assert bench.refusal(token)


@settings(deadline=None)
@given(data=st.data())
def test_one_changed_character_is_refused(bench: Bench, data: st.DataObject) -> None:
    token = signed(access_claims(bench.issuer))
    position = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters(codec="ascii").filter(lambda other: other != token[position]))
    assert bench.refusal(token[:position] + character + token[position + 1 :])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3),
    max_leaves=6,
)
CLAIMS = ("exp", "iat", "nbf", "sub", "aud", "jti", "typ", "realm_access", "preferred_username", "email")


@settings(deadline=None)
@given(changes=st.dictionaries(st.sampled_from(CLAIMS), JSON, min_size=1))
def test_any_signed_claims_are_a_viewer_or_refused(bench: Bench, changes: dict[str, object]) -> None:
    with contextlib.suppress(Unauthenticated):
        viewer = bench.verify(signed(access_claims(bench.issuer, **changes)))
        assert viewer.person_id == changes.get("sub", SUBJECT)
        assert viewer.roles <= set(Role)


@settings(deadline=None)
@given(changes=st.dictionaries(st.sampled_from(("alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5u")), JSON))
def test_no_header_makes_a_forged_token_good(bench: Bench, changes: dict[str, object]) -> None:
    header = {"alg": "RS256", "typ": "JWT", "kid": "k1", **changes}
    body = b".".join(_segment(part) for part in (header, access_claims(bench.issuer)))
    assert bench.refusal((body + b".c2lnbmF0dXJl").decode())


def _segment(part: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
