"""Fetches an issuer's JSON Web Key Set.

Only public signing keys are kept, because no other key may verify a token.
"""

import json
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx2
import jwt

ALGORITHMS = ("RS256", "PS256", "ES256")
"""Accepted algorithms: asymmetric only, so that a public key can never serve as an HMAC secret."""

MAX_RESPONSE_BYTES = 262_144
"""The maximum size of a response.

A realm publishes a handful of keys of about 3 KiB each, including certificates.
"""
FETCH_TIMEOUT_S = 5.0
"""The timeout of each step of a request. The caller limits the total time."""

# Reading the system's certificates takes 50 ms, which must not delay the first person with a token.
_TLS = ssl.create_default_context()


class KeySourceError(Exception):
    """Raised if the issuer is unavailable, or if its response is not a key set."""


async def fetch_signing_keys(issuer: str, jwks_url: str | None) -> dict[str, dict[str, object]]:
    """Return the signing keys by `kid`, never empty.

    Raises KeySourceError, or httpx2's errors if the issuer cannot be reached.
    """
    # A proxy set in the environment cannot reach this machine's loopback, where the development
    # issuer listens.
    through_proxy = urlsplit(jwks_url or issuer).hostname not in ("localhost", "127.0.0.1", "::1")
    async with httpx2.AsyncClient(timeout=FETCH_TIMEOUT_S, trust_env=through_proxy, verify=_TLS) as client:
        return signing_keys(await _get_json(client, jwks_url or await _discover(client, issuer)))


async def _discover(client: httpx2.AsyncClient, issuer: str) -> str:
    document = await _get_json(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if document.get("issuer") != issuer:
        raise KeySourceError(f"the discovery document names issuer {document.get('issuer')!r}; set exactly that issuer")
    jwks_url = document.get("jwks_uri")
    if not isinstance(jwks_url, str):
        raise KeySourceError(f"the discovery document has jwks_uri {jwks_url!r}; expected a URL")
    if issuer.startswith("https://") and not jwks_url.startswith("https://"):
        raise KeySourceError(f"jwks_uri {jwks_url!r} does not use https although the issuer does; use https for both")
    return jwks_url


async def _get_json(client: httpx2.AsyncClient, url: str) -> Mapping[str, object]:
    # Uncompressed responses only: a compressed one can be small on the wire and huge in memory.
    async with client.stream(
        "GET", url, headers={"accept": "application/json", "accept-encoding": "identity"}
    ) as answer:
        if answer.status_code != 200:
            raise KeySourceError(f"{url} answered {answer.status_code}; expected 200")
        body = bytearray()
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > MAX_RESPONSE_BYTES:
                raise KeySourceError(f"{url} answered with more than {MAX_RESPONSE_BYTES} bytes")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise KeySourceError(f"{url} answered with invalid JSON") from error
    if not isinstance(document, dict):
        raise KeySourceError(f"{url} answered with JSON that is not an object")
    return document


def signing_keys(published: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Return the usable keys by `kid`. Raises KeySourceError if no key is usable."""
    keys = published.get("keys")
    usable = {str(jwk["kid"]): jwk for jwk in keys if _is_usable(jwk)} if isinstance(keys, list) else {}
    # An empty set must not replace the known keys.
    if not usable:
        raise KeySourceError(f"the key set has no signing key for {', '.join(ALGORITHMS)}")
    return usable


def _is_usable(jwk: object) -> bool:
    """Return whether the key may verify a token.

    A published private key ("d") is no longer secret, and a short key can be broken.
    """
    if not isinstance(jwk, dict) or jwk.get("use") != "sig" or not isinstance(jwk.get("kid"), str) or "d" in jwk:
        return False
    # Checked before PyJWT parses the key, because it raises unrelated errors for malformed keys of
    # other types.
    if jwk.get("kty") not in ("RSA", "EC") or jwk.get("alg") not in (None, *ALGORITHMS):
        return False
    try:
        key = jwt.PyJWK(jwk)
    except jwt.PyJWTError:
        return False
    return key.algorithm_name in ALGORITHMS and key.Algorithm.check_key_length(key.key) is None
