"""The development issuer: serves Keycloak's paths for demo people, so that the app treats both
alike.

It knows every password. It runs on loopback only and refuses production.
"""

from auth.dev_issuer.routes import issuer_routes

__all__ = ["issuer_routes"]
