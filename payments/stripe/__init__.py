"""Stripe as a payment provider. The sandbox offers the same API, so the same code works with it."""

API_VERSION = "2026-10-28.endive"
"""The version of Stripe's API that requests ask for and webhook endpoints must have.

It is the version that the library was made for. It changes only here, never through an upgrade
alone.
"""
