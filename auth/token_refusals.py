"""Why a token is refused: a message with the next step, and a label for the counter.

What a message quotes from a token is short and plain. Claims are quoted only after the signature
has been verified, except that the type of a token may be named if no public key can verify it.
"""

import base64
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum

import jwt

from domain.text.characters import plain_line

_MAX_QUOTED_CHARACTERS = 80
_MAX_QUOTED_AUDIENCES = 5


class TokenResult(StrEnum):
    """The labels of the counter for token checks."""

    ACCEPTED = "accepted"
    ACCEPTED_FROM_CACHE = "accepted_from_cache"
    UNAVAILABLE = "unavailable"
    MALFORMED = "malformed"
    TOO_LONG = "too_long"
    WRONG_ALGORITHM = "wrong_algorithm"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    MISSING_CLAIM = "missing_claim"
    MALFORMED_CLAIM = "malformed_claim"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_CLIENT = "wrong_client"


class TokenRefused(Exception):
    """A refused token. `reason` continues the sentence "The access token …"."""

    def __init__(self, result: TokenResult, reason: str) -> None:
        super().__init__(f"The access token {reason}.")
        self.result = result


def malformed() -> TokenRefused:
    return TokenRefused(TokenResult.MALFORMED, "is malformed; send the access token exactly as the issuer returned it")


def too_long(length: int, limit: int) -> TokenRefused:
    return TokenRefused(
        TokenResult.TOO_LONG,
        f"has {length:,} bytes, and the limit is {limit:,}; remove roles or groups from it, "
        "in Keycloak with the scopes of its client",
    )


def wrong_algorithm(algorithm: object, accepted: Sequence[str], token: str) -> TokenRefused:
    """Refuse a token because of its header. Keycloak uses HMAC for tokens that only it reads."""
    if isinstance(algorithm, str) and algorithm.startswith("HS"):
        type_ = unverified_claims(token).get("typ")
        if type_ in ("Refresh", "Offline"):
            return _not_an_access_token(f"a refresh token (typ {type_}, signed with {_quoted(algorithm)})")
    return TokenRefused(
        TokenResult.WRONG_ALGORITHM,
        f"is signed with the algorithm {_quoted(algorithm)}, which is not accepted; use {', '.join(accepted)}",
    )


def wrong_header_type(type_: object) -> TokenRefused:
    if isinstance(type_, str) and type_.lower() == "dpop+jwt":
        return _not_an_access_token("a DPoP proof (typ dpop+jwt)")
    return TokenRefused(TokenResult.WRONG_TYPE, f"has the wrong typ header, {_quoted(type_)}; send an access token")


def no_key_id() -> TokenRefused:
    return TokenRefused(TokenResult.UNKNOWN_KEY, "has no key id (kid); sign in again")


def unknown_key(issuer: str) -> TokenRefused:
    return TokenRefused(
        TokenResult.UNKNOWN_KEY, f"is signed with a key that issuer {issuer} does not publish; sign in again"
    )


def another_algorithm() -> TokenRefused:
    return TokenRefused(
        TokenResult.WRONG_ALGORITHM, "is signed with an algorithm that its key does not allow; sign in again"
    )


def bad_signature() -> TokenRefused:
    return TokenRefused(TokenResult.BAD_SIGNATURE, "has an invalid signature; sign in again")


def from_jwt_error(error: jwt.PyJWTError, token: str, *, issuer: str) -> TokenRefused:
    """Return the refusal for a token that PyJWT has refused."""
    match error:
        case jwt.ExpiredSignatureError():
            return _expired(unverified_claims(token))
        case jwt.ImmatureSignatureError():
            return _not_yet_valid(unverified_claims(token))
        case jwt.InvalidSignatureError():
            return bad_signature()
        case jwt.InvalidAlgorithmError():
            return another_algorithm()
        case jwt.MissingRequiredClaimError():
            return missing_claim(error.claim)
        case jwt.InvalidIssuerError():
            return TokenRefused(
                TokenResult.WRONG_ISSUER,
                f"was issued by {_quoted(unverified_claims(token).get('iss'))}; sign in at {issuer}",
            )
        case _:
            return malformed()


def missing_claim(claim: str) -> TokenRefused:
    step = "sign in again"
    if claim == "sub":
        step = (
            "in Keycloak, give its client the default client scope basic, and turn off "
            "'Always use lightweight access token'"
        )
    return TokenRefused(TokenResult.MISSING_CLAIM, f"has no {claim} claim; {step}")


def malformed_claim(claim: str, what: str = "is malformed") -> TokenRefused:
    return TokenRefused(TokenResult.MALFORMED_CLAIM, f"is invalid because its {claim} claim {what}; sign in again")


def wrong_type(type_: object) -> TokenRefused:
    """Refuse a token because of its `typ` claim, which is Bearer in an access token."""
    match type_:
        case "ID":
            return _not_an_access_token("an ID token (typ ID)")
        case "Refresh" | "Offline":
            return _not_an_access_token(f"a refresh token (typ {type_})")
        case "Logout":
            return _not_an_access_token("a logout token or another security event")
        case "DPoP":
            return bound_to_a_key("DPoP", "DPoP bound tokens")
        case None:
            return TokenRefused(TokenResult.WRONG_TYPE, "has no typ claim; send an access token, whose typ is Bearer")
        case _:
            return _not_an_access_token(f"a token of typ {_quoted(type_)}")


def bound_to_a_key(method: str, switch: str) -> TokenRefused:
    return TokenRefused(
        TokenResult.WRONG_TYPE,
        f"is bound to a key ({method}), which this server does not support; "
        f"in Keycloak, turn off '{switch}' for its client and send a Bearer token",
    )


def wrong_audience(found: Sequence[str], accepted: Sequence[str], client: object) -> TokenRefused:
    shown = ", ".join(map(_quoted, found[:_MAX_QUOTED_AUDIENCES])) if found else "no audience (aud)"
    wanted = " or ".join(accepted)
    of_client = f"client {_quoted(client)}" if isinstance(client, str) else "its client"
    return TokenRefused(
        TokenResult.WRONG_AUDIENCE,
        f"is meant for {shown}, not for {wanted}; in Keycloak, add an audience mapper: Clients, {of_client}, "
        f"Client scopes, its dedicated scope, Add mapper, Audience, with {accepted[0]} as custom audience",
    )


def wrong_client(client: object) -> TokenRefused:
    who = f"client {_quoted(client)}" if isinstance(client, str) else "no client (azp)"
    return TokenRefused(
        TokenResult.WRONG_CLIENT,
        f"was issued to {who}, which ONSALE_OIDC_AUTHORIZED_PARTIES does not list; sign in with a client that it lists",
    )


def unverified_claims(token: str) -> Mapping[str, object]:
    """Return the claims of a token, or none if they cannot be read. They may be forged."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _not_an_access_token(what: str) -> TokenRefused:
    return TokenRefused(TokenResult.WRONG_TYPE, f"is {what}; send the access token")


def _expired(claims: Mapping[str, object]) -> TokenRefused:
    ago_s = time.time() - _seconds(claims.get("exp"))
    return TokenRefused(
        TokenResult.EXPIRED,
        f"expired {ago_s:,.0f} s ago; refresh it or sign in again, and if it is new, "
        "this server's clock is ahead of the issuer's",
    )


def _not_yet_valid(claims: Mapping[str, object]) -> TokenRefused:
    now_s = time.time()
    ahead_s = _seconds(claims.get("iat")) - now_s
    if ahead_s > 0:
        reason = (
            f"was issued {ahead_s:,.0f} s in the future: the issuer's clock is ahead, or this server's clock "
            f"is behind; synchronize both with NTP, or try again in {ahead_s:,.0f} s"
        )
    else:
        from_s = _seconds(claims.get("nbf"))
        reason = f"is not valid until {_time(from_s)} (nbf); try again in {from_s - now_s:,.0f} s"
    return TokenRefused(TokenResult.NOT_YET_VALID, reason)


def _seconds(value: object) -> float:
    """Return the Unix time in a claim, or 0 if the claim is missing."""
    try:
        return float(value) if isinstance(value, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return float("inf")


def _time(unix_s: float) -> str:
    try:
        return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{unix_s:.0f}"


def _quoted(value: object) -> str:
    """Return a short and plain form of a value from a token."""
    text = value if isinstance(value, str) else json.dumps(value)
    return plain_line(text[:_MAX_QUOTED_CHARACTERS]) or "''"
