"""The development issuer: speaks Keycloak's paths with demo people, so that the app treats both alike.

It knows everybody's password. It runs on loopback only and refuses production.
"""

from auth.dev_issuer.routes import issuer_routes

__all__ = ["issuer_routes"]
