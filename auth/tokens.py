"""Turns a bearer token into a Viewer, or explains the refusal and the next step.

Accepts only access tokens that were signed by one of the issuer's published keys with an accepted
algorithm, are meant for our audience, and are currently valid. The content of a token never decides
how it is checked.
"""

import base64
import json
import re
import time
from collections.abc import Callable, Mapping

import jwt

from auth import token_refusals as refuse
from auth.bearer import TokenDigest, digest_token
from auth.issuer_http import IssuerHttp
from auth.roles_claim import RolesClaim
from auth.signing_keys import SigningKeys
from auth.token_refusals import TokenRefused, TokenResult
from auth.verified_tokens import VerifiedTokens
from auth.viewer import Viewer
from domain.errors import TemporarilyUnavailable, Unauthenticated
from domain.ids import PersonId, is_person_id
from domain.text.characters import plain_line
from settings.oidc import OidcSettings
from telemetry.metrics import token_checks

MAX_TOKEN_BYTES = 16_384
"""The maximum size of a token.

A Keycloak token takes about 1 KiB, or more than 8 KiB for a person in many groups.
"""
MAX_NAME_CHARACTERS = 255
MAX_SECONDS = 2**53
"""The latest time that a token may contain; a float cannot hold all later ones exactly."""

# The part before the first dot is the header. PyJWT checks the rest again, at a higher cost.
_TOKEN = re.compile(r"([\w-]+)\.[\w-]*\.[\w-]*", re.ASCII)
_HEADER_TYPES = (None, "jwt", "at+jwt")
# A result that has not been counted yet is shown too.
token_checks.values.update({(result,): 0 for result in TokenResult})


class TokenVerifier:
    """Verifies tokens. A process has one instance.

    The issuer and the audiences are compared exactly.
    """

    def __init__(self, http: IssuerHttp, settings: OidcSettings | None = None) -> None:
        self._issuer = http.issuer
        self._settings = settings or OidcSettings()
        self._roles_claim = RolesClaim(self._settings.roles_claim, self._settings.role_names)
        self._verified = VerifiedTokens()
        self.keys = SigningKeys(http, self._settings)

    async def verify(self, token: str) -> Viewer:
        """Return the viewer.

        Raises Unauthenticated, or TemporarilyUnavailable while the issuer's keys cannot be fetched
        or the token's key is not known yet.
        """
        # Done even for cached tokens: if all tokens are cached, nothing else detects that a key was
        # withdrawn.
        self.keys.refresh_if_stale()
        try:
            viewer, result = await self._check(token)
        except TokenRefused as refused:
            token_checks.add(refused.result)
            raise Unauthenticated(str(refused)) from None
        except TemporarilyUnavailable:
            token_checks.add(TokenResult.UNAVAILABLE)
            raise
        token_checks.add(result)
        return viewer

    def recall(self, digest: TokenDigest, accepts: Callable[[Viewer], bool] | None = None) -> Viewer | None:
        """Return the viewer of a token that was verified earlier and is still valid, if `accepts`
        is true for the viewer. Otherwise returns None: only `verify` can judge the token.
        """
        self.keys.refresh_if_stale()
        known = self._verified.get(digest, now_s=time.time(), generation=self.keys.generation)
        if known is None or (accepts is not None and not accepts(known)):
            return None
        token_checks.add(TokenResult.ACCEPTED_FROM_CACHE)
        return known

    def forget_where(self, is_outdated: Callable[[Viewer], bool]) -> None:
        """Remove the cached tokens of the viewers for whom `is_outdated` is true."""
        self._verified.remove_where(is_outdated)

    async def aclose(self) -> None:
        await self.keys.aclose()

    async def _check(self, token: str) -> tuple[Viewer, TokenResult]:
        if len(token) > MAX_TOKEN_BYTES:
            raise refuse.too_long(len(token), MAX_TOKEN_BYTES)
        if not token.isascii():
            raise refuse.malformed()
        known = self._verified.get(digest_token(token), now_s=time.time(), generation=self.keys.generation)
        if known is not None:
            return known, TokenResult.ACCEPTED_FROM_CACHE
        return await self._verify_uncached(token), TokenResult.ACCEPTED

    async def _verify_uncached(self, token: str) -> Viewer:
        key = await self._key_for(token)
        claims = self._verified_claims(token, key)
        expires_at_s = _expiry_s(claims) + self._settings.leeway_s
        viewer = _viewer(claims, expires_at_s, self._roles_claim)
        self._verified.add(token, viewer, expires_at_s=expires_at_s, generation=self.keys.generation)
        return viewer

    async def _key_for(self, token: str) -> jwt.PyJWK:
        """Return the issuer's key that signed the token.

        The unverified header is read only to refuse early and to find the key among the issuer's
        keys. Raises TokenRefused, or TemporarilyUnavailable while the key is not known.
        """
        header = _unverified_header(token)
        if header.get("alg") not in self._settings.algorithms:
            raise refuse.wrong_algorithm(header.get("alg"), self._settings.algorithms, token)
        if not _is_header_type_of_access_token(header.get("typ")):
            raise refuse.wrong_header_type(header.get("typ"))
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise refuse.no_key_id()
        key = await self.keys.find(kid)
        if key is None:
            raise refuse.unknown_key(self._issuer)
        if header["alg"] != key.algorithm_name:
            raise refuse.another_algorithm()
        if not _is_signed_by(token, key):
            raise refuse.bad_signature()
        return key

    def _verified_claims(self, token: str, key: jwt.PyJWK) -> dict[str, object]:
        try:
            claims: dict[str, object] = jwt.decode(
                token,
                key,
                algorithms=self._settings.algorithms,
                issuer=self._issuer,
                leeway=self._settings.leeway_s,
                # `aud` and `sub` are checked after `typ`, which explains their absence better.
                options={"require": ["exp", "iat", "iss"], "verify_aud": False, "verify_sub": False},
            )
        except jwt.PyJWTError as error:
            raise refuse.from_jwt_error(error, token, issuer=self._issuer) from None
        _check_type(claims)
        # Checked before the audience, because lightweight tokens have neither.
        if claims.get("sub") is None:
            raise refuse.missing_claim("sub")
        self._check_audience(claims)
        return claims

    def _check_audience(self, claims: Mapping[str, object]) -> None:
        """Raise TokenRefused unless the token is meant for this API and from an allowed client."""
        audience, client = claims.get("aud"), claims.get("azp")
        found = [audience] if isinstance(audience, str) else audience
        if found is not None and not (isinstance(found, list) and all(isinstance(name, str) for name in found)):
            raise refuse.malformed_claim("aud")
        if not set(found or ()) & set(self._settings.audience):
            raise refuse.wrong_audience(found or (), self._settings.audience, client)
        if self._settings.authorized_parties and client not in self._settings.authorized_parties:
            raise refuse.wrong_client(client)


def _unverified_header(token: str) -> Mapping[str, object]:
    segments = _TOKEN.fullmatch(token) if token.count(".") == 2 else None
    try:
        header = json.loads(base64.urlsafe_b64decode(segments[1] + "=" * (-len(segments[1]) % 4))) if segments else None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise refuse.malformed()
    return header


def _is_signed_by(token: str, key: jwt.PyJWK) -> bool:
    """Return whether the signature is valid.

    PyJWT checks it again together with everything else, but reads a long token slowly before that,
    so forged tokens would cost us ten times as much.
    """
    signed, _, signature = token.rpartition(".")
    try:
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except ValueError:
        return False
    return key.Algorithm.verify(signed.encode("ascii"), key.key, raw)


def _is_header_type_of_access_token(type_: object) -> bool:
    """Return whether the type is absent, JWT or RFC 9068's at+jwt.

    Queue passes and some other tokens have their own types.
    """
    return (type_.lower().removeprefix("application/") if isinstance(type_, str) else type_) in _HEADER_TYPES


def _check_type(claims: Mapping[str, object]) -> None:
    """Raise TokenRefused unless the token is an access token that anyone who has it may use."""
    if "events" in claims:
        raise refuse.wrong_type("Logout")
    bound = claims.get("cnf")
    if claims.get("typ") == "DPoP" or (isinstance(bound, dict) and "jkt" in bound):
        raise refuse.bound_to_a_key("DPoP", "DPoP bound tokens")
    if claims.get("typ") != "Bearer":
        raise refuse.wrong_type(claims.get("typ"))
    if bound is not None:
        raise refuse.bound_to_a_key("mutual TLS", "OAuth 2.0 Mutual TLS Certificate Bound Access Tokens")


def _expiry_s(claims: Mapping[str, object]) -> float:
    """Return the expiry in Unix seconds.

    PyJWT also accepts the number as a string; Keycloak and RFC 7519 do not.
    """
    expiry = claims["exp"]
    if not isinstance(expiry, int | float):
        raise refuse.malformed_claim("exp", "is not a number")
    if expiry > MAX_SECONDS:
        raise refuse.malformed_claim("exp", "is too large")
    return expiry


def _issue_s(claims: Mapping[str, object]) -> float:
    issued = claims["iat"]
    return issued if isinstance(issued, int | float) and abs(issued) <= MAX_SECONDS else 0.0


def _viewer(claims: Mapping[str, object], expires_at_s: float, roles_claim: RolesClaim) -> Viewer:
    subject = claims["sub"]
    if not isinstance(subject, str) or not is_person_id(subject):
        raise refuse.malformed_claim("sub")
    return Viewer(
        person_id=PersonId(subject),
        name=_text(claims.get("preferred_username")) or subject,
        email=_text(claims.get("email")),
        roles=roles_claim.read(claims),
        expires_at=expires_at_s,
        issued_at=_issue_s(claims),
        session_id=_text(claims.get("sid")),
        is_email_verified=claims.get("email_verified") is True,
    )


def _text(value: object) -> str | None:
    """Return the claim without invisible characters, because it is stored and shown."""
    return (plain_line(value[:MAX_NAME_CHARACTERS]) or None) if isinstance(value, str) else None
