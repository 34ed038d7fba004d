"""The issuer's public signing keys by `kid`.

They are fetched without blocking the event loop, and kept during an outage. One fetch serves all
callers that are waiting for it. A cooldown limits the number of fetches, even if many tokens name
unknown keys. A known key is kept until a successful fetch no longer contains it.
"""

import asyncio
import logging
import time

import httpx2
import jwt

from auth.jwks import FETCH_TIMEOUT_S, KeySourceError, fetch_signing_keys
from domain.errors import TemporarilyUnavailable

REFRESH_EVERY_S = 600.0
"""How long a key that the issuer has withdrawn may still be trusted."""
COOLDOWN_S = 10.0
"""The minimum time between two fetches, as in Keycloak's own adapters.

It prevents clients from flooding the issuer by naming unknown keys.
"""
RETRY_EMPTY_S = 1.0
"""The minimum time between two fetches while no key is known, so sign-in is impossible."""

_log = logging.getLogger(__name__)


class SigningKeys:
    """The signing keys of one issuer.

    `generation` increases whenever the set of keys changes; earlier tokens must then be verified
    again.
    """

    def __init__(
        self,
        issuer: str,
        *,
        jwks_url: str | None = None,
        refresh_every_s: float = REFRESH_EVERY_S,
        cooldown_s: float = COOLDOWN_S,
    ) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._refresh_every_s = refresh_every_s
        self._cooldown_s = cooldown_s
        self._keys: dict[str, jwt.PyJWK] = {}
        self._published: dict[str, dict[str, object]] = {}
        self._fetched_at_s = float("-inf")
        self._attempted_at_s = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self.generation = 0

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """Return the key, or None if the issuer has no such signing key.

        Raises TemporarilyUnavailable until keys have been fetched for the first time.
        """
        if kid not in self._keys:
            await self._refresh()
        if not self._keys:
            raise TemporarilyUnavailable(f"The signing keys of issuer {self._issuer} cannot be fetched")
        return self._keys.get(kid)

    def refresh_if_stale(self) -> None:
        """Start a fetch if one is due. The known keys are used until it completes."""
        if time.monotonic() - self._fetched_at_s >= self._refresh_every_s:
            self._start_fetch()

    async def aclose(self) -> None:
        if self._fetching is None:
            return
        self._fetching.cancel()
        await asyncio.wait([self._fetching])
        self._fetching = None

    async def _refresh(self) -> None:
        fetching = self._start_fetch()
        if fetching is not None:
            # If this caller is canceled, asyncio.wait does not cancel the fetch, for which others
            # may be waiting.
            await asyncio.wait([fetching])

    def _start_fetch(self) -> asyncio.Task[None] | None:
        """Return the fetch in progress or a new one, or None during the cooldown."""
        if self._fetching is not None:
            return self._fetching
        cooldown_s = self._cooldown_s if self._keys else min(RETRY_EMPTY_S, self._cooldown_s)
        if time.monotonic() - self._attempted_at_s < cooldown_s:
            return None
        self._fetching = asyncio.create_task(self._fetch(), name="fetch signing keys")
        return self._fetching

    async def _fetch(self) -> None:
        try:
            # This limits all requests together, because an issuer that sends bytes slowly never
            # exceeds the timeout of a single step.
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                self._adopt(await fetch_signing_keys(self._issuer, self._jwks_url))
            self._fetched_at_s = time.monotonic()
        except (KeySourceError, httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            _log.warning(
                "the signing keys of %s could not be fetched: %s: %s", self._issuer, type(error).__name__, error
            )
        finally:
            self._attempted_at_s = time.monotonic()
            self._fetching = None

    def _adopt(self, published: dict[str, dict[str, object]]) -> None:
        if published == self._published:
            return
        self._keys = {kid: jwt.PyJWK(jwk) for kid, jwk in published.items()}
        self._published = published
        self.generation += 1
