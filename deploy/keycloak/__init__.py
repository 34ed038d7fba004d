"""Runs a Keycloak for development and tests: the pinned release, with the realm in this folder."""
