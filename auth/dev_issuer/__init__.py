"""The development issuer, which serves demo users at Keycloak's paths.

The app therefore treats it like Keycloak. It knows every password. It runs on loopback only and
refuses to run in production.
"""

from auth.dev_issuer.routes import issuer_routes

__all__ = ["issuer_routes"]
