"""Token verification with keys from a real HTTP server: accepted and refused tokens."""

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
from hypothesis import given
from hypothesis import strategies as st

from auth.tokens import MAX_TOKEN_BYTES, TokenVerifier
from auth.viewer import Role, Viewer
from domain.errors import TemporarilyUnavailable, Unauthenticated
from domain.ids import PersonId
from settings import OidcSettings
from tests.support.issuers import KeyServer, make_verifier, running_key_server
from tests.support.tokens import SUBJECT, access_claims, jwk, rsa_key, signed
from tests.support.waiting import wait_until

LEEWAY_S = OidcSettings().leeway_s


@asynccontextmanager
async def verifier_of(
    key_server: KeyServer, *, cooldown_s: int = 10, key_trust_s: int = 600
) -> AsyncIterator[TokenVerifier]:
    verifier = make_verifier(key_server.issuer, cooldown_s=cooldown_s, key_trust_s=key_trust_s)
    try:
        yield verifier
    finally:
        await verifier.aclose()


@pytest_asyncio.fixture
async def verifier(key_server: KeyServer) -> AsyncIterator[TokenVerifier]:
    async with verifier_of(key_server) as made:
        yield made


async def refusal(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token)
    return str(caught.value)


class SharedVerifier:
    """A verifier and its key server in a separate event loop, for tests that change neither."""

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
def shared() -> Iterator[SharedVerifier]:
    with asyncio.Runner() as runner:
        context = running_key_server()
        key_server = runner.run(context.__aenter__())
        verifier = make_verifier(key_server.issuer)
        yield SharedVerifier(runner, verifier, key_server.issuer)
        runner.run(verifier.aclose())
        runner.run(context.__aexit__(None, None, None))


def test_access_token_identifies_its_viewer(shared: SharedVerifier) -> None:
    alice = Viewer(PersonId(SUBJECT), "alice", "alice@onsale.example", frozenset({Role.CUSTOMER}))
    claims = access_claims(shared.issuer)
    expires_at = claims["exp"]
    issued_at = claims["iat"]
    assert isinstance(expires_at, int)
    assert isinstance(issued_at, int)
    expected = replace(
        alice, expires_at=expires_at + LEEWAY_S, issued_at=issued_at, session_id="s-1", is_email_verified=True
    )
    assert shared.verify(signed(claims | {"sid": "s-1"})) == expected


@pytest.mark.parametrize("value", [None, False, "true", 1, [True]])
def test_address_counts_as_confirmed_only_if_the_token_says_true(shared: SharedVerifier, value: object) -> None:
    viewer = shared.verify(signed(access_claims(shared.issuer, email_verified=value)))
    assert isinstance(viewer, Viewer)
    assert (viewer.email, viewer.is_email_verified) == ("alice@onsale.example", False)


def test_verified_token_is_served_from_the_cache(shared: SharedVerifier) -> None:
    token = signed(access_claims(shared.issuer))
    assert shared.verify(token) is shared.verify(token)


@pytest.mark.parametrize("header_type", ["JWT", "at+jwt", "application/at+jwt", "AT+JWT"])
def test_typ_headers_of_access_tokens_are_accepted(shared: SharedVerifier, header_type: str) -> None:
    viewer = shared.verify(signed(access_claims(shared.issuer), typ=header_type))
    assert viewer.person_id == SUBJECT


@pytest.mark.parametrize(
    ("realm_access", "roles"),
    [
        ({"roles": ["customer", "organizer", "gate"]}, {Role.CUSTOMER, Role.ORGANIZER, Role.GATE}),
        ({"roles": ["Admin", None, 7, {"customer": 1}]}, set()),
        ({"roles": "customer"}, set()),
        ({"roles": {"customer": True}}, set()),
        (["customer"], set()),
        (None, set()),
    ],
)
def test_roles_come_only_from_a_list_of_known_names(
    shared: SharedVerifier, realm_access: object, roles: set[Role]
) -> None:
    viewer = shared.verify(signed(access_claims(shared.issuer, realm_access=realm_access)))
    assert viewer.roles == roles


def test_name_and_email_may_be_missing(shared: SharedVerifier) -> None:
    viewer = shared.verify(signed(access_claims(shared.issuer, preferred_username=None, email=None)))
    assert (viewer.name, viewer.email) == (SUBJECT, None)


NOW_S = int(time.time())
DAY_S = 86_400
"""Longer than a test run, because the parameters below are built when the run starts."""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exp": NOW_S - 60}, "refresh it or sign in again"),
        ({"nbf": NOW_S + DAY_S}, "is not valid until "),
        ({"iat": NOW_S + DAY_S}, " s in the future: the issuer's clock is ahead"),
        (
            {"iss": "https://evil.example/realms/test"},
            "was issued by https://evil.example/realms/test; sign in at http",
        ),
        ({"aud": "onsale-web", "typ": "ID"}, "is an ID token (typ ID); send the access token"),
        (
            {"aud": ["onsale-api-2"]},
            "is meant for onsale-api-2, not for onsale-api; in Keycloak, add an audience mapper",
        ),
        ({"aud": "account"}, "is meant for account, not for onsale-api; in Keycloak, add an audience mapper"),
        ({"aud": [7]}, "is invalid because its aud claim is malformed"),
        ({"typ": "ID"}, "is an ID token (typ ID)"),
        ({"typ": "Refresh"}, "is a refresh token (typ Refresh)"),
        ({"typ": "Offline"}, "is a refresh token (typ Offline)"),
        ({"typ": "Logout"}, "is a logout token or another security event; send the access token"),
        ({"events": {}}, "is a logout token or another security event; send the access token"),
        ({"typ": "DPoP"}, "is bound to a key (DPoP), which this server does not support"),
        ({"cnf": {"jkt": "x"}}, "is bound to a key (DPoP), which this server does not support"),
        ({"cnf": {"x5t#S256": "x"}}, "is bound to a key (mutual TLS), which this server does not support"),
        ({"typ": "Other"}, "is a token of typ Other"),
        ({"typ": None}, "has no typ claim"),
        ({"exp": None}, "has no exp"),
        ({"iat": None}, "has no iat"),
        ({"iss": None}, "has no iss"),
        ({"aud": None}, "is meant for no audience (aud), not for onsale-api; in Keycloak, add an audience mapper"),
        ({"sub": None, "aud": None}, "has no sub claim; in Keycloak, give its client the default client scope basic"),
        ({"sub": None}, "has no sub claim; in Keycloak, give its client the default client scope basic"),
        ({"exp": "soon"}, "is malformed"),
        ({"exp": str(NOW_S + DAY_S)}, "is invalid because its exp claim is not a number"),
        ({"exp": 2**60}, "is invalid because its exp claim is too large"),
        ({"sub": 7}, "is invalid because its sub claim is malformed"),
        ({"sub": ""}, "is invalid because its sub claim is malformed"),
        ({"sub": "a" * 256}, "is invalid because its sub claim is malformed"),
        ({"sub": "a b"}, "is invalid because its sub claim is malformed"),
        ({"sub": "a\n"}, "is invalid because its sub claim is malformed"),
        ({"sub": "{tag}"}, "is invalid because its sub claim is malformed"),
        ({"sub": "house"}, "is invalid because its sub claim is malformed"),
    ],
)
def test_refusal_of_invalid_claims_states_the_reason(
    shared: SharedVerifier, changes: dict[str, object], message: str
) -> None:
    assert message in shared.refusal(signed(access_claims(shared.issuer, **changes)))


def test_forged_signature_is_refused(shared: SharedVerifier) -> None:
    forged = jwt.encode(access_claims(shared.issuer), rsa_key("thief"), "RS256", headers={"kid": "k1"})
    assert shared.refusal(forged) == "The access token has an invalid signature; sign in again."


async def test_unsigned_token_is_refused(key_server: KeyServer, verifier: TokenVerifier) -> None:
    unsigned = jwt.encode(access_claims(key_server.issuer), "", "none", headers={"kid": "k1"})
    assert "is signed with the algorithm none, which is not accepted; use RS256" in await refusal(verifier, unsigned)
    assert key_server.key_fetches <= 1


def test_public_key_is_not_accepted_as_an_hmac_secret(shared: SharedVerifier) -> None:
    public = rsa_key("k1").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "typ": "JWT", "kid": "k1"}
    body = b".".join(_segment(part) for part in (header, access_claims(shared.issuer)))
    signature = base64.urlsafe_b64encode(hmac.digest(public, body, hashlib.sha256)).rstrip(b"=")
    assert "is signed with the algorithm HS256, which is not accepted" in shared.refusal(
        (body + b"." + signature).decode()
    )


def test_token_signed_with_another_rsa_algorithm_is_refused(shared: SharedVerifier) -> None:
    pss = jwt.encode(access_claims(shared.issuer), rsa_key("k1"), "PS256", headers={"kid": "k1"})
    assert "is signed with an algorithm that its key does not allow" in shared.refusal(pss)


@pytest.mark.parametrize(
    ("header_type", "message"),
    [
        ("onsale-pass+jwt", "has the wrong typ header, onsale-pass+jwt; send an access token"),
        ("logout+jwt", "has the wrong typ header, logout+jwt; send an access token"),
        ("dpop+jwt", "is a DPoP proof (typ dpop+jwt); send the access token"),
        (7, "has the wrong typ header, 7; send an access token"),
        (["JWT"], 'has the wrong typ header, ["JWT"]; send an access token'),
    ],
)
def test_tokens_with_the_wrong_typ_header_are_refused(
    shared: SharedVerifier, header_type: object, message: str
) -> None:
    assert shared.refusal(signed(access_claims(shared.issuer), typ=header_type)) == f"The access token {message}."


def test_token_without_a_key_id_is_refused(shared: SharedVerifier) -> None:
    assert "has no key id (kid)" in shared.refusal(signed(access_claims(shared.issuer), None))


async def test_concurrent_tokens_with_unknown_keys_cause_one_fetch(
    key_server: KeyServer, verifier: TokenVerifier
) -> None:
    await verifier.verify(signed(access_claims(key_server.issuer)))
    unknown = [signed(access_claims(key_server.issuer), "k1", kid=f"unknown{number}") for number in range(200)]
    messages = await asyncio.gather(*(refusal(verifier, token) for token in unknown))
    assert set(messages) == {
        f"The access token is signed with a key that issuer {key_server.issuer} does not publish; sign in again."
    }
    assert key_server.key_fetches == 2


async def test_new_key_is_found_without_a_restart(key_server: KeyServer) -> None:
    async with verifier_of(key_server, cooldown_s=0) as verifier:
        await verifier.verify(signed(access_claims(key_server.issuer)))
        key_server.keys = [jwk("k1"), jwk("k2")]
        tokens = [signed(access_claims(key_server.issuer, jti=str(number)), "k2") for number in range(100)]
        viewers = await asyncio.gather(*(verifier.verify(token) for token in tokens))
        assert {viewer.person_id for viewer in viewers} == {SUBJECT}
        assert key_server.key_fetches == 2


async def test_withdrawn_key_invalidates_cached_tokens(key_server: KeyServer) -> None:
    async with verifier_of(key_server, cooldown_s=0) as verifier:
        old = signed(access_claims(key_server.issuer), "k1")
        await verifier.verify(old)
        key_server.keys = [jwk("k2")]
        await verifier.verify(signed(access_claims(key_server.issuer), "k2"))
        assert "does not publish" in await refusal(verifier, old)


async def test_withdrawn_key_is_noticed_even_if_all_tokens_are_cached(key_server: KeyServer) -> None:
    async with verifier_of(key_server, cooldown_s=0, key_trust_s=0) as verifier:
        token = signed(access_claims(key_server.issuer))
        await verifier.verify(token)
        key_server.keys = [jwk("k2")]

        async def is_refused() -> bool:
            try:
                await verifier.verify(token)
            except Unauthenticated:
                return True
            return False

        await wait_until(is_refused)


async def test_unavailable_issuer_causes_a_temporary_error(key_server: KeyServer) -> None:
    key_server.discovery = {"issuer": "https://another.example", "jwks_uri": f"{key_server.issuer}/certs"}
    async with verifier_of(key_server) as verifier:
        with pytest.raises(TemporarilyUnavailable, match="cannot be fetched") as caught:
            await verifier.verify(signed(access_claims(key_server.issuer)))
        assert caught.value.retry_after_s == 1
        assert key_server.key_fetches == 0


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", "a.b.c", "e30.e30.", "Bearer x.y.z", "\x00", "ключ", "\ud800", "null.null.null", "=.=.="],
)
def test_malformed_token_is_refused(shared: SharedVerifier, token: str) -> None:
    assert "The access token is" in shared.refusal(token)


def test_token_above_the_size_limit_is_refused(shared: SharedVerifier) -> None:
    empty = len(signed(access_claims(shared.issuer, padding="")))
    padding = (MAX_TOKEN_BYTES - empty) * 3 // 4
    largest = signed(access_claims(shared.issuer, padding="x" * padding))
    assert MAX_TOKEN_BYTES - 4 < len(largest) <= MAX_TOKEN_BYTES
    assert (shared.verify(largest)).person_id == SUBJECT
    larger = signed(access_claims(shared.issuer, padding="x" * (padding + 8)))
    assert shared.refusal(larger).startswith(
        f"The access token has {len(larger):,} bytes, and the limit is 16,384; remove roles or groups from it"
    )


def test_refusal_does_not_repeat_the_token(shared: SharedVerifier) -> None:
    token = signed(access_claims(shared.issuer, exp=NOW_S - 60, preferred_username="secretive"))
    message = shared.refusal(token)
    assert "secretive" not in message
    assert not any(segment in message for segment in token.split("."))


@given(token=st.text(max_size=200) | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_arbitrary_text_is_refused_as_a_token(shared: SharedVerifier, token: str) -> None:
    assert shared.refusal(token)


@given(data=st.data())
def test_token_with_one_changed_character_is_refused(shared: SharedVerifier, data: st.DataObject) -> None:
    token = signed(access_claims(shared.issuer))
    position = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters(codec="ascii").filter(lambda other: other != token[position]))
    assert shared.refusal(token[:position] + character + token[position + 1 :])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3),
    max_leaves=6,
)
CLAIMS = ("exp", "iat", "nbf", "sub", "aud", "jti", "typ", "realm_access", "preferred_username", "email")


@given(changes=st.dictionaries(st.sampled_from(CLAIMS), JSON, min_size=1))
def test_any_signed_claims_result_in_a_viewer_or_a_refusal(shared: SharedVerifier, changes: dict[str, object]) -> None:
    with contextlib.suppress(Unauthenticated):
        viewer = shared.verify(signed(access_claims(shared.issuer, **changes)))
        assert viewer.person_id == changes.get("sub", SUBJECT)
        assert viewer.roles <= set(Role)


@given(changes=st.dictionaries(st.sampled_from(("alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5u")), JSON))
def test_no_header_makes_a_forged_token_valid(shared: SharedVerifier, changes: dict[str, object]) -> None:
    header = {"alg": "RS256", "typ": "JWT", "kid": "k1", **changes}
    body = b".".join(_segment(part) for part in (header, access_claims(shared.issuer)))
    assert shared.refusal((body + b".c2lnbmF0dXJl").decode())


def _segment(part: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
