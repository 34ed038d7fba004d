"""The issuer's public signing keys by `kid`.

They are fetched without blocking the event loop, and kept during an outage. One fetch serves all
callers that are waiting for it. A known key is kept until a successful fetch does not contain it.
"""

import asyncio
import logging
import time

import httpx2
import jwt

from auth.issuer_http import TIMEOUT_S, IssuerHttp
from auth.jwks import IssuerMismatch, KeySourceError, fetch_signing_keys
from auth.unknown_keys import Cooldown, UnknownKeys
from domain.errors import TemporarilyUnavailable
from settings.oidc import OidcSettings
from telemetry.outage_log import OutageLog

FETCH_TIMEOUT_S = TIMEOUT_S
"""The timeout for all requests of a fetch together."""
RETRY_EMPTY_S = 1.0
"""The minimum time between two fetches while no key is known and no token can be verified."""

_log = logging.getLogger(__name__)


class SigningKeys:
    """The signing keys of one issuer.

    `generation` increases whenever the set of keys changes; tokens verified earlier must then
    be verified again.
    """

    def __init__(self, http: IssuerHttp, settings: OidcSettings | None = None) -> None:
        settings = settings or OidcSettings()
        self._http = http
        self._algorithms = settings.algorithms
        self._cooldown_s = settings.cooldown_s
        # Halved, so that a withdrawn key is refused in time even if one fetch fails.
        self._fetch_every_s = settings.key_trust_s / 2
        self._keys: dict[str, jwt.PyJWK] = {}
        self._published: dict[str, dict[str, object]] = {}
        self._unknown = UnknownKeys(settings.cooldown_s)
        self._outage = OutageLog(_log, "fetching the signing keys")
        self._failure: Exception | None = None
        self._fetched_at_s = self._attempted_at_s = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self.generation = 0

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """Return the key, or None if the issuer has no such signing key.

        Raises TemporarilyUnavailable if that is not known: until keys have been fetched for the
        first time, after a failed fetch, and during a cooldown.
        """
        if not self._keys:
            await self._wait_for(self._start_first_fetch())
            if not self._keys:
                raise TemporarilyUnavailable(f"The signing keys of issuer {self._http.issuer} cannot be fetched")
        if kid not in self._keys and not self._unknown.is_absent(kid):
            await self._look_for(kid)
        return self._keys.get(kid)

    def refresh_if_stale(self) -> None:
        """Start a fetch if one is due. The known keys are used until it completes."""
        now_s = time.monotonic()
        if now_s - self._fetched_at_s >= self._fetch_every_s and now_s - self._attempted_at_s >= self._retry_s:
            self._start_fetch()

    def watch(self) -> None:
        """Fetch the keys regularly, even if no token arrives, until `aclose` is called.

        This way, the first token need not wait, and `problem` is known from the start.
        """
        self._watching = asyncio.create_task(self._watch(), name="watch the issuer")

    @property
    def problem(self) -> str | None:
        """Return why no new token can be accepted, or None."""
        if self._failure is None:
            return None if self._keys else f"the signing keys of issuer {self._http.issuer} are still being fetched"
        return None if self._keys and not isinstance(self._failure, IssuerMismatch) else self._describe_failure()

    @property
    def warning(self) -> str | None:
        """Return why the keys may be out of date, although tokens can be verified, or None."""
        return self._describe_failure() if self._failure is not None and self.problem is None else None

    async def aclose(self) -> None:
        tasks = [task for task in (self._watching, self._fetching) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._watching = self._fetching = None

    @property
    def _retry_s(self) -> float:
        return self._cooldown_s if self._keys else min(RETRY_EMPTY_S, self._cooldown_s)

    async def _watch(self) -> None:
        while True:
            self.refresh_if_stale()
            await self._wait_for(self._fetching)
            due_s = self._fetched_at_s + self._fetch_every_s
            if self._failure is not None:
                due_s = self._attempted_at_s + self._retry_s
            await asyncio.sleep(max(0.01, due_s - time.monotonic()))

    async def _look_for(self, kid: str) -> None:
        """Wait for a fetch that shows whether the key exists. Raises TemporarilyUnavailable."""
        if self._fetching is None:
            cooldown = self._unknown.claim_fetch(kid)
            if cooldown is None:
                raise self._not_known_yet()
            self._start_fetch(cooldown)
        await self._wait_for(self._fetching)
        if kid in self._keys:
            return
        if self._failure is not None:
            raise self._not_known_yet()
        self._unknown.record_absent(kid)

    def _not_known_yet(self) -> TemporarilyUnavailable:
        return TemporarilyUnavailable(
            f"The access token names a signing key of issuer {self._http.issuer} that is not known yet",
            retry_after_s=self._unknown.retry_after_s(),
        )

    def _start_first_fetch(self) -> "asyncio.Task[None] | None":
        if self._fetching is None and time.monotonic() - self._attempted_at_s >= self._retry_s:
            self._start_fetch()
        return self._fetching

    def _start_fetch(self, cooldown: Cooldown | None = None) -> None:
        """Start a fetch, unless one is in progress."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch(cooldown), name="fetch signing keys")

    async def _wait_for(self, fetching: "asyncio.Task[None] | None") -> None:
        """Wait for the fetch. If the caller is canceled, the fetch continues for the others."""
        if fetching is not None:
            await asyncio.wait([fetching])

    async def _fetch(self, cooldown: Cooldown | None) -> None:
        generation = self.generation
        try:
            # This limits all requests together, because an issuer that sends bytes slowly never
            # exceeds the timeout of a single step.
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                self._adopt(await fetch_signing_keys(self._http, algorithms=self._algorithms))
            self._fetched_at_s = time.monotonic()
            self._failure = None
            self._outage.succeeded(self)
            if cooldown is not None and self.generation == generation:
                cooldown.count_fetch()
        except (KeySourceError, httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            self._failure = error
            self._unknown.record_outage()
            self._outage.failed(self, KeySourceError(self._describe_failure()))
        finally:
            self._attempted_at_s = time.monotonic()
            self._fetching = None

    def _adopt(self, published: dict[str, dict[str, object]]) -> None:
        if published == self._published:
            return
        self._keys = {kid: jwt.PyJWK(jwk) for kid, jwk in published.items()}
        self._published = published
        self.generation += 1

    def _describe_failure(self) -> str:
        error = self._failure
        if isinstance(error, KeySourceError):
            return str(error)
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return f"the issuer {self._http.issuer} does not answer at {self._http.discovery_url}: {reason}"
