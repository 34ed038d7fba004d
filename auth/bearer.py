"""Reads the access token from the `Authorization` value of a header or of connection_init."""

import hashlib
from typing import NewType

from domain.errors import Unauthenticated

TokenDigest = NewType("TokenDigest", bytes)
"""The SHA-256 of an access token, by which a verified one is found."""


def digest_token(token: str) -> TokenDigest:
    return TokenDigest(hashlib.sha256(token.encode("ascii")).digest())


def digest_bearer(authorization: str) -> TokenDigest | None:
    """Return the digest of the token, or None if no token like this is ever accepted."""
    try:
        token = read_bearer(authorization)
    except Unauthenticated:
        return None
    return digest_token(token) if token.isascii() else None


def read_bearer(authorization: str) -> str:
    """Return the token. Raises Unauthenticated if the value is not `Bearer <access token>`."""
    scheme, _, token = authorization.strip().partition(" ")
    match scheme.lower():
        case "bearer" if token.strip():
            return token.strip()
        case "dpop":
            raise Unauthenticated(
                "The authorization scheme DPoP is not supported; in Keycloak, turn off 'DPoP bound tokens' "
                "for the client and send `Bearer <access token>`."
            )
        case "basic" | "digest" | "negotiate":
            raise Unauthenticated(f"The authorization scheme {scheme} is not supported; send `Bearer <access token>`.")
        case _:
            raise Unauthenticated("`Authorization` is malformed; send `Bearer <access token>` once.")
