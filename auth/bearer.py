"""Reads the access token from the `Authorization` value of a header or of connection_init."""

from domain.errors import Unauthenticated


def read_bearer(authorization: str) -> str:
    """Return the token. Raises Unauthenticated if the value is not `Bearer <access token>`."""
    scheme, _, token = authorization.strip().partition(" ")
    match scheme.lower():
        case "bearer" if token.strip():
            return token.strip()
        case "dpop":
            raise Unauthenticated(
                "The authorization scheme DPoP is not supported; in Keycloak, turn off 'DPoP bound tokens' "
                "for the client and send `Bearer <access token>`."
            )
        case "basic" | "digest" | "negotiate":
            raise Unauthenticated(f"The authorization scheme {scheme} is not supported; send `Bearer <access token>`.")
        case _:
            raise Unauthenticated("`Authorization` is malformed; send `Bearer <access token>` once.")
