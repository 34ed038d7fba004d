"""Mints the issuer's tokens with Keycloak's claims, and reads its own tokens back."""

import time
import uuid
from collections.abc import Mapping
from urllib.parse import urlsplit

from authlib.oidc.core.util import create_half_hash
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey, RSAKey

from auth.dev_issuer.demo_users import DemoUser
from auth.dev_issuer.logins import REFRESH_LIFETIME_S, Login
from auth.dev_issuer.signing import IssuerKeys

ACCESS_LIFETIME_S = 300
"""Keycloak's default."""
LOGOUT_LIFETIME_S = 120
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
SERVER_CLIENT_ID = "onsale-server"
"""The confidential client. Every access token names it in `aud`, which allows introspection."""
_REALM_ROLES = ("offline_access", "uma_authorization", "default-roles-onsale")
_ACCOUNT_ROLES = ("manage-account", "manage-account-links", "view-profile")

SCOPES = ("openid", "profile", "email")
_DEFAULT_SCOPES = ("profile", "email")
"""The scopes that Keycloak grants by default. `openid`, for the ID token, must be requested."""


def granted_scope(requested: str | None) -> str:
    wanted = {*(requested or "").split(), *_DEFAULT_SCOPES}
    return " ".join(scope for scope in SCOPES if scope in wanted)


class TokenMint:
    def __init__(self, issuer: str, *, audience: str, keys: IssuerKeys) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        port = urlsplit(issuer).port
        self._origins = [f"http://{host}:{port}" for host in ("127.0.0.1", "localhost")]

    def token_response(self, login: Login, scope: str) -> dict[str, object]:
        """Return the response body defined in RFC 6749, section 5.1, with Keycloak's additions."""
        now_s = int(time.time())
        access_token = self._signed(self._access_claims(login, scope, now_s))
        response: dict[str, object] = {
            "access_token": access_token,
            "expires_in": ACCESS_LIFETIME_S,
            "refresh_token": self._refresh_token(login, scope, now_s),
            "refresh_expires_in": REFRESH_LIFETIME_S,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "session_state": login.session_id,
            "scope": scope,
        }
        if "openid" in scope.split():
            response["id_token"] = self._signed(self._id_claims(login, now_s, access_token))
        return response

    def logout_token(self, *, client_id: str, subject: str, session_id: str) -> str:
        """Return a logout token as OpenID Connect Back-Channel Logout, section 2.4, defines it."""
        now_s = int(time.time())
        claims: dict[str, object] = {
            "exp": now_s + LOGOUT_LIFETIME_S,
            "iat": now_s,
            "jti": str(uuid.uuid4()),
            "iss": self._issuer,
            "aud": client_id,
            "sub": subject,
            "typ": "Logout",
            "sid": session_id,
            "events": {LOGOUT_EVENT: {}},
        }
        return self._signed(claims, type_="logout+jwt")

    def read_access_token(self, token: str) -> Mapping[str, object] | None:
        return self._read(token, self._keys.signing, type_="Bearer")

    def read_refresh_token(self, token: str) -> Mapping[str, object] | None:
        return self._read(token, self._keys.refresh, type_="Refresh")

    def read_id_token(self, token: str) -> Mapping[str, object] | None:
        """Return the claims of an ID token, even if it has expired, or None if it is not ours.

        People may sign out after it has expired (OpenID Connect RP-Initiated Logout, section 2).
        """
        return self._read(token, self._keys.signing, type_="ID", is_expiry_checked=False)

    def _common_claims(self, login: Login, now_s: int, lifetime_s: int) -> dict[str, object]:
        return {
            "exp": now_s + lifetime_s,
            "iat": now_s,
            "jti": str(uuid.uuid4()),
            "iss": self._issuer,
            "sub": login.person.subject,
            "azp": login.client_id,
            "sid": login.session_id,
            **({} if login.authenticated_at_s is None else {"auth_time": login.authenticated_at_s}),
        }

    def _access_claims(self, login: Login, scope: str, now_s: int) -> dict[str, object]:
        return {
            **self._common_claims(login, now_s, ACCESS_LIFETIME_S),
            "aud": [self._audience, SERVER_CLIENT_ID, "account"],
            "typ": "Bearer",
            "acr": "1",
            "allowed-origins": self._origins,
            "realm_access": {"roles": [*_REALM_ROLES, *login.person.roles]},
            "resource_access": {"account": {"roles": list(_ACCOUNT_ROLES)}},
            "scope": scope,
            **profile_claims(login.person),
        }

    def _id_claims(self, login: Login, now_s: int, access_token: str) -> dict[str, object]:
        nonce = {"nonce": login.nonce} if login.nonce else {}
        return {
            **self._common_claims(login, now_s, ACCESS_LIFETIME_S),
            "aud": login.client_id,
            "typ": "ID",
            "acr": "1",
            "at_hash": create_half_hash(access_token, "RS256").decode(),
            **nonce,
            **profile_claims(login.person),
        }

    def _refresh_token(self, login: Login, scope: str, now_s: int) -> str:
        claims = {
            **self._common_claims(login, now_s, REFRESH_LIFETIME_S),
            "aud": self._issuer,
            "typ": "Refresh",
            "scope": scope,
            # Keycloak finds the user through the session; this issuer has only the token.
            "preferred_username": login.person.username,
        }
        return jwt.encode({"alg": "HS256"}, claims, self._keys.refresh)

    def _signed(self, claims: dict[str, object], *, type_: str = "JWT") -> str:
        return jwt.encode({"alg": "RS256", "typ": type_, "kid": self._keys.kid}, claims, self._keys.signing)

    def _read(
        self, token: str, key: RSAKey | OctKey, *, type_: str, is_expiry_checked: bool = True
    ) -> Mapping[str, object] | None:
        """Return the claims, or None if the token was altered, is not ours, or has another type."""
        try:
            claims = jwt.decode(token, key, algorithms=["RS256" if isinstance(key, RSAKey) else "HS256"]).claims
            if is_expiry_checked:
                jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
        except (JoseError, ValueError):
            return None
        return claims if claims.get("typ") == type_ and claims.get("iss") == self._issuer else None


def profile_claims(person: DemoUser) -> dict[str, object]:
    return {
        "preferred_username": person.username,
        "email": person.email,
        "email_verified": True,
        "name": f"{person.given_name} {person.family_name}",
        "given_name": person.given_name,
        "family_name": person.family_name,
    }
