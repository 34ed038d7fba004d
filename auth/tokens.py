"""Turns a bearer token into a Viewer, or explains the refusal and the next step.

Accepts only access tokens that a published key of the issuer signed with an accepted algorithm,
that are meant for our audience, and that are currently valid. The content of a token never decides
how it is checked.
"""

import time
from collections.abc import Mapping

import jwt
from jwt.exceptions import InvalidSubjectError

from auth.jwks import ALGORITHMS
from auth.signing_keys import COOLDOWN_S, REFRESH_EVERY_S, SigningKeys
from auth.verified_tokens import VerifiedTokens
from auth.viewer import Role, Viewer
from domain.errors import Unauthenticated
from domain.ids import PersonId, is_person_id
from domain.text.characters import plain_line

MAX_TOKEN_BYTES = 8_192
"""The maximum size of a token.

Many servers limit all headers together to 8 KiB; a Keycloak token has about 1 KiB.
"""
LEEWAY_S = 5.0
"""The maximum difference between the clocks of two hosts that use NTP."""
MAX_NAME_CHARACTERS = 255

_HEADER_TYPES = (None, "jwt", "at+jwt")

_REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "has expired; refresh it or sign in again"),
    (jwt.ImmatureSignatureError, "is not valid yet; check the clock of the machine that issued it"),
    (jwt.InvalidSignatureError, "has an invalid signature; sign in again"),
    (InvalidSubjectError, "has a malformed sub claim; sign in again"),
    (jwt.InvalidAlgorithmError, f"is signed with an algorithm that is not accepted; use {', '.join(ALGORITHMS)}"),
)


class TokenVerifier:
    """Verifies tokens. A process has one instance.

    `issuer` and `audience` are compared exactly. `jwks_url` skips discovery.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        jwks_url: str | None = None,
        refresh_every_s: float = REFRESH_EVERY_S,
        cooldown_s: float = COOLDOWN_S,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = SigningKeys(issuer, jwks_url=jwks_url, refresh_every_s=refresh_every_s, cooldown_s=cooldown_s)
        self._verified = VerifiedTokens()

    async def verify(self, token: str) -> Viewer:
        """Return the viewer.

        Raises Unauthenticated, or TemporarilyUnavailable while the issuer's keys cannot be fetched.
        """
        if len(token) > MAX_TOKEN_BYTES:
            raise Unauthenticated(f"The token has more than {MAX_TOKEN_BYTES} bytes; send an access token.")
        if not token.isascii():
            raise _refused("is malformed; send the access token exactly as the issuer returned it")
        # Done even for cached tokens: if all tokens are cached, nothing else detects that a key was
        # withdrawn.
        self._keys.refresh_if_stale()
        known = self._verified.get(token, now_s=time.time(), generation=self._keys.generation)
        return known or await self._verify_uncached(token)

    async def aclose(self) -> None:
        await self._keys.aclose()

    async def _verify_uncached(self, token: str) -> Viewer:
        key = await self._key_for(token)
        claims = self._verified_claims(token, key)
        viewer = _viewer(claims)
        self._verified.add(token, viewer, expires_at_s=_expiry_s(claims), generation=self._keys.generation)
        return viewer

    async def _key_for(self, token: str) -> jwt.PyJWK:
        """Return the issuer's key that signed the token.

        The unverified header is read only to refuse early and to find the key among the issuer's
        keys. Raises Unauthenticated, or TemporarilyUnavailable while the keys cannot be fetched.
        """
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise _refused("is malformed; send the access token exactly as the issuer returned it") from None
        if header.get("alg") not in ALGORITHMS:
            raise _refused(f"is signed with an algorithm that is not accepted; use {', '.join(ALGORITHMS)}")
        if not _is_header_type_of_access_token(header.get("typ")):
            raise _refused("has the wrong typ header; send an access token")
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise _refused("has no key id (kid); sign in again")
        key = await self._keys.find(kid)
        if key is None:
            raise _refused(f"is signed with a key that issuer {self._issuer} does not publish; sign in again")
        return key

    def _verified_claims(self, token: str, key: jwt.PyJWK) -> dict[str, object]:
        try:
            claims: dict[str, object] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise _refused(self._reason(error)) from None
        if claims.get("typ") != "Bearer":
            raise _refused("is an ID token or a refresh token; send the access token")
        return claims

    def _reason(self, error: jwt.PyJWTError) -> str:
        if isinstance(error, jwt.MissingRequiredClaimError):
            return f"has no {error.claim} claim; sign in again"
        if isinstance(error, jwt.InvalidIssuerError):
            return f"was issued by another issuer; sign in at {self._issuer}"
        if isinstance(error, jwt.InvalidAudienceError):
            return f"is not meant for {self._audience}; send an access token for it, not an ID token or a refresh token"
        return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "is malformed; sign in again")


def _refused(reason: str) -> Unauthenticated:
    return Unauthenticated(f"The access token {reason}.")


def _is_header_type_of_access_token(type_: object) -> bool:
    """Return whether the type is absent, JWT or RFC 9068's at+jwt.

    Queue passes and some other tokens have their own types.
    """
    return (type_.lower().removeprefix("application/") if isinstance(type_, str) else type_) in _HEADER_TYPES


def _expiry_s(claims: Mapping[str, object]) -> float:
    """Return the expiry in Unix seconds.

    PyJWT also accepts the number as a string; Keycloak and RFC 7519 do not.
    """
    expiry = claims["exp"]
    if not isinstance(expiry, int | float):
        raise _refused("has an exp claim that is not a number; sign in again")
    return expiry


def _issue_s(claims: Mapping[str, object]) -> float:
    issued = claims["iat"]
    return issued if isinstance(issued, int | float) else 0.0


def _viewer(claims: Mapping[str, object]) -> Viewer:
    subject = claims["sub"]
    if not isinstance(subject, str) or not is_person_id(subject):
        raise _refused("has a malformed sub claim; sign in again")
    return Viewer(
        person_id=PersonId(subject),
        name=_text(claims.get("preferred_username")) or subject,
        email=_text(claims.get("email")),
        roles=_roles(claims.get("realm_access")),
        expires_at=_expiry_s(claims),
        issued_at=_issue_s(claims),
        session_id=_text(claims.get("sid")),
    )


def _text(value: object) -> str | None:
    """Return the claim without invisible characters, because it is stored and shown."""
    return (plain_line(value[:MAX_NAME_CHARACTERS]) or None) if isinstance(value, str) else None


def _roles(realm_access: object) -> frozenset[Role]:
    """Return the known roles.

    Unknown roles concern only the realm. Malformed claims give no roles.
    """
    names = realm_access.get("roles") if isinstance(realm_access, dict) else None
    return frozenset(role for role in Role if role in names) if isinstance(names, list) else frozenset()
