"""Our client at the issuer: starts logins, redeems codes, renews tokens, and ends sessions there.

It uses Authlib for the protocol and to check the ID token, and IssuerHttp for the connection.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError

from auth.issuer_http import IssuerHttp
from settings import OidcSettings

SCOPE = "openid profile email"
TOTAL_TIMEOUT_S = 8.0
"""The time limit for all requests of one step, shorter than the gap between two renewals."""


class IssuerUnavailable(Exception):
    """Raised if the issuer cannot be reached, or does not answer as expected."""


class LoginRefused(Exception):
    """Raised if the issuer refuses a code or a refresh token. The message is for the user."""


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """A login that has begun: the issuer's address, and the secrets that bind the answer to it."""

    url: str
    state: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True, slots=True)
class Tokens:
    access_token: str
    refresh_token: str | None
    id_token: str | None
    refresh_expires_in_s: float | None
    """The lifetime of the refresh token, or None if the issuer does not state it."""
    subject: str | None = None
    """The person in the ID token of a login."""


class OidcClient:
    def __init__(self, oidc: OidcSettings, http: IssuerHttp) -> None:
        self._http = http
        self._client_id = oidc.client_id
        self._algorithms = oidc.algorithms
        self._app = OAuth().register(
            "issuer",
            client_id=oidc.client_id,
            client_secret=oidc.client_secret,
            server_metadata_url=f"{http.issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": SCOPE,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "client_secret_basic" if oidc.client_secret else "none",
                **http.client_kwargs,
            },
        )

    @property
    def issuer(self) -> str:
        return self._http.issuer

    async def begin_login(self, redirect_uri: str) -> LoginRequest:
        """Raises IssuerUnavailable."""
        async with _step():
            await self._load()
            begun = await self._app.create_authorization_url(redirect_uri)
        return LoginRequest(begun["url"], begun["state"], begun["nonce"], begun["code_verifier"])

    async def redeem(self, code: str, *, redirect_uri: str, nonce: str, code_verifier: str) -> Tokens:
        """Return the tokens of a login. Raises LoginRefused or IssuerUnavailable."""
        async with _step():
            await self._load()
            answer = await self._app.fetch_access_token(redirect_uri, code=code, code_verifier=code_verifier)
            if "id_token" not in answer:
                # Only an ID token proves that the answer belongs to this login.
                raise LoginRefused("The issuer sent no ID token; sign in again.")
            claims = await self._app.parse_id_token(
                answer,
                nonce,
                claims_options={
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self._client_id},
                },
            )
        return _tokens(answer, subject=claims["sub"])

    async def refresh(self, refresh_token: str) -> Tokens:
        """Return new tokens. Raises LoginRefused if the session at the issuer has ended, or
        IssuerUnavailable.
        """
        async with _step():
            await self._load()
            answer = await self._app.fetch_access_token(grant_type="refresh_token", refresh_token=refresh_token)
        return _tokens(answer)

    async def logout_url(self, id_token: str | None, *, back_to: str) -> str | None:
        """Return the address at which the browser ends its session at the issuer, or None if
        there is none. Raises IssuerUnavailable.
        """
        async with _step():
            metadata = await self._load()
        if id_token is None or "end_session_endpoint" not in metadata:
            return None
        query = {"id_token_hint": id_token, "client_id": self._client_id, "post_logout_redirect_uri": back_to}
        return str(httpx2.URL(str(metadata["end_session_endpoint"])).copy_merge_params(query))

    async def _load(self) -> Mapping[str, object]:
        metadata: dict[str, object] = await self._app.load_server_metadata()
        if metadata.get("issuer") != self.issuer:
            raise IssuerUnavailable(f"the discovery document names issuer {metadata.get('issuer')!r}")
        metadata["id_token_signing_alg_values_supported"] = list(self._algorithms)
        return metadata


@asynccontextmanager
async def _step() -> AsyncIterator[None]:
    """Limit how long the requests in the block may take, and translate their errors."""
    try:
        async with asyncio.timeout(TOTAL_TIMEOUT_S):
            yield
    except TimeoutError:
        raise IssuerUnavailable(f"no answer within {TOTAL_TIMEOUT_S:.0f} s") from None
    except JoseError as error:
        raise LoginRefused(_describe(error)) from error
    except AuthlibBaseError as error:
        # Other errors concern our settings or the issuer, not the person's session.
        if error.error == "invalid_grant":
            raise LoginRefused(_describe(error)) from error
        raise IssuerUnavailable(f"{error.error}: {error.description}") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError) as error:
        raise IssuerUnavailable(f"{type(error).__name__}: {error}") from error


def _describe(error: Exception) -> str:
    return getattr(error, "description", None) or getattr(error, "error", None) or type(error).__name__


def _tokens(answer: Mapping[str, object], *, subject: str | None = None) -> Tokens:
    lasts_s = answer.get("refresh_expires_in")
    return Tokens(
        access_token=str(answer["access_token"]),
        refresh_token=_text(answer.get("refresh_token")),
        id_token=_text(answer.get("id_token")),
        # Keycloak sends 0 for an offline session, which never ends.
        refresh_expires_in_s=float(lasts_s) if isinstance(lasts_s, int | float) and lasts_s > 0 else None,
        subject=subject,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
