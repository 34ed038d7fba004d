"""The issuer's public signing keys by `kid`, fetched without blocking the loop and kept through an outage.

One fetch serves everybody who waits for it. Fetches are as rare as the cooldown says, however many unknown keys are
named; keys once known stay known until a fetch succeeds without them.
"""

import asyncio
import logging
import time

import httpx2
import jwt

from auth.jwks import FETCH_TIMEOUT_S, KeySourceError, fetch_signing_keys
from domain.errors import TemporarilyUnavailable

REFRESH_EVERY_S = 600.0
"""How long a key that the issuer withdrew may still be believed."""
COOLDOWN_S = 10.0
"""Between two fetches, as in Keycloak's own adapters: unknown keys cannot be used to flood the issuer."""
RETRY_EMPTY_S = 1.0
"""Between two fetches while no key is known at all: nobody can sign in until one succeeds."""

_log = logging.getLogger(__name__)


class SigningKeys:
    """`generation` rises whenever the set of keys changes: what was verified before has to be verified again."""

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
        """None: the issuer has no such signing key. Raises TemporarilyUnavailable while no key was ever fetched."""
        if kid not in self._keys:
            await self._refresh()
        if not self._keys:
            raise TemporarilyUnavailable(f"The signing keys of issuer {self._issuer} cannot be fetched")
        return self._keys.get(kid)

    def refresh_if_stale(self) -> None:
        """Starts a fetch when one is due and does not wait for it: the known keys serve meanwhile."""
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
            # Waiting leaves the fetch alone when the one who waits is cancelled: others wait for it too.
            await asyncio.wait([fetching])

    def _start_fetch(self) -> asyncio.Task[None] | None:
        """The fetch under way, a new one, or None inside the cooldown."""
        if self._fetching is not None:
            return self._fetching
        cooldown_s = self._cooldown_s if self._keys else min(RETRY_EMPTY_S, self._cooldown_s)
        if time.monotonic() - self._attempted_at_s < cooldown_s:
            return None
        self._fetching = asyncio.create_task(self._fetch(), name="fetch signing keys")
        return self._fetching

    async def _fetch(self) -> None:
        try:
            # Over all requests together: an issuer that dribbles bytes keeps within each request's own timeout.
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
