"""Queue passes: short EdDSA tokens that state which person was called for which concert.

A pass is not accepted as an access token, nor an access token as a pass. The claims and the key
determine the bytes of a pass (Ed25519 signatures are deterministic), so no pass has to be stored.
All processes that share the key file create the same passes. Gates, partners and pages verify them
with the public key, which `/.well-known/jwks.json` publishes.
"""

import base64
import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from auth.challenges import ChallengeSigner
from domain.ids import ConcertId, EntryId, PersonId, fingerprint
from domain.limits.recently_used import RecentlyUsed

TYPE = "onsale-pass+jwt"
AUDIENCE = "onsale-queue"
MAX_LENGTH = 1_024
_CHALLENGES = b"onsale challenges"
MAX_SIGNED_KEPT = 10_000
"""The maximum number of signed passes kept in memory, about 1 KB each."""
MAX_VERIFIED_KEPT = 20_000
"""The maximum number of passes whose verification is cached, about 0.5 KB each. Beyond it, some
signatures are checked again.
"""

JWKS_LIFE_S = 600
# CORS headers are sent even if the request has no Origin header, because a shared cache may answer
# a page's request with a response that it stored for a server.
_JWKS_HEADERS = {"Cache-Control": f"public, max-age={JWKS_LIFE_S}", "Access-Control-Allow-Origin": "*"}
_PREFLIGHT = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"], allow_headers=["*"])


class BadPass(Exception):
    """Raised if the token is not one of our passes, or not for this person and concert.

    The store decides whether a pass has expired.
    """


@dataclass(frozen=True, slots=True)
class PassClaims:
    concert_id: ConcertId
    person_id: PersonId
    entry_id: EntryId
    """The queue entry. Together with the concert and the person, it identifies the pass."""
    issued_at: datetime
    expires_at: datetime

    @property
    def id(self) -> str:
        return fingerprint(self.concert_id, self.person_id, str(self.entry_id))[:32]


@dataclass(frozen=True, slots=True)
class _Bearer:
    """The claims of a genuine pass that name its concert, its person and its entry."""

    concert_id: object
    person_id: object
    entry_id: object


class PassSigner:
    """Signs passes and verifies them, always with the same key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public_key = key.public_key()
        self._signed: dict[PassClaims, str] = {}
        # By the SHA-256 of the pass, so the passes themselves are not kept.
        self._verified: RecentlyUsed[bytes, _Bearer] = RecentlyUsed(MAX_VERIFIED_KEPT)
        public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        x = base64.urlsafe_b64encode(public).decode().rstrip("=")
        self._kid = fingerprint(x)[:16]
        self.jwks = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self._kid, "use": "sig", "alg": "EdDSA"}]}
        """The key set that `/.well-known/jwks.json` publishes."""
        derived = HKDF(hashes.SHA256(), length=32, salt=None, info=_CHALLENGES).derive(key.private_bytes_raw())
        self.challenges = ChallengeSigner(derived)
        """Signs the queues' challenges, with a key derived from the passes' key."""

    def sign(self, claims: PassClaims) -> str:
        """Return the pass.

        The same claims give the same bytes, so recently signed passes are cached.
        """
        token = self._signed.get(claims)
        if token is None:
            if len(self._signed) >= MAX_SIGNED_KEPT:
                self._signed.clear()
            token = self._signed[claims] = self._sign(claims)
            # Its buyer will often hold tickets in this process, where its signature is known then.
            self._verified.put(_digest(token), _Bearer(claims.concert_id, claims.person_id, claims.entry_id))
        return token

    def _sign(self, claims: PassClaims) -> str:
        payload = {
            "aud": AUDIENCE,
            "sub": claims.person_id,
            "concert": claims.concert_id,
            "place": claims.entry_id,
            "jti": claims.id,
            "iat": int(claims.issued_at.timestamp()),
            "exp": int(claims.expires_at.timestamp()) + 1,
        }
        return jwt.encode(payload, self._key, algorithm="EdDSA", headers={"typ": TYPE, "kid": self._kid})

    def read_entry_id(self, token: str, *, concert_id: ConcertId, person_id: PersonId) -> EntryId:
        """Return the id of the queue entry for which the pass was signed.

        Raises BadPass. The store decides whether the pass is still valid, by its own clock and
        grace period. A pass is therefore genuine forever, and its signature is checked only once,
        but its concert and its person are compared each time.
        """
        bearer = self._read_bearer(token)
        if (bearer.person_id, bearer.concert_id) != (person_id, concert_id) or not isinstance(bearer.entry_id, int):
            raise BadPass
        return EntryId(bearer.entry_id)

    def _read_bearer(self, token: str) -> _Bearer:
        if len(token) > MAX_LENGTH or not token.isascii():
            raise BadPass
        digest = _digest(token)
        bearer = self._verified.get(digest)
        if bearer is None:
            bearer = self._verify(token)
            self._verified.put(digest, bearer)
        return bearer

    def _verify(self, token: str) -> _Bearer:
        """Check the signature, and return the claims of the bearer. Raises BadPass."""
        try:
            if jwt.get_unverified_header(token).get("typ") != TYPE:
                raise BadPass
            claims = jwt.decode(
                token,
                self._public_key,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                options={"verify_exp": False, "verify_iat": False, "require": ["jti", "sub", "concert", "place"]},
            )
        except (jwt.InvalidTokenError, ValueError) as error:
            raise BadPass from error
        return _Bearer(concert_id=claims["concert"], person_id=claims["sub"], entry_id=claims["place"])


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("ascii")).digest()


def signer_from_file(path: Path) -> PassSigner:
    """Return the signer with the key in the file.

    The first process creates the file. Two processes that start at the same time agree on one key.
    Raises ValueError if the file contains no Ed25519 key.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new_file = path.with_suffix(f".{os.getpid()}")
        new_file.touch(mode=0o600)
        new_file.write_bytes(_pem(Ed25519PrivateKey.generate()))
        try:
            os.link(new_file, path)
        except FileExistsError:
            pass
        finally:
            new_file.unlink()
    return signer_from_pem(path.read_bytes())


def signer_from_pem(pem: bytes) -> PassSigner:
    """Return the signer. Raises ValueError if `pem` is not an Ed25519 key."""
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("the queue pass key must be an Ed25519 private key in PEM")
    return PassSigner(key)


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


async def _jwks(request: Request) -> JSONResponse:
    signer: PassSigner = request.state.passes
    return JSONResponse(signer.jwks, headers=_JWKS_HEADERS)


jwks_routes = [Route("/.well-known/jwks.json", _jwks, methods=["GET", "OPTIONS"], middleware=[_PREFLIGHT])]
