"""The issuer's public signing keys by `kid`.

They are fetched without blocking the loop, and kept through an outage. One fetch serves all callers
that are waiting for it. The cooldown limits the fetches, however many unknown keys tokens name.
Known keys are kept until a fetch succeeds without them.
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
"""Time between two fetches, as in Keycloak's own adapters.

It prevents unknown keys from being used to flood the issuer.
"""
RETRY_EMPTY_S = 1.0
"""Time between two fetches while no key is known: sign-in is impossible until one succeeds."""

_log = logging.getLogger(__name__)


class SigningKeys:
    """Signing keys of one issuer.

    `generation` rises whenever the set of keys changes; then earlier tokens have to be verified
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
        """Return the key; None if the issuer has no such signing key.

        Raises TemporarilyUnavailable until keys have been fetched for the first time.
        """
        if kid not in self._keys:
            await self._refresh()
        if not self._keys:
            raise TemporarilyUnavailable(f"The signing keys of issuer {self._issuer} cannot be fetched")
        return self._keys.get(kid)

    def refresh_if_stale(self) -> None:
        """Start a fetch if one is due, without waiting; the known keys are used meanwhile."""
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
            # asyncio.wait does not cancel the fetch when this caller is cancelled: others wait for
            # it too.
            await asyncio.wait([fetching])

    def _start_fetch(self) -> asyncio.Task[None] | None:
        """Return the fetch in progress or a new one; None during the cooldown."""
        if self._fetching is not None:
            return self._fetching
        cooldown_s = self._cooldown_s if self._keys else min(RETRY_EMPTY_S, self._cooldown_s)
        if time.monotonic() - self._attempted_at_s < cooldown_s:
            return None
        self._fetching = asyncio.create_task(self._fetch(), name="fetch signing keys")
        return self._fetching

    async def _fetch(self) -> None:
        try:
            # Bounds all requests together: an issuer that sends bytes slowly stays within each
            # request's own timeout.
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
