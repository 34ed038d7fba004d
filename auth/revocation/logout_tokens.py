"""Verifies logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.6).

Only a token that the issuer signed for our client and for this purpose is accepted. The event
distinguishes it from access tokens and ID tokens; ID tokens also differ in having a nonce.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import jwt
from jwt.exceptions import InvalidJTIError, InvalidSubjectError

from auth.revocation.revocations import MAX_CLOCK_DIFFERENCE_S
from domain.identity.revocations import Revocation
from domain.ids import PersonId
from domain.text.characters import plain_line

EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_LOGOUT_TOKEN_BYTES = 8_192
"""The maximum size of a logout token. Keycloak's are smaller than 1 KiB."""
MAX_ID_CHARACTERS = 255
LEEWAY_S = 5.0
# Issuers that do not use explicit types send "JWT".
_HEADER_TYPES = (None, "jwt", "logout+jwt")
_CLAIM_TYPES = (None, "Logout")

_REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "has expired"),
    (jwt.ImmatureSignatureError, "is not valid yet; check the clocks"),
    (jwt.InvalidSignatureError, "has an invalid signature"),
    (InvalidSubjectError, "has a malformed sub claim"),
    (InvalidJTIError, "has a malformed jti claim"),
)


class LogoutTokenRefused(Exception):
    """Raised if a logout token is not accepted. `str(error)` contains no part of the token."""


class KeySource(Protocol):
    async def find(self, kid: str) -> jwt.PyJWK | None:
        """Return the issuer's key, or None if it has no such key.

        Raises TemporarilyUnavailable while this is not known.
        """
        ...


class LogoutTokenVerifier:
    """`client_ids` are our clients at the issuer: a token must be meant for one of them."""

    def __init__(
        self,
        keys: KeySource,
        issuer: str,
        *,
        client_ids: Sequence[str],
        algorithms: Sequence[str],
        leeway_s: float = LEEWAY_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._client_ids = tuple(client_ids)
        self._algorithms = tuple(algorithms)
        self._leeway_s = leeway_s
        self._clock = clock

    async def verify(self, token: str) -> Revocation:
        """Return the revocation, whose id is the token's `jti`.

        Raises LogoutTokenRefused, or TemporarilyUnavailable while the issuer's keys are unknown.
        """
        if len(token) > MAX_LOGOUT_TOKEN_BYTES:
            raise LogoutTokenRefused(f"The logout token has more than {MAX_LOGOUT_TOKEN_BYTES} bytes.")
        claims = self._claims(token, await self._key_for(token))
        self._check_purpose(claims)
        return self._revocation(claims)

    async def _key_for(self, token: str) -> jwt.PyJWK:
        try:
            header = jwt.get_unverified_header(token) if token.isascii() else {}
        except jwt.PyJWTError:
            raise _refused("is malformed") from None
        type_ = header.get("typ")
        if header.get("alg") not in self._algorithms:
            raise _refused(f"is not signed with an accepted algorithm; use {', '.join(self._algorithms)}")
        if (type_.lower().removeprefix("application/") if isinstance(type_, str) else type_) not in _HEADER_TYPES:
            raise _refused("has a typ header other than logout+jwt")
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise _refused("has no key id (kid)")
        key = await self._keys.find(kid)
        if key is None:
            raise _refused(f"is signed with a key that issuer {self._issuer} does not publish")
        return key

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, object]:
        try:
            # The age of the token is checked more strictly below.
            claims: dict[str, object] = jwt.decode(
                token,
                key,
                algorithms=self._algorithms,
                issuer=self._issuer,
                audience=self._client_ids,
                leeway=self._leeway_s,
                options={"require": ["iss", "aud", "iat", "jti"], "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise _refused(self._reason(error)) from None
        return claims

    def _reason(self, error: jwt.PyJWTError) -> str:
        if isinstance(error, jwt.MissingRequiredClaimError):
            return f"has no {error.claim} claim"
        if isinstance(error, jwt.InvalidIssuerError):
            return f"was not issued by {self._issuer}"
        if isinstance(error, jwt.InvalidAudienceError):
            return f"is not meant for client {' or '.join(self._client_ids)}"
        return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "is malformed")

    def _check_purpose(self, claims: dict[str, object]) -> None:
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
            raise _refused(f"has no object {EVENT} in its events claim, so it is another kind of token")
        if "nonce" in claims:
            raise _refused("has a nonce claim, so it is an ID token")
        if claims.get("typ") not in _CLAIM_TYPES:
            raise _refused("has a typ claim other than Logout")

    def _revocation(self, claims: dict[str, object]) -> Revocation:
        issued_at_s = claims["iat"]
        if isinstance(issued_at_s, bool) or not isinstance(issued_at_s, int | float):
            raise _refused("has an iat claim that is not a number")
        # Written so that it is also true for NaN.
        if not abs(self._clock() - issued_at_s) <= MAX_CLOCK_DIFFERENCE_S:
            minutes = MAX_CLOCK_DIFFERENCE_S / 60
            raise _refused(f"was not issued within {minutes:.0f} minutes of our time; check the clocks")
        id_ = _id(claims, "jti")
        session_id, person_id = _id(claims, "sid"), _id(claims, "sub")
        if id_ is None:
            raise _refused("has an empty jti claim")
        if session_id is not None:
            return Revocation(id_, session_id=session_id)
        if person_id is None:
            raise _refused("has neither a sid nor a sub claim")
        return Revocation(id_, person_id=PersonId(person_id), issued_before_s=float(issued_at_s))


def _id(claims: dict[str, object], name: str) -> str | None:
    """Return the claim, read as in access tokens, or None if it is absent or empty."""
    value = claims.get(name)
    if value is not None and not isinstance(value, str):
        raise _refused(f"has a malformed {name} claim")
    if value is not None and (len(value) > MAX_ID_CHARACTERS or plain_line(value) != value):
        raise _refused(f"has a malformed {name} claim; it must be up to {MAX_ID_CHARACTERS} visible characters")
    return value or None


def _refused(reason: str) -> LogoutTokenRefused:
    return LogoutTokenRefused(f"The logout token {reason}.")
