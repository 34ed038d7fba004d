"""Logout tokens: every rule has a test case, and a refused token writes nothing."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

import jwt
import pytest

from auth.revocation.backchannel_logout import MAX_LOGOUT_BODY_BYTES, PATH
from auth.revocation.logout_tokens import EVENT
from domain.errors import TemporarilyUnavailable
from domain.identity.revocations import Revocation
from domain.ids import PersonId
from tests.support.logout_tokens import ISSUER, LogoutEndpoint, logout_claims, logout_token
from tests.support.tokens import SUBJECT, access_claims, rsa_key, signed

NOW_S = int(time.time())
"""The time of import. In a run of the whole suite, a test may run minutes later."""
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("changes", "age_s", "session_id"),
    [
        ({}, 0, "s1"),
        ({"sub": None}, 0, "s1"),
        ({"sid": None}, 0, None),
        ({"aud": ["another", "onsale-web"]}, 0, "s1"),
        ({"exp": None, "typ": None}, 0, "s1"),
        ({}, 100, "s1"),
        ({}, -100, "s1"),
    ],
)
async def test_revocation_is_recorded_before_the_answer(
    changes: dict[str, object], age_s: int, session_id: str | None
) -> None:
    endpoint, issued_at_s = LogoutEndpoint(), int(time.time()) - age_s
    answer = await endpoint.post(logout_token(jti="j", iat=issued_at_s, **changes))
    assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (200, b"", "no-store")
    expected = (
        Revocation("j", session_id=session_id)
        if session_id
        else Revocation("j", person_id=PersonId(SUBJECT), issued_before_s=issued_at_s)
    )
    assert [replace(one, recorded_at_s=0) for one in endpoint.store.revocations] == [expected]
    assert endpoint.hints == ["hint"]


@pytest.mark.parametrize("type_", ["logout+jwt", "application/logout+jwt", "LOGOUT+JWT", "JWT", None])
async def test_logout_token_may_have_any_of_these_typ_headers(type_: str | None) -> None:
    assert (await LogoutEndpoint().post(signed(logout_claims(), typ=type_))).status_code == 200


# Tokens are made when a test runs, because they are valid for only two minutes.
REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "another issuer": (lambda: logout_token("https://evil.example.org"), "was not issued by https://id.example.org"),
    "no issuer": (lambda: logout_token(iss=None), "has no iss claim"),
    "another client": (lambda: logout_token(aud="onsale-api"), "is not meant for client onsale-web"),
    "no audience": (lambda: logout_token(aud=None), "has no aud claim"),
    "no events": (lambda: logout_token(events=None), "so it is another kind of token"),
    "another event": (lambda: logout_token(events={"urn:other": {}}), "so it is another kind of token"),
    "event that is not an object": (lambda: logout_token(events={EVENT: True}), "so it is another kind of token"),
    "events as a list": (lambda: logout_token(events=[EVENT]), "so it is another kind of token"),
    "nonce": (lambda: logout_token(nonce="n"), "has a nonce claim"),
    "empty nonce": (lambda: logout_token(nonce=""), "has a nonce claim"),
    "neither sub nor sid": (lambda: logout_token(sub=None, sid=None), "has neither a sid nor a sub claim"),
    "sid that is not a string": (lambda: logout_token(sid=1), "has a malformed sid claim"),
    "long sid": (lambda: logout_token(sid="s" * 256), "has a malformed sid claim"),
    "invisible sid": (lambda: logout_token(sid="s\u200b"), "has a malformed sid claim"),
    "sub that is not a string": (lambda: logout_token(sub=1), "has a malformed sub claim"),
    "old": (lambda: logout_token(iat=NOW_S - 200), "was not issued within 2 minutes"),
    "future": (lambda: logout_token(iat=NOW_S + 3_600), "was not issued within 2 minutes"),
    "iat as text": (lambda: logout_token(iat=str(NOW_S)), "has an iat claim that is not a number"),
    "iat as a boolean": (lambda: logout_token(iat=True), "has an iat claim that is not a number"),
    "iat that is not a number": (lambda: logout_token(iat=float("nan")), "was not issued within 2 minutes"),
    "no iat": (lambda: logout_token(iat=None), "has no iat claim"),
    "expired": (lambda: logout_token(exp=NOW_S - 60), "has expired"),
    "malformed exp": (lambda: logout_token(exp="soon"), "is malformed"),
    "no jti": (lambda: logout_token(jti=None), "has no jti claim"),
    "empty jti": (lambda: logout_token(jti=""), "has an empty jti claim"),
    "long jti": (lambda: logout_token(jti="j" * 256), "has a malformed jti claim"),
    "jti that is not a string": (lambda: logout_token(jti=1), "has a malformed jti claim"),
    "typ claim of an access token": (lambda: logout_token(typ="Bearer"), "has a typ claim other than Logout"),
    "typ header of an access token": (lambda: signed(logout_claims(), typ="at+jwt"), "has a typ header other than"),
    "access token": (lambda: signed(access_claims(ISSUER, aud="onsale-web")), "so it is another kind of token"),
    "ID token": (lambda: signed(access_claims(ISSUER, aud="onsale-web", typ="ID", nonce="n")), "another kind of token"),
    "no kid": (lambda: signed(logout_claims(), None), "has no key id (kid)"),
    "unknown key": (lambda: signed(logout_claims(), kid="k9"), "is signed with a key that issuer"),
    "signature of another key": (lambda: signed(logout_claims(), "k2", kid="k1"), "has an invalid signature"),
    "altered": (lambda: logout_token()[:-8] + "AAAAAAAA", "has an invalid signature"),
    "no signature": (lambda: jwt.encode(logout_claims(), "", "none", {"kid": "k1"}), "is not signed with an accepted"),
    "HMAC": (lambda: jwt.encode(logout_claims(), "s" * 32, "HS256", {"kid": "k1"}), "is not signed with an accepted"),
    "algorithm of another key": (
        lambda: jwt.encode(logout_claims(), rsa_key("k1"), "RS512", {"kid": "k1"}),
        "is malformed",
    ),
    "not a token": (lambda: "no-token", "is malformed"),
    "not ASCII": (lambda: "lögout", "is not signed with an accepted algorithm"),
    "too long": (lambda: "x" * 8_193, "has more than 8192 bytes"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_invalid_token_is_refused_and_nothing_is_written(name: str, caplog: pytest.LogCaptureFixture) -> None:
    endpoint, (make_token, reason) = LogoutEndpoint(), REFUSED[name]
    token = make_token()
    answer = await endpoint.post(token)
    assert (answer.status_code, answer.headers["cache-control"]) == (400, "no-store")
    assert answer.json()["error"] == "invalid_request"
    assert reason in answer.json()["error_description"]
    assert (endpoint.store.revocations, endpoint.hints, len(endpoint.revocations)) == ([], [], 0)
    assert token not in caplog.text


async def test_logout_token_can_be_used_only_once() -> None:
    endpoint, token = LogoutEndpoint(), logout_token(jti="j")
    assert (await endpoint.post(token)).status_code == 200
    again = await endpoint.post(token)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_request")
    assert again.json()["error_description"] == "The logout token was received before; each can be used only once."
    assert len(endpoint.store.revocations) == 1


async def test_logout_of_an_unknown_session_succeeds() -> None:
    assert (await LogoutEndpoint().post(logout_token(sid="a session that no process knows"))).status_code == 200


async def test_logout_gets_503_while_the_signing_keys_are_unavailable() -> None:
    endpoint = LogoutEndpoint()
    endpoint.keys.failure = TemporarilyUnavailable("The signing keys cannot be fetched", retry_after_s=7)
    answer = await endpoint.post(logout_token())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert (answer.headers["cache-control"], answer.json()["error"]) == ("no-store", "temporarily_unavailable")
    assert endpoint.store.revocations == []


async def test_logout_gets_503_after_a_failed_write_and_can_be_repeated() -> None:
    endpoint, token = LogoutEndpoint(), logout_token()
    endpoint.store.failure = TemporarilyUnavailable("The order database does not answer")
    answer = await endpoint.post(token)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert (endpoint.hints, len(endpoint.revocations)) == ([], 0)
    endpoint.store.failure = None
    assert (await endpoint.post(token)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "application/json"}, b'{"logout_token":"x"}', 400),
        ({}, b"logout_token=x", 400),
        (FORM, b"", 400),
        (FORM, b"logout_token=", 400),
        (FORM, b"token=x", 400),
        (FORM, b"logout_token=x&logout_token=y", 400),
        (FORM, b"logout_token=%ff", 400),
        (FORM, b"\xff", 400),
        (FORM, b"&".join(b"a=b" for _ in range(20)), 400),
        (FORM, b"logout_token=" + b"x" * MAX_LOGOUT_BODY_BYTES, 413),
    ],
)
async def test_malformed_request_is_refused(headers: dict[str, str], body: bytes, status: int) -> None:
    endpoint = LogoutEndpoint()
    async with endpoint.client() as client:
        answer = await client.post(PATH, content=body, headers=headers)
    assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store")
    assert answer.json()["error"] == "invalid_request"
    assert endpoint.store.revocations == []


async def test_only_post_is_allowed() -> None:
    async with LogoutEndpoint().client() as client:
        answer = await client.get(PATH, params={"logout_token": logout_token()})
    assert answer.status_code == 405


async def test_cookies_and_origins_do_not_matter() -> None:
    async with LogoutEndpoint().client() as client:
        headers = {"cookie": "a=b", "origin": "https://id.example.org", "authorization": "Bearer x"}
        answer = await client.post(PATH, data={"logout_token": logout_token()}, headers=headers)
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


async def test_log_does_not_reveal_the_session_or_the_person(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await LogoutEndpoint().post(logout_token(sid="the-session-id"))
    assert "the issuer ended a session" in caplog.messages
    assert "the-session-id" not in caplog.text
    assert SUBJECT not in caplog.text
