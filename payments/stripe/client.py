"""Calls to Stripe's API with the official library.

A call is repeated only if Stripe answers 429, because then it did nothing. After any other failure
the caller decides: only it knows whether the idempotency key can still be used.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Mapping

import aiohttp
import stripe

from payments.provider import KeySpent, ProviderRefused, ProviderUnavailable
from payments.stripe import API_VERSION
from payments.stripe.fields import StripeObject, flag, objects, text

STRIPE_URL = "https://api.stripe.com"
MAX_CONCURRENT_CALLS = 100
"""Stripe allows 100 calls per second by default, so more at once would only be refused."""
PAGE_SIZE = 100
"""The largest page that Stripe returns."""
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 4.0

# Otherwise, the library would write to the home directory and report the platform to Stripe.
stripe.enable_telemetry = False
# Below this level, the library logs answers, including the secrets with which a browser pays.
logging.getLogger("stripe").setLevel(logging.WARNING)


class StripeClient:
    """Raises ProviderUnavailable or ProviderRefused for every failure."""

    def __init__(self, secret_key: str, *, url: str | None = None, timeout_s: float, name: str = "stripe") -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_CALLS)
        # Of the library's asynchronous clients, aiohttp's needs the least CPU time per call.
        self._http = stripe.AIOHTTPClient(timeout=aiohttp.ClientTimeout(total=timeout_s))
        self._stripe = stripe.StripeClient(
            secret_key,
            http_client=self._http,
            base_addresses={"api": url or STRIPE_URL},
            stripe_version=API_VERSION,
            max_network_retries=0,
        )

    async def get(self, path: str, **params: object) -> StripeObject:
        return await self._call("get", path, params, key=None)

    async def post(self, path: str, *, key: str | None, **params: object) -> StripeObject:
        """Post, under an idempotency key. If `key` is None, the library makes one for this call."""
        return await self._call("post", path, params, key=key)

    async def iterate(self, path: str, **params: object) -> AsyncIterator[StripeObject]:
        """Yield the objects of all pages, in Stripe's order: newest first."""
        position: dict[str, object] = {}
        while True:
            page = await self.get(path, **params, **position, limit=PAGE_SIZE)
            found = objects(page, "data")
            for item in found:
                yield item
            if not found or not flag(page, "has_more"):
                return
            position = {"starting_after": text(found[-1], "id")}

    async def aclose(self) -> None:
        await self._http.close_async()

    async def _call(self, method: str, path: str, params: Mapping[str, object], *, key: str | None) -> StripeObject:
        try:
            async with asyncio.timeout(self._timeout_s), self._slots:
                return await self._call_until_allowed(method, path, params, key=key)
        except (TimeoutError, aiohttp.ClientError, stripe.APIConnectionError) as error:
            raise ProviderUnavailable(f"{self._name} did not answer {method.upper()} {path}: {_cause(error)}") from None
        except stripe.StripeError as error:
            raise self._read_error(error, f"{method.upper()} {path}") from None
        except (ValueError, TypeError, AttributeError) as error:
            # The library expects every answer, and every error, to be a JSON object.
            raise ProviderUnavailable(
                f"{self._name} answered {method.upper()} {path} with something that is not in Stripe's format"
            ) from error

    async def _call_until_allowed(
        self, method: str, path: str, params: Mapping[str, object], *, key: str | None
    ) -> StripeObject:
        pause_s = FIRST_PAUSE_S
        options = {} if key is None else {"idempotency_key": key}
        while True:
            try:
                answer = await self._stripe.raw_request_async(method, path, **params, **options)
            except stripe.RateLimitError:
                await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            else:
                if not isinstance(answer.data, dict):
                    raise TypeError("the answer is not a JSON object")
                return answer.data

    def _read_error(self, error: stripe.StripeError, call: str) -> ProviderUnavailable | ProviderRefused:
        status, code = error.http_status or 0, error.code or _error_type(error)
        message = f"{self._name} answered {call} with {status}: {error.user_message or code}"
        if isinstance(error, stripe.IdempotencyError) or _is_replayed(error):
            return KeySpent(code, message)
        if isinstance(error, stripe.InvalidRequestError | stripe.CardError):
            return ProviderRefused(code, message)
        if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
            # Only an operator can correct this; the same call then succeeds.
            logging.getLogger(__name__).error(
                "%s does not accept ONSALE_PAYMENT_SECRET_KEY for %s (status %d); payments wait until it does",
                self._name, call, status,
            )  # fmt: skip
        return ProviderUnavailable(f"{self._name} answered {call} with {status}")


def _is_replayed(error: stripe.StripeError) -> bool:
    """Return whether this is the stored answer to an earlier call with the same key."""
    return str((error.headers or {}).get("Idempotent-Replayed", "")).lower() == "true"


def _error_type(error: stripe.StripeError) -> str:
    try:
        return str(error.json_body["error"]["type"])  # type: ignore[index]
    except (KeyError, TypeError):
        return "unknown"


def _cause(error: BaseException) -> str:
    """Name the class of the failure. Its message may quote an answer."""
    return type(error.__cause__ or error).__name__
