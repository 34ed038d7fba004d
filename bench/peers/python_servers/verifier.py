"""Bearer tokens of the peers in Python: RS256, one key, verified once and remembered by digest."""

import hashlib
import time

import jwt

MAX_REMEMBERED = 10_000


class Verifier:
    def __init__(self, public_pem: bytes) -> None:
        self._pem = public_pem
        self._known: dict[bytes, tuple[str, float]] = {}

    def subject_of(self, header: str | None) -> str:
        """Return the subject of an `Authorization` header. Raises jwt.InvalidTokenError."""
        if not header or not header.startswith("Bearer "):
            raise jwt.InvalidTokenError("no bearer token")
        token = header[7:].encode()
        digest = hashlib.sha256(token).digest()
        known = self._known.get(digest)
        if known is None:
            claims = jwt.decode(
                token, self._pem, algorithms=["RS256"], audience="onsale", options={"require": ["exp", "sub"]}
            )
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            known = self._known[digest] = claims["sub"], claims["exp"]
        if known[1] <= time.time():
            raise jwt.ExpiredSignatureError("the token has expired")
        return known[0]
