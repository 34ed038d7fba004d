"""Asks the issuer whether an access token is still active and which roles the person has now.

With a client secret, it uses introspection (RFC 7662); the answer contains the current roles if the
issuer is Keycloak. Otherwise it asks the userinfo endpoint, which shows only whether the token is
active.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import httpx2

from auth.issuer_http import IssuerHttp
from auth.viewer import Role

MAX_ANSWER_BYTES = 262_144
"""The maximum size of an answer; Keycloak's answers take about 2 KiB."""


class IssuerUnavailable(Exception):
    """Raised if the issuer gave no usable answer. `str(error)` says why, without any credential."""


@dataclass(frozen=True, slots=True)
class TokenState:
    is_active: bool
    roles: frozenset[Role] | None = None
    """None if the issuer did not say."""


@dataclass(frozen=True, slots=True)
class _Endpoints:
    userinfo: str | None
    introspection: str | None


class IssuerChecks:
    def __init__(
        self,
        issuer: IssuerHttp,
        *,
        client_id: str,
        client_secret: str | None,
        read_roles: Callable[[Mapping[str, object]], frozenset[Role]],
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._read_roles = read_roles
        self._client: httpx2.AsyncClient | None = None
        self._endpoints: _Endpoints | None = None

    async def check(self, token: str) -> TokenState:
        """Return what the issuer says about the token. Raises IssuerUnavailable."""
        try:
            endpoints = self._endpoints = self._endpoints or await self._discover()
            if self._client_secret is not None and endpoints.introspection is not None:
                return await self._introspect(endpoints.introspection, token, self._client_secret)
            if endpoints.userinfo is not None:
                return await self._ask_userinfo(endpoints.userinfo, token)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            # The endpoints may have changed when the issuer was restarted.
            self._endpoints = None
            raise IssuerUnavailable(f"{self._issuer.issuer} does not answer: {type(error).__name__}") from error
        raise IssuerUnavailable(f"{self._issuer.issuer} names neither an introspection nor a userinfo endpoint")

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _discover(self) -> _Endpoints:
        status, document = await self._request("GET", self._issuer.discovery_url)
        if status != 200 or document.get("issuer") != self._issuer.issuer:
            raise IssuerUnavailable(f"{self._issuer.discovery_url} answered {status} without naming our issuer")
        return _Endpoints(
            self._endpoint(document.get("userinfo_endpoint")), self._endpoint(document.get("introspection_endpoint"))
        )

    def _endpoint(self, url: object) -> str | None:
        """Return the address for this server, or None if credentials must not be sent there."""
        if not isinstance(url, str) or not self._issuer.is_secure(url):
            return None
        return self._issuer.internal(url)

    async def _introspect(self, url: str, token: str, secret: str) -> TokenState:
        form = {"token": token, "token_type_hint": "access_token"}
        # RFC 6749, section 2.3.1: id and secret are encoded before they are joined.
        credentials = (quote(self._client_id, safe=""), quote(secret, safe=""))
        status, claims = await self._request("POST", url, data=form, auth=credentials)
        if status != 200 or not isinstance(claims.get("active"), bool):
            raise IssuerUnavailable(f"the token introspection at {url} answered {status}")
        return TokenState(is_active=True, roles=self._read_roles(claims)) if claims["active"] else TokenState(False)

    async def _ask_userinfo(self, url: str, token: str) -> TokenState:
        status, _ = await self._request("GET", url, headers={"authorization": f"Bearer {token}"})
        if status == 401:
            return TokenState(is_active=False)
        # 403: the token lacks the scope `openid`, but it is active.
        if status in (200, 403):
            return TokenState(is_active=True)
        raise IssuerUnavailable(f"{url} answered {status}")

    async def _request(
        self,
        method: str,
        url: str,
        *,
        data: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, object]]:
        """Return the status and the JSON object of an answer, or an empty object if it has none."""
        client = self._client = self._client or self._issuer.client()
        # Uncompressed only: a compressed answer can be small on the wire and huge in memory.
        sent = {"accept": "application/json", "accept-encoding": "identity", **(headers or {})}
        async with client.stream(method, url, data=data, auth=auth, headers=sent) as answer:
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise IssuerUnavailable(f"{url} answered with more than {MAX_ANSWER_BYTES} bytes")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = {}
        return answer.status_code, document if isinstance(document, dict) else {}
