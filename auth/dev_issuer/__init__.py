"""The development issuer, which serves demo users at Keycloak's paths.

The app treats it like Keycloak. It knows every password, so it runs only on loopback and never in
production.
"""

from auth.dev_issuer.routes import issuer_routes

__all__ = ["issuer_routes"]
