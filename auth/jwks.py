"""Fetches an issuer's JSON Web Key Set.

Only public signing keys are kept, because no other key may verify a token.
"""

import json
from collections.abc import Mapping, Sequence

import httpx2
import jwt

from auth.issuer_http import IssuerHttp
from settings.oidc import ALGORITHMS

MAX_RESPONSE_BYTES = 262_144
"""The maximum size of a response.

A realm publishes a handful of keys of about 3 KiB each, including certificates.
"""
_MAX_SHOWN = 200


class KeySourceError(Exception):
    """Raised if the issuer is unavailable, or if its response is not a key set."""


class IssuerMismatch(KeySourceError):
    """Raised if the configured address belongs to an issuer with another name."""


async def fetch_signing_keys(
    http: IssuerHttp, *, algorithms: Sequence[str] = ALGORITHMS
) -> dict[str, dict[str, object]]:
    """Return the signing keys by `kid`. There is at least one.

    Raises KeySourceError, or httpx2's errors if the issuer cannot be reached.
    """
    async with http.client() as client:
        return signing_keys(await _get_json(client, await _discover(client, http)), algorithms=algorithms)


async def _discover(client: httpx2.AsyncClient, http: IssuerHttp) -> str:
    document = await _get_json(client, http.discovery_url, if_missing="; does the realm in ONSALE_OIDC_ISSUER exist?")
    found = document.get("issuer")
    if found != http.issuer:
        raise IssuerMismatch(
            f"{http.discovery_url} names issuer {_shown(found)}, but ONSALE_OIDC_ISSUER is {http.issuer!r}; "
            + _mismatch_step(http)
        )
    jwks_url = document.get("jwks_uri")
    if not isinstance(jwks_url, str):
        raise KeySourceError(f"the discovery document has jwks_uri {_shown(jwks_url)}; expected a URL")
    if not http.is_secure(jwks_url):
        raise KeySourceError(
            f"jwks_uri {_shown(jwks_url)} does not use https although the issuer does; use https for both, "
            "or set ONSALE_OIDC_INTERNAL_URL to an address with the same host and port"
        )
    return jwks_url


def _mismatch_step(http: IssuerHttp) -> str:
    step = "set it to the name that tokens contain (iss)"
    return step if http.internal_url is None else f"{step}, or Keycloak's hostname to the public address"


def _shown(value: object) -> str:
    return repr(value)[:_MAX_SHOWN]


async def _get_json(client: httpx2.AsyncClient, url: str, *, if_missing: str = "") -> Mapping[str, object]:
    # Uncompressed responses only: a compressed one can be small on the wire and huge in memory.
    async with client.stream(
        "GET", url, headers={"accept": "application/json", "accept-encoding": "identity"}
    ) as answer:
        if answer.status_code != 200:
            hint = if_missing if answer.status_code == 404 else ""
            raise KeySourceError(f"{url} answered {answer.status_code}; expected 200{hint}")
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


def signing_keys(
    published: Mapping[str, object], *, algorithms: Sequence[str] = ALGORITHMS
) -> dict[str, dict[str, object]]:
    """Return the usable keys by `kid`. Raises KeySourceError if no key is usable."""
    keys = published.get("keys")
    usable = {str(jwk["kid"]): jwk for jwk in keys if _is_usable(jwk, algorithms)} if isinstance(keys, list) else {}
    # An empty set must not replace the known keys.
    if not usable:
        raise KeySourceError(f"the key set has no signing key for {', '.join(algorithms)}")
    return usable


def _is_usable(jwk: object, algorithms: Sequence[str]) -> bool:
    """Return whether the key may verify a token.

    A published private key ("d") is no longer secret, and a short key can be broken.
    """
    if not isinstance(jwk, dict) or jwk.get("use") != "sig" or not isinstance(jwk.get("kid"), str) or "d" in jwk:
        return False
    # Checked before PyJWT parses the key, because PyJWT raises unrelated errors for malformed keys
    # of other types.
    if jwk.get("kty") not in ("RSA", "EC", "OKP") or jwk.get("alg") not in (None, *algorithms):
        return False
    try:
        key = jwt.PyJWK(jwk)
        key.Algorithm.prepare_key(key.key)  # raises InvalidKeyError if the curve does not match the algorithm
    except (jwt.PyJWTError, TypeError, ValueError):
        return False
    return key.algorithm_name in algorithms and key.Algorithm.check_key_length(key.key) is None
