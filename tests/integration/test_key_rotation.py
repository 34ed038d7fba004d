"""An issuer's new key is found quickly, even while random key ids flood the verifier."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count

import pytest
import pytest_asyncio
from starlette.responses import PlainTextResponse

from auth.issuer_http import IssuerHttp
from auth.tokens import TokenVerifier
from auth.unknown_keys import BURST
from domain.errors import TemporarilyUnavailable, Unauthenticated
from settings import OidcSettings
from tests.support.issuers import KeyServer, make_verifier
from tests.support.tokens import SUBJECT, access_claims, jwk, key_pair, signed, signed_by
from tests.support.waiting import wait_until


@pytest_asyncio.fixture
async def verifier(key_server: KeyServer) -> AsyncIterator[TokenVerifier]:
    """A verifier with a cooldown that does not end during a test."""
    verifier = make_verifier(key_server.issuer, cooldown_s=600)
    await verifier.verify(token(key_server, "k1"))
    yield verifier
    await verifier.aclose()


def token(key_server: KeyServer, kid: str) -> str:
    """Return a new token, signed with the key called `kid`."""
    return signed(access_claims(key_server.issuer), kid)


@asynccontextmanager
async def flood(verifier: TokenVerifier, issuer: str, kids: Iterator[str]) -> AsyncIterator[list[str]]:
    """Send tokens with these key ids until the block ends. Yield the results."""
    claims, results = access_claims(issuer), list[str]()

    async def send() -> None:
        for kid in kids:
            try:
                await verifier.verify(signed(claims, "thief", kid=kid))
            except (Unauthenticated, TemporarilyUnavailable) as error:
                results.append(type(error).__name__)
            await asyncio.sleep(0)

    sending = asyncio.create_task(send())
    try:
        yield results
    finally:
        sending.cancel()
        await asyncio.wait([sending])


async def test_consecutive_rotations_are_followed_immediately(key_server: KeyServer, verifier: TokenVerifier) -> None:
    for number, kid in enumerate(("k2", "k3", "k4"), start=2):
        key_server.keys = [jwk(kid)]
        assert (await verifier.verify(token(key_server, kid))).person_id == SUBJECT
        assert key_server.key_fetches == number


async def test_rotation_through_all_kinds_of_keys_is_followed(key_server: KeyServer, verifier: TokenVerifier) -> None:
    for algorithm in OidcSettings().algorithms:
        key_server.keys = [key_pair(algorithm)[1]]
        viewer = await verifier.verify(signed_by(algorithm, access_claims(key_server.issuer)))
        assert viewer.person_id == SUBJECT


async def test_algorithms_that_are_not_in_the_setting_are_refused(key_server: KeyServer) -> None:
    key_server.keys = [jwk("k1"), key_pair("EdDSA")[1]]
    verifier = TokenVerifier(IssuerHttp(key_server.issuer), OidcSettings(algorithms=("RS256",)))
    await verifier.verify(token(key_server, "k1"))
    with pytest.raises(Unauthenticated, match="signed with the algorithm EdDSA, which is not accepted; use RS256"):
        await verifier.verify(signed_by("EdDSA", access_claims(key_server.issuer)))


async def test_second_token_with_a_new_key_is_accepted_under_a_flood(
    key_server: KeyServer, verifier: TokenVerifier
) -> None:
    random_kids = (f"random {number}" for number in count())
    async with flood(verifier, key_server.issuer, random_kids) as results:
        await wait_until(lambda: len(results) > 50)
        assert key_server.key_fetches == 1 + BURST
        key_server.keys = [jwk("k1"), jwk("k2")]
        with pytest.raises(TemporarilyUnavailable, match="is not known yet") as refused:
            await verifier.verify(token(key_server, "k2"))
        assert refused.value.retry_after_s == 1
        assert (await verifier.verify(token(key_server, "k2"))).person_id == SUBJECT
        seen = len(results)
        await wait_until(lambda: len(results) > seen + 50)
    assert key_server.key_fetches == 2 + BURST
    assert results.count("Unauthenticated") <= BURST + 1


async def test_new_key_is_accepted_after_the_cooldown_under_any_flood(key_server: KeyServer) -> None:
    verifier = make_verifier(key_server.issuer, cooldown_s=1)
    await verifier.verify(token(key_server, "k1"))
    repeated_kids = (f"repeated {number // 2}" for number in count())
    async with flood(verifier, key_server.issuer, repeated_kids) as results:
        await wait_until(lambda: len(results) > 50)
        key_server.keys = [jwk("k2")]

        async def is_accepted() -> bool:
            try:
                return bool(await verifier.verify(token(key_server, "k2")))
            except TemporarilyUnavailable:
                return False

        await wait_until(is_accepted)
    await verifier.aclose()


async def test_unknown_key_during_the_cooldown_causes_a_temporary_error(
    key_server: KeyServer, verifier: TokenVerifier
) -> None:
    for number in range(BURST):
        with pytest.raises(Unauthenticated, match="does not publish"):
            await verifier.verify(signed(access_claims(key_server.issuer), "k1", kid=f"absent {number}"))
    unknown = signed(access_claims(key_server.issuer), "k1", kid="unknown")
    with pytest.raises(TemporarilyUnavailable, match="repeat the same request in 1 s"):
        await verifier.verify(unknown)
    with pytest.raises(Unauthenticated, match="does not publish"):
        await verifier.verify(unknown)
    assert key_server.key_fetches == 2 + BURST


async def test_unknown_key_after_a_failed_fetch_causes_a_temporary_error(
    key_server: KeyServer, verifier: TokenVerifier
) -> None:
    key_server.failure = PlainTextResponse("down", 503)
    for _ in range(2):
        with pytest.raises(TemporarilyUnavailable, match="that is not known yet"):
            await verifier.verify(token(key_server, "k2"))
    assert key_server.key_fetches == 2
    assert (await verifier.verify(token(key_server, "k1"))).person_id == SUBJECT


async def test_leeway_extends_a_viewers_expiry(key_server: KeyServer) -> None:
    verifier = make_verifier(key_server.issuer, leeway_s=120)
    claims = access_claims(key_server.issuer)
    issued_s = claims["iat"]
    assert isinstance(issued_s, int)
    viewer = await verifier.verify(signed(claims | {"exp": issued_s - 60}))
    assert viewer.expires_at == issued_s + 60
